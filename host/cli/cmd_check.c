
#include "host/cli/console.h"
#include "host/cli/job.h"
#include "host/cli/out.h"
#include "host/cli/report.h"

enum { JSON_MAX = 64 * 1024 * 1024, DEEP = 9 };

static void print_text(struct rb_console *console, const struct rb_check_report *report)
{
    for (size_t i = 0; i < report->n_items; i++) {
        const struct rb_check_item *item = &report->items[i];
        const char *verdict = !item->ok ? "FAILED" : item->warning ? "warning" : "ok";
        if (item->ok && console->quiet) {
            continue;
        }
        rb_out_line(RB_OUT_ANSWER, "%-8s %s%s%s", verdict, item->what,
                    item->message[0] != 0 ? ": " : "", item->message);
        if (!item->ok) {
            rb_out_block(RB_OUT_ANSWER, DEEP, "detail", item->fault.error.detail);
            rb_out_block(RB_OUT_ANSWER, DEEP, "hint", item->fault.error.hint);
        }
    }
}

static int print_json(const struct rb_cli *cli, const struct rb_pipeline *pipeline,
                      const struct rb_check_report *report)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(JSON_MAX);
    struct rb_json json;
    rb_json_init(&json, &text);
    rb_json_begin_object(&json);
    rb_json_member_str(&json, "pipeline", pipeline->name);
    rb_json_member_i64(&json, "exit_code", report->exit_code);
    rb_json_key(&json, "checks");
    rb_json_begin_array(&json);
    for (size_t i = 0; i < report->n_items; i++) {
        const struct rb_check_item *item = &report->items[i];
        rb_json_begin_object(&json);
        rb_json_member_str(&json, "what", item->what);
        rb_json_member_str(&json, "verdict",
                           !item->ok       ? "failed"
                           : item->warning ? "warning"
                                           : "ok");
        rb_json_member_str(&json, "message", item->message);
        rb_json_key(&json, "fault");
        rb_report_write_fault(&json, item->ok ? NULL : &item->fault);
        rb_json_end_object(&json);
    }
    rb_json_end_array(&json);
    rb_json_end_object(&json);
    return rb_answer_print(cli->answer, &json, &text) == 0 ? report->exit_code : RB_EXIT_INTERNAL;
}

int rb_cmd_check(const struct rb_cli *cli)
{
    RB_CLEANUP(rb_job_release) struct rb_job job;
    int code = rb_job_begin(&job, cli, false);
    if (code != 0) {
        return code;
    }
    /* What the streams come to is in the report. */
    job.observer.stream = NULL;
    struct rb_check_report report;
    rb_engine_check(job.pipeline, &job.options, &job.observer, &report);
    code = report.exit_code;
    if (cli->output == RB_OUTPUT_JSON) {
        code = print_json(cli, job.pipeline, &report);
    } else {
        print_text(&job.console, &report);
    }
    rb_check_report_release(&report);
    return code;
}
