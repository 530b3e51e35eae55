#include "host/engine/retry.h"

#include "base/fault.h"

#include <string.h>

bool rb_retry_may_pass(const struct rb_error *error)
{
    static const char *const final_classes[] = {"22", "23", "42", "28"};
    for (size_t i = 0; i < sizeof final_classes / sizeof *final_classes; i++) {
        if (strncmp(error->sqlstate, final_classes[i], 2) == 0) {
            return false;
        }
    }
    return error->retryable;
}

bool rb_retry_allowed(const struct rb_error *error)
{
    return rb_retry_may_pass(error) && error->safe_to_retry &&
           error->commit_state != RB_COMMIT_AFTER_UNKNOWN;
}

int64_t rb_retry_delay_ms(const struct rb_error *error, int attempt, uint32_t random)
{
    static const int64_t base_ms[] = {
        [RB_BACKOFF_NORMAL] = 1000, [RB_BACKOFF_FAST] = 100, [RB_BACKOFF_SLOW] = 5000};
    int64_t delay_ms = error->retry_after_ms;
    if (delay_ms <= 0) {
        int shift = attempt > 16 ? 16 : attempt - 1;
        delay_ms = base_ms[error->backoff] << shift;
    }
    if (delay_ms > RB_RETRY_DELAY_MAX_MS) {
        delay_ms = RB_RETRY_DELAY_MAX_MS;
    }
    int64_t spread = delay_ms / 2;
    delay_ms = delay_ms - spread / 2 + (spread > 0 ? (int64_t)(random % (uint64_t)spread) : 0);
    return RB_FAULT_HASTEN(delay_ms);
}
