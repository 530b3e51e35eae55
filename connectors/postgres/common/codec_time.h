/*
 * Dates and timestamps between PostgreSQL's epoch (2000-01-01) and Arrow's (1970-01-01).
 *
 * PostgreSQL's timestamps end in 294276, those of Arrow in microseconds in 294247, but the lower
 * end of int64 is free: no timestamp is before 4714 BC. So the move is modulo 2^64, where the last
 * 29 years come out negative, which keeps every value apart from every other. The two values that
 * would land on the infinities take the places that the infinities left.
 */
#ifndef RB_CONNECTORS_POSTGRES_COMMON_CODEC_TIME_H
#define RB_CONNECTORS_POSTGRES_COMMON_CODEC_TIME_H

#include <stdbool.h>
#include <stdint.h>

#define RB_EPOCH_DAYS 10957               /* 1970-01-01 to 2000-01-01 */
#define RB_EPOCH_MICROS 946684800000000LL /* the same in microseconds */

static inline bool rb_time_is_infinite(int64_t v)
{
    return v == INT64_MAX || v == INT64_MIN;
}

static inline int64_t rb_time_wrapping_add(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

/* PostgreSQL's microseconds to Arrow's: a bijection of int64. */
static inline int64_t rb_time_to_arrow(int64_t pg)
{
    if (rb_time_is_infinite(pg)) {
        return pg;
    }
    int64_t arrow = rb_time_wrapping_add(pg, RB_EPOCH_MICROS);
    return rb_time_is_infinite(arrow) ? rb_time_wrapping_add(arrow, RB_EPOCH_MICROS) : arrow;
}

/* The reverse. */
static inline int64_t rb_time_from_arrow(int64_t arrow)
{
    if (rb_time_is_infinite(arrow)) {
        return arrow;
    }
    int64_t pg = rb_time_wrapping_add(arrow, -RB_EPOCH_MICROS);
    return rb_time_is_infinite(pg) ? rb_time_wrapping_add(pg, -RB_EPOCH_MICROS) : pg;
}

/* Whether Arrow's microseconds mean to anyone what they say: neither infinite nor past the wrap. */
static inline bool rb_time_arrow_is_plain(int64_t arrow)
{
    return arrow != INT64_MAX && arrow > INT64_MIN + RB_EPOCH_MICROS;
}

/* 24:00:00, in microseconds: PostgreSQL has it, and Arrow's times end before it. */
#define RB_TIME_DAY_END INT64_C(86400000000)

/* PostgreSQL's days to Arrow's; false: they do not fit (no date of PostgreSQL's comes near). */
static inline bool rb_date_to_arrow(int32_t pg, int32_t *ret)
{
    if (pg == INT32_MAX || pg == INT32_MIN) {
        *ret = pg;
        return true;
    }
    int32_t arrow;
    if (__builtin_add_overflow(pg, RB_EPOCH_DAYS, &arrow) || arrow == INT32_MAX) {
        return false;
    }
    *ret = arrow;
    return true;
}

static inline bool rb_date_from_arrow(int32_t arrow, int32_t *ret)
{
    if (arrow == INT32_MAX || arrow == INT32_MIN) {
        *ret = arrow;
        return true;
    }
    int32_t pg;
    if (__builtin_sub_overflow(arrow, RB_EPOCH_DAYS, &pg) || pg == INT32_MIN) {
        return false;
    }
    *ret = pg;
    return true;
}

#endif
