/* Lengths near 2^31 and 2^32, from offsets that are in memory: sums that overflow 32 bits. */
#include "tests/hostile/hostile.h"

static uint64_t try_all(void)
{
    static const uint32_t lengths[] = {UINT32_MAX, UINT32_MAX - 15, 0x80000000U, 0x7fffffffU,
                                       0x40000000U};
    static char text[16] = "x";
    /* Of a size that nothing else refuses, from the last bytes that there are. */
    char *last = (char *)(__builtin_wasm_memory_size(0) * 65536 - 8); // NOLINT
    if (rb_host_state_put(0, "k", 1, last, 64) != -1) {
        return verdict("bytes beyond the end of its memory");
    }
    for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        uint32_t n = lengths[i];
        (void)rb_host_log(1, text, n);
        if (rb_host_emit_batch(text, n) != -1) {
            return verdict("rb_host_emit_batch");
        }
        if (rb_host_state_get(0, text, n, text, 1) != -1 ||
            rb_host_state_put(0, text, n, text, 1) != -1 ||
            rb_host_state_put(0, text, 1, text, n) != -1) {
            return verdict("state");
        }
        if (rb_host_checkpoint(0, text, n) != -1 || rb_host_metric(text, n) != -1) {
            return verdict("checkpoint or metric");
        }
        if (rb_host_net_connect(text, n, 1, 1) != -1 || rb_host_stream_end(text, n) != -1) {
            return verdict("net_connect or stream_end");
        }
    }
    return verdict(NULL);
}

HOSTILE_SOURCE(return try_all();)
