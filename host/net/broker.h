/*
 * The one way from a guest to the network: allow-list, sockets, TLS, and secrets that never enter a
 * guest.
 *
 * A broker belongs to one guest instance and its thread. Every call that can block polls the cancel
 * eventfd and returns RB_ECANCELLED once it is readable.
 */
#ifndef RB_HOST_NET_BROKER_H
#define RB_HOST_NET_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
    RB_BROKER_SOCKETS_MAX = 16, /* open sockets of one instance */
    RB_BROKER_CANCEL_PACKET_MAX = 256,
    RB_BROKER_POLL_MAX = 64, /* entries of one rb_broker_poll */
};

/* The contract's numbers (docs/protocol.md, rb_host_net_tls_mode). */
enum rb_net_tls {
    RB_NET_TLS_DISABLE = 0,
    RB_NET_TLS_ALLOW,
    RB_NET_TLS_PREFER,
    RB_NET_TLS_REQUIRE,
    RB_NET_TLS_VERIFY_CA,
    RB_NET_TLS_VERIFY_FULL,
};

/* Whether SCRAM is bound to the TLS session, as libpq's channel_binding. */
enum rb_net_binding { RB_NET_BINDING_PREFER, RB_NET_BINDING_DISABLE, RB_NET_BINDING_REQUIRE };

/* One entry of the allow-list. */
struct rb_net_allow {
    const char *host; /* a name ("*.example.com" for subdomains), an address, a CIDR, or an absolute
                         path (Unix socket directory) */
    int port;         /* 0: any */
};

/* What the operator granted to one side of the pipeline. All borrowed for the life of the broker.
 */
struct rb_net_grant {
    const struct rb_net_allow *allow; /* manifest and pipeline both let these in; nothing else */
    size_t n_allow;
    int tls_mode;              /* enum rb_net_tls, as libpq means them; not for Unix sockets */
    bool tls_forbidden;        /* by the manifest */
    const char *tls_root_cert; /* PEM file; NULL: the system's trust */
    const char *tls_cert;      /* client certificate and key, PEM files; NULL: none */
    const char *tls_key;
    const char *tls_crl; /* PEM file of certificates that were revoked; NULL: none */
    enum rb_net_binding channel_binding;
    const char *const *secrets; /* secrets[id - 1] */
    size_t n_secrets;
    size_t max_sockets;         /* open at a time; 0: RB_BROKER_SOCKETS_MAX */
    int64_t connect_timeout_ms; /* 0: none */
    int64_t idle_timeout_ms;    /* longest wait for a send to make progress, for authentication to
                                 * end, and for a dead peer to be noticed (keep-alives,
                                 * TCP_USER_TIMEOUT); 0: none */
};

struct rb_broker_ops {
    /* A packet to send to `address` (struct sockaddr bytes) to cancel what the socket's server is
     * doing; len 0 takes the handle's packet back (the socket was closed). */
    void (*cancel_packet)(void *user, int handle, const void *address, size_t address_len,
                          const void *packet, size_t len);
};

struct rb_broker;

/* `ops` may be NULL. RB_ECONFIG (NET_ALLOW_INVALID) for an allow-list entry that can't be
 * understood. `cancel_fd` is borrowed; < 0: no cancellation. */
int rb_broker_new(const struct rb_net_grant *grant, int cancel_fd, const struct rb_broker_ops *ops,
                  void *user, struct rb_broker **ret_broker, struct rb_error *err);
/* Closes every socket. Cancel packets are taken back, unless the run was cancelled: then they are
 * still wanted. NULL is allowed. */
void rb_broker_free(struct rb_broker *broker);

int rb_broker_tls_mode(const struct rb_broker *broker);

/* Connects by name, address, or absolute path (of a Unix socket, or of the directory of
 * PostgreSQL's
 * `.s.PGSQL.<port>`); the allow-list is judged on the name and on each address connected to.
 * Handles are > 0 and not used again. TCP_NODELAY and keep-alives are set. RB_EPERM (code
 * NET_DENIED) names host, port and how to allow it; RB_ENETWORK, RB_ETIMEOUT (retryable). The
 * grant's limit applies beside `timeout_ms` (< 0: none). A handle that isn't open is RB_ECONNECTOR
 * (BAD_HANDLE), everywhere. */
int rb_broker_connect(struct rb_broker *broker, const char *host, size_t host_len, int port,
                      int64_t timeout_ms, int *ret_handle, struct rb_error *err);
/* RB_EPERM (TLS_FORBIDDEN) when the mode is disable, the manifest forbids it, or over a Unix
 * socket. The socket is of no more use after a failure. */
int rb_broker_start_tls(struct rb_broker *broker, int handle, struct rb_error *err);
/* PostgreSQL 3.0 authentication after the startup message: trust, cleartext, md5, SCRAM-SHA-256 and
 * -PLUS. Reads exactly up to the end of AuthenticationOk. RB_EAUTH with the server's SQLSTATE and
 * message, or when the server asks for a secret and there is none. RB_EPERM (TLS_REQUIRED) while
 * the mode is require or more, TLS was not started, and the socket isn't a Unix socket. */
int rb_broker_authenticate_postgres(struct rb_broker *broker, int handle, uint32_t secret_id,
                                    const char *user_name, size_t user_len, struct rb_error *err);
int rb_broker_send(struct rb_broker *broker, int handle, const void *data, size_t len,
                   struct rb_error *err);
/* Sends what can be sent at once. 0: *ret_len bytes; 1: nothing, it would block. */
int rb_broker_send_some(struct rb_broker *broker, int handle, const void *data, size_t len,
                        size_t *ret_len, struct rb_error *err);
/* 0: *ret_len bytes were read (0 = the peer closed); 1: the deadline passed. `timeout_ms` < 0: no
 * limit; 0: does not wait. `cap` is at least 1. */
int rb_broker_recv(struct rb_broker *broker, int handle, void *out, size_t cap, int64_t timeout_ms,
                   size_t *ret_len, struct rb_error *err);
int rb_broker_set_cancel_packet(struct rb_broker *broker, int handle, const void *packet,
                                size_t len, struct rb_error *err);
int rb_broker_close(struct rb_broker *broker, int handle, struct rb_error *err);

/*
 * For WASI sockets (host/guest's wasi module): the same list, step by step. A name that is resolved
 * must be allowed; an address that is connected to must be allowed itself or have come from
 * resolving an allowed name.
 */
enum rb_net_family { RB_NET_INET4, RB_NET_INET6 };

struct rb_net_address {
    enum rb_net_family family;
    uint8_t bytes[16]; /* network order; 4 used for RB_NET_INET4 */
    uint16_t port;
};

/* 0: *ret_count addresses, at most `cap`, those that may be connected to. `port` 0: not known yet.
 */
int rb_broker_resolve(struct rb_broker *broker, const char *host, size_t host_len, int port,
                      struct rb_net_address *out, size_t cap, size_t *ret_count,
                      struct rb_error *err);
int rb_broker_open(struct rb_broker *broker, enum rb_net_family family, int *ret_handle,
                   struct rb_error *err);
/* 0: connected; 1: under way, on a non-blocking handle: poll for POLLOUT, then
 * rb_broker_socket_errno. */
int rb_broker_connect_address(struct rb_broker *broker, int handle,
                              const struct rb_net_address *address, struct rb_error *err);
/* Non-blocking socket options and state that WASI asks for. */
int rb_broker_set_nonblocking(struct rb_broker *broker, int handle, bool on, struct rb_error *err);
bool rb_broker_is_nonblocking(const struct rb_broker *broker, int handle);
int rb_broker_shutdown(struct rb_broker *broker, int handle, bool rd, bool wr,
                       struct rb_error *err);
/* The pending socket error as errno (SO_ERROR). */
int rb_broker_socket_errno(struct rb_broker *broker, int handle, int *ret_errno,
                           struct rb_error *err);
/* Waits until one of `n` handles is ready for what `events[i]` (POLLIN, POLLOUT) asks, at most
 * timeout_ms (< 0: for ever); revents as poll(2), POLLNVAL for a handle that isn't open.
 * TLS-buffered data counts as readable. With n = 0 it sleeps. 0 (also when the time passed: no
 * revents), or RB_ECANCELLED. */
int rb_broker_poll(struct rb_broker *broker, const int *handles, const short *events,
                   short *ret_revents, size_t n, int64_t timeout_ms, struct rb_error *err);

#endif
