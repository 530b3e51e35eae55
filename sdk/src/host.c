#include "rapidbyte/host.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "sdk/src/envelope.h"
#include "sdk/src/imports.h"

enum { FIRST_TRY = 4096, MESSAGE_MAX = 64 * 1024 };

void rb_log(enum rb_log_level level, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n < 0) {
        return;
    }
    if ((size_t)n < sizeof text) {
        rb_host_log((int32_t)level, text, (uint32_t)n);
        return;
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf longer = RB_BUF_INIT(RB_ABI_LOG_MAX);
    va_start(args, fmt);
    int status = rb_buf_vprintf(&longer, fmt, args);
    va_end(args);
    if (status < 0) {
        /* Too long, or no memory: what fitted is better than nothing. */
        rb_host_log((int32_t)level, text, sizeof text - 1);
        return;
    }
    rb_host_log((int32_t)level, longer.data, (uint32_t)longer.len);
}

/* Ends the envelope's object and hands it to the import's result. */
static int finish(struct rb_json *json, struct rb_error *err)
{
    rb_json_end_object(json);
    int status = rb_json_finish(json);
    if (status < 0) {
        return rb_error_set(err, status, "OUT_OF_MEMORY", "out of memory for a message");
    }
    return RB_OK;
}

int rb_stream_end(struct rb_json_doc **ret_doc, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(RB_ABI_JSON_MAX);
    size_t need = FIRST_TRY;
    for (;;) {
        if (rb_buf_reserve(&text, need) < 0) {
            return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory for %zu bytes",
                                need);
        }
        int32_t n = rb_host_stream_end(text.data, (uint32_t)need);
        if (n > 0) {
            return rb_json_parse((const char *)text.data, (size_t)n, ret_doc, err);
        }
        if (n == 0) {
            return rb_error_set(err, RB_EINTERNAL, "NOT_ENDED", "the stream has not ended yet");
        }
        if (n == -1 || (size_t)-(int64_t)n <= need) {
            return rb_sdk_import_error("rb_host_stream_end", err);
        }
        need = (size_t)-(int64_t)n;
    }
}

int rb_state_get(enum rb_state_scope scope, const char *key, struct rb_buf *ret,
                 struct rb_error *err)
{
    size_t need = 256;
    for (;;) {
        if (rb_buf_reserve(ret, need) < 0) {
            return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no room for the state of '%s'",
                                key);
        }
        int32_t n = rb_host_state_get((int32_t)scope, key, (uint32_t)strlen(key),
                                      ret->data + ret->len, (uint32_t)need);
        if (n >= 0) {
            ret->len += (size_t)n;
            ret->data[ret->len] = 0;
            return n == 0 ? 1 : 0;
        }
        if (n == -1 || (size_t)-(int64_t)n <= need) {
            return rb_sdk_import_error("rb_host_state_get", err);
        }
        need = (size_t)-(int64_t)n;
    }
}

int rb_state_put(enum rb_state_scope scope, const char *key, const void *value, size_t len,
                 struct rb_error *err)
{
    if (rb_host_state_put((int32_t)scope, key, (uint32_t)strlen(key), value, (uint32_t)len) < 0) {
        return rb_sdk_import_error("rb_host_state_put", err);
    }
    return RB_OK;
}

int rb_state_cas(enum rb_state_scope scope, const char *key, const void *expected,
                 size_t expected_len, const void *value, size_t len, struct rb_error *err)
{
    int32_t n =
        rb_host_state_cas((int32_t)scope, key, (uint32_t)strlen(key), expected,
                          expected == NULL ? 0 : (uint32_t)expected_len, value, (uint32_t)len);
    if (n < 0) {
        return rb_sdk_import_error("rb_host_state_cas", err);
    }
    return n == 1 ? 0 : 1;
}

int rb_checkpoint(enum rb_checkpoint_kind kind, const struct rb_checkpoint *checkpoint,
                  struct rb_error *err)
{
    static const char *const kinds[] = {"source", "destination", "transform"};
    static uint64_t last_id;
    const char *cursor = checkpoint->cursor_value_json;
    const char *resume = checkpoint->resume_json;
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(RB_ABI_JSON_MAX);
    struct rb_json json;
    rb_json_init(&json, &text);
    rb_json_begin_object(&json);
    rb_sdk_envelope_write(&json);
    rb_json_member_u64(&json, "id", ++last_id);
    rb_json_member_str(&json, "kind", kinds[kind]);
    rb_json_member_str(&json, "stream", checkpoint->stream);
    rb_json_member_str(&json, "cursor_field", checkpoint->cursor_field);
    rb_json_key(&json, "cursor_value");
    if (cursor == NULL) {
        rb_json_str(&json, "null");
    } else {
        rb_json_raw(&json, cursor, strlen(cursor));
    }
    if (checkpoint->cursor_type != NULL) {
        rb_json_member_str(&json, "cursor_type", checkpoint->cursor_type);
    }
    if (checkpoint->cursor_text != NULL) {
        rb_json_member_str(&json, "cursor_text", checkpoint->cursor_text);
    }
    rb_json_member_i64(&json, "records_processed", checkpoint->records_processed);
    rb_json_member_i64(&json, "bytes_processed", checkpoint->bytes_processed);
    rb_json_member_raw(&json, "resume", resume, resume == NULL ? 0 : strlen(resume));
    if (checkpoint->ends_part) {
        char sum[17];
        snprintf(sum, sizeof sum, "%016" PRIx64, checkpoint->checksum);
        rb_json_member_bool(&json, "ends_part", true);
        rb_json_member_str(&json, "checksum", checkpoint->has_checksum ? sum : NULL);
    }
    if (checkpoint->parts > 0) {
        rb_json_member_i64(&json, "parts", checkpoint->parts);
    }
    int status = finish(&json, err);
    if (status == RB_OK && rb_host_checkpoint((int32_t)kind, text.data, (uint32_t)text.len) < 0) {
        status = rb_sdk_import_error("rb_host_checkpoint", err);
    }
    return status;
}

static void begin_metric(struct rb_json *json, struct rb_buf *text, const char *name)
{
    rb_json_init(json, text);
    rb_json_begin_object(json);
    rb_sdk_envelope_write(json);
    rb_json_member_str(json, "name", name);
    rb_json_key(json, "value");
    rb_json_begin_object(json);
}

static int end_metric(struct rb_json *json, struct rb_error *err)
{
    rb_json_end_object(json);
    rb_json_key(json, "labels");
    rb_json_begin_array(json);
    rb_json_end_array(json);
    int status = finish(json, err);
    if (status == RB_OK && rb_host_metric(json->out->data, (uint32_t)json->out->len) < 0) {
        status = rb_sdk_import_error("rb_host_metric", err);
    }
    return status;
}

int rb_metric_counter(const char *name, int64_t value, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(MESSAGE_MAX);
    struct rb_json json;
    begin_metric(&json, &text, name);
    rb_json_member_i64(&json, "counter", value);
    return end_metric(&json, err);
}

int rb_metric_gauge(const char *name, double value, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(MESSAGE_MAX);
    struct rb_json json;
    begin_metric(&json, &text, name);
    rb_json_member_double(&json, "gauge", value);
    return end_metric(&json, err);
}

void rb_phase(const char *label)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(MESSAGE_MAX);
    struct rb_json json;
    begin_metric(&json, &text, "phase");
    rb_json_member_i64(&json, "gauge", 1);
    rb_json_end_object(&json);
    rb_json_key(&json, "labels");
    rb_json_begin_array(&json);
    rb_json_begin_array(&json);
    rb_json_str(&json, "phase");
    rb_json_str(&json, label);
    rb_json_end_array(&json);
    rb_json_end_array(&json);
    /* Nothing depends on it. */
    if (finish(&json, NULL) == RB_OK && rb_host_metric(text.data, (uint32_t)text.len) < 0) {
        (void)rb_sdk_import_error("rb_host_metric", NULL);
    }
}

double rb_clock_secs(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) {
        return 0;
    }
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
