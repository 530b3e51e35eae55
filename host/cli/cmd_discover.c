#include <string.h>
#include <yyjson.h>

#include "base/json.h"
#include "host/cli/console.h"
#include "host/cli/job.h"
#include "host/cli/out.h"
#include "host/cli/text.h"

enum { CATALOG_MAX = 64 * 1024 * 1024, SCALAR_MAX = CATALOG_MAX };

static const char *text_of(yyjson_val *object, const char *key)
{
    const char *text = yyjson_get_str(yyjson_obj_get(object, key));
    return text != NULL ? text : "";
}

static void print_list(yyjson_val *array, const char *separator)
{
    size_t i, n;
    yyjson_val *item;
    yyjson_arr_foreach(array, i, n, item)
    {
        const char *text = yyjson_get_str(item);
        rb_out_part(RB_OUT_ANSWER, "%s%s", i > 0 ? separator : "", text != NULL ? text : "");
    }
}

static void print_stream(yyjson_val *stream)
{
    char rows[RB_TEXT_MAX];
    rb_out_part(RB_OUT_ANSWER, "%s", text_of(stream, "name"));
    yyjson_val *estimate = yyjson_obj_get(stream, "estimated_rows");
    if (yyjson_is_int(estimate)) {
        rb_out_part(RB_OUT_ANSWER, "  (about %s rows)",
                    rb_text_count(yyjson_get_sint(estimate), rows));
    }
    rb_out_end(RB_OUT_ANSWER);
    size_t i, n;
    yyjson_val *column;
    yyjson_arr_foreach(yyjson_obj_get(stream, "schema"), i, n, column)
    {
        rb_out_line(RB_OUT_ANSWER, "  %-24s %-28s %-24s%s", text_of(column, "name"),
                    text_of(column, "data_type"), text_of(column, "arrow_type"),
                    yyjson_is_false(yyjson_obj_get(column, "nullable")) ? " not null" : "");
    }
    yyjson_val *key = yyjson_obj_get(stream, "source_defined_primary_key");
    if (yyjson_arr_size(key) > 0) {
        rb_out_part(RB_OUT_ANSWER, "  primary key: ");
        print_list(key, ", ");
        rb_out_end(RB_OUT_ANSWER);
    }
    rb_out_part(RB_OUT_ANSWER, "  sync modes: ");
    print_list(yyjson_obj_get(stream, "supported_sync_modes"), ", ");
    if (text_of(stream, "proposed_cursor")[0] != 0) {
        rb_out_part(RB_OUT_ANSWER, "; cursor: %s", text_of(stream, "proposed_cursor"));
    }
    rb_out_end(RB_OUT_ANSWER);
    rb_out_end(RB_OUT_ANSWER);
}

/* A double-quoted YAML scalar where a plain one might mean something else (YAML 1.2, section 7.3).
 */
static void print_scalar(const char *text)
{
    bool plain = text[0] != 0 &&
                 strspn(text, "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") == strlen(text) &&
                 (text[0] < '0' || text[0] > '9');
    static const char *const words[] = {"null", "true", "false", "yes",  "no",   "on",
                                        "off",  "y",    "n",     "Null", "True", "False"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        plain = plain && strcasecmp(text, words[i]) != 0;
    }
    if (plain) {
        rb_out_part(RB_OUT_ANSWER, "%s", text);
        return;
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf value = RB_BUF_INIT(SCALAR_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf quoted = RB_BUF_INIT(SCALAR_MAX);
    struct rb_json json;
    int status = RB_OK;
    for (const char *p = text; status == 0 && *p != 0; p++) {
        status = rb_buf_append(&value, "$", *p == '$' && p[1] == '{' ? 1 : 0);
        status = status != 0 ? status : rb_buf_append(&value, p, 1);
    }
    /* JSON's strings are YAML's. */
    rb_json_init(&json, &quoted);
    rb_json_strn(&json, rb_buf_str(&value), value.len);
    if (status == 0 && rb_json_finish(&json) == 0) {
        rb_out_json_part(RB_OUT_ANSWER, &quoted);
    }
}

static void print_yaml(yyjson_val *streams)
{
    rb_out_line(RB_OUT_ANSWER, "  streams:");
    size_t i, n;
    yyjson_val *stream;
    yyjson_arr_foreach(streams, i, n, stream)
    {
        const char *cursor = text_of(stream, "proposed_cursor");
        rb_out_part(RB_OUT_ANSWER, "    - name: ");
        print_scalar(text_of(stream, "name"));
        rb_out_end(RB_OUT_ANSWER);
        if (cursor[0] == 0) {
            rb_out_line(RB_OUT_ANSWER, "      sync_mode: full_refresh");
            continue;
        }
        rb_out_part(RB_OUT_ANSWER,
                    "      sync_mode: full_refresh   # or incremental, with cursor_field: ");
        print_scalar(cursor);
        rb_out_end(RB_OUT_ANSWER);
    }
}

static int print_catalog(const struct rb_cli *cli, const struct rb_buf *catalog)
{
    if (cli->output == RB_OUTPUT_JSON) {
        RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(CATALOG_MAX);
        struct rb_json json;
        rb_json_init(&json, &text);
        rb_json_raw(&json, rb_buf_str(catalog), catalog->len);
        return rb_answer_print(cli->answer, &json, &text) == 0 ? 0 : RB_EXIT_INTERNAL;
    }
    yyjson_doc *doc = yyjson_read(rb_buf_str(catalog), catalog->len, 0);
    yyjson_val *streams = yyjson_obj_get(yyjson_doc_get_root(doc), "streams");
    if (cli->output == RB_OUTPUT_YAML) {
        print_yaml(streams);
    } else {
        size_t i, n;
        yyjson_val *stream;
        yyjson_arr_foreach(streams, i, n, stream)
        {
            print_stream(stream);
        }
        rb_out_line(RB_OUT_ANSWER, "%zu streams", yyjson_arr_size(streams));
    }
    yyjson_doc_free(doc);
    return 0;
}

int rb_cmd_discover(const struct rb_cli *cli)
{
    RB_CLEANUP(rb_job_release) struct rb_job job;
    int code = rb_job_begin(&job, cli, true);
    if (code != 0) {
        return code;
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf catalog = RB_BUF_INIT(CATALOG_MAX);
    struct rb_fault fault;
    if (rb_engine_discover(job.pipeline, &job.options, &job.observer, &catalog, &fault) != 0) {
        rb_console_error(&job.console, rb_fault_side_name(fault.side), &fault.error);
        code = rb_fault_exit_code(&fault);
    } else {
        code = print_catalog(cli, &catalog);
    }
    return code;
}
