#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/engine/run.h"
#include "host/engine/view.h"

static void take_source(struct rb_stream_report *report, const struct rb_stage_result *stage)
{
    RB_CLEANUP(rb_view_free) yyjson_doc *doc = rb_view_parse(&stage->data);
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *perf = yyjson_obj_get(root, "perf");
    report->records_read += rb_view_count(root, "records_read");
    report->bytes_read += rb_view_count(root, "bytes_read");
    report->records_skipped += rb_view_count(root, "records_skipped");
    report->timings.source_connect += rb_view_secs(perf, "connect_secs");
    report->timings.source_query += rb_view_secs(perf, "query_secs");
    report->timings.source_fetch += rb_view_secs(perf, "fetch_secs");
    report->timings.source_encode += rb_view_secs(perf, "encode_secs");
    report->timings.source_wait += stage->wait_secs;
}

static void take_destination(struct rb_stream_report *report, const struct rb_stage_result *stage)
{
    RB_CLEANUP(rb_view_free) yyjson_doc *doc = rb_view_parse(&stage->data);
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *perf = yyjson_obj_get(root, "perf");
    const char *checksum = rb_view_str(root, "checksum");
    report->records_written += rb_view_count(root, "records_written");
    report->bytes_written += rb_view_count(root, "bytes_written");
    report->records_skipped += rb_view_count(root, "records_failed");
    report->timings.destination_connect += rb_view_secs(perf, "connect_secs");
    report->timings.destination_decode += rb_view_secs(perf, "decode_secs");
    report->timings.destination_flush += rb_view_secs(perf, "flush_secs");
    report->timings.destination_commit += rb_view_secs(perf, "commit_secs");
    report->timings.destination_wait += stage->wait_secs;
    snprintf(report->checksum, sizeof report->checksum, "%s", checksum != NULL ? checksum : "");
}

static int add_published_unit(struct rb_stream_run *stream, size_t unit,
                              const struct rb_stage_result *destination)
{
    RB_CLEANUP(rb_view_free) yyjson_doc *doc = rb_view_parse(&destination->data);
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (stream->units_json.len > 0 && rb_buf_append_byte(&stream->units_json, ',') != 0) {
        return RB_ENOMEM;
    }
    struct rb_json json;
    rb_json_init(&json, &stream->units_json);
    rb_json_begin_object(&json);
    rb_json_member_u64(&json, "index", unit);
    rb_json_member_i64(&json, "rows", rb_view_count(root, "records_written"));
    rb_json_member_i64(&json, "bytes", rb_view_count(root, "bytes_written"));
    rb_json_member_str(&json, "checksum", rb_view_str(root, "checksum"));
    rb_json_end_object(&json);
    return rb_json_finish(&json);
}

static void take_instance(struct rb_stream_report *report, const struct rb_stage_result *stage)
{
    if (stage->instantiate_secs > 0) {
        report->timings.module_load += stage->load_secs;
        report->timings.instantiate += stage->instantiate_secs;
        report->timings.n_instances++;
    }
}

static enum rb_fault_side side_of(const struct rb_unit_result *result, size_t stage)
{
    if (stage == 0) {
        return RB_FAULT_SOURCE;
    }
    return stage + 1 == result->n_stages ? RB_FAULT_DESTINATION : RB_FAULT_TRANSFORM;
}

/* Of a dry run. */
static void take_changes(struct rb_stream_run *stream, const struct rb_stage_result *destination)
{
    RB_CLEANUP(rb_view_free) yyjson_doc *doc = rb_view_parse(&destination->data);
    free(stream->changes);
    stream->changes = rb_view_json(yyjson_doc_get_root(doc), "changes");
}

static void take_success(struct rb_stream_run *stream, const struct rb_unit_result *result)
{
    struct rb_stream_report *report = stream->report;
    take_source(report, &result->stages[0]);
    take_destination(report, &result->stages[result->n_stages - 1]);
    for (size_t i = 1; i + 1 < result->n_stages; i++) {
        report->timings.transform_run += result->stages[i].run_secs - result->stages[i].wait_secs;
    }
    report->batches += (int64_t)result->batches;
    report->batch_bytes += (int64_t)result->bytes;
    report->compressed_bytes += (int64_t)result->compressed_bytes;
}

int rb_run_take_result(const struct rb_run *run, struct rb_stream_run *stream, size_t unit,
                       const struct rb_buf *payload, struct rb_fault *ret_fault)
{
    RB_CLEANUP(rb_unit_result_release) struct rb_unit_result result;
    rb_unit_result_init(&result);
    struct rb_error *err = &ret_fault->error;
    ret_fault->side = RB_FAULT_ENGINE;
    /* A unit that could not even start is answered like a call. */
    if (rb_session_call_result(payload, NULL, err) != 0 ||
        rb_unit_result_decode(rb_buf_str(payload), payload->len, &result, err) != 0) {
        return 1;
    }
    for (size_t i = 0; i < result.n_stages; i++) {
        take_instance(stream->report, &result.stages[i]);
    }
    if (result.first_failed >= 0) {
        size_t failed = (size_t)result.first_failed;
        ret_fault->side = side_of(&result, failed);
        ret_fault->error = result.stages[failed].error;
        return 1;
    }
    if (result.n_stages < 2) {
        rb_error_set(err, RB_EPROTOCOL, "WORKER_PROTOCOL", "a unit's result lacks its stages");
        return 1;
    }
    take_success(stream, &result);
    if (run->dry) {
        take_changes(stream, &result.stages[result.n_stages - 1]);
    }
    if (result.source_checkpoint.len > 0) {
        rb_buf_clear(&stream->new_checkpoint);
        (void)rb_buf_append(&stream->new_checkpoint, result.source_checkpoint.data,
                            result.source_checkpoint.len);
    }
    if (add_published_unit(stream, unit, &result.stages[result.n_stages - 1]) != 0) {
        rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory");
        return 1;
    }
    return 0;
}
