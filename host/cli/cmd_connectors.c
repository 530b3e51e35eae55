#include <stdlib.h>

#include "base/json.h"
#include "host/cli/console.h"
#include "host/cli/env.h"
#include "host/cli/out.h"
#include "host/config/manifest.h"

enum { JSON_MAX = 16 * 1024 * 1024, DIRS_MAX = 64 * 1024 };

static void write_roles(struct rb_json *json, const struct rb_manifest *manifest)
{
    rb_json_key(json, "roles");
    rb_json_begin_array(json);
    if (manifest->is_source) {
        rb_json_str(json, "source");
    }
    if (manifest->is_transform) {
        rb_json_str(json, "transform");
    }
    if (manifest->is_destination) {
        rb_json_str(json, "destination");
    }
    rb_json_end_array(json);
}

static int print_json(const struct rb_cli *cli, struct rb_manifest *const *manifests,
                      const struct rb_error *errors, size_t n)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(JSON_MAX);
    struct rb_json json;
    rb_json_init(&json, &text);
    rb_json_begin_object(&json);
    rb_json_key(&json, "connectors");
    rb_json_begin_array(&json);
    for (size_t i = 0; i < n; i++) {
        rb_json_begin_object(&json);
        if (errors[i].status != 0) {
            rb_json_key(&json, "error");
            rb_json_error(&json, &errors[i]);
        } else {
            rb_json_member_str(&json, "id", manifests[i]->id);
            rb_json_member_str(&json, "version", manifests[i]->version);
            rb_json_member_str(&json, "description", manifests[i]->description);
            write_roles(&json, manifests[i]);
            rb_json_member_str(&json, "path", manifests[i]->wasm_path);
            rb_json_member_str(&json, "sha256", manifests[i]->sha256);
        }
        rb_json_end_object(&json);
    }
    rb_json_end_array(&json);
    rb_json_end_object(&json);
    return rb_answer_print(cli->answer, &json, &text) == 0 ? RB_EXIT_OK : RB_EXIT_INTERNAL;
}

static void print_text(struct rb_console *console, struct rb_manifest *const *manifests,
                       const struct rb_error *errors, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (errors[i].status != 0) {
            rb_console_error(console, NULL, &errors[i]);
            continue;
        }
        const struct rb_manifest *manifest = manifests[i];
        rb_out_line(RB_OUT_ANSWER, "%-20s %-8s %s%s%s %s", manifest->id, manifest->version,
                    manifest->is_source ? "source" : "", manifest->is_transform ? "transform" : "",
                    manifest->is_destination ? "destination" : "", manifest->wasm_path);
    }
}

int rb_cmd_connectors(const struct rb_cli *cli)
{
    struct rb_console console;
    rb_console_init(&console, cli);
    RB_CLEANUP(rb_buf_release) struct rb_buf dirs = RB_BUF_INIT(DIRS_MAX);
    struct rb_error error;
    rb_error_clear(&error);
    struct rb_manifest **manifests = NULL;
    struct rb_error *errors = NULL;
    size_t n = 0;
    int status = rb_env_connector_dirs(cli, &dirs);
    status =
        status != 0 ? status : rb_manifest_list(rb_buf_str(&dirs), &manifests, &errors, &n, &error);
    if (status != 0) {
        rb_console_error(&console, NULL, &error);
        return RB_EXIT_CONNECTOR;
    }
    int code = RB_EXIT_OK;
    if (cli->output == RB_OUTPUT_JSON) {
        code = print_json(cli, manifests, errors, n);
    } else {
        print_text(&console, manifests, errors, n);
        if (n == 0) {
            rb_out_line(RB_OUT_NEWS, "no connectors in %s", rb_buf_str(&dirs));
        }
    }
    for (size_t i = 0; i < n; i++) {
        code = code == 0 && errors[i].status != 0 ? RB_EXIT_CONNECTOR : code;
        rb_manifest_free(manifests[i]);
    }
    free((void *)manifests);
    free(errors);
    return code;
}
