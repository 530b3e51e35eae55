/* ConnectorResult and ConnectorError: docs/protocol.md, "JSON". */
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "host/guest/internal.h"

static void free_doc(yyjson_doc **doc)
{
    yyjson_doc_free(*doc);
}

/* "" for what is missing or no string. */
static const char *text(yyjson_val *object, const char *key, size_t *ret_len)
{
    yyjson_val *value = yyjson_obj_get(object, key);
    const char *s = yyjson_get_str(value);
    if (ret_len) {
        *ret_len = s ? yyjson_get_len(value) : 0;
    }
    return s ? s : "";
}

static int64_t whole(yyjson_val *object, const char *key)
{
    yyjson_val *value = yyjson_obj_get(object, key);
    if (yyjson_is_uint(value)) {
        return yyjson_get_uint(value) > INT64_MAX ? INT64_MAX : (int64_t)yyjson_get_uint(value);
    }
    return yyjson_is_sint(value) && yyjson_get_sint(value) > 0 ? yyjson_get_sint(value) : 0;
}

static int decode_error(yyjson_val *from, const char *where, struct rb_error *err)
{
    if (!yyjson_is_obj(from)) {
        return rb_error_set(err, RB_ECONNECTOR, "RESULT_MALFORMED",
                            "%s: status is \"err\" without an error", where);
    }
    size_t len;
    const char *word = text(from, "category", &len);
    enum rb_category category = rb_error_category_parse(word, len);
    int status = rb_error_status_of_category(category);
    const char *message = text(from, "message", NULL);
    const char *code = text(from, "code", NULL);
    rb_error_set(err, status, code[0] ? code : "CONNECTOR_ERROR", "%s",
                 message[0] ? message : "the connector gave no message");
    if (!err) {
        return status;
    }
    err->category = category;
    word = text(from, "scope", &len);
    err->scope = rb_error_scope_parse(word, len);
    word = text(from, "backoff_class", &len);
    err->backoff = rb_error_backoff_parse(word, len);
    word = text(from, "commit_state", &len);
    err->commit_state = rb_error_commit_state_parse(word, len);
    err->retryable = yyjson_is_true(yyjson_obj_get(from, "retryable"));
    err->safe_to_retry = yyjson_is_true(yyjson_obj_get(from, "safe_to_retry"));
    err->retry_after_ms = whole(from, "retry_after_ms");
    yyjson_val *details = yyjson_obj_get(from, "details");
    word = text(details, "sqlstate", &len);
    if (len == sizeof err->sqlstate - 1) {
        memcpy(err->sqlstate, word, sizeof err->sqlstate);
    }
    if (text(details, "detail", NULL)[0]) {
        rb_error_set_detail(err, "%s", text(details, "detail", NULL));
    }
    if (text(details, "hint", NULL)[0]) {
        rb_error_set_hint(err, "%s", text(details, "hint", NULL));
    }
    return status;
}

static int copy_data(yyjson_val *data, const char *where, struct rb_buf *ret_data,
                     struct rb_error *err)
{
    if (!data) {
        return rb_error_set(err, RB_ECONNECTOR, "RESULT_MALFORMED",
                            "%s: status is \"ok\" without data", where);
    }
    size_t len = 0;
    char *json = yyjson_val_write(data, 0, &len);
    int status = json ? rb_buf_append(ret_data, json, len) : RB_ENOMEM;
    free(json);
    return status == 0 ? 0 : rb_error_set(err, status, "OUT_OF_MEMORY", "%s: no room", where);
}

int rb_guest_decode_result(const char *json, size_t len, const char *where, struct rb_buf *ret_data,
                           struct rb_error *err)
{
    yyjson_read_err why;
    /* Without YYJSON_READ_INSITU the text is not written to. */
    char *text_in;
    memcpy(&text_in, &json, sizeof text_in);
    RB_CLEANUP(free_doc) yyjson_doc *doc = yyjson_read_opts(text_in, len, 0, NULL, &why);
    if (!doc) {
        return rb_error_set(err, RB_ECONNECTOR, "RESULT_MALFORMED",
                            "%s: the result is not JSON: %s at byte %zu", where, why.msg, why.pos);
    }
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *status = yyjson_obj_get(root, "status");
    if (yyjson_equals_str(status, "ok")) {
        return copy_data(yyjson_obj_get(root, "data"), where, ret_data, err);
    }
    if (yyjson_equals_str(status, "err")) {
        return decode_error(yyjson_obj_get(root, "error"), where, err);
    }
    return rb_error_set(err, RB_ECONNECTOR, "RESULT_MALFORMED",
                        "%s: the result's status is neither \"ok\" nor \"err\"", where);
}
