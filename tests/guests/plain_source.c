/* A source that knows nothing but the contract: emits a batch of three rows, a thousand times. */
#include <stdio.h>

#include "tests/guests/plain.h"
#include "tests/guests/plain_batch.h"

enum { N_BATCHES = 1000 };

static uint64_t failed(void)
{
    /* The host's error is handed on as it is. */
    static char error[4096];
    static char result[sizeof error + 64];
    int32_t n = rb_host_last_error(error, sizeof error);
    snprintf(result, sizeof result, "{\"status\":\"err\",\"error\":%.*s}", n > 0 ? (int)n : 2,
             n > 0 ? error : "{}");
    return answer(result);
}

static uint64_t read_all(void)
{
    for (int i = 0; i < N_BATCHES; i++) {
        if (rb_host_emit_batch(plain_batch, sizeof plain_batch) != 0) {
            return failed();
        }
    }
    char result[256];
    snprintf(result, sizeof result,
             "{\"status\":\"ok\",\"data\":{\"records_read\":%d,\"bytes_read\":%d,"
             "\"batches_emitted\":%d,\"checkpoint_count\":0,\"records_skipped\":0}}",
             N_BATCHES * PLAIN_BATCH_ROWS, N_BATCHES * (int)sizeof plain_batch, N_BATCHES);
    return answer(result);
}

PLAIN_SOURCE(return read_all();)
