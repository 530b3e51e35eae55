#include "host/cli/log_line.h"

#include <stdio.h>
#include <time.h>

#include "base/json.h"
#include "host/cli/out.h"

enum { LINE_MAX_BYTES = 80 * 1024, TIME_MAX = 40 };

static void member(struct rb_json *json, const char *key, const char *text)
{
    if (text != NULL && text[0] != 0) {
        rb_json_member_str(json, key, text);
    }
}

static void number(struct rb_json *json, const char *key, int64_t n)
{
    if (n > 0) {
        rb_json_member_i64(json, key, n);
    }
}

static void write_time(struct rb_json *json)
{
    struct timespec now;
    struct tm utc;
    char ts[TIME_MAX];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t n = strftime(ts, sizeof ts, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(ts + n, sizeof ts - n, ".%03ldZ", now.tv_nsec / 1000000);
    rb_json_member_str(json, "ts", ts);
}

static void write_error(struct rb_json *json, const struct rb_log_line *line)
{
    const struct rb_error *error = line->error;
    member(json, "side", line->side);
    if (error != NULL) {
        member(json, "code", error->code);
        member(json, "sqlstate", error->sqlstate);
        member(json, "detail", error->detail);
    }
    member(json, "hint", error != NULL ? error->hint : line->hint);
}

static void write_end(struct rb_json *json, const struct rb_log_end *end)
{
    rb_json_member_str(json, "outcome", end->outcome);
    if (end->exit_code >= 0) {
        rb_json_member_i64(json, "exit_code", end->exit_code);
    }
    rb_json_member_i64(json, "rows", end->rows);
    rb_json_member_i64(json, "bytes", end->bytes);
    rb_json_member_double(json, "secs", end->secs);
}

void rb_log_line_print(const struct rb_log_line *line)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(LINE_MAX_BYTES);
    struct rb_json json;
    rb_json_init(&json, &text);
    rb_json_begin_object(&json);
    write_time(&json);
    rb_json_member_str(&json, "level", line->level);
    member(&json, "pipeline", line->pipeline);
    member(&json, "load", line->load);
    member(&json, "key", line->key);
    member(&json, "connector", line->connector);
    member(&json, "stream", line->stream);
    rb_json_member_str(&json, "message", line->message);
    member(&json, "document", line->document);
    number(&json, "line", line->line);
    number(&json, "column", line->column);
    number(&json, "streams", (int64_t)line->n_streams);
    write_error(&json, line);
    if (line->end != NULL) {
        write_end(&json, line->end);
    }
    rb_json_end_object(&json);
    if (rb_json_finish(&json) == 0) {
        rb_out_json(RB_OUT_NEWS, &text);
    }
}
