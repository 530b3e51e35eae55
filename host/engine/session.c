#include "host/engine/session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <yyjson.h>

#include "base/json.h"
#include "host/engine/cancel.h"
#include "host/engine/process.h"
#include "host/engine/ready.h"
#include "host/engine/session_state.h"
#include "host/engine/signals.h"
#include "host/engine/view.h"
#include "host/link/board.h"

enum { FRAMES_AT_ONCE = 64, OVERRUN_MAX = 256 };

struct pending {
    uint64_t id; /* 0: free */
    bool is_unit;
    bool done;
    struct rb_buf payload;
};

struct rb_session {
    pid_t pid;
    struct rb_link link;
    bool link_open;
    bool is_dead;
    bool is_ready;
    struct rb_ready ready;
    bool stop_sent;
    int stop_status;     /* RB_ECANCELLED or RB_ETIMEOUT once asked to stop */
    int64_t kill_at_ms;  /* once asked to stop */
    int64_t deadline_ms; /* of the run; 0: none */
    int signal_fd;
    void (*die)(void);
    uint64_t last_id;
    struct pending pending[RB_SESSION_PENDING_MAX];
    struct rb_cancel_registry cancels;
    struct rb_net_allow *allow; /* of all connectors */
    struct rb_session_store store;
    struct rb_board *board;
    const char *connectors[RB_UNIT_STAGES_MAX]; /* their names, by their place in the spec */
    size_t n_connectors;
    char overrun[OVERRUN_MAX]; /* the limit of time that ended the worker; "": none */
    const struct rb_observer *observer;
    void (*progress)(void *user, uint64_t id, const struct rb_session_progress *progress);
    void (*phase)(void *user, uint64_t id, const char *what);
    void (*checkpoint)(void *user, uint64_t id, const char *json, size_t len);
    void *user;
    int64_t peak_bytes;
    struct rb_error death; /* once is_dead */
};

static struct pending *find_pending(struct rb_session *session, uint64_t id)
{
    for (size_t i = 0; i < RB_SESSION_PENDING_MAX; i++) {
        if (session->pending[i].id == id) {
            return &session->pending[i];
        }
    }
    return NULL;
}

static void free_pending(struct pending *pending)
{
    rb_buf_release(&pending->payload);
    memset(pending, 0, sizeof *pending);
}

/* Whose code ran when the worker died: "connector 'a'", "connector 'a' or 'b'", or just "connector"
 * when it was none's. */
static void write_suspects(const struct rb_session *session, char *out, size_t cap)
{
    size_t len = (size_t)snprintf(out, cap, "connector");
    size_t n = 0;
    for (size_t i = 0; i < session->n_connectors && len < cap; i++) {
        if (atomic_load(&session->board->running[i]) != 0) {
            len += (size_t)snprintf(out + len, cap - len, "%s'%s'", n++ > 0 ? " or " : " ",
                                    session->connectors[i]);
        }
    }
}

static void describe_death(struct rb_session *session, int status)
{
    if (session->overrun[0] != 0) {
        rb_error_set(&session->death, RB_ECONNECTOR, "TIME_LIMIT", "%s", session->overrun);
        rb_error_set_hint(&session->death,
                          "raise the limit in resources, if its manifest has none that is smaller");
        return;
    }
    char how[128], who[256];
    rb_process_describe(status, how, sizeof how);
    write_suspects(session, who, sizeof who);
    rb_error_set(&session->death, RB_ECONNECTOR, "WORKER_CRASHED", "%s crashed: its process %s",
                 who, how);
    rb_error_set_hint(
        &session->death,
        "nothing half-done is visible; run again, and look at the connector's log with "
        "--log-level debug if it happens again");
}

static void bury(struct rb_session *session, bool by_us)
{
    if (session->is_dead) {
        return;
    }
    int status = 0;
    int64_t peak = 0;
    /* A closed link is nearly always an exit; one that lingers is not to be trusted. */
    if (by_us || rb_process_wait(session->pid, 200, &status, &peak) != 0) {
        rb_process_kill(session->pid, &status, &peak);
    }
    session->peak_bytes = peak;
    session->is_dead = true;
    describe_death(session, status);
    rb_cancel_send(&session->cancels);
}

static void on_log(struct rb_session *session, const struct rb_link_frame *frame)
{
    const struct rb_observer *observer = session->observer;
    if (observer == NULL || observer->log == NULL) {
        return;
    }
    yyjson_doc *doc = yyjson_read(frame->json, frame->len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    const char *text = yyjson_get_str(yyjson_obj_get(root, "text"));
    observer->log(observer->user, (int)yyjson_get_int(yyjson_obj_get(root, "level")),
                  yyjson_get_str(yyjson_obj_get(root, "connector")),
                  yyjson_get_str(yyjson_obj_get(root, "stream")), text != NULL ? text : "");
    yyjson_doc_free(doc);
}

/* Said by a worker about to end. Names are looked up, so that nothing of it is shown unseen. */
static void on_limit(struct rb_session *session, const struct rb_link_frame *frame)
{
    RB_CLEANUP(rb_view_free) yyjson_doc *doc = yyjson_read(frame->json, frame->len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    const char *name = rb_view_str(root, "connector");
    bool cpu = yyjson_equals_str(yyjson_obj_get(root, "limit"), "max_cpu");
    size_t i = 0;
    while (i < session->n_connectors &&
           (name == NULL || strcmp(session->connectors[i], name) != 0)) {
        i++;
    }
    double secs = (double)yyjson_get_uint(yyjson_obj_get(root, "ms")) / 1000.0;
    const char *export_name = rb_view_str(root, "export");
    snprintf(session->overrun, sizeof session->overrun,
             "connector '%s' took more than %.3g s%s in %.32s (%s)",
             i < session->n_connectors ? session->connectors[i] : "?", secs, cpu ? " of CPU" : "",
             export_name != NULL && strncmp(export_name, "rb_", 3) == 0 ? export_name : "a call",
             cpu ? "max_cpu" : "max_call");
}

static void on_progress(struct rb_session *session, const struct rb_link_frame *frame)
{
    if (session->progress == NULL) {
        return;
    }
    yyjson_doc *doc = yyjson_read(frame->json, frame->len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *read = yyjson_obj_get(root, "read");
    yyjson_val *written = yyjson_obj_get(root, "written");
    struct rb_session_progress progress = {
        .records_read = rb_view_count(read, "records"),
        .bytes_read = rb_view_count(read, "bytes"),
        .records_written = rb_view_count(written, "records"),
        .bytes_written = rb_view_count(written, "bytes"),
    };
    yyjson_doc_free(doc);
    session->progress(session->user, frame->id, &progress);
}

/* Of metrics progress shows one, `phase` (docs/protocol.md). */
static void on_metric(struct rb_session *session, const struct rb_link_frame *frame)
{
    if (session->phase == NULL) {
        return;
    }
    RB_CLEANUP(rb_view_free) yyjson_doc *doc = yyjson_read(frame->json, frame->len, 0);
    yyjson_val *metric = yyjson_obj_get(yyjson_doc_get_root(doc), "metric");
    yyjson_val *label = yyjson_arr_get(yyjson_obj_get(metric, "labels"), 0);
    const char *what = yyjson_get_str(yyjson_arr_get(label, 1));
    if (yyjson_equals_str(yyjson_obj_get(metric, "name"), "phase") &&
        yyjson_equals_str(yyjson_arr_get(label, 0), "phase") && what != NULL) {
        session->phase(session->user, frame->id, what);
    }
}

/* A source's last one comes with the unit's result. */
static void on_checkpoint(struct rb_session *session, const struct rb_link_frame *frame)
{
    yyjson_doc *doc = yyjson_read(frame->json, frame->len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    bool wanted = session->checkpoint != NULL &&
                  yyjson_equals_str(yyjson_obj_get(root, "kind"), "destination");
    size_t len = 0;
    char *text = wanted ? yyjson_val_write(yyjson_obj_get(root, "checkpoint"), 0, &len) : NULL;
    if (text != NULL) {
        session->checkpoint(session->user, frame->id, text, len);
    }
    free(text);
    yyjson_doc_free(doc);
}

static int on_result(struct rb_session *session, const struct rb_link_frame *frame)
{
    struct pending *pending = find_pending(session, frame->id);
    if (frame->id == 0 || pending == NULL || pending->done) {
        return RB_OK; /* nobody waits for it any more */
    }
    pending->done = true;
    return rb_buf_append(&pending->payload, frame->json, frame->len);
}

static int on_frame(struct rb_session *session, const struct rb_link_frame *frame,
                    struct rb_error *err)
{
    switch (frame->type) {
    case RB_LINK_READY:
        session->is_ready = true;
        return rb_ready_decode(frame->json, frame->len, &session->ready, err);
    case RB_LINK_RESULT:
        return on_result(session, frame);
    case RB_LINK_LOG:
        on_log(session, frame);
        return RB_OK;
    case RB_LINK_PROGRESS:
        on_progress(session, frame);
        return RB_OK;
    case RB_LINK_CHECKPOINT:
        on_checkpoint(session, frame);
        return RB_OK;
    case RB_LINK_METRIC:
        on_metric(session, frame);
        return RB_OK;
    case RB_LINK_STATE_GET:
    case RB_LINK_STATE_PUT:
    case RB_LINK_STATE_CAS:
        return rb_session_state_answer(&session->link, &session->store, frame, err);
    case RB_LINK_LIMIT:
        on_limit(session, frame);
        return RB_OK;
    case RB_LINK_CANCEL_PACKET:
        rb_cancel_note(&session->cancels, frame->json, frame->len);
        return RB_OK;
    case RB_LINK_INIT:
    case RB_LINK_CALL:
    case RB_LINK_UNIT:
    case RB_LINK_CANCEL:
    case RB_LINK_STATE_REPLY:
    case RB_LINK_CLOSE:
        break;
    }
    return rb_error_set(err, RB_EPROTOCOL, "WORKER_PROTOCOL",
                        "the worker sent a message of type %d that is not its to send",
                        (int)frame->type);
}

static void ask_to_stop(struct rb_session *session, int status)
{
    if (session->stop_sent) {
        return;
    }
    session->stop_sent = true;
    session->stop_status = status;
    session->kill_at_ms = rb_clock_ms() + RB_SESSION_GRACE_MS;
    /* Failing means that the worker is gone, which the next receive finds out, or that it is stuck:
     * it is killed when its time is over. */
    session->link.send_limit_ms = RB_SESSION_SEND_CANCEL_MS;
    (void)rb_link_send(&session->link, RB_LINK_CANCEL, 0, "{}", 2, NULL);
    rb_cancel_send(&session->cancels);
}

static void on_signal(struct rb_session *session)
{
    struct signalfd_siginfo info;
    if (read(session->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        rb_signals_arm(session->die);
        ask_to_stop(session, RB_ECANCELLED);
    }
}

static int64_t nearest(int64_t a, int64_t b)
{
    if (a == 0 || b == 0) {
        return a == 0 ? b : a;
    }
    return a < b ? a : b;
}

/* Takes frames that are there, without waiting; not all that a guest can think of (its metrics have
 * no end), or a signal and the deadline would never have their turn. 0, or a failure; a closed link
 * buries the worker. */
static int drain(struct rb_session *session, struct rb_error *err)
{
    for (int i = 0; i < FRAMES_AT_ONCE; i++) {
        struct rb_link_frame frame;
        int got = rb_link_recv(&session->link, 0, &frame, err);
        if (got == 1) {
            return RB_OK;
        }
        if (got == 2) {
            bury(session, false);
            return RB_OK;
        }
        int status = got != 0 ? got : on_frame(session, &frame, err);
        if (status != 0) {
            bury(session, true);
            /* A worker that does not take its messages is as good as dead: whoever waits finds out,
             * after the signal has had its turn. */
            return status == RB_ETIMEOUT ? RB_OK : status;
        }
    }
    return RB_OK;
}

/* Serves the link and the signals once, waiting at most until `until_ms` (0: without limit).
 * Afterwards something may have changed, or not. */
static int pump(struct rb_session *session, int64_t until_ms, struct rb_error *err)
{
    int64_t now = rb_clock_ms();
    int64_t wake_ms =
        nearest(until_ms, session->stop_sent ? session->kill_at_ms : session->deadline_ms);
    int64_t wait_ms = wake_ms == 0 ? -1 : (wake_ms > now ? wake_ms - now : 0);
    struct pollfd waits[2] = {{.fd = session->link.fd, .events = POLLIN},
                              {.fd = session->signal_fd, .events = POLLIN}};
    bool ticks = session->observer != NULL && session->observer->tick != NULL;
    bool cut = ticks && (wait_ms < 0 || wait_ms > RB_SESSION_TICK_MS);
    wait_ms = cut ? RB_SESSION_TICK_MS : wait_ms;
    int n = poll(waits, 2, wait_ms > INT32_MAX ? INT32_MAX : (int)wait_ms);
    if (n == 0 && cut) {
        session->observer->tick(session->observer->user);
    }
    if (n < 0 && errno != EINTR) {
        return rb_error_set_errno(err, RB_EIO, "POLL", errno, "waiting for the worker");
    }
    if (n > 0 && (waits[1].revents & POLLIN) != 0) {
        on_signal(session);
    }
    if (n > 0 && waits[0].revents != 0) {
        int status = drain(session, err);
        if (status != 0) {
            return status;
        }
    }
    now = rb_clock_ms();
    if (!session->stop_sent && session->deadline_ms != 0 && now >= session->deadline_ms) {
        ask_to_stop(session, RB_ETIMEOUT);
    }
    if (session->stop_sent && !session->is_dead && now >= session->kill_at_ms) {
        bury(session, true);
    }
    return RB_OK;
}

/* Why there will be no answer: the stop that was asked for, or the worker's end. */
static int failure(const struct rb_session *session, struct rb_error *err)
{
    if (session->stop_sent && session->stop_status == RB_ETIMEOUT) {
        return rb_process_run_timeout(err);
    }
    if (session->stop_sent) {
        return rb_error_set(err, RB_ECANCELLED, "CANCELLED", "cancelled");
    }
    if (err != NULL) {
        *err = session->death;
    }
    return session->death.status;
}

/* Who may get cancel packets, and what else is the connectors'. Names live as long as the pipeline.
 */
static int take_grants(struct rb_session *session, const struct rb_worker_spec *spec)
{
    size_t n = 0;
    session->n_connectors = session->store.n_quotas = spec->n_connectors;
    for (size_t i = 0; i < spec->n_connectors; i++) {
        const struct rb_connector_spec *connector = &spec->connectors[i];
        session->connectors[i] = connector->id;
        session->store.quotas[i].connector = connector->id;
        session->store.quotas[i].keys = connector->limits.state_keys;
        session->store.quotas[i].bytes = connector->limits.state_bytes;
    }
    for (size_t i = 0; i < spec->n_connectors; i++) {
        n += spec->connectors[i].n_allow;
    }
    session->allow = calloc(n + 1, sizeof *session->allow);
    if (session->allow == NULL) {
        return RB_ENOMEM;
    }
    n = 0;
    for (size_t i = 0; i < spec->n_connectors; i++) {
        for (size_t k = 0; k < spec->connectors[i].n_allow; k++) {
            const struct rb_spec_allow *entry = &spec->connectors[i].allow[k];
            session->allow[n++] = (struct rb_net_allow){.host = entry->host, .port = entry->port};
        }
    }
    session->cancels.allow = session->allow;
    session->cancels.n_allow = n;
    return RB_OK;
}

static int take_worker(const struct rb_session_options *options, struct rb_session *session,
                       int *ret_fd, struct rb_error *err)
{
    struct rb_early_worker *early = options->early_worker;
    if (early == NULL || early->fd < 0) {
        return rb_process_start_worker(options->self_path, &session->pid, ret_fd, &session->board,
                                       err);
    }
    session->pid = early->pid;
    session->board = early->board;
    *ret_fd = early->fd;
    early->fd = -1;
    return RB_OK;
}

int rb_session_launch(const struct rb_session_options *options, struct rb_session **ret_session,
                      struct rb_error *err)
{
    struct rb_session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory");
    }
    session->signal_fd = options->signal_fd;
    session->die = options->die;
    session->deadline_ms = options->deadline_ms;
    session->store.pipeline = options->spec->pipeline;
    session->store.dry = options->dry;
    session->observer = options->observer;
    session->progress = options->progress;
    session->phase = options->phase;
    session->checkpoint = options->checkpoint;
    session->user = options->user;
    struct rb_buf spec = RB_BUF_INIT(RB_LINK_PAYLOAD_MAX);
    spec.is_secret = true;
    int fd = -1;
    int status = take_grants(session, options->spec);
    status = status != 0 ? status : rb_worker_spec_encode(options->spec, &spec);
    status = status != 0 ? rb_error_set(err, status, "WORKER_START", "encoding the worker's task")
                         : take_worker(options, session, &fd, err);
    if (status != 0) {
        rb_board_free(session->board);
        rb_buf_release(&spec);
        free(session->allow);
        free(session);
        return status;
    }
    status = rb_link_init(&session->link, fd, err);
    session->link_open = status == 0;
    if (status == 0) {
        session->link.send_limit_ms = RB_SESSION_SEND_MS;
        session->link.send_wake_fd = options->signal_fd;
        status = rb_link_send(&session->link, RB_LINK_INIT, 0, rb_buf_str(&spec), spec.len, err);
    }
    rb_buf_release(&spec);
    if (status != 0) {
        rb_session_end(session, NULL);
        return status;
    }
    *ret_session = session;
    return RB_OK;
}

int rb_session_await_ready(struct rb_session *session, struct rb_state *state, struct rb_error *err)
{
    int status = RB_OK;
    session->store.state = state;
    while (status == 0 && !session->is_ready && !session->is_dead) {
        status = pump(session, 0, err);
    }
    return status == 0 && session->is_dead ? failure(session, err) : status;
}

void rb_session_end(struct rb_session *session, int64_t *ret_peak_bytes)
{
    if (session == NULL) {
        return;
    }
    if (!session->is_dead && session->link_open && session->is_ready) {
        (void)rb_link_send(&session->link, RB_LINK_CLOSE, 0, "{}", 2, NULL);
        int64_t until = rb_clock_ms() + RB_SESSION_GRACE_MS;
        while (!session->is_dead && rb_clock_ms() < until && pump(session, until, NULL) == 0) {
        }
    }
    if (!session->is_dead) {
        bury(session, true);
    }
    if (ret_peak_bytes != NULL && session->peak_bytes > *ret_peak_bytes) {
        *ret_peak_bytes = session->peak_bytes;
    }
    for (size_t i = 0; i < RB_SESSION_PENDING_MAX; i++) {
        free_pending(&session->pending[i]);
    }
    if (session->link_open) {
        rb_link_release(&session->link);
    }
    rb_board_free(session->board);
    free(session->allow);
    free(session);
}

static int post(struct rb_session *session, enum rb_link_type type, const char *json, size_t len,
                uint64_t *ret_id, struct rb_error *err)
{
    if (session->is_dead || session->stop_sent) {
        return failure(session, err);
    }
    struct pending *slot = find_pending(session, 0);
    if (slot == NULL) {
        return rb_error_set(err, RB_EINTERNAL, "TOO_MANY_REQUESTS",
                            "more than %d requests to the worker at once", RB_SESSION_PENDING_MAX);
    }
    uint64_t id = ++session->last_id;
    int status = rb_link_send(&session->link, type, id, json, len, err);
    if (status != 0) {
        bury(session, false);
        return failure(session, err);
    }
    *slot = (struct pending){.id = id, .is_unit = type == RB_LINK_UNIT};
    rb_buf_init(&slot->payload, RB_LINK_PAYLOAD_MAX);
    *ret_id = id;
    return RB_OK;
}

int rb_session_post_unit(struct rb_session *session, const char *json, size_t len, uint64_t *ret_id,
                         struct rb_error *err)
{
    return post(session, RB_LINK_UNIT, json, len, ret_id, err);
}

int rb_session_post_call(struct rb_session *session, enum rb_role role, size_t index,
                         const char *export_name, const char *input, size_t len, uint64_t *ret_id,
                         struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(RB_LINK_PAYLOAD_MAX);
    struct rb_json json;
    rb_json_init(&json, &text);
    rb_json_begin_object(&json);
    rb_json_member_str(&json, "role", rb_role_name(role));
    rb_json_member_i64(&json, "index", (int64_t)index);
    rb_json_member_str(&json, "export", export_name);
    rb_json_member_raw(&json, "input", input != NULL ? input : "{}", input != NULL ? len : 2);
    rb_json_end_object(&json);
    int status = rb_json_finish(&json);
    if (status != 0) {
        return rb_error_set(err, status, "CALL", "writing the call of %s", export_name);
    }
    return post(session, RB_LINK_CALL, rb_buf_str(&text), text.len, ret_id, err);
}

static int take(struct pending *pending, struct rb_buf *ret)
{
    int status = rb_buf_append(ret, pending->payload.data, pending->payload.len);
    free_pending(pending);
    return status;
}

int rb_session_await(struct rb_session *session, uint64_t id, struct rb_buf *ret,
                     struct rb_error *err)
{
    for (;;) {
        struct pending *pending = find_pending(session, id);
        if (pending == NULL) {
            return rb_error_set(err, RB_EINTERNAL, "NO_SUCH_REQUEST", "no request %llu",
                                (unsigned long long)id);
        }
        if (pending->done && !session->stop_sent) {
            return take(pending, ret);
        }
        if (session->is_dead || (session->stop_sent && pending->done)) {
            return failure(session, err);
        }
        int status = pump(session, 0, err);
        if (status != 0) {
            return status;
        }
    }
}

int rb_session_wait(struct rb_session *session, int64_t ms, struct rb_error *err)
{
    int64_t until_ms = rb_clock_ms() + ms;
    int status = RB_OK;
    while (status == RB_OK && rb_clock_ms() < until_ms) {
        status = session->is_dead || session->stop_sent ? failure(session, err)
                                                        : pump(session, until_ms, err);
    }
    return status;
}

int rb_session_await_any(struct rb_session *session, int64_t timeout_ms, uint64_t *ret_id,
                         struct rb_buf *ret, struct rb_error *err)
{
    int64_t until_ms = timeout_ms < 0 ? 0 : rb_clock_ms() + timeout_ms;
    for (;;) {
        bool waiting = false;
        for (size_t i = 0; i < RB_SESSION_PENDING_MAX; i++) {
            struct pending *pending = &session->pending[i];
            if (pending->id != 0 && pending->is_unit && pending->done) {
                *ret_id = pending->id;
                return take(pending, ret);
            }
            waiting |= pending->id != 0 && pending->is_unit;
        }
        if (session->is_dead || (session->stop_sent && !waiting)) {
            return failure(session, err);
        }
        if (until_ms != 0 && rb_clock_ms() >= until_ms) {
            return 1;
        }
        int status = pump(session, until_ms, err);
        if (status != 0) {
            return status;
        }
    }
}

int rb_session_call_result(const struct rb_buf *payload, struct rb_buf *ret_data,
                           struct rb_error *err)
{
    yyjson_doc *doc = yyjson_read(rb_buf_str(payload), payload->len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *error = yyjson_obj_get(root, "error");
    yyjson_val *part = error != NULL ? error : yyjson_obj_get(root, "data");
    size_t len = 0;
    char *text = part == NULL ? NULL : yyjson_val_write(part, 0, &len);
    int status = RB_OK;
    if (root == NULL) {
        status =
            rb_error_set(err, RB_EPROTOCOL, "WORKER_PROTOCOL", "the worker's answer is not JSON");
    } else if (error != NULL && !yyjson_is_null(error)) {
        struct rb_error remote;
        memset(&remote, 0, sizeof remote);
        status = text == NULL ? RB_EPROTOCOL : rb_link_error_decode(text, len, &remote);
        if (status == 0) {
            status = remote.status != 0 ? remote.status : RB_EINTERNAL;
            if (err != NULL) {
                *err = remote;
            }
        }
    } else if (ret_data != NULL && text != NULL) {
        status = rb_buf_append(ret_data, text, len);
    }
    free(text);
    yyjson_doc_free(doc);
    return status;
}

int rb_session_call(struct rb_session *session, enum rb_role role, size_t index,
                    const char *export_name, const char *input, size_t len, struct rb_buf *ret_data,
                    struct rb_error *err)
{
    uint64_t id = 0;
    RB_CLEANUP(rb_buf_release) struct rb_buf payload = RB_BUF_INIT(RB_LINK_PAYLOAD_MAX);
    int status = rb_session_post_call(session, role, index, export_name, input, len, &id, err);
    status = status != 0 ? status : rb_session_await(session, id, &payload, err);
    return status != 0 ? status : rb_session_call_result(&payload, ret_data, err);
}

bool rb_session_is_stopped(const struct rb_session *session)
{
    return session->stop_sent;
}

int rb_session_check_stopped(const struct rb_session *session, struct rb_error *err)
{
    return session->stop_sent ? failure(session, err) : RB_OK;
}

bool rb_session_is_dead(const struct rb_session *session)
{
    return session->is_dead;
}

const struct rb_ready *rb_session_ready(const struct rb_session *session)
{
    return &session->ready;
}
