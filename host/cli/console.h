/* What people (or a log collector) see while a command runs: progress, notes, logs, errors. */
#ifndef RB_HOST_CLI_CONSOLE_H
#define RB_HOST_CLI_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "host/cli/options.h"
#include "host/config/diag.h"
#include "host/engine/engine.h"

enum {
    RB_CONSOLE_LIVE_MAX = 16, /* streams shown at once; more are counted */
    RB_CONSOLE_REFRESH_MS = 100,
    RB_CONSOLE_BUSY_MAX = 256,
};

struct rb_console_stream {
    const struct rb_stream_report *report;
    int percent; /* the most that was shown */
};

struct rb_console {
    struct rb_answer *answer; /* is told what goes wrong, too */
    bool quiet;
    bool log_json;
    bool dated; /* standard error is no terminal: a run's first and last line have the time */
    bool live;  /* standard error is a terminal: lines are drawn over */
    int log_level;
    const char *pipeline, *load_id; /* of the run, once known; borrowed */
    int n_drawn;                    /* lines of the live block that stand on the screen */
    int64_t drawn_ms;
    struct rb_console_stream running[RB_CONSOLE_LIVE_MAX];
    size_t n_running;
    char busy[RB_CONSOLE_BUSY_MAX]; /* what the run waits for; "": nothing of that kind */
    int64_t busy_since_ms;
};

void rb_console_init(struct rb_console *console, const struct rb_cli *cli);
/* The engine's observer, writing here. */
void rb_console_observer(struct rb_console *console, struct rb_observer *ret);
/* Takes the live block off the screen: before anything else is printed. */
void rb_console_clear(struct rb_console *console);

/* "error: …", with detail and what to do. `where` may be NULL. */
void rb_console_error(struct rb_console *console, const char *where, const struct rb_error *error);
/* The first line of a run and its last, where nobody watches. `n_streams` 0: patterns say, later.
 * `key` NULL: none. `report` NULL: it did not come that far. */
void rb_console_run_begins(struct rb_console *console, const struct rb_pipeline *pipeline,
                           size_t n_streams, const char *key);
void rb_console_run_ended(struct rb_console *console, const char *document,
                          const struct rb_run_report *report, int exit_code);
void rb_console_diags(struct rb_console *console, const struct rb_diags *diags);

#endif
