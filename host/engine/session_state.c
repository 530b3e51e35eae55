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
    const char *connector;
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
    request->connector = connector;
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

static int over_quota(const char *what, uint64_t max, struct rb_error *err)
{
    rb_error_set(err, RB_EPERM, "STATE_LIMIT", "the pipeline's state would have more than %llu %s",
                 (unsigned long long)max, what);
    rb_error_set_hint(err, "resources.max_state_%s, or limits.max_state_%s of the manifest", what,
                      what);
    return RB_EPERM;
}

/* What the state would come to with the request: *ret_usage. A connector that nobody knows gets the
 * first quota. */
static int check_quota(struct rb_session_store *store, const struct request *request,
                       struct rb_state_usage *ret_usage, struct rb_error *err)
{
    int64_t old = 0;
    int status =
        store->has_usage ? 0 : rb_state_kv_usage(store->state, store->pipeline, &store->usage, err);
    store->has_usage = status == 0;
    status = status != 0
                 ? status
                 : rb_state_kv_size(store->state, store->pipeline, request->scope, request->owner,
                                    request->key, request->key_len, &old, err);
    if (status != 0 || store->n_quotas == 0) {
        return status;
    }
    size_t i = 0;
    while (i < store->n_quotas && (request->connector == NULL ||
                                   strcmp(store->quotas[i].connector, request->connector) != 0)) {
        i++;
    }
    i = i < store->n_quotas ? i : 0;
    uint64_t max_keys = store->quotas[i].keys, max_bytes = store->quotas[i].bytes;
    struct rb_state_usage after = store->usage;
    after.keys += old == 0 ? 1 : 0;
    after.bytes += (int64_t)(request->key_len + request->value.len) - old;
    if (old == 0 && max_keys != 0 && (uint64_t)after.keys > max_keys) {
        return over_quota("keys", max_keys, err);
    }
    if (after.bytes > store->usage.bytes && max_bytes != 0 && (uint64_t)after.bytes > max_bytes) {
        return over_quota("bytes", max_bytes, err);
    }
    *ret_usage = after;
    return 0;
}

static int get(const struct rb_session_store *store, const struct request *request,
               struct rb_json *reply, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf value = RB_BUF_INIT(STATE_VALUE_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(2 * STATE_VALUE_MAX);
    int got = rb_state_kv_get(store->state, store->pipeline, request->scope, request->owner,
                              request->key, request->key_len, &value, err);
    if (got >= 0 && rb_link_base64_encode(value.data, value.len, &text) == 0) {
        rb_json_member_bool(reply, "found", got == 0);
        rb_json_member_str(reply, "value", rb_buf_str(&text));
    }
    return got < 0 ? got : RB_OK;
}

static int serve(struct rb_session_store *store, enum rb_link_type type,
                 const struct request *request, struct rb_json *reply, struct rb_error *err)
{
    if (store->state == NULL) {
        return rb_error_set(err, RB_ESTATE, "NO_STATE", "there is no state outside of a run");
    }
    if (type == RB_LINK_STATE_GET) {
        return get(store, request, reply, err);
    }
    if (store->dry) {
        rb_json_member_bool(reply, "set", true);
        return RB_OK;
    }
    struct rb_state_usage after = {0};
    int got = check_quota(store, request, &after, err);
    if (got == 0 && type == RB_LINK_STATE_PUT) {
        got = rb_state_kv_put(store->state, store->pipeline, request->scope, request->owner,
                              request->key, request->key_len, request->value.data,
                              request->value.len, err);
    } else if (got == 0) {
        /* An expected value of no bytes is a value; NULL means: insert if absent. */
        const void *expected =
            request->has_expected ? (const void *)rb_buf_str(&request->expected) : NULL;
        got = rb_state_kv_cas(store->state, store->pipeline, request->scope, request->owner,
                              request->key, request->key_len, expected, request->expected.len,
                              request->value.data, request->value.len, err);
    }
    if (got == 0) {
        store->usage = after;
    }
    rb_json_member_bool(reply, "set", got == 0);
    return got < 0 ? got : RB_OK;
}

int rb_session_state_answer(struct rb_link *link, struct rb_session_store *store,
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
    status = status != 0 ? status : serve(store, frame->type, &request, &json, &failure);
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
