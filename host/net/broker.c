#include "host/net/broker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "host/net/allow.h"
#include "host/net/auth_postgres.h"
#include "host/net/connect.h"
#include "host/net/table.h"
#include "host/net/wait.h"

int rb_broker_new(const struct rb_net_grant *grant, int cancel_fd, const struct rb_broker_ops *ops,
                  void *user, struct rb_broker **ret_broker, struct rb_error *err)
{
    int r = rb_allow_validate(grant->allow, grant->n_allow, err);
    if (r < 0) {
        return r;
    }
    struct rb_broker *broker = calloc(1, sizeof *broker);
    if (broker == NULL) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for the network broker");
    }
    broker->grant = *grant;
    broker->cancel_fd = cancel_fd;
    broker->ops = ops;
    broker->user = user;
    for (size_t i = 0; i < RB_BROKER_SOCKETS_MAX; i++) {
        broker->sockets[i].fd = -1;
    }
    *ret_broker = broker;
    return 0;
}

static void take_packet_back(struct rb_broker *broker, struct rb_socket *socket)
{
    if (socket->cancel_packet && broker->ops != NULL && broker->ops->cancel_packet != NULL) {
        broker->ops->cancel_packet(broker->user, socket->handle, NULL, 0, NULL, 0);
    }
    socket->cancel_packet = false;
}

void rb_broker_free(struct rb_broker *broker)
{
    if (broker == NULL) {
        return;
    }
    bool cancelled = rb_wait_check(broker->cancel_fd, NULL) < 0;
    for (size_t i = 0; i < RB_BROKER_SOCKETS_MAX; i++) {
        if (broker->sockets[i].handle == 0) {
            continue;
        }
        if (!cancelled) {
            take_packet_back(broker, &broker->sockets[i]);
        }
        rb_socket_close(&broker->sockets[i]);
    }
    free(broker);
}

int rb_broker_tls_mode(const struct rb_broker *broker)
{
    return broker->grant.tls_mode;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int rb_broker_connect(struct rb_broker *broker, const char *host, size_t host_len, int port,
                      int64_t timeout_ms, int *ret_handle, struct rb_error *err)
{
    char name[RB_SOCKET_HOST_MAX];
    int r = rb_table_copy_host(host, host_len, name, err);
    if (r < 0) {
        return r;
    }
    if (port < 1 || port > 65535) {
        return rb_error_set(err, RB_ECONFIG, "INVALID_PORT", "%d is not a port (1 to 65535)", port);
    }
    int64_t deadline = earlier(rb_wait_deadline(timeout_ms),
                               rb_wait_deadline_of_limit(broker->grant.connect_timeout_ms));
    bool local = name[0] == '/';
    int fd = -1;
    r = local ? rb_connect_unix(broker, name, port, deadline, &fd, err)
              : rb_connect_host(broker, name, port, deadline, &fd, err);
    if (r < 0) {
        return r;
    }
    struct rb_socket *socket = NULL;
    r = rb_table_add(broker, fd, &socket, err);
    if (r < 0 || socket == NULL) {
        return r;
    }
    socket->local = local;
    socket->peer_checked = true;
    socket->port = port;
    memcpy(socket->host, name, sizeof name);
    *ret_handle = socket->handle;
    return 0;
}

/* Where it is connected to, in front of the message. */
static int at_socket(const struct rb_socket *socket, int status, struct rb_error *err)
{
    if (status >= 0 || status == RB_ECANCELLED || socket->host[0] == 0) {
        return status;
    }
    if (socket->local) {
        rb_error_prefix(err, "%s", socket->host);
    } else {
        rb_error_prefix(err, "%s:%d", socket->host, socket->port);
    }
    return status;
}

static int may_start_tls(const struct rb_broker *broker, const struct rb_socket *socket,
                         struct rb_error *err)
{
    const char *why = NULL;
    if (broker->grant.tls_forbidden) {
        why = "the connector's manifest forbids it";
    } else if (broker->grant.tls_mode == RB_NET_TLS_DISABLE) {
        why = "the TLS mode is disable";
    } else if (socket->local) {
        why = "it is a Unix socket";
    } else if (socket->tls != NULL) {
        why = "it was started already";
    }
    if (why == NULL) {
        return 0;
    }
    return rb_error_set(err, RB_EPERM, "TLS_FORBIDDEN", "TLS is not started: %s", why);
}

/* As libpq: a root certificate that was given is used, whatever the mode. */
static enum rb_tls_check check_of(const struct rb_net_grant *grant)
{
    if (grant->tls_mode >= RB_NET_TLS_VERIFY_FULL) {
        return RB_TLS_CHECK_NAME;
    }
    if (grant->tls_mode >= RB_NET_TLS_VERIFY_CA || grant->tls_root_cert != NULL) {
        return RB_TLS_CHECK_CHAIN;
    }
    return RB_TLS_CHECK_NONE;
}

int rb_broker_start_tls(struct rb_broker *broker, int handle, struct rb_error *err)
{
    struct rb_socket *socket = NULL;
    int r = rb_table_find_connected(broker, handle, &socket, err);
    if (r < 0 || socket == NULL) {
        return r;
    }
    r = may_start_tls(broker, socket, err);
    if (r < 0) {
        return at_socket(socket, r, err);
    }
    const struct rb_net_grant *grant = &broker->grant;
    struct rb_tls_options options = {
        .check = check_of(grant),
        .host = socket->host,
        .root_cert = grant->tls_root_cert,
        .cert = grant->tls_cert,
        .key = grant->tls_key,
        .crl = grant->tls_crl,
    };
    int64_t limit =
        grant->connect_timeout_ms > 0 ? grant->connect_timeout_ms : grant->idle_timeout_ms;
    r = rb_socket_start_tls(socket, &options, broker->cancel_fd, rb_wait_deadline_of_limit(limit),
                            err);
    return at_socket(socket, r, err);
}

static int secret_of(const struct rb_broker *broker, uint32_t id, const char **ret_secret,
                     struct rb_error *err)
{
    if (id > broker->grant.n_secrets) {
        return rb_error_set(err, RB_ECONNECTOR, "SECRET_UNKNOWN",
                            "there is no secret with id %lu in the connector's configuration",
                            (unsigned long)id);
    }
    *ret_secret = id > 0 ? broker->grant.secrets[id - 1] : NULL;
    return 0;
}

int rb_broker_authenticate_postgres(struct rb_broker *broker, int handle, uint32_t secret_id,
                                    const char *user_name, size_t user_len, struct rb_error *err)
{
    struct rb_socket *socket = NULL;
    int r = rb_table_find_connected(broker, handle, &socket, err);
    if (r < 0 || socket == NULL) {
        return r;
    }
    if (broker->grant.tls_mode >= RB_NET_TLS_REQUIRE && socket->tls == NULL && !socket->local) {
        rb_error_set(err, RB_EPERM, "TLS_REQUIRED",
                     "authentication is refused: the TLS mode requires TLS, which was not started");
        return at_socket(socket, RB_EPERM, err);
    }
    const char *secret = NULL;
    r = secret_of(broker, secret_id, &secret, err);
    if (r < 0) {
        return r;
    }
    struct rb_auth_postgres auth = {
        .socket = socket,
        .cancel_fd = broker->cancel_fd,
        .deadline = rb_wait_deadline_of_limit(broker->grant.idle_timeout_ms),
        .user = user_name,
        .user_len = user_len,
        .password = secret,
        .binding = broker->grant.channel_binding,
    };
    return at_socket(socket, rb_auth_postgres_run(&auth, err), err);
}

int rb_broker_send(struct rb_broker *broker, int handle, const void *data, size_t len,
                   struct rb_error *err)
{
    struct rb_socket *socket = NULL;
    int r = rb_table_find_connected(broker, handle, &socket, err);
    if (r < 0 || socket == NULL) {
        return r;
    }
    r = rb_socket_send(socket, data, len, broker->cancel_fd, broker->grant.idle_timeout_ms, err);
    return at_socket(socket, r, err);
}

int rb_broker_send_some(struct rb_broker *broker, int handle, const void *data, size_t len,
                        size_t *ret_len, struct rb_error *err)
{
    struct rb_socket *socket = NULL;
    int r = rb_table_find_connected(broker, handle, &socket, err);
    if (r < 0 || socket == NULL) {
        return r;
    }
    r = rb_socket_send_some(socket, data, len, broker->cancel_fd, rb_wait_deadline(0), ret_len,
                            err);
    return at_socket(socket, r, err);
}

int rb_broker_recv(struct rb_broker *broker, int handle, void *out, size_t cap, int64_t timeout_ms,
                   size_t *ret_len, struct rb_error *err)
{
    struct rb_socket *socket = NULL;
    int r = rb_table_find_connected(broker, handle, &socket, err);
    if (r < 0 || socket == NULL) {
        return r;
    }
    if (cap == 0) {
        /* Its 0 bytes could not be told from the peer's having closed. */
        return rb_error_set(err, RB_ECONNECTOR, "INVALID_LENGTH", "no room to receive into");
    }
    r = rb_socket_recv(socket, out, cap, broker->cancel_fd, rb_wait_deadline(timeout_ms), ret_len,
                       err);
    return at_socket(socket, r, err);
}

int rb_broker_set_cancel_packet(struct rb_broker *broker, int handle, const void *packet,
                                size_t len, struct rb_error *err)
{
    struct rb_socket *socket = NULL;
    int r = rb_table_find_connected(broker, handle, &socket, err);
    if (r < 0 || socket == NULL) {
        return r;
    }
    if (len > RB_BROKER_CANCEL_PACKET_MAX) {
        return rb_error_set(err, RB_ECONNECTOR, "INVALID_LENGTH",
                            "a cancel packet of %zu bytes, at most %d are taken", len,
                            RB_BROKER_CANCEL_PACKET_MAX);
    }
    if (len == 0) {
        take_packet_back(broker, socket);
        return 0;
    }
    struct sockaddr_storage peer = {0};
    socklen_t peer_len = sizeof peer;
    if (getpeername(socket->fd, (struct sockaddr *)&peer, &peer_len) < 0) {
        return at_socket(socket, rb_socket_connect_error(errno, err), err);
    }
    if (broker->ops != NULL && broker->ops->cancel_packet != NULL) {
        broker->ops->cancel_packet(broker->user, handle, &peer, peer_len, packet, len);
        socket->cancel_packet = true;
    }
    return 0;
}

int rb_broker_close(struct rb_broker *broker, int handle, struct rb_error *err)
{
    struct rb_socket *socket = NULL;
    int r = rb_table_find(broker, handle, &socket, err);
    if (r < 0 || socket == NULL) {
        return r;
    }
    take_packet_back(broker, socket);
    rb_socket_close(socket);
    return 0;
}
