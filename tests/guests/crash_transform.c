/* A transform that lets batches pass, but at the stream "plain" calls itself until the native stack
 * is used up: nothing of it lies in the guest's own stack, so that no bound of memory stops it.
 * "again" does so, too, and from then on so does rb_open. "later" fails at first, in a way that may
 * be repeated. */
#include "tests/guests/plain.h"

PLAIN_EXPORTS_BUT_OPEN

IMPORT(rb_host_state_get)(int32_t scope, const void *key, uint32_t key_len, void *out,
                          uint32_t cap);
IMPORT(rb_host_state_put)(int32_t scope, const void *key, uint32_t key_len, const void *val,
                          uint32_t val_len);

uint64_t rb_run_transform(const char *json, uint32_t len);

static volatile uint32_t sink;

__attribute__((noinline)) static uint32_t recurse(uint32_t n) /* NOLINT(misc-no-recursion) */
{
    sink = n;
    return sink == UINT32_MAX ? 0 : recurse(n + 1) + sink;
}

static uint64_t pass_all(void)
{
    uint32_t cap = 1 << 20;
    char *batch = malloc(cap);
    for (;;) {
        int32_t n = batch == NULL ? -1 : rb_host_next_batch(batch, cap);
        if (n == 0) {
            return answer("{\"status\":\"ok\",\"data\":{\"records_in\":2,\"records_out\":2}}");
        }
        if (n < 0 || rb_host_emit_batch(batch, (uint32_t)n) != 0) {
            return answer("{\"status\":\"err\",\"error\":{\"category\":\"internal\","
                          "\"code\":\"PASS\",\"message\":\"could not pass a batch on\"}}");
        }
    }
}

static const char key[] = "crashed";

EXPORT(rb_open) uint64_t rb_open(const char *json, uint32_t len)
{
    char value[8];
    (void)json, (void)len;
    int32_t n = rb_host_state_get(0, key, sizeof key - 1, value, sizeof value);
    return answer(n > 0 && recurse(0) == 7 ? "{}" : OPEN_INFO);
}

static int has(const char *json, uint32_t len, const char *text)
{
    return memmem(json, len, text, strlen(text)) != NULL;
}

EXPORT(rb_run_transform) uint64_t rb_run_transform(const char *json, uint32_t len)
{
    if (has(json, len, "\"stream_name\":\"again\"")) {
        rb_host_state_put(0, key, sizeof key - 1, "yes", 3);
        return answer(recurse(0) == 7 ? "{}" : "[]");
    }
    if (has(json, len, "\"stream_name\":\"plain\"")) {
        return answer(recurse(0) == 7 ? "{}" : "[]");
    }
    if (has(json, len, "\"stream_name\":\"later\"") && has(json, len, "\"attempt\":1,")) {
        return answer(
            "{\"status\":\"err\",\"error\":{\"category\":\"internal\",\"code\":\"LATER\","
            "\"message\":\"not \\u001b[7m yet\",\"retryable\":true,\"safe_to_retry\":true}}");
    }
    return pass_all();
}
