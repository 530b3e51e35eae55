#include "host/engine/retry.h"
#include "host/engine/run.h"

static bool may_pass(const struct rb_run *run, const struct rb_error *error)
{
    return rb_retry_may_pass(error) && !rb_session_is_stopped(run->session) &&
           !rb_session_is_dead(run->session);
}

int rb_run_again(struct rb_run *run, const char *what,
                 int (*step)(struct rb_run *run, void *user, struct rb_error *err), void *user,
                 struct rb_error *err)
{
    for (int attempt = 1;; attempt++) {
        struct rb_error failure;
        rb_error_clear(&failure);
        int status = step(run, user, &failure);
        if (status == 0) {
            return RB_OK;
        }
        if (attempt > run->pipeline->resources.max_retries || !may_pass(run, &failure)) {
            if (err != NULL) {
                *err = failure;
            }
            return status;
        }
        run->random = run->random * 1664525U + 1013904223U;
        int64_t delay_ms = rb_retry_delay_ms(&failure, attempt, run->random >> 8);
        rb_run_note(run, "%s failed (%s); trying again in %.1f s", what, failure.message,
                    (double)delay_ms / 1000.0);
        run->report->retries++;
        status = rb_session_wait(run->session, delay_ms, err);
        if (status != 0) {
            return status;
        }
    }
}
