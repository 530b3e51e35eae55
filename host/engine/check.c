/* `check` and `discover`: what can be known without moving a row. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/engine/run.h"
#include "host/engine/view.h"

enum { ITEMS_MAX = 256 * 1024, PIECE_BYTES = 128 * 1024 };

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

static void check_streams(struct rb_run *run, struct rb_check_report *report)
{
    struct rb_error error;
    rb_error_clear(&error);
    if (rb_run_plan(run, &error) != 0) {
        struct rb_check_item *item = add_item(report, "streams");
        fail_item(report, item, RB_FAULT_SOURCE, &error);
        return;
    }
    for (size_t i = 0; i < run->n_streams; i++) {
        const struct rb_stream_run *stream = &run->streams[i];
        struct rb_check_item *item = add_item(report, "stream %s", stream->stream->name);
        if (stream->report->outcome == RB_OUTCOME_FAILED) {
            fail_item(report, item, stream->report->fault.side, &stream->report->fault.error);
        } else if (run->source_plans) {
            snprintf(item->message, sizeof item->message, "can be read; %s, %s",
                     rb_sync_mode_name(stream->stream->sync_mode),
                     rb_write_mode_name(stream->stream->write_mode));
        } else {
            item->warning = true;
            snprintf(item->message, sizeof item->message,
                     "the source has no rb_plan: only a run shows whether the stream can be read");
        }
    }
}

/* Of the streams from *next on, as many as a connector's memory has room for. */
static int write_tables_request(const struct rb_run *run, size_t *next, struct rb_buf *ret)
{
    struct rb_json json;
    rb_json_init(&json, ret);
    rb_json_begin_object(&json);
    rb_json_key(&json, "streams");
    rb_json_begin_array(&json);
    for (; *next < run->n_streams && ret->len < PIECE_BYTES; (*next)++) {
        const struct rb_stream_run *stream = &run->streams[*next];
        if (stream->columns != NULL && stream->report->outcome != RB_OUTCOME_FAILED) {
            rb_run_write_context(run, stream, &json, RB_ROLE_DESTINATION, 0);
        }
    }
    rb_json_end_array(&json);
    rb_json_end_object(&json);
    return rb_json_finish(&json);
}

/* What the destination says of one stream's table. */
static void report_table(yyjson_val *table, struct rb_check_report *report)
{
    const char *name = rb_view_str(table, "stream_name");
    RB_CLEANUP(rb_view_text_free) char *text = rb_view_json(table, "error");
    yyjson_val *changes = yyjson_obj_get(table, "changes");
    struct rb_error error;
    rb_error_clear(&error);
    if (text != NULL && rb_link_error_decode(text, strlen(text), &error) == 0) {
        fail_item(report, add_item(report, "table of %s", name != NULL ? name : ""),
                  RB_FAULT_DESTINATION, &error);
        return;
    }
    if (yyjson_arr_size(changes) == 0) {
        return;
    }
    struct rb_check_item *item = add_item(report, "table of %s", name != NULL ? name : "");
    size_t at = (size_t)snprintf(item->message, sizeof item->message, "a run would ");
    size_t i, n;
    yyjson_val *change;
    yyjson_arr_foreach(changes, i, n, change)
    {
        const char *what = yyjson_get_str(change);
        if (what != NULL && at < sizeof item->message) {
            at += (size_t)snprintf(item->message + at, sizeof item->message - at, "%s%s",
                                   i > 0 ? ", " : "", what);
        }
    }
}

static bool check_some_tables(struct rb_run *run, struct rb_check_report *report, size_t *next)
{
    struct rb_error error;
    rb_error_clear(&error);
    RB_CLEANUP(rb_buf_release) struct rb_buf request = RB_BUF_INIT(RB_RUN_JSON_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf data = RB_BUF_INIT(RB_RUN_JSON_MAX);
    int status = write_tables_request(run, next, &request);
    status = status != 0 ? status
                         : rb_session_call(run->session, RB_ROLE_DESTINATION, 0, "rb_validate",
                                           rb_buf_str(&request), request.len, &data, &error);
    if (status != 0) {
        fail_item(report, add_item(report, "tables"), RB_FAULT_DESTINATION, &error);
        return false;
    }
    RB_CLEANUP(rb_view_free) yyjson_doc *doc = rb_view_parse(&data);
    size_t i, n;
    yyjson_val *table;
    yyjson_arr_foreach(yyjson_obj_get(yyjson_doc_get_root(doc), "streams"), i, n, table)
    {
        report_table(table, report);
    }
    return true;
}

/* A destination that says what it would do with its tables: nothing is altered. */
static void check_tables(struct rb_run *run, struct rb_check_report *report)
{
    size_t next = 0;
    while (next < run->n_streams && check_some_tables(run, report, &next)) {
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
        check_streams(run, report);
        if (destination_ok && run->source_plans) {
            check_tables(run, report);
        }
    }
    check_delivery(run, report);
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

int rb_engine_discover(const struct rb_pipeline *pipeline, const struct rb_engine_options *options,
                       const struct rb_observer *observer, struct rb_buf *ret_catalog,
                       struct rb_fault *fault)
{
    struct rb_run_report scratch;
    memset(&scratch, 0, sizeof scratch);
    struct rb_run run;
    rb_error_clear(&fault->error);
    fault->side = RB_FAULT_ENGINE;
    int status = rb_run_init(&run, pipeline, options, observer, &scratch, &fault->error);
    status = status != 0 ? status : rb_run_start_session(&run, &fault->error);
    if (status == 0) {
        fault->side = RB_FAULT_SOURCE;
        status = rb_run_open_one(&run, &pipeline->source, 0, &fault->error);
    }
    status = status != 0 ? status
                         : rb_session_call(run.session, RB_ROLE_SOURCE, 0, "rb_discover", NULL, 0,
                                           ret_catalog, &fault->error);
    if (run.session != NULL && rb_session_is_stopped(run.session)) {
        fault->side = RB_FAULT_ENGINE;
    }
    rb_session_end(run.session, NULL);
    rb_run_release(&run);
    rb_run_report_release(&scratch);
    return status;
}
