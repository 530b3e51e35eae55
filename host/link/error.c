#include <string.h>
#include <yyjson.h>

#include "host/link/spec.h"

void rb_link_error_encode(struct rb_json *json, const struct rb_error *err)
{
    rb_json_begin_object(json);
    rb_json_member_i64(json, "status", err->status);
    rb_json_member_str(json, "category", rb_error_category_name(err->category));
    rb_json_member_str(json, "scope", rb_error_scope_name(err->scope));
    rb_json_member_str(json, "code", err->code);
    rb_json_member_str(json, "message", err->message);
    rb_json_member_bool(json, "retryable", err->retryable);
    rb_json_member_i64(json, "retry_after_ms", err->retry_after_ms);
    rb_json_member_str(json, "backoff_class", rb_error_backoff_name(err->backoff));
    rb_json_member_bool(json, "safe_to_retry", err->safe_to_retry);
    rb_json_member_str(json, "commit_state", rb_error_commit_state_name(err->commit_state));
    rb_json_key(json, "details");
    rb_json_begin_object(json);
    rb_json_member_str(json, "sqlstate", err->sqlstate);
    rb_json_member_str(json, "detail", err->detail);
    rb_json_member_str(json, "hint", err->hint);
    rb_json_end_object(json);
    rb_json_end_object(json);
}

/* The member's text, "" when there is none. */
static const char *text_of(yyjson_val *object, const char *key, size_t *ret_len)
{
    yyjson_val *v = yyjson_obj_get(object, key);
    *ret_len = yyjson_get_len(v);
    return yyjson_is_str(v) ? yyjson_get_str(v) : "";
}

/* Cut at a whole UTF-8 character. */
static void copy_text(yyjson_val *object, const char *key, char *out, size_t cap)
{
    size_t len;
    const char *text = text_of(object, key, &len);
    len = strnlen(text, cap);
    if (len >= cap) {
        len = cap - 1;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80) {
            len--;
        }
    }
    memcpy(out, text, len);
    out[len] = 0;
}

static int status_of(yyjson_val *root, enum rb_category category)
{
    int64_t status = yyjson_get_sint(yyjson_obj_get(root, "status"));
    return status <= RB_EINTERNAL && status >= RB_EIO ? (int)status
                                                      : rb_error_status_of_category(category);
}

int rb_link_error_decode(const char *json, size_t len, struct rb_error *ret)
{
    yyjson_doc *doc = yyjson_read(json, len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (!yyjson_is_obj(root)) {
        yyjson_doc_free(doc);
        return RB_EPROTOCOL;
    }
    struct rb_error e = {0};
    size_t n;
    const char *text = text_of(root, "category", &n);
    e.category = rb_error_category_parse(text, n);
    text = text_of(root, "scope", &n);
    e.scope = rb_error_scope_parse(text, n);
    text = text_of(root, "backoff_class", &n);
    e.backoff = rb_error_backoff_parse(text, n);
    text = text_of(root, "commit_state", &n);
    e.commit_state = rb_error_commit_state_parse(text, n);
    e.status = status_of(root, e.category);
    e.retryable = yyjson_get_bool(yyjson_obj_get(root, "retryable"));
    e.safe_to_retry = yyjson_get_bool(yyjson_obj_get(root, "safe_to_retry"));
    int64_t after_ms = yyjson_get_sint(yyjson_obj_get(root, "retry_after_ms"));
    e.retry_after_ms = after_ms > 0 ? after_ms : 0;
    copy_text(root, "code", e.code, sizeof e.code);
    copy_text(root, "message", e.message, sizeof e.message);
    yyjson_val *details = yyjson_obj_get(root, "details");
    copy_text(details, "sqlstate", e.sqlstate, sizeof e.sqlstate);
    copy_text(details, "detail", e.detail, sizeof e.detail);
    copy_text(details, "hint", e.hint, sizeof e.hint);
    yyjson_doc_free(doc);
    *ret = e;
    return 0;
}
