/* The units of every stream over the lanes, in the order of the document. */
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "host/engine/retry.h"
#include "host/engine/run.h"
#include "host/engine/view.h"

enum {
    LANES_MAX = 64,
    LOCKED_PAUSE_MS = 250,   /* before a table that others have locked is tried again */
    SNAPSHOTS_LOST_MAX = 20, /* by one stream */
    /* A lane of a check costs two sessions with empty caches, 30 ms of a server's processor. Where
     * the catalogue proves what is looked at, two lanes look at a table in less than a millisecond;
     * others begin when these take longer, the first units of their sessions not counted. */
    CHECK_LANES_FIRST = 2,
    CHECK_UNITS_COLD = 4,
    CHECK_UNITS_TIMED = 12,
    CHECK_UNIT_SLOW_MS = 4,
};

struct lane {
    bool is_out;                  /* a server has no room for its connection */
    struct rb_stream_run *stream; /* NULL: free */
    size_t unit;
    uint64_t id; /* of the posted UNIT */
    struct rb_session_progress progress;
};

struct rb_schedule {
    struct rb_run *run;
    struct lane lanes[LANES_MAX];
    size_t n_lanes;
    size_t first;     /* the streams before it have ended */
    bool any_failed;  /* a unit did since a new plan was thought of */
    int64_t n_ended;  /* units */
    int64_t timed_ms; /* rb_clock_ms() when CHECK_UNITS_COLD of them had */
    bool is_lost;     /* the pipeline's lock at the destination is: no unit is begun any more */
    struct rb_error lost;
};

static bool has_unit(const struct rb_stream_run *stream)
{
    return stream->n_returned > 0 || stream->next_unit < stream->n_units;
}

static bool is_open(const struct rb_stream_run *stream)
{
    enum rb_outcome outcome = stream->report->outcome;
    return outcome == RB_OUTCOME_NOT_STARTED || outcome == RB_OUTCOME_RUNNING;
}

/* A table that this one refers to is not loaded yet. */
static bool must_wait(const struct rb_run *run, const struct rb_stream_run *stream)
{
    size_t i = 0;
    while (i < stream->n_after && !is_open(&run->streams[stream->after[i]])) {
        i++;
    }
    return i < stream->n_after;
}

/* Of ten thousand streams, those that have ended would be looked at with every unit. */
static void pass_ended(struct rb_schedule *schedule)
{
    const struct rb_run *run = schedule->run;
    while (schedule->first < run->n_streams && !is_open(&run->streams[schedule->first])) {
        schedule->first++;
    }
}

/* The first stream with a unit to start now; *ret_wake_ms is when the first that waits for its
 * retry is due (0: none). */
static struct rb_stream_run *next_stream(struct rb_schedule *schedule, int64_t *ret_wake_ms)
{
    struct rb_run *run = schedule->run;
    int64_t now = rb_clock_ms();
    *ret_wake_ms = 0;
    pass_ended(schedule);
    for (size_t i = schedule->first; i < run->n_streams; i++) {
        struct rb_stream_run *stream = &run->streams[i];
        if (!is_open(stream) || stream->has_error || !has_unit(stream) || must_wait(run, stream)) {
            continue;
        }
        if (stream->retry_at_ms <= now) {
            return stream;
        }
        if (*ret_wake_ms == 0 || stream->retry_at_ms < *ret_wake_ms) {
            *ret_wake_ms = stream->retry_at_ms;
        }
    }
    return NULL;
}

/* How many may be busy. */
static size_t lanes_wanted(const struct rb_schedule *schedule)
{
    const struct rb_run *run = schedule->run;
    int64_t n = schedule->n_ended - CHECK_UNITS_COLD;
    bool slow =
        n >= CHECK_UNITS_TIMED && rb_clock_ms() - schedule->timed_ms >= n * CHECK_UNIT_SLOW_MS;
    bool few = run->dry && !run->pipeline->resources.parallelism_given && !slow;
    return few ? CHECK_LANES_FIRST : schedule->n_lanes;
}

static void count_ended(struct rb_schedule *schedule)
{
    schedule->n_ended++;
    if (schedule->n_ended == CHECK_UNITS_COLD) {
        schedule->timed_ms = rb_clock_ms();
    }
}

static struct lane *free_lane(struct rb_schedule *schedule)
{
    size_t n_busy = 0;
    for (size_t i = 0; i < schedule->n_lanes; i++) {
        n_busy += schedule->lanes[i].stream != NULL ? 1 : 0;
    }
    for (size_t i = 0; i < schedule->n_lanes && n_busy < lanes_wanted(schedule); i++) {
        if (schedule->lanes[i].stream == NULL && !schedule->lanes[i].is_out) {
            return &schedule->lanes[i];
        }
    }
    return NULL;
}

static int write_unit(const struct rb_run *run, const struct rb_stream_run *stream, size_t unit,
                      size_t lane, struct rb_buf *ret)
{
    struct rb_json json;
    rb_json_init(&json, ret);
    rb_json_begin_object(&json);
    rb_json_member_u64(&json, "lane", lane);
    rb_json_key(&json, "source");
    rb_run_write_context(run, stream, &json, RB_ROLE_SOURCE, unit);
    rb_json_key(&json, "transforms");
    rb_json_begin_array(&json);
    for (size_t i = 0; i < run->pipeline->n_transforms; i++) {
        rb_run_write_context(run, stream, &json, RB_ROLE_TRANSFORM, unit);
    }
    rb_json_end_array(&json);
    rb_json_key(&json, "destination");
    rb_run_write_context(run, stream, &json, RB_ROLE_DESTINATION, unit);
    rb_json_end_object(&json);
    return rb_json_finish(&json);
}

static int start_unit(struct rb_schedule *schedule, struct lane *lane, struct rb_stream_run *stream,
                      struct rb_error *err)
{
    struct rb_run *run = schedule->run;
    struct rb_stream_report *report = stream->report;
    if (report->outcome == RB_OUTCOME_NOT_STARTED) {
        report->outcome = RB_OUTCOME_RUNNING;
        report->started_unix_us = rb_clock_unix_us();
    }
    bool returned = stream->n_returned > 0;
    size_t unit = returned ? stream->returned[stream->n_returned - 1] : stream->next_unit;
    if (!returned && unit == 0) {
        report->attempts++;
        rb_buf_clear(&stream->units_json);
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(RB_RUN_JSON_MAX);
    int status = write_unit(run, stream, unit, (size_t)(lane - schedule->lanes), &text);
    if (status != 0) {
        return rb_error_set(err, status, "UNIT", "writing a unit of stream '%s'",
                            stream->stream->name);
    }
    status = RB_FAULT(UNIT_POST, err);
    status = status != 0
                 ? status
                 : rb_session_post_unit(run->session, rb_buf_str(&text), text.len, &lane->id, err);
    if (status != 0) {
        return status;
    }
    stream->n_returned -= returned ? 1 : 0;
    stream->next_unit += returned ? 0 : 1;
    stream->units_running++;
    lane->stream = stream;
    lane->unit = unit;
    lane->progress = (struct rb_session_progress){.records_read = 0};
    rb_run_tell(run, stream);
    RB_FAULT_MARK(UNIT_POSTED);
    return RB_OK;
}

/* The report's counts: what ended units came to, and what the running ones have said. */
static void refresh(struct rb_schedule *schedule, struct rb_stream_run *stream)
{
    struct rb_session_progress sum = stream->done;
    for (size_t i = 0; i < schedule->n_lanes; i++) {
        const struct lane *lane = &schedule->lanes[i];
        if (lane->stream == stream) {
            sum.records_read += lane->progress.records_read;
            sum.bytes_read += lane->progress.bytes_read;
            sum.records_written += lane->progress.records_written;
            sum.bytes_written += lane->progress.bytes_written;
        }
    }
    stream->report->records_read = sum.records_read;
    stream->report->bytes_read = sum.bytes_read;
    stream->report->records_written = sum.records_written;
    stream->report->bytes_written = sum.bytes_written;
}

/* Nothing of the stream is on its way any more: counts and timings of the failed try are dropped.
 */
static void put_back(struct rb_run *run, struct rb_stream_run *stream, int64_t delay_ms)
{
    struct rb_stream_report *report = stream->report;
    stream->retry_at_ms = rb_clock_ms() + delay_ms;
    stream->next_unit = 0;
    stream->n_returned = 0;
    stream->units_done = 0;
    stream->has_error = false;
    stream->done = stream->kept;
    report->records_skipped = report->batches = report->batch_bytes = 0;
    report->compressed_bytes = 0;
    refresh(run->schedule, stream);
    rb_run_tell(run, stream);
}

/* Starts the stream over, as far as the connectors' receipts allow. */
static void start_over(struct rb_run *run, struct rb_stream_run *stream,
                       const struct rb_fault *fault)
{
    struct rb_stream_report *report = stream->report;
    run->random = run->random * 1664525U + 1013904223U;
    int64_t delay_ms = rb_retry_delay_ms(&fault->error, report->attempts, run->random >> 8);
    rb_run_note(run, "stream '%s': attempt %d failed (%s: %s); trying again in %.1f s",
                stream->stream->name, report->attempts, rb_fault_side_name(fault->side),
                fault->error.message, (double)delay_ms / 1000.0);
    run->report->retries++;
    put_back(run, stream, delay_ms);
}

static bool is_snapshot_gone(const struct rb_stream_run *stream)
{
    return strcmp(stream->report->fault.error.code, "SNAPSHOT_GONE") == 0;
}

/* The snapshot is not there any more, or does not show the table any more: under a new one the
 * stream begins as if it had not begun, which is no attempt. */
static bool read_under_another(struct rb_run *run, struct rb_stream_run *stream)
{
    if (!is_snapshot_gone(stream) || stream->snapshots_lost == SNAPSHOTS_LOST_MAX) {
        return false;
    }
    const struct rb_error *error = &stream->report->fault.error;
    int64_t delay_ms = stream->snapshots_lost == 0 ? 0 : rb_retry_delay_ms(error, 1, run->random);
    stream->snapshots_lost++;
    stream->plan_again = true;
    stream->report->attempts--;
    rb_run_note(run, "%s; it is read under a new one", error->message);
    put_back(run, stream, delay_ms);
    return true;
}

/* Others have the table locked. Their lock is waited for without a lane, so that the other streams
 * have their turn; when timeouts.lock is over, that was an attempt. */
static bool wait_for_table(struct rb_run *run, struct rb_stream_run *stream)
{
    const struct rb_error *error = &stream->report->fault.error;
    int64_t now = rb_clock_ms(), limit_ms = run->pipeline->timeouts.lock_ms;
    /* A check only says so. */
    if (strcmp(error->code, "TABLE_LOCKED") != 0 || run->dry) {
        return false;
    }
    if (stream->locked_since_ms == 0) {
        stream->locked_since_ms = now;
        rb_run_note(run, "%s; the stream waits", error->message);
    } else if (limit_ms > 0 && now - stream->locked_since_ms >= limit_ms) {
        stream->locked_since_ms = 0;
        return false;
    }
    stream->report->attempts--;
    put_back(run, stream, LOCKED_PAUSE_MS);
    return true;
}

static void unit_failed(struct rb_schedule *schedule, struct rb_stream_run *stream,
                        const struct rb_fault *fault)
{
    struct rb_run *run = schedule->run;
    schedule->any_failed = true;
    if (!stream->has_error) {
        stream->has_error = true;
        stream->report->fault = *fault;
    }
    if (stream->units_running > 0) {
        return;
    }
    bool goes_on = !rb_session_is_stopped(run->session);
    bool is_whole = goes_on && stream->n_units == 1;
    if ((goes_on && read_under_another(run, stream)) || (is_whole && wait_for_table(run, stream))) {
        return;
    }
    const struct rb_error *error = &stream->report->fault.error;
    /* What the units of a divided stream have committed is in staging, of this snapshot and attempt
     * alone: under another all are read again. A failure of another kind is the next run's. */
    bool is_locked = run->dry && strcmp(error->code, "TABLE_LOCKED") == 0;
    bool again = is_whole && !is_locked && rb_retry_allowed(error) &&
                 stream->report->attempts <= run->pipeline->resources.max_retries;
    if (again) {
        /* A session that failed takes its snapshot along. */
        stream->plan_again = is_snapshot_gone(stream) || (run->one_source && run->source_plans);
        start_over(run, stream, &stream->report->fault);
        return;
    }
    if (rb_lock_is_lost(error) && !schedule->is_lost) {
        schedule->is_lost = true;
        schedule->lost = *error;
    }
    stream->done = stream->kept;
    refresh(schedule, stream);
    if (stream->kept.records_written > 0) {
        rb_run_note(run,
                    "stream '%s': %lld rows up to its last checkpoint are committed; the next run "
                    "goes on behind them",
                    stream->stream->name, (long long)stream->kept.records_written);
    }
    enum rb_fault_side side = stream->report->fault.side;
    struct rb_error final = *error;
    rb_run_stream_fail(run, stream, side, &final);
}

static size_t count_lanes(const struct rb_schedule *schedule)
{
    size_t n = 0;
    for (size_t i = 0; i < schedule->n_lanes; i++) {
        n += schedule->lanes[i].is_out ? 0 : 1;
    }
    return n;
}

/* A server lets this lane's connection in no more (a role's or a database's limit, max_connections,
 * a pooler's): the lanes that have theirs take the unit, which has not begun. The last lane's
 * failure is one. */
static bool give_back(struct rb_schedule *schedule, struct lane *lane, struct rb_stream_run *stream,
                      const struct rb_fault *fault)
{
    struct rb_run *run = schedule->run;
    if (strcmp(fault->error.code, "TOO_MANY_CONNECTIONS") != 0 || stream->has_error ||
        rb_session_is_stopped(run->session) || count_lanes(schedule) < 2) {
        return false;
    }
    lane->is_out = true;
    rb_run_note(run, "%s: %s; the run goes on with %zu lanes", rb_fault_side_name(fault->side),
                fault->error.message, count_lanes(schedule));
    stream->returned[stream->n_returned++] = lane->unit;
    if (stream->n_units == 1) {
        stream->report->attempts--;
        stream->n_returned = 0;
        put_back(run, stream, 0);
    }
    return true;
}

static void end_unit(struct rb_schedule *schedule, struct lane *lane, const struct rb_buf *payload)
{
    struct rb_stream_run *stream = lane->stream;
    struct rb_stream_report *report = stream->report;
    lane->stream = NULL;
    stream->units_running--;
    /* The connectors' summaries count; what was said on the way only showed progress. */
    report->records_read = stream->done.records_read;
    report->bytes_read = stream->done.bytes_read;
    report->records_written = stream->done.records_written;
    report->bytes_written = stream->done.bytes_written;
    struct rb_fault fault;
    memset(&fault, 0, sizeof fault);
    bool failed = rb_run_take_result(schedule->run, stream, lane->unit, payload, &fault) != 0;
    stream->done = (struct rb_session_progress){
        .records_read = report->records_read,
        .bytes_read = report->bytes_read,
        .records_written = report->records_written,
        .bytes_written = report->bytes_written,
    };
    refresh(schedule, stream);
    stream->units_done += failed ? 0 : 1;
    if (failed && give_back(schedule, lane, stream, &fault)) {
        return;
    }
    if (failed || stream->has_error) {
        unit_failed(schedule, stream, &fault);
    } else if (stream->units_done == stream->n_units) {
        rb_run_stream_finish(schedule->run, stream);
    }
}

static struct lane *lane_of(struct rb_schedule *schedule, uint64_t id)
{
    for (size_t i = 0; i < schedule->n_lanes; i++) {
        if (schedule->lanes[i].stream != NULL && schedule->lanes[i].id == id) {
            return &schedule->lanes[i];
        }
    }
    return NULL;
}

void rb_run_progress(void *user, uint64_t id, const struct rb_session_progress *progress)
{
    struct rb_run *run = user;
    struct lane *lane = run->schedule == NULL ? NULL : lane_of(run->schedule, id);
    if (lane != NULL) {
        lane->progress = *progress;
        lane->stream->report->phase[0] = 0; /* rows move again */
        refresh(run->schedule, lane->stream);
        rb_run_tell(run, lane->stream);
    }
}

void rb_run_stream_phase(struct rb_run *run, struct rb_stream_run *stream, const char *what)
{
    struct rb_stream_report *report = stream->report;
    snprintf(report->phase, sizeof report->phase, "%s", what != NULL ? what : "");
    report->phase_unix_us = rb_clock_unix_us();
    rb_run_tell(run, stream);
}

void rb_run_phase(void *user, uint64_t id, const char *what)
{
    struct rb_run *run = user;
    struct lane *lane = run->schedule == NULL ? NULL : lane_of(run->schedule, id);
    if (lane != NULL) {
        rb_run_stream_phase(run, lane->stream, what);
    }
}

/* So much of the stream is committed and stays, whatever comes: the next attempt goes on behind it.
 * The state follows; should it fail to, the next run takes it from the ledger. */
void rb_run_checkpoint(void *user, uint64_t id, const char *json, size_t len)
{
    struct rb_run *run = user;
    struct lane *lane = run->schedule == NULL ? NULL : lane_of(run->schedule, id);
    yyjson_doc *doc = yyjson_read(json, len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    int64_t parts = rb_view_count(root, "parts");
    struct rb_stream_run *stream = lane != NULL ? lane->stream : NULL;
    if (stream != NULL && parts > stream->parts && rb_run_adopt(stream, json, len) == 0) {
        int64_t rows = rb_view_count(root, "records_processed");
        int64_t bytes = rb_view_count(root, "bytes_processed");
        stream->parts = parts;
        stream->kept.records_read += rows;
        stream->kept.records_written += rows;
        stream->kept.bytes_read += bytes;
        stream->kept.bytes_written += bytes;
        (void)rb_state_checkpoint_put(run->state, run->pipeline->name, stream->stream->name,
                                      run->report->load_id, stream->stream->cursor_field, NULL,
                                      json, NULL);
    }
    yyjson_doc_free(doc);
}

/* The server that is to give a new snapshot is not there yet: one more failed attempt of the
 * streams that need it. */
static void plan_later(struct rb_run *run, const struct rb_fault *fault)
{
    for (size_t i = 0; i < run->n_streams; i++) {
        struct rb_stream_run *stream = &run->streams[i];
        if (!is_open(stream) || !stream->plan_again) {
            continue;
        }
        stream->report->attempts++;
        if (stream->report->attempts <= run->pipeline->resources.max_retries) {
            start_over(run, stream, fault);
        } else {
            rb_run_stream_fail(run, stream, fault->side, &fault->error);
        }
    }
}

/* A new snapshot for the streams that have not begun, when a source says that the old one is gone.
 */
static int plan_again(struct rb_schedule *schedule, struct rb_error *err)
{
    struct rb_run *run = schedule->run;
    bool wanted = false, is_gone = false;
    for (size_t i = schedule->first; schedule->any_failed && i < run->n_streams; i++) {
        const struct rb_stream_run *stream = &run->streams[i];
        if (is_open(stream) && stream->plan_again) {
            wanted = true;
            is_gone |= is_snapshot_gone(stream);
        }
    }
    schedule->any_failed = wanted;
    if (!wanted) {
        return RB_OK;
    }
    if (is_gone) {
        rb_run_note(
            run, "the source's snapshot is gone; what has not been loaded is read under a new one");
    }
    struct rb_fault fault = {.side = RB_FAULT_SOURCE};
    rb_error_clear(&fault.error);
    int status =
        rb_session_call(run->session, RB_ROLE_SOURCE, 0, "rb_close", NULL, 0, NULL, &fault.error);
    status = status != 0 ? status : rb_run_plan(run, &fault.error);
    if (status != 0 && rb_retry_allowed(&fault.error) && !rb_session_is_stopped(run->session) &&
        !rb_session_is_dead(run->session)) {
        plan_later(run, &fault);
        return RB_OK;
    }
    if (status != 0 && err != NULL) {
        *err = fault.error;
    }
    return status;
}

static bool is_busy(const struct rb_schedule *schedule)
{
    size_t i = 0;
    while (i < schedule->n_lanes && schedule->lanes[i].stream == NULL) {
        i++;
    }
    return i < schedule->n_lanes;
}

/* Without the pipeline's lock what has begun comes to its own end, since the claim on the load
 * keeps it from being committed beside another run's, and nothing else begins. */
static int end_lost(const struct rb_schedule *schedule, struct rb_error *err)
{
    if (is_busy(schedule)) {
        return RB_OK;
    }
    if (err != NULL) {
        *err = schedule->lost;
    }
    return RB_ELOCKED;
}

static int start_units(struct rb_schedule *schedule, int64_t *ret_wake_ms, struct rb_error *err)
{
    struct lane *lane;
    *ret_wake_ms = 0;
    if (schedule->is_lost) {
        return end_lost(schedule, err);
    }
    while ((lane = free_lane(schedule)) != NULL) {
        struct rb_stream_run *stream = next_stream(schedule, ret_wake_ms);
        if (stream == NULL) {
            return RB_OK;
        }
        int status = plan_again(schedule, err);
        /* Planning may have found that the stream can't be read, or not yet. */
        if (status == 0 && is_open(stream) && !stream->plan_again) {
            status = start_unit(schedule, lane, stream, err);
        }
        if (status != 0) {
            return status;
        }
    }
    return RB_OK;
}

static bool any_open(struct rb_schedule *schedule)
{
    pass_ended(schedule);
    return schedule->first < schedule->run->n_streams;
}

/* Waits for its retry, with nothing of it on its way. */
static bool can_start_over(const struct rb_stream_run *stream)
{
    return stream->next_unit == 0 && stream->units_running == 0 && stream->units_done == 0;
}

/* The session can't go on: what runs now has failed with it, also between two of its units, whose
 * snapshot goes with the worker. What has not begun, or was to begin again, is left for another
 * session, unless there will be none. */
static void abandon_streams(struct rb_schedule *schedule, const struct rb_error *why)
{
    struct rb_run *run = schedule->run;
    for (size_t i = 0; i < schedule->n_lanes; i++) {
        schedule->lanes[i].stream = NULL;
    }
    for (size_t i = 0; i < run->n_streams; i++) {
        struct rb_stream_run *stream = &run->streams[i];
        if (stream->report->outcome != RB_OUTCOME_RUNNING) {
            continue;
        }
        if (rb_session_is_dead(run->session) && !rb_session_is_stopped(run->session) &&
            can_start_over(stream)) {
            stream->report->outcome = RB_OUTCOME_NOT_STARTED;
        } else if (stream->has_error) {
            struct rb_error first = stream->report->fault.error;
            rb_run_stream_fail(run, stream, stream->report->fault.side, &first);
        } else {
            rb_run_stream_fail(run, stream, RB_FAULT_ENGINE, why);
        }
    }
}

int rb_run_units(struct rb_run *run, struct rb_error *err)
{
    struct rb_schedule schedule = {.run = run, .any_failed = true};
    schedule.n_lanes = run->lanes < LANES_MAX ? (size_t)run->lanes : LANES_MAX;
    run->schedule = &schedule;
    int status = RB_OK;
    struct rb_error failure;
    rb_error_clear(&failure);
    while (status == 0 && any_open(&schedule)) {
        int64_t wake_ms;
        status = start_units(&schedule, &wake_ms, &failure);
        if (status != 0 || !any_open(&schedule)) {
            break;
        }
        int64_t now = rb_clock_ms();
        int64_t wait_ms = wake_ms == 0 ? -1 : (wake_ms > now ? wake_ms - now : 0);
        uint64_t id = 0;
        RB_CLEANUP(rb_buf_release) struct rb_buf payload = RB_BUF_INIT(RB_RUN_JSON_MAX);
        int got = rb_session_await_any(run->session, wait_ms, &id, &payload, &failure);
        struct lane *lane = got == 0 ? lane_of(&schedule, id) : NULL;
        if (lane != NULL) {
            RB_FAULT_MARK(UNIT_RESULT);
            count_ended(&schedule);
            end_unit(&schedule, lane, &payload);
        }
        status = got < 0 ? got : RB_OK;
    }
    /* Streams that came back cancelled have ended, too, but the run has not ended well. */
    status = status != 0 ? status : rb_session_check_stopped(run->session, &failure);
    if (status != 0) {
        abandon_streams(&schedule, &failure);
        if (err != NULL) {
            *err = failure;
        }
    }
    run->schedule = NULL;
    return status;
}
