/* What the files of host/guest share. */
#ifndef RB_HOST_GUEST_INTERNAL_H
#define RB_HOST_GUEST_INTERNAL_H

#include "abi/rapidbyte_abi.h"
#include "host/guest/guest.h"
#include "host/guest/runtime.h"

enum {
    RB_GUEST_PAGE_BYTES = 65536,
    RB_GUEST_IMPORT_ARGS_MAX = 9,
    RB_GUEST_IMPORTS_MAX = 96,
};

#define RB_GUEST_WASI_MODULE "wasi_snapshot_preview1"

/* The body of an import: the arguments' bits (an i32 is zero-extended) in, the guest's result out.
 * To end the guest it calls rb_guest_stop; its result does not matter then. It holds no lock: a
 * fault in it would become a trap of the guest, and the lock would stay taken. */
typedef int32_t (*rb_guest_import_fn)(struct rb_guest *guest, const uint64_t *args);

struct rb_guest_import {
    const char *name;
    const char *params; /* one letter each: i i32, I i64 */
    bool returns;       /* an i32; otherwise nothing */
    bool keeps_error;   /* does not clear the last error on entry */
    rb_guest_import_fn fn;
};

/* A host module: its name and tables of imports, each ending in an entry without a name. */
struct rb_guest_module {
    const char *name;
    const struct rb_guest_import *const *tables;
    size_t n_tables;
};

struct rb_guest_binding {
    struct rb_guest *guest;
    const struct rb_guest_import *import;
};

struct rb_wasi; /* wasi.h */

struct rb_guest {
    struct rb_guest_options options;
    WasmEdge_ConfigureContext *config;
    struct rb_module *module;
    WasmEdge_ExecutorContext *executor;
    WasmEdge_StoreContext *store;
    WasmEdge_ModuleInstanceContext *host_modules[2];
    WasmEdge_ModuleInstanceContext *instance;
    WasmEdge_MemoryInstanceContext *memory;
    WasmEdge_FunctionInstanceContext *allocate;
    WasmEdge_FunctionInstanceContext *deallocate;
    WasmEdge_FunctionInstanceContext *close; /* NULL: not exported */
    bool close_returns;
    WasmEdge_FunctionInstanceContext *exports[RB_GUEST_EXPORT_COUNT];
    struct rb_guest_binding bindings[RB_GUEST_IMPORTS_MAX];
    size_t n_bindings;
    struct rb_guest_timings timings;
    struct rb_wasi *wasi;
    struct rb_error last_error; /* status 0: none */
    struct rb_error stop;       /* why an import ended the guest; status 0: none did */
    bool dead;                  /* trapped or cancelled: nothing is called any more */
};

/* signals.c */

/* Calls of guests that this thread is in. */
extern _Thread_local unsigned rb_guest_running;
/* Sees to it that libwasmedge, as dlopen gave it, never gives its handler of faults back. Where its
 * slot for sigaction isn't found, all is as it was. */
void rb_guest_keep_handlers(void *lib);

/* Around the guest's own code, for rb_guest_options.running. */
static inline void rb_guest_enter(const struct rb_guest *guest)
{
    rb_guest_running++;
    if (guest->options.running) {
        atomic_fetch_add_explicit(guest->options.running, 1, memory_order_relaxed);
    }
}

static inline void rb_guest_leave(const struct rb_guest *guest)
{
    rb_guest_running--;
    if (guest->options.running) {
        atomic_fetch_sub_explicit(guest->options.running, 1, memory_order_relaxed);
    }
}

/* memory.c */

/* [offset, offset + len) of the guest's memory as it is now; NULL when it does not lie in it. Valid
 * until the guest runs again. */
void *rb_guest_bytes(const struct rb_guest *guest, uint64_t offset, uint64_t len);
/* As rb_guest_bytes; when NULL, the last error says which argument of which import was wrong. */
void *rb_guest_argument(struct rb_guest *guest, const char *import, const char *what,
                        uint64_t offset, uint64_t len);
/* Keeps the error for rb_host_last_error; returns -1. */
int32_t rb_guest_fail(struct rb_guest *guest, int status, const char *code, const char *fmt, ...)
    RB_PRINTF(4, 5);
/* The same for a callback that returned `status` < 0. RB_ECANCELLED ends the guest. */
int32_t rb_guest_fail_with(struct rb_guest *guest, int status, const struct rb_error *err);
/* Ends the guest when the import returns. */
void rb_guest_stop(struct rb_guest *guest, const struct rb_error *why);
/* Puts `len` bytes where a guest asked for at most `cap`: the length, or -N. */
int32_t rb_guest_answer(struct rb_guest *guest, const char *import, uint64_t out, uint64_t cap,
                        const void *data, size_t len);
/* Copies a name from a module, at most cap - 1 bytes, for a message. */
void rb_guest_printable(char *out, size_t cap, const char *name, size_t len);

/* link.c: the host's modules and what the guest's module asks of them. */

/* Refuses imports that are not ours, by name. */
int rb_guest_check_imports(const struct rb_guest *guest, struct rb_error *err);
/* Refuses a module that lacks what the contract demands, or has it with another signature. */
int rb_guest_check_exports(struct rb_guest *guest, struct rb_error *err);
int rb_guest_register_imports(struct rb_guest *guest, struct rb_error *err);

/* imports.c, imports_net.c: module "rapidbyte" */
extern const struct rb_guest_import rb_guest_core_imports[];
extern const struct rb_guest_import rb_guest_net_imports[];
/* tests/faults, of the test variant alone */
extern const struct rb_guest_import rb_guest_fault_imports[];

/* module.c */

/* Loaded code, which instances in any threads share: it is only read. */
struct rb_module {
    char sha256[65]; /* "": not to be found again */
    bool interpreter;
    char *aot_dir;
    size_t refs;     /* under the lock of module.c */
    int64_t load_ns; /* of the instance that loaded it */
    WasmEdge_ASTModuleContext *ast;
};

/* Nanoseconds since some fixed moment. */
int64_t rb_guest_now_ns(void);

/* Sets guest->module from its options: the one that another instance has loaded, or the file, once
 * it is verified. RB_ECONNECTOR as rb_guest_new says; RB_ENOMEM. */
int rb_module_take(struct rb_guest *guest, struct rb_error *err);
/* NULL is allowed. */
void rb_module_drop(struct rb_module *module);

/* aot.c */

/* Appends the path of the module's verified entry to `ret_path`: 0; 1: there is none. */
int rb_guest_aot_find(const char *wasm_sha256, const char *aot_dir, struct rb_buf *ret_path,
                      struct rb_error *err);
/* RB_ECONNECTOR when there is no such file or it is not WebAssembly; its sha-256 otherwise. */
int rb_guest_check_module(const char *wasm_path, char ret_sha256[65], struct rb_error *err);

/* aot_clean.c */

enum { RB_GUEST_SCRATCH_NAME_MAX = 64 };

/* What this process calls a file of the cache that is not whole yet, without ".so". */
int rb_guest_scratch_name(char ret[RB_GUEST_SCRATCH_NAME_MAX], struct rb_error *err);

/* result.c */

/* A ConnectorResult: 0 and `data` appended to ret_data, or the connector's own error. `where` is
 * put in front of messages about what is malformed. */
int rb_guest_decode_result(const char *json, size_t len, const char *where, struct rb_buf *ret_data,
                           struct rb_error *err);

#endif
