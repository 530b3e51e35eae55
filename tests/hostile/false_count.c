/* Says that it read more rows than it gave. */
#include "tests/hostile/hostile.h"

static uint64_t lie(void)
{
    (void)rb_host_emit_batch(plain_batch, sizeof plain_batch);
    return read_rows(1000 * PLAIN_BATCH_ROWS);
}

HOSTILE_SOURCE(return lie();)
