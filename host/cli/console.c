#include "host/cli/console.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "host/cli/fields.h"
#include "host/cli/log_line.h"
#include "host/cli/out.h"
#include "host/cli/text.h"
#include "host/engine/session.h"

enum { LINE_MAX_BYTES = 512, LEFT_FROM_SECS = 2, LONG_SECS = 5 };

void rb_console_init(struct rb_console *console, const struct rb_cli *cli)
{
    memset(console, 0, sizeof *console);
    const char *term = getenv("TERM");
    console->answer = cli->answer;
    console->quiet = cli->quiet;
    console->log_json = cli->log_json;
    console->log_level = cli->log_level;
    console->live = !cli->quiet && !cli->log_json && rb_out_is_terminal(RB_OUT_NEWS) &&
                    term != NULL && strcmp(term, "dumb") != 0;
    console->dated = !cli->quiet && !rb_out_is_terminal(RB_OUT_NEWS);
}

void rb_console_clear(struct rb_console *console)
{
    rb_out_erase(console->n_drawn);
    console->n_drawn = 0;
}

/* Of the source's estimate: it is one, so 100 is left to the end, and what was shown does not go
 * back. 0: there is none. */
static int percent_of(struct rb_console_stream *running)
{
    const struct rb_stream_report *report = running->report;
    if (report->estimated_rows <= 0) {
        return 0;
    }
    double part = (double)report->records_read / (double)report->estimated_rows;
    int percent = part >= 0.99 ? 99 : (int)(part * 100.0);
    running->percent = percent > running->percent ? percent : running->percent;
    return running->percent;
}

/* "" as long as it is a guess. */
static void format_left(const struct rb_console_stream *running, double secs, char *out, size_t cap)
{
    const struct rb_stream_report *report = running->report;
    char left[RB_TEXT_MAX];
    out[0] = 0;
    if (running->percent > 0 && running->percent < 99 && secs >= LEFT_FROM_SECS &&
        report->records_read > 0) {
        double rest = (double)(report->estimated_rows - report->records_read);
        double more = rest > 0.0 ? rest * secs / (double)report->records_read : 0.0;
        snprintf(out, cap, "%s left", rb_text_whole_secs(more, left));
    }
}

static void format_progress(struct rb_console_stream *running, size_t width, char *line, size_t cap)
{
    const struct rb_stream_report *report = running->report;
    char rows[RB_TEXT_MAX], rate[RB_TEXT_MAX], speed[RB_TEXT_MAX], elapsed[RB_TEXT_MAX];
    char left[RB_TEXT_MAX + 8];
    struct rb_fields fields = {.n = 0};
    double secs = (double)(rb_clock_unix_us() - report->started_unix_us) / 1e6;
    double divisor = secs > 0.001 ? secs : 0.001;
    int percent = percent_of(running);
    format_left(running, secs, left, sizeof left);
    rb_fields_add(&fields, -20, 0, "%s", report->stream->name);
    rb_fields_add(&fields, 16, 0, "%s rows", rb_text_count(report->records_read, rows));
    if (report->phase[0] != 0) {
        char took[RB_TEXT_MAX];
        double since = (double)(rb_clock_unix_us() - report->phase_unix_us) / 1e6;
        rb_fields_add(&fields, 0, 0, "%s %s", report->phase, rb_text_whole_secs(since, took));
    } else if (percent > 0) {
        rb_fields_add(&fields, 4, 1, "%d %%", percent);
    }
    rb_fields_add(&fields, 8, 2, "%s", rb_text_whole_secs(secs, elapsed));
    rb_fields_add(&fields, 13, 3, "%s", left);
    rb_fields_add(&fields, 17, 4, "%s rows/s",
                  rb_text_count((int64_t)((double)report->records_read / divisor), rate));
    rb_fields_add(&fields, 11, 5, "%s/s",
                  rb_text_bytes((double)report->bytes_read / divisor, speed));
    rb_fields_format(&fields, width, line, cap);
}

static void draw(struct rb_console *console)
{
    if (!console->live) {
        return;
    }
    rb_console_clear(console);
    /* The last column stays free: a line that wraps would break the drawing. */
    size_t width = rb_out_columns(RB_OUT_NEWS) - 1;
    for (size_t i = 0; i < console->n_running; i++) {
        char line[LINE_MAX_BYTES];
        format_progress(&console->running[i], width, line, sizeof line);
        rb_out_line(RB_OUT_NEWS, "%s", line);
        console->n_drawn++;
    }
    if (console->busy[0] != 0) {
        char elapsed[RB_TEXT_MAX];
        double secs = (double)(rb_clock_ms() - console->busy_since_ms) / 1000.0;
        struct rb_fields fields = {.n = 0};
        rb_fields_add(&fields, -20, 0, "%s", console->busy);
        rb_fields_add(&fields, 8, 0, "%s", rb_text_whole_secs(secs, elapsed));
        char line[LINE_MAX_BYTES];
        rb_fields_format(&fields, width, line, sizeof line);
        rb_out_line(RB_OUT_NEWS, "%s", line);
        console->n_drawn++;
    }
    console->drawn_ms = rb_clock_ms();
}

static void forget_running(struct rb_console *console, const struct rb_stream_report *report)
{
    for (size_t i = 0; i < console->n_running; i++) {
        if (console->running[i].report == report) {
            console->n_running--;
            memmove(&console->running[i], &console->running[i + 1],
                    (console->n_running - i) * sizeof *console->running);
            return;
        }
    }
}

/* true: it was not there yet. */
static bool add_running(struct rb_console *console, const struct rb_stream_report *report)
{
    for (size_t i = 0; i < console->n_running; i++) {
        if (console->running[i].report == report) {
            return false;
        }
    }
    if (console->n_running < RB_CONSOLE_LIVE_MAX) {
        console->running[console->n_running++] = (struct rb_console_stream){.report = report};
    }
    return true;
}

static void print_end(const struct rb_console *console, const struct rb_stream_report *report)
{
    char rows[RB_TEXT_MAX], elapsed[RB_TEXT_MAX], line[LINE_MAX_BYTES];
    bool ok = report->outcome == RB_OUTCOME_OK;
    struct rb_fields fields = {.n = 0};
    rb_fields_add(&fields, -20, 0, "%s", report->stream->name);
    if (ok || report->outcome == RB_OUTCOME_ALREADY_LOADED) {
        rb_fields_add(&fields, 17, 0, "%s rows", rb_text_count(report->records_written, rows));
    }
    if (ok) {
        rb_fields_add(&fields, 0, 0, "in %s", rb_text_secs(report->secs, elapsed));
    } else {
        bool already = report->outcome == RB_OUTCOME_ALREADY_LOADED;
        rb_fields_add(&fields, 0, 0, "%s",
                      already ? "already loaded" : rb_outcome_name(report->outcome));
    }
    size_t width = console->live ? rb_out_columns(RB_OUT_NEWS) : LINE_MAX_BYTES;
    rb_fields_format(&fields, width, line, sizeof line);
    rb_out_line(RB_OUT_NEWS, "%s", line);
}

/* What every line has. */
static struct rb_log_line log_line(const struct rb_console *console, const char *level,
                                   const char *message)
{
    return (struct rb_log_line){.level = level,
                                .message = message,
                                .pipeline = console->pipeline,
                                .load = console->load_id};
}

static void on_log(void *user, int level, const char *connector, const char *stream,
                   const char *text)
{
    static const char *const names[] = {"error", "warn", "info", "debug", "trace"};
    struct rb_console *console = user;
    if (level < 0 || level > RB_LOG_TRACE || level > console->log_level) {
        return;
    }
    if (console->log_json) {
        struct rb_log_line line = log_line(console, names[level], text);
        line.connector = connector;
        line.stream = stream;
        rb_log_line_print(&line);
        return;
    }
    bool has_stream = stream != NULL && stream[0] != 0;
    rb_console_clear(console);
    rb_out_line(RB_OUT_NEWS, "%s: %s%s%s%s%s", names[level], connector != NULL ? connector : "",
                connector != NULL ? ": " : "", has_stream ? stream : "", has_stream ? ": " : "",
                text);
    draw(console);
}

static void on_note(void *user, const char *text)
{
    struct rb_console *console = user;
    if (console->quiet) {
        return;
    }
    if (console->log_json) {
        struct rb_log_line line = log_line(console, "info", text);
        rb_log_line_print(&line);
        return;
    }
    rb_console_clear(console);
    rb_out_line(RB_OUT_NEWS, "note: %s", text);
    draw(console);
}

static void log_stream(const struct rb_console *console, const struct rb_stream_report *report)
{
    bool started = report->outcome == RB_OUTCOME_RUNNING;
    const struct rb_log_end end = {.outcome = rb_outcome_name(report->outcome),
                                   .rows = report->records_written,
                                   .bytes = report->bytes_written,
                                   .secs = report->secs,
                                   .exit_code = -1};
    struct rb_log_line line = log_line(console, "info", started ? "started" : end.outcome);
    line.stream = report->stream->name;
    line.end = started ? NULL : &end;
    rb_log_line_print(&line);
}

static void on_stream(void *user, const struct rb_stream_report *report)
{
    struct rb_console *console = user;
    console->load_id = report->load_id;
    if (console->quiet) {
        return;
    }
    if (report->outcome == RB_OUTCOME_RUNNING) {
        bool is_new = add_running(console, report);
        if (console->log_json && is_new) {
            log_stream(console, report);
        }
        if (is_new || rb_clock_ms() - console->drawn_ms >= RB_CONSOLE_REFRESH_MS) {
            draw(console);
        }
        return;
    }
    forget_running(console, report);
    if (console->log_json) {
        log_stream(console, report);
        return;
    }
    rb_console_clear(console);
    print_end(console, report);
    draw(console);
}

/* A line where there is no terminal: what takes long beforehand, and what has taken long. */
static void note_busy(struct rb_console *console, bool is_over, bool at_once)
{
    char text[RB_CONSOLE_BUSY_MAX + RB_TEXT_MAX], took[RB_TEXT_MAX];
    double secs = (double)(rb_clock_ms() - console->busy_since_ms) / 1000.0;
    if (!at_once && (!is_over || secs < LONG_SECS)) {
        return;
    }
    if (is_over) {
        snprintf(text, sizeof text, "%s: done in %s", console->busy, rb_text_secs(secs, took));
    } else {
        snprintf(text, sizeof text, "%s", console->busy);
    }
    on_note(console, text);
}

static void on_busy(void *user, const char *what, bool at_once)
{
    struct rb_console *console = user;
    bool is_over = what[0] == 0;
    if (!is_over) {
        snprintf(console->busy, sizeof console->busy, "%s", what);
        console->busy_since_ms = rb_clock_ms();
    }
    if (!console->live && console->busy[0] != 0) {
        note_busy(console, is_over, at_once);
    }
    if (is_over) {
        console->busy[0] = 0;
    }
    /* What is over at once is not shown: a tick shows the rest. */
    if (is_over || at_once) {
        draw(console);
    }
}

static void on_tick(void *user)
{
    struct rb_console *console = user;
    if (console->n_running > 0 || console->busy[0] != 0) {
        draw(console);
    }
}

void rb_console_observer(struct rb_console *console, struct rb_observer *ret)
{
    *ret = (struct rb_observer){.log = on_log,
                                .note = on_note,
                                .stream = on_stream,
                                .busy = on_busy,
                                .tick = console->live ? on_tick : NULL,
                                .user = console};
}

void rb_console_error(struct rb_console *console, const char *where, const struct rb_error *error)
{
    rb_console_clear(console);
    rb_answer_fail(console->answer, where, error);
    if (console->log_json) {
        struct rb_log_line line = log_line(console, "error", error->message);
        line.side = where;
        line.error = error;
        rb_log_line_print(&line);
        return;
    }
    rb_out_line(RB_OUT_NEWS, "error: %s%s%s%s", error->message, where != NULL ? " [" : "",
                where != NULL ? where : "", where != NULL ? "]" : "");
    rb_out_block(RB_OUT_NEWS, 2, "SQLSTATE", error->sqlstate);
    rb_out_block(RB_OUT_NEWS, 2, "detail", error->detail);
    rb_out_block(RB_OUT_NEWS, 2, "hint", error->hint);
}

void rb_console_diags(struct rb_console *console, const struct rb_diags *diags)
{
    for (size_t i = 0; i < diags->count; i++) {
        const struct rb_diag *diag = &diags->items[i];
        rb_answer_mistake(console->answer, diag);
        char place[64] = "";
        if (diag->line > 0) {
            snprintf(place, sizeof place, ":%d:%d", diag->line, diag->column);
        }
        if (console->log_json) {
            struct rb_log_line line = log_line(console, "error", diag->message);
            line.document = diag->path;
            line.line = diag->line;
            line.column = diag->column;
            line.hint = diag->hint;
            rb_log_line_print(&line);
            continue;
        }
        rb_out_line(RB_OUT_NEWS, "%s%s: %s", diag->path, place, diag->message);
        if (diag->hint != NULL) {
            rb_out_line(RB_OUT_NEWS, "  hint: %s", diag->hint);
        }
    }
    if (diags->dropped > 0) {
        rb_out_line(RB_OUT_NEWS, "… and %zu more mistakes", diags->dropped);
    }
}

/* As the history has it. */
static const char *word_of(int exit_code)
{
    return exit_code == RB_EXIT_OK          ? "ok"
           : exit_code == RB_EXIT_CANCELLED ? "cancelled"
           : exit_code == RB_EXIT_PARTIAL   ? "partial"
                                            : "failed";
}

void rb_console_run_begins(struct rb_console *console, const struct rb_pipeline *pipeline,
                           size_t n_streams, const char *key)
{
    char now[RB_TEXT_MAX], streams[RB_TEXT_MAX + 16] = "streams by pattern";
    console->pipeline = pipeline->name;
    if (console->log_json && !console->quiet) {
        struct rb_log_line line = log_line(console, "info", "the run begins");
        line.document = pipeline->path;
        line.key = key;
        line.n_streams = n_streams;
        rb_log_line_print(&line);
    }
    if (!console->dated || console->log_json) {
        return;
    }
    if (n_streams > 0) {
        char count[RB_TEXT_MAX];
        snprintf(streams, sizeof streams, "%s stream%s", rb_text_count((int64_t)n_streams, count),
                 n_streams == 1 ? "" : "s");
    }
    rb_out_line(RB_OUT_NEWS, "%s run of '%s' begins: %s, %s, process %ld%s%s", rb_text_now(now),
                pipeline->name, streams, pipeline->path, (long)getpid(),
                key != NULL ? ", key " : "", key != NULL ? key : "");
}

static void print_run_end(const struct rb_console *console, const struct rb_run_report *report,
                          const struct rb_log_end *end)
{
    char now[RB_TEXT_MAX], rows[RB_TEXT_MAX], secs[RB_TEXT_MAX];
    int done = 0;
    for (size_t i = 0; i < report->n_streams; i++) {
        enum rb_outcome outcome = report->streams[i].outcome;
        done += outcome == RB_OUTCOME_OK || outcome == RB_OUTCOME_ALREADY_LOADED ? 1 : 0;
    }
    rb_out_line(
        RB_OUT_NEWS,
        "%s run of '%s' ends: %s (exit code %d), %d of %zu streams, %s rows in %s, load %s%s%s",
        rb_text_now(now), console->pipeline, end->outcome, end->exit_code, done, report->n_streams,
        rb_text_count(end->rows, rows), rb_text_secs(end->secs, secs), report->load_id,
        report->key != NULL ? ", key " : "", report->key != NULL ? report->key : "");
}

void rb_console_run_ended(struct rb_console *console, const char *document,
                          const struct rb_run_report *report, int exit_code)
{
    struct rb_log_end end = {.outcome = word_of(exit_code), .exit_code = exit_code};
    for (size_t i = 0; report != NULL && i < report->n_streams; i++) {
        if (report->streams[i].outcome == RB_OUTCOME_OK) {
            end.rows += report->streams[i].records_written;
            end.bytes += report->streams[i].bytes_written;
        }
    }
    end.secs = report != NULL ? report->timings.total : 0.0;
    if (console->log_json && !console->quiet) {
        struct rb_log_line line = log_line(console, "info", "the run has ended");
        line.document = document;
        line.load = report != NULL ? report->load_id : NULL;
        line.key = report != NULL ? report->key : NULL;
        line.n_streams = report != NULL ? report->n_streams : 0;
        line.end = &end;
        rb_log_line_print(&line);
    } else if (console->dated && report != NULL) {
        print_run_end(console, report, &end);
    } else if (console->dated) {
        char now[RB_TEXT_MAX];
        rb_out_line(RB_OUT_NEWS, "%s run of %s ends: %s (exit code %d)", rb_text_now(now), document,
                    end.outcome, exit_code);
    }
}
