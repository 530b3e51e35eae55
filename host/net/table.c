#include "host/net/table.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/net/address.h"
#include "host/net/allow.h"

int rb_table_find(struct rb_broker *broker, int handle, struct rb_socket **ret_socket,
                  struct rb_error *err)
{
    for (size_t i = 0; handle > 0 && i < RB_BROKER_SOCKETS_MAX; i++) {
        if (broker->sockets[i].handle == handle) {
            *ret_socket = &broker->sockets[i];
            return 0;
        }
    }
    return rb_error_set(err, RB_ECONNECTOR, "BAD_HANDLE", "there is no open socket with handle %d",
                        handle);
}

int rb_table_find_connected(struct rb_broker *broker, int handle, struct rb_socket **ret_socket,
                            struct rb_error *err)
{
    struct rb_socket *socket = NULL;
    int r = rb_table_find(broker, handle, &socket, err);
    if (r < 0 || socket == NULL) {
        return r;
    }
    if (!socket->peer_checked) {
        /* It was connected by address, and its first connect did not finish at once. */
        r = rb_table_check_peer(broker, socket->fd, socket->by_name, err);
        if (r < 0) {
            return r;
        }
        socket->peer_checked = true;
    }
    *ret_socket = socket;
    return 0;
}

int rb_table_add(struct rb_broker *broker, int fd, struct rb_socket **ret_socket,
                 struct rb_error *err)
{
    size_t max = broker->grant.max_sockets;
    max = max == 0 || max > RB_BROKER_SOCKETS_MAX ? RB_BROKER_SOCKETS_MAX : max;
    for (size_t i = 0; i < max && broker->n_opened < INT_MAX; i++) {
        struct rb_socket *socket = &broker->sockets[i];
        if (socket->handle == 0) {
            *socket = (struct rb_socket){.handle = ++broker->n_opened, .fd = fd};
            *ret_socket = socket;
            return 0;
        }
    }
    close(fd);
    rb_error_set(err, RB_ECONNECTOR, "SOCKET_LIMIT",
                 "a connector may have %zu sockets open at a time", max);
    rb_error_set_hint(err, "resources.max_sockets, or limits.max_sockets of its manifest");
    return RB_ECONNECTOR;
}

int rb_table_check_peer(const struct rb_broker *broker, int fd, bool by_name, struct rb_error *err)
{
    struct sockaddr_storage peer = {0};
    socklen_t len = sizeof peer;
    struct rb_net_address address;
    if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0) {
        return rb_socket_connect_error(errno, err);
    }
    if (!rb_address_of_sockaddr(&peer, &address)) {
        return rb_error_set(err, RB_EINTERNAL, "PEER_FAMILY",
                            "the socket's peer has no internet address");
    }
    if (rb_allow_address(broker->grant.allow, broker->grant.n_allow, &address, by_name)) {
        return 0;
    }
    char text[RB_ADDRESS_TEXT_MAX];
    rb_address_format(&address, text);
    return rb_table_denied(text, address.port, err);
}

int rb_table_copy_host(const char *host, size_t host_len, char ret[RB_SOCKET_HOST_MAX],
                       struct rb_error *err)
{
    bool ok = host_len > 0 && host_len < RB_SOCKET_HOST_MAX;
    for (size_t i = 0; ok && i < host_len; i++) {
        ok = (unsigned char)host[i] > 0x20 && host[i] != 0x7f;
    }
    if (!ok) {
        return rb_error_set(err, RB_ECONFIG, "INVALID_HOST",
                            "a host is 1 to %d bytes without spaces or control characters",
                            RB_SOCKET_HOST_MAX - 1);
    }
    memcpy(ret, host, host_len);
    ret[host_len] = 0;
    return 0;
}

int rb_table_denied(const char *host, int port, struct rb_error *err)
{
    rb_error_set(err, RB_EPERM, "NET_DENIED",
                 "connecting to %s:%d is not allowed: it is not on the network allow-list", host,
                 port);
    rb_error_set_hint(err,
                      "allow \"%s\" in the connector's manifest (permissions.network) and in the "
                      "pipeline's configuration of this connector, if it should be reached",
                      host);
    return RB_EPERM;
}
