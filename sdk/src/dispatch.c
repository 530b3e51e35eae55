#include <stdlib.h>
#include <string.h>

#include "abi/rapidbyte_abi.h"
#include "rapidbyte/connector.h"
#include "sdk/src/context.h"
#include "sdk/src/envelope.h"
#include "sdk/src/summary.h"

/* One instance of one connector: that is what a guest is. */
static struct {
    const struct rb_connector *connector; /* NULL: not open */
    void *self;
    struct rb_json_doc *config; /* what was opened with; NULL: nothing */
} instance;

static int missing(const char *what, struct rb_error *err)
{
    return rb_error_set(err, RB_EINTERNAL, "NOT_SUPPORTED", "this connector has no %s", what);
}

/* The connector may look at its configuration until it is closed. */
static int keep_config(struct rb_json_value config, struct rb_json_value *ret, struct rb_error *err)
{
    rb_json_free(instance.config);
    instance.config = NULL;
    *ret = (struct rb_json_value){.doc = NULL};
    if (rb_json_is_absent(config)) {
        return RB_OK;
    }
    int status = rb_json_copy(config, &instance.config, err);
    *ret = status == RB_OK ? rb_json_root(instance.config) : *ret;
    return status;
}

static int open_instance(const struct rb_connector *connector, struct rb_json_value json,
                         struct rb_error *err)
{
    if (instance.connector != NULL) {
        return rb_error_set(err, RB_EINTERNAL, "ALREADY_OPEN", "the connector is open already");
    }
    struct rb_json_value timeouts = rb_json_get(json, "timeouts");
    struct rb_json_value config;
    int status = keep_config(rb_json_at(json, "config", "json", NULL), &config, err);
    if (status < 0) {
        return status;
    }
    const struct rb_open_context context = {
        .config = config,
        .connector_id = rb_json_text(rb_json_get(json, "connector_id"), ""),
        .connector_version = rb_json_text(rb_json_get(json, "connector_version"), ""),
        .pipeline = rb_json_text(rb_json_get(json, "pipeline"), ""),
        .connect_timeout_ms = rb_json_int(rb_json_get(timeouts, "connect_ms"), 0),
        .statement_timeout_ms = rb_json_int(rb_json_get(timeouts, "statement_ms"), 0),
        .idle_timeout_ms = rb_json_int(rb_json_get(timeouts, "idle_ms"), 0),
        .lock_timeout_ms = rb_json_int(rb_json_get(timeouts, "lock_ms"), 0),
    };
    void *self = NULL;
    rb_sdk_envelope_set_connector(context.connector_id);
    rb_sdk_envelope_set_stream("");
    status = connector->open == NULL ? RB_OK : connector->open(&context, &self, err);
    if (status == RB_OK) {
        instance.connector = connector;
        instance.self = self;
    }
    return status;
}

static int call_open(const struct rb_connector *connector, struct rb_json_value json,
                     struct rb_json *ret, struct rb_error *err)
{
    int status = open_instance(connector, json, err);
    if (status < 0) {
        return status;
    }
    rb_json_member_str(ret, "protocol_version", RB_ABI_PROTOCOL_VERSION);
    rb_json_key(ret, "features");
    rb_json_begin_array(ret);
    for (size_t i = 0; connector->features != NULL && connector->features[i] != NULL; i++) {
        rb_json_str(ret, connector->features[i]);
    }
    rb_json_end_array(ret);
    rb_json_member_i64(ret, "default_max_batch_bytes", RB_SDK_BATCH_BYTES_DEFAULT);
    return RB_OK;
}

static int call_discover(const struct rb_connector *connector, struct rb_json_value json,
                         struct rb_json *ret, struct rb_error *err)
{
    if (connector->discover == NULL) {
        return missing("discover", err);
    }
    rb_json_key(ret, "streams");
    rb_json_begin_array(ret);
    int status = connector->discover(instance.self, json, ret, err);
    rb_json_end_array(ret);
    if (status > 0) {
        rb_json_member_bool(ret, "more", true);
    }
    return status < 0 ? status : RB_OK;
}

static int parse_stream(struct rb_json_value json, struct rb_stream_context *ret,
                        struct rb_error *err)
{
    int status = rb_sdk_context_parse(json, ret, err);
    if (status == RB_OK) {
        rb_sdk_envelope_set_stream(ret->stream_name);
    }
    return status;
}

static int call_read(const struct rb_connector *connector, struct rb_json_value json,
                     struct rb_json *ret, struct rb_error *err)
{
    struct rb_stream_context context;
    struct rb_read_summary summary = {0};
    if (connector->read == NULL) {
        return missing("read", err);
    }
    int status = parse_stream(json, &context, err);
    if (status == RB_OK) {
        status = connector->read(instance.self, &context, &summary, err);
    }
    rb_sdk_summary_read(ret, &summary);
    return status;
}

static int call_write(const struct rb_connector *connector, struct rb_json_value json,
                      struct rb_json *ret, struct rb_error *err)
{
    struct rb_stream_context context;
    struct rb_write_summary summary = {0};
    if (connector->write == NULL) {
        return missing("write", err);
    }
    int status = parse_stream(json, &context, err);
    if (status == RB_OK) {
        status = connector->write(instance.self, &context, &summary, err);
    }
    rb_sdk_summary_write(ret, &summary);
    return status;
}

static int call_transform(const struct rb_connector *connector, struct rb_json_value json,
                          struct rb_json *ret, struct rb_error *err)
{
    struct rb_stream_context context;
    struct rb_transform_summary summary = {0};
    if (connector->transform == NULL) {
        return missing("transform", err);
    }
    int status = parse_stream(json, &context, err);
    if (status == RB_OK) {
        status = connector->transform(instance.self, &context, &summary, err);
    }
    rb_sdk_summary_transform(ret, &summary);
    return status;
}

/* The contexts of a request's streams; free() them. */
static int parse_streams(struct rb_json_value json, struct rb_stream_context **ret, size_t *ret_n,
                         struct rb_error *err)
{
    struct rb_json_value streams = rb_json_get(json, "streams");
    size_t n = rb_json_count(streams);
    struct rb_stream_context *contexts = calloc(n > 0 ? n : 1, sizeof *contexts);
    if (contexts == NULL) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory for %zu streams", n);
    }
    for (size_t i = 0; i < n; i++) {
        int status = rb_sdk_context_parse(rb_json_item(streams, i), &contexts[i], err);
        if (status < 0) {
            free(contexts);
            return status;
        }
    }
    *ret = contexts;
    *ret_n = n;
    return RB_OK;
}

static int call_validate(const struct rb_connector *connector, struct rb_json_value json,
                         struct rb_json *ret, struct rb_error *err)
{
    (void)json;
    if (connector->validate == NULL) {
        rb_json_member_str(ret, "status", "success");
        rb_json_member_str(ret, "message", "");
        return RB_OK;
    }
    return connector->validate(instance.self, ret, err);
}

static int call_plan(const struct rb_connector *connector, struct rb_json_value json,
                     struct rb_json *ret, struct rb_error *err)
{
    if (connector->plan == NULL) {
        return missing("plan", err);
    }
    struct rb_stream_context *streams = NULL;
    size_t n = 0;
    int status = parse_streams(json, &streams, &n, err);
    if (status == RB_OK) {
        status = connector->plan(instance.self, rb_json_text(rb_json_get(json, "load_id"), ""),
                                 rb_json_int(rb_json_get(json, "parallelism"), 1), streams, n, json,
                                 ret, err);
        free(streams);
    }
    return status;
}

static int call_begin(const struct rb_connector *connector, struct rb_json_value json,
                      struct rb_json *ret, struct rb_error *err)
{
    if (connector->begin == NULL) {
        return missing("begin", err);
    }
    struct rb_stream_context *streams = NULL;
    size_t n = 0;
    int status = parse_streams(json, &streams, &n, err);
    if (status == RB_OK) {
        status = connector->begin(instance.self, rb_json_text(rb_json_get(json, "load_id"), ""),
                                  rb_json_text(rb_json_get(json, "pipeline"), ""), streams, n, json,
                                  ret, err);
        free(streams);
    }
    return status;
}

static int call_publish(const struct rb_connector *connector, struct rb_json_value json,
                        struct rb_json *ret, struct rb_error *err)
{
    if (connector->publish == NULL) {
        return missing("publish", err);
    }
    struct rb_json_value stream = rb_json_get(json, "stream");
    bool ends_load = rb_json_is_absent(stream);
    struct rb_stream_context context;
    struct rb_write_summary summary = {0};
    int status = ends_load ? RB_OK : parse_stream(stream, &context, err);
    if (status == RB_OK) {
        status = connector->publish(instance.self, rb_json_text(rb_json_get(json, "load_id"), ""),
                                    rb_json_text(rb_json_get(json, "pipeline"), ""),
                                    ends_load ? NULL : &context, json, &summary, err);
    }
    rb_sdk_summary_write(ret, &summary);
    return status;
}

static int call_abandon(const struct rb_connector *connector, struct rb_json_value json,
                        struct rb_json *ret, struct rb_error *err)
{
    if (connector->abandon == NULL) {
        return missing("abandon", err);
    }
    return connector->abandon(instance.self, rb_json_text(rb_json_get(json, "load_id"), ""),
                              rb_json_text(rb_json_get(json, "pipeline"), ""), json, ret, err);
}

static int call_hash(const struct rb_connector *connector, struct rb_json_value json,
                     struct rb_json *ret, struct rb_error *err)
{
    struct rb_stream_context context;
    if (connector->hash == NULL) {
        return missing("hash", err);
    }
    int status = parse_stream(rb_json_get(json, "stream"), &context, err);
    return status < 0 ? status : connector->hash(instance.self, &context, json, ret, err);
}

static int run_call(const struct rb_connector *connector, enum rb_sdk_call call,
                    struct rb_json_value json, struct rb_json *ret, struct rb_error *err)
{
    static int (*const calls[])(const struct rb_connector *, struct rb_json_value, struct rb_json *,
                                struct rb_error *) = {
        [RB_SDK_OPEN] = call_open,         [RB_SDK_VALIDATE] = call_validate,
        [RB_SDK_DISCOVER] = call_discover, [RB_SDK_READ] = call_read,
        [RB_SDK_WRITE] = call_write,       [RB_SDK_TRANSFORM] = call_transform,
        [RB_SDK_PLAN] = call_plan,         [RB_SDK_BEGIN] = call_begin,
        [RB_SDK_PUBLISH] = call_publish,   [RB_SDK_ABANDON] = call_abandon,
        [RB_SDK_HASH] = call_hash,
    };
    if (call != RB_SDK_OPEN && instance.connector != connector) {
        /* validate and discover get an OpenContext too: a host may begin with them. */
        if (instance.connector != NULL || (call != RB_SDK_VALIDATE && call != RB_SDK_DISCOVER)) {
            return rb_error_set(err, RB_EINTERNAL, "NOT_OPEN", "the connector is not open");
        }
        int status = open_instance(connector, json, err);
        if (status < 0) {
            return status;
        }
    }
    return calls[call](connector, json, ret, err);
}

static int write_error(struct rb_buf *ret, size_t start, int status, struct rb_error *err)
{
    if (err->status == RB_OK) {
        rb_error_set(err, status, "INTERNAL", "the connector failed and did not say why (%d)",
                     status);
    }
    struct rb_json json;
    ret->len = start;
    rb_json_init(&json, ret);
    rb_json_begin_object(&json);
    rb_json_member_str(&json, "status", "err");
    rb_json_key(&json, "error");
    rb_json_error(&json, err);
    rb_json_end_object(&json);
    return rb_json_finish(&json);
}

int rb_sdk_dispatch(const struct rb_connector *connector, enum rb_sdk_call call, const char *json,
                    size_t len, struct rb_buf *ret)
{
    struct rb_error err = {0};
    struct rb_json_doc *doc = NULL;
    struct rb_json out;
    size_t start = ret->len;
    int status = rb_json_parse(json, len, &doc, &err);
    if (status == RB_OK) {
        rb_json_init(&out, ret);
        rb_json_begin_object(&out);
        rb_json_member_str(&out, "status", "ok");
        rb_json_key(&out, "data");
        rb_json_begin_object(&out);
        status = run_call(connector, call, rb_json_root(doc), &out, &err);
        rb_json_end_object(&out);
        rb_json_end_object(&out);
        rb_json_free(doc);
    }
    if (status >= 0) {
        status = rb_json_finish(&out);
        if (status == RB_OK) {
            return RB_OK;
        }
        rb_error_set(&err, status, "RESULT_TOO_LARGE",
                     "there is no memory for the result as JSON, which is of %d MiB at most",
                     RB_ABI_JSON_MAX >> 20);
        rb_error_set_hint(&err, RB_JSON_MEMORY_HINT);
    }
    return write_error(ret, start, status, &err);
}

int rb_sdk_close(const struct rb_connector *connector)
{
    if (instance.connector == connector && connector != NULL) {
        instance.connector = NULL;
        if (connector->close != NULL) {
            connector->close(instance.self);
        }
        instance.self = NULL;
        rb_json_free(instance.config);
        instance.config = NULL;
    }
    return RB_OK;
}
