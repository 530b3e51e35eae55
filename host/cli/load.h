/* Reading the pipeline for a command, and saying what is wrong with it. */
#ifndef RB_HOST_CLI_LOAD_H
#define RB_HOST_CLI_LOAD_H

#include "host/cli/console.h"
#include "host/cli/options.h"
#include "host/config/pipeline.h"

/* 0, or the exit code after the mistakes have been printed. */
int rb_cli_load(const struct rb_cli *cli, struct rb_console *console, bool without_streams,
                struct rb_pipeline **ret_pipeline);

#endif
