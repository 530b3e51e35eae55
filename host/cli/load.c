#include "host/cli/load.h"

#include <stdio.h>
#include <string.h>

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
            rb_console_error(console, pipeline->path, &error);
            code = RB_EXIT_USAGE;
        }
    }
    return code;
}

int rb_cli_load(const struct rb_cli *cli, struct rb_console *console, bool without_streams,
                struct rb_pipeline **ret_pipeline)
{
    struct rb_pipeline_options options = {.connector_dirs = cli->connector_dirs,
                                          .without_streams = without_streams};
    RB_CLEANUP(rb_diags_release) struct rb_diags diags;
    rb_diags_init(&diags);
    struct rb_error error;
    rb_error_clear(&error);
    struct rb_pipeline *pipeline = NULL;
    int status = rb_pipeline_load(cli->operands[0], &options, &pipeline, &diags, &error);
    if (status != 0) {
        rb_console_diags(console, &diags);
        if (diags.count == 0) {
            rb_console_error(console, NULL, &error);
        }
        struct rb_fault fault = {.side = RB_FAULT_ENGINE, .error = error};
        fault.error.status = status;
        return status == RB_EIO ? RB_EXIT_USAGE : rb_fault_exit_code(&fault);
    }
    int code = check_streams(cli, console, pipeline);
    if (code != 0) {
        rb_pipeline_free(pipeline);
        return code;
    }
    *ret_pipeline = pipeline;
    return 0;
}
