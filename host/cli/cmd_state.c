/* state show, state export. */
#include <string.h>

#include "base/json.h"
#include "host/cli/console.h"
#include "host/cli/cursor.h"
#include "host/cli/load.h"
#include "host/cli/out.h"
#include "host/cli/text.h"
#include "host/link/text.h"
#include "host/state/inspect.h"

enum { JSON_MAX = 256 * 1024 * 1024, CURSOR_TEXT_MAX = 1024 * 1024, FORMAT_VERSION = 1 };

static int print_cursor(void *user, const struct rb_state_cursor *cursor)
{
    size_t *n = user;
    char updated[RB_TEXT_MAX];
    RB_CLEANUP(rb_buf_release) struct rb_buf value = RB_BUF_INIT(CURSOR_TEXT_MAX);
    int status = rb_cursor_text(cursor->checkpoint_json, &value);
    if (status != 0) {
        return status;
    }
    if ((*n)++ == 0) {
        rb_out_line(RB_OUT_ANSWER, "%-24s %-20s %-32s %-20s %s", "stream", "cursor", "value",
                    "since", "load");
    }
    rb_out_line(RB_OUT_ANSWER, "%-24s %-20s %-32s %-20s %s", cursor->stream,
                cursor->cursor_field != NULL ? cursor->cursor_field : "-", rb_buf_str(&value),
                rb_text_time(cursor->updated_unix_us, updated), cursor->load_id);
    return 0;
}

static int write_cursor(void *user, const struct rb_state_cursor *cursor)
{
    struct rb_json *json = user;
    char updated[RB_TEXT_MAX];
    RB_CLEANUP(rb_buf_release) struct rb_buf value = RB_BUF_INIT(CURSOR_TEXT_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf type = RB_BUF_INIT(CURSOR_TEXT_MAX);
    int status = rb_cursor_text(cursor->checkpoint_json, &value);
    status = status != 0 ? status : rb_cursor_type(cursor->checkpoint_json, &type);
    if (status != 0) {
        return status;
    }
    rb_json_begin_object(json);
    rb_json_member_str(json, "stream", cursor->stream);
    rb_json_member_str(json, "cursor_field", cursor->cursor_field);
    rb_json_member_str(json, "cursor_type", type.len > 0 ? rb_buf_str(&type) : cursor->cursor_type);
    rb_json_member_str(json, "value", rb_buf_str(&value));
    rb_json_member_str(json, "load_id", cursor->load_id);
    rb_json_member_str(json, "updated", rb_text_time(cursor->updated_unix_us, updated));
    rb_json_member_raw(json, "checkpoint", cursor->checkpoint_json,
                       strlen(cursor->checkpoint_json));
    rb_json_end_object(json);
    return 0;
}

static int write_key(void *user, const struct rb_state_key *key)
{
    struct rb_json *json = user;
    RB_CLEANUP(rb_buf_release) struct rb_buf value = RB_BUF_INIT(JSON_MAX);
    int status =
        key->value_len > 0 ? rb_link_hex_encode(key->value, key->value_len, &value) : RB_OK;
    if (status != 0) {
        return status;
    }
    rb_json_begin_object(json);
    rb_json_member_i64(json, "scope", key->scope);
    rb_json_member_str(json, "owner", key->owner);
    rb_json_key(json, "key");
    rb_json_strn(json, key->key, key->key_len);
    rb_json_member_str(json, "value_hex", rb_buf_str(&value));
    rb_json_end_object(json);
    return 0;
}

static int write_streams(struct rb_json *json, struct rb_state *state, const char *pipeline,
                         struct rb_error *err)
{
    rb_json_key(json, "streams");
    rb_json_begin_array(json);
    int status = rb_state_each_cursor(state, pipeline, write_cursor, json, err);
    rb_json_end_array(json);
    return status;
}

static void write_holder(struct rb_json *json, const struct rb_state_holder *holder)
{
    rb_json_key(json, "run_by");
    if (holder == NULL) {
        rb_json_null(json);
        return;
    }
    rb_json_begin_object(json);
    rb_json_member_i64(json, "pid", holder->pid);
    rb_json_member_str(json, "host", holder->host);
    rb_json_member_str(json, "since", holder->taken);
    rb_json_end_object(json);
}

static int show_json(const struct rb_cli *cli, struct rb_state *state,
                     const struct rb_pipeline *pipeline, const struct rb_state_holder *holder,
                     struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(JSON_MAX);
    struct rb_json json;
    rb_json_init(&json, &text);
    rb_json_begin_object(&json);
    rb_json_member_str(&json, "pipeline", pipeline->name);
    rb_json_member_str(&json, "state", pipeline->state_path);
    write_holder(&json, holder);
    int status = write_streams(&json, state, pipeline->name, err);
    rb_json_end_object(&json);
    return status != 0 ? status : rb_answer_print(cli->answer, &json, &text);
}

static int show_text(struct rb_state *state, const struct rb_pipeline *pipeline,
                     const struct rb_state_holder *holder, struct rb_error *err)
{
    size_t n = 0;
    int status = rb_state_each_cursor(state, pipeline->name, print_cursor, &n, err);
    if (status == 0 && n == 0) {
        rb_out_line(RB_OUT_ANSWER, "no stream of '%s' has a cursor", pipeline->name);
    }
    if (status == 0 && holder != NULL) {
        rb_out_line(RB_OUT_ANSWER, "'%s' is being run by process %lld on %s since %s",
                    pipeline->name, (long long)holder->pid, holder->host, holder->taken);
    }
    return status;
}

/* After a failure: says it, and is the exit code. */
static int fail(struct rb_console *console, int status, struct rb_error *error)
{
    if (error->status == RB_OK) {
        rb_error_set(error, status, "OUT_OF_MEMORY", "out of memory");
    }
    rb_console_error(console, NULL, error);
    return error->status == RB_ESTATE ? RB_EXIT_STATE : RB_EXIT_INTERNAL;
}

int rb_cmd_state_show(const struct rb_cli *cli)
{
    struct rb_console console;
    rb_console_init(&console, cli);
    struct rb_pipeline *pipeline = NULL;
    struct rb_state *state = NULL;
    int code = rb_cli_load_state(cli, &console, cli->operands[0], &pipeline, &state);
    if (code != 0) {
        return code;
    }
    struct rb_error error;
    rb_error_clear(&error);
    struct rb_state_holder holder;
    int held = rb_state_holder_get(state, pipeline->name, &holder, &error);
    const struct rb_state_holder *by = held == 0 ? &holder : NULL;
    int status = held < 0                        ? held
                 : cli->output == RB_OUTPUT_JSON ? show_json(cli, state, pipeline, by, &error)
                                                 : show_text(state, pipeline, by, &error);
    code = status != 0 ? fail(&console, status, &error) : RB_EXIT_OK;
    rb_state_close(state);
    rb_pipeline_free(pipeline);
    return code;
}

int rb_cmd_state_export(const struct rb_cli *cli)
{
    struct rb_console console;
    rb_console_init(&console, cli);
    struct rb_pipeline *pipeline = NULL;
    struct rb_state *state = NULL;
    int code = rb_cli_load_state(cli, &console, cli->operands[0], &pipeline, &state);
    if (code != 0) {
        return code;
    }
    struct rb_error error;
    rb_error_clear(&error);
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(JSON_MAX);
    struct rb_json json;
    rb_json_init(&json, &text);
    rb_json_begin_object(&json);
    rb_json_member_i64(&json, "rapidbyte_state", FORMAT_VERSION);
    rb_json_member_str(&json, "pipeline", pipeline->name);
    int status = write_streams(&json, state, pipeline->name, &error);
    rb_json_key(&json, "keys");
    rb_json_begin_array(&json);
    status =
        status != 0 ? status : rb_state_each_key(state, pipeline->name, write_key, &json, &error);
    rb_json_end_array(&json);
    rb_json_end_object(&json);
    status = status != 0 ? status : rb_answer_print(cli->answer, &json, &text);
    code = status != 0 ? fail(&console, status, &error) : RB_EXIT_OK;
    rb_state_close(state);
    rb_pipeline_free(pipeline);
    return code;
}
