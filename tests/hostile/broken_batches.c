/* Batches that are cut anywhere, and such whose lengths and offsets are large. */
#include "tests/hostile/hostile.h"

static uint64_t try_all(void)
{
    static unsigned char batch[sizeof plain_batch];
    for (uint32_t len = 0; len < sizeof plain_batch - 8; len++) { /* the end mark is 8 bytes */
        if (rb_host_emit_batch(plain_batch, len) != -1) {
            return verdict("a batch that was cut");
        }
    }
    unsigned refused = 0;
    for (uint32_t at = 0; at + 4 <= sizeof plain_batch; at += 4) {
        memcpy(batch, plain_batch, sizeof batch);
        memset(batch + at, 0x7f, 4);
        refused += rb_host_emit_batch(batch, sizeof batch) == -1 ? 1 : 0;
    }
    return verdict(refused > 50 ? NULL : "batches with lengths of 2^31");
}

HOSTILE_SOURCE(return try_all();)
