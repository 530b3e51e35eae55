/* Folders that connectors were granted against files that are not theirs. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "host/engine/run.h"

static bool lies_in(const char *real_path, const char *folder)
{
    char real_folder[PATH_MAX];
    if (realpath(folder, real_folder) == NULL) {
        return false;
    }
    size_t len = strlen(real_folder);
    return strncmp(real_path, real_folder, len) == 0 &&
           (real_path[len] == 0 || real_path[len] == '/' || len == 1);
}

/* Of a file that may not be there yet: its folder. */
static bool real_place(const char *path, bool is_file, char ret[PATH_MAX])
{
    if (realpath(path, ret) != NULL) {
        return true;
    }
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path);
    if (!is_file || len >= sizeof parent) {
        return false;
    }
    memcpy(parent, path, len);
    parent[len] = 0;
    return realpath(slash == NULL ? "." : len == 0 ? "/" : parent, ret) != NULL;
}

static int check(const struct rb_connector_spec *spec, const char *path, bool is_file,
                 bool also_read, const char *what, struct rb_error *err)
{
    char real[PATH_MAX];
    if (!real_place(path, is_file, real)) {
        return RB_OK;
    }
    for (size_t i = 0; i < spec->n_preopens; i++) {
        const struct rb_spec_preopen *folder = &spec->preopens[i];
        if ((also_read || folder->writable) && lies_in(real, folder->host_path)) {
            rb_error_set(err, RB_ECONFIG, "FOLDER_NOT_GRANTABLE",
                         "connector '%s': permissions.folders: %s holds %s (%s)", spec->id,
                         folder->host_path, what, path);
            rb_error_set_hint(err, "grant a folder of its own");
            return RB_ECONFIG;
        }
    }
    return RB_OK;
}

int rb_run_check_folders(const struct rb_pipeline *pipeline,
                         const struct rb_engine_options *options, const struct rb_worker_spec *spec,
                         struct rb_error *err)
{
    int status = RB_OK;
    for (size_t i = 0; i < spec->n_connectors && status == 0; i++) {
        const struct rb_connector_spec *connector = &spec->connectors[i];
        status = check(connector, pipeline->state_path, true, true, "the pipeline's state", err);
        if (status == 0) {
            status = check(connector, options->aot_dir, false, false,
                           "the cache of compiled connectors", err);
        }
        for (size_t k = 0; k < spec->n_connectors && status == 0; k++) {
            status =
                check(connector, spec->connectors[k].wasm_path, true, false, "a connector", err);
        }
    }
    return status;
}
