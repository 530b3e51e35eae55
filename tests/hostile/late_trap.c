/* Traps after three good batches. */
#include "tests/hostile/hostile.h"

static uint64_t emit_and_trap(void)
{
    for (int i = 0; i < 3; i++) {
        (void)rb_host_emit_batch(plain_batch, sizeof plain_batch);
    }
    __builtin_trap();
}

HOSTILE_SOURCE(return emit_and_trap();)
