/* When something is tried again. */
#ifndef RB_HOST_ENGINE_RETRY_H
#define RB_HOST_ENGINE_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum { RB_RETRY_DELAY_MAX_MS = 60 * 1000 };

/* Retryable and safe: SQLSTATE classes 22, 23, 42 and 28 are final whatever the connector says, and
 * so is a commit whose outcome is not known. */
bool rb_retry_allowed(const struct rb_error *error);

/* The same for what changes nothing by being done again (begin, plan, publish): retryable is
 * enough. */
bool rb_retry_may_pass(const struct rb_error *error);

/* Milliseconds to wait before attempt `attempt` + 1 (attempt counts from 1): retry_after_ms, else
 * {fast 100 ms, normal 1 s, slow 5 s} × 2^(attempt − 1), at most RB_RETRY_DELAY_MAX_MS, ± 25 % by
 * `random`. */
int64_t rb_retry_delay_ms(const struct rb_error *error, int attempt, uint32_t random);

#endif
