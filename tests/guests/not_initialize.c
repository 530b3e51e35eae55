/* A source without `_initialize` (it is linked without start files), which emits one batch. */
#include "tests/guests/plain.h"
#include "tests/guests/plain_batch.h"

static uint64_t read_all(void)
{
    if (rb_host_emit_batch(plain_batch, sizeof plain_batch) != 0) {
        return answer("{\"status\":\"err\",\"error\":{\"category\":\"internal\",\"code\":\"EMIT\","
                      "\"message\":\"emit failed\"}}");
    }
    return answer("{\"status\":\"ok\",\"data\":{\"records_read\":3,\"batches_emitted\":1}}");
}

PLAIN_SOURCE(return read_all();)
