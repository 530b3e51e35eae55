/* Reading the pipeline for a command, and saying what is wrong with it. */
#ifndef RB_HOST_CLI_LOAD_H
#define RB_HOST_CLI_LOAD_H

#include "host/cli/console.h"
#include "host/cli/options.h"
#include "host/config/pipeline.h"

/* 0, or the exit code after the mistakes have been printed. */
int rb_cli_load(const struct rb_cli *cli, struct rb_console *console, bool without_streams,
                struct rb_pipeline **ret_pipeline);
/* Of `document` only the name and the state's path, which need no other variables, or with NULL
 * none
 * (*ret_pipeline is NULL then, and the state is --state's, or ./state.db); and the state, which
 * must be there. 0, or the exit code after saying what is wrong. */
struct rb_state;
int rb_cli_load_state(const struct rb_cli *cli, struct rb_console *console, const char *document,
                      struct rb_pipeline **ret_pipeline, struct rb_state **ret_state);

#endif
