/* A connector's module: found, verified, loaded, and shared by the instances of the same process.
 */
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "host/guest/internal.h"

enum { SHARED_MAX = 16 }; /* modules that are found again; others are loaded anew */

static struct {
    pthread_mutex_t lock;
    struct rb_module *modules[SHARED_MAX];
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory");
}

/* The module's digest. A cache entry is found by the digest that was asked for, and holds the
 * module that has it, whatever the file has become: then the file is not read. */
static int identify(const struct rb_guest_options *o, char ret_sha256[65], struct rb_error *err)
{
    if (!o->interpreter && o->wasm_sha256 && strlen(o->wasm_sha256) == 64) {
        memcpy(ret_sha256, o->wasm_sha256, 65);
        return 0;
    }
    int status = rb_guest_check_module(o->wasm_path, ret_sha256, err);
    if (status == 0 && o->wasm_sha256 && strcmp(o->wasm_sha256, ret_sha256) != 0) {
        status = rb_error_set(err, RB_ECONNECTOR, "CHECKSUM_MISMATCH",
                              "'%s' is not the file that was checked", o->wasm_path);
        rb_error_set_detail(err, "sha-256 %s, expected %s", ret_sha256, o->wasm_sha256);
    }
    return status;
}

/* Which file to load: the AOT cache's entry or the module itself. */
static int find_code(const struct rb_guest_options *o, struct rb_buf *ret_path,
                     struct rb_error *err)
{
    char sha256[65];
    int status = identify(o, sha256, err);
    if (status != 0) {
        return status;
    }
    if (o->interpreter) {
        status = rb_buf_append_str(ret_path, o->wasm_path);
        return status == 0 ? 0 : no_memory(err);
    }
    status = o->aot_dir ? rb_guest_aot_find(sha256, o->aot_dir, ret_path, err) : 1;
    if (status <= 0) {
        return status;
    }
    rb_error_set(err, RB_ECONNECTOR, "AOT_MISSING", "connector '%s' is not compiled for this host",
                 o->connector_id);
    rb_error_set_hint(err, "run 'rapidbyte compile', or use --interpreter");
    return RB_ECONNECTOR;
}

static int refused(const struct rb_guest *guest, const char *what, WasmEdge_Result result,
                   struct rb_error *err)
{
    return rb_error_set(err, RB_ECONNECTOR, "MODULE_REFUSED", "connector '%s' %s: %s",
                        guest->options.connector_id, what, rb_wasmedge.ResultGetMessage(result));
}

static int load(const struct rb_guest *guest, WasmEdge_ASTModuleContext **ret_ast,
                struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf path = RB_BUF_INIT(PATH_MAX);
    int status = find_code(&guest->options, &path, err);
    status = status != 0 ? status : RB_FAULT(AOT_FOUND, err);
    if (status != 0) {
        return status;
    }
    WasmEdge_LoaderContext *loader = rb_wasmedge.LoaderCreate(guest->config);
    if (!loader) {
        return no_memory(err);
    }
    WasmEdge_Result result = rb_wasmedge.LoaderParseFromFile(loader, ret_ast, rb_buf_str(&path));
    rb_wasmedge.LoaderDelete(loader);
    if (!rb_wasmedge.ResultOK(result)) {
        return refused(guest, "can't be loaded", result, err);
    }
    WasmEdge_ValidatorContext *validator = rb_wasmedge.ValidatorCreate(guest->config);
    if (!validator) {
        return no_memory(err);
    }
    result = rb_wasmedge.ValidatorValidate(validator, *ret_ast);
    rb_wasmedge.ValidatorDelete(validator);
    return rb_wasmedge.ResultOK(result) ? 0 : refused(guest, "is not valid", result, err);
}

static void free_module(struct rb_module *module)
{
    if (module->ast) {
        rb_wasmedge.ASTModuleDelete(module->ast);
    }
    free(module->aot_dir);
    free(module);
}

static bool is_same(const struct rb_module *module, const struct rb_guest_options *o)
{
    return o->wasm_sha256 && strcmp(module->sha256, o->wasm_sha256) == 0 &&
           module->interpreter == o->interpreter &&
           strcmp(module->aot_dir, o->aot_dir ? o->aot_dir : "") == 0;
}

/* NULL: nobody has loaded it. */
static struct rb_module *take_shared(const struct rb_guest_options *o)
{
    struct rb_module *found = NULL;
    pthread_mutex_lock(&shared.lock);
    for (size_t i = 0; i < SHARED_MAX && !found; i++) {
        if (shared.modules[i] && is_same(shared.modules[i], o)) {
            found = shared.modules[i];
            found->refs++;
        }
    }
    pthread_mutex_unlock(&shared.lock);
    return found;
}

static void share(struct rb_module *module)
{
    pthread_mutex_lock(&shared.lock);
    for (size_t i = 0; i < SHARED_MAX; i++) {
        if (!shared.modules[i]) {
            shared.modules[i] = module;
            break;
        }
    }
    pthread_mutex_unlock(&shared.lock);
}

int rb_module_take(struct rb_guest *guest, struct rb_error *err)
{
    const struct rb_guest_options *o = &guest->options;
    guest->timings.aot = !o->interpreter;
    guest->module = take_shared(o);
    if (guest->module) {
        return 0;
    }
    struct rb_module *module = calloc(1, sizeof *module);
    if (!module || !(module->aot_dir = strdup(o->aot_dir ? o->aot_dir : ""))) {
        free(module);
        return no_memory(err);
    }
    module->refs = 1;
    module->interpreter = o->interpreter;
    int64_t start = rb_guest_now_ns();
    int status = load(guest, &module->ast, err);
    if (status != 0) {
        free_module(module);
        return status;
    }
    module->load_ns = rb_guest_now_ns() - start;
    guest->module = module;
    /* Without a digest that was asked for there is nothing to find it by. */
    if (o->wasm_sha256 && strlen(o->wasm_sha256) < sizeof module->sha256) {
        memcpy(module->sha256, o->wasm_sha256, strlen(o->wasm_sha256) + 1);
        share(module);
    }
    return 0;
}

void rb_module_drop(struct rb_module *module)
{
    if (!module) {
        return;
    }
    pthread_mutex_lock(&shared.lock);
    bool is_last = --module->refs == 0;
    for (size_t i = 0; i < SHARED_MAX && is_last; i++) {
        if (shared.modules[i] == module) {
            shared.modules[i] = NULL;
        }
    }
    pthread_mutex_unlock(&shared.lock);
    if (is_last) {
        free_module(module);
    }
}
