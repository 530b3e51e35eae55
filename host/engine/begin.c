#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fault.h"
#include "host/engine/document.h"
#include "host/engine/run.h"
#include "host/engine/view.h"

/* Milliseconds that the destination's clock and ours may differ over the length of a begin. */
enum { CLOCKS_DIFFER_MS = 10, TIME_MAX = 64 };

/* An age in milliseconds; null: any. */
static void write_age(struct rb_json *json, const char *name, bool any, int64_t ms)
{
    if (any) {
        rb_json_key(json, name);
        rb_json_null(json);
    } else {
        rb_json_member_i64(json, name, ms);
    }
}

/* What becomes of loads that did not end. A load with a key appends whatever others have appended,
 * and leaves them to themselves; so does --new for its streams, and gives the others up where these
 * are all. */
static void write_ages(struct rb_json *json, const struct rb_run *run)
{
    const struct rb_engine_options *options = run->options;
    bool own = options->key != NULL || options->append_again;
    bool keep = options->append_never || options->key != NULL ||
                (options->append_again && options->only_streams != NULL);
    int64_t within_ms = run->pipeline->resume_within_ms;
    write_age(json, "keep_ms", keep, own ? -1 : within_ms);
    write_age(json, "skip_ms", options->append_never && !own, own ? -1 : within_ms);
}

static int write_request(const struct rb_run *run, struct rb_buf *ret)
{
    struct rb_json json;
    rb_json_init(&json, ret);
    rb_json_begin_object(&json);
    rb_json_member_str(&json, "load_id", run->claim);
    rb_json_member_str(&json, "claim", run->claim);
    rb_json_member_str(&json, "pipeline", run->pipeline->name);
    rb_json_member_str(&json, "key", run->options->key);
    write_ages(&json, run);
    rb_json_key(&json, "document");
    rb_document_write(&json, run->pipeline, run->options->full_refresh);
    rb_json_key(&json, "document_streams");
    rb_json_begin_array(&json);
    for (size_t i = 0; run->options->key != NULL && i < run->n_document_streams; i++) {
        rb_json_str(&json, run->document_streams[i].name);
    }
    rb_json_end_array(&json);
    rb_json_key(&json, "streams");
    rb_json_begin_array(&json);
    for (size_t i = 0; i < run->n_streams; i++) {
        rb_run_write_brief(run, &run->streams[i], &json);
    }
    rb_json_end_array(&json);
    if (run->dry) {
        rb_json_member_bool(&json, "dry_run", true);
    }
    rb_json_end_object(&json);
    return rb_json_finish(&json);
}

int rb_run_adopt(struct rb_stream_run *stream, const char *json, size_t len)
{
    rb_buf_clear(&stream->checkpoint);
    free(stream->last_value);
    free(stream->resume);
    stream->last_value = NULL;
    stream->resume = NULL;
    int status = rb_buf_append(&stream->checkpoint, json, len);
    if (status != 0) {
        return status;
    }
    RB_CLEANUP(rb_view_free) yyjson_doc *doc = rb_view_parse(&stream->checkpoint);
    yyjson_val *root = yyjson_doc_get_root(doc);
    stream->last_value = rb_view_json(root, "cursor_value");
    stream->resume = rb_view_json(root, "resume");
    return RB_OK;
}

/* Whether the state has the ledger's checkpoint: of the same load, and of the same part of it. */
static bool is_known(const struct rb_buf *known, const struct rb_buf *known_load,
                     const char *ledger, const char *ledger_load)
{
    if (ledger_load == NULL || strcmp(ledger_load, rb_buf_str(known_load)) != 0) {
        return false;
    }
    RB_CLEANUP(rb_view_free) yyjson_doc *a = rb_view_parse(known);
    RB_CLEANUP(rb_view_free) yyjson_doc *b = yyjson_read(ledger, strlen(ledger), 0);
    return yyjson_equals(yyjson_doc_get_root(a), yyjson_doc_get_root(b));
}

/* The ledger is the authority: what it says replaces what the state remembers. */
static int reconcile(struct rb_run *run, struct rb_stream_run *stream, yyjson_val *info,
                     struct rb_error *err)
{
    const struct rb_stream *spec = stream->stream;
    RB_CLEANUP(rb_view_text_free) char *ledger = rb_view_json(info, "checkpoint");
    RB_CLEANUP(rb_buf_release) struct rb_buf known = RB_BUF_INIT(RB_RUN_JSON_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf load = RB_BUF_INIT(RB_RUN_JSON_MAX);
    int got =
        rb_state_checkpoint_get(run->state, run->pipeline->name, spec->name, &known, &load, err);
    if (got < 0) {
        return got;
    }
    const char *ledger_load = rb_view_str(info, "checkpoint_load_id");
    if (ledger == NULL) {
        if (got == 0) {
            rb_run_note(
                run,
                "stream '%s': the destination's ledger knows no load of it, though the state "
                "does; the ledger wins, and the stream is read from its start",
                spec->name);
            run->plan_stale = true;
        }
        return rb_run_adopt(stream, "", 0);
    }
    if (got == 1 || !is_known(&known, &load, ledger, ledger_load)) {
        rb_run_note(run, "stream '%s': the cursor is taken from the destination's ledger%s",
                    spec->name, got == 1 ? "" : ", which is ahead of the state");
        run->plan_stale = true;
        int status = run->dry ? RB_OK
                              : rb_state_checkpoint_put(run->state, run->pipeline->name, spec->name,
                                                        ledger_load != NULL ? ledger_load : "",
                                                        spec->cursor_field, NULL, ledger, err);
        status = status != 0 ? status : RB_FAULT(CURSOR_TAKEN, err);
        if (status != 0) {
            return status;
        }
    }
    return rb_run_adopt(stream, ledger, strlen(ledger));
}

/* A cursor of another column says nothing of this one: rows would be skipped. */
static bool check_cursor_field(struct rb_run *run, struct rb_stream_run *stream)
{
    if (stream->checkpoint.len == 0 || run->options->full_refresh) {
        return true;
    }
    RB_CLEANUP(rb_view_free) yyjson_doc *doc = rb_view_parse(&stream->checkpoint);
    const char *kept = rb_view_str(yyjson_doc_get_root(doc), "cursor_field");
    const char *wanted = stream->stream->cursor_field;
    if (kept == NULL || wanted == NULL || strcmp(kept, wanted) == 0) {
        return true;
    }
    struct rb_error error;
    rb_error_set(&error, RB_ECONFIG, "CURSOR_FIELD_CHANGED",
                 "the cursor was kept for column '%s', and the document says cursor_field: %s",
                 kept, wanted);
    rb_error_set_hint(&error, "run with --full-refresh to read the stream from its start, or put "
                              "the column back");
    rb_run_stream_fail(run, stream, RB_FAULT_ENGINE, &error);
    return false;
}

static void stream_is_loaded(struct rb_run *run, struct rb_stream_run *stream, yyjson_val *by)
{
    stream->report->outcome = RB_OUTCOME_ALREADY_LOADED;
    stream->report->records_written = rb_view_count(by, "rows");
    stream->report->bytes_written = rb_view_count(by, "bytes");
    rb_run_stream_record(run, stream);
    rb_run_tell(run, stream);
}

/* "2026-11-30 02:00:05 +0100", in the machine's time zone. */
static const char *local_time(int64_t unix_ms, char ret[TIME_MAX])
{
    struct tm tm;
    time_t secs = (time_t)(unix_ms / 1000);
    if (localtime_r(&secs, &tm) == NULL ||
        strftime(ret, TIME_MAX, "%Y-%m-%d %H:%M:%S %z", &tm) == 0) {
        snprintf(ret, TIME_MAX, "%lld ms after 1970", (long long)unix_ms);
    }
    return ret;
}

/* What this run would load now, parsed, for earlier loads to be compared with. NULL: no memory. */
static yyjson_doc *own_document(const struct rb_run *run)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(RB_RUN_JSON_MAX);
    struct rb_json json;
    rb_json_init(&json, &text);
    rb_document_write(&json, run->pipeline, run->options->full_refresh);
    return rb_json_finish(&json) == 0 ? rb_view_parse(&text) : NULL;
}

/* What an unfinished load has appended is not appended again: the load goes on by this run. Of a
 * stream that has changed since it can't be said whether the rows are the same. */
static void leave_appended(struct rb_run *run, struct rb_stream_run *stream, yyjson_val *by,
                           yyjson_val *now)
{
    const char *load_id = rb_view_str(by, "load_id");
    const char *name = stream->stream->name;
    char began[TIME_MAX], path[RB_DOCUMENT_PATH_MAX];
    int64_t at_ms = rb_view_count(by, "started_ms");
    if (load_id == NULL) {
        return;
    }
    yyjson_val *then = yyjson_obj_get(by, "document");
    local_time(at_ms, began);
    if (yyjson_is_obj(then) && rb_document_stream_differs(then, now, name, path)) {
        struct rb_error error;
        rb_error_set(&error, RB_ECONFIG, "APPENDED_OTHERWISE",
                     "the load of %s (%s), which did not end, has appended it, and %s has changed "
                     "since",
                     began, load_id, path);
        rb_error_set_hint(&error,
                          "run with --new to append it as it is now, beside the rows that "
                          "are there; or rapidbyte state abandon, which gives that load up");
        rb_run_stream_fail(run, stream, RB_FAULT_ENGINE, &error);
        return;
    }
    snprintf(stream->report->loaded_by, sizeof stream->report->loaded_by, "%s", load_id);
    stream->report->loaded_unix_ms = at_ms;
    rb_run_note(run,
                "stream '%s': appended by the load of %s (%s), which did not end; not again "
                "(--new appends at once)",
                name, began, load_id);
    stream_is_loaded(run, stream, by);
}

static void go_on_after_parts(struct rb_run *run, struct rb_stream_run *stream, yyjson_val *info)
{
    stream->parts = rb_view_count(info, "parts");
    if (stream->parts > 0) {
        rb_run_note(run,
                    "stream '%s': %lld parts (%lld rows) of the load are committed; it goes on "
                    "after them",
                    stream->stream->name, (long long)stream->parts,
                    (long long)rb_view_count(info, "rows"));
    }
}

/* `at`: where it is looked for first, as a rule behind the last. */
static int take_stream(struct rb_run *run, yyjson_val *info, yyjson_val *now, size_t *at,
                       struct rb_error *err)
{
    const char *name = rb_view_str(info, "stream_name");
    size_t i = rb_run_find(run, name, *at);
    if (i == run->n_streams) {
        return RB_OK;
    }
    struct rb_stream_run *stream = &run->streams[i];
    *at = i + 1;
    if (stream->stream->sync_mode == RB_SYNC_INCREMENTAL) {
        int status = reconcile(run, stream, info, err);
        if (status != 0) {
            return status;
        }
        if (!check_cursor_field(run, stream)) {
            return RB_OK;
        }
    }
    bool loaded = yyjson_is_true(yyjson_obj_get(info, "loaded"));
    yyjson_val *appended = yyjson_obj_get(info, "appended_by");
    stream->parts = 0;
    if (stream->report->outcome != RB_OUTCOME_NOT_STARTED) {
        return RB_OK;
    }
    if (loaded) {
        stream_is_loaded(run, stream, info);
    } else if (rb_view_str(appended, "load_id") != NULL) {
        leave_appended(run, stream, appended, now);
    } else {
        go_on_after_parts(run, stream, info);
    }
    return RB_OK;
}

/* The load that the key names is of this document, and no other. */
static int check_document(const struct rb_run *run, yyjson_val *root, yyjson_val *now,
                          struct rb_error *err)
{
    char path[RB_DOCUMENT_PATH_MAX];
    yyjson_val *then = yyjson_obj_get(root, "document");
    if (run->options->key == NULL || !yyjson_is_obj(then) ||
        !rb_document_differs(then, now, path)) {
        return RB_OK;
    }
    rb_error_set(err, RB_ECONFIG, "KEY_OF_ANOTHER_DOCUMENT",
                 "the load with the key '%s' began with another document: %s has changed since",
                 run->options->key, path);
    rb_error_set_hint(err, "run with another key; or put the document back to finish that load, or "
                           "give it up: rapidbyte state abandon --key");
    return RB_ECONFIG;
}

static void tell_left(const struct rb_run *run, yyjson_val *root)
{
    size_t i, n;
    yyjson_val *item;
    yyjson_arr_foreach(yyjson_obj_get(root, "left"), i, n, item)
    {
        char began[TIME_MAX];
        const char *load_id = rb_view_str(item, "load_id");
        const char *streams = rb_view_str(item, "streams");
        if (yyjson_is_true(yyjson_obj_get(item, "given_up")) && load_id != NULL) {
            rb_run_note(run,
                        "the load of %s (%s) did not end and is given up; what it has appended "
                        "stays: %s",
                        local_time(rb_view_count(item, "started_ms"), began), load_id,
                        streams != NULL ? streams : "");
        }
    }
}

/* The load that the key names has ended: there is nothing to do. */
static void take_ended(struct rb_run *run)
{
    run->report->already_loaded = true;
    rb_run_note(run, "already loaded: the load with the key '%s' has ended (%s)",
                run->options->key != NULL ? run->options->key : "", run->report->load_id);
    for (size_t i = 0; i < run->n_streams; i++) {
        if (run->streams[i].report->outcome == RB_OUTCOME_NOT_STARTED) {
            stream_is_loaded(run, &run->streams[i], NULL);
        }
    }
}

static int take_load(struct rb_run *run, yyjson_val *root, yyjson_val *now, struct rb_error *err)
{
    const char *load_id = rb_view_str(root, "load_id");
    if (load_id == NULL || strlen(load_id) >= sizeof run->report->load_id) {
        return rb_error_set(err, RB_ECONNECTOR, "CONTRACT",
                            "rb_begin did not say which load to use");
    }
    snprintf(run->report->load_id, sizeof run->report->load_id, "%s", load_id);
    bool is_other = strcmp(load_id, run->claim) != 0;
    if (is_other && yyjson_is_true(yyjson_obj_get(root, "resumed"))) {
        run->report->resumed = true;
        rb_run_note(run, "load %s goes on, which the key '%s' names and which did not end", load_id,
                    run->options->key != NULL ? run->options->key : "");
    }
    if (run->options->append_never && run->options->key != NULL && !is_other) {
        rb_error_set(err, RB_ECONFIG, "NO_SUCH_LOAD",
                     "pipeline '%s' has no load with the key '%s' that could be resumed",
                     run->pipeline->name, run->options->key);
        rb_error_set_hint(err, "run without --resume to begin it");
        return RB_ECONFIG;
    }
    /* Of another engine, with a state of its own: it may have had a newer snapshot. */
    yyjson_val *ended = yyjson_obj_get(root, "ended_ms_ago");
    if (yyjson_is_int(ended) &&
        yyjson_get_sint(ended) <= rb_clock_ms() - run->planned_ms + CLOCKS_DIFFER_MS) {
        run->plan_stale = true;
    }
    int status =
        run->dry ? RB_OK : rb_state_run_set_load(run->state, run->report->run_id, load_id, err);
    return status != 0 ? status : check_document(run, root, now, err);
}

/* Of a check: what the destination gets back with a stream's unit. They come in the order of the
 * request. */
static void take_tables(struct rb_run *run, yyjson_val *tables)
{
    size_t at = 0, i, n;
    yyjson_val *item;
    yyjson_arr_foreach(tables, i, n, item)
    {
        size_t found = rb_run_find(run, rb_view_str(item, "stream_name"), at);
        if (run->dry && found < run->n_streams) {
            free(run->streams[found].table);
            run->streams[found].table = rb_view_json(item, "table");
            at = found + 1;
        }
    }
}

static int take_answer(struct rb_run *run, const struct rb_buf *data, struct rb_error *err)
{
    RB_CLEANUP(rb_view_free) yyjson_doc *doc = rb_view_parse(data);
    yyjson_val *root = yyjson_doc_get_root(doc);
    /* Only these are compared with it. */
    bool compares = run->options->key != NULL || yyjson_arr_size(yyjson_obj_get(root, "left")) > 0;
    RB_CLEANUP(rb_view_free) yyjson_doc *now = compares ? own_document(run) : NULL;
    int status = take_load(run, root, yyjson_doc_get_root(now), err);
    size_t i, n, at = 0;
    yyjson_val *item;
    if (status == 0 && yyjson_is_true(yyjson_obj_get(root, "ended"))) {
        take_ended(run);
        return RB_OK;
    }
    tell_left(run, root);
    yyjson_arr_foreach(yyjson_obj_get(root, "notes"), i, n, item)
    {
        if (yyjson_is_str(item)) {
            rb_run_note(run, "%s", yyjson_get_str(item));
        }
    }
    yyjson_arr_foreach(yyjson_obj_get(root, "streams"), i, n, item)
    {
        status = status != 0 ? status : take_stream(run, item, yyjson_doc_get_root(now), &at, err);
    }
    rb_run_take_order(run, yyjson_obj_get(root, "references"));
    take_tables(run, yyjson_obj_get(root, "tables"));
    run->begun = run->begun || status == 0;
    return status;
}

int rb_run_adopt_state(struct rb_run *run, struct rb_error *err)
{
    for (size_t i = 0; i < run->n_streams; i++) {
        struct rb_stream_run *stream = &run->streams[i];
        if (stream->stream->sync_mode != RB_SYNC_INCREMENTAL) {
            continue;
        }
        RB_CLEANUP(rb_buf_release) struct rb_buf known = RB_BUF_INIT(RB_RUN_JSON_MAX);
        RB_CLEANUP(rb_buf_release) struct rb_buf load = RB_BUF_INIT(RB_RUN_JSON_MAX);
        int got = rb_state_checkpoint_get(run->state, run->pipeline->name, stream->stream->name,
                                          &known, &load, err);
        int status =
            got < 0 ? got : rb_run_adopt(stream, rb_buf_str(&known), got == 0 ? known.len : 0);
        if (status < 0) {
            return status;
        }
    }
    return RB_OK;
}

int rb_run_begin(struct rb_run *run, enum rb_fault_side *ret_side, struct rb_error *err)
{
    *ret_side = RB_FAULT_ENGINE;
    if (!run->destination_ledgers) {
        return rb_run_adopt_state(run, err);
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf request = RB_BUF_INIT(RB_RUN_JSON_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf data = RB_BUF_INIT(RB_RUN_JSON_MAX);
    int status = write_request(run, &request);
    if (status != 0) {
        return rb_error_set(err, status, "BEGIN", "writing the request of rb_begin");
    }
    *ret_side = RB_FAULT_DESTINATION;
    status = RB_FAULT(BEGIN_CALL, err);
    status = status != 0 ? status
                         : rb_session_call(run->session, RB_ROLE_DESTINATION, 0, "rb_begin",
                                           rb_buf_str(&request), request.len, &data, err);
    status = status != 0 ? status : RB_FAULT(BEGIN_ANSWERED, err);
    if (status != 0) {
        return status;
    }
    *ret_side = RB_FAULT_ENGINE;
    return take_answer(run, &data, err);
}
