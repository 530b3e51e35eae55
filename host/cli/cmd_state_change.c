/* state reset, set-cursor, import: by the destination's ledger and the state file. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yyjson.h>

#include "base/json.h"
#include "host/cli/console.h"
#include "host/cli/cursor.h"
#include "host/cli/job.h"
#include "host/cli/out.h"
#include "host/config/pattern.h"
#include "host/engine/retry.h"
#include "host/link/text.h"
#include "host/state/change.h"

/* Said of a reset, since rows stay as they are. */
#define ADDS_AGAIN "; where it appends, it adds the rows that are there again"

enum { FILE_MAX = 256 * 1024 * 1024, READ_BYTES = 64 * 1024, FORMAT_VERSION = 1 };

/* What a command needs, from begin to end. */
struct command {
    const struct rb_cli *cli;
    struct rb_job job;
};

/* 0, or the exit code. */
static int begin(struct command *command, const struct rb_cli *cli)
{
    command->cli = cli;
    int code = rb_job_begin(&command->job, cli, true);
    /* --streams names what is changed, not what is run. */
    command->job.options.only_streams = NULL;
    return code;
}

static void command_release(struct command *command)
{
    rb_job_release(&command->job);
}

static int usage(struct command *command, const char *where, const char *hint, const char *fmt, ...)
    RB_PRINTF(4, 5);

static int usage(struct command *command, const char *where, const char *hint, const char *fmt, ...)
{
    char text[RB_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct rb_error error;
    rb_error_clear(&error);
    rb_error_set(&error, RB_ECONFIG, "USAGE", "%s", text);
    if (hint != NULL) {
        rb_error_set_hint(&error, "%s", hint);
    }
    rb_console_error(&command->job.console, where, &error);
    return RB_EXIT_USAGE;
}

static int print_done(const struct command *command, bool ledger,
                      const struct rb_state_change *changes, size_t n, const char *text)
{
    if (command->cli->output == RB_OUTPUT_TEXT) {
        if (!command->cli->quiet) {
            rb_out_line(RB_OUT_ANSWER, "%s%s", text,
                        ledger ? ""
                               : " (the destination keeps no ledger: in the state file alone)");
        }
        return RB_EXIT_OK;
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(FILE_MAX);
    struct rb_json json;
    rb_json_init(&json, &out);
    rb_json_begin_object(&json);
    rb_json_member_str(&json, "pipeline", command->job.pipeline->name);
    rb_json_member_bool(&json, "ledger", ledger);
    rb_json_key(&json, "changed");
    rb_json_begin_array(&json);
    for (size_t i = 0; i < n; i++) {
        rb_json_begin_object(&json);
        rb_json_member_str(&json, "stream", changes[i].stream);
        rb_json_member_raw(&json, "checkpoint", changes[i].checkpoint_json,
                           changes[i].checkpoint_json != NULL ? strlen(changes[i].checkpoint_json)
                                                              : 0);
        rb_json_end_object(&json);
    }
    rb_json_end_array(&json);
    rb_json_end_object(&json);
    return rb_answer_print(command->cli->answer, &json, &out) == 0 ? RB_EXIT_OK : RB_EXIT_INTERNAL;
}

static int apply(struct command *command, const struct rb_state_change *changes, size_t n,
                 const struct rb_state_key *keys, size_t n_keys, const char *text)
{
    struct rb_fault fault;
    int status = rb_engine_change(command->job.pipeline, &command->job.options,
                                  &command->job.observer, changes, n, keys, n_keys, &fault);
    rb_console_clear(&command->job.console);
    if (status < 0) {
        rb_console_error(&command->job.console, rb_fault_side_name(fault.side), &fault.error);
        return rb_fault_exit_code(&fault);
    }
    return print_done(command, status == 0, changes, n, text);
}

int rb_cmd_state_reset(const struct rb_cli *cli)
{
    RB_CLEANUP(command_release) struct command command;
    int code = begin(&command, cli);
    if (code != 0) {
        return code;
    }
    const struct rb_state_change all = {.stream = NULL};
    if (!cli->has_streams) {
        return apply(&command, &all, 1, NULL, 0,
                     "every stream is read from its start by the next run" ADDS_AGAIN);
    }
    struct rb_state_change *changes = calloc(cli->streams.count + 1, sizeof *changes);
    if (changes == NULL) {
        return RB_EXIT_INTERNAL;
    }
    for (size_t i = 0; i < cli->streams.count; i++) {
        changes[i].stream = cli->streams.items[i];
    }
    char text[192];
    snprintf(text, sizeof text, "%zu stream%s read from the start by the next run" ADDS_AGAIN,
             cli->streams.count, cli->streams.count == 1 ? " is" : "s are");
    code = apply(&command, changes, cli->streams.count, NULL, 0, text);
    free(changes);
    return code;
}

/* The settings of an incremental stream that the document names, or that one of its patterns would
 * make; NULL: none. */
static const struct rb_stream *find_incremental(const struct rb_pipeline *pipeline,
                                                const char *name)
{
    for (size_t i = 0; i < pipeline->n_streams; i++) {
        if (strcmp(pipeline->streams[i].name, name) == 0) {
            const struct rb_stream *stream = &pipeline->streams[i];
            return stream->sync_mode == RB_SYNC_INCREMENTAL ? stream : NULL;
        }
    }
    for (size_t i = 0; i < pipeline->n_patterns; i++) {
        const struct rb_stream_pattern *pattern = &pipeline->patterns[i];
        if (!pattern->excludes && pattern->stream.sync_mode == RB_SYNC_INCREMENTAL &&
            rb_pattern_matches(pattern->table, name)) {
            return &pattern->stream;
        }
    }
    return NULL;
}

/* The source is asked whether the value is one of the cursor's type: else the next run would fail.
 * Without an answer it is taken as it is. 0, or the exit code. */
static int try_cursor(struct command *command, const char *stream, const char *checkpoint_json)
{
    struct rb_fault fault;
    struct rb_observer observer = command->job.observer;
    observer.stream = NULL; /* it is not run */
    int status = rb_engine_try_checkpoint(command->job.pipeline, &command->job.options, &observer,
                                          stream, checkpoint_json, &fault);
    rb_console_clear(&command->job.console);
    if (status == 0) {
        return 0;
    }
    if (fault.side == RB_FAULT_SOURCE && rb_retry_may_pass(&fault.error)) {
        char note[RB_ERROR_MESSAGE_MAX];
        snprintf(note, sizeof note, "the source was not asked whether it takes the value: %.900s",
                 fault.error.message);
        command->job.observer.note(command->job.observer.user, note);
        return 0;
    }
    if (fault.error.status == RB_EDATA) {
        rb_error_prefix(&fault.error, "the source does not take the value");
        rb_error_set_hint(&fault.error,
                          "write it as the column's type is written; 'rapidbyte state "
                          "show' has the one that is kept");
        rb_console_error(&command->job.console, NULL, &fault.error);
        return RB_EXIT_USAGE;
    }
    rb_console_error(&command->job.console, rb_fault_side_name(fault.side), &fault.error);
    return rb_fault_exit_code(&fault);
}

int rb_cmd_state_set_cursor(const struct rb_cli *cli)
{
    RB_CLEANUP(command_release) struct command command;
    int code = begin(&command, cli);
    if (code != 0) {
        return code;
    }
    const char *name = cli->operands[1];
    const char *value = cli->operands[2];
    const struct rb_stream *stream = find_incremental(command.job.pipeline, name);
    if (stream == NULL) {
        return usage(&command, command.job.pipeline->path, NULL,
                     "the pipeline has no incremental stream '%s'", name);
    }
    if (value[0] == '\0') {
        return usage(&command, NULL, "'state reset' goes back to the start",
                     "an empty value is no cursor");
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf checkpoint = RB_BUF_INIT(FILE_MAX);
    if (rb_cursor_make(name, stream->cursor_field, value, &checkpoint) != 0) {
        return usage(&command, NULL, NULL, "the value is not UTF-8 text");
    }
    const struct rb_state_change change = {.stream = name,
                                           .checkpoint_json = rb_buf_str(&checkpoint),
                                           .cursor_field = stream->cursor_field};
    code = try_cursor(&command, name, rb_buf_str(&checkpoint));
    if (code != 0) {
        return code;
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(FILE_MAX);
    (void)rb_buf_printf(&text, "stream '%s' goes on behind %s = %s", name, stream->cursor_field,
                        value);
    return apply(&command, &change, 1, NULL, 0, rb_buf_str(&text));
}

static int read_all(int fd, struct rb_buf *ret)
{
    for (;;) {
        char block[READ_BYTES];
        ssize_t n = read(fd, block, sizeof block);
        if (n == 0) {
            return RB_OK;
        }
        int status = n < 0 ? RB_EIO : rb_buf_append(ret, block, (size_t)n);
        if (status != 0) {
            return status;
        }
    }
}

/* "-" is standard input. */
static int read_whole(const char *path, struct rb_buf *ret)
{
    if (strcmp(path, "-") == 0) {
        return read_all(STDIN_FILENO, ret);
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return RB_EIO;
    }
    int status = read_all(fd, ret);
    (void)close(fd);
    return status;
}

/* What an exported file holds. */
struct import {
    yyjson_doc *doc;
    struct rb_state_change *changes;
    size_t n_changes;
    struct rb_state_key *keys;
    size_t n_keys;
    struct rb_buf *values; /* of the keys */
    char **texts;          /* of the changes */
};

static void import_release(struct import *import)
{
    for (size_t i = 0; i < import->n_keys; i++) {
        rb_buf_release(&import->values[i]);
    }
    for (size_t i = 0; i < import->n_changes; i++) {
        free(import->texts[i]);
    }
    free(import->values);
    free((void *)import->texts);
    free(import->keys);
    free(import->changes);
    yyjson_doc_free(import->doc);
}

static const char *member(yyjson_val *object, const char *key)
{
    return yyjson_get_str(yyjson_obj_get(object, key));
}

static bool take_streams(struct import *import, yyjson_val *streams)
{
    size_t i, n;
    yyjson_val *item;
    yyjson_arr_foreach(streams, i, n, item)
    {
        yyjson_val *checkpoint = yyjson_obj_get(item, "checkpoint");
        struct rb_state_change *change = &import->changes[import->n_changes];
        change->stream = member(item, "stream");
        change->cursor_field = member(item, "cursor_field");
        change->cursor_type = member(item, "cursor_type");
        char *text = yyjson_is_obj(checkpoint) ? yyjson_val_write(checkpoint, 0, NULL) : NULL;
        change->checkpoint_json = text;
        import->texts[import->n_changes++] = text;
        if (change->stream == NULL || text == NULL) {
            return false;
        }
    }
    return true;
}

static bool take_keys(struct import *import, yyjson_val *keys)
{
    size_t i, n;
    yyjson_val *item;
    yyjson_arr_foreach(keys, i, n, item)
    {
        struct rb_state_key *key = &import->keys[import->n_keys];
        struct rb_buf *value = &import->values[import->n_keys++];
        yyjson_val *name = yyjson_obj_get(item, "key");
        const char *hex = member(item, "value_hex");
        rb_buf_init(value, FILE_MAX);
        key->owner = member(item, "owner");
        key->scope = yyjson_get_int(yyjson_obj_get(item, "scope"));
        key->key = yyjson_get_str(name);
        key->key_len = yyjson_get_len(name);
        if (key->owner == NULL || key->key == NULL || hex == NULL ||
            (hex[0] != '\0' && rb_link_hex_decode(hex, strlen(hex), value) != 0)) {
            return false;
        }
        key->value = value->data;
        key->value_len = value->len;
    }
    return true;
}

/* The first change forgets what there is. */
static bool take_import(struct import *import, const struct rb_buf *text)
{
    import->doc = yyjson_read(rb_buf_str(text), text->len, 0);
    yyjson_val *root = yyjson_doc_get_root(import->doc);
    yyjson_val *streams = yyjson_obj_get(root, "streams"), *keys = yyjson_obj_get(root, "keys");
    if (yyjson_get_int(yyjson_obj_get(root, "rapidbyte_state")) != FORMAT_VERSION ||
        member(root, "pipeline") == NULL) {
        return false;
    }
    import->changes = calloc(yyjson_arr_size(streams) + 1, sizeof *import->changes);
    import->texts = calloc(yyjson_arr_size(streams) + 1, sizeof *import->texts);
    import->keys = calloc(yyjson_arr_size(keys) + 1, sizeof *import->keys);
    import->values = calloc(yyjson_arr_size(keys) + 1, sizeof *import->values);
    if (import->changes == NULL || import->texts == NULL || import->keys == NULL ||
        import->values == NULL) {
        return false;
    }
    import->n_changes = 1;
    return take_streams(import, streams) && take_keys(import, keys);
}

static int import_file(struct command *command, struct import *import, const char *path)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(FILE_MAX);
    if (read_whole(path, &text) != 0) {
        return usage(command, path, NULL, "the file can't be read");
    }
    if (!take_import(import, &text)) {
        return usage(command, path, "write one with 'rapidbyte state export'",
                     "this is not an exported state (version %d)", (int)FORMAT_VERSION);
    }
    const char *name = member(yyjson_doc_get_root(import->doc), "pipeline");
    if (strcmp(name, command->job.pipeline->name) != 0) {
        return usage(command, path, NULL, "this is the state of pipeline '%s', not of '%s'", name,
                     command->job.pipeline->name);
    }
    char done[96];
    snprintf(done, sizeof done, "the state was replaced: %zu streams, %zu keys",
             import->n_changes - 1, import->n_keys);
    return apply(command, import->changes, import->n_changes, import->keys, import->n_keys, done);
}

int rb_cmd_state_import(const struct rb_cli *cli)
{
    RB_CLEANUP(command_release) struct command command;
    int code = begin(&command, cli);
    if (code != 0) {
        return code;
    }
    struct import import = {.n_changes = 0};
    code = import_file(&command, &import, cli->operands[1]);
    import_release(&import);
    return code;
}
