/* The imports that end in the supervisor: log, state, checkpoint, metric. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "base/json.h"
#include "host/link/text.h"
#include "host/worker/stage.h"

enum {
    LOG_LEVEL_WARN = 1, /* the contract's number */
    LOG_FRAME_MAX = 512 * 1024,
    STATE_FRAME_MAX = 4 * 1024 * 1024,
    STATE_REPLY_MAX = 2 * 1024 * 1024,
};

static void free_doc(yyjson_doc **doc)
{
    yyjson_doc_free(*doc);
}

/* "connector" and "stream" of every message; a call has no stream. */
static void write_place(struct rb_json *json, const struct rb_stage *stage)
{
    rb_json_member_str(json, "connector", stage->spec->id);
    rb_json_member_str(json, "stream",
                       stage->stream_name.len > 0 ? rb_buf_str(&stage->stream_name) : NULL);
}

static void send_log(struct rb_stage *stage, int level, const char *text, size_t len)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(LOG_FRAME_MAX);
    struct rb_json json;
    rb_json_init(&json, &out);
    rb_json_begin_object(&json);
    rb_json_member_i64(&json, "level", level);
    write_place(&json, stage);
    rb_json_key(&json, "text");
    rb_json_strn(&json, text, len);
    rb_json_end_object(&json);
    if (rb_json_finish(&json) == 0) {
        (void)rb_link_send(stage->context->link, RB_LINK_LOG, stage->unit, rb_buf_str(&out),
                           out.len, NULL);
    }
}

static void say_full(struct rb_stage *stage, const char *what, uint64_t max)
{
    char text[128];
    int n = snprintf(text, sizeof text, "more than %llu %s of log messages; the rest is dropped",
                     (unsigned long long)max, what);
    stage->log_full = true;
    send_log(stage, LOG_LEVEL_WARN, text, (size_t)n);
}

void rb_stage_log(void *user, int level, const char *text, size_t len)
{
    struct rb_stage *stage = user;
    const struct rb_spec_limits *limits = &stage->spec->limits;
    if (level > stage->context->spec->log_level || stage->log_full) {
        return;
    }
    stage->log_lines++;
    stage->log_bytes += len;
    if (limits->log_lines != 0 && stage->log_lines > limits->log_lines) {
        say_full(stage, "lines", limits->log_lines);
    } else if (limits->log_bytes != 0 && stage->log_bytes > limits->log_bytes) {
        say_full(stage, "bytes", limits->log_bytes);
    } else {
        send_log(stage, level, text, len);
    }
}

static int write_base64(struct rb_json *json, const char *key, const void *data, size_t len)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(STATE_FRAME_MAX);
    int r = rb_link_base64_encode(data, len, &text);
    rb_json_key(json, key);
    rb_json_strn(json, rb_buf_str(&text), text.len);
    return r;
}

struct state_request {
    enum rb_link_type type;
    int scope;
    const char *key;
    size_t key_len;
    bool has_expected;
    const void *expected;
    size_t expected_len;
    const void *value;
    size_t value_len;
};

static int encode_request(const struct rb_stage *stage, const struct state_request *request,
                          struct rb_buf *out)
{
    struct rb_json json;
    int r = 0;
    rb_json_init(&json, out);
    rb_json_begin_object(&json);
    rb_json_member_i64(&json, "scope", request->scope);
    write_place(&json, stage);
    rb_json_key(&json, "key");
    rb_json_strn(&json, request->key, request->key_len);
    if (request->type == RB_LINK_STATE_CAS) {
        if (request->has_expected) {
            r = write_base64(&json, "expected", request->expected, request->expected_len);
        } else {
            rb_json_member_str(&json, "expected", NULL);
        }
    }
    if (request->type != RB_LINK_STATE_GET && r == 0) {
        r = write_base64(&json, "value", request->value, request->value_len);
    }
    rb_json_end_object(&json);
    return r != 0 ? r : rb_json_finish(&json);
}

static int malformed_reply(struct rb_error *err)
{
    return rb_error_set(err, RB_EPROTOCOL, "STATE_REPLY", "malformed answer to a state request");
}

/* The supervisor's error, when the reply is one. */
static int reply_error(yyjson_val *root, struct rb_error *err)
{
    yyjson_val *failed = yyjson_obj_get(root, "error");
    if (!yyjson_is_obj(failed)) {
        return yyjson_is_obj(root) ? 0 : malformed_reply(err);
    }
    size_t len = 0;
    char *text = yyjson_val_write(failed, 0, &len);
    struct rb_error e;
    int r = text == NULL ? RB_ENOMEM : rb_link_error_decode(text, len, &e);
    free(text);
    if (r != 0) {
        return malformed_reply(err);
    }
    if (err != NULL) {
        *err = e;
    }
    return e.status;
}

/* 0 and the reply, which the caller frees; or a failure. */
static int ask(struct rb_stage *stage, const struct state_request *request, yyjson_doc **ret_doc,
               struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(STATE_FRAME_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf reply = RB_BUF_INIT(STATE_REPLY_MAX);
    int r = encode_request(stage, request, &text);
    if (r != 0) {
        return rb_error_set(err, r, "STATE_REQUEST", "a state request is too large");
    }
    r = rb_requests_call(&stage->context->requests, stage->context->link, request->type,
                         rb_buf_str(&text), text.len, &reply, err);
    if (r != 0) {
        return r;
    }
    yyjson_doc *doc = yyjson_read(rb_buf_str(&reply), reply.len, 0);
    r = reply_error(yyjson_doc_get_root(doc), err);
    if (r != 0) {
        yyjson_doc_free(doc);
        return r;
    }
    *ret_doc = doc;
    return 0;
}

int rb_stage_state_get(void *user, int scope, const char *key, size_t key_len, struct rb_buf *ret,
                       struct rb_error *err)
{
    const struct state_request request = {
        .type = RB_LINK_STATE_GET, .scope = scope, .key = key, .key_len = key_len};
    RB_CLEANUP(free_doc) yyjson_doc *doc = NULL;
    int r = ask(user, &request, &doc, err);
    if (r != 0) {
        return r;
    }
    yyjson_val *found = yyjson_obj_get(yyjson_doc_get_root(doc), "found");
    yyjson_val *value = yyjson_obj_get(yyjson_doc_get_root(doc), "value");
    if (yyjson_is_false(found)) {
        return 1;
    }
    if (!yyjson_is_true(found) || !yyjson_is_str(value) ||
        rb_link_base64_decode(yyjson_get_str(value), yyjson_get_len(value), ret) != 0) {
        return malformed_reply(err);
    }
    return 0;
}

int rb_stage_state_put(void *user, int scope, const char *key, size_t key_len, const void *val,
                       size_t val_len, struct rb_error *err)
{
    const struct state_request request = {.type = RB_LINK_STATE_PUT,
                                          .scope = scope,
                                          .key = key,
                                          .key_len = key_len,
                                          .value = val,
                                          .value_len = val_len};
    RB_CLEANUP(free_doc) yyjson_doc *doc = NULL;
    return ask(user, &request, &doc, err);
}

int rb_stage_state_cas(void *user, int scope, const char *key, size_t key_len, const void *expected,
                       size_t expected_len, const void *val, size_t val_len, struct rb_error *err)
{
    const struct state_request request = {.type = RB_LINK_STATE_CAS,
                                          .scope = scope,
                                          .key = key,
                                          .key_len = key_len,
                                          .has_expected = expected != NULL,
                                          .expected = expected,
                                          .expected_len = expected_len,
                                          .value = val,
                                          .value_len = val_len};
    RB_CLEANUP(free_doc) yyjson_doc *doc = NULL;
    int r = ask(user, &request, &doc, err);
    if (r != 0) {
        return r;
    }
    yyjson_val *set = yyjson_obj_get(yyjson_doc_get_root(doc), "set");
    if (!yyjson_is_bool(set)) {
        return malformed_reply(err);
    }
    return yyjson_is_true(set) ? 0 : 1;
}

/* That it is one JSON object, so that it can stand in another message as it is. */
static int read_object(const char *json, size_t len, const char *what, yyjson_doc **ret,
                       struct rb_error *err)
{
    *ret = yyjson_read(json, len, 0);
    if (!yyjson_is_obj(yyjson_doc_get_root(*ret))) {
        return rb_error_set(err, RB_EPROTOCOL, "NOT_JSON", "%s: this is not a JSON object", what);
    }
    return 0;
}

static int send_object(struct rb_stage *stage, enum rb_link_type type, const char *kind,
                       const char *key, const char *json_text, size_t len, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(RB_LINK_PAYLOAD_MAX);
    struct rb_json json;
    rb_json_init(&json, &out);
    rb_json_begin_object(&json);
    if (kind != NULL) {
        rb_json_member_str(&json, "kind", kind);
    }
    write_place(&json, stage);
    rb_json_member_raw(&json, key, json_text, len);
    rb_json_end_object(&json);
    int r = rb_json_finish(&json);
    if (r != 0) {
        return rb_error_set(err, r, "MESSAGE_TOO_LARGE", "a %s of %zu bytes is too large", key,
                            len);
    }
    return rb_link_send(stage->context->link, type, stage->unit, rb_buf_str(&out), out.len, err);
}

int rb_stage_checkpoint(void *user, int kind, const char *json, size_t len, struct rb_error *err)
{
    static const char *const kinds[] = {"source", "destination", "transform"};
    struct rb_stage *stage = user;
    if (kind < 0 || kind > 2) {
        return rb_error_set(err, RB_EPROTOCOL, "CHECKPOINT_KIND",
                            "rb_host_checkpoint: there is no kind %d", kind);
    }
    RB_CLEANUP(free_doc) yyjson_doc *doc = NULL;
    int r = read_object(json, len, "rb_host_checkpoint", &doc, err);
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (r == 0 && kind == 0) {
        rb_buf_clear(&stage->checkpoint);
        r = rb_buf_append(&stage->checkpoint, json, len);
        if (r != 0) {
            rb_error_set(err, r, "OUT_OF_MEMORY", "no memory for a checkpoint");
        }
    }
    if (r == 0 && kind == 0 && yyjson_is_true(yyjson_obj_get(root, "ends_part"))) {
        r = rb_stage_send_part(stage, yyjson_get_str(yyjson_obj_get(root, "checksum")), json, len,
                               err);
    }
    return r != 0
               ? r
               : send_object(stage, RB_LINK_CHECKPOINT, kinds[kind], "checkpoint", json, len, err);
}

/* A metric without a name counts as one whose name is empty. */
static int count_metric(struct rb_stage *stage, yyjson_val *root, struct rb_error *err)
{
    yyjson_val *name = yyjson_obj_get(root, "name");
    uint64_t max = stage->spec->limits.metric_names;
    const char *text = yyjson_get_str(name);
    int r = rb_names_add(&stage->metrics, text != NULL ? text : "", yyjson_get_len(name), max, err);
    if (r <= 0) {
        return r;
    }
    rb_error_set(err, RB_ECONNECTOR, "METRIC_LIMIT",
                 "a call of a connector may have %llu names of metrics", (unsigned long long)max);
    rb_error_set_hint(err,
                      "resources.max_metric_names, or limits.max_metric_names of its manifest");
    return RB_ECONNECTOR;
}

int rb_stage_metric(void *user, const char *json, size_t len, struct rb_error *err)
{
    struct rb_stage *stage = user;
    RB_CLEANUP(free_doc) yyjson_doc *doc = NULL;
    int r = read_object(json, len, "rb_host_metric", &doc, err);
    r = r != 0 ? r : count_metric(stage, yyjson_doc_get_root(doc), err);
    return r != 0 ? r : send_object(stage, RB_LINK_METRIC, NULL, "metric", json, len, err);
}
