#include "host/cli/compiler.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "host/cli/out.h"
#include "host/engine/engine.h"
#include "host/sandbox/sandbox.h"

enum { MESSAGE_MAX = 8192 };

static const rlim_t file_max_bytes = (rlim_t)1 << 30; /* of an entry of the cache */

/* For handlers of signals: what to say is written before. */
static struct {
    uint64_t memory_bytes;
    int64_t cpu_ms;
    char out_of_cpu[MESSAGE_MAX], out_of_memory[MESSAGE_MAX];
} limit;

/* Ends each folder of `dirs` in 0. */
static size_t list_paths(struct rb_sandbox_path *ret, const char *aot_dir, char *dirs,
                         const char *const *paths, int n_paths)
{
    size_t n = rb_sandbox_system_paths(ret, RB_SANDBOX_PATHS_MAX - 1);
    ret[n++] = (struct rb_sandbox_path){.path = aot_dir, .writable = true};
    char *dir;
    while (n < RB_SANDBOX_PATHS_MAX && (dir = strsep(&dirs, ":")) != NULL) {
        ret[n++] = (struct rb_sandbox_path){.path = dir};
    }
    for (int i = 0; i < n_paths && n < RB_SANDBOX_PATHS_MAX; i++) {
        ret[n++] = (struct rb_sandbox_path){.path = paths[i]};
    }
    return n;
}

int rb_cli_confine_compiler(const char *aot_dir, const char *dirs, const char *const *paths,
                            int n_paths, struct rb_error *err)
{
    struct rb_sandbox_path *granted = calloc(RB_SANDBOX_PATHS_MAX, sizeof *granted);
    char *folders = strdup(dirs);
    struct rb_sandbox_state state;
    int status = RB_ENOMEM;
    if (granted == NULL || folders == NULL) {
        rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for the sandbox");
    } else {
        const struct rb_sandbox_rules rules = {
            .paths = granted,
            .n_paths = list_paths(granted, aot_dir, folders, paths, n_paths),
            .beneath = true};
        status = rb_sandbox_enter(&rules, &state, err);
    }
    free(granted);
    free(folders);
    return status;
}

static void on_cpu(int number)
{
    static const char hint[] = "  hint: raise resources.compile_cpu in the document, or 'rapidbyte "
                               "compile --cpu', if you trust the module";
    (void)number;
    rb_out_last_line(limit.out_of_cpu, hint);
    _exit(RB_EXIT_CONNECTOR);
}

/* LLVM and the library of C++ end the process when there is no memory. */
static void on_abort(int number)
{
    static const char hint[] =
        "  hint: raise resources.compile_memory in the document, or 'rapidbyte compile --memory', "
        "if you trust the module";
    (void)number;
    rb_out_last_line(limit.out_of_memory, hint);
    _exit(RB_EXIT_CONNECTOR);
}

void rb_cli_compiling(const char *path)
{
    (void)snprintf(limit.out_of_cpu, sizeof limit.out_of_cpu,
                   "error: to compile '%s' takes more than %lld s of CPU (compile_cpu)", path,
                   (long long)limit.cpu_ms / 1000);
    (void)snprintf(limit.out_of_memory, sizeof limit.out_of_memory,
                   "error: to compile '%s' takes more than %llu MiB (compile_memory)", path,
                   (unsigned long long)limit.memory_bytes >> 20);
}

/* `beyond`: by how much the hard limit is above. */
static int limit_to(__rlimit_resource_t resource, rlim_t to, rlim_t beyond, struct rb_error *err)
{
    struct rlimit now;
    if (getrlimit(resource, &now) != 0) {
        return rb_error_set_errno(err, RB_EIO, "COMPILER_START", errno, "the compiler's limits");
    }
    /* The operator's own is kept where it is lower. */
    now.rlim_max =
        now.rlim_max == RLIM_INFINITY || now.rlim_max > to + beyond ? to + beyond : now.rlim_max;
    now.rlim_cur = now.rlim_cur == RLIM_INFINITY || now.rlim_cur > to ? to : now.rlim_cur;
    return setrlimit(resource, &now) == 0
               ? 0
               : rb_error_set_errno(err, RB_EIO, "COMPILER_START", errno, "the compiler's limits");
}

int rb_cli_limit_compiler(uint64_t memory_bytes, int64_t cpu_ms, size_t n, struct rb_error *err)
{
    struct sigaction cpu = {.sa_handler = on_cpu}, end = {.sa_handler = on_abort};
    rlim_t secs = (rlim_t)((uint64_t)(cpu_ms + 999) / 1000 * (n > 0 ? n : 1));
    limit.memory_bytes = memory_bytes;
    limit.cpu_ms = cpu_ms;
    (void)sigaction(SIGXCPU, &cpu, NULL);
    (void)sigaction(SIGABRT, &end, NULL);
    int status = limit_to(RLIMIT_DATA, (rlim_t)memory_bytes, 0, err);
    /* A second more, so that the soft one's signal comes first. */
    status = status != 0 ? status : limit_to(RLIMIT_CPU, secs, 1, err);
    return status != 0 ? status : limit_to(RLIMIT_FSIZE, file_max_bytes, 0, err);
}
