#include "host/cli/load.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/config/stream.h"
#include "host/sandbox/sandbox.h"
#include "host/state/state.h"

static bool has_stream(const struct rb_pipeline *pipeline, const char *name)
{
    for (size_t i = 0; i < pipeline->n_streams; i++) {
        if (strcmp(pipeline->streams[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* --streams names what the document has; what patterns come to, the source must say first. */
static int check_streams(const struct rb_cli *cli, struct rb_console *console,
                         const struct rb_pipeline *pipeline)
{
    int code = 0;
    for (size_t i = 0; cli->has_streams && pipeline->n_patterns == 0 && i < cli->streams.count;
         i++) {
        if (!has_stream(pipeline, cli->streams.items[i])) {
            struct rb_error error;
            rb_error_set(&error, RB_ECONFIG, "UNKNOWN_STREAM",
                         "--streams: the pipeline has no stream '%s'", cli->streams.items[i]);
            rb_streams_suggest(pipeline->streams, pipeline->n_streams, cli->streams.items[i],
                               &error);
            rb_console_error(console, pipeline->path, &error);
            code = RB_EXIT_USAGE;
        }
    }
    return code;
}

static int load(struct rb_console *console, const char *path,
                const struct rb_pipeline_options *options, struct rb_pipeline **ret_pipeline)
{
    RB_CLEANUP(rb_diags_release) struct rb_diags diags;
    rb_diags_init(&diags);
    /* The document has passwords, or says where they are. */
    rb_sandbox_keep_private();
    struct rb_error error;
    rb_error_clear(&error);
    int status = rb_pipeline_load(path, options, ret_pipeline, &diags, &error);
    if (status == 0) {
        rb_answer_name(console->answer, (*ret_pipeline)->name);
        return 0;
    }
    rb_console_diags(console, &diags);
    if (diags.count == 0) {
        rb_console_error(console, NULL, &error);
    }
    rb_answer_fail(console->answer, NULL, &error);
    struct rb_fault fault = {.side = RB_FAULT_ENGINE, .error = error};
    fault.error.status = status;
    return status == RB_EIO ? RB_EXIT_USAGE : rb_fault_exit_code(&fault);
}

int rb_cli_load(const struct rb_cli *cli, struct rb_console *console, bool without_streams,
                struct rb_pipeline **ret_pipeline)
{
    struct rb_pipeline_options options = {.connector_dirs = cli->connector_dirs,
                                          .without_streams = without_streams};
    struct rb_pipeline *pipeline = NULL;
    int code = load(console, cli->operands[0], &options, &pipeline);
    if (code != 0) {
        return code;
    }
    code = check_streams(cli, console, pipeline);
    if (code != 0) {
        rb_pipeline_free(pipeline);
        return code;
    }
    *ret_pipeline = pipeline;
    return 0;
}

/* Opening makes a file that is not there, which looking at it must not. */
static int open_state(const char *path, struct rb_state **ret, struct rb_error *err)
{
    if (access(path, F_OK) == 0) {
        return rb_state_open(path, ret, err);
    }
    rb_error_set(err, RB_ESTATE, "STATE_MISSING", "there is no state file %s", path);
    rb_error_set_hint(err, "the first run makes it");
    return RB_ESTATE;
}

int rb_cli_load_state(const struct rb_cli *cli, struct rb_console *console, const char *document,
                      struct rb_pipeline **ret_pipeline, struct rb_state **ret_state)
{
    const struct rb_pipeline_options options = {.head_only = true};
    struct rb_pipeline *pipeline = NULL;
    struct rb_error error;
    rb_error_clear(&error);
    if (document != NULL && cli->state_path != NULL) {
        rb_error_set(&error, RB_ECONFIG, "TWO_STATES",
                     "--state and a pipeline both say where the state is: name one of them");
        rb_console_error(console, NULL, &error);
        return RB_EXIT_USAGE;
    }
    int code = document != NULL ? load(console, document, &options, &pipeline) : 0;
    if (code != 0) {
        return code;
    }
    const char *path = pipeline != NULL          ? pipeline->state_path
                       : cli->state_path != NULL ? cli->state_path
                                                 : "./state.db";
    if (open_state(path, ret_state, &error) != 0) {
        rb_console_error(console, NULL, &error);
        rb_pipeline_free(pipeline);
        return RB_EXIT_STATE;
    }
    *ret_pipeline = pipeline;
    return 0;
}
