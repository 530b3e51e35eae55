#include "host/cli/console.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "host/cli/log_line.h"
#include "host/cli/text.h"
#include "host/engine/session.h"

enum { LINE_MAX_BYTES = 512, COLUMNS_DEFAULT = 80 };

void rb_console_init(struct rb_console *console, const struct rb_cli *cli)
{
    memset(console, 0, sizeof *console);
    const char *term = getenv("TERM");
    console->answer = cli->answer;
    console->quiet = cli->quiet;
    console->log_json = cli->log_json;
    console->log_level = cli->log_level;
    console->live = !cli->quiet && !cli->log_json && isatty(STDERR_FILENO) == 1 && term != NULL &&
                    strcmp(term, "dumb") != 0;
    console->dated = !cli->quiet && isatty(STDERR_FILENO) != 1;
}

static size_t columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    return COLUMNS_DEFAULT;
}

void rb_console_clear(struct rb_console *console)
{
    if (console->n_drawn > 0) {
        fprintf(stderr, "\x1b[%dA\x1b[J", console->n_drawn);
        console->n_drawn = 0;
    }
}

/* Cuts a line to the terminal's width: one that wraps would break the drawing. */
static void put_cut(const char *line, size_t width)
{
    size_t seen = 0;
    const char *end = line;
    while (*end != 0) {
        seen += ((unsigned char)*end & 0xc0U) != 0x80U ? 1 : 0;
        if (seen >= width) {
            break;
        }
        end++;
    }
    fwrite(line, 1, (size_t)(end - line), stderr);
    fputc('\n', stderr);
}

static void format_progress(const struct rb_stream_report *report, char *line, size_t cap)
{
    char rows[RB_TEXT_MAX], rate[RB_TEXT_MAX], speed[RB_TEXT_MAX], elapsed[RB_TEXT_MAX];
    char name[128];
    snprintf(name, sizeof name, "%s", report->stream->name);
    rb_text_sanitize(name);
    double secs = (double)(rb_clock_unix_us() - report->started_unix_us) / 1e6;
    double divisor = secs > 0.001 ? secs : 0.001;
    snprintf(line, cap, "  %-20s %12s rows  %10s rows/s  %9s/s  %s", name,
             rb_text_count(report->records_read, rows),
             rb_text_count((int64_t)((double)report->records_read / divisor), rate),
             rb_text_bytes((double)report->bytes_read / divisor, speed),
             rb_text_secs(secs, elapsed));
}

static void draw(struct rb_console *console)
{
    if (!console->live) {
        return;
    }
    rb_console_clear(console);
    size_t width = columns();
    for (size_t i = 0; i < console->n_running; i++) {
        char line[LINE_MAX_BYTES];
        format_progress(console->running[i], line, sizeof line);
        put_cut(line, width);
        console->n_drawn++;
    }
    console->drawn_ms = rb_clock_ms();
    fflush(stderr);
}

static void forget_running(struct rb_console *console, const struct rb_stream_report *report)
{
    for (size_t i = 0; i < console->n_running; i++) {
        if (console->running[i] == report) {
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
        if (console->running[i] == report) {
            return false;
        }
    }
    if (console->n_running < RB_CONSOLE_LIVE_MAX) {
        console->running[console->n_running++] = report;
    }
    return true;
}

static void print_end(const struct rb_stream_report *report)
{
    char rows[RB_TEXT_MAX], elapsed[RB_TEXT_MAX];
    char name[128];
    snprintf(name, sizeof name, "%s", report->stream->name);
    rb_text_sanitize(name);
    if (report->outcome == RB_OUTCOME_OK) {
        fprintf(stderr, "  %-20s %12s rows  in %s\n", name,
                rb_text_count(report->records_written, rows), rb_text_secs(report->secs, elapsed));
    } else if (report->outcome == RB_OUTCOME_ALREADY_LOADED) {
        fprintf(stderr, "  %-20s %12s rows  already loaded\n", name,
                rb_text_count(report->records_written, rows));
    } else {
        fprintf(stderr, "  %-20s %s\n", name, rb_outcome_name(report->outcome));
    }
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

static void print_line(struct rb_console *console, const char *fmt, ...) RB_PRINTF(2, 3);

/* Connectors, servers and tables have a say in the line: none may steer the terminal. */
static void print_line(struct rb_console *console, const char *fmt, ...)
{
    char *line = NULL;
    va_list args;
    va_start(args, fmt);
    int n = vasprintf(&line, fmt, args);
    va_end(args);
    if (n < 0) {
        return;
    }
    rb_text_sanitize(line);
    rb_console_clear(console);
    fprintf(stderr, "%s\n", line);
    free(line);
    draw(console);
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
    print_line(console, "%s: %s%s%s%s%s", names[level], connector != NULL ? connector : "",
               connector != NULL ? ": " : "", has_stream ? stream : "", has_stream ? ": " : "",
               text);
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
    print_line(console, "note: %s", text);
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
    print_end(report);
    draw(console);
}

void rb_console_observer(struct rb_console *console, struct rb_observer *ret)
{
    *ret =
        (struct rb_observer){.log = on_log, .note = on_note, .stream = on_stream, .user = console};
}

static void print_part(const char *label, const char *text)
{
    if (text[0] == 0) {
        return;
    }
    fprintf(stderr, "  %s: ", label);
    for (const char *p = text; *p != 0; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '\n') {
            fputs("\n    ", stderr);
        } else {
            fputc(c < 0x20 || c == 0x7f ? '?' : c, stderr);
        }
    }
    fputc('\n', stderr);
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
    char message[sizeof error->message];
    memcpy(message, error->message, sizeof message);
    rb_text_sanitize(message);
    fprintf(stderr, "error: %s%s%s%s%s\n", message, where != NULL ? " [" : "",
            where != NULL ? where : "", where != NULL ? "]" : "", "");
    if (error->sqlstate[0] != 0) {
        print_part("SQLSTATE", error->sqlstate);
    }
    print_part("detail", error->detail);
    print_part("hint", error->hint);
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
        fprintf(stderr, "%s%s: %s\n", diag->path, place, diag->message);
        if (diag->hint != NULL) {
            fprintf(stderr, "  hint: %s\n", diag->hint);
        }
    }
    if (diags->dropped > 0) {
        fprintf(stderr, "… and %zu more mistakes\n", diags->dropped);
    }
}

/* As the history has it. */
static const char *word_of(int exit_code)
{
    return exit_code == RB_EXIT_OK                          ? "ok"
           : exit_code == RB_EXIT_CANCELLED                 ? "cancelled"
           : exit_code == RB_EXIT_PARTIAL   ? "partial"
                                                            : "failed";
}

void rb_console_run_begins(struct rb_console *console, const struct rb_pipeline *pipeline,
                           size_t n_streams)
{
    char now[RB_TEXT_MAX], streams[RB_TEXT_MAX + 16] = "streams by pattern";
    console->pipeline = pipeline->name;
    if (console->log_json && !console->quiet) {
        struct rb_log_line line = log_line(console, "info", "the run begins");
        line.document = pipeline->path;
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
    fprintf(stderr, "%s run of '%s' begins: %s, %s, process %ld\n", rb_text_now(now),
            pipeline->name, streams, pipeline->path, (long)getpid());
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
    fprintf(stderr,
            "%s run of '%s' ends: %s (exit code %d), %d of %zu streams, %s rows in %s, load %s\n",
            rb_text_now(now), console->pipeline, end->outcome, end->exit_code, done,
            report->n_streams, rb_text_count(end->rows, rows), rb_text_secs(end->secs, secs),
            report->load_id);
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
        line.n_streams = report != NULL ? report->n_streams : 0;
        line.end = &end;
        rb_log_line_print(&line);
    } else if (console->dated && report != NULL) {
        print_run_end(console, report, &end);
    } else if (console->dated) {
        char now[RB_TEXT_MAX];
        fprintf(stderr, "%s run of %s ends: %s (exit code %d)\n", rb_text_now(now), document,
                end.outcome, exit_code);
    }
}
