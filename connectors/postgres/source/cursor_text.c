/* A cursor's value in COPY's binary form, as text that its type reads back as the same value. */
#include <inttypes.h>
#include <stdio.h>

#include "base/bytes.h"
#include "connectors/postgres/source/cursor_kind.h"
#include "connectors/postgres/source/cursor_sql.h"

enum {
    DAYS_1970_TO_2000 = 10957,
    DAYS_0000_TO_1970 = 719468, /* from 0000-03-01, proleptic Gregorian */
    DAYS_PER_ERA = 146097,      /* 400 years */
    DAYS_PER_CENTURY = 36524,   /* whose last day falls into the era's last year */
    DAYS_PER_FOUR = 1461,
    DIGIT_DECIMALS = 4, /* of numeric's base 10000 */
    NUMERIC_HEAD = 8,
};
static const int64_t micros_per_day = INT64_C(86400000000);
static const int64_t secs_1970_to_2000 = INT64_C(946684800);

static int malformed(const struct rb_cursor_kind *kind, struct rb_error *err)
{
    return rb_error_set(err, RB_EPROTOCOL, "PROTOCOL_VIOLATION",
                        "a cursor's value is not in the binary form of %s", kind->name);
}

static int64_t read_int(const struct rb_buf *value)
{
    switch (value->len) {
    case 2:
        return (int16_t)rb_load_be16(value->data);
    case 4:
        return (int32_t)rb_load_be32(value->data);
    default:
        return (int64_t)rb_load_be64(value->data);
    }
}

/* Days since 1970 as a date of the Gregorian calendar, which goes on before its beginning and has a
 * year 0. Counted from a 1 March, so that the leap day ends a year. */
static void split_days(int64_t days, int64_t *year, int *month, int *day)
{
    static const int before_month[] = {0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 306, 337};
    int64_t at = days + DAYS_0000_TO_1970;
    int64_t era = (at >= 0 ? at : at - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
    at -= era * DAYS_PER_ERA;
    int64_t centuries = at / DAYS_PER_CENTURY < 3 ? at / DAYS_PER_CENTURY : 3;
    at -= centuries * DAYS_PER_CENTURY;
    int64_t fours = at / DAYS_PER_FOUR;
    at -= fours * DAYS_PER_FOUR;
    int64_t ones = at / 365 < 3 ? at / 365 : 3;
    at -= ones * 365;
    int m = 11;
    while (at < before_month[m]) {
        m--;
    }
    *day = (int)at - before_month[m] + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = 400 * era + 100 * centuries + 4 * fours + ones + (m < 10 ? 0 : 1);
}

/* `micros` < 0: a date alone. */
static int put_moment(int64_t days_since_2000, int64_t micros, const char *zone, struct rb_buf *ret)
{
    int64_t year;
    int month, day;
    split_days(days_since_2000 + DAYS_1970_TO_2000, &year, &month, &day);
    int r = rb_buf_printf(ret, "%04" PRId64 "-%02d-%02d", year > 0 ? year : 1 - year, month, day);
    if (r == 0 && micros >= 0) {
        int64_t secs = micros / 1000000;
        r = rb_buf_printf(ret, " %02d:%02d:%02d.%06d%s", (int)(secs / 3600), (int)(secs / 60 % 60),
                          (int)(secs % 60), (int)(micros % 1000000), zone);
    }
    return r == 0 && year <= 0 ? rb_buf_append_str(ret, " BC") : r;
}

static int put_timestamp(int64_t since_2000, const char *zone, struct rb_buf *ret,
                         int64_t *ret_micros)
{
    if (since_2000 == INT64_MIN || since_2000 == INT64_MAX) {
        *ret_micros = since_2000;
        return rb_buf_append_str(ret, since_2000 < 0 ? "-infinity" : "infinity");
    }
    int64_t of_day = since_2000 % micros_per_day;
    int64_t days = since_2000 / micros_per_day;
    if (of_day < 0) {
        of_day += micros_per_day;
        days--;
    }
    if (__builtin_add_overflow(since_2000, secs_1970_to_2000 * 1000000, ret_micros)) {
        *ret_micros = INT64_MAX;
    }
    return put_moment(days, of_day, zone, ret);
}

/* The decimals of a digit of base 10000, 0 where numeric keeps none. */
static unsigned digit_at(const struct rb_buf *value, int64_t i)
{
    int64_t n = ((int64_t)value->len - NUMERIC_HEAD) / 2;
    return i < 0 || i >= n ? 0 : rb_load_be16(value->data + NUMERIC_HEAD + 2 * i);
}

/* numeric_send: count of digits, weight of the first, sign, display scale, digits. */
static int put_numeric(const struct rb_buf *value, struct rb_buf *ret)
{
    int16_t weight = (int16_t)rb_load_be16(value->data + 2);
    uint16_t sign = rb_load_be16(value->data + 4);
    int scale = rb_load_be16(value->data + 6);
    if (sign != 0 && sign != 0x4000) {
        return rb_buf_append_str(ret, sign == 0xC000   ? "NaN"
                                      : sign == 0xD000 ? "Infinity"
                                                       : "-Infinity");
    }
    int r = rb_buf_append_str(ret, sign != 0 ? "-" : "");
    if (r == 0 && weight < 0) {
        r = rb_buf_append_str(ret, "0");
    }
    for (int i = 0; r == 0 && i <= weight; i++) {
        r = rb_buf_printf(ret, i == 0 ? "%u" : "%04u", digit_at(value, i));
    }
    if (r == 0 && scale > 0) {
        r = rb_buf_append_str(ret, ".");
    }
    for (int done = 0; r == 0 && done < scale; done += DIGIT_DECIMALS) {
        char decimals[16];
        snprintf(decimals, sizeof decimals, "%04u",
                 digit_at(value, weight + 1 + done / DIGIT_DECIMALS) % 10000);
        int n = scale - done < DIGIT_DECIMALS ? scale - done : DIGIT_DECIMALS;
        r = rb_buf_append(ret, decimals, (size_t)n);
    }
    return r;
}

static int put_uuid(const struct rb_buf *value, struct rb_buf *ret)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < value->len; i++) {
        bool hyphen = i == 4 || i == 6 || i == 8 || i == 10;
        r = rb_buf_printf(ret, hyphen ? "-%02x" : "%02x", value->data[i]);
    }
    return r;
}

static bool has_length(const struct rb_cursor_kind *kind, size_t len)
{
    switch (kind->oids[0]) {
    case 20:
        return len == 2 || len == 4 || len == 8;
    case 1700:
        return len >= NUMERIC_HEAD;
    case 1082:
        return len == 4;
    case 1114:
    case 1184:
        return len == 8;
    case 2950:
        return len == 16;
    default:
        return true;
    }
}

int rb_cursor_text_of(const struct rb_cursor_kind *kind, const struct rb_buf *value,
                      struct rb_buf *ret, int64_t *ret_micros, struct rb_error *err)
{
    int r = 0;
    int64_t micros = 0;
    if (!has_length(kind, value->len)) {
        return malformed(kind, err);
    }
    switch (kind->oids[0]) {
    case 20:
        r = rb_buf_printf(ret, "%" PRId64, read_int(value));
        break;
    case 1700:
        r = put_numeric(value, ret);
        break;
    case 1082:
        r = read_int(value) == INT32_MIN ? rb_buf_append_str(ret, "-infinity")
                                         : put_moment(read_int(value), -1, "", ret);
        break;
    case 1114:
        r = put_timestamp(read_int(value), "", ret, &micros);
        break;
    case 1184:
        r = put_timestamp(read_int(value), "+00", ret, &micros);
        break;
    case 2950:
        r = put_uuid(value, ret);
        break;
    default:
        r = rb_buf_append(ret, value->data, value->len);
        break;
    }
    if (r < 0) {
        return rb_error_set(err, RB_EDATA, "CURSOR_TOO_LONG",
                            "a value of the cursor column is longer than %d bytes",
                            RB_CURSOR_TEXT_MAX);
    }
    *ret_micros = micros;
    return 0;
}
