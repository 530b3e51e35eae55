#include "host/cli/compiler.h"

#include <stdlib.h>
#include <string.h>

#include "host/sandbox/sandbox.h"

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
