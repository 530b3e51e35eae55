#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "host/engine/run.h"
#include "host/engine/view.h"

/* Milliseconds that the destination's clock and ours may differ over the length of a begin. */
enum { CLOCKS_DIFFER_MS = 10 };

static int write_request(const struct rb_run *run, struct rb_buf *ret)
{
    struct rb_json json;
    rb_json_init(&json, ret);
    rb_json_begin_object(&json);
    rb_json_member_str(&json, "load_id", run->report->load_id);
    rb_json_member_str(&json, "pipeline", run->pipeline->name);
    rb_json_key(&json, "streams");
    rb_json_begin_array(&json);
    for (size_t i = 0; i < run->n_streams; i++) {
        rb_run_write_context(run, &run->streams[i], &json, RB_ROLE_DESTINATION, 0);
    }
    rb_json_end_array(&json);
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
        int status = rb_state_checkpoint_put(run->state, run->pipeline->name, spec->name,
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

/* What an unfinished load has of an incremental stream can be neither read again without doubling
 * it nor taken for what
 * --full-refresh asks for. */
static int refuse_refresh(const struct rb_run *run, const struct rb_stream_run *stream,
                          struct rb_error *err)
{
    rb_error_set(err, RB_ECONFIG, "LOAD_UNFINISHED",
                 "stream '%s' stands in load %s, which did not end: --full-refresh would not read "
                 "it again",
                 stream->stream->name, run->report->load_id);
    rb_error_set_hint(err, "finish the load with a run without --full-refresh first");
    return RB_ECONFIG;
}

static int take_stream(struct rb_run *run, yyjson_val *info, struct rb_error *err)
{
    const char *name = rb_view_str(info, "stream_name");
    for (size_t i = 0; name != NULL && i < run->n_streams; i++) {
        struct rb_stream_run *stream = &run->streams[i];
        if (strcmp(stream->stream->name, name) != 0) {
            continue;
        }
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
        stream->parts = rb_view_count(info, "parts");
        if (!loaded && stream->parts > 0) {
            rb_run_note(run,
                        "stream '%s': %lld parts (%lld rows) of the load are committed; it goes on "
                        "behind them",
                        name, (long long)stream->parts, (long long)rb_view_count(info, "rows"));
        }
        if (loaded && stream->report->outcome == RB_OUTCOME_NOT_STARTED) {
            if (run->options->full_refresh && stream->stream->sync_mode == RB_SYNC_INCREMENTAL) {
                return refuse_refresh(run, stream, err);
            }
            stream->report->outcome = RB_OUTCOME_ALREADY_LOADED;
            stream->report->records_written = rb_view_count(info, "rows");
            stream->report->bytes_written = rb_view_count(info, "bytes");
            rb_run_stream_record(run, stream);
            rb_run_tell(run, stream);
        }
        return RB_OK;
    }
    return RB_OK;
}

static int take_answer(struct rb_run *run, const struct rb_buf *data, struct rb_error *err)
{
    RB_CLEANUP(rb_view_free) yyjson_doc *doc = rb_view_parse(data);
    yyjson_val *root = yyjson_doc_get_root(doc);
    const char *load_id = rb_view_str(root, "load_id");
    if (load_id == NULL || strlen(load_id) >= sizeof run->report->load_id) {
        return rb_error_set(err, RB_ECONNECTOR, "CONTRACT",
                            "rb_begin did not say which load to use");
    }
    snprintf(run->report->load_id, sizeof run->report->load_id, "%s", load_id);
    if (yyjson_is_true(yyjson_obj_get(root, "resumed"))) {
        run->report->resumed = true;
    }
    /* Of another engine, with a state of its own: it may have had a newer snapshot. */
    yyjson_val *ended = yyjson_obj_get(root, "ended_ms_ago");
    if (yyjson_is_int(ended) &&
        yyjson_get_sint(ended) <= rb_clock_ms() - run->planned_ms + CLOCKS_DIFFER_MS) {
        run->plan_stale = true;
    }
    int status = rb_state_run_set_load(run->state, run->report->run_id, load_id, err);
    size_t i, n;
    yyjson_val *item;
    yyjson_arr_foreach(yyjson_obj_get(root, "notes"), i, n, item)
    {
        if (yyjson_is_str(item)) {
            rb_run_note(run, "%s", yyjson_get_str(item));
        }
    }
    yyjson_arr_foreach(yyjson_obj_get(root, "streams"), i, n, item)
    {
        status = status != 0 ? status : take_stream(run, item, err);
    }
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
