/* `check` and `discover`: what can be known without moving a row. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/config/parallelism.h"
#include "host/engine/run.h"
#include "host/engine/view.h"

enum { ITEMS_MAX = 256 * 1024 };

static struct rb_check_item *add_item(struct rb_check_report *report, const char *fmt, ...)
    RB_PRINTF(2, 3);

static struct rb_check_item *add_item(struct rb_check_report *report, const char *fmt, ...)
{
    static struct rb_check_item lost; /* out of memory: the report's exit code still tells */
    struct rb_check_item *items =
        report->n_items >= ITEMS_MAX
            ? NULL
            : realloc(report->items, (report->n_items + 1) * sizeof *items);
    if (items == NULL) {
        report->exit_code = RB_EXIT_INTERNAL;
        return &lost;
    }
    report->items = items;
    struct rb_check_item *item = &items[report->n_items++];
    memset(item, 0, sizeof *item);
    item->ok = true;
    va_list args;
    va_start(args, fmt);
    vsnprintf(item->what, sizeof item->what, fmt, args);
    va_end(args);
    return item;
}

static void fail_item(struct rb_check_report *report, struct rb_check_item *item,
                      enum rb_fault_side side, const struct rb_error *error)
{
    item->ok = false;
    item->fault.side = side;
    item->fault.error = *error;
    snprintf(item->message, sizeof item->message, "%s", error->message);
    if (report->exit_code == RB_EXIT_OK) {
        report->exit_code = rb_fault_exit_code(&item->fault);
    }
}

static void check_state(struct rb_run *run, struct rb_check_report *report)
{
    struct rb_error error;
    rb_error_clear(&error);
    struct rb_check_item *item = add_item(report, "state");
    int status = rb_state_open(run->pipeline->state_path, &run->state, &error);
    status = status != 0 ? status : rb_state_probe(run->state, &error);
    status = status != 0 ? status : rb_state_look_at_lock(run->state, run->pipeline->name, &error);
    if (status != 0) {
        fail_item(report, item, RB_FAULT_ENGINE, &error);
        return;
    }
    snprintf(item->message, sizeof item->message, "%s can be written", run->pipeline->state_path);
}

/* rb_validate's answer: status and message. */
static void check_connector(struct rb_run *run, const struct rb_connector_use *use, size_t index,
                            struct rb_check_report *report)
{
    struct rb_error error;
    rb_error_clear(&error);
    struct rb_check_item *item = add_item(report, "%s %s", rb_role_name(use->role), use->use);
    RB_CLEANUP(rb_buf_release) struct rb_buf data = RB_BUF_INIT(RB_RUN_JSON_MAX);
    int status =
        rb_session_call(run->session, use->role, index, "rb_validate", NULL, 0, &data, &error);
    if (status != 0) {
        fail_item(report, item, rb_run_side_of(use->role), &error);
        return;
    }
    RB_CLEANUP(rb_view_free) yyjson_doc *doc = rb_view_parse(&data);
    yyjson_val *root = yyjson_doc_get_root(doc);
    const char *verdict = rb_view_str(root, "status");
    const char *message = rb_view_str(root, "message");
    snprintf(item->message, sizeof item->message, "%s", message != NULL ? message : "");
    item->warning = verdict != NULL && strcmp(verdict, "warning") == 0;
    if (verdict != NULL && strcmp(verdict, "failed") == 0) {
        rb_error_set(&error, RB_EDB, "VALIDATION_FAILED", "%s",
                     message != NULL ? message : "the connector refused its configuration");
        fail_item(report, item, rb_run_side_of(use->role), &error);
    }
}

/* What the patterns come to. */
static bool check_patterns(struct rb_run *run, struct rb_check_report *report)
{
    if (run->pipeline->n_patterns == 0) {
        return true;
    }
    struct rb_error error;
    rb_error_clear(&error);
    struct rb_check_item *item = add_item(report, "patterns");
    enum rb_fault_side side = RB_FAULT_SOURCE;
    if (rb_run_expand(run, &side, &error) != 0) {
        fail_item(report, item, side, &error);
        return false;
    }
    snprintf(item->message, sizeof item->message, "with the streams that are named, %zu streams",
             run->n_streams);
    return true;
}

/* The texts of a JSON array, with commas in between, behind what the message says already. False:
 * there are none. */
static bool append_texts(struct rb_check_item *item, const char *before, const char *json)
{
    RB_CLEANUP(rb_view_free)
    yyjson_doc *doc = json != NULL ? yyjson_read(json, strlen(json), 0) : NULL;
    yyjson_val *texts = yyjson_doc_get_root(doc);
    size_t at = strlen(item->message);
    size_t i, n;
    yyjson_val *text;
    yyjson_arr_foreach(texts, i, n, text)
    {
        if (yyjson_is_str(text) && at < sizeof item->message) {
            at += (size_t)snprintf(item->message + at, sizeof item->message - at, "%s%s",
                                   i > 0 ? ", " : before, yyjson_get_str(text));
        }
    }
    return yyjson_arr_size(texts) > 0;
}

/* What a run would alter of the stream's table. */
static void report_changes(const struct rb_stream_run *stream, struct rb_check_report *report)
{
    struct rb_check_item changes = {.ok = true};
    if (append_texts(&changes, "a run would ", stream->changes)) {
        struct rb_check_item *item = add_item(report, "table of %s", stream->stream->name);
        memcpy(item->message, changes.message, sizeof item->message);
    }
}

static void report_readable(const struct rb_run *run, const struct rb_stream_run *stream,
                            struct rb_check_report *report)
{
    struct rb_check_item *item = add_item(report, "stream %s", stream->stream->name);
    if (run->source_plans) {
        snprintf(item->message, sizeof item->message, "can be read; %s, %s",
                 rb_sync_mode_name(stream->stream->sync_mode),
                 rb_write_mode_name(stream->stream->write_mode));
        item->warning = append_texts(item, "; ", stream->notes);
    } else {
        item->warning = true;
        snprintf(item->message, sizeof item->message,
                 "the source has no rb_plan: only a run shows whether the stream can be read");
    }
}

/* What the ledger has of a load that a run would go on with, or of its streams. */
static void report_loaded(const struct rb_stream_run *stream, struct rb_check_report *report)
{
    struct rb_check_item *item = add_item(report, "stream %s", stream->stream->name);
    snprintf(item->message, sizeof item->message, "already loaded: a run leaves it as it is");
}

static void report_stream(const struct rb_run *run, const struct rb_stream_run *stream,
                          struct rb_check_report *report)
{
    const struct rb_fault *fault = &stream->report->fault;
    bool failed = stream->report->outcome == RB_OUTCOME_FAILED ||
                  stream->report->outcome == RB_OUTCOME_CANCELLED;
    bool readable = !failed || fault->side == RB_FAULT_DESTINATION;
    if (failed && strcmp(fault->error.code, "TABLE_LOCKED") == 0) {
        struct rb_check_item *item = add_item(report, "stream %s", stream->stream->name);
        item->warning = true;
        snprintf(item->message, sizeof item->message, "%.900s; a run waits for it",
                 fault->error.message);
        return;
    }
    if (stream->report->outcome == RB_OUTCOME_ALREADY_LOADED) {
        report_loaded(stream, report);
        return;
    }
    if (readable) {
        report_readable(run, stream, report);
    }
    if (failed) {
        fail_item(report,
                  add_item(report, readable ? "table of %s" : "stream %s", stream->stream->name),
                  fault->side, &fault->error);
    } else {
        report_changes(stream, report);
    }
}

static void take_note(void *user, const char *text)
{
    struct rb_check_item *item = add_item(user, "load");
    item->warning = true;
    snprintf(item->message, sizeof item->message, "%s", text);
}

/* The load as a run would begin it: the ledger is looked at. False: a run would not begin. */
static bool check_load(struct rb_run *run, struct rb_check_report *report)
{
    struct rb_error error;
    rb_error_clear(&error);
    enum rb_fault_side side = RB_FAULT_ENGINE;
    const struct rb_observer *observer = run->observer;
    const struct rb_observer notes = {.note = take_note, .user = report};
    run->observer = &notes;
    int status = rb_run_plan_early(run, &side, &error);
    status = status != 0 ? status : rb_run_begin(run, &side, &error);
    run->observer = observer;
    if (status != 0) {
        fail_item(report, add_item(report, "load"), side, &error);
    }
    return status == 0;
}

static bool is_left(const struct rb_run *run)
{
    size_t i = 0;
    while (i < run->n_streams && run->streams[i].report->outcome != RB_OUTCOME_NOT_STARTED) {
        i++;
    }
    return i < run->n_streams;
}

/* As far as a run gets: the load, the plan, and then of each stream a unit that reads no row and is
 * undone. */
static void check_streams(struct rb_run *run, bool destination_ok, struct rb_check_report *report)
{
    struct rb_error error;
    rb_error_clear(&error);
    bool goes_on = destination_ok && run->dry_runs;
    if (goes_on && run->state != NULL && !check_load(run, report)) {
        return;
    }
    if (is_left(run) && rb_run_plan(run, &error) != 0) {
        fail_item(report, add_item(report, "streams"), RB_FAULT_SOURCE, &error);
        return;
    }
    if (goes_on && rb_run_units(run, &error) != 0) {
        fail_item(report, add_item(report, "streams"), RB_FAULT_ENGINE, &error);
    }
    for (size_t i = 0; i < run->n_streams; i++) {
        report_stream(run, &run->streams[i], report);
    }
}

static void check_delivery(struct rb_run *run, struct rb_check_report *report)
{
    struct rb_check_item *item = add_item(report, "delivery");
    item->warning = !run->report->exactly_once;
    snprintf(
        item->message, sizeof item->message, "%s",
        run->report->exactly_once
            ? "exactly once"
            : "at least once: a connector lacks rb_plan or the ledger (rb_begin, rb_publish), so a "
              "run that fails may leave rows that the next one writes again");
}

static void check_sandbox(struct rb_run *run, struct rb_check_report *report)
{
    const struct rb_ready *ready = rb_session_ready(run->session);
    struct rb_check_item *item = add_item(report, "sandbox");
    item->warning = !ready->is_whole;
    snprintf(item->message, sizeof item->message, "%s", ready->sandbox);
}

static void check_session(struct rb_run *run, struct rb_check_report *report)
{
    struct rb_error error;
    rb_error_clear(&error);
    enum rb_fault_side side = RB_FAULT_ENGINE;
    run->sandbox_told = true; /* it has a line of its own */
    int status = rb_run_start_session(run, &error);
    if (status == 0) {
        check_sandbox(run, report);
        status = rb_run_open(run, &side, &error);
    }
    if (status != 0) {
        struct rb_check_item *item = add_item(report, "connectors");
        fail_item(report, item, side, &error);
        return;
    }
    check_connector(run, &run->pipeline->source, 0, report);
    bool source_ok = report->items == NULL || report->items[report->n_items - 1].ok;
    for (size_t i = 0; i < run->pipeline->n_transforms; i++) {
        check_connector(run, &run->pipeline->transforms[i], i, report);
    }
    check_connector(run, &run->pipeline->destination, 0, report);
    bool destination_ok = report->items == NULL || report->items[report->n_items - 1].ok;
    if (source_ok && check_patterns(run, report)) {
        check_streams(run, destination_ok, report);
    }
    check_delivery(run, report);
    struct rb_check_item *item = add_item(report, "scope");
    snprintf(
        item->message, sizeof item->message,
        "rows, columns and their types move, and indexes where 'indexes' says so; foreign "
        "keys, triggers, defaults, sequences, comments, grants and large objects of the source "
        "do not");
}

void rb_engine_check(const struct rb_pipeline *pipeline, const struct rb_engine_options *options,
                     const struct rb_observer *observer, struct rb_check_report *ret_report)
{
    memset(ret_report, 0, sizeof *ret_report);
    struct rb_run_report scratch;
    memset(&scratch, 0, sizeof scratch);
    struct rb_run run;
    struct rb_error error;
    rb_error_clear(&error);
    if (rb_run_init(&run, pipeline, options, observer, &scratch, &error) != 0) {
        struct rb_check_item *item = add_item(ret_report, "streams");
        fail_item(ret_report, item, RB_FAULT_ENGINE, &error);
    } else {
        run.dry = true;
        run.lanes = rb_parallelism_of_check(pipeline, run.lanes, rb_parallelism_processors());
        check_state(&run, ret_report);
        check_session(&run, ret_report);
    }
    /* What the operator stopped is nobody's failure. */
    if (run.session != NULL && rb_session_is_stopped(run.session)) {
        ret_report->exit_code = RB_EXIT_CANCELLED;
    }
    rb_session_end(run.session, NULL);
    rb_run_release(&run);
    rb_run_report_release(&scratch);
}
