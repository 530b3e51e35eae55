/* A source that hands every import memory that it does not have: each must answer -1, and say
 * BAD_POINTER. Reads nothing; its result is ok, or an error that names the first import that did
 * otherwise. */
#include <stdio.h>

#include "tests/guests/plain.h"

IMPORT(rb_host_state_get)(int32_t scope, const void *key, uint32_t key_len, void *out,
                          uint32_t cap);
IMPORT(rb_host_state_put)(int32_t scope, const void *key, uint32_t key_len, const void *value,
                          uint32_t value_len);
IMPORT(rb_host_state_cas)(int32_t scope, const void *key, uint32_t key_len, const void *expected,
                          uint32_t expected_len, const void *value, uint32_t value_len);
IMPORT(rb_host_checkpoint)(int32_t kind, const void *json, uint32_t len);
IMPORT(rb_host_metric)(const void *json, uint32_t len);
IMPORT(rb_host_net_connect)(const void *host, uint32_t host_len, int32_t port, int32_t timeout_ms);

/* Begins inside the last page that there can be, and ends beyond it. */
static void *far_away(void)
{
    return (void *)(uintptr_t)0xfffffff0; // NOLINT
}

enum { SIZE = 64 };

static int32_t call(int which)
{
    void *p = far_away();
    switch (which) {
    case 0:
        return rb_host_emit_batch(p, SIZE);
    case 1:
        return rb_host_next_batch(p, SIZE);
    case 2:
        return rb_host_state_get(0, p, SIZE, p, SIZE);
    case 3:
        return rb_host_state_put(0, "k", 1, p, SIZE);
    case 4:
        return rb_host_state_cas(0, "k", 1, NULL, 0, p, SIZE);
    case 5:
        return rb_host_checkpoint(0, p, SIZE);
    case 6:
        return rb_host_metric(p, SIZE);
    case 7:
        return rb_host_net_connect(p, SIZE, 5432, 0);
    default:
        return rb_host_stream_end(p, SIZE);
    }
}

static uint64_t call_all(void)
{
    static const char *const names[] = {
        "rb_host_emit_batch", "rb_host_next_batch",  "rb_host_state_get",
        "rb_host_state_put",  "rb_host_state_cas",   "rb_host_checkpoint",
        "rb_host_metric",     "rb_host_net_connect", "rb_host_stream_end",
    };
    static char error[4097];
    char result[256];
    for (int i = 0; i < (int)(sizeof names / sizeof names[0]); i++) {
        int32_t n = call(i);
        int32_t len = rb_host_last_error(error, sizeof error - 1);
        error[len > 0 ? len : 0] = 0;
        if (n != -1 || strstr(error, "\"BAD_POINTER\"") == NULL) {
            snprintf(
                result, sizeof result,
                "{\"status\":\"err\",\"error\":{\"category\":\"internal\",\"scope\":\"stream\","
                "\"code\":\"NOT_REFUSED\",\"message\":\"%s: %d\",\"retryable\":false}}",
                names[i], (int)n);
            return answer(result);
        }
    }
    if (rb_host_log(2, far_away(), SIZE) != -1 || rb_host_last_error(far_away(), SIZE) > 0) {
        return answer(
            "{\"status\":\"err\",\"error\":{\"category\":\"internal\",\"scope\":\"stream\","
            "\"code\":\"NOT_REFUSED\",\"message\":\"rb_host_log\",\"retryable\":false}}");
    }
    return answer("{\"status\":\"ok\",\"data\":{\"records_read\":0,\"batches_emitted\":0}}");
}

PLAIN_SOURCE(return call_all();)
