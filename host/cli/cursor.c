#include "host/cli/cursor.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <yyjson.h>

#include "base/json.h"

enum { MICROS_PER_SEC = 1000000 };

/* As PostgreSQL reads it, in UTC; 1 when the year has not four digits. */
static int append_time(int64_t micros, struct rb_buf *ret)
{
    int64_t fraction = micros % MICROS_PER_SEC;
    time_t secs = (time_t)(micros / MICROS_PER_SEC);
    if (fraction < 0) {
        fraction += MICROS_PER_SEC;
        secs--;
    }
    struct tm tm;
    char text[32];
    if (gmtime_r(&secs, &tm) == NULL || tm.tm_year < 1000 - 1900 || tm.tm_year > 9999 - 1900 ||
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm) == 0) {
        return 1;
    }
    return fraction != 0 ? rb_buf_printf(ret, "%s.%06lld+00", text, (long long)fraction)
                         : rb_buf_printf(ret, "%s+00", text);
}

/* {"utf8":"x"}, {"int64":1}, {"timestamp_micros":1}, {"decimal":{"value":"1.5",…}}. */
static int append_value(yyjson_val *value, struct rb_buf *ret)
{
    yyjson_obj_iter it = yyjson_obj_iter_with(value);
    yyjson_val *name = yyjson_obj_iter_next(&it);
    yyjson_val *inner = yyjson_obj_iter_get_val(name);
    if (yyjson_equals_str(name, "timestamp_micros") && yyjson_is_int(inner)) {
        int status = append_time(yyjson_get_sint(inner), ret);
        if (status <= 0) {
            return status;
        }
    }
    if (yyjson_is_obj(inner) && yyjson_get_str(yyjson_obj_get(inner, "value")) != NULL) {
        inner = yyjson_obj_get(inner, "value");
    }
    if (inner == NULL || yyjson_is_null(inner)) {
        return rb_buf_append_str(ret, "-");
    }
    if (yyjson_is_str(inner)) {
        return rb_buf_append_str(ret, yyjson_get_str(inner));
    }
    char *text = yyjson_val_write(inner, 0, NULL);
    int status = text != NULL ? rb_buf_append_str(ret, text) : RB_ENOMEM;
    free(text);
    return status;
}

/* Without the zeros at the end of a second's fraction, and without an empty one. */
static int append_text(const char *text, struct rb_buf *ret)
{
    const char *point = strchr(text, '.');
    size_t digits = point != NULL ? strspn(point + 1, "0123456789") : 0;
    bool is_time = point != NULL && strchr(text, ':') != NULL;
    if (!is_time || digits == 0) {
        return rb_buf_append_str(ret, text);
    }
    const char *rest = point + 1 + digits, *end = rest;
    while (end[-1] == '0') {
        end--;
    }
    end -= end == point + 1 ? 1 : 0;
    int status = rb_buf_append(ret, text, (size_t)(end - text));
    return status != 0 ? status : rb_buf_append_str(ret, rest);
}

int rb_cursor_text(const char *checkpoint_json, struct rb_buf *ret)
{
    yyjson_doc *doc = yyjson_read(checkpoint_json, strlen(checkpoint_json), 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    const char *text = yyjson_get_str(yyjson_obj_get(root, "cursor_text"));
    int status = text != NULL ? append_text(text, ret)
                              : append_value(yyjson_obj_get(root, "cursor_value"), ret);
    yyjson_doc_free(doc);
    return status;
}

int rb_cursor_type(const char *checkpoint_json, struct rb_buf *ret)
{
    yyjson_doc *doc = yyjson_read(checkpoint_json, strlen(checkpoint_json), 0);
    const char *type = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "cursor_type"));
    int status = type != NULL ? rb_buf_append_str(ret, type) : RB_OK;
    yyjson_doc_free(doc);
    return status;
}

int rb_cursor_make(const char *stream, const char *cursor_field, const char *value,
                   struct rb_buf *ret)
{
    struct rb_json json;
    rb_json_init(&json, ret);
    rb_json_begin_object(&json);
    rb_json_member_str(&json, "stream", stream);
    rb_json_member_str(&json, "cursor_field", cursor_field);
    rb_json_key(&json, "cursor_value");
    rb_json_begin_object(&json);
    rb_json_member_str(&json, "utf8", value);
    rb_json_end_object(&json);
    rb_json_member_i64(&json, "records_processed", 0);
    rb_json_member_i64(&json, "bytes_processed", 0);
    rb_json_member_str(&json, "resume", NULL);
    rb_json_end_object(&json);
    return rb_json_finish(&json);
}
