/*
 * A worker process and the conversation with it: calls and units out, results, progress and
 * requests in. One thread.
 *
 * While it waits it serves the worker's state requests and watches for signals: after the first one
 * the worker is told to cancel and has RB_SESSION_GRACE_MS to come back before it is killed and the
 * cancel packets its guests registered are sent for them. From then on a signal ends the process
 * (signals.h).
 */
#ifndef RB_HOST_ENGINE_SESSION_H
#define RB_HOST_ENGINE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "host/engine/engine.h"
#include "host/engine/ready.h"
#include "host/link/link.h"
#include "host/link/spec.h"
#include "host/state/state.h"

enum {
    RB_SESSION_GRACE_MS = 1000,
    RB_SESSION_TICK_MS = 1000, /* after which the observer may show that time passes */
    RB_SESSION_SEND_MS =
        5000, /* in which a worker takes a message: a thread of it does nothing else */
    RB_SESSION_SEND_CANCEL_MS = 100,
    RB_SESSION_PENDING_MAX = 64, /* calls and units without an answer */
};

struct rb_session_progress {
    int64_t records_read, bytes_read, records_written, bytes_written;
};

struct rb_session_options {
    const struct rb_worker_spec *spec;
    const char *self_path;
    struct rb_early_worker *early_worker; /* taken if there is one; NULL: none */
    int signal_fd;                        /* -1: none */
    void (*die)(void);                    /* rb_engine_options' */
    int64_t deadline_ms;                  /* of rb_clock_ms(); 0: none */
    bool dry;                             /* connectors' keys in the state stay as they are */
    const struct rb_observer *observer;
    void (*progress)(void *user, uint64_t id, const struct rb_session_progress *progress);
    /* What a connector does from now on in the unit or call `id`, for people. NULL: nobody listens.
     */
    void (*phase)(void *user, uint64_t id, const char *what);
    /* A destination's Checkpoint in the unit `id`, as JSON. NULL: nobody listens. */
    void (*checkpoint)(void *user, uint64_t id, const char *json, size_t len);
    void *user;
};

struct rb_session;

/* Milliseconds of a clock that never goes back. */
int64_t rb_clock_ms(void);
int64_t rb_clock_unix_us(void);

/* Starts the worker and does not wait for it; calls may be posted, and nothing else done with the
 * session, until rb_session_await_ready. */
int rb_session_launch(const struct rb_session_options *options, struct rb_session **ret_session,
                      struct rb_error *err);
/* Waits until the worker is ready. `state` serves its requests; NULL: they fail. */
int rb_session_await_ready(struct rb_session *session, struct rb_state *state,
                           struct rb_error *err);
/* Closes the guests (rb_close) and ends the worker; kills it when it doesn't within the grace.
 * Frees. *ret_peak_bytes: the worker's largest resident size. NULL is allowed for both. */
void rb_session_end(struct rb_session *session, int64_t *ret_peak_bytes);

/* Posts a CALL (`input` is JSON; NULL: {}) or a UNIT and returns its id for the functions below. */
int rb_session_post_call(struct rb_session *session, enum rb_role role, size_t index,
                         const char *export_name, const char *input, size_t len, uint64_t *ret_id,
                         struct rb_error *err);
int rb_session_post_unit(struct rb_session *session, const char *json, size_t len, uint64_t *ret_id,
                         struct rb_error *err);

/* Waits for the answer to `id`: its RESULT payload is appended to ret. RB_ECANCELLED (signal),
 * RB_ETIMEOUT (the run's deadline), RB_ECONNECTOR (the worker is gone; the message says how). */
int rb_session_await(struct rb_session *session, uint64_t id, struct rb_buf *ret,
                     struct rb_error *err);
/* Serves the link for `ms` milliseconds; fails when the worker dies or the run is stopped. */
int rb_session_wait(struct rb_session *session, int64_t ms, struct rb_error *err);
/* Waits for any posted unit, at most timeout_ms (< 0: none). 0: *ret_id and its payload; 1:
 * timeout_ms passed. Failures as above; what had come back before the failure is given out first.
 */
int rb_session_await_any(struct rb_session *session, int64_t timeout_ms, uint64_t *ret_id,
                         struct rb_buf *ret, struct rb_error *err);

/* post_call and await in one, and the payload taken apart: `data` is appended to ret_data (may be
 * NULL); a connector's error is `err`. */
int rb_session_call(struct rb_session *session, enum rb_role role, size_t index,
                    const char *export_name, const char *input, size_t len, struct rb_buf *ret_data,
                    struct rb_error *err);
/* The same for an answer that was awaited. */
int rb_session_call_result(const struct rb_buf *payload, struct rb_buf *ret_data,
                           struct rb_error *err);

/* Asked to stop, by signal or deadline. */
bool rb_session_is_stopped(const struct rb_session *session);
/* 0, or RB_ECANCELLED or RB_ETIMEOUT once it was asked to stop. */
int rb_session_check_stopped(const struct rb_session *session, struct rb_error *err);
/* The worker is gone: it crashed, was killed, or ended. */
bool rb_session_is_dead(const struct rb_session *session);
/* What the worker said at its start. */
const struct rb_ready *rb_session_ready(const struct rb_session *session);

#endif
