#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "host/cli/compiler.h"
#include "host/cli/console.h"
#include "host/cli/env.h"
#include "host/cli/out.h"
#include "host/config/manifest.h"
#include "host/guest/guest.h"

enum { MODULES_MAX = 64, DIRS_MAX = 64 * 1024, JSON_MAX = 16 * 1024 * 1024 };

struct compilation {
    const struct rb_cli *cli;
    const char *aot_dir;
    const char *dirs;
    struct rb_json json;
};

static int compile_path(struct compilation *work, const char *path, struct rb_error *err)
{
    rb_cli_compiling(path);
    int got = rb_guest_compile(path, work->aot_dir, err);
    if (got < 0) {
        return got;
    }
    if (work->cli->output == RB_OUTPUT_JSON) {
        rb_json_begin_object(&work->json);
        rb_json_member_str(&work->json, "path", path);
        rb_json_member_bool(&work->json, "compiled", got == 0);
        rb_json_end_object(&work->json);
    } else if (!work->cli->quiet) {
        rb_out_line(RB_OUT_ANSWER, "%-10s %s", got == 0 ? "compiled" : "cached", path);
    }
    return RB_OK;
}

static bool is_path(const char *operand)
{
    size_t len = strlen(operand);
    return strchr(operand, '/') != NULL || (len > 5 && strcmp(operand + len - 5, ".wasm") == 0);
}

static int compile_operand(struct compilation *work, const char *operand, struct rb_error *err)
{
    if (is_path(operand)) {
        return compile_path(work, operand, err);
    }
    struct rb_manifest *manifest = NULL;
    int status = rb_manifest_find(operand, work->dirs, &manifest, err);
    status = status != 0 ? status : compile_path(work, manifest->wasm_path, err);
    rb_manifest_free(manifest);
    return status;
}

static int compile_all(struct compilation *work, struct rb_error *err)
{
    struct rb_manifest **manifests = NULL;
    struct rb_error *errors = NULL;
    size_t n = 0;
    int status = rb_manifest_list(work->dirs, &manifests, &errors, &n, err);
    for (size_t i = 0; i < n; i++) {
        if (status == 0 && errors[i].status != 0) {
            status = errors[i].status;
            if (err != NULL) {
                *err = errors[i];
            }
        }
        status = status != 0 ? status : compile_path(work, manifests[i]->wasm_path, err);
        rb_manifest_free(manifests[i]);
    }
    free((void *)manifests);
    free(errors);
    return status;
}

static int prepare(const struct compilation *work, struct rb_error *err)
{
    const struct rb_cli *cli = work->cli;
    size_t n = cli->n_operands > 0 ? (size_t)cli->n_operands : MODULES_MAX;
    int status = rb_guest_runtime_load(true, NULL, err);
    rb_guest_clean_cache(work->aot_dir);
    status = status != 0
                 ? status
                 : rb_cli_limit_compiler(cli->compile_memory_bytes, cli->compile_cpu_ms, n, err);
    if (status != 0 || work->cli->no_os_sandbox) {
        return status;
    }
    status = rb_guest_make_cache(work->aot_dir, err);
    return status != 0 ? status
                       : rb_cli_confine_compiler(work->aot_dir, work->dirs,
                                                 (const char *const *)work->cli->operands,
                                                 work->cli->n_operands, err);
}

int rb_cmd_compile(const struct rb_cli *cli)
{
    struct rb_console console;
    rb_console_init(&console, cli);
    RB_CLEANUP(rb_env_release) struct rb_env env;
    RB_CLEANUP(rb_buf_release) struct rb_buf dirs = RB_BUF_INIT(DIRS_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(JSON_MAX);
    struct rb_error error;
    rb_error_clear(&error);
    int status = rb_env_init(&env, cli, false, &error);
    status = status != 0 ? status : rb_env_connector_dirs(cli, &dirs);
    struct compilation work = {.cli = cli, .aot_dir = env.aot_dir, .dirs = rb_buf_str(&dirs)};
    status = status != 0 ? status : prepare(&work, &error);
    rb_json_init(&work.json, &text);
    rb_json_begin_array(&work.json);
    for (int i = 0; status == 0 && i < cli->n_operands; i++) {
        status = compile_operand(&work, cli->operands[i], &error);
    }
    if (status == 0 && cli->n_operands == 0) {
        status = compile_all(&work, &error);
    }
    rb_json_end_array(&work.json);
    if (status != 0) {
        rb_console_error(&console, NULL, &error);
        return status == RB_ECONFIG ? RB_EXIT_USAGE : RB_EXIT_CONNECTOR;
    }
    if (cli->output == RB_OUTPUT_JSON && rb_answer_print(cli->answer, &work.json, &text) != 0) {
        return RB_EXIT_INTERNAL;
    }
    return RB_EXIT_OK;
}
