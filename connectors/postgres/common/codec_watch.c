#include "connectors/postgres/common/codec_watch.h"

#include <string.h>

#include "base/bytes.h"

enum {
    NUMERIC_SCALE_AT = 6, /* numeric_send: digits, weight, sign, display scale, each of 2 bytes */
    NUMERIC_DIGITS_AT = 8,
};

/* The field's bytes, or NULL. */
static const uint8_t *find_field(const uint8_t *p, const uint8_t *end, size_t column,
                                 size_t *ret_len)
{
    if (end - p < 2) {
        return NULL;
    }
    p += 2;
    for (size_t i = 0;; i++) {
        if (end - p < 4) {
            return NULL;
        }
        int32_t len = (int32_t)rb_load_be32(p);
        p += 4;
        if (len > end - p || (len < 0 && (len != -1 || i == column))) {
            return NULL;
        }
        if (i == column) {
            *ret_len = (size_t)len;
            return p;
        }
        p += len > 0 ? len : 0;
    }
}

static bool is_same(const struct rb_watch *watch, const uint8_t *value, size_t len)
{
    const uint8_t *before = watch->value.data;
    if (watch->value.len != len || len == 0) {
        return watch->value.len == len;
    }
    if (!watch->numeric || len < NUMERIC_DIGITS_AT) {
        return memcmp(before, value, len) == 0;
    }
    return memcmp(before, value, NUMERIC_SCALE_AT) == 0 &&
           memcmp(before + NUMERIC_DIGITS_AT, value + NUMERIC_DIGITS_AT, len - NUMERIC_DIGITS_AT) ==
               0;
}

int rb_watch_row(struct rb_watch *watch, const uint8_t *p, const uint8_t *end)
{
    size_t len = 0;
    const uint8_t *value = find_field(p, end, watch->column, &len);
    if (value == NULL) {
        return 0;
    }
    if (watch->has_value && !is_same(watch, value, len)) {
        return 1;
    }
    watch->has_value = true;
    rb_buf_clear(&watch->value);
    return rb_buf_append(&watch->value, value, len);
}
