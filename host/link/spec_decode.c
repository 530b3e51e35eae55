#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "host/link/decode.h"
#include "host/link/spec.h"

static void free_doc(yyjson_doc **doc)
{
    yyjson_doc_free(*doc);
}

/* The index of `key`'s word in `names`. */
static size_t decode_word(struct rb_link_decoder *d, yyjson_val *object, const char *key,
                          const char *const *names, size_t n)
{
    yyjson_val *v = yyjson_obj_get(object, key);
    for (size_t i = 0; i < n; i++) {
        if (yyjson_equals_str(v, names[i])) {
            return i;
        }
    }
    rb_link_decode_fail(d, RB_EPROTOCOL, key);
    return 0;
}

static void *take(struct rb_link_decoder *d, size_t n, size_t size, const char *what)
{
    void *memory = rb_link_arena_take(d->arena, n, size);
    if (memory == NULL) {
        rb_link_decode_fail(d, RB_ENOMEM, what);
    }
    return memory;
}

static void decode_allow(struct rb_link_decoder *d, yyjson_val *object, struct rb_connector_spec *c)
{
    yyjson_val *array = rb_link_decode_array(d, object, "allow", RB_SPEC_ITEMS_MAX);
    size_t n = yyjson_arr_size(array);
    struct rb_spec_allow *allow = n == 0 ? NULL : take(d, n, sizeof *allow, "allow");
    if (allow == NULL) {
        return;
    }
    size_t i, count;
    yyjson_val *item;
    yyjson_arr_foreach(array, i, count, item)
    {
        allow[i].host = rb_link_decode_str(d, item, "host");
        allow[i].port = (int)rb_link_decode_i64(d, item, "port", 0, 65535);
    }
    c->allow = allow;
    c->n_allow = n;
}

static void decode_preopens(struct rb_link_decoder *d, yyjson_val *object,
                            struct rb_connector_spec *c)
{
    yyjson_val *array = rb_link_decode_array(d, object, "preopens", RB_SPEC_ITEMS_MAX);
    size_t n = yyjson_arr_size(array);
    struct rb_spec_preopen *preopens = n == 0 ? NULL : take(d, n, sizeof *preopens, "preopens");
    if (preopens == NULL) {
        return;
    }
    size_t i, count;
    yyjson_val *item;
    yyjson_arr_foreach(array, i, count, item)
    {
        preopens[i].guest_path = rb_link_decode_str(d, item, "guest_path");
        preopens[i].host_path = rb_link_decode_str(d, item, "host_path");
        preopens[i].writable = rb_link_decode_bool(d, item, "writable");
    }
    c->preopens = preopens;
    c->n_preopens = n;
}

static void decode_limits(struct rb_link_decoder *d, yyjson_val *v, struct rb_spec_limits *limits)
{
    limits->sockets = rb_link_decode_u64(d, v, "sockets");
    limits->log_lines = rb_link_decode_u64(d, v, "log_lines");
    limits->log_bytes = rb_link_decode_u64(d, v, "log_bytes");
    limits->state_keys = rb_link_decode_u64(d, v, "state_keys");
    limits->state_bytes = rb_link_decode_u64(d, v, "state_bytes");
    limits->metric_names = rb_link_decode_u64(d, v, "metric_names");
    limits->stack_bytes = rb_link_decode_u64(d, v, "stack_bytes");
    limits->call_ms = rb_link_decode_u64(d, v, "call_ms");
    limits->cpu_ms = rb_link_decode_u64(d, v, "cpu_ms");
}

static void decode_connector(struct rb_link_decoder *d, yyjson_val *v, struct rb_connector_spec *c)
{
    c->role = (enum rb_role)decode_word(d, v, "role", rb_link_role_names, 3);
    c->id = rb_link_decode_str(d, v, "id");
    c->version = rb_link_decode_str(d, v, "version");
    c->wasm_path = rb_link_decode_str(d, v, "wasm_path");
    c->wasm_sha256 = rb_link_decode_opt_str(d, v, "wasm_sha256");
    c->config_json = rb_link_decode_str(d, v, "config_json");
    c->secrets = rb_link_decode_secrets(d, v, "secrets", RB_SPEC_ITEMS_MAX, &c->n_secrets);
    decode_allow(d, v, c);
    c->tls_mode = (int)rb_link_decode_i64(d, v, "tls_mode", 0, 5);
    c->tls_forbidden = rb_link_decode_bool(d, v, "tls_forbidden");
    c->tls_root_cert = rb_link_decode_opt_str(d, v, "tls_root_cert");
    c->tls_cert = rb_link_decode_opt_str(d, v, "tls_cert");
    c->tls_key = rb_link_decode_opt_str(d, v, "tls_key");
    c->tls_crl = rb_link_decode_opt_str(d, v, "tls_crl");
    c->channel_binding = (int)rb_link_decode_i64(d, v, "channel_binding", 0, 2);
    c->wasi_sockets = rb_link_decode_bool(d, v, "wasi_sockets");
    c->env = rb_link_decode_secrets(d, v, "env", RB_SPEC_ITEMS_MAX, &c->n_env);
    decode_preopens(d, v, c);
    c->memory_max_bytes = rb_link_decode_u64(d, v, "memory_max_bytes");
    decode_limits(d, yyjson_obj_get(v, "limits"), &c->limits);
}

static void decode_connectors(struct rb_link_decoder *d, yyjson_val *root,
                              struct rb_worker_spec *spec)
{
    yyjson_val *array = rb_link_decode_array(d, root, "connectors", RB_UNIT_STAGES_MAX);
    size_t n = yyjson_arr_size(array);
    struct rb_connector_spec *connectors =
        n == 0 ? NULL : take(d, n, sizeof *connectors, "connectors");
    if (connectors == NULL) {
        return;
    }
    size_t i, count;
    yyjson_val *item;
    yyjson_arr_foreach(array, i, count, item)
    {
        decode_connector(d, item, &connectors[i]);
    }
    spec->connectors = connectors;
    spec->n_connectors = n;
}

static void decode_spec(struct rb_link_decoder *d, yyjson_val *root, struct rb_worker_spec *spec)
{
    spec->pipeline = rb_link_decode_str(d, root, "pipeline");
    decode_connectors(d, root, spec);
    spec->lanes = (int)rb_link_decode_i64(d, root, "lanes", 1, RB_SPEC_LANES_MAX);
    spec->one_source = rb_link_decode_bool(d, root, "one_source");
    spec->max_memory_bytes = rb_link_decode_u64(d, root, "max_memory_bytes");
    spec->max_batch_bytes = rb_link_decode_u64(d, root, "max_batch_bytes");
    spec->max_inflight_batches =
        (int)rb_link_decode_i64(d, root, "max_inflight_batches", 1, INT_MAX);
    spec->max_inflight_bytes = rb_link_decode_u64(d, root, "max_inflight_bytes");
    spec->compression =
        (enum rb_compression)decode_word(d, root, "compression", rb_link_compression_names, 3);
    spec->aot_dir = rb_link_decode_opt_str(d, root, "aot_dir");
    spec->interpreter = rb_link_decode_bool(d, root, "interpreter");
    spec->no_os_sandbox = rb_link_decode_bool(d, root, "no_os_sandbox");
    spec->llvm_stub_path = rb_link_decode_opt_str(d, root, "llvm_stub_path");
    spec->log_level = (int)rb_link_decode_i64(d, root, "log_level", 0, 4);
    spec->connect_timeout_ms = rb_link_decode_i64(d, root, "connect_timeout_ms", 0, INT64_MAX);
    spec->statement_timeout_ms = rb_link_decode_i64(d, root, "statement_timeout_ms", 0, INT64_MAX);
    spec->idle_timeout_ms = rb_link_decode_i64(d, root, "idle_timeout_ms", 0, INT64_MAX);
    spec->lock_timeout_ms = rb_link_decode_i64(d, root, "lock_timeout_ms", 0, INT64_MAX);
}

/* An allocator that overwrites what it gives back. */
struct wiped {
    size_t size;
    _Alignas(max_align_t) unsigned char bytes[];
};

static void *take_wiped(void *user, size_t size)
{
    (void)user;
    struct wiped *block = malloc(sizeof *block + size);
    if (block == NULL) {
        return NULL;
    }
    block->size = size;
    return block->bytes;
}

static void give_wiped(void *user, void *memory)
{
    (void)user;
    if (memory == NULL) {
        return;
    }
    struct wiped *block = (struct wiped *)(void *)((char *)memory - offsetof(struct wiped, bytes));
    explicit_bzero(block->bytes, block->size);
    free(block);
}

static void *move_wiped(void *user, void *memory, size_t old_size, size_t size)
{
    void *moved = take_wiped(user, size);
    if (moved != NULL && memory != NULL) {
        memcpy(moved, memory, old_size < size ? old_size : size);
        give_wiped(user, memory);
    }
    return moved;
}

int rb_worker_spec_decode(const char *json, size_t len, struct rb_worker_spec_owned *ret,
                          struct rb_error *err)
{
    /* It holds the secrets, and so does what the parser makes of it. */
    const yyjson_alc wiping = {.malloc = take_wiped, .realloc = move_wiped, .free = give_wiped};
    RB_CLEANUP(free_doc)
    yyjson_doc *doc =
        yyjson_read_opts((char *)(uintptr_t)json, len, YYJSON_READ_NOFLAG, &wiping, NULL);
    struct rb_link_decoder d = {.arena = rb_link_arena_new()};
    struct rb_worker_spec spec = {0};
    if (d.arena == NULL) {
        d.status = RB_ENOMEM;
    } else if (!yyjson_is_obj(yyjson_doc_get_root(doc))) {
        rb_link_decode_fail(&d, RB_EPROTOCOL, "{}");
    } else {
        decode_spec(&d, yyjson_doc_get_root(doc), &spec);
    }
    int r = rb_link_decode_finish(&d, "the worker's specification", err);
    if (r != 0) {
        rb_link_arena_free(d.arena);
        return r;
    }
    *ret = (struct rb_worker_spec_owned){.spec = spec, .memory = d.arena};
    return 0;
}

void rb_worker_spec_release(struct rb_worker_spec_owned *spec)
{
    rb_link_arena_free(spec->memory);
    *spec = (struct rb_worker_spec_owned){0};
}
