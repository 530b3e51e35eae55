#include "host/cli/env.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/cli/out.h"
#include "host/config/home.h"
#include "host/config/manifest.h"

static int find_self(char *out, size_t cap, struct rb_error *err)
{
    ssize_t len = readlink("/proc/self/exe", out, cap - 1);
    if (len <= 0 || (size_t)len >= cap - 1) {
        return rb_error_set_errno(err, RB_EINTERNAL, "SELF_PATH", errno,
                                  "finding this program through /proc/self/exe");
    }
    out[len] = 0;
    return RB_OK;
}

void rb_env_stub_path(char *out, size_t cap)
{
    static const char *const places[] = {"lib/libLLVM-stub.so", "../lib/rapidbyte/libLLVM-stub.so"};
    char self[PATH_MAX];
    out[0] = 0;
    if (find_self(self, sizeof self, NULL) != 0) {
        return;
    }
    char *slash = strrchr(self, '/');
    if (slash == NULL) {
        return;
    }
    *slash = 0;
    for (size_t i = 0; i < 2; i++) {
        int n = snprintf(out, cap, "%s/%s", self, places[i]);
        if (n > 0 && (size_t)n < cap && access(out, R_OK) == 0) {
            return;
        }
    }
    out[0] = 0;
}

/* mkdir -p with 0700: what is in there becomes code. */
static int make_folders(const char *path, struct rb_error *err)
{
    char part[PATH_MAX];
    snprintf(part, sizeof part, "%s", path);
    for (char *p = part + 1;; p++) {
        if (*p != '/' && *p != 0) {
            continue;
        }
        bool last = *p == 0;
        *p = 0;
        if (mkdir(part, 0700) != 0 && errno != EEXIST) {
            int saved = errno;
            rb_error_set_errno(err, RB_EIO, "CACHE_DIR", saved, "making the folder %s", part);
            rb_error_set_hint(err, "name another with --aot-dir or $RAPIDBYTE_CACHE_DIR");
            return RB_EIO;
        }
        if (last) {
            return RB_OK;
        }
        *p = '/';
    }
}

static int find_aot_dir(char *out, size_t cap, const struct rb_cli *cli, struct rb_error *err)
{
    const char *given = cli->aot_dir != NULL ? cli->aot_dir : getenv("RAPIDBYTE_CACHE_DIR");
    const char *cache = getenv("XDG_CACHE_HOME");
    char home[PATH_MAX];
    int n;
    if (given != NULL && given[0] != 0) {
        n = snprintf(out, cap, "%s", given);
    } else if (cache != NULL && cache[0] == '/') {
        n = snprintf(out, cap, "%s/rapidbyte/aot", cache);
    } else if (rb_home_folder(home) && home[0] == '/') {
        n = snprintf(out, cap, "%s/.cache/rapidbyte/aot", home);
    } else {
        rb_error_set(err, RB_ECONFIG, "NO_HOME", "there is no home folder for the cache");
        rb_error_set_hint(err, "set HOME, or name a folder with --aot-dir or $RAPIDBYTE_CACHE_DIR");
        return RB_ECONFIG;
    }
    if (n < 0 || (size_t)n >= cap) {
        return rb_error_set(err, RB_ECONFIG, "PATH_TOO_LONG", "the cache's path is too long");
    }
    return make_folders(out, err);
}

int rb_env_init(struct rb_env *env, const struct rb_cli *cli, bool with_signals,
                struct rb_error *err)
{
    memset(env, 0, sizeof *env);
    env->signal_fd = -1;
    int status = find_self(env->self_path, sizeof env->self_path, err);
    status = status != 0 ? status : find_aot_dir(env->aot_dir, sizeof env->aot_dir, cli, err);
    if (status != 0 || !with_signals) {
        return status;
    }
    rb_env_stub_path(env->stub_path, sizeof env->stub_path);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    /* A blocked signal comes through the descriptor even when it is ignored, as nohup wants it. */
    struct sigaction hangup;
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN) {
        sigaddset(&signals, SIGHUP);
    }
    if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0) {
        return rb_error_set_errno(err, RB_EINTERNAL, "SIGNALS", errno, "blocking signals");
    }
    env->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return env->signal_fd >= 0
               ? RB_OK
               : rb_error_set_errno(err, RB_EINTERNAL, "SIGNALS", errno, "opening a signalfd");
}

void rb_env_release(struct rb_env *env)
{
    if (env->signal_fd >= 0) {
        close(env->signal_fd);
        env->signal_fd = -1;
    }
}

int rb_env_connector_dirs(const struct rb_cli *cli, struct rb_buf *ret)
{
    return cli->connector_dirs != NULL ? rb_buf_append_str(ret, cli->connector_dirs)
                                       : rb_manifest_default_dirs(ret);
}

void rb_env_engine_options(const struct rb_env *env, const struct rb_cli *cli,
                           struct rb_engine_options *ret)
{
    *ret = (struct rb_engine_options){
        .self_path = env->self_path,
        .aot_dir = env->aot_dir,
        .llvm_stub_path = env->stub_path[0] != 0 ? env->stub_path : NULL,
        .interpreter = cli->interpreter,
        .no_os_sandbox = cli->no_os_sandbox,
        .log_level = cli->log_level,
        .signal_fd = env->signal_fd,
        .die = rb_out_die,
        .only_streams = cli->has_streams ? &cli->streams : NULL,
        .full_refresh = cli->full_refresh,
        .key = cli->key,
        .append_again = cli->append_again,
        .append_never = cli->append_never,
    };
}
