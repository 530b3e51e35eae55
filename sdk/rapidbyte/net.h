/* The network as the operator granted it (docs/protocol.md, "Network"). */
#ifndef RB_SDK_NET_H
#define RB_SDK_NET_H

#include <stddef.h>
#include <stdint.h>

#include "abi/rapidbyte_abi.h"
#include "base/error.h"

enum rb_tls_mode rb_net_tls_mode(void);
int rb_net_connect(const char *host, int port, int64_t timeout_ms, int *ret_handle,
                   struct rb_error *err);
int rb_net_start_tls(int handle, struct rb_error *err);
/* secret_id 0: there is none. */
int rb_net_authenticate_postgres(int handle, uint32_t secret_id, const char *user_name,
                                 struct rb_error *err);
int rb_net_send(int handle, const void *data, size_t len, struct rb_error *err);
/* 0: *ret_len bytes, 0 = the peer closed; 1: the deadline passed. timeout_ms < 0: no limit; 0: does
 * not wait. */
int rb_net_recv(int handle, void *out, size_t cap, int64_t timeout_ms, size_t *ret_len,
                struct rb_error *err);
int rb_net_set_cancel_packet(int handle, const void *packet, size_t len, struct rb_error *err);
int rb_net_close(int handle, struct rb_error *err);

#endif
