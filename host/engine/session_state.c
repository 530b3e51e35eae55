#include "host/engine/session_state.h"

#include <stdio.h>
#include <string.h>
#include <yyjson.h>

#include "base/json.h"
#include "host/link/spec.h"
#include "host/link/text.h"

enum {
    STATE_VALUE_MAX = 1024 * 1024 + 16, /* the contract's maximum, and base64's slack */
    OWNER_MAX = 256,
};

struct request {
    int scope;
    char owner[OWNER_MAX];
    const char *key;
    size_t key_len;
    struct rb_buf value;
    struct rb_buf expected;
    bool has_expected;
};

static void request_release(struct request *request)
{
    rb_buf_release(&request->value);
    rb_buf_release(&request->expected);
}

static void doc_free(yyjson_doc **doc)
{
    yyjson_doc_free(*doc);
}

/* Absent and null leave `ret` alone and answer false. */
static bool decode_value(yyjson_val *value, struct rb_buf *ret, int *status)
{
    if (!yyjson_is_str(value)) {
        return false;
    }
    int decoded = rb_link_base64_decode(yyjson_get_str(value), yyjson_get_len(value), ret);
    *status = *status != 0 ? *status : decoded;
    return true;
}

static int parse(yyjson_val *root, struct request *request, struct rb_error *err)
{
    const char *connector = yyjson_get_str(yyjson_obj_get(root, "connector"));
    const char *stream = yyjson_get_str(yyjson_obj_get(root, "stream"));
    yyjson_val *key = yyjson_obj_get(root, "key");
    request->scope = (int)yyjson_get_int(yyjson_obj_get(root, "scope"));
    request->key = yyjson_get_str(key);
    request->key_len = yyjson_get_len(key);
    const char *owner = request->scope == 1 ? stream : request->scope == 2 ? connector : "";
    int status = RB_OK;
    (void)decode_value(yyjson_obj_get(root, "value"), &request->value, &status);
    request->has_expected =
        decode_value(yyjson_obj_get(root, "expected"), &request->expected, &status);
    if (status != 0 || request->key == NULL || owner == NULL || request->scope < 0 ||
        request->scope > 2 || strlen(owner) >= OWNER_MAX) {
        return rb_error_set(err, RB_EPROTOCOL, "STATE_REQUEST", "malformed state request");
    }
    snprintf(request->owner, sizeof request->owner, "%s", owner);
    return RB_OK;
}

static int serve(struct rb_state *state, const char *pipeline, enum rb_link_type type,
                 const struct request *request, struct rb_json *reply, struct rb_error *err)
{
    if (state == NULL) {
        return rb_error_set(err, RB_ESTATE, "NO_STATE", "there is no state outside of a run");
    }
    if (type == RB_LINK_STATE_GET) {
        RB_CLEANUP(rb_buf_release) struct rb_buf value = RB_BUF_INIT(STATE_VALUE_MAX);
        RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(2 * STATE_VALUE_MAX);
        int got = rb_state_kv_get(state, pipeline, request->scope, request->owner, request->key,
                                  request->key_len, &value, err);
        if (got >= 0 && rb_link_base64_encode(value.data, value.len, &text) == 0) {
            rb_json_member_bool(reply, "found", got == 0);
            rb_json_member_str(reply, "value", rb_buf_str(&text));
        }
        return got < 0 ? got : RB_OK;
    }
    if (type == RB_LINK_STATE_PUT) {
        int status =
            rb_state_kv_put(state, pipeline, request->scope, request->owner, request->key,
                            request->key_len, request->value.data, request->value.len, err);
        rb_json_member_bool(reply, "set", status == 0);
        return status;
    }
    /* An expected value of no bytes is a value; NULL means: insert if absent. */
    const void *expected =
        request->has_expected ? (const void *)rb_buf_str(&request->expected) : NULL;
    int got = rb_state_kv_cas(state, pipeline, request->scope, request->owner, request->key,
                              request->key_len, expected, request->expected.len,
                              request->value.data, request->value.len, err);
    rb_json_member_bool(reply, "set", got == 0);
    return got < 0 ? got : RB_OK;
}

int rb_session_state_answer(struct rb_link *link, struct rb_state *state, const char *pipeline,
                            const struct rb_link_frame *frame, struct rb_error *err)
{
    RB_CLEANUP(doc_free) yyjson_doc *doc = yyjson_read(frame->json, frame->len, 0);
    RB_CLEANUP(request_release)
    struct request request = {
        .value = RB_BUF_INIT(STATE_VALUE_MAX),
        .expected = RB_BUF_INIT(STATE_VALUE_MAX),
    };
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(RB_LINK_PAYLOAD_MAX);
    struct rb_json json;
    struct rb_error failure;
    rb_error_clear(&failure);
    rb_json_init(&json, &text);
    rb_json_begin_object(&json);
    int status = parse(yyjson_doc_get_root(doc), &request, &failure);
    status = status != 0 ? status : serve(state, pipeline, frame->type, &request, &json, &failure);
    if (status != 0) {
        rb_json_key(&json, "error");
        rb_link_error_encode(&json, &failure);
    }
    rb_json_end_object(&json);
    status = rb_json_finish(&json);
    if (status != 0) {
        return rb_error_set(err, status, "STATE_REPLY", "answering a state request");
    }
    return rb_link_send(link, RB_LINK_STATE_REPLY, frame->id, rb_buf_str(&text), text.len, err);
}
