/* connectors verify: everything about a connector that can be checked without running it. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "host/cli/compiler.h"
#include "host/cli/console.h"
#include "host/cli/env.h"
#include "host/cli/out.h"
#include "host/config/manifest.h"
#include "host/guest/guest.h"

enum { DIRS_MAX = 64 * 1024, JSON_MAX = 16 * 1024 * 1024 };

struct verdict {
    struct rb_manifest *manifest; /* NULL: it, or its module, is refused */
    enum rb_guest_aot aot;
    struct rb_error error; /* status 0: nothing is wrong */
};

struct verification {
    struct verdict *verdicts;
    size_t n;
    const char *aot_dir;
};

static void release(struct verification *work)
{
    for (size_t i = 0; i < work->n; i++) {
        rb_manifest_free(work->verdicts[i].manifest);
    }
    free(work->verdicts);
}

/* A name, or the path of a module, whose manifest is found as beside any other. */
static int find(const char *operand, const char *dirs, struct rb_manifest **ret,
                struct rb_error *err)
{
    const char *slash = strrchr(operand, '/');
    size_t len = strlen(operand);
    bool is_module = len > 5 && strcmp(operand + len - 5, ".wasm") == 0;
    if (slash == NULL && !is_module) {
        return rb_manifest_find(operand, dirs, ret, err);
    }
    char *folder = slash == NULL ? strdup(".") : strndup(operand, (size_t)(slash - operand) + 1);
    char *name = strdup(slash == NULL ? operand : slash + 1);
    int status = RB_ENOMEM;
    if (folder != NULL && name != NULL) {
        name[strlen(name) - (is_module ? 5 : 0)] = 0;
        status = rb_manifest_find(name, folder, ret, err);
    }
    free(folder);
    free(name);
    return status;
}

static int collect(struct verification *work, const struct rb_cli *cli, const char *dirs,
                   struct rb_error *err)
{
    struct rb_manifest **manifests = NULL;
    struct rb_error *errors = NULL;
    size_t n = (size_t)cli->n_operands;
    int status = n > 0 ? 0 : rb_manifest_list(dirs, &manifests, &errors, &n, err);
    work->verdicts = status == 0 ? calloc(n + 1, sizeof *work->verdicts) : NULL;
    if (work->verdicts == NULL) {
        status = status != 0 ? status : rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory");
        n = 0;
    }
    for (size_t i = 0; i < n; i++) {
        struct verdict *verdict = &work->verdicts[work->n++];
        if (manifests != NULL) {
            verdict->manifest = manifests[i];
            verdict->error = errors[i];
        } else {
            (void)find(cli->operands[i], dirs, &verdict->manifest, &verdict->error);
        }
    }
    free((void *)manifests);
    free(errors);
    return status;
}

static void verify(const struct verification *work, struct verdict *verdict)
{
    const struct rb_manifest *manifest = verdict->manifest;
    struct rb_error *err = &verdict->error;
    const struct rb_guest_options options = {
        .connector_id = manifest->id,
        .wasm_path = manifest->wasm_path,
        .wasm_sha256 = manifest->sha256,
        .interpreter = true,
        .wasi_sockets = true, /* it would have to be granted them */
        .memory_max_bytes =
            manifest->max_memory_bytes != 0 ? manifest->max_memory_bytes : (uint64_t)1 << 32,
    };
    int status = rb_guest_verify(&options, err);
    status = status != 0 ? status
                         : rb_guest_aot_state(manifest->sha256, work->aot_dir, &verdict->aot, err);
    if (status == 0 && verdict->aot == RB_GUEST_AOT_REFUSED) {
        (void)rb_error_set(err, RB_ECONNECTOR, "AOT_REFUSED",
                           "what the cache %s has of connector '%s' is not as it was compiled",
                           work->aot_dir, manifest->id);
        rb_error_set_hint(err, "it is never loaded; 'rapidbyte compile' makes it anew");
    }
}

static const char *const aot_words[] = {
    [RB_GUEST_AOT_READY] = "ready",
    [RB_GUEST_AOT_MISSING] = "missing",
    [RB_GUEST_AOT_REFUSED] = "refused",
};

static void print_text(struct rb_console *console, const struct rb_cli *cli,
                       const struct verdict *verdict)
{
    const struct rb_manifest *manifest = verdict->manifest;
    if (verdict->error.status != 0) {
        rb_console_error(console, NULL, &verdict->error);
    } else if (!cli->quiet) {
        rb_out_line(RB_OUT_ANSWER, "ok  %-20s %-8s %s  sha256:%s%s, %s", manifest->id,
                    manifest->version, manifest->wasm_path, manifest->sha256,
                    manifest->names_sha256 ? "" : " (not in its manifest)",
                    verdict->aot == RB_GUEST_AOT_READY ? "compiled" : "not compiled");
    }
}

static void write_json(struct rb_json *json, const struct verdict *verdict)
{
    const struct rb_manifest *manifest = verdict->manifest;
    rb_json_begin_object(json);
    rb_json_member_bool(json, "ok", verdict->error.status == 0);
    if (manifest != NULL) {
        rb_json_member_str(json, "id", manifest->id);
        rb_json_member_str(json, "version", manifest->version);
        rb_json_member_str(json, "path", manifest->wasm_path);
        rb_json_member_str(json, "sha256", manifest->sha256);
        rb_json_member_bool(json, "manifest_names_sha256", manifest->names_sha256);
        rb_json_member_str(json, "aot", aot_words[verdict->aot]);
    }
    rb_json_key(json, "error");
    if (verdict->error.status != 0) {
        rb_json_error(json, &verdict->error);
    } else {
        rb_json_null(json);
    }
    rb_json_end_object(json);
}

/* The exit code. */
static int show(struct rb_console *console, const struct rb_cli *cli,
                const struct verification *work)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(JSON_MAX);
    struct rb_json json;
    int code = RB_EXIT_OK;
    rb_json_init(&json, &text);
    rb_json_begin_object(&json);
    rb_json_key(&json, "connectors");
    rb_json_begin_array(&json);
    for (size_t i = 0; i < work->n; i++) {
        code = work->verdicts[i].error.status != 0 ? RB_EXIT_CONNECTOR : code;
        if (cli->output == RB_OUTPUT_JSON) {
            write_json(&json, &work->verdicts[i]);
        } else {
            print_text(console, cli, &work->verdicts[i]);
        }
    }
    rb_json_end_array(&json);
    rb_json_end_object(&json);
    if (cli->output == RB_OUTPUT_JSON && rb_answer_print(cli->answer, &json, &text) != 0) {
        return RB_EXIT_INTERNAL;
    }
    return code;
}

/* The modules are foreign: whoever reads them is limited as the compiler is. */
static int prepare(const struct rb_cli *cli, const struct rb_env *env, const char *dirs,
                   const struct verification *work, struct rb_error *err)
{
    const char **paths = calloc(work->n + 1, sizeof *paths);
    int n_paths = 0;
    char stub_path[PATH_MAX];
    if (paths == NULL) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory");
    }
    for (size_t i = 0; i < work->n; i++) {
        if (work->verdicts[i].manifest != NULL) {
            paths[n_paths++] = work->verdicts[i].manifest->wasm_path;
        }
    }
    rb_env_stub_path(stub_path, sizeof stub_path);
    int status = rb_guest_runtime_load(false, stub_path[0] != 0 ? stub_path : NULL, err);
    if (status == 0 && !cli->no_os_sandbox) {
        status = rb_cli_confine_compiler(env->aot_dir, dirs, paths, n_paths, err);
    }
    free((void *)paths);
    return status;
}

int rb_cmd_connectors_verify(const struct rb_cli *cli)
{
    struct rb_console console;
    rb_console_init(&console, cli);
    RB_CLEANUP(rb_env_release) struct rb_env env;
    RB_CLEANUP(rb_buf_release) struct rb_buf dirs = RB_BUF_INIT(DIRS_MAX);
    RB_CLEANUP(release) struct verification work = {.n = 0};
    struct rb_error error;
    rb_error_clear(&error);
    int status = rb_env_init(&env, cli, false, &error);
    status = status != 0 ? status : rb_env_connector_dirs(cli, &dirs);
    status = status != 0 ? status : collect(&work, cli, rb_buf_str(&dirs), &error);
    status = status != 0 ? status : prepare(cli, &env, rb_buf_str(&dirs), &work, &error);
    if (status != 0) {
        rb_console_error(&console, NULL, &error);
        return status == RB_ECONFIG ? RB_EXIT_USAGE : RB_EXIT_CONNECTOR;
    }
    work.aot_dir = env.aot_dir;
    for (size_t i = 0; i < work.n; i++) {
        if (work.verdicts[i].manifest != NULL) {
            verify(&work, &work.verdicts[i]);
        }
    }
    if (work.n == 0) {
        rb_out_line(RB_OUT_NEWS, "no connectors in %s", rb_buf_str(&dirs));
    }
    return show(&console, cli, &work);
}
