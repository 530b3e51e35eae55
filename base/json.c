#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

void rb_json_init(struct rb_json *json, struct rb_buf *out)
{
    *json = (struct rb_json){.out = out};
}

int rb_json_finish(struct rb_json *json)
{
    if (json->status == RB_OK && (json->depth != 0 || json->after_key)) {
        json->status = RB_EINTERNAL;
    }
    return json->status;
}

static void put(struct rb_json *json, const char *text, size_t len)
{
    if (json->status == RB_OK) {
        json->status = rb_buf_append(json->out, text, len);
    }
}

/* The comma, where one is due before the next key or item. */
static void before_item(struct rb_json *json)
{
    if (json->after_key) {
        json->after_key = false;
        return;
    }
    if (json->has_item[json->depth]) {
        put(json, ",", 1);
    }
    json->has_item[json->depth] = true;
}

static void scalar(struct rb_json *json, const char *text, size_t len)
{
    before_item(json);
    put(json, text, len);
}

static void open_level(struct rb_json *json, char bracket)
{
    before_item(json);
    put(json, &bracket, 1);
    if (json->depth + 1 >= RB_JSON_DEPTH_MAX) {
        json->status = json->status < 0 ? json->status : RB_EINTERNAL;
        return;
    }
    json->has_item[++json->depth] = false;
}

static void close_level(struct rb_json *json, char bracket)
{
    if (json->depth == 0 || json->after_key) {
        json->status = json->status < 0 ? json->status : RB_EINTERNAL;
        return;
    }
    json->depth--;
    put(json, &bracket, 1);
}

void rb_json_begin_object(struct rb_json *json)
{
    open_level(json, '{');
}

void rb_json_end_object(struct rb_json *json)
{
    close_level(json, '}');
}

void rb_json_begin_array(struct rb_json *json)
{
    open_level(json, '[');
}

void rb_json_end_array(struct rb_json *json)
{
    close_level(json, ']');
}

static void put_escaped(struct rb_json *json, unsigned char c)
{
    static const char short_forms[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (size_t i = 0; i + 1 < sizeof short_forms; i += 2) {
        if ((unsigned char)short_forms[i] == c) {
            char text[2] = {'\\', short_forms[i + 1]};
            put(json, text, 2);
            return;
        }
    }
    char text[7];
    snprintf(text, sizeof text, "\\u%04x", (unsigned)c);
    put(json, text, 6);
}

static void put_string(struct rb_json *json, const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t start = 0; /* of the bytes that are taken as they are */
    put(json, "\"", 1);
    for (size_t i = 0; i < len;) {
        size_t n = rb_utf8_length(p + i, len - i);
        bool plain = n > 0 && p[i] >= 0x20 && p[i] != '"' && p[i] != '\\';
        if (plain) {
            i += n;
            continue;
        }
        put(json, text + start, i - start);
        if (n == 0) {
            put(json, "\xef\xbf\xbd", 3);
        } else {
            put_escaped(json, p[i]);
        }
        start = ++i;
    }
    put(json, text + start, len - start);
    put(json, "\"", 1);
}

void rb_json_key(struct rb_json *json, const char *key)
{
    if (json->depth == 0 || json->after_key) {
        json->status = json->status < 0 ? json->status : RB_EINTERNAL;
        return;
    }
    before_item(json);
    put_string(json, key, strlen(key));
    put(json, ":", 1);
    json->after_key = true;
}

void rb_json_null(struct rb_json *json)
{
    scalar(json, "null", 4);
}

void rb_json_bool(struct rb_json *json, bool v)
{
    scalar(json, v ? "true" : "false", v ? 4 : 5);
}

void rb_json_i64(struct rb_json *json, int64_t v)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%" PRId64, v);
    scalar(json, text, (size_t)n);
}

void rb_json_u64(struct rb_json *json, uint64_t v)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%" PRIu64, v);
    scalar(json, text, (size_t)n);
}

void rb_json_double(struct rb_json *json, double v)
{
    if (!isfinite(v)) {
        rb_json_null(json);
        return;
    }
    char text[32];
    int n = 0;
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(text, sizeof text, "%.*g", digits, v);
        double again = strtod(text, NULL);
        if (again >= v && again <= v) {
            break;
        }
    }
    scalar(json, text, (size_t)n);
}

void rb_json_str(struct rb_json *json, const char *text)
{
    if (text == NULL) {
        rb_json_null(json);
        return;
    }
    rb_json_strn(json, text, strlen(text));
}

void rb_json_strn(struct rb_json *json, const char *text, size_t len)
{
    before_item(json);
    put_string(json, text, len);
}

void rb_json_raw(struct rb_json *json, const char *text, size_t len)
{
    if (text == NULL || len == 0) {
        rb_json_null(json);
        return;
    }
    scalar(json, text, len);
}

void rb_json_member_str(struct rb_json *json, const char *key, const char *text)
{
    rb_json_key(json, key);
    rb_json_str(json, text);
}

void rb_json_member_i64(struct rb_json *json, const char *key, int64_t v)
{
    rb_json_key(json, key);
    rb_json_i64(json, v);
}

void rb_json_member_u64(struct rb_json *json, const char *key, uint64_t v)
{
    rb_json_key(json, key);
    rb_json_u64(json, v);
}

void rb_json_member_double(struct rb_json *json, const char *key, double v)
{
    rb_json_key(json, key);
    rb_json_double(json, v);
}

void rb_json_member_bool(struct rb_json *json, const char *key, bool v)
{
    rb_json_key(json, key);
    rb_json_bool(json, v);
}

void rb_json_member_raw(struct rb_json *json, const char *key, const char *text, size_t len)
{
    rb_json_key(json, key);
    rb_json_raw(json, text, len);
}

void rb_json_error(struct rb_json *json, const struct rb_error *err)
{
    rb_json_begin_object(json);
    rb_json_member_str(json, "category", rb_error_category_name(err->category));
    rb_json_member_str(json, "scope", rb_error_scope_name(err->scope));
    rb_json_member_str(json, "code", err->code);
    rb_json_member_str(json, "message", err->message);
    rb_json_member_bool(json, "retryable", err->retryable);
    rb_json_key(json, "retry_after_ms");
    if (err->retry_after_ms > 0) {
        rb_json_i64(json, err->retry_after_ms);
    } else {
        rb_json_null(json);
    }
    rb_json_member_str(json, "backoff_class", rb_error_backoff_name(err->backoff));
    rb_json_member_bool(json, "safe_to_retry", err->safe_to_retry);
    rb_json_member_str(json, "commit_state", rb_error_commit_state_name(err->commit_state));
    rb_json_key(json, "details");
    if (err->sqlstate[0] == 0 && err->detail[0] == 0 && err->hint[0] == 0) {
        rb_json_null(json);
    } else {
        rb_json_begin_object(json);
        rb_json_member_str(json, "sqlstate", err->sqlstate[0] ? err->sqlstate : NULL);
        rb_json_member_str(json, "detail", err->detail[0] ? err->detail : NULL);
        rb_json_member_str(json, "hint", err->hint[0] ? err->hint : NULL);
        rb_json_end_object(json);
    }
    rb_json_end_object(json);
}
