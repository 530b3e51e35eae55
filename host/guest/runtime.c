#include "host/guest/runtime.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

#include "host/guest/guest.h"
#include "host/guest/internal.h"

#define LIBRARY "libwasmedge.so.0"

struct rb_wasmedge rb_wasmedge;

static void *open_behind_stub(const char *stub_path)
{
    void *stub = stub_path ? dlopen(stub_path, RTLD_NOW | RTLD_GLOBAL) : NULL;
    if (!stub) {
        return NULL;
    }
    /* The stub has the soname of the LLVM that libwasmedge was linked with; when it lacks a symbol
     * of this libwasmedge, the open fails here and the real LLVM is loaded instead. */
    void *lib = dlopen(LIBRARY, RTLD_NOW);
    if (!lib) {
        dlclose(stub);
    }
    return lib;
}

static bool resolve(void *lib, struct rb_wasmedge *table, const char **ret_missing)
{
#define RESOLVE(name)                                                                              \
    do {                                                                                           \
        table->name = (__typeof__(table->name))dlsym(lib, "WasmEdge_" #name);                      \
        if (!table->name) {                                                                        \
            *ret_missing = "WasmEdge_" #name;                                                      \
            return false;                                                                          \
        }                                                                                          \
    } while (0);
    /* POSIX gives functions and objects the same pointers. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
    RB_WASMEDGE_FUNCTIONS(RESOLVE)
#pragma GCC diagnostic pop
#undef RESOLVE
    return true;
}

int rb_guest_runtime_load(bool with_compiler, const char *stub_path, struct rb_error *err)
{
    if (!with_compiler && rb_wasmedge.VersionGet != NULL) {
        return 0;
    }
    void *lib = with_compiler ? NULL : open_behind_stub(stub_path);
    if (!lib) {
        lib = dlopen(LIBRARY, RTLD_NOW);
    }
    if (!lib) {
        rb_error_set(err, RB_ECONNECTOR, "WASMEDGE_MISSING", "WasmEdge can't be loaded: %s",
                     dlerror());
        rb_error_set_hint(err, "install libwasmedge0 (./setup does), version %s", WASMEDGE_VERSION);
        return RB_ECONNECTOR;
    }
    struct rb_wasmedge table;
    const char *missing = NULL;
    if (!resolve(lib, &table, &missing)) {
        dlclose(lib);
        return rb_error_set(err, RB_ECONNECTOR, "WASMEDGE_MISSING", "%s has no function %s",
                            LIBRARY, missing);
    }
    /* Structures and enumerations are compiled in, and code in the AOT cache is of one version. */
    if (strcmp(table.VersionGet(), WASMEDGE_VERSION) != 0) {
        rb_error_set(err, RB_ECONNECTOR, "WASMEDGE_VERSION",
                     "WasmEdge %s is installed, and rapidbyte was built with %s",
                     table.VersionGet(), WASMEDGE_VERSION);
        rb_error_set_hint(err, "build rapidbyte again");
        dlclose(lib);
        return RB_ECONNECTOR;
    }
    /* It would write to the standard streams. */
    table.LogOff();
    rb_guest_keep_handlers(lib);
    rb_wasmedge = table;
    return 0;
}

const char *rb_guest_runtime_version(void)
{
    return rb_wasmedge.VersionGet();
}
