/* history, history show. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "base/json.h"
#include "host/cli/console.h"
#include "host/cli/load.h"
#include "host/cli/out.h"
#include "host/cli/text.h"
#include "host/engine/engine.h"
#include "host/state/inspect.h"

enum { JSON_MAX = 256 * 1024 * 1024 };

struct history {
    const struct rb_cli *cli;
    struct rb_console console;
    struct rb_pipeline *pipeline; /* NULL: all of the state's */
    struct rb_state *state;
    struct rb_json json;
    struct rb_buf text;
    size_t n;
    bool has_keys; /* some run of the list has one */
    struct rb_error error;
};

/* 0, or the exit code. */
static int begin(struct history *history, const struct rb_cli *cli, const char *document)
{
    *history = (struct history){.cli = cli, .text = RB_BUF_INIT(JSON_MAX)};
    rb_console_init(&history->console, cli);
    rb_json_init(&history->json, &history->text);
    return rb_cli_load_state(cli, &history->console, document, &history->pipeline, &history->state);
}

static void history_release(struct history *history)
{
    rb_state_close(history->state);
    rb_pipeline_free(history->pipeline);
    rb_buf_release(&history->text);
}

/* What has no outcome runs, if its process is the one that holds the pipeline. */
static const char *outcome_of(struct history *history, const struct rb_state_run *run)
{
    struct rb_state_holder holder;
    if (run->outcome != NULL) {
        return run->outcome;
    }
    bool held = rb_state_holder_get(history->state, run->pipeline, &holder, NULL) == 0;
    return held && holder.pid == run->pid ? "running" : "crashed";
}

static double secs_of(int64_t started_us, int64_t ended_us)
{
    return ended_us > started_us ? (double)(ended_us - started_us) / 1e6 : 0.0;
}

/* An error's own words; NULL when there are none. free() it. */
static char *message_of(const char *error_json)
{
    yyjson_doc *doc = error_json != NULL ? yyjson_read(error_json, strlen(error_json), 0) : NULL;
    const char *message = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "message"));
    char *copy = message != NULL ? strdup(message) : NULL;
    yyjson_doc_free(doc);
    return copy;
}

static const char *shown(const char *text)
{
    return text != NULL ? text : "-";
}

static int find_key(void *user, const struct rb_state_run *run)
{
    struct history *history = user;
    history->has_keys = history->has_keys || run->key != NULL;
    return 0;
}

static int print_run(void *user, const struct rb_state_run *run)
{
    struct history *history = user;
    char started[RB_TEXT_MAX], rows[RB_TEXT_MAX], secs[RB_TEXT_MAX], exit_code[16] = "-";
    if (history->n++ == 0) {
        rb_out_line(RB_OUT_ANSWER, "%6s  %-20s  %-20s  %-10s %4s %8s %12s %12s%s", "run",
                    "pipeline", "started", "outcome", "exit", "streams", "rows", "time",
                    history->has_keys ? "  key" : "");
    }
    if (run->ended_unix_us != 0) {
        snprintf(exit_code, sizeof exit_code, "%d", run->exit_code);
    }
    rb_out_line(RB_OUT_ANSWER, "%6lld  %-20s  %-20s  %-10s %4s %8lld %12s %12s%s%s",
                (long long)run->id, run->pipeline, rb_text_time(run->started_unix_us, started),
                outcome_of(history, run), exit_code, (long long)run->n_streams,
                rb_text_count(run->records_written, rows),
                run->ended_unix_us != 0
                    ? rb_text_secs(secs_of(run->started_unix_us, run->ended_unix_us), secs)
                    : "-",
                history->has_keys ? "  " : "", history->has_keys ? shown(run->key) : "");
    return 0;
}

static void write_run_members(struct history *history, const struct rb_state_run *run)
{
    struct rb_json *json = &history->json;
    char time[RB_TEXT_MAX];
    rb_json_member_i64(json, "run_id", run->id);
    rb_json_member_str(json, "pipeline", run->pipeline);
    rb_json_member_str(json, "load_id", run->load_id);
    rb_json_member_str(json, "key", run->key);
    rb_json_member_str(json, "document", run->document_path);
    rb_json_member_str(json, "host", run->host);
    rb_json_member_i64(json, "pid", run->pid);
    rb_json_member_str(json, "started", rb_text_time(run->started_unix_us, time));
    rb_json_member_str(json, "ended",
                       run->ended_unix_us != 0 ? rb_text_time(run->ended_unix_us, time) : NULL);
    rb_json_member_double(json, "secs", secs_of(run->started_unix_us, run->ended_unix_us));
    rb_json_member_str(json, "outcome", outcome_of(history, run));
    rb_json_key(json, "exit_code");
    if (run->ended_unix_us != 0) {
        rb_json_i64(json, run->exit_code);
    } else {
        rb_json_null(json);
    }
    rb_json_member_i64(json, "records_written", run->records_written);
    rb_json_member_raw(json, "connectors", run->connectors_json,
                       run->connectors_json != NULL ? strlen(run->connectors_json) : 0);
    rb_json_member_raw(json, "error", run->error_json,
                       run->error_json != NULL ? strlen(run->error_json) : 0);
}

static int write_run(void *user, const struct rb_state_run *run)
{
    struct history *history = user;
    rb_json_begin_object(&history->json);
    write_run_members(history, run);
    rb_json_member_i64(&history->json, "n_streams", run->n_streams);
    rb_json_end_object(&history->json);
    return 0;
}

static int print_stream(void *user, const struct rb_state_stream *stream)
{
    struct history *history = user;
    char mode[64], read[RB_TEXT_MAX], written[RB_TEXT_MAX], bytes[RB_TEXT_MAX], secs[RB_TEXT_MAX];
    if (history->n++ == 0) {
        rb_out_end(RB_OUT_ANSWER);
        rb_out_line(RB_OUT_ANSWER, "%-24s  %-20s %12s %12s %10s %10s  %-16s  %s", "stream", "mode",
                    "read", "written", "bytes", "time", "checksum", "outcome");
    }
    snprintf(mode, sizeof mode, "%s/%s", stream->sync_mode != NULL ? stream->sync_mode : "-",
             stream->write_mode != NULL ? stream->write_mode : "-");
    rb_out_line(RB_OUT_ANSWER, "%-24s  %-20s %12s %12s %10s %10s  %-16s  %s", stream->stream, mode,
                rb_text_count(stream->records_read, read),
                rb_text_count(stream->records_written, written),
                rb_text_bytes((double)stream->bytes_written, bytes),
                rb_text_secs(secs_of(stream->started_unix_us, stream->ended_unix_us), secs),
                stream->checksum != NULL ? stream->checksum : "-", stream->outcome);
    char *message = message_of(stream->error_json);
    if (message != NULL) {
        rb_out_line(RB_OUT_ANSWER, "  error: %s", message);
    }
    free(message);
    return 0;
}

static int write_stream(void *user, const struct rb_state_stream *stream)
{
    struct history *history = user;
    struct rb_json *json = &history->json;
    char time[RB_TEXT_MAX];
    rb_json_begin_object(json);
    rb_json_member_str(json, "name", stream->stream);
    rb_json_member_str(json, "outcome", stream->outcome);
    rb_json_member_str(json, "sync_mode", stream->sync_mode);
    rb_json_member_str(json, "write_mode", stream->write_mode);
    rb_json_member_i64(json, "records_read", stream->records_read);
    rb_json_member_i64(json, "records_written", stream->records_written);
    rb_json_member_i64(json, "records_skipped", stream->records_skipped);
    rb_json_member_i64(json, "bytes_read", stream->bytes_read);
    rb_json_member_i64(json, "bytes_written", stream->bytes_written);
    rb_json_member_str(json, "started", rb_text_time(stream->started_unix_us, time));
    rb_json_member_str(json, "ended", rb_text_time(stream->ended_unix_us, time));
    rb_json_member_double(json, "secs", secs_of(stream->started_unix_us, stream->ended_unix_us));
    rb_json_member_str(json, "checksum", stream->checksum);
    rb_json_member_raw(json, "timings", stream->timings_json,
                       stream->timings_json != NULL ? strlen(stream->timings_json) : 0);
    rb_json_member_raw(json, "error", stream->error_json,
                       stream->error_json != NULL ? strlen(stream->error_json) : 0);
    rb_json_end_object(json);
    return 0;
}

/* The exit code. */
static int end(struct history *history, int status)
{
    bool is_json = history->cli->output == RB_OUTPUT_JSON;
    status = status != 0 ? status
             : is_json   ? rb_answer_print(history->cli->answer, &history->json, &history->text)
                         : RB_OK;
    if (status == 0) {
        return RB_EXIT_OK;
    }
    if (history->error.status == RB_OK) {
        rb_error_set(&history->error, status, "OUT_OF_MEMORY", "out of memory");
    }
    rb_console_error(&history->console, NULL, &history->error);
    return history->error.status == RB_ESTATE    ? RB_EXIT_STATE
           : history->error.status == RB_ECONFIG ? RB_EXIT_USAGE
                                                 : RB_EXIT_INTERNAL;
}

int rb_cmd_history(const struct rb_cli *cli)
{
    RB_CLEANUP(history_release) struct history history;
    int code = begin(&history, cli, cli->n_operands > 0 ? cli->operands[0] : NULL);
    if (code != 0) {
        return code;
    }
    const char *pipeline = history.pipeline != NULL ? history.pipeline->name : NULL;
    bool is_json = cli->output == RB_OUTPUT_JSON;
    rb_json_begin_object(&history.json);
    rb_json_key(&history.json, "runs");
    rb_json_begin_array(&history.json);
    int status = is_json ? RB_OK
                         : rb_state_each_run(history.state, pipeline, 0, cli->limit, find_key,
                                             &history, &history.error);
    status = status != 0
                 ? status
                 : rb_state_each_run(history.state, pipeline, 0, cli->limit,
                                     is_json ? write_run : print_run, &history, &history.error);
    rb_json_end_array(&history.json);
    rb_json_end_object(&history.json);
    if (status == 0 && !is_json && history.n == 0) {
        rb_out_line(RB_OUT_ANSWER, "no runs");
    }
    return end(&history, status);
}

/* One line for each: what it was, by what its module is known. */
static void print_connectors(const char *connectors_json)
{
    const char *text = connectors_json != NULL ? connectors_json : "";
    yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
    yyjson_val *connector = NULL;
    size_t i = 0, n = 0;
    yyjson_arr_foreach(yyjson_doc_get_root(doc), i, n, connector)
    {
        static const char *const members[] = {"role", "id", "version", "sha256"};
        rb_out_part(RB_OUT_ANSWER, "connector:");
        for (size_t m = 0; m < sizeof members / sizeof *members; m++) {
            const char *member = yyjson_get_str(yyjson_obj_get(connector, members[m]));
            rb_out_part(RB_OUT_ANSWER, " %s%s", m == 3 ? "sha256:" : "", shown(member));
        }
        rb_out_end(RB_OUT_ANSWER);
    }
    yyjson_doc_free(doc);
}

static int show_run(void *user, const struct rb_state_run *run)
{
    struct history *history = user;
    char started[RB_TEXT_MAX], ended[RB_TEXT_MAX];
    history->n = 1;
    if (history->cli->output == RB_OUTPUT_JSON) {
        write_run_members(history, run);
        rb_json_key(&history->json, "streams");
        rb_json_begin_array(&history->json);
        int status =
            rb_state_each_stream(history->state, run->id, write_stream, history, &history->error);
        rb_json_end_array(&history->json);
        return status;
    }
    rb_out_part(RB_OUT_ANSWER, "run %lld of '%s': %s", (long long)run->id, run->pipeline,
                outcome_of(history, run));
    if (run->ended_unix_us != 0) {
        rb_out_part(RB_OUT_ANSWER, ", exit code %d", run->exit_code);
    }
    rb_out_end(RB_OUT_ANSWER);
    rb_out_line(RB_OUT_ANSWER, "load:      %s", run->load_id);
    rb_out_line(RB_OUT_ANSWER, "started:   %s", rb_text_time(run->started_unix_us, started));
    rb_out_line(RB_OUT_ANSWER, "ended:     %s", rb_text_time(run->ended_unix_us, ended));
    rb_out_line(RB_OUT_ANSWER, "process:   %lld on %s", (long long)run->pid, run->host);
    rb_out_line(RB_OUT_ANSWER, "document:  %s", shown(run->document_path));
    if (run->key != NULL) {
        rb_out_line(RB_OUT_ANSWER, "key:       %s", shown(run->key));
    }
    print_connectors(run->connectors_json);
    char *message = message_of(run->error_json);
    if (message != NULL) {
        rb_out_line(RB_OUT_ANSWER, "error:     %s", message);
    }
    free(message);
    history->n = 0;
    int status =
        rb_state_each_stream(history->state, run->id, print_stream, history, &history->error);
    history->n = 1;
    return status;
}

/* 0: "last"; -1: neither that nor a number. */
static int64_t run_number(const char *text)
{
    char *rest = NULL;
    errno = 0;
    long long id = strtoll(text, &rest, 10);
    return strcmp(text, "last") == 0                            ? 0
           : errno != 0 || rest == text || *rest != 0 || id < 1 ? -1
                                                                : id;
}

int rb_cmd_history_show(const struct rb_cli *cli)
{
    RB_CLEANUP(history_release) struct history history;
    int code = begin(&history, cli, cli->n_operands > 1 ? cli->operands[1] : NULL);
    if (code != 0) {
        return code;
    }
    const char *pipeline = history.pipeline != NULL ? history.pipeline->name : NULL;
    int64_t id = run_number(cli->operands[0]);
    rb_json_begin_object(&history.json);
    int status = id < 0 ? RB_OK
                        : rb_state_each_run(history.state, pipeline, id, 1, show_run, &history,
                                            &history.error);
    rb_json_end_object(&history.json);
    if (status == 0 && history.n == 0) {
        status =
            rb_error_set(&history.error, RB_ECONFIG, "NO_SUCH_RUN", "there is no run '%s'%s%s%s",
                         cli->operands[0], pipeline != NULL ? " of '" : "",
                         pipeline != NULL ? pipeline : "", pipeline != NULL ? "'" : "");
        rb_error_set_hint(&history.error, "'rapidbyte history' lists them");
    }
    return end(&history, status);
}
