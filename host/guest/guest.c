/* An instance's life: load, check, instantiate, call, free. */
#include "host/guest/guest.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "host/guest/internal.h"
#include "host/guest/wasi.h"

static const char *const export_names[RB_GUEST_EXPORT_COUNT] = {
    [RB_GUEST_OPEN] = "rb_open",           [RB_GUEST_VALIDATE] = "rb_validate",
    [RB_GUEST_DISCOVER] = "rb_discover",   [RB_GUEST_RUN_READ] = "rb_run_read",
    [RB_GUEST_RUN_WRITE] = "rb_run_write", [RB_GUEST_RUN_TRANSFORM] = "rb_run_transform",
    [RB_GUEST_PLAN] = "rb_plan",           [RB_GUEST_BEGIN] = "rb_begin",
    [RB_GUEST_PUBLISH] = "rb_publish",     [RB_GUEST_ABANDON] = "rb_abandon",
    [RB_GUEST_HASH] = "rb_hash",
};

const char *rb_guest_export_name(enum rb_guest_export which)
{
    return which < RB_GUEST_EXPORT_COUNT ? export_names[which] : "rb_close";
}

int64_t rb_guest_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory");
}

static WasmEdge_FunctionInstanceContext *find_function(const struct rb_guest *guest,
                                                       const char *name)
{
    return rb_wasmedge.ModuleInstanceFindFunction(
        guest->instance, rb_wasmedge.StringWrap(name, (uint32_t)strlen(name)));
}

/* WasmEdge reserves 12 GiB of addresses for each memory, so that compiled code needs no checks of
 * bounds; when it can't, it goes on without a memory and crashes. So this is tried first. */
static int check_addresses(const struct rb_guest *guest, struct rb_error *err)
{
    const size_t reserved = (size_t)12 << 30;
    void *range =
        mmap(NULL, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range != MAP_FAILED) {
        munmap(range, reserved);
        return 0;
    }
    rb_error_set_errno(err, RB_ENOMEM, "ADDRESS_SPACE", errno,
                       "no 12 GiB of addresses are free for the memory of connector '%s'",
                       guest->options.connector_id);
    rb_error_set_hint(err,
                      "lift the limit of virtual memory (ulimit -v unlimited); addresses alone "
                      "take no memory");
    return RB_ENOMEM;
}

static int configure(struct rb_guest *guest, struct rb_error *err)
{
    uint64_t pages = guest->options.memory_max_bytes / RB_GUEST_PAGE_BYTES;
    guest->config = rb_wasmedge.ConfigureCreate();
    if (!guest->config) {
        return no_memory(err);
    }
    rb_wasmedge.ConfigureSetMaxMemoryPage(guest->config, (uint32_t)(pages < 65536 ? pages : 65536));
    rb_wasmedge.ConfigureSetForceInterpreter(guest->config, guest->options.interpreter);
    return 0;
}

/* After an invocation: 0, or why the guest is dead now. */
static int outcome(struct rb_guest *guest, WasmEdge_Result result, const char *where,
                   struct rb_error *err)
{
    if (guest->stop.status != 0) {
        guest->dead = true;
        if (err) {
            *err = guest->stop;
        }
        return guest->stop.status;
    }
    if (rb_wasmedge.ResultOK(result) && rb_wasmedge.ResultGetCode(result) == 0) {
        return 0;
    }
    guest->dead = true;
    return rb_error_set(err, RB_ECONNECTOR, "CONNECTOR_TRAPPED", "connector '%s' trapped in %s: %s",
                        guest->options.connector_id, where, rb_wasmedge.ResultGetMessage(result));
}

static int instantiate(struct rb_guest *guest, struct rb_error *err)
{
    rb_guest_enter(guest);
    WasmEdge_Result result = rb_wasmedge.ExecutorInstantiate(guest->executor, &guest->instance,
                                                             guest->store, guest->module->ast);
    rb_guest_leave(guest);
    int status = outcome(guest, result, "its start function", err);
    if (status != 0) {
        return status;
    }
    guest->memory =
        rb_wasmedge.ModuleInstanceFindMemory(guest->instance, rb_wasmedge.StringWrap("memory", 6));
    guest->allocate = find_function(guest, "rb_allocate");
    guest->deallocate = find_function(guest, "rb_deallocate");
    guest->close = find_function(guest, "rb_close");
    for (size_t i = 0; i < RB_GUEST_EXPORT_COUNT; i++) {
        guest->exports[i] = find_function(guest, export_names[i]);
    }
    WasmEdge_FunctionInstanceContext *initialize = find_function(guest, "_initialize");
    if (!initialize) {
        return 0;
    }
    rb_guest_enter(guest);
    result = rb_wasmedge.ExecutorInvoke(guest->executor, initialize, NULL, 0, NULL, 0);
    rb_guest_leave(guest);
    return outcome(guest, result, "_initialize", err);
}

/* All that can be said of a module without running it. */
static int load(struct rb_guest *guest, struct rb_error *err)
{
    int status = configure(guest, err);
    status = status != 0 ? status : rb_module_take(guest, err);
    status = status != 0 ? status : rb_guest_check_imports(guest, err);
    return status != 0 ? status : rb_guest_check_exports(guest, err);
}

static int set_up(struct rb_guest *guest, struct rb_error *err)
{
    int status = load(guest, err);
    if (status != 0) {
        return status;
    }
    int64_t loaded = rb_guest_now_ns();
    guest->timings.load_ns = guest->module->load_ns;
    if ((status = check_addresses(guest, err)) != 0) {
        return status;
    }
    guest->executor = rb_wasmedge.ExecutorCreate(guest->config, NULL);
    guest->store = rb_wasmedge.StoreCreate();
    if (!guest->executor || !guest->store) {
        return no_memory(err);
    }
    if ((status = rb_wasi_new(guest, &guest->wasi, err)) != 0 ||
        (status = rb_guest_register_imports(guest, err)) != 0 ||
        (status = instantiate(guest, err)) != 0) {
        return status;
    }
    guest->timings.instantiate_ns = rb_guest_now_ns() - loaded;
    return 0;
}

static int make(const struct rb_guest_options *options, struct rb_guest **ret_guest,
                struct rb_error *err)
{
    if (!rb_wasmedge.VersionGet) {
        return rb_error_set(err, RB_EINTERNAL, "WASMEDGE_MISSING", "WasmEdge is not loaded");
    }
    struct rb_guest *guest = calloc(1, sizeof *guest);
    if (!guest) {
        return no_memory(err);
    }
    guest->options = *options;
    *ret_guest = guest;
    return 0;
}

int rb_guest_verify(const struct rb_guest_options *options, struct rb_error *err)
{
    struct rb_guest *guest = NULL;
    int status = make(options, &guest, err);
    status = status != 0 ? status : load(guest, err);
    rb_guest_free(guest);
    return status;
}

int rb_guest_new(const struct rb_guest_options *options, struct rb_guest **ret_guest,
                 struct rb_error *err)
{
    struct rb_guest *guest = NULL;
    int status = make(options, &guest, err);
    status = status != 0 ? status : set_up(guest, err);
    if (status != 0) {
        rb_guest_free(guest);
        return status;
    }
    *ret_guest = guest;
    return 0;
}

void rb_guest_free(struct rb_guest *guest)
{
    if (!guest) {
        return;
    }
    if (guest->instance) {
        rb_wasmedge.ModuleInstanceDelete(guest->instance);
    }
    for (size_t i = 0; i < sizeof guest->host_modules / sizeof guest->host_modules[0]; i++) {
        if (guest->host_modules[i]) {
            rb_wasmedge.ModuleInstanceDelete(guest->host_modules[i]);
        }
    }
    if (guest->store) {
        rb_wasmedge.StoreDelete(guest->store);
    }
    if (guest->executor) {
        rb_wasmedge.ExecutorDelete(guest->executor);
    }
    rb_module_drop(guest->module);
    if (guest->config) {
        rb_wasmedge.ConfigureDelete(guest->config);
    }
    rb_wasi_free(guest->wasi);
    free(guest);
}

bool rb_guest_has(const struct rb_guest *guest, enum rb_guest_export which)
{
    return guest->exports[which] != NULL;
}

const struct rb_guest_timings *rb_guest_timings(const struct rb_guest *guest)
{
    return &guest->timings;
}

static int invoke(struct rb_guest *guest, const WasmEdge_FunctionInstanceContext *function,
                  const char *name, const uint32_t *args, uint32_t n_args, WasmEdge_Value *returns,
                  uint32_t n_returns, struct rb_error *err)
{
    WasmEdge_Value params[2] = {0};
    for (uint32_t i = 0; i < n_args; i++) {
        params[i] = rb_wasmedge.ValueGenI32((int32_t)args[i]);
    }
    rb_guest_enter(guest);
    WasmEdge_Result result =
        rb_wasmedge.ExecutorInvoke(guest->executor, function, params, n_args, returns, n_returns);
    rb_guest_leave(guest);
    return outcome(guest, result, name, err);
}

static int broke_contract(const struct rb_guest *guest, const char *name, const char *how,
                          struct rb_error *err)
{
    return rb_error_set(err, RB_EPROTOCOL, "CONTRACT_BROKEN",
                        "connector '%s' broke the contract: %s %s", guest->options.connector_id,
                        name, how);
}

/* Copies the input into memory that the guest gives. */
static int pass_in(struct rb_guest *guest, const char *json, size_t len, uint32_t *ret_offset,
                   struct rb_error *err)
{
    if (len > RB_ABI_JSON_MAX) {
        return rb_error_set(err, RB_EINTERNAL, "JSON_TOO_LARGE",
                            "%zu bytes of JSON for connector '%s' are over the maximum of %d", len,
                            guest->options.connector_id, RB_ABI_JSON_MAX);
    }
    uint32_t size = (uint32_t)len;
    WasmEdge_Value value;
    int status = invoke(guest, guest->allocate, "rb_allocate", &size, 1, &value, 1, err);
    if (status != 0) {
        return status;
    }
    uint32_t offset = (uint32_t)rb_wasmedge.ValueGetI32(value);
    if (offset == 0) {
        rb_error_set(err, RB_ENOMEM, "CONNECTOR_OUT_OF_MEMORY",
                     "connector '%s' has no memory for %zu bytes of input",
                     guest->options.connector_id, len);
        rb_error_set_hint(err, "raise resources.max_memory");
        return RB_ENOMEM;
    }
    void *to = rb_guest_bytes(guest, offset, len);
    if (!to) {
        return broke_contract(guest, "rb_allocate", "gave a block outside its memory", err);
    }
    memcpy(to, json, len);
    *ret_offset = offset;
    return 0;
}

static int release(struct rb_guest *guest, uint32_t offset, uint32_t len, struct rb_error *err)
{
    const uint32_t args[2] = {offset, len};
    return invoke(guest, guest->deallocate, "rb_deallocate", args, 2, NULL, 0, err);
}

/* Copies the result out of the guest and gives both blocks back to it. */
static int take_result(struct rb_guest *guest, const char *name, uint64_t packed,
                       uint32_t input_offset, uint32_t input_len, struct rb_buf *ret_json,
                       struct rb_error *err)
{
    uint32_t offset = (uint32_t)(packed >> 32), len = (uint32_t)packed;
    if (len == 0) {
        return broke_contract(guest, name, "gave an empty result", err);
    }
    if (len > RB_ABI_JSON_MAX) {
        return rb_error_set(err, RB_ECONNECTOR, "RESULT_TOO_LARGE",
                            "connector '%s': %s gave a result of %u bytes, over the maximum of %d",
                            guest->options.connector_id, name, len, RB_ABI_JSON_MAX);
    }
    const void *json = rb_guest_bytes(guest, offset, len);
    if (!json) {
        return broke_contract(guest, name, "gave a result outside its memory", err);
    }
    int status = rb_buf_append(ret_json, json, len);
    if (status != 0) {
        return no_memory(err);
    }
    status = release(guest, input_offset, input_len, err);
    if (status == 0 && offset != input_offset) {
        status = release(guest, offset, len, err);
    }
    return status;
}

static int check_alive(const struct rb_guest *guest, const char *name, struct rb_error *err)
{
    if (!guest->dead) {
        return 0;
    }
    return rb_error_set(err, RB_EINTERNAL, "CONNECTOR_ENDED",
                        "%s of connector '%s' is called after its end", name,
                        guest->options.connector_id);
}

int rb_guest_call(struct rb_guest *guest, enum rb_guest_export which, const char *json, size_t len,
                  struct rb_buf *ret_data, struct rb_error *err)
{
    const char *name = export_names[which];
    int status = check_alive(guest, name, err);
    if (status != 0) {
        return status;
    }
    if (!guest->exports[which]) {
        return rb_error_set(err, RB_ECONNECTOR, "EXPORT_MISSING",
                            "connector '%s' does not export '%s'", guest->options.connector_id,
                            name);
    }
    rb_error_clear(&guest->last_error);
    uint32_t args[2] = {0, (uint32_t)len};
    if ((status = pass_in(guest, json, len, &args[0], err)) != 0) {
        return status;
    }
    WasmEdge_Value value;
    if ((status = invoke(guest, guest->exports[which], name, args, 2, &value, 1, err)) != 0) {
        return status;
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf result = RB_BUF_INIT(RB_ABI_JSON_MAX);
    status = take_result(guest, name, (uint64_t)rb_wasmedge.ValueGetI64(value), args[0], args[1],
                         &result, err);
    if (status != 0) {
        return status;
    }
    rb_wasi_flush(guest);
    char where[160];
    snprintf(where, sizeof where, "connector '%.80s', %s", guest->options.connector_id, name);
    return rb_guest_decode_result(rb_buf_str(&result), result.len, where, ret_data, err);
}

int rb_guest_close(struct rb_guest *guest, struct rb_error *err)
{
    if (guest->dead || !guest->close) {
        return 0;
    }
    WasmEdge_Value value;
    int status =
        invoke(guest, guest->close, "rb_close", NULL, 0, &value, guest->close_returns ? 1 : 0, err);
    if (status != 0) {
        return status;
    }
    rb_wasi_flush(guest);
    int32_t code = guest->close_returns ? rb_wasmedge.ValueGetI32(value) : 0;
    if (code == 0) {
        return 0;
    }
    return rb_error_set(err, RB_ECONNECTOR, "CLOSE_FAILED", "connector '%s': rb_close gave %d",
                        guest->options.connector_id, code);
}
