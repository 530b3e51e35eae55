#include "host/config/scalar.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The digits at *p, at least one; *p moves behind them. */
static bool digits(const char **p, int64_t *ret)
{
    int64_t value = 0;
    const char *q = *p;
    if (!is_digit(*q)) {
        return false;
    }
    for (; is_digit(*q); q++) {
        if (!rb_mul_i64(value, 10, &value) || !rb_add_i64(value, *q - '0', &value)) {
            return false;
        }
    }
    *p = q;
    *ret = value;
    return true;
}

bool rb_scalar_i64(const char *text, int64_t *ret)
{
    int64_t value = 0;
    bool negative = *text == '-';
    const char *p = text + (*text == '-' || *text == '+' ? 1 : 0);
    if (!digits(&p, &value) || *p != '\0') {
        return false;
    }
    *ret = negative ? -value : value;
    return true;
}

struct unit {
    const char *name;
    int64_t factor;
};

static bool with_unit(const char *text, const struct unit *units, size_t n, int64_t *ret)
{
    int64_t value = 0;
    if (!digits(&text, &value)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(text, units[i].name) == 0) {
            return rb_mul_i64(value, units[i].factor, ret);
        }
    }
    return false;
}

bool rb_scalar_size(const char *text, uint64_t *ret)
{
    static const struct unit units[] = {
        {"", 1}, {"kb", 1024}, {"mb", 1024 * 1024}, {"gb", 1024 * 1024 * 1024}};
    int64_t value = 0;
    if (!with_unit(text, units, sizeof units / sizeof units[0], &value)) {
        return false;
    }
    *ret = (uint64_t)value;
    return true;
}

bool rb_scalar_micros(const char *text, int64_t *ret)
{
    static const struct unit units[] = {{"ms", 1000},
                                        {"s", 1000000},
                                        {"m", 60 * INT64_C(1000000)},
                                        {"h", 3600 * INT64_C(1000000)},
                                        {"d", 86400 * INT64_C(1000000)}};
    if (strcmp(text, "0") == 0) {
        *ret = 0;
        return true;
    }
    return with_unit(text, units, sizeof units / sizeof units[0], ret);
}

bool rb_scalar_double(const char *text, double *ret)
{
    size_t len = strlen(text);
    const char *first = text + (*text == '-' ? 1 : 0);
    if (len == 0 || strspn(text, "0123456789+-.eE") != len || !is_digit(text[len - 1]) ||
        !is_digit(first[0]) || (first[0] == '0' && is_digit(first[1]))) {
        return false;
    }
    char *end = NULL;
    double value = strtod(text, &end);
    if (*end != '\0' || !isfinite(value)) {
        return false;
    }
    *ret = value;
    return true;
}
