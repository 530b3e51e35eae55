/* Reading members of parsed JSON, over yyjson: absent or of another type reads as nothing. */
#ifndef RB_HOST_ENGINE_VIEW_H
#define RB_HOST_ENGINE_VIEW_H

#include <stdlib.h>
#include <yyjson.h>

#include "base/buf.h"

static inline void rb_view_free(yyjson_doc **doc)
{
    yyjson_doc_free(*doc);
}

static inline void rb_view_text_free(char **text)
{
    free(*text);
}

static inline yyjson_doc *rb_view_parse(const struct rb_buf *text)
{
    return yyjson_read(rb_buf_str(text), text->len, 0);
}

/* What a connector or the worker counts: at most a pebibyte, so that the sums over units
 * (RB_RUN_UNITS_MAX) and lanes can't overflow; below 0 is 0. */
static inline int64_t rb_view_count(yyjson_val *object, const char *key)
{
    const uint64_t max = (uint64_t)1 << 50;
    yyjson_val *value = yyjson_obj_get(object, key);
    if (!yyjson_is_uint(value)) {
        return 0;
    }
    uint64_t n = yyjson_get_uint(value);
    return (int64_t)(n < max ? n : max);
}

static inline double rb_view_secs(yyjson_val *object, const char *key)
{
    yyjson_val *value = yyjson_obj_get(object, key);
    return yyjson_is_num(value) ? yyjson_get_num(value) : 0.0;
}

static inline const char *rb_view_str(yyjson_val *object, const char *key)
{
    return yyjson_get_str(yyjson_obj_get(object, key));
}

/* The member's own JSON, allocated (free()); NULL when absent or null. */
static inline char *rb_view_json(yyjson_val *object, const char *key)
{
    yyjson_val *value = yyjson_obj_get(object, key);
    return value == NULL || yyjson_is_null(value) ? NULL : yyjson_val_write(value, 0, NULL);
}

#endif
