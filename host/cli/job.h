/* What a command that works on a pipeline starts with: the environment, the document, the engine's
 * options, an observer. */
#ifndef RB_HOST_CLI_JOB_H
#define RB_HOST_CLI_JOB_H

#include "host/cli/console.h"
#include "host/cli/env.h"
#include "host/cli/options.h"
#include "host/config/pipeline.h"
#include "host/engine/engine.h"

struct rb_job {
    struct rb_console console;
    struct rb_env env;
    struct rb_early_worker worker;
    struct rb_pipeline *pipeline;
    struct rb_engine_options options;
    struct rb_observer observer;
};

/* 0, or the exit code after saying what is wrong. `job` must stay where it is; release it in any
 * case. */
int rb_job_begin(struct rb_job *job, const struct rb_cli *cli, bool without_streams);
void rb_job_release(struct rb_job *job);

#endif
