/*
 * The host's imports (docs/protocol.md). In a guest the linker resolves them to the module
 * "rapidbyte"; natively they are functions of the host double (sdk/native).
 */
#ifndef RB_SDK_SRC_IMPORTS_H
#define RB_SDK_SRC_IMPORTS_H

#include <stdint.h>

#include "abi/rapidbyte_abi.h"
#include "base/error.h"

#ifdef __wasm__
#define RB_IMPORT(symbol)                                                                          \
    __attribute__((import_module(RB_ABI_MODULE), import_name(#symbol))) int32_t symbol
#else
#define RB_IMPORT(symbol) int32_t symbol
#endif

RB_IMPORT(rb_host_log)(int32_t level, const void *text, uint32_t len);
RB_IMPORT(rb_host_emit_batch)(const void *data, uint32_t len);
RB_IMPORT(rb_host_next_batch)(void *out, uint32_t cap);
RB_IMPORT(rb_host_last_error)(void *out, uint32_t cap);
RB_IMPORT(rb_host_state_get)(int32_t scope, const void *key, uint32_t key_len, void *out,
                             uint32_t cap);
RB_IMPORT(rb_host_state_put)(int32_t scope, const void *key, uint32_t key_len, const void *value,
                             uint32_t value_len);
RB_IMPORT(rb_host_state_cas)(int32_t scope, const void *key, uint32_t key_len, const void *expected,
                             uint32_t expected_len, const void *value, uint32_t value_len);
RB_IMPORT(rb_host_checkpoint)(int32_t kind, const void *json, uint32_t len);
RB_IMPORT(rb_host_metric)(const void *json, uint32_t len);
RB_IMPORT(rb_host_stream_end)(void *out, uint32_t cap);
RB_IMPORT(rb_host_net_tls_mode)(void);
RB_IMPORT(rb_host_net_connect)(const void *host, uint32_t host_len, int32_t port,
                               int32_t timeout_ms);
RB_IMPORT(rb_host_net_start_tls)(int32_t handle);
RB_IMPORT(rb_host_net_authenticate)(int32_t handle, int32_t protocol, uint32_t secret,
                                    const void *user_name, uint32_t user_name_len);
RB_IMPORT(rb_host_net_send)(int32_t handle, const void *data, uint32_t len);
RB_IMPORT(rb_host_net_recv)(int32_t handle, void *out, uint32_t cap, int32_t timeout_ms);
RB_IMPORT(rb_host_net_cancel_packet)(int32_t handle, const void *packet, uint32_t len);
RB_IMPORT(rb_host_net_close)(int32_t handle);

/* After an import returned -1: what rb_host_last_error says of it, as an error. `import` is named
 * where the host says nothing. */
int rb_sdk_import_error(const char *import, struct rb_error *err);

#endif
