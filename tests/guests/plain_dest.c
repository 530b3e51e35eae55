/* A destination that knows nothing but the contract: asks for batches with a buffer of 64 KiB,
 * which it enlarges to the size that the host asks for, and reads errors into 4 KiB. */
#include <inttypes.h>
#include <stdio.h>

#include "tests/guests/plain.h"

PLAIN_EXPORTS

uint64_t rb_run_write(const char *json, uint32_t len);

static uint64_t failed(void)
{
    static char error[4096];
    static char result[sizeof error + 64];
    int32_t n = rb_host_last_error(error, sizeof error);
    snprintf(result, sizeof result, "{\"status\":\"err\",\"error\":%.*s}", n > 0 ? (int)n : 2,
             n > 0 ? error : "{}");
    return answer(result);
}

/* The number of a member in the JSON of StreamEnd; 0: it isn't there. */
static int64_t member(const char *json, const char *key)
{
    const char *at = strstr(json, key);
    return at == NULL ? 0 : strtoll(at + strlen(key), NULL, 10);
}

static uint64_t summary(int64_t n_batches, int64_t n_bytes)
{
    char end[4096];
    char result[512];
    int32_t n = rb_host_stream_end(end, sizeof end - 1);
    if (n <= 0) {
        return failed();
    }
    end[n] = 0;
    snprintf(result, sizeof result,
             "{\"status\":\"ok\",\"data\":{\"records_written\":%" PRId64
             ",\"bytes_written\":%" PRId64 ",\"batches_written\":%" PRId64
             ",\"checkpoint_count\":0,\"records_failed\":0}}",
             member(end, "\"records\":"), n_bytes, n_batches);
    rb_host_log(2, result, (uint32_t)strlen(result));
    return answer(result);
}

EXPORT(rb_run_write) uint64_t rb_run_write(const char *json, uint32_t len)
{
    (void)json, (void)len;
    uint32_t cap = 64 * 1024;
    char *batch = malloc(cap);
    int64_t n_batches = 0;
    int64_t n_bytes = 0;
    for (;;) {
        int32_t n = batch == NULL ? -1 : rb_host_next_batch(batch, cap);
        if (n > 0) {
            n_batches++;
            n_bytes += n;
        } else if (n < -1) {
            cap = (uint32_t)-n;
            batch = realloc(batch, cap);
        } else {
            free(batch);
            return n == 0 ? summary(n_batches, n_bytes) : failed();
        }
    }
}
