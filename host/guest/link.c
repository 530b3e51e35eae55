/* Joins a module with the host: which imports exist, whether the module's fit, and the call itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/guest/internal.h"
#include "host/guest/wasi.h"

#ifdef RB_FAULTS
static const struct rb_guest_import *const ours[] = {rb_guest_core_imports, rb_guest_net_imports,
                                                     rb_guest_fault_imports};
#else
static const struct rb_guest_import *const ours[] = {rb_guest_core_imports, rb_guest_net_imports};
#endif
static const struct rb_guest_import *const wasi[] = {rb_wasi_core_imports, rb_wasi_fd_imports,
                                                     rb_wasi_path_imports, rb_wasi_poll_imports,
                                                     rb_wasi_sock_imports};
static const struct rb_guest_module modules[] = {
    {RB_ABI_MODULE, ours, sizeof ours / sizeof ours[0]},
    {RB_GUEST_WASI_MODULE, wasi, sizeof wasi / sizeof wasi[0]},
};

enum { N_MODULES = sizeof modules / sizeof modules[0], N_VISIBLE_MAX = 4096 };

static bool same(WasmEdge_String a, const char *b)
{
    return a.Length == strlen(b) && memcmp(a.Buf, b, a.Length) == 0;
}

static bool granted(const struct rb_guest *guest, const struct rb_guest_import *table)
{
    return table != rb_wasi_sock_imports || guest->options.wasi_sockets;
}

static WasmEdge_Result call_import(void *data, const WasmEdge_CallingFrameContext *frame,
                                   const WasmEdge_Value *params, WasmEdge_Value *returns)
{
    const struct rb_guest_binding *binding = data;
    const struct rb_guest_import *import = binding->import;
    struct rb_guest *guest = binding->guest;
    if (!guest->memory) { /* a start function runs before the exports are known */
        guest->memory = rb_wasmedge.CallingFrameGetMemoryInstance(frame, 0);
    }
    uint64_t args[RB_GUEST_IMPORT_ARGS_MAX] = {0};
    for (size_t i = 0; import->params[i]; i++) {
        args[i] = import->params[i] == 'I' ? (uint64_t)rb_wasmedge.ValueGetI64(params[i])
                                           : (uint32_t)rb_wasmedge.ValueGetI32(params[i]);
    }
    if (!import->keeps_error && guest->last_error.status != 0) {
        rb_error_clear(&guest->last_error);
    }
    rb_guest_leave(guest);
    int32_t result = import->fn(guest, args);
    rb_guest_enter(guest);
    if (guest->stop.status != 0) {
        return WasmEdge_Result_Terminate;
    }
    if (import->returns) {
        returns[0] = rb_wasmedge.ValueGenI32(result);
    }
    return WasmEdge_Result_Success;
}

/* Whether a function type is `params` and `returns` ('i', 'I', or 0 for nothing). */
static bool fits(const WasmEdge_FunctionTypeContext *type, const char *params, char returns)
{
    WasmEdge_ValType have[RB_GUEST_IMPORT_ARGS_MAX + 1];
    uint32_t n = (uint32_t)strlen(params);
    if (!type || rb_wasmedge.FunctionTypeGetParametersLength(type) != n ||
        rb_wasmedge.FunctionTypeGetReturnsLength(type) != (returns ? 1 : 0)) {
        return false;
    }
    rb_wasmedge.FunctionTypeGetParameters(type, have, RB_GUEST_IMPORT_ARGS_MAX);
    for (uint32_t i = 0; i < n; i++) {
        if (params[i] == 'I' ? !rb_wasmedge.ValTypeIsI64(have[i])
                             : !rb_wasmedge.ValTypeIsI32(have[i])) {
            return false;
        }
    }
    if (!returns) {
        return true;
    }
    rb_wasmedge.FunctionTypeGetReturns(type, have, 1);
    return returns == 'I' ? rb_wasmedge.ValTypeIsI64(have[0]) : rb_wasmedge.ValTypeIsI32(have[0]);
}

static const struct rb_guest_import *find_import(const struct rb_guest_module *module,
                                                 WasmEdge_String name,
                                                 const struct rb_guest_import **ret_table)
{
    for (size_t t = 0; t < module->n_tables; t++) {
        for (const struct rb_guest_import *i = module->tables[t]; i->name; i++) {
            if (same(name, i->name)) {
                *ret_table = module->tables[t];
                return i;
            }
        }
    }
    return NULL;
}

static int refuse(const struct rb_guest *guest, WasmEdge_String module, WasmEdge_String name,
                  const char *why, const char *hint, struct rb_error *err)
{
    char module_text[64], name_text[128];
    rb_guest_printable(module_text, sizeof module_text, module.Buf, module.Length);
    rb_guest_printable(name_text, sizeof name_text, name.Buf, name.Length);
    rb_error_set(err, RB_ECONNECTOR, "IMPORT_REFUSED",
                 "connector '%s' imports '%s' from module '%s', %s", guest->options.connector_id,
                 name_text, module_text, why);
    rb_error_set_hint(err, "%s", hint);
    return RB_ECONNECTOR;
}

static int check_import(const struct rb_guest *guest, const WasmEdge_ImportTypeContext *import,
                        struct rb_error *err)
{
    WasmEdge_String module = rb_wasmedge.ImportTypeGetModuleName(import);
    WasmEdge_String name = rb_wasmedge.ImportTypeGetExternalName(import);
    const struct rb_guest_module *ours_or_null = NULL;
    for (size_t m = 0; m < N_MODULES; m++) {
        if (same(module, modules[m].name)) {
            ours_or_null = &modules[m];
        }
    }
    const struct rb_guest_import *table = NULL;
    const struct rb_guest_import *found =
        ours_or_null ? find_import(ours_or_null, name, &table) : NULL;
    if (!found) {
        return refuse(guest, module, name, "which the host does not provide",
                      "a connector may import what docs/protocol.md lists, and nothing else", err);
    }
    if (!granted(guest, table)) {
        return refuse(guest, module, name, "and WASI sockets are not granted to it",
                      "grant them in the pipeline: permissions: { wasi_sockets: true }", err);
    }
    if (rb_wasmedge.ImportTypeGetExternalType(import) != WasmEdge_ExternalType_Function ||
        !fits(rb_wasmedge.ImportTypeGetFunctionType(guest->module->ast, import), found->params,
              found->returns ? 'i' : 0)) {
        return refuse(guest, module, name, "with another signature than the host's",
                      "docs/protocol.md has the signatures", err);
    }
    return 0;
}

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory");
}

static void free_list(const void *list_pointer)
{
    void *list;
    memcpy(&list, list_pointer, sizeof list);
    free(list);
}

int rb_guest_check_imports(const struct rb_guest *guest, struct rb_error *err)
{
    uint32_t n = rb_wasmedge.ASTModuleListImportsLength(guest->module->ast);
    if (n > N_VISIBLE_MAX) {
        return rb_error_set(err, RB_ECONNECTOR, "IMPORT_REFUSED",
                            "connector '%s' has %u imports, more than %d",
                            guest->options.connector_id, n, N_VISIBLE_MAX);
    }
    RB_CLEANUP(free_list)
    const WasmEdge_ImportTypeContext **list = calloc((size_t)n + 1, sizeof(void *));
    if (!list) {
        return no_memory(err);
    }
    rb_wasmedge.ASTModuleListImports(guest->module->ast, list, n);
    for (uint32_t i = 0; i < n; i++) {
        int status = check_import(guest, list[i], err);
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

/* The functions that a connector may or must export. */
static const struct {
    const char *name;
    const char *params;
    char returns;
    bool needed;
} functions[] = {
    {"rb_allocate", "i", 'i', true},    {"rb_deallocate", "ii", 0, true},
    {"rb_open", "ii", 'I', true},       {"rb_validate", "ii", 'I', false},
    {"rb_discover", "ii", 'I', false},  {"rb_run_read", "ii", 'I', false},
    {"rb_run_write", "ii", 'I', false}, {"rb_run_transform", "ii", 'I', false},
    {"rb_plan", "ii", 'I', false},      {"rb_begin", "ii", 'I', false},
    {"rb_publish", "ii", 'I', false},   {"rb_abandon", "ii", 'I', false},
    {"rb_hash", "ii", 'I', false},      {"rb_close", "", 'i', false},
    {"_initialize", "", 0, false},
};

static const WasmEdge_ExportTypeContext *find_export(const WasmEdge_ExportTypeContext **list,
                                                     uint32_t n, const char *name)
{
    for (uint32_t i = 0; i < n; i++) {
        if (same(rb_wasmedge.ExportTypeGetExternalName(list[i]), name)) {
            return list[i];
        }
    }
    return NULL;
}

static int check_memory(const struct rb_guest *guest, const WasmEdge_ExportTypeContext *memory,
                        struct rb_error *err)
{
    if (!memory || rb_wasmedge.ExportTypeGetExternalType(memory) != WasmEdge_ExternalType_Memory) {
        return rb_error_set(err, RB_ECONNECTOR, "EXPORT_MISSING",
                            "connector '%s' does not export a memory named 'memory'",
                            guest->options.connector_id);
    }
    WasmEdge_Limit limit = rb_wasmedge.MemoryTypeGetLimit(
        rb_wasmedge.ExportTypeGetMemoryType(guest->module->ast, memory));
    uint64_t needs = (uint64_t)limit.Min * RB_GUEST_PAGE_BYTES;
    if (needs <= guest->options.memory_max_bytes) {
        return 0;
    }
    rb_error_set(err, RB_ECONNECTOR, "MEMORY_TOO_LARGE",
                 "connector '%s' needs %llu bytes of memory to begin with and may have %llu",
                 guest->options.connector_id, (unsigned long long)needs,
                 (unsigned long long)guest->options.memory_max_bytes);
    rb_error_set_hint(err, "raise resources.max_memory");
    return RB_ECONNECTOR;
}

static int check_function(struct rb_guest *guest, const WasmEdge_ExportTypeContext *found, size_t f,
                          struct rb_error *err)
{
    const char *name = functions[f].name;
    if (!found && !functions[f].needed) {
        return 0;
    }
    if (!found) {
        return rb_error_set(err, RB_ECONNECTOR, "EXPORT_MISSING",
                            "connector '%s' does not export '%s'", guest->options.connector_id,
                            name);
    }
    const WasmEdge_FunctionTypeContext *type =
        rb_wasmedge.ExportTypeGetExternalType(found) == WasmEdge_ExternalType_Function
            ? rb_wasmedge.ExportTypeGetFunctionType(guest->module->ast, found)
            : NULL;
    bool close = strcmp(name, "rb_close") == 0;
    bool silent_close = close && fits(type, "", 0);
    if (close) {
        guest->close_returns = !silent_close;
    }
    if (silent_close || fits(type, functions[f].params, functions[f].returns)) {
        return 0;
    }
    rb_error_set(err, RB_ECONNECTOR, "EXPORT_REFUSED",
                 "connector '%s' exports '%s' with another signature than the contract's",
                 guest->options.connector_id, name);
    rb_error_set_hint(err, "docs/protocol.md has the signatures");
    return RB_ECONNECTOR;
}

int rb_guest_check_exports(struct rb_guest *guest, struct rb_error *err)
{
    uint32_t n = rb_wasmedge.ASTModuleListExportsLength(guest->module->ast);
    RB_CLEANUP(free_list)
    const WasmEdge_ExportTypeContext **list = calloc((size_t)n + 1, sizeof(void *));
    if (!list) {
        return no_memory(err);
    }
    rb_wasmedge.ASTModuleListExports(guest->module->ast, list, n);
    int status = check_memory(guest, find_export(list, n, "memory"), err);
    for (size_t f = 0; status == 0 && f < sizeof functions / sizeof functions[0]; f++) {
        status = check_function(guest, find_export(list, n, functions[f].name), f, err);
    }
    return status;
}

static int add_function(struct rb_guest *guest, WasmEdge_ModuleInstanceContext *module,
                        const struct rb_guest_import *import)
{
    WasmEdge_ValType types[RB_GUEST_IMPORT_ARGS_MAX];
    uint32_t n = (uint32_t)strlen(import->params);
    if (guest->n_bindings == RB_GUEST_IMPORTS_MAX || n > RB_GUEST_IMPORT_ARGS_MAX) {
        return RB_EINTERNAL;
    }
    for (uint32_t i = 0; i < n; i++) {
        types[i] =
            import->params[i] == 'I' ? rb_wasmedge.ValTypeGenI64() : rb_wasmedge.ValTypeGenI32();
    }
    WasmEdge_ValType result = rb_wasmedge.ValTypeGenI32();
    WasmEdge_FunctionTypeContext *type =
        rb_wasmedge.FunctionTypeCreate(types, n, &result, import->returns ? 1 : 0);
    struct rb_guest_binding *binding = &guest->bindings[guest->n_bindings];
    *binding = (struct rb_guest_binding){guest, import};
    WasmEdge_FunctionInstanceContext *function =
        type ? rb_wasmedge.FunctionInstanceCreate(type, call_import, binding, 0) : NULL;
    rb_wasmedge.FunctionTypeDelete(type);
    if (!function) {
        return RB_ENOMEM;
    }
    guest->n_bindings++;
    rb_wasmedge.ModuleInstanceAddFunction(
        module, rb_wasmedge.StringWrap(import->name, (uint32_t)strlen(import->name)), function);
    return 0;
}

int rb_guest_register_imports(struct rb_guest *guest, struct rb_error *err)
{
    for (size_t m = 0; m < N_MODULES; m++) {
        const struct rb_guest_module *module = &modules[m];
        WasmEdge_ModuleInstanceContext *made = rb_wasmedge.ModuleInstanceCreate(
            rb_wasmedge.StringWrap(module->name, (uint32_t)strlen(module->name)));
        if (!made) {
            return no_memory(err);
        }
        guest->host_modules[m] = made;
        for (size_t t = 0; t < module->n_tables; t++) {
            if (!granted(guest, module->tables[t])) {
                continue;
            }
            for (const struct rb_guest_import *i = module->tables[t]; i->name; i++) {
                if (add_function(guest, made, i) != 0) {
                    return rb_error_set(err, RB_EINTERNAL, "IMPORTS", "import '%s' can't be made",
                                        i->name);
                }
            }
        }
        WasmEdge_Result result =
            rb_wasmedge.ExecutorRegisterImport(guest->executor, guest->store, made);
        if (!rb_wasmedge.ResultOK(result)) {
            return rb_error_set(err, RB_EINTERNAL, "IMPORTS", "module '%s' can't be registered: %s",
                                module->name, rb_wasmedge.ResultGetMessage(result));
        }
    }
    return 0;
}
