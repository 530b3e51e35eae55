#include "host/cli/job.h"

#include <string.h>

#include "host/cli/load.h"

int rb_job_begin(struct rb_job *job, const struct rb_cli *cli, bool without_streams)
{
    memset(job, 0, sizeof *job);
    job->worker.fd = -1;
    rb_console_init(&job->console, cli);
    struct rb_error error;
    rb_error_clear(&error);
    if (rb_env_init(&job->env, cli, true, &error) != 0) {
        rb_console_error(&job->console, NULL, &error);
        return error.status == RB_ECONFIG ? RB_EXIT_USAGE : RB_EXIT_INTERNAL;
    }
    rb_early_worker_start(&job->worker, job->env.self_path);
    int code = rb_cli_load(cli, &job->console, without_streams, &job->pipeline);
    if (code != 0) {
        return code;
    }
    rb_env_engine_options(&job->env, cli, &job->options);
    job->options.early_worker = &job->worker;
    rb_console_observer(&job->console, &job->observer);
    return 0;
}

void rb_job_release(struct rb_job *job)
{
    rb_early_worker_release(&job->worker);
    rb_pipeline_free(job->pipeline);
    rb_env_release(&job->env);
}
