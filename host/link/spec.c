#include "host/link/spec.h"

#include <string.h>

#include "host/link/decode.h"
#include "host/link/text.h"

const char *const rb_link_role_names[3] = {"source", "transform", "destination"};
const char *const rb_link_compression_names[3] = {"none", "lz4", "zstd"};

const char *rb_role_name(enum rb_role role)
{
    return rb_link_role_names[role];
}

/* Texts that are perhaps not UTF-8 (a password, a variable of the environment) as base64, so that
 * JSON does not change them. */
static void encode_bytes(struct rb_json *json, const char *key, const char *const *texts, size_t n)
{
    rb_json_key(json, key);
    rb_json_begin_array(json);
    for (size_t i = 0; i < n; i++) {
        RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(32 * 1024 * 1024);
        text.is_secret = true;
        if (rb_link_base64_encode(texts[i], strlen(texts[i]), &text) != 0 && json->status == 0) {
            json->status = RB_ENOMEM;
        }
        rb_json_strn(json, rb_buf_str(&text), text.len);
    }
    rb_json_end_array(json);
}

static void encode_grants(struct rb_json *json, const struct rb_connector_spec *c)
{
    rb_json_key(json, "allow");
    rb_json_begin_array(json);
    for (size_t i = 0; i < c->n_allow; i++) {
        rb_json_begin_object(json);
        rb_json_member_str(json, "host", c->allow[i].host);
        rb_json_member_i64(json, "port", c->allow[i].port);
        rb_json_end_object(json);
    }
    rb_json_end_array(json);
    rb_json_member_i64(json, "tls_mode", c->tls_mode);
    rb_json_member_bool(json, "tls_forbidden", c->tls_forbidden);
    rb_json_member_str(json, "tls_root_cert", c->tls_root_cert);
    rb_json_member_str(json, "tls_cert", c->tls_cert);
    rb_json_member_str(json, "tls_key", c->tls_key);
    rb_json_member_str(json, "tls_crl", c->tls_crl);
    rb_json_member_i64(json, "channel_binding", c->channel_binding);
    rb_json_member_bool(json, "wasi_sockets", c->wasi_sockets);
    encode_bytes(json, "env", c->env, c->n_env);
    rb_json_key(json, "preopens");
    rb_json_begin_array(json);
    for (size_t i = 0; i < c->n_preopens; i++) {
        rb_json_begin_object(json);
        rb_json_member_str(json, "guest_path", c->preopens[i].guest_path);
        rb_json_member_str(json, "host_path", c->preopens[i].host_path);
        rb_json_member_bool(json, "writable", c->preopens[i].writable);
        rb_json_end_object(json);
    }
    rb_json_end_array(json);
}

static void encode_connector(struct rb_json *json, const struct rb_connector_spec *c)
{
    rb_json_begin_object(json);
    rb_json_member_str(json, "role", rb_link_role_names[c->role]);
    rb_json_member_str(json, "id", c->id);
    rb_json_member_str(json, "version", c->version);
    rb_json_member_str(json, "wasm_path", c->wasm_path);
    rb_json_member_str(json, "wasm_sha256", c->wasm_sha256);
    /* As a string: the connector gets the very same text. */
    rb_json_member_str(json, "config_json", c->config_json);
    encode_bytes(json, "secrets", c->secrets, c->n_secrets);
    encode_grants(json, c);
    rb_json_member_u64(json, "memory_max_bytes", c->memory_max_bytes);
    rb_json_key(json, "limits");
    rb_json_begin_object(json);
    rb_json_member_u64(json, "sockets", c->limits.sockets);
    rb_json_member_u64(json, "log_lines", c->limits.log_lines);
    rb_json_member_u64(json, "log_bytes", c->limits.log_bytes);
    rb_json_member_u64(json, "state_keys", c->limits.state_keys);
    rb_json_member_u64(json, "state_bytes", c->limits.state_bytes);
    rb_json_member_u64(json, "metric_names", c->limits.metric_names);
    rb_json_member_u64(json, "stack_bytes", c->limits.stack_bytes);
    rb_json_member_u64(json, "call_ms", c->limits.call_ms);
    rb_json_member_u64(json, "cpu_ms", c->limits.cpu_ms);
    rb_json_end_object(json);
    rb_json_end_object(json);
}

int rb_worker_spec_encode(const struct rb_worker_spec *spec, struct rb_buf *ret)
{
    struct rb_json json;
    rb_json_init(&json, ret);
    rb_json_begin_object(&json);
    rb_json_member_str(&json, "pipeline", spec->pipeline);
    rb_json_key(&json, "connectors");
    rb_json_begin_array(&json);
    for (size_t i = 0; i < spec->n_connectors; i++) {
        encode_connector(&json, &spec->connectors[i]);
    }
    rb_json_end_array(&json);
    rb_json_member_i64(&json, "lanes", spec->lanes);
    rb_json_member_bool(&json, "one_source", spec->one_source);
    rb_json_member_u64(&json, "max_memory_bytes", spec->max_memory_bytes);
    rb_json_member_u64(&json, "max_batch_bytes", spec->max_batch_bytes);
    rb_json_member_i64(&json, "max_inflight_batches", spec->max_inflight_batches);
    rb_json_member_u64(&json, "max_inflight_bytes", spec->max_inflight_bytes);
    rb_json_member_str(&json, "compression", rb_link_compression_names[spec->compression]);
    rb_json_member_str(&json, "aot_dir", spec->aot_dir);
    rb_json_member_bool(&json, "interpreter", spec->interpreter);
    rb_json_member_bool(&json, "no_os_sandbox", spec->no_os_sandbox);
    rb_json_member_str(&json, "llvm_stub_path", spec->llvm_stub_path);
    rb_json_member_i64(&json, "log_level", spec->log_level);
    rb_json_member_i64(&json, "connect_timeout_ms", spec->connect_timeout_ms);
    rb_json_member_i64(&json, "statement_timeout_ms", spec->statement_timeout_ms);
    rb_json_member_i64(&json, "idle_timeout_ms", spec->idle_timeout_ms);
    rb_json_member_i64(&json, "lock_timeout_ms", spec->lock_timeout_ms);
    rb_json_end_object(&json);
    return rb_json_finish(&json);
}
