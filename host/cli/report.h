/* The report of a run: a table for people, JSON for machines, one line of figures for benchmarks.
 */
#ifndef RB_HOST_CLI_REPORT_H
#define RB_HOST_CLI_REPORT_H

#include <stdbool.h>

#include "base/json.h"
#include "host/cli/answer.h"
#include "host/engine/engine.h"

void rb_report_print_table(const struct rb_run_report *report);
/* docs/cli.md, "run --output json". 0, or RB_ENOMEM. */
int rb_report_print_json(struct rb_answer *answer, const struct rb_pipeline *pipeline,
                         const struct rb_run_report *report);
/* "@@BENCH_JSON@@{…}". `interpreter`: the connectors were not compiled ahead of time. */
int rb_report_print_bench(const struct rb_run_report *report, bool interpreter);
/* A fault as JSON: {side, exit_code, error: ConnectorError}; null when `fault` is NULL. */
void rb_report_write_fault(struct rb_json *json, const struct rb_fault *fault);

#endif
