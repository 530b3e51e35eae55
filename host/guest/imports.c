/* Module "rapidbyte" without the network: docs/protocol.md, "Host imports". */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "host/guest/internal.h"

/* An i32 argument as the signed number it is. */
static int32_t number(uint64_t arg)
{
    return (int32_t)(uint32_t)arg;
}

/* Where a text of at most `max` bytes ends without cutting a UTF-8 character. */
static size_t cut(const char *text, size_t len, size_t max)
{
    if (len <= max) {
        return len;
    }
    size_t n = max;
    while (n > max - 4 && ((unsigned char)text[n] & 0xc0) == 0x80) {
        n--;
    }
    return n;
}

static int32_t host_log(struct rb_guest *guest, const uint64_t *args)
{
    int32_t level = number(args[0]);
    const char *text = rb_guest_bytes(guest, args[1], args[2]);
    if (!text) {
        return -1;
    }
    if (level < RB_LOG_ERROR) {
        level = RB_LOG_ERROR;
    }
    if (level > RB_LOG_TRACE) {
        level = RB_LOG_TRACE;
    }
    guest->options.ops->log(guest->options.user, level, text,
                            cut(text, (size_t)args[2], RB_ABI_LOG_MAX));
    return 0;
}

enum { BATCH_LARGEST = 1024 * 1024 * 1024 }; /* that the document permits */

static int32_t emit_batch(struct rb_guest *guest, const uint64_t *args)
{
    size_t len = (size_t)args[1];
    const void *data =
        rb_guest_argument(guest, "rb_host_emit_batch", "the batch", args[0], args[1]);
    if (!data) {
        return -1;
    }
    if (len == 0) {
        return rb_guest_fail(guest, RB_EPROTOCOL, "EMPTY_BATCH",
                             "rb_host_emit_batch: a batch has at least one byte");
    }
    if (len > guest->options.batch_max_bytes) {
        rb_guest_fail(guest, RB_EDATA, "BATCH_TOO_LARGE",
                      "a batch of %zu bytes is over the maximum of %zu", len,
                      guest->options.batch_max_bytes);
        rb_error_set_hint(&guest->last_error,
                          guest->options.batch_max_bytes < BATCH_LARGEST
                              ? "raise resources.max_batch_bytes"
                              : "resources.max_batch_bytes is at its maximum: its rows are too "
                                "large for one batch");
        return -1;
    }
    struct rb_error err = {0};
    int status = guest->options.ops->emit_batch(guest->options.user, data, len, &err);
    return status < 0 ? rb_guest_fail_with(guest, status, &err) : 0;
}

static int32_t next_batch(struct rb_guest *guest, const uint64_t *args)
{
    static const char name[] = "rb_host_next_batch";
    if (!rb_guest_argument(guest, name, "the output buffer", args[0], args[1])) {
        return -1;
    }
    struct rb_error err = {0};
    size_t len = 0;
    int status = guest->options.ops->peek_batch(guest->options.user, &len, &err);
    if (status < 0) {
        return rb_guest_fail_with(guest, status, &err);
    }
    if (status > 0) {
        return 0;
    }
    if (len == 0 || len > INT32_MAX) {
        return rb_guest_fail(guest, RB_EINTERNAL, "BATCH_TOO_LARGE", "%s: a batch of %zu bytes",
                             name, len);
    }
    if (len > args[1]) {
        return len < 2 ? -2 : -(int32_t)len;
    }
    void *out = rb_guest_argument(guest, name, "the output buffer", args[0], len);
    if (!out) {
        return -1;
    }
    status = guest->options.ops->take_batch(guest->options.user, out, len, &err);
    return status < 0 ? rb_guest_fail_with(guest, status, &err) : (int32_t)len;
}

static int32_t last_error(struct rb_guest *guest, const uint64_t *args)
{
    if (guest->last_error.status == 0) {
        return 0;
    }
    if (!rb_guest_bytes(guest, args[0], args[1])) {
        return -1;
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(RB_ABI_JSON_MAX);
    struct rb_json json;
    rb_json_init(&json, &text);
    rb_json_error(&json, &guest->last_error);
    if (rb_json_finish(&json) != 0) {
        return -1;
    }
    int32_t n = rb_guest_answer(guest, "rb_host_last_error", args[0], args[1], text.data, text.len);
    if (n > 0) {
        rb_error_clear(&guest->last_error);
    }
    return n;
}

static bool is_utf8(const uint8_t *s, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint8_t c = s[i];
        size_t more = c < 0x80                ? 0
                      : c >= 0xc2 && c < 0xe0 ? 1
                      : c >= 0xe0 && c < 0xf0 ? 2
                      : c >= 0xf0 && c < 0xf5 ? 3
                                              : 4;
        if (more == 4 || more > len - i - 1) {
            return false;
        }
        uint32_t code = more == 0 ? c : (uint32_t)(c & (0x3f >> more));
        for (size_t k = 1; k <= more; k++) {
            if ((s[i + k] & 0xc0) != 0x80) {
                return false;
            }
            code = code << 6 | (s[i + k] & 0x3f);
        }
        if ((more == 2 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) ||
            (more == 3 && (code < 0x10000 || code > 0x10ffff))) {
            return false;
        }
        i += more + 1;
    }
    return true;
}

/* Scope and key of a state import: 0, or -1 with the last error set. */
static int32_t state_key(struct rb_guest *guest, const char *import, const uint64_t *args,
                         const char **ret_key)
{
    int32_t scope = number(args[0]);
    if (scope < RB_STATE_PIPELINE || scope > RB_STATE_CONNECTOR) {
        return rb_guest_fail(guest, RB_EPROTOCOL, "BAD_SCOPE", "%s: there is no state scope %d",
                             import, scope);
    }
    if (args[2] > RB_ABI_STATE_KEY_MAX) {
        return rb_guest_fail(guest, RB_EPROTOCOL, "BAD_KEY",
                             "%s: a key of %u bytes is over the maximum of %d", import,
                             (unsigned)args[2], RB_ABI_STATE_KEY_MAX);
    }
    const void *key = rb_guest_argument(guest, import, "the key", args[1], args[2]);
    if (!key) {
        return -1;
    }
    if (!is_utf8(key, (size_t)args[2])) {
        return rb_guest_fail(guest, RB_EPROTOCOL, "BAD_KEY", "%s: the key is not UTF-8", import);
    }
    *ret_key = key;
    return 0;
}

static const void *state_value(struct rb_guest *guest, const char *import, const char *what,
                               uint64_t offset, uint64_t len)
{
    if (len > RB_ABI_STATE_VALUE_MAX) {
        rb_guest_fail(guest, RB_EPROTOCOL, "VALUE_TOO_LARGE",
                      "%s: %s of %u bytes is over the maximum of %d", import, what, (unsigned)len,
                      RB_ABI_STATE_VALUE_MAX);
        return NULL;
    }
    return rb_guest_argument(guest, import, what, offset, len);
}

static int32_t state_get(struct rb_guest *guest, const uint64_t *args)
{
    static const char name[] = "rb_host_state_get";
    const char *key = NULL;
    if (state_key(guest, name, args, &key) != 0 ||
        !rb_guest_argument(guest, name, "the output buffer", args[3], args[4])) {
        return -1;
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf value = RB_BUF_INIT(RB_ABI_STATE_VALUE_MAX);
    struct rb_error err = {0};
    int status = guest->options.ops->state_get(guest->options.user, number(args[0]), key,
                                               (size_t)args[2], &value, &err);
    if (status < 0) {
        return rb_guest_fail_with(guest, status, &err);
    }
    if (status > 0) {
        return 0;
    }
    return rb_guest_answer(guest, name, args[3], args[4], value.data, value.len);
}

static int32_t state_put(struct rb_guest *guest, const uint64_t *args)
{
    static const char name[] = "rb_host_state_put";
    const char *key = NULL;
    if (state_key(guest, name, args, &key) != 0) {
        return -1;
    }
    const void *value = state_value(guest, name, "the value", args[3], args[4]);
    if (!value) {
        return -1;
    }
    struct rb_error err = {0};
    int status = guest->options.ops->state_put(guest->options.user, number(args[0]), key,
                                               (size_t)args[2], value, (size_t)args[4], &err);
    return status < 0 ? rb_guest_fail_with(guest, status, &err) : 0;
}

static int32_t state_cas(struct rb_guest *guest, const uint64_t *args)
{
    static const char name[] = "rb_host_state_cas";
    const char *key = NULL;
    if (state_key(guest, name, args, &key) != 0) {
        return -1;
    }
    const void *expected = state_value(guest, name, "the expected value", args[3], args[4]);
    const void *value = expected ? state_value(guest, name, "the value", args[5], args[6]) : NULL;
    if (!value) {
        return -1;
    }
    if (args[3] == 0 && args[4] == 0) {
        expected = NULL;
    }
    struct rb_error err = {0};
    int status =
        guest->options.ops->state_cas(guest->options.user, number(args[0]), key, (size_t)args[2],
                                      expected, (size_t)args[4], value, (size_t)args[6], &err);
    if (status < 0) {
        return rb_guest_fail_with(guest, status, &err);
    }
    return status == 0 ? 1 : 0;
}

/* A JSON argument; NULL with the last error set. */
static const char *json_argument(struct rb_guest *guest, const char *import, uint64_t offset,
                                 uint64_t len)
{
    if (len == 0 || len > RB_ABI_JSON_MAX) {
        rb_guest_fail(guest, RB_EPROTOCOL, "BAD_JSON", "%s: JSON of %u bytes, not 1 to %d", import,
                      (unsigned)len, RB_ABI_JSON_MAX);
        return NULL;
    }
    return rb_guest_argument(guest, import, "the JSON", offset, len);
}

static int32_t checkpoint(struct rb_guest *guest, const uint64_t *args)
{
    static const char name[] = "rb_host_checkpoint";
    int32_t kind = number(args[0]);
    if (kind < RB_CHECKPOINT_SOURCE || kind > RB_CHECKPOINT_TRANSFORM) {
        return rb_guest_fail(guest, RB_EPROTOCOL, "BAD_KIND", "%s: there is no kind %d", name,
                             kind);
    }
    const char *json = json_argument(guest, name, args[1], args[2]);
    if (!json) {
        return -1;
    }
    struct rb_error err = {0};
    int status =
        guest->options.ops->checkpoint(guest->options.user, kind, json, (size_t)args[2], &err);
    return status < 0 ? rb_guest_fail_with(guest, status, &err) : 0;
}

static int32_t metric(struct rb_guest *guest, const uint64_t *args)
{
    const char *json = json_argument(guest, "rb_host_metric", args[0], args[1]);
    if (!json) {
        return -1;
    }
    struct rb_error err = {0};
    int status = guest->options.ops->metric(guest->options.user, json, (size_t)args[1], &err);
    return status < 0 ? rb_guest_fail_with(guest, status, &err) : 0;
}

static int32_t stream_end(struct rb_guest *guest, const uint64_t *args)
{
    static const char name[] = "rb_host_stream_end";
    if (!rb_guest_argument(guest, name, "the output buffer", args[0], args[1])) {
        return -1;
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf json = RB_BUF_INIT(RB_ABI_JSON_MAX);
    struct rb_error err = {0};
    int status = guest->options.ops->stream_end(guest->options.user, &json, &err);
    if (status < 0) {
        return rb_guest_fail_with(guest, status, &err);
    }
    if (status > 0) {
        return 0;
    }
    return rb_guest_answer(guest, name, args[0], args[1], json.data, json.len);
}

const struct rb_guest_import rb_guest_core_imports[] = {
    {"rb_host_log", "iii", true, true, host_log},
    {"rb_host_emit_batch", "ii", true, false, emit_batch},
    {"rb_host_next_batch", "ii", true, false, next_batch},
    {"rb_host_last_error", "ii", true, true, last_error},
    {"rb_host_state_get", "iiiii", true, false, state_get},
    {"rb_host_state_put", "iiiii", true, false, state_put},
    {"rb_host_state_cas", "iiiiiii", true, false, state_cas},
    {"rb_host_checkpoint", "iii", true, false, checkpoint},
    {"rb_host_metric", "ii", true, false, metric},
    {"rb_host_stream_end", "ii", true, false, stream_end},
    {0},
};
