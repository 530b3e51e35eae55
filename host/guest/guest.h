/*
 * One connector instance in WasmEdge: its module, its memory, its imports. The only folder that
 * knows WasmEdge.
 *
 * An instance belongs to one thread at a time. It has no other way to the outside than the
 * callbacks below and the broker (host/net). After RB_ECONNECTOR by a trap, or RB_ECANCELLED, the
 * instance may only be freed.
 */
#ifndef RB_HOST_GUEST_GUEST_H
#define RB_HOST_GUEST_GUEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "host/net/broker.h"

/* The process's one WasmEdge (libwasmedge is loaded here, not at program start: it costs 22 ms and
 * 50 MB with LLVM, 3 ms with the stub in LLVM's place). `with_compiler` loads the real LLVM;
 * otherwise `stub_path` is tried first, and the real library when that does not fit. RB_ECONNECTOR
 * when libwasmedge is missing. Call once per process. */
int rb_guest_runtime_load(bool with_compiler, const char *stub_path, struct rb_error *err);
/* "0.14.1"; only after rb_guest_runtime_load. */
const char *rb_guest_runtime_version(void);

/* What the worker provides for an instance. Each returns 0 or the named outcome, or a negative
 * status with `err` set, which the guest sees as -1 and through rb_host_last_error. RB_ECANCELLED
 * ends the guest at once. Bytes passed in are borrowed for the call; they have been checked to lie
 * in the guest's memory. */
struct rb_guest_ops {
    void (*log)(void *user, int level, const char *text, size_t len);
    /* One Arrow IPC stream of 1..max_batch_bytes bytes. Blocks while the channel is full. */
    int (*emit_batch)(void *user, const void *data, size_t len, struct rb_error *err);
    /* Waits for the next batch and gives its size; it stays the next one until taken. 0: *ret_len
     * is the size; 1: end of stream. */
    int (*peek_batch)(void *user, size_t *ret_len, struct rb_error *err);
    /* Copies (decompresses) the batch that peek_batch announced to `out`, which holds that many
     * bytes, and drops it. */
    int (*take_batch)(void *user, void *out, size_t len, struct rb_error *err);
    /* 0: JSON appended to ret; 1: the end has not come. */
    int (*stream_end)(void *user, struct rb_buf *ret, struct rb_error *err);
    /* 0: value appended to ret; 1: not found. */
    int (*state_get)(void *user, int scope, const char *key, size_t key_len, struct rb_buf *ret,
                     struct rb_error *err);
    int (*state_put)(void *user, int scope, const char *key, size_t key_len, const void *val,
                     size_t val_len, struct rb_error *err);
    /* expected NULL: insert if absent. 0: set; 1: differs. */
    int (*state_cas)(void *user, int scope, const char *key, size_t key_len, const void *expected,
                     size_t expected_len, const void *val, size_t val_len, struct rb_error *err);
    int (*checkpoint)(void *user, int kind, const char *json, size_t len, struct rb_error *err);
    int (*metric)(void *user, const char *json, size_t len, struct rb_error *err);
};

/* All borrowed until the instance is freed. */
struct rb_guest_options {
    const char *connector_id; /* for messages */
    const char *wasm_path;    /* the module */
    const char *wasm_sha256; /* 64 hex digits: what is compiled is found by them, and a file that is
                              * interpreted must have them; NULL: as the file is */
    const char *aot_dir;     /* folder of the AOT cache; NULL: no AOT */
    bool interpreter;        /* run without AOT */
    uint64_t memory_max_bytes; /* of the guest's linear memory; rounded down to pages of 64 KiB */
    size_t batch_max_bytes;    /* of rb_host_emit_batch */
    int cancel_fd;             /* eventfd, readable once the run is cancelled */
    bool wasi_sockets;         /* the operator granted WASI's sock_* imports */
    const char *const *env;    /* NULL-ended "NAME=value" the guest may see; NULL: none */
    const struct rb_guest_preopen *preopens;
    size_t n_preopens;
    struct rb_broker *broker; /* this instance's way to the network */
    const struct rb_guest_ops *ops;
    void *user; /* passed to ops */
    atomic_uint
        *running; /* one more while the guest's own code runs, imports left out; NULL: none */
};

struct rb_guest_preopen {
    const char *guest_path;
    const char *host_path;
    bool writable;
};

struct rb_guest_timings {
    int64_t load_ns; /* its module from the AOT cache (or, with the interpreter, from wasm), for the
                      * first instance of those that share it */
    int64_t instantiate_ns;
    bool aot; /* false: the interpreter runs it */
};

/* The exports of the contract, in docs/protocol.md's order. */
enum rb_guest_export {
    RB_GUEST_OPEN,
    RB_GUEST_VALIDATE,
    RB_GUEST_DISCOVER,
    RB_GUEST_RUN_READ,
    RB_GUEST_RUN_WRITE,
    RB_GUEST_RUN_TRANSFORM,
    RB_GUEST_PLAN,
    RB_GUEST_BEGIN,
    RB_GUEST_PUBLISH,
    RB_GUEST_ABANDON,
    RB_GUEST_HASH,
    RB_GUEST_EXPORT_COUNT,
};

/* RB_GUEST_EXPORT_COUNT: rb_close. */
const char *rb_guest_export_name(enum rb_guest_export which);

struct rb_guest;

/* Loads (verified against the cache's key), checks imports and exports, instantiates and calls
 * `_initialize`. RB_ECONNECTOR: missing, not WebAssembly, an import that is not ours (by name), a
 * needed export is missing, memory over the maximum, a trap. On RB_ECONNECTOR with code AOT_MISSING
 * the cache has no entry: compile, or ask for the interpreter. */
int rb_guest_new(const struct rb_guest_options *options, struct rb_guest **ret_guest,
                 struct rb_error *err);
/* What rb_guest_new does up to instantiating: nothing of the module runs. */
int rb_guest_verify(const struct rb_guest_options *options, struct rb_error *err);
/* Does not call the guest. NULL is allowed. */
void rb_guest_free(struct rb_guest *guest);

bool rb_guest_has(const struct rb_guest *guest, enum rb_guest_export which);
const struct rb_guest_timings *rb_guest_timings(const struct rb_guest *guest);
/* The guest's linear memory now, in bytes. */
uint64_t rb_guest_memory_bytes(const struct rb_guest *guest);

/* Calls an export with JSON. 0: the ConnectorResult was "ok" and its `data`, as JSON text, is
 * appended to ret_data. Negative: the connector's own ConnectorError (status by its category,
 * docs/protocol.md), or RB_ECONNECTOR (trap, malformed result, over RB_ABI_JSON_MAX),
 * RB_ECANCELLED, or RB_EPROTOCOL. */
int rb_guest_call(struct rb_guest *guest, enum rb_guest_export which, const char *json, size_t len,
                  struct rb_buf *ret_data, struct rb_error *err);
/* rb_close. Not after a trap or a cancellation: does nothing then. */
int rb_guest_close(struct rb_guest *guest, struct rb_error *err);

/* The AOT cache (aot.c). Compiles the module into `aot_dir` (made if missing) unless a verified
 * entry is there: 0; 1: it was. Needs rb_guest_runtime_load(true, …). Entry's key: sha-256 of the
 * module, WasmEdge's version, compiler options, CPU features. Written to a temporary name and
 * renamed; safe under concurrent runs. */
int rb_guest_compile(const char *wasm_path, const char *aot_dir, struct rb_error *err);
/* Makes the cache's folder and those above it, for its owner alone; rb_guest_compile does, too.
 * RB_EIO; RB_EPERM when it is there and others may write to it. */
int rb_guest_make_cache(const char *aot_dir, struct rb_error *err);
/* Removes what compilers of this host that were killed have left unfinished there. */
void rb_guest_clean_cache(const char *aot_dir);
enum rb_guest_aot {
    RB_GUEST_AOT_READY,   /* a verified entry is there */
    RB_GUEST_AOT_MISSING, /* none */
    RB_GUEST_AOT_REFUSED, /* one that is cut, changed or not this user's: it is compiled anew */
};
/* What the cache has of the module with this digest. RB_EIO, RB_EPERM as rb_guest_make_cache. Needs
 * no runtime loaded. */
int rb_guest_aot_state(const char *wasm_sha256, const char *aot_dir, enum rb_guest_aot *ret,
                       struct rb_error *err);
/* 1: a verified entry is there; 0: none. Needs no runtime loaded. */
int rb_guest_is_compiled(const char *wasm_path, const char *aot_dir, struct rb_error *err);

#endif
