/* Overwrites each batch as soon as the host has taken it. */
#include "tests/hostile/hostile.h"

static uint64_t emit_all(void)
{
    static unsigned char batch[sizeof plain_batch];
    for (int i = 0; i < 200; i++) {
        memcpy(batch, plain_batch, sizeof batch);
        if (rb_host_emit_batch(batch, sizeof batch) != 0) {
            return verdict("nothing: a batch was refused");
        }
        memset(batch, 0xff, sizeof batch);
    }
    return read_rows(200 * PLAIN_BATCH_ROWS);
}

HOSTILE_SOURCE(return emit_all();)
