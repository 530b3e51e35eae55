#include "sdk/native/host_double.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "sdk/native/double_internal.h"
#include "sdk/src/imports.h"

enum { ITEM_MAX = 1 << 30, STATE_KEYS_MAX = 256 };

struct rb_double rb_double;

enum feed_end { END_NONE, END_WELL, END_ABORT, END_CANCEL };

static struct {
    struct rb_double_list feed;
    size_t fed;
    enum feed_end end;
    struct rb_buf stream_end;
    bool has_ended;
    int fail_emit_in; /* 0: never */
    char fail_emit_code[RB_ERROR_CODE_MAX];
    struct rb_buf last_error;
    struct {
        enum rb_state_scope scope;
        struct rb_buf key;
        struct rb_buf value;
    } state[STATE_KEYS_MAX];
    size_t n_state;
    enum rb_tls_mode tls_mode;
    const struct rb_double_net *net;
    void *net_self;
} script;

/* A test can't go on without memory. */
static void must(int status)
{
    if (status < 0) {
        fprintf(stderr, "host double: out of memory\n");
        abort();
    }
}

static struct rb_buf *list_add(struct rb_double_list *list)
{
    struct rb_buf *items = realloc(list->items, (list->n + 1) * sizeof *items);
    must(items == NULL ? RB_ENOMEM : RB_OK);
    list->items = items;
    struct rb_buf *item = &list->items[list->n++];
    rb_buf_init(item, ITEM_MAX);
    return item;
}

static void list_clear(struct rb_double_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        rb_buf_release(&list->items[i]);
    }
    free(list->items);
    *list = (struct rb_double_list){.items = NULL, .n = 0};
}

void rb_double_reset(void)
{
    list_clear(&rb_double.emitted);
    list_clear(&rb_double.logs);
    list_clear(&rb_double.checkpoints);
    list_clear(&rb_double.metrics);
    rb_buf_release(&rb_double.cancel_packet);
    list_clear(&script.feed);
    rb_buf_release(&script.stream_end);
    rb_buf_release(&script.last_error);
    for (size_t i = 0; i < script.n_state; i++) {
        rb_buf_release(&script.state[i].key);
        rb_buf_release(&script.state[i].value);
    }
    memset(&script, 0, sizeof script);
    memset(&rb_double, 0, sizeof rb_double);
    rb_buf_init(&rb_double.cancel_packet, RB_ABI_CANCEL_PACKET_MAX);
    rb_buf_init(&script.stream_end, ITEM_MAX);
    rb_buf_init(&script.last_error, ITEM_MAX);
}

void rb_double_feed_batch(const void *data, size_t len)
{
    must(rb_buf_append(list_add(&script.feed), data, len));
}

void rb_double_feed_end(const char *stream_end_json)
{
    script.end = END_WELL;
    rb_buf_release(&script.stream_end);
    rb_buf_init(&script.stream_end, ITEM_MAX);
    must(rb_buf_append_str(&script.stream_end, stream_end_json));
}

void rb_double_feed_abort(void)
{
    script.end = END_ABORT;
}

void rb_double_feed_cancel(void)
{
    script.end = END_CANCEL;
}

void rb_double_feed_emitted(void)
{
    for (size_t i = 0; i < rb_double.emitted.n; i++) {
        rb_double_feed_batch(rb_double.emitted.items[i].data, rb_double.emitted.items[i].len);
    }
    list_clear(&rb_double.emitted);
}

void rb_double_fail_emit(int n, const char *code)
{
    script.fail_emit_in = n;
    snprintf(script.fail_emit_code, sizeof script.fail_emit_code, "%s", code);
}

void rb_double_set_tls_mode(enum rb_tls_mode mode)
{
    script.tls_mode = mode;
}

void rb_double_set_net(const struct rb_double_net *net, void *self)
{
    script.net = net;
    script.net_self = self;
}

const struct rb_double_net *rb_double_internal_net(void **ret_self)
{
    static const struct rb_double_net none;
    *ret_self = script.net_self;
    return script.net == NULL ? &none : script.net;
}

int32_t rb_double_internal_fail(const struct rb_error *err)
{
    struct rb_json json;
    rb_buf_init(&script.last_error, ITEM_MAX);
    rb_json_init(&json, &script.last_error);
    rb_json_error(&json, err);
    must(rb_json_finish(&json));
    return -1;
}

void rb_double_internal_enter(void)
{
    rb_buf_release(&script.last_error);
}

static int32_t fail(int status, const char *code, const char *message)
{
    struct rb_error err;
    rb_error_set(&err, status, code, "%s", message);
    return rb_double_internal_fail(&err);
}

/* The answer of an import that fills a guest's buffer. */
static int32_t answer(const struct rb_buf *value, void *out, uint32_t cap)
{
    if (value->len > cap) {
        return -(int32_t)value->len;
    }
    memcpy(out, value->data, value->len);
    return (int32_t)value->len;
}

int32_t rb_host_log(int32_t level, const void *text, uint32_t len)
{
    struct rb_buf *item = list_add(&rb_double.logs);
    must(rb_buf_printf(item, "%d ", (int)level));
    must(rb_buf_append(item, text, len));
    return 0;
}

int32_t rb_host_emit_batch(const void *data, uint32_t len)
{
    rb_double_internal_enter();
    if (len == 0) {
        return fail(RB_EPROTOCOL, "EMPTY_BATCH", "an empty batch");
    }
    if (script.fail_emit_in > 1) {
        script.fail_emit_in--;
    } else if (script.fail_emit_in == 1) {
        return fail(RB_ECANCELLED, script.fail_emit_code, "emit failed as scripted");
    }
    must(rb_buf_append(list_add(&rb_double.emitted), data, len));
    return 0;
}

int32_t rb_host_next_batch(void *out, uint32_t cap)
{
    rb_double_internal_enter();
    if (script.fed < script.feed.n) {
        int32_t n = answer(&script.feed.items[script.fed], out, cap);
        script.fed += n > 0;
        return n;
    }
    switch (script.end) {
    case END_WELL:
        script.has_ended = true;
        return 0;
    case END_ABORT:
        return fail(RB_EABORTED, RB_ABI_CODE_ABORTED, "the source failed");
    case END_CANCEL:
        return fail(RB_ECANCELLED, RB_ABI_CODE_CANCELLED, "the run was cancelled");
    case END_NONE:
    default:
        return fail(RB_EINTERNAL, "NOT_SCRIPTED", "the test feeds no end");
    }
}

int32_t rb_host_last_error(void *out, uint32_t cap)
{
    int32_t n = answer(&script.last_error, out, cap);
    if (n >= 0) {
        rb_buf_release(&script.last_error);
    }
    return n;
}

int32_t rb_host_stream_end(void *out, uint32_t cap)
{
    rb_double_internal_enter();
    return script.has_ended ? answer(&script.stream_end, out, cap) : 0;
}

static size_t find_state(int32_t scope, const void *key, size_t key_len)
{
    size_t i = 0;
    while (i < script.n_state &&
           !((int32_t)script.state[i].scope == scope && script.state[i].key.len == key_len &&
             memcmp(script.state[i].key.data, key, key_len) == 0)) {
        i++;
    }
    return i;
}

const struct rb_buf *rb_double_state(enum rb_state_scope scope, const char *key)
{
    size_t i = find_state((int32_t)scope, key, strlen(key));
    return i < script.n_state ? &script.state[i].value : NULL;
}

static int32_t put_state(int32_t scope, const void *key, uint32_t key_len, const void *value,
                         size_t len)
{
    if (key_len == 0 || key_len > RB_ABI_STATE_KEY_MAX || len > RB_ABI_STATE_VALUE_MAX) {
        return fail(RB_ECONFIG, "BAD_STATE", "a state key or value out of bounds");
    }
    size_t i = find_state(scope, key, key_len);
    if (i == script.n_state) {
        if (i == STATE_KEYS_MAX) {
            return fail(RB_ENOMEM, "STATE_FULL", "too many state keys for the host double");
        }
        script.n_state++;
        script.state[i].scope = (enum rb_state_scope)scope;
        rb_buf_init(&script.state[i].key, RB_ABI_STATE_KEY_MAX);
        rb_buf_init(&script.state[i].value, RB_ABI_STATE_VALUE_MAX);
        must(rb_buf_append(&script.state[i].key, key, key_len));
    }
    rb_buf_clear(&script.state[i].value);
    must(rb_buf_append(&script.state[i].value, value, len));
    return 0;
}

void rb_double_set_state(enum rb_state_scope scope, const char *key, const void *value, size_t len)
{
    must((int)put_state((int32_t)scope, key, (uint32_t)strlen(key), value, len));
}

int32_t rb_host_state_get(int32_t scope, const void *key, uint32_t key_len, void *out, uint32_t cap)
{
    rb_double_internal_enter();
    size_t i = find_state(scope, key, key_len);
    return i == script.n_state ? 0 : answer(&script.state[i].value, out, cap);
}

int32_t rb_host_state_put(int32_t scope, const void *key, uint32_t key_len, const void *value,
                          uint32_t value_len)
{
    rb_double_internal_enter();
    return put_state(scope, key, key_len, value, value_len);
}

int32_t rb_host_state_cas(int32_t scope, const void *key, uint32_t key_len, const void *expected,
                          uint32_t expected_len, const void *value, uint32_t value_len)
{
    rb_double_internal_enter();
    size_t i = find_state(scope, key, key_len);
    bool exists = i < script.n_state;
    bool same = exists ? expected_len > 0 && script.state[i].value.len == expected_len &&
                             memcmp(script.state[i].value.data, expected, expected_len) == 0
                       : expected_len == 0;
    if (!same) {
        return 0;
    }
    int32_t status = put_state(scope, key, key_len, value, value_len);
    return status < 0 ? status : 1;
}

int32_t rb_host_checkpoint(int32_t kind, const void *json, uint32_t len)
{
    rb_double_internal_enter();
    struct rb_buf *item = list_add(&rb_double.checkpoints);
    must(rb_buf_printf(item, "%d ", (int)kind));
    must(rb_buf_append(item, json, len));
    return 0;
}

int32_t rb_host_metric(const void *json, uint32_t len)
{
    rb_double_internal_enter();
    must(rb_buf_append(list_add(&rb_double.metrics), json, len));
    return 0;
}

int32_t rb_host_net_tls_mode(void)
{
    rb_double_internal_enter();
    return (int32_t)script.tls_mode;
}

char *rb_double_call(const struct rb_connector *connector, enum rb_sdk_call call, const char *json)
{
    struct rb_buf result = RB_BUF_INIT(RB_ABI_JSON_MAX);
    must(rb_sdk_dispatch(connector, call, json, strlen(json), &result));
    return rb_buf_steal(&result);
}
