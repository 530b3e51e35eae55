#include "rapidbyte/net.h"

#include <string.h>

#include "sdk/src/imports.h"

enum { SEND_MAX = 1 << 30 }; /* bytes of one import call */

static int32_t clamp_timeout(int64_t timeout_ms)
{
    if (timeout_ms < 0) {
        return -1;
    }
    return timeout_ms > INT32_MAX ? INT32_MAX : (int32_t)timeout_ms;
}

enum rb_tls_mode rb_net_tls_mode(void)
{
    int32_t mode = rb_host_net_tls_mode();
    /* A mode of a newer host is taken for the strictest. */
    return mode < RB_TLS_DISABLE || mode > RB_TLS_VERIFY_FULL ? RB_TLS_VERIFY_FULL
                                                              : (enum rb_tls_mode)mode;
}

int rb_net_connect(const char *host, int port, int64_t timeout_ms, int *ret_handle,
                   struct rb_error *err)
{
    int32_t handle =
        rb_host_net_connect(host, (uint32_t)strlen(host), port, clamp_timeout(timeout_ms));
    if (handle <= 0) {
        return rb_sdk_import_error("rb_host_net_connect", err);
    }
    *ret_handle = handle;
    return RB_OK;
}

int rb_net_start_tls(int handle, struct rb_error *err)
{
    return rb_host_net_start_tls(handle) < 0 ? rb_sdk_import_error("rb_host_net_start_tls", err)
                                             : RB_OK;
}

int rb_net_authenticate_postgres(int handle, uint32_t secret_id, const char *user_name,
                                 struct rb_error *err)
{
    if (rb_host_net_authenticate(handle, RB_ABI_AUTH_POSTGRES, secret_id, user_name,
                                 (uint32_t)strlen(user_name)) < 0) {
        return rb_sdk_import_error("rb_host_net_authenticate", err);
    }
    return RB_OK;
}

int rb_net_send(int handle, const void *data, size_t len, struct rb_error *err)
{
    const uint8_t *from = data;
    while (len > 0) {
        uint32_t n = len < SEND_MAX ? (uint32_t)len : SEND_MAX;
        if (rb_host_net_send(handle, from, n) < 0) {
            return rb_sdk_import_error("rb_host_net_send", err);
        }
        from += n;
        len -= n;
    }
    return RB_OK;
}

int rb_net_recv(int handle, void *out, size_t cap, int64_t timeout_ms, size_t *ret_len,
                struct rb_error *err)
{
    uint32_t n_max = cap < SEND_MAX ? (uint32_t)cap : SEND_MAX;
    int32_t n = rb_host_net_recv(handle, out, n_max, clamp_timeout(timeout_ms));
    if (n == RB_ABI_RECV_TIMEOUT) {
        return 1;
    }
    if (n < 0) {
        return rb_sdk_import_error("rb_host_net_recv", err);
    }
    *ret_len = (size_t)n;
    return RB_OK;
}

int rb_net_set_cancel_packet(int handle, const void *packet, size_t len, struct rb_error *err)
{
    if (rb_host_net_cancel_packet(handle, packet, (uint32_t)len) < 0) {
        return rb_sdk_import_error("rb_host_net_cancel_packet", err);
    }
    return RB_OK;
}

int rb_net_close(int handle, struct rb_error *err)
{
    return rb_host_net_close(handle) < 0 ? rb_sdk_import_error("rb_host_net_close", err) : RB_OK;
}
