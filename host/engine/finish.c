#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "host/engine/run.h"
#include "host/engine/view.h"

static void write_error(struct rb_json *json, struct rb_buf *ret, const struct rb_error *error)
{
    rb_json_init(json, ret);
    rb_json_error(json, error);
    (void)rb_json_finish(json);
}

static void write_timings(struct rb_buf *ret, const struct rb_stream_report *report)
{
    struct rb_json json;
    rb_json_init(&json, ret);
    rb_json_begin_object(&json);
    rb_json_member_double(&json, "secs", report->secs);
    rb_json_member_double(&json, "source_connect_secs", report->timings.source_connect);
    rb_json_member_double(&json, "source_query_secs", report->timings.source_query);
    rb_json_member_double(&json, "source_fetch_secs", report->timings.source_fetch);
    rb_json_member_double(&json, "source_encode_secs", report->timings.source_encode);
    rb_json_member_double(&json, "source_wait_secs", report->timings.source_wait);
    rb_json_member_double(&json, "destination_connect_secs", report->timings.destination_connect);
    rb_json_member_double(&json, "destination_decode_secs", report->timings.destination_decode);
    rb_json_member_double(&json, "destination_flush_secs", report->timings.destination_flush);
    rb_json_member_double(&json, "destination_commit_secs", report->timings.destination_commit);
    rb_json_member_double(&json, "destination_wait_secs", report->timings.destination_wait);
    rb_json_end_object(&json);
    (void)rb_json_finish(&json);
}

/* A checkpoint that holds a cursor: an empty one never replaces what is there. */
static bool has_cursor(const struct rb_buf *checkpoint)
{
    if (checkpoint->len == 0) {
        return false;
    }
    RB_CLEANUP(rb_view_free) yyjson_doc *doc = rb_view_parse(checkpoint);
    yyjson_val *value = yyjson_obj_get(yyjson_doc_get_root(doc), "cursor_value");
    return yyjson_is_obj(value);
}

void rb_run_stream_record(struct rb_run *run, struct rb_stream_run *stream)
{
    const struct rb_stream_report *report = stream->report;
    if (run->report->run_id == 0) {
        return; /* a check, which records nothing */
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf error = RB_BUF_INIT(RB_RUN_JSON_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf timings = RB_BUF_INIT(RB_RUN_JSON_MAX);
    struct rb_json json;
    bool failed = report->outcome == RB_OUTCOME_FAILED;
    if (failed) {
        write_error(&json, &error, &report->fault.error);
    }
    write_timings(&timings, report);
    bool moved = report->outcome == RB_OUTCOME_OK && has_cursor(&stream->new_checkpoint);
    struct rb_state_stream record = {
        .stream = stream->stream->name,
        .outcome = rb_outcome_name(report->outcome),
        .sync_mode = rb_sync_mode_name(stream->stream->sync_mode),
        .write_mode =
            rb_write_mode_name(rb_context_write_mode(stream->stream, run->options->full_refresh)),
        .records_read = report->records_read,
        .records_written = report->records_written,
        .records_skipped = report->records_skipped,
        .bytes_read = report->bytes_read,
        .bytes_written = report->bytes_written,
        .started_unix_us = report->started_unix_us,
        .ended_unix_us = report->ended_unix_us,
        .checksum = report->checksum[0] != 0 ? report->checksum : NULL,
        .timings_json = rb_buf_str(&timings),
        .error_json = failed ? rb_buf_str(&error) : NULL,
        .checkpoint_json = moved ? rb_buf_str(&stream->new_checkpoint) : NULL,
        .cursor_field = stream->stream->cursor_field,
    };
    struct rb_error failure;
    rb_error_clear(&failure);
    RB_FAULT_MARK(STREAM_RECORD);
    if (rb_state_stream_end(run->state, run->report->run_id, &record, &failure) != 0) {
        /* The destination has committed (or not), and its ledger knows; the next run takes it from
         * there. */
        rb_error_prefix(&failure, "recording stream '%s'", stream->stream->name);
        rb_run_fail(run, RB_FAULT_ENGINE, &failure);
    }
    RB_FAULT_MARK(STREAM_RECORDED);
}

static int write_publish(const struct rb_run *run, const struct rb_stream_run *stream,
                         struct rb_buf *ret)
{
    struct rb_json json;
    rb_json_init(&json, ret);
    rb_json_begin_object(&json);
    rb_json_member_str(&json, "load_id", run->report->load_id);
    rb_json_member_str(&json, "claim", run->claim);
    rb_json_member_str(&json, "pipeline", run->pipeline->name);
    rb_json_key(&json, "stream");
    if (stream == NULL) {
        rb_json_null(&json);
        rb_json_key(&json, "document_streams");
        rb_json_begin_array(&json);
        for (size_t i = 0; i < run->n_document_streams; i++) {
            rb_json_str(&json, run->document_streams[i].name);
        }
        rb_json_end_array(&json);
    } else {
        const struct rb_stream_report *report = stream->report;
        rb_run_write_context(run, stream, &json, RB_ROLE_DESTINATION, 0);
        rb_json_key(&json, "units");
        rb_json_begin_array(&json);
        rb_json_raw(&json, rb_buf_str(&stream->units_json), stream->units_json.len);
        rb_json_end_array(&json);
        rb_json_key(&json, "end");
        rb_json_begin_object(&json);
        rb_json_member_i64(&json, "records", report->records_read);
        rb_json_member_i64(&json, "bytes", report->bytes_read);
        rb_json_member_i64(&json, "batches", report->batches);
        rb_json_member_raw(&json, "checkpoint", rb_buf_str(&stream->new_checkpoint),
                           stream->new_checkpoint.len);
        rb_json_end_object(&json);
    }
    rb_json_end_object(&json);
    return rb_json_finish(&json);
}

/* `user`: the stream; NULL: the load ends. */
static int publish_once(struct rb_run *run, void *user, struct rb_error *err)
{
    const struct rb_stream_run *stream = user;
    RB_CLEANUP(rb_buf_release) struct rb_buf request = RB_BUF_INIT(RB_RUN_JSON_MAX);
    int status = write_publish(run, stream, &request);
    if (status != 0) {
        return rb_error_set(err, status, "PUBLISH", "writing the request of rb_publish");
    }
    return rb_session_call(run->session, RB_ROLE_DESTINATION, 0, "rb_publish", rb_buf_str(&request),
                           request.len, NULL, err);
}

static int publish(struct rb_run *run, struct rb_stream_run *stream, struct rb_error *err)
{
    char what[RB_ERROR_MESSAGE_MAX];
    snprintf(what, sizeof what, "publishing stream '%s'",
             stream != NULL ? stream->stream->name : "");
    return rb_run_again(run, stream != NULL ? what : "ending the load", publish_once, stream, err);
}

void rb_run_stream_finish(struct rb_run *run, struct rb_stream_run *stream)
{
    struct rb_error failure;
    rb_error_clear(&failure);
    int status = RB_OK;
    if (stream->n_units > 1 && !run->dry) {
        rb_run_stream_phase(run, stream, "publishing");
        status = RB_FAULT(PUBLISH_CALL, &failure);
        status = status != 0 ? status : publish(run, stream, &failure);
        status = status != 0 ? status : RB_FAULT(PUBLISH_ANSWERED, &failure);
    }
    if (status != 0) {
        rb_run_stream_fail(run, stream, RB_FAULT_DESTINATION, &failure);
        return;
    }
    stream->report->outcome = RB_OUTCOME_OK;
    stream->report->ended_unix_us = rb_clock_unix_us();
    stream->report->secs =
        (double)(stream->report->ended_unix_us - stream->report->started_unix_us) / 1e6;
    rb_run_stream_record(run, stream);
    rb_run_tell(run, stream);
}

int rb_run_end_load(struct rb_run *run, struct rb_error *err)
{
    if (!run->destination_ledgers || !run->begun) {
        return RB_OK;
    }
    int status = RB_FAULT(END_LOAD_CALL, err);
    status = status != 0 ? status : publish(run, NULL, err);
    return status != 0 ? status : RB_FAULT(END_LOAD_ANSWERED, err);
}
