/* The network imports: calls the functions that the test has installed. */
#include <stdio.h>
#include <string.h>

#include "sdk/native/double_internal.h"
#include "sdk/src/imports.h"

static int32_t not_scripted(const char *what)
{
    struct rb_error err;
    rb_error_set(&err, RB_EPERM, "NOT_SCRIPTED", "the test allows no %s", what);
    return rb_double_internal_fail(&err);
}

int32_t rb_host_net_connect(const void *host, uint32_t host_len, int32_t port, int32_t timeout_ms)
{
    void *self;
    const struct rb_double_net *net = rb_double_internal_net(&self);
    struct rb_error err = {0};
    char name[1024];
    rb_double_internal_enter();
    if (net->connect == NULL || host_len >= sizeof name) {
        return not_scripted("connect");
    }
    memcpy(name, host, host_len);
    name[host_len] = 0;
    int handle = net->connect(self, name, port, timeout_ms, &err);
    if (handle < 0) {
        return rb_double_internal_fail(&err);
    }
    rb_double.n_open++;
    return handle;
}

int32_t rb_host_net_start_tls(int32_t handle)
{
    void *self;
    const struct rb_double_net *net = rb_double_internal_net(&self);
    struct rb_error err = {0};
    rb_double_internal_enter();
    if (net->start_tls == NULL) {
        return not_scripted("start_tls");
    }
    return net->start_tls(self, handle, &err) < 0 ? rb_double_internal_fail(&err) : 0;
}

int32_t rb_host_net_authenticate(int32_t handle, int32_t protocol, uint32_t secret,
                                 const void *user_name, uint32_t user_name_len)
{
    void *self;
    const struct rb_double_net *net = rb_double_internal_net(&self);
    struct rb_error err = {0};
    char name[256];
    rb_double_internal_enter();
    if (net->authenticate == NULL || protocol != RB_ABI_AUTH_POSTGRES ||
        user_name_len >= sizeof name) {
        return not_scripted("authenticate");
    }
    memcpy(name, user_name, user_name_len);
    name[user_name_len] = 0;
    return net->authenticate(self, handle, secret, name, &err) < 0 ? rb_double_internal_fail(&err)
                                                                   : 0;
}

int32_t rb_host_net_send(int32_t handle, const void *data, uint32_t len)
{
    void *self;
    const struct rb_double_net *net = rb_double_internal_net(&self);
    struct rb_error err = {0};
    rb_double_internal_enter();
    if (net->send == NULL) {
        return not_scripted("send");
    }
    return net->send(self, handle, data, len, &err) < 0 ? rb_double_internal_fail(&err) : 0;
}

int32_t rb_host_net_recv(int32_t handle, void *out, uint32_t cap, int32_t timeout_ms)
{
    void *self;
    const struct rb_double_net *net = rb_double_internal_net(&self);
    struct rb_error err = {0};
    size_t len = 0;
    rb_double_internal_enter();
    if (net->recv == NULL) {
        return not_scripted("recv");
    }
    int status = net->recv(self, handle, out, cap, timeout_ms, &len, &err);
    if (status < 0) {
        return rb_double_internal_fail(&err);
    }
    return status == 1 ? RB_ABI_RECV_TIMEOUT : (int32_t)len;
}

int32_t rb_host_net_cancel_packet(int32_t handle, const void *packet, uint32_t len)
{
    (void)handle;
    rb_double_internal_enter();
    rb_buf_release(&rb_double.cancel_packet);
    rb_buf_init(&rb_double.cancel_packet, RB_ABI_CANCEL_PACKET_MAX);
    if (rb_buf_append(&rb_double.cancel_packet, packet, len) < 0) {
        return not_scripted("cancel packet of more than 256 bytes");
    }
    return 0;
}

int32_t rb_host_net_close(int32_t handle)
{
    void *self;
    const struct rb_double_net *net = rb_double_internal_net(&self);
    struct rb_error err = {0};
    rb_double_internal_enter();
    rb_double.n_open--;
    if (net->close == NULL) {
        return 0;
    }
    return net->close(self, handle, &err) < 0 ? rb_double_internal_fail(&err) : 0;
}

void rb_double_peer_init(struct rb_double_peer *peer)
{
    memset(peer, 0, sizeof *peer);
    rb_buf_init(&peer->says, SIZE_MAX / 4);
    rb_buf_init(&peer->heard, SIZE_MAX / 4);
}

void rb_double_peer_release(struct rb_double_peer *peer)
{
    rb_buf_release(&peer->says);
    rb_buf_release(&peer->heard);
}

static int peer_connect(void *self, const char *host, int port, int timeout_ms,
                        struct rb_error *err)
{
    (void)self;
    (void)host;
    (void)port;
    (void)timeout_ms;
    (void)err;
    return 1;
}

static int peer_start_tls(void *self, int handle, struct rb_error *err)
{
    (void)self;
    (void)handle;
    (void)err;
    return RB_OK;
}

/* The authentication messages are not part of what the peer says: the host answers them. */
static int peer_authenticate(void *self, int handle, uint32_t secret, const char *user_name,
                             struct rb_error *err)
{
    (void)self;
    (void)handle;
    (void)secret;
    (void)user_name;
    (void)err;
    return RB_OK;
}

static int peer_send(void *self, int handle, const void *data, size_t len, struct rb_error *err)
{
    struct rb_double_peer *peer = self;
    (void)handle;
    int status = rb_buf_append(&peer->heard, data, len);
    return status < 0 ? rb_error_set(err, status, "OUT_OF_MEMORY", "out of memory") : RB_OK;
}

static int peer_recv(void *self, int handle, void *out, size_t cap, int timeout_ms, size_t *ret_len,
                     struct rb_error *err)
{
    struct rb_double_peer *peer = self;
    (void)handle;
    (void)timeout_ms;
    (void)err;
    size_t n = peer->says.len - peer->said;
    if (n == 0 && peer->hangs) {
        return 1;
    }
    n = n < cap ? n : cap;
    n = peer->piece > 0 && n > peer->piece ? peer->piece : n;
    if (n > 0) {
        memcpy(out, peer->says.data + peer->said, n);
    }
    peer->said += n;
    *ret_len = n;
    return RB_OK;
}

const struct rb_double_net rb_double_peer_net = {
    .connect = peer_connect,
    .start_tls = peer_start_tls,
    .authenticate = peer_authenticate,
    .send = peer_send,
    .recv = peer_recv,
};
