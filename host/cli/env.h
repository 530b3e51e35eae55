/* Where things are: the binary, its cache, its LLVM stub; and the signals. */
#ifndef RB_HOST_CLI_ENV_H
#define RB_HOST_CLI_ENV_H

#include <limits.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "host/cli/options.h"
#include "host/engine/engine.h"

struct rb_env {
    char self_path[PATH_MAX];
    char aot_dir[PATH_MAX];
    char stub_path[PATH_MAX]; /* "": there is none */
    int signal_fd;            /* -1: not asked for */
};

/* Also makes the cache's folder. `with_signals`: blocks SIGINT, SIGTERM and, unless it is ignored,
 * SIGHUP, and opens a signalfd for them. */
int rb_env_init(struct rb_env *env, const struct rb_cli *cli, bool with_signals,
                struct rb_error *err);
void rb_env_release(struct rb_env *env);
/* <binary's folder>/lib or ../lib/rapidbyte; "" when there is none. Needs no rb_env. */
void rb_env_stub_path(char *out, size_t cap);
/* Appends where connectors are looked for: what the command line says, else the default folders,
 * joined by ':'. RB_ENOMEM. Needs no rb_env. */
int rb_env_connector_dirs(const struct rb_cli *cli, struct rb_buf *ret);
void rb_env_engine_options(const struct rb_env *env, const struct rb_cli *cli,
                           struct rb_engine_options *ret);

#endif
