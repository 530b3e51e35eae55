/*
 * A source, a transform and a destination in one module, which do what numbers in their
 * StreamContext tell them. It knows nothing of Arrow: the batch to send stands in the context, in
 * hexadecimal.
 *
 *   source       emit n batches of `rows` rows; fail_at n, trap_at n: instead of batch n;
 *                records n: says so in place of emit * rows; checkpoint 1: one before each batch;
 *                part n: ends a part before batch n; go_on 1: reports success whatever happened;
 *                spin_at n: never comes to batch n; cut n: leaves the last n bytes of batches out
 *   destination  fail_at n, trap_at n: instead of taking batch n; stop_at n: reports success there;
 *                already 1: reports already_loaded at once; stall 1: asks for a state that the test
 *                never answers, before batch 1; go_on 1
 *   all          log n: n messages of level info and n of level debug
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HOST(name)                                                                                 \
    __attribute__((import_module("rapidbyte"), import_name(#name))) extern int32_t name
#define EXPORT(name) __attribute__((export_name(#name)))

HOST(rb_host_log)(int32_t level, const void *text, int32_t len);
HOST(rb_host_emit_batch)(const void *data, int32_t len);
HOST(rb_host_next_batch)(void *out, int32_t cap);
HOST(rb_host_last_error)(void *out, int32_t cap);
HOST(rb_host_state_get)(int32_t scope, const void *key, int32_t key_len, void *out, int32_t cap);
HOST(rb_host_state_put)(int32_t scope, const void *key, int32_t key_len, const void *val,
                        int32_t val_len);
HOST(rb_host_state_cas)(int32_t scope, const void *key, int32_t key_len, const void *expected,
                        int32_t expected_len, const void *val, int32_t val_len);
HOST(rb_host_checkpoint)(int32_t kind, const void *json, int32_t len);
HOST(rb_host_metric)(const void *json, int32_t len);
HOST(rb_host_stream_end)(void *out, int32_t cap);

EXPORT(rb_allocate) void *rb_allocate(int32_t size);
EXPORT(rb_deallocate) void rb_deallocate(void *ptr, int32_t capacity);
EXPORT(rb_open) int64_t rb_open(const char *in, int32_t len);
EXPORT(rb_validate) int64_t rb_validate(const char *in, int32_t len);
EXPORT(rb_discover) int64_t rb_discover(const char *in, int32_t len);
EXPORT(rb_plan) int64_t rb_plan(const char *in, int32_t len);
EXPORT(rb_run_read) int64_t rb_run_read(const char *in, int32_t len);
EXPORT(rb_run_transform) int64_t rb_run_transform(const char *in, int32_t len);
EXPORT(rb_run_write) int64_t rb_run_write(const char *in, int32_t len);
EXPORT(rb_close) int32_t rb_close(void);

static const char failed[] = "{\"status\":\"err\",\"error\":{\"category\":\"data\",\"scope\":"
                             "\"record\",\"code\":\"TOLD_TO\",\"message\":\"told to fail\"}}";

void *rb_allocate(int32_t size)
{
    return malloc((size_t)size);
}

void rb_deallocate(void *ptr, int32_t capacity)
{
    (void)capacity;
    free(ptr);
}

struct text {
    char *data;
    size_t len;
};

static void add(struct text *t, const void *data, size_t len)
{
    t->data = realloc(t->data, t->len + len + 1);
    memcpy(t->data + t->len, data, len);
    t->len += len;
    t->data[t->len] = 0;
}

static void add_str(struct text *t, const char *text)
{
    add(t, text, strlen(text));
}

static void add_number(struct text *t, long n)
{
    char digits[24];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    add(t, digits + at, sizeof digits - at);
}

static int64_t give(const struct text *t)
{
    return (int64_t)((uint64_t)(uintptr_t)t->data << 32 | t->len);
}

static int64_t give_str(const char *text)
{
    struct text t = {0};
    add_str(&t, text);
    return give(&t);
}

/* The input ends in 0 so that it can be searched. */
static char *copy(const char *in, int32_t len)
{
    struct text t = {0};
    add(&t, in, (size_t)len);
    return t.data;
}

static const char *find(const char *in, const char *key)
{
    struct text quoted = {0};
    add_str(&quoted, "\"");
    add_str(&quoted, key);
    add_str(&quoted, "\":");
    const char *at = strstr(in, quoted.data);
    at = at == NULL ? NULL : at + quoted.len;
    free(quoted.data);
    return at;
}

static long number(const char *in, const char *key)
{
    const char *at = find(in, key);
    return at == NULL ? 0 : strtol(at, NULL, 10);
}

static void log_some(const char *in)
{
    for (long i = number(in, "log"); i > 0; i--) {
        rb_host_log(2, "info", 4);
        rb_host_log(3, "debug", 5);
    }
}

/* The last error as it was given, as this export's own. */
static int64_t give_last_error(void)
{
    char error[4096];
    int32_t n = rb_host_last_error(error, sizeof error);
    struct text t = {0};
    add_str(&t, "{\"status\":\"err\",\"error\":");
    add(&t, error, n > 0 ? (size_t)n : 0);
    add_str(&t, "}");
    return give(&t);
}

static struct text batch_of(const char *in)
{
    struct text t = {0};
    const char *at = find(in, "batch");
    for (at = at == NULL ? "" : at + 1; *at != 0 && *at != '"'; at += 2) {
        char pair[3] = {at[0], at[1], 0};
        char byte = (char)strtol(pair, NULL, 16);
        add(&t, &byte, 1);
    }
    return t;
}

int64_t rb_open(const char *in, int32_t len)
{
    char *text = copy(in, len);
    if (number(text, "trap_open") != 0) {
        __builtin_trap();
    }
    if (number(text, "fail_open") != 0) {
        return give_str(failed);
    }
    rb_host_log(3, in, len);
    free(text);
    return give_str("{\"status\":\"ok\",\"data\":{\"protocol_version\":\"1\",\"features\":[]}}");
}

int32_t rb_close(void)
{
    rb_host_log(2, "closed", 6);
    return 0;
}

int64_t rb_plan(const char *in, int32_t len)
{
    (void)in;
    (void)len;
    return give_str("{\"status\":\"ok\",\"data\":{\"snapshot\":\"s\",\"streams\":[]}}");
}

int64_t rb_discover(const char *in, int32_t len)
{
    char *text = copy(in, len);
    if (number(text, "trap") != 0) {
        __builtin_trap();
    }
    free(text);
    return give_str(failed);
}

/* Every state import once; each result in turn. */
int64_t rb_validate(const char *in, int32_t len)
{
    (void)in;
    (void)len;
    char out[64];
    int32_t results[] = {
        rb_host_state_get(0, "k", 1, out, sizeof out),
        rb_host_state_put(0, "k", 1, "a\0b", 3),
        rb_host_state_get(0, "k", 1, out, sizeof out),
        rb_host_state_cas(0, "k", 1, "x", 1, "y", 1),
        rb_host_state_cas(0, "k", 1, "a\0b", 3, "y", 1),
        rb_host_state_cas(0, "k", 1, NULL, 0, "z", 1),
        rb_host_state_cas(2, "new", 3, NULL, 0, "z", 1),
        rb_host_metric("{\"name\":\"m\"}", 12),
        rb_host_metric("{", 1),
    };
    struct text t = {0};
    add_str(&t, "{\"status\":\"ok\",\"data\":{\"results\":[");
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        add_str(&t, i == 0 ? "" : ",");
        add_str(&t, results[i] < 0 ? "-" : "");
        add_number(&t, results[i] < 0 ? -results[i] : results[i]);
    }
    add_str(&t, "]}}");
    return give(&t);
}

static int emit_all(const char *in, const struct text *batch)
{
    for (long i = 1; i <= number(in, "emit"); i++) {
        if (i == number(in, "trap_at")) {
            __builtin_trap();
        }
        if (i == number(in, "fail_at")) {
            return 1;
        }
        while (i == number(in, "spin_at")) {
        }
        if (number(in, "checkpoint") != 0) {
            struct text c = {0};
            add_str(&c, "{\"id\":\"c");
            add_number(&c, i);
            add_str(&c, "\",\"kind\":\"source\"}");
            rb_host_checkpoint(0, c.data, (int32_t)c.len);
            free(c.data);
        }
        if (i == number(in, "part")) {
            static const char ends[] = "{\"kind\":\"source\",\"ends_part\":true}";
            if (rb_host_checkpoint(0, ends, sizeof ends - 1) != 0) {
                return 2;
            }
        }
        if (rb_host_emit_batch(batch->data, (int32_t)batch->len) != 0 && number(in, "go_on") == 0) {
            return 2;
        }
    }
    return 0;
}

int64_t rb_run_read(const char *in, int32_t len)
{
    char *text = copy(in, len);
    struct text batch = batch_of(text);
    batch.len -= (size_t)number(text, "cut");
    log_some(text);
    int r = emit_all(text, &batch);
    if (r != 0) {
        return r == 1 ? give_str(failed) : give_last_error();
    }
    struct text t = {0};
    add_str(&t, "{\"status\":\"ok\",\"data\":{\"records_read\":");
    add_number(&t, find(text, "records") != NULL ? number(text, "records")
                                                 : number(text, "emit") * number(text, "rows"));
    add_str(&t, ",\"checksum\":\"00000000000000ff\"}}");
    free(text);
    free(batch.data);
    return give(&t);
}

/* 1 and the batch; 0 at the end; -1. */
static int next_batch(struct text *batch)
{
    for (;;) {
        int32_t n = rb_host_next_batch(batch->data, (int32_t)batch->len);
        if (n < -1) {
            free(batch->data);
            *batch = (struct text){.data = malloc((size_t)-n), .len = (size_t)-n};
            continue;
        }
        return n > 0 ? 1 : n;
    }
}

int64_t rb_run_transform(const char *in, int32_t len)
{
    char *text = copy(in, len);
    struct text batch = {0};
    long n = 0;
    int r;
    while ((r = next_batch(&batch)) == 1) {
        if (rb_host_emit_batch(batch.data, (int32_t)batch.len) != 0) {
            return give_last_error();
        }
        n += number(text, "rows");
    }
    if (r < 0) {
        return give_last_error();
    }
    struct text t = {0};
    add_str(&t, "{\"status\":\"ok\",\"data\":{\"records_out\":");
    add_number(&t, n);
    add_str(&t, "}}");
    free(text);
    free(batch.data);
    return give(&t);
}

static int64_t write_summary(const char *in, long n_batches, long n_wrong)
{
    char end[4096];
    int32_t end_len = rb_host_stream_end(end, sizeof end);
    struct text t = {0};
    add_str(&t, "{\"status\":\"ok\",\"data\":{\"records_written\":");
    add_number(&t, n_batches * number(in, "rows"));
    add_str(&t, ",\"records_failed\":0,\"wrong\":");
    add_number(&t, n_wrong);
    add_str(&t, ",\"end\":");
    add(&t, end_len > 0 ? end : "null", end_len > 0 ? (size_t)end_len : 4);
    add_str(&t, number(in, "already") != 0 ? ",\"already_loaded\":true}}" : "}}");
    return give(&t);
}

int64_t rb_run_write(const char *in, int32_t len)
{
    char *text = copy(in, len);
    struct text expected = batch_of(text);
    struct text batch = {0};
    long n = 0;
    long n_wrong = 0;
    log_some(text);
    if (number(text, "stall") != 0) {
        char out[1];
        rb_host_state_get(1, "never answered", 14, out, 1);
    }
    for (int r = 0; number(text, "already") == 0; n++) {
        if (n + 1 == number(text, "trap_at")) {
            __builtin_trap();
        }
        if (n + 1 == number(text, "fail_at")) {
            return give_str(failed);
        }
        if (n + 1 == number(text, "stop_at")) {
            break;
        }
        r = next_batch(&batch);
        if (r < 0 && number(text, "go_on") == 0) {
            return give_last_error();
        }
        if (r <= 0) {
            break;
        }
        n_wrong += batch.len != expected.len || memcmp(batch.data, expected.data, batch.len) != 0;
    }
    int64_t given = write_summary(text, n, n_wrong);
    free(text);
    free(batch.data);
    free(expected.data);
    return given;
}
