/* The life of a run: lock, begin, plan, units, end. */
#include "host/engine/run.h"

#include "base/fault.h"
#include "host/engine/process.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>

enum { NOTE_MAX = 1024 };

void rb_run_note(const struct rb_run *run, const char *fmt, ...)
{
    if (run->observer == NULL || run->observer->note == NULL) {
        return;
    }
    char text[NOTE_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    run->observer->note(run->observer->user, text);
}

void rb_run_busy(const struct rb_run *run, const char *what, bool at_once)
{
    if (run->observer != NULL && run->observer->busy != NULL) {
        run->observer->busy(run->observer->user, what, at_once);
    }
}

size_t rb_run_find(const struct rb_run *run, const char *name, size_t from)
{
    for (size_t k = 0; name != NULL && k < run->n_streams; k++) {
        size_t i = (from + k) % run->n_streams;
        if (strcmp(run->streams[i].stream->name, name) == 0) {
            return i;
        }
    }
    return run->n_streams;
}

void rb_run_tell(const struct rb_run *run, struct rb_stream_run *stream)
{
    if (run->observer != NULL && run->observer->stream != NULL) {
        run->observer->stream(run->observer->user, stream->report);
    }
}

void rb_run_fail(struct rb_run *run, enum rb_fault_side side, const struct rb_error *error)
{
    if (run->report->failed) {
        return;
    }
    run->report->failed = true;
    run->report->fault.side = side;
    run->report->fault.error = *error;
}

void rb_run_stream_fail(struct rb_run *run, struct rb_stream_run *stream, enum rb_fault_side side,
                        const struct rb_error *error)
{
    struct rb_stream_report *report = stream->report;
    bool cancelled = error->status == RB_ECANCELLED;
    report->outcome = cancelled ? RB_OUTCOME_CANCELLED : RB_OUTCOME_FAILED;
    report->fault.side = side;
    report->fault.error = *error;
    /* Connectors name the stream, too. */
    char prefix[RB_ERROR_MESSAGE_MAX];
    snprintf(prefix, sizeof prefix, "stream '%s': ", stream->stream->name);
    if (strncmp(error->message, prefix, strlen(prefix)) != 0) {
        rb_error_prefix(&report->fault.error, "stream '%s'", stream->stream->name);
    }
    report->ended_unix_us = rb_clock_unix_us();
    if (report->started_unix_us == 0) {
        report->started_unix_us = report->ended_unix_us;
    }
    report->secs = (double)(report->ended_unix_us - report->started_unix_us) / 1e6;
    rb_run_stream_record(run, stream);
    rb_run_tell(run, stream);
}

enum rb_fault_side rb_run_side_of(enum rb_role role)
{
    switch (role) {
    case RB_ROLE_SOURCE:
        return RB_FAULT_SOURCE;
    case RB_ROLE_TRANSFORM:
        return RB_FAULT_TRANSFORM;
    case RB_ROLE_DESTINATION:
        return RB_FAULT_DESTINATION;
    }
    return RB_FAULT_ENGINE;
}

void rb_run_write_context(const struct rb_run *run, const struct rb_stream_run *stream,
                          struct rb_json *json, enum rb_role role, size_t unit)
{
    struct rb_context_extra extra = {
        .role = role,
        .load_id = run->report->load_id,
        .claim = run->claim,
        .snapshot = stream->snapshot,
        .plan = role == RB_ROLE_SOURCE ? stream->plan : NULL,
        .table = role == RB_ROLE_DESTINATION ? stream->table : NULL,
        .peer_features =
            role == RB_ROLE_DESTINATION ? run->source_features : run->destination_features,
        .primary_key = stream->primary_key,
        .last_value = stream->last_value,
        .resume = stream->resume,
        .range = stream->n_units > 0 ? stream->ranges[unit] : NULL,
        .unit_index = unit,
        .unit_count = stream->n_units > 0 ? stream->n_units : 1,
        .parts = stream->parts,
        .attempt = stream->report->attempts > 0 ? stream->report->attempts : 1,
        .dry_run = run->dry,
        .full_refresh = run->options->full_refresh,
    };
    rb_context_write_stream(json, run->pipeline, stream->stream, &extra);
}

void rb_run_write_brief(const struct rb_run *run, const struct rb_stream_run *stream,
                        struct rb_json *json)
{
    struct rb_context_extra extra = {
        .role = RB_ROLE_DESTINATION,
        .primary_key = stream->primary_key,
        .last_value = stream->last_value,
        .full_refresh = run->options->full_refresh,
    };
    rb_context_write_brief(json, stream->stream, &extra);
}

/* 32 hexadecimal digits: 48 bits of Unix milliseconds, so that loads sort by time, then random. */
static int make_load_id(char out[33], uint32_t *ret_random, struct rb_error *err)
{
    uint8_t random[14];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        return rb_error_set_errno(err, RB_EINTERNAL, "RANDOM", errno, "making a load id");
    }
    uint64_t ms = (uint64_t)(rb_clock_unix_us() / 1000);
    int at = snprintf(out, 33, "%012llx", (unsigned long long)(ms & 0xffffffffffffULL));
    for (size_t i = 0; i < 10; i++) {
        at += snprintf(out + at, (size_t)(33 - at), "%02x", random[i]);
    }
    memcpy(ret_random, random + 10, sizeof *ret_random);
    return RB_OK;
}

static bool is_chosen(const struct rb_names *only, const char *name)
{
    for (size_t i = 0; only != NULL && i < only->count; i++) {
        if (strcmp(only->items[i], name) == 0) {
            return true;
        }
    }
    return only == NULL;
}

int rb_run_take_streams(struct rb_run *run, const struct rb_stream *streams, size_t n,
                        struct rb_error *err)
{
    const struct rb_names *only = run->options->only_streams;
    run->document_streams = streams;
    run->n_document_streams = n;
    run->streams = calloc(n + 1, sizeof *run->streams);
    run->report->streams = calloc(n + 1, sizeof *run->report->streams);
    if (run->streams == NULL || run->report->streams == NULL) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        if (!is_chosen(only, streams[i].name)) {
            continue;
        }
        struct rb_stream_run *stream = &run->streams[run->n_streams];
        stream->stream = &streams[i];
        stream->report = &run->report->streams[run->n_streams];
        stream->report->stream = stream->stream;
        stream->report->load_id = run->report->load_id;
        rb_buf_init(&stream->units_json, RB_RUN_JSON_MAX);
        rb_buf_init(&stream->checkpoint, RB_RUN_JSON_MAX);
        rb_buf_init(&stream->new_checkpoint, RB_RUN_JSON_MAX);
        run->n_streams++;
    }
    run->report->n_streams = run->n_streams;
    run->has_streams = true;
    return RB_OK;
}

int rb_run_init(struct rb_run *ret_run, const struct rb_pipeline *pipeline,
                const struct rb_engine_options *options, const struct rb_observer *observer,
                struct rb_run_report *report, struct rb_error *err)
{
    *ret_run = (struct rb_run){
        .pipeline = pipeline,
        .options = options,
        .observer = observer,
        .report = report,
        .lanes = rb_context_lanes(pipeline),
    };
    int status = pipeline->n_patterns > 0
                     ? RB_OK
                     : rb_run_take_streams(ret_run, pipeline->streams, pipeline->n_streams, err);
    status = status != 0 ? status : make_load_id(report->load_id, &ret_run->random, err);
    memcpy(ret_run->claim, report->load_id, sizeof ret_run->claim);
    report->key = options->key;
    return status;
}

void rb_run_release(struct rb_run *run)
{
    for (size_t i = 0; i < run->n_streams; i++) {
        struct rb_stream_run *stream = &run->streams[i];
        for (size_t unit = 0; unit < stream->n_units; unit++) {
            free(stream->ranges[unit]);
        }
        free(stream->ranges);
        free(stream->returned);
        free(stream->snapshot);
        free(stream->plan);
        free(stream->table);
        free(stream->primary_key);
        free(stream->changes);
        free(stream->notes);
        free(stream->last_value);
        free(stream->resume);
        free(stream->after);
        rb_buf_release(&stream->units_json);
        rb_buf_release(&stream->checkpoint);
        rb_buf_release(&stream->new_checkpoint);
    }
    free(run->streams);
    free(run->source_features);
    free(run->destination_features);
    rb_state_close(run->state);
}

static bool is_left(const struct rb_run *run)
{
    for (size_t i = 0; i < run->n_streams; i++) {
        if (run->report->streams[i].outcome == RB_OUTCOME_NOT_STARTED) {
            return true;
        }
    }
    return false;
}

static int launch(struct rb_run *run, struct rb_error *err)
{
    struct rb_connector_spec connectors[RB_UNIT_STAGES_MAX];
    struct rb_worker_spec spec;
    rb_context_worker_spec(run->pipeline, run->options, run->lanes, connectors, &spec);
    /* A session of one stream has nothing to keep a snapshot for but that one. */
    run->one_source = spec.one_source = spec.lanes == 1 && run->has_streams && run->n_streams == 1;
    struct rb_session_options options = {
        .spec = &spec,
        .self_path = run->options->self_path,
        .early_worker = run->options->early_worker,
        .signal_fd = run->options->signal_fd,
        .die = run->options->die,
        .deadline_ms = run->deadline_ms,
        .dry = run->dry,
        .observer = run->observer,
        .progress = rb_run_progress,
        .phase = rb_run_phase,
        .checkpoint = rb_run_checkpoint,
        .user = run,
    };
    int status = rb_run_check_folders(run->pipeline, run->options, &spec, err);
    return status != 0 ? status : rb_session_launch(&options, &run->session, err);
}

int rb_run_start_session(struct rb_run *run, struct rb_error *err)
{
    int status = run->session != NULL ? RB_OK : launch(run, err);
    status = status != 0 ? status : rb_session_await_ready(run->session, run->state, err);
    if (status != 0) {
        rb_session_end(run->session, NULL);
        run->session = NULL;
        return status;
    }
    const struct rb_ready *ready = rb_session_ready(run->session);
    if (!ready->is_whole && !run->sandbox_told) {
        rb_run_note(run, "%s", ready->sandbox);
    }
    run->sandbox_told = true;
    return RB_OK;
}

static int begin(struct rb_run *run, void *user, struct rb_error *err)
{
    enum rb_fault_side *side = user;
    return rb_run_begin(run, side, err);
}

static int plan(struct rb_run *run, void *user, struct rb_error *err)
{
    (void)user;
    return rb_run_plan(run, err);
}

/* Everything that one worker process does. *ret_side: whose failure it was. */
static int run_session(struct rb_run *run, enum rb_fault_side *ret_side, struct rb_error *err)
{
    *ret_side = RB_FAULT_ENGINE;
    run->plan_id = 0;
    int status = rb_run_start_session(run, err);
    if (status != 0) {
        return status;
    }
    status = rb_run_open(run, ret_side, err);
    status = status != 0 ? status : rb_run_expand(run, ret_side, err);
    if (status == 0) {
        status = rb_run_plan_early(run, ret_side, err);
    }
    if (status == 0) {
        rb_run_busy(run, "beginning the load", false);
        status = rb_run_again(run, "beginning the load", begin, ret_side, err);
        rb_run_busy(run, "", false);
    }
    if (status == 0 && is_left(run)) {
        *ret_side = RB_FAULT_SOURCE;
        rb_run_busy(run, "planning", false);
        status = rb_run_again(run, "planning", plan, NULL, err);
        rb_run_busy(run, "", false);
    }
    if (status == 0) {
        *ret_side = RB_FAULT_ENGINE;
        status = rb_run_units(run, err);
        if (status != 0 && err != NULL && rb_lock_is_lost(err)) {
            *ret_side = RB_FAULT_DESTINATION;
        }
    }
    /* Ask the stopped first: what failed because of it is not the connector's fault. */
    if (status != 0 && (rb_session_is_stopped(run->session) || rb_session_is_dead(run->session))) {
        *ret_side = RB_FAULT_ENGINE;
    }
    return status;
}

static bool all_loaded(const struct rb_run *run)
{
    for (size_t i = 0; i < run->n_streams; i++) {
        enum rb_outcome outcome = run->report->streams[i].outcome;
        if (outcome != RB_OUTCOME_OK && outcome != RB_OUTCOME_ALREADY_LOADED) {
            return false;
        }
    }
    return true;
}

/* Also when streams have failed: what came may have been all that an earlier load still lacked.
 * Where it did not come to its own end, failing to say so changes nothing. */
static int end_load(struct rb_run *run, struct rb_error *err)
{
    bool whole = all_loaded(run);
    int status = rb_run_end_load(run, whole ? err : NULL);
    return whole ? status : RB_OK;
}

static int64_t count_attempts(const struct rb_run *run)
{
    int64_t n = 0;
    for (size_t i = 0; i < run->n_streams; i++) {
        n += run->report->streams[i].attempts;
    }
    return n;
}

/* Sessions until every stream has ended: a worker that crashes takes the streams that ran in it
 * along, never the others. One that came to no stream would crash again, and is the last. */
static void run_sessions(struct rb_run *run)
{
    for (;;) {
        int64_t attempts_before = count_attempts(run);
        struct rb_error error;
        rb_error_clear(&error);
        enum rb_fault_side side;
        int status = run_session(run, &side, &error);
        bool crashed = run->session != NULL && rb_session_is_dead(run->session) &&
                       !rb_session_is_stopped(run->session);
        bool progressed = count_attempts(run) > attempts_before;
        if (status == 0 && !run->report->already_loaded) {
            side = RB_FAULT_DESTINATION;
            status = end_load(run, &error);
        }
        RB_FAULT_MARK(SESSION_END);
        rb_session_end(run->session, &run->report->peak_worker_bytes);
        run->session = NULL;
        if (status == 0) {
            return;
        }
        if (crashed && progressed && is_left(run)) {
            rb_run_note(run, "%s; another worker takes the streams that are left", error.message);
            continue;
        }
        /* Whoever was at work when the run's time was over. */
        bool late = strcmp(error.code, RB_RUN_TIMEOUT) == 0;
        rb_run_fail(run, late ? RB_FAULT_ENGINE : side, &error);
        run->report->cancelled = error.status == RB_ECANCELLED || late;
        return;
    }
}

static int count(const struct rb_run_report *report, enum rb_outcome outcome)
{
    int n = 0;
    for (size_t i = 0; i < report->n_streams; i++) {
        n += report->streams[i].outcome == outcome ? 1 : 0;
    }
    return n;
}

/* The first failure in the order of the document, or the run's own. */
static int exit_code_of(const struct rb_run_report *report)
{
    if (report->cancelled) {
        return RB_EXIT_CANCELLED;
    }
    int committed = count(report, RB_OUTCOME_OK) + count(report, RB_OUTCOME_ALREADY_LOADED);
    int failed = (int)report->n_streams - committed;
    if (failed > 0 && committed > 0) {
        return RB_EXIT_PARTIAL;
    }
    for (size_t i = 0; i < report->n_streams; i++) {
        if (report->streams[i].outcome == RB_OUTCOME_FAILED) {
            return rb_fault_exit_code(&report->streams[i].fault);
        }
    }
    return report->failed ? rb_fault_exit_code(&report->fault) : RB_EXIT_OK;
}

static void record_end(struct rb_run *run)
{
    struct rb_run_report *report = run->report;
    report->exit_code = exit_code_of(report);
    if (run->state == NULL || report->run_id == 0) {
        return;
    }
    static const char *const ok = "ok", *const partial = "partial", *const failed = "failed",
                             *const cancelled = "cancelled";
    const char *outcome = report->exit_code == RB_EXIT_OK          ? ok
                          : report->exit_code == RB_EXIT_PARTIAL   ? partial
                          : report->exit_code == RB_EXIT_CANCELLED ? cancelled
                                                                   : failed;
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(RB_RUN_JSON_MAX);
    struct rb_json json;
    rb_json_init(&json, &text);
    rb_json_error(&json, &report->fault.error);
    (void)rb_json_finish(&json);
    struct rb_error failure;
    rb_error_clear(&failure);
    RB_FAULT_MARK(RUN_END);
    if (rb_state_run_end(run->state, report->run_id, outcome, report->exit_code,
                         report->failed ? rb_buf_str(&text) : NULL, NULL, &failure) != 0) {
        rb_error_prefix(&failure, "recording the run");
        rb_run_fail(run, RB_FAULT_ENGINE, &failure);
        report->exit_code = exit_code_of(report);
    }
    RB_FAULT_MARK(RUN_END_RECORDED);
}

static int record(struct rb_run *run, struct rb_error *err)
{
    const struct rb_pipeline *pipeline = run->pipeline;
    RB_CLEANUP(rb_buf_release) struct rb_buf connectors = RB_BUF_INIT(RB_RUN_JSON_MAX);
    struct rb_json json;
    rb_json_init(&json, &connectors);
    rb_engine_write_connectors(&json, pipeline);
    if (rb_json_finish(&json) != 0) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory");
    }
    return rb_state_run_begin(run->state, pipeline->name, run->report->load_id, pipeline->path,
                              rb_buf_str(&connectors), run->report->key, &run->report->run_id, err);
}

/* State, lock and the run's record, before anything moves. */
static int prepare(struct rb_run *run, struct rb_error *err)
{
    const struct rb_pipeline *pipeline = run->pipeline;
    int status = rb_state_open(pipeline->state_path, &run->state, err);
    if (status != 0) {
        return status;
    }
    int locked = rb_state_lock(run->state, pipeline->name, err);
    locked = locked < 0 ? locked : RB_FAULT(LOCK_TAKEN, err);
    if (locked < 0) {
        return locked;
    }
    int64_t crashed = 0;
    status = rb_state_runs_reap(run->state, pipeline->name, &crashed, err);
    if (status == 0 && crashed > 0) {
        rb_run_note(run, "the last run of '%s' did not end by itself; it is recorded as crashed",
                    pipeline->name);
    }
    status = status != 0 ? status : record(run, err);
    status = status != 0
                 ? status
                 : rb_state_runs_prune(run->state, pipeline->name, pipeline->state_keep_ms * 1000,
                                       (int64_t)pipeline->state_keep_runs, err);
    return status != 0 ? status : RB_FAULT(RUN_RECORDED, err);
}

/* The worker loads its connectors while the state is opened. What goes wrong here goes wrong again
 * when the session is needed, and is told then. */
static void launch_early(struct rb_run *run, int status)
{
    if (status != 0 || run->options->early_worker == NULL || run->options->early_worker->fd < 0) {
        return;
    }
    if (launch(run, NULL) == 0) {
        rb_run_post_open(run);
    }
}

void rb_engine_run(const struct rb_pipeline *pipeline, const struct rb_engine_options *options,
                   const struct rb_observer *observer, struct rb_run_report *ret_report)
{
    memset(ret_report, 0, sizeof *ret_report);
    struct rb_run run;
    int64_t start = rb_clock_ms();
    struct rb_error error;
    rb_error_clear(&error);
    int status = rb_run_init(&run, pipeline, options, observer, ret_report, &error);
    if (pipeline->timeouts.run_ms > 0) {
        run.deadline_ms = start + pipeline->timeouts.run_ms;
    }
    launch_early(&run, status);
    status = status != 0 ? status : prepare(&run, &error);
    if (status != 0) {
        rb_session_end(run.session, NULL);
        rb_run_fail(&run, RB_FAULT_ENGINE, &error);
    } else {
        run_sessions(&run);
    }
    ret_report->timings.total = (double)(rb_clock_ms() - start) / 1000.0;
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        ret_report->peak_supervisor_bytes = (int64_t)usage.ru_maxrss * 1024;
    }
    record_end(&run);
    if (run.state != NULL) {
        RB_FAULT_MARK(LOCK_RELEASE);
        (void)rb_state_unlock(run.state, pipeline->name, NULL);
        RB_FAULT_MARK(LOCK_RELEASED);
    }
    rb_run_release(&run);
}
