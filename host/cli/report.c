#include "host/cli/report.h"

#include <stdio.h>
#include <string.h>

#include "host/cli/fields.h"
#include "host/cli/out.h"
#include "host/cli/text.h"
#include "host/cli/version.h"

enum {
    JSON_MAX = 64 * 1024 * 1024,
    NAME_MAX_SHOWN = 160,
    LINE_MAX_BYTES = 512,
    GAP = 2,           /* before each field; not before the first of a line */
    OUTCOME_WIDTH = 7, /* so that all lines have the same columns, unless one has failed */
};

/* One line of the table, or its head where `report` is NULL. What does not fit a terminal is left
 * out by columns, so that all lines have the same. */
static void print_row(const struct rb_stream_report *report, int name_width, size_t columns)
{
    char name[NAME_MAX_SHOWN] = "stream", read[RB_TEXT_MAX] = "read";
    char written[RB_TEXT_MAX] = "written", bytes[RB_TEXT_MAX] = "bytes";
    char secs[RB_TEXT_MAX] = "time", rate[RB_TEXT_MAX] = "rows/s", line[LINE_MAX_BYTES];
    if (report != NULL) {
        double divisor = report->secs > 0.000001 ? report->secs : 0.000001;
        double per_sec = (double)report->records_written / divisor;
        snprintf(name, sizeof name, "%s", report->stream->name);
        rb_text_count(report->records_read, read);
        rb_text_count(report->records_written, written);
        rb_text_bytes((double)report->bytes_written, bytes);
        rb_text_secs(report->secs, secs);
        rb_text_count((int64_t)per_sec, rate);
        rate[0] = report->outcome == RB_OUTCOME_OK ? rate[0] : '-';
        rate[1] = report->outcome == RB_OUTCOME_OK ? rate[1] : 0;
    }
    struct rb_fields fields = {.n = 0};
    rb_fields_add(&fields, -name_width, 0, "%s", name);
    rb_fields_add(&fields, 11, 2, "%s", read);
    rb_fields_add(&fields, 11, 0, "%s", written);
    rb_fields_add(&fields, 9, 3, "%s", bytes);
    rb_fields_add(&fields, 10, 1, "%s", secs);
    rb_fields_add(&fields, 10, 4, "%s", rate);
    rb_fields_add(&fields, -OUTCOME_WIDTH, 0, "%s",
                  report != NULL ? rb_outcome_name(report->outcome) : "outcome");
    rb_fields_format(&fields, columns, line, sizeof line);
    rb_out_line(RB_OUT_ANSWER, "%s", line + GAP);
}

/* Rows that were read and are not in the table: nobody should have to look for that. */
static void print_left_out(const struct rb_stream_report *report)
{
    char count[RB_TEXT_MAX];
    if (report->outcome != RB_OUTCOME_OK || report->records_skipped == 0) {
        return;
    }
    rb_out_line(RB_OUT_ANSWER, "%s: %s rows were left out (on_data_error: %s)",
                report->stream->name, rb_text_count(report->records_skipped, count),
                rb_on_data_error_name(report->stream->on_data_error));
}

/* What the run found done, by whom and when. */
static void print_loaded_by(const struct rb_stream_report *report)
{
    char began[RB_TEXT_MAX];
    if (report->outcome != RB_OUTCOME_ALREADY_LOADED || report->loaded_by[0] == 0) {
        return;
    }
    rb_out_line(RB_OUT_ANSWER, "%s: appended by the load of %s (%s), not again",
                report->stream->name, rb_text_time(report->loaded_unix_ms * 1000, began),
                report->loaded_by);
}

void rb_report_print_table(const struct rb_run_report *report)
{
    int name_width = 6;
    for (size_t i = 0; i < report->n_streams; i++) {
        int width = (int)rb_text_width(report->streams[i].stream->name);
        name_width = width > name_width ? width : name_width;
    }
    name_width = name_width < 40 ? name_width : 40;
    size_t columns =
        rb_out_is_terminal(RB_OUT_ANSWER) ? rb_out_columns(RB_OUT_ANSWER) + GAP : LINE_MAX_BYTES;
    print_row(NULL, name_width, columns);
    int64_t rows = 0;
    for (size_t i = 0; i < report->n_streams; i++) {
        print_row(&report->streams[i], name_width, columns);
        if (report->streams[i].outcome == RB_OUTCOME_OK) {
            rows += report->streams[i].records_written;
        }
    }
    for (size_t i = 0; i < report->n_streams; i++) {
        print_left_out(&report->streams[i]);
        print_loaded_by(&report->streams[i]);
    }
    char count[RB_TEXT_MAX], secs[RB_TEXT_MAX];
    rb_out_line(RB_OUT_ANSWER, "%s: %s rows in %s (load %s)",
                report->already_loaded && report->exit_code == 0 ? "already loaded"
                : report->exit_code == 0                         ? "ok"
                : report->cancelled                              ? "cancelled"
                                                                 : "failed",
                rb_text_count(rows, count), rb_text_secs(report->timings.total, secs),
                report->load_id);
}

void rb_report_write_fault(struct rb_json *json, const struct rb_fault *fault)
{
    if (fault == NULL) {
        rb_json_null(json);
        return;
    }
    rb_json_begin_object(json);
    rb_json_member_str(json, "side", rb_fault_side_name(fault->side));
    rb_json_member_i64(json, "exit_code", rb_fault_exit_code(fault));
    rb_json_key(json, "error");
    rb_json_error(json, &fault->error);
    rb_json_end_object(json);
}

static void write_timings(struct rb_json *json, const struct rb_timings *timings)
{
    rb_json_member_double(json, "source_connect_secs", timings->source_connect);
    rb_json_member_double(json, "source_query_secs", timings->source_query);
    rb_json_member_double(json, "source_fetch_secs", timings->source_fetch);
    rb_json_member_double(json, "source_encode_secs", timings->source_encode);
    rb_json_member_double(json, "source_wait_secs", timings->source_wait);
    rb_json_member_double(json, "transform_secs", timings->transform_run);
    rb_json_member_double(json, "destination_connect_secs", timings->destination_connect);
    rb_json_member_double(json, "destination_decode_secs", timings->destination_decode);
    rb_json_member_double(json, "destination_flush_secs", timings->destination_flush);
    rb_json_member_double(json, "destination_commit_secs", timings->destination_commit);
    rb_json_member_double(json, "destination_wait_secs", timings->destination_wait);
}

static void add_timings(struct rb_timings *sum, const struct rb_timings *part)
{
    sum->source_connect += part->source_connect;
    sum->source_query += part->source_query;
    sum->source_fetch += part->source_fetch;
    sum->source_encode += part->source_encode;
    sum->source_wait += part->source_wait;
    sum->transform_run += part->transform_run;
    sum->destination_connect += part->destination_connect;
    sum->destination_decode += part->destination_decode;
    sum->destination_flush += part->destination_flush;
    sum->destination_commit += part->destination_commit;
    sum->destination_wait += part->destination_wait;
    sum->module_load += part->module_load;
    sum->instantiate += part->instantiate;
    sum->n_instances += part->n_instances;
}

static void write_stream(struct rb_json *json, const struct rb_stream_report *report)
{
    rb_json_begin_object(json);
    rb_json_member_str(json, "name", report->stream->name);
    rb_json_member_str(json, "sync_mode", rb_sync_mode_name(report->stream->sync_mode));
    rb_json_member_str(json, "write_mode", rb_write_mode_name(report->stream->write_mode));
    rb_json_member_str(json, "outcome", rb_outcome_name(report->outcome));
    if (report->loaded_by[0] != 0) {
        char began[RB_TEXT_MAX];
        rb_json_member_str(json, "loaded_by", report->loaded_by);
        rb_json_member_str(json, "loaded_by_began",
                           rb_text_time(report->loaded_unix_ms * 1000, began));
    }
    rb_json_member_i64(json, "attempts", report->attempts);
    rb_json_member_i64(json, "records_read", report->records_read);
    rb_json_member_i64(json, "records_written", report->records_written);
    rb_json_member_i64(json, "records_skipped", report->records_skipped);
    rb_json_member_i64(json, "bytes_read", report->bytes_read);
    rb_json_member_i64(json, "bytes_written", report->bytes_written);
    rb_json_member_i64(json, "batches", report->batches);
    rb_json_member_i64(json, "batch_bytes", report->batch_bytes);
    rb_json_member_i64(json, "compressed_bytes", report->compressed_bytes);
    rb_json_member_double(json, "secs", report->secs);
    rb_json_member_str(json, "checksum", report->checksum[0] != 0 ? report->checksum : NULL);
    rb_json_key(json, "timings");
    rb_json_begin_object(json);
    write_timings(json, &report->timings);
    rb_json_end_object(json);
    rb_json_key(json, "fault");
    rb_report_write_fault(json, report->outcome == RB_OUTCOME_FAILED ? &report->fault : NULL);
    rb_json_end_object(json);
}

int rb_report_print_json(struct rb_answer *answer, const struct rb_pipeline *pipeline,
                         const struct rb_run_report *report)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(JSON_MAX);
    struct rb_json json;
    rb_json_init(&json, &text);
    rb_json_begin_object(&json);
    rb_json_member_str(&json, "pipeline", pipeline->name);
    rb_json_member_str(&json, "load_id", report->load_id);
    rb_json_member_i64(&json, "run_id", report->run_id);
    rb_json_member_str(&json, "key", report->key);
    rb_json_member_bool(&json, "resumed", report->resumed);
    rb_json_member_bool(&json, "already_loaded", report->already_loaded);
    rb_json_member_str(&json, "delivery", report->exactly_once ? "exactly_once" : "at_least_once");
    rb_json_member_i64(&json, "exit_code", report->exit_code);
    rb_json_member_i64(&json, "retries", report->retries);
    rb_json_member_double(&json, "secs", report->timings.total);
    rb_json_member_double(&json, "compile_secs", report->timings.compile);
    rb_json_key(&json, "connectors");
    rb_engine_write_connectors(&json, pipeline);
    rb_json_key(&json, "streams");
    rb_json_begin_array(&json);
    for (size_t i = 0; i < report->n_streams; i++) {
        write_stream(&json, &report->streams[i]);
    }
    rb_json_end_array(&json);
    rb_json_key(&json, "fault");
    rb_report_write_fault(&json, report->failed ? &report->fault : NULL);
    rb_json_end_object(&json);
    return rb_answer_print(answer, &json, &text);
}

int rb_report_print_bench(const struct rb_run_report *report, bool interpreter)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(JSON_MAX);
    struct rb_timings sum;
    int64_t read = 0, written = 0, bytes_read = 0, bytes_written = 0;
    memset(&sum, 0, sizeof sum);
    for (size_t i = 0; i < report->n_streams; i++) {
        const struct rb_stream_report *stream = &report->streams[i];
        add_timings(&sum, &stream->timings);
        read += stream->records_read;
        written += stream->records_written;
        bytes_read += stream->bytes_read;
        bytes_written += stream->bytes_written;
    }
    struct rb_json json;
    rb_json_init(&json, &text);
    rb_json_begin_object(&json);
    rb_json_member_i64(&json, "records_read", read);
    rb_json_member_i64(&json, "records_written", written);
    rb_json_member_i64(&json, "bytes_read", bytes_read);
    rb_json_member_i64(&json, "bytes_written", bytes_written);
    rb_json_member_double(&json, "total_secs", report->timings.total);
    write_timings(&json, &sum);
    rb_json_member_double(&json, "module_load_ms", sum.module_load * 1000.0);
    rb_json_member_double(&json, "instantiate_ms", sum.instantiate * 1000.0);
    rb_json_member_i64(&json, "instances", sum.n_instances);
    rb_json_member_double(&json, "compile_secs", report->timings.compile);
    rb_json_member_i64(&json, "retries", report->retries);
    rb_json_member_i64(&json, "peak_supervisor_bytes", report->peak_supervisor_bytes);
    rb_json_member_i64(&json, "peak_worker_bytes", report->peak_worker_bytes);
    rb_json_member_i64(&json, "exit_code", report->exit_code);
    rb_json_member_str(&json, "build", RB_BUILD);
    rb_json_member_bool(&json, "aot", !interpreter);
    rb_json_end_object(&json);
    int status = rb_json_finish(&json);
    if (status == 0) {
        rb_out_line(RB_OUT_ANSWER, "@@BENCH_JSON@@%s", rb_buf_str(&text));
    }
    return status;
}
