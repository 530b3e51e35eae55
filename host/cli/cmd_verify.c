#include <string.h>
#include <yyjson.h>

#include "host/cli/console.h"
#include "host/cli/job.h"
#include "host/cli/out.h"
#include "host/cli/report.h"
#include "host/cli/text.h"

enum { JSON_MAX = 64 * 1024 * 1024, VALUE_MAX_SHOWN = 200, DEEP = 9, RANGES_SHOWN = 20 };

/* A JSON array of texts, separated by commas. */
static void print_values(const char *array)
{
    yyjson_doc *doc = yyjson_read(array, strlen(array), 0);
    size_t i, n;
    yyjson_val *item;
    yyjson_arr_foreach(yyjson_doc_get_root(doc), i, n, item)
    {
        const char *text = yyjson_get_str(item);
        rb_out_part(RB_OUT_ANSWER, "%s%.*s", i > 0 ? ", " : "", VALUE_MAX_SHOWN,
                    text != NULL ? text : "null");
    }
    yyjson_doc_free(doc);
}

static void print_range(const struct rb_verify_stream *stream, const struct rb_verify_range *range)
{
    char source[RB_TEXT_MAX], destination[RB_TEXT_MAX];
    rb_out_part(RB_OUT_ANSWER, "         ");
    if (stream->key == NULL || (range->from == NULL && range->to == NULL)) {
        rb_out_part(RB_OUT_ANSWER, "the whole table");
    } else {
        print_values(stream->key);
    }
    if (range->from != NULL) {
        rb_out_part(RB_OUT_ANSWER, " from ");
        print_values(range->from);
    }
    if (range->to != NULL) {
        rb_out_part(RB_OUT_ANSWER, " to before ");
        print_values(range->to);
    }
    rb_out_line(RB_OUT_ANSWER, ": rows at the source %s, at the destination %s",
                rb_text_count(range->source_rows, source),
                rb_text_count(range->destination_rows, destination));
}

static void print_stream(const struct rb_console *console, const struct rb_verify_stream *stream)
{
    char rows[RB_TEXT_MAX], secs[RB_TEXT_MAX];
    const char *name = stream->name;
    switch (stream->verdict) {
    case RB_VERIFY_SAME:
        if (!console->quiet) {
            rb_out_line(RB_OUT_ANSWER, "same     %s: %s rows, %s", name,
                        rb_text_count(stream->source_rows, rows), rb_text_secs(stream->secs, secs));
        }
        return;
    case RB_VERIFY_FAILED:
        rb_out_line(RB_OUT_ANSWER, "FAILED   %s: %s", name, stream->fault.error.message);
        rb_out_block(RB_OUT_ANSWER, DEEP, "detail", stream->fault.error.detail);
        rb_out_block(RB_OUT_ANSWER, DEEP, "hint", stream->fault.error.hint);
        return;
    case RB_VERIFY_DIFFERS:
        break;
    }
    char destination[RB_TEXT_MAX];
    rb_out_line(RB_OUT_ANSWER, "DIFFERS  %s: rows at the source %s, at the destination %s", name,
                rb_text_count(stream->source_rows, rows),
                rb_text_count(stream->destination_rows, destination));
    for (size_t i = 0; i < stream->n_ranges && i < RANGES_SHOWN; i++) {
        print_range(stream, &stream->ranges[i]);
    }
    if (stream->n_ranges > RANGES_SHOWN) {
        rb_out_line(RB_OUT_ANSWER, "         and %zu further ranges (--output json has them all)",
                    stream->n_ranges - RANGES_SHOWN);
    }
}

static void write_raw(struct rb_json *json, const char *key, const char *text)
{
    rb_json_member_raw(json, key, text, text != NULL ? strlen(text) : 0);
}

static void write_stream(struct rb_json *json, const struct rb_verify_stream *stream)
{
    rb_json_begin_object(json);
    rb_json_member_str(json, "name", stream->name);
    rb_json_member_str(json, "verdict", rb_verify_verdict_name(stream->verdict));
    rb_json_member_i64(json, "source_rows", stream->source_rows);
    rb_json_member_i64(json, "destination_rows", stream->destination_rows);
    write_raw(json, "key", stream->key);
    rb_json_key(json, "differences");
    rb_json_begin_array(json);
    for (size_t i = 0; i < stream->n_ranges; i++) {
        const struct rb_verify_range *range = &stream->ranges[i];
        rb_json_begin_object(json);
        write_raw(json, "from", range->from);
        write_raw(json, "to", range->to);
        rb_json_member_i64(json, "source_rows", range->source_rows);
        rb_json_member_i64(json, "destination_rows", range->destination_rows);
        rb_json_end_object(json);
    }
    rb_json_end_array(json);
    rb_json_member_double(json, "secs", stream->secs);
    rb_json_key(json, "fault");
    rb_report_write_fault(json, stream->verdict == RB_VERIFY_FAILED ? &stream->fault : NULL);
    rb_json_end_object(json);
}

static int print_json(const struct rb_cli *cli, const struct rb_pipeline *pipeline,
                      const struct rb_verify_report *report)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(JSON_MAX);
    struct rb_json json;
    rb_json_init(&json, &text);
    rb_json_begin_object(&json);
    rb_json_member_str(&json, "pipeline", pipeline->name);
    rb_json_member_i64(&json, "exit_code", report->exit_code);
    rb_json_key(&json, "streams");
    rb_json_begin_array(&json);
    for (size_t i = 0; i < report->n_streams; i++) {
        write_stream(&json, &report->streams[i]);
    }
    rb_json_end_array(&json);
    rb_json_key(&json, "fault");
    rb_report_write_fault(&json, report->failed ? &report->fault : NULL);
    rb_json_end_object(&json);
    return rb_answer_print(cli->answer, &json, &text) == 0 ? report->exit_code : RB_EXIT_INTERNAL;
}

static int print(const struct rb_cli *cli, struct rb_console *console,
                 const struct rb_pipeline *pipeline, const struct rb_verify_report *report)
{
    if (report->failed) {
        rb_console_error(console, rb_fault_side_name(report->fault.side), &report->fault.error);
    }
    if (cli->output == RB_OUTPUT_JSON) {
        return print_json(cli, pipeline, report);
    }
    for (size_t i = 0; i < report->n_streams; i++) {
        print_stream(console, &report->streams[i]);
    }
    return report->exit_code;
}

int rb_cmd_verify(const struct rb_cli *cli)
{
    RB_CLEANUP(rb_job_release) struct rb_job job;
    int code = rb_job_begin(&job, cli, false);
    if (code != 0) {
        return code;
    }
    job.observer.stream = NULL;
    struct rb_verify_report report;
    rb_engine_verify(job.pipeline, &job.options, &job.observer, &report);
    code = print(cli, &job.console, job.pipeline, &report);
    rb_verify_report_release(&report);
    return code;
}
