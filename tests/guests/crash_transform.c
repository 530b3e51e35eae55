/* A transform that lets batches pass, but at the stream "plain" calls itself until the native stack
 * is used up: nothing of it lies in the guest's own stack, so that no bound of memory stops it. */
#include "tests/guests/plain.h"

PLAIN_EXPORTS

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

EXPORT(rb_run_transform) uint64_t rb_run_transform(const char *json, uint32_t len)
{
    static const char name[] = "\"stream_name\":\"plain\"";
    return memmem(json, len, name, sizeof name - 1) == NULL ? pass_all()
                                                            : answer(recurse(0) == 7 ? "{}" : "[]");
}
