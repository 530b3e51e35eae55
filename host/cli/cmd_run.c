#include <stdlib.h>
#include <string.h>

#include "host/cli/console.h"
#include "host/cli/job.h"
#include "host/cli/out.h"
#include "host/cli/report.h"

static void print_faults(struct rb_console *console, const struct rb_run_report *report)
{
    if (report->cancelled) {
        rb_console_error(console, NULL, &report->fault.error);
        return;
    }
    bool shown = false;
    for (size_t i = 0; i < report->n_streams; i++) {
        if (report->streams[i].outcome == RB_OUTCOME_FAILED) {
            const struct rb_fault *fault = &report->streams[i].fault;
            rb_console_error(console, rb_fault_side_name(fault->side), &fault->error);
            /* A session that ended took its streams along: that is one cause, and is shown once. */
            shown |= fault->side == RB_FAULT_ENGINE;
        }
    }
    if (report->failed && !shown) {
        rb_console_error(console, rb_fault_side_name(report->fault.side), &report->fault.error);
    }
}

/* A run that never came to its streams has nothing to show in a table. */
static bool any_started(const struct rb_run_report *report)
{
    for (size_t i = 0; i < report->n_streams; i++) {
        if (report->streams[i].outcome != RB_OUTCOME_NOT_STARTED) {
            return true;
        }
    }
    return false;
}

static int print_report(const struct rb_cli *cli, struct rb_console *console,
                        const struct rb_pipeline *pipeline, const struct rb_run_report *report)
{
    rb_console_clear(console);
    int status = 0;
    if (cli->output == RB_OUTPUT_JSON) {
        status = rb_report_print_json(cli->answer, pipeline, report);
    } else if (!cli->quiet && any_started(report)) {
        rb_report_print_table(report);
        (void)rb_out_flush();
    }
    print_faults(console, report);
    const char *bench = getenv("RAPIDBYTE_BENCH");
    if (status == 0 && bench != NULL && strcmp(bench, "1") == 0) {
        status = rb_report_print_bench(report, cli->interpreter);
    }
    return status == 0 ? report->exit_code : RB_EXIT_INTERNAL;
}

/* 0: patterns say, later. */
static size_t count_streams(const struct rb_cli *cli, const struct rb_pipeline *pipeline)
{
    return cli->has_streams           ? cli->streams.count
           : pipeline->n_patterns > 0 ? 0
                                      : pipeline->n_streams;
}

int rb_cmd_run(const struct rb_cli *cli)
{
    RB_CLEANUP(rb_job_release) struct rb_job job;
    int code = rb_job_begin(&job, cli, false);
    if (code != 0) {
        rb_console_run_ended(&job.console, cli->operands[0], NULL, code);
        return code;
    }
    struct rb_run_report report;
    rb_console_run_begins(&job.console, job.pipeline, count_streams(cli, job.pipeline), cli->key);
    rb_engine_run(job.pipeline, &job.options, &job.observer, &report);
    code = print_report(cli, &job.console, job.pipeline, &report);
    rb_console_run_ended(&job.console, job.pipeline->path, &report, code);
    rb_run_report_release(&report);
    return code;
}
