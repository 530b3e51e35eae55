/* The broker's calls for WASI sockets: connecting step by step, options, readiness. */
#include "host/net/broker.h"

#include <errno.h>
#include <string.h>

#include "host/net/address.h"
#include "host/net/allow.h"
#include "host/net/connect.h"
#include "host/net/resolve.h"
#include "host/net/table.h"
#include "host/net/wait.h"

static void remember(struct rb_broker *broker, const char *name,
                     const struct rb_net_address *address)
{
    struct rb_resolved *slot = &broker->resolved[broker->n_resolved++ % RB_TABLE_RESOLVED_MAX];
    slot->address = *address;
    memcpy(slot->name, name, strlen(name) + 1);
}

static bool same_address(const struct rb_net_address *a, const struct rb_net_address *b)
{
    return rb_address_in(a, b, b->family == RB_NET_INET4 ? 32 : 128);
}

/* The name that the address came from, if that may be reached at the address's port; NULL. */
static const char *name_of(const struct rb_broker *broker, const struct rb_net_address *address)
{
    size_t n =
        broker->n_resolved < RB_TABLE_RESOLVED_MAX ? broker->n_resolved : RB_TABLE_RESOLVED_MAX;
    for (size_t i = 0; i < n; i++) {
        const struct rb_resolved *known = &broker->resolved[i];
        if (same_address(&known->address, address) &&
            rb_allow_name(broker->grant.allow, broker->grant.n_allow, known->name, address->port)) {
            return known->name;
        }
    }
    return NULL;
}

int rb_broker_resolve(struct rb_broker *broker, const char *host, size_t host_len, int port,
                      struct rb_net_address *out, size_t cap, size_t *ret_count,
                      struct rb_error *err)
{
    char name[RB_SOCKET_HOST_MAX];
    int r = rb_table_copy_host(host, host_len, name, err);
    if (r < 0) {
        return r;
    }
    if (port < 0 || port > 65535) {
        return rb_error_set(err, RB_ECONFIG, "INVALID_PORT", "%d is not a port (0 to 65535)", port);
    }
    struct rb_net_address found[RB_RESOLVE_ADDRESSES_MAX];
    size_t n = 0;
    bool by_name = false;
    int64_t deadline = rb_wait_deadline_of_limit(broker->grant.connect_timeout_ms);
    r = rb_connect_resolve(broker, name, port, deadline, found, &n, &by_name, err);
    if (r < 0) {
        return r;
    }
    size_t count = n < cap ? n : cap;
    for (size_t i = 0; i < count; i++) {
        out[i] = found[i];
        if (by_name) {
            remember(broker, name, &found[i]);
        }
    }
    *ret_count = count;
    return 0;
}

int rb_broker_open(struct rb_broker *broker, enum rb_net_family family, int *ret_handle,
                   struct rb_error *err)
{
    int fd = -1;
    int r = rb_socket_open(family == RB_NET_INET4 ? AF_INET : AF_INET6,
                           broker->grant.idle_timeout_ms, &fd, err);
    if (r < 0) {
        return r;
    }
    struct rb_socket *socket = NULL;
    r = rb_table_add(broker, fd, &socket, err);
    if (r < 0 || socket == NULL) {
        return r;
    }
    *ret_handle = socket->handle;
    return 0;
}

/* connect(2) alone. 1: under way. */
static int begin_connect(int fd, const struct sockaddr_storage *to, socklen_t len,
                         struct rb_error *err)
{
    if (connect(fd, (const struct sockaddr *)to, len) == 0) {
        return 0;
    }
    return errno == EINPROGRESS || errno == EINTR ? 1 : rb_socket_connect_error(errno, err);
}

int rb_broker_connect_address(struct rb_broker *broker, int handle,
                              const struct rb_net_address *address, struct rb_error *err)
{
    struct rb_socket *socket = NULL;
    int r = rb_table_find(broker, handle, &socket, err);
    if (r < 0 || socket == NULL) {
        return r;
    }
    char text[RB_ADDRESS_TEXT_MAX];
    rb_address_format(address, text);
    const char *name = name_of(broker, address);
    if (!rb_allow_address(broker->grant.allow, broker->grant.n_allow, address, name != NULL)) {
        return rb_table_denied(text, address->port, err);
    }
    if (socket->peer_checked || socket->host[0] != 0) {
        return rb_error_set(err, RB_ECONNECTOR, "ALREADY_CONNECTED",
                            "the socket was connected to %s:%d before", socket->host, socket->port);
    }
    struct sockaddr_storage to;
    socklen_t len = rb_address_to_sockaddr(address, &to);
    if (socket->nonblocking) {
        r = begin_connect(socket->fd, &to, len, err);
    } else {
        r = rb_socket_connect(socket->fd, &to, len, broker->cancel_fd,
                              rb_wait_deadline_of_limit(broker->grant.connect_timeout_ms), err);
    }
    if (r < 0) {
        if (r != RB_ECANCELLED) {
            rb_error_prefix(err, "connecting to %s:%d", text, address->port);
        }
        return r;
    }
    const char *host = name != NULL ? name : text;
    memcpy(socket->host, host, strlen(host) + 1);
    socket->port = address->port;
    socket->by_name = name != NULL;
    return r;
}

int rb_broker_set_nonblocking(struct rb_broker *broker, int handle, bool on, struct rb_error *err)
{
    struct rb_socket *socket = NULL;
    int r = rb_table_find(broker, handle, &socket, err);
    if (r < 0 || socket == NULL) {
        return r;
    }
    socket->nonblocking = on;
    return 0;
}

bool rb_broker_is_nonblocking(const struct rb_broker *broker, int handle)
{
    for (size_t i = 0; handle > 0 && i < RB_BROKER_SOCKETS_MAX; i++) {
        if (broker->sockets[i].handle == handle) {
            return broker->sockets[i].nonblocking;
        }
    }
    return false;
}

int rb_broker_shutdown(struct rb_broker *broker, int handle, bool rd, bool wr, struct rb_error *err)
{
    struct rb_socket *socket = NULL;
    int r = rb_table_find(broker, handle, &socket, err);
    if (r < 0 || socket == NULL || (!rd && !wr)) {
        return r;
    }
    int how = rd && wr ? SHUT_RDWR : rd ? SHUT_RD : SHUT_WR;
    /* A peer that is gone already is what was asked for. */
    if (shutdown(socket->fd, how) < 0 && errno != ENOTCONN) {
        return rb_error_set_errno(err, RB_ENETWORK, "SHUTDOWN", errno, "shutting a socket down");
    }
    return 0;
}

int rb_broker_socket_errno(struct rb_broker *broker, int handle, int *ret_errno,
                           struct rb_error *err)
{
    struct rb_socket *socket = NULL;
    int r = rb_table_find(broker, handle, &socket, err);
    if (r < 0 || socket == NULL) {
        return r;
    }
    int value = 0;
    socklen_t len = sizeof value;
    if (getsockopt(socket->fd, SOL_SOCKET, SO_ERROR, &value, &len) < 0) {
        return rb_error_set_errno(err, RB_ENETWORK, "SOCKET", errno, "reading a socket's error");
    }
    *ret_errno = value;
    return 0;
}

static struct rb_socket *socket_or_null(struct rb_broker *broker, int handle)
{
    struct rb_socket *socket = NULL;
    return rb_table_find(broker, handle, &socket, NULL) == 0 ? socket : NULL;
}

int rb_broker_poll(struct rb_broker *broker, const int *handles, const short *events,
                   short *ret_revents, size_t n, int64_t timeout_ms, struct rb_error *err)
{
    if (n > RB_BROKER_POLL_MAX) {
        return rb_error_set(err, RB_ECONNECTOR, "INVALID_LENGTH",
                            "waiting for %zu sockets, at most %d are taken", n, RB_BROKER_POLL_MAX);
    }
    struct pollfd fds[RB_BROKER_POLL_MAX + 1];
    short ready[RB_BROKER_POLL_MAX] = {0};
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        struct rb_socket *socket = socket_or_null(broker, handles[i]);
        bool buffered = socket != NULL && socket->tls != NULL && rb_tls_pending(socket->tls) > 0;
        if (socket == NULL) {
            ready[i] = POLLNVAL;
        } else if (buffered && (events[i] & POLLIN) != 0) {
            ready[i] = POLLIN;
        } else {
            rb_socket_end_bulk(socket);
        }
        any = any || ready[i] != 0;
        fds[i + 1] = (struct pollfd){.fd = socket != NULL ? socket->fd : -1, .events = events[i]};
    }
    int64_t deadline = rb_wait_deadline(any ? 0 : timeout_ms);
    int r = rb_wait_poll(fds, n + 1, broker->cancel_fd, deadline, err);
    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < n; i++) {
        ret_revents[i] = (short)(ready[i] | fds[i + 1].revents);
    }
    return 0;
}
