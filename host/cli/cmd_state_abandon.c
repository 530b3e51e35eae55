/* state abandon: an unfinished load is given up. */
#include <string.h>
#include <yyjson.h>

#include "host/cli/console.h"
#include "host/cli/job.h"
#include "host/cli/out.h"
#include "host/cli/text.h"

enum { INFO_MAX = 16 * 1024 * 1024 };

static void print_text(const struct rb_job *job, yyjson_val *loads)
{
    size_t i, n;
    yyjson_val *load;
    if (yyjson_arr_size(loads) == 0) {
        rb_out_line(RB_OUT_ANSWER, "pipeline '%s' has no unfinished load", job->pipeline->name);
    }
    yyjson_arr_foreach(loads, i, n, load)
    {
        char began[RB_TEXT_MAX];
        const char *id = yyjson_get_str(yyjson_obj_get(load, "load_id"));
        const char *key = yyjson_get_str(yyjson_obj_get(load, "key"));
        int64_t at_ms = yyjson_get_sint(yyjson_obj_get(load, "started_ms"));
        rb_out_line(RB_OUT_ANSWER, "load %s of %s%s%s%s is given up; what it has committed stays",
                    id != NULL ? id : "?", rb_text_time(at_ms * 1000, began),
                    key != NULL ? " with the key '" : "", key != NULL ? key : "",
                    key != NULL ? "'" : "");
    }
}

int rb_cmd_state_abandon(const struct rb_cli *cli)
{
    RB_CLEANUP(rb_job_release) struct rb_job job;
    int code = rb_job_begin(&job, cli, true);
    if (code != 0) {
        return code;
    }
    struct rb_fault fault;
    RB_CLEANUP(rb_buf_release) struct rb_buf info = RB_BUF_INIT(INFO_MAX);
    const char *load_id = cli->n_operands > 1 ? cli->operands[1] : NULL;
    int status = rb_engine_give_up(job.pipeline, &job.options, &job.observer, cli->key, load_id,
                                   &info, &fault);
    rb_console_clear(&job.console);
    if (status == 1) {
        rb_error_set(&fault.error, RB_ECONFIG, "NO_LEDGER",
                     "the destination keeps no ledger, and so no unfinished loads");
    }
    if (status != 0) {
        rb_console_error(&job.console, rb_fault_side_name(fault.side), &fault.error);
        return rb_fault_exit_code(&fault);
    }
    if (cli->output == RB_OUTPUT_JSON) {
        rb_out_json(RB_OUT_ANSWER, &info);
        return RB_EXIT_OK;
    }
    yyjson_doc *doc = yyjson_read(rb_buf_str(&info), info.len, 0);
    if (!cli->quiet) {
        print_text(&job, yyjson_obj_get(yyjson_doc_get_root(doc), "given_up"));
    }
    yyjson_doc_free(doc);
    return RB_EXIT_OK;
}
