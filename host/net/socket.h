/* One connected stream socket, plain or with TLS. Waits for itself, a deadline and the
 * cancellation.
 */
#ifndef RB_HOST_NET_SOCKET_H
#define RB_HOST_NET_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"
#include "host/crypto/tls.h"

enum { RB_SOCKET_HOST_MAX = 256 }; /* bytes of a host as it was asked for, with the final 0 */

struct rb_socket {
    int handle; /* 0: the slot is free */
    int fd;     /* owned, non-blocking */
    struct rb_tls *tls;
    bool local;         /* a Unix socket */
    bool nonblocking;   /* as WASI asked; fd is in any case */
    bool by_name;       /* its address came from a name that is allowed */
    bool peer_checked;  /* the peer's address is on the allow-list */
    bool cancel_packet; /* one was announced */
    bool in_bulk;       /* as rb_socket_recv says */
    unsigned n_calls;
    unsigned n_long; /* receives of many bytes in a row */
    int port;
    char host[RB_SOCKET_HOST_MAX]; /* name, address or path */
};

/* A new non-blocking socket of that family with TCP_NODELAY, keep-alives and TCP_USER_TIMEOUT from
 * `idle_ms` (0: the system's defaults). */
int rb_socket_open(int family, int64_t idle_ms, int *ret_fd, struct rb_error *err);
/* connect(2). 0; RB_ENETWORK (CONNECTION_REFUSED, NETWORK_UNREACHABLE, CONNECT_FAILED);
 * RB_ETIMEOUT (CONNECT_TIMEOUT); RB_ECANCELLED. The message is the reason alone. */
int rb_socket_connect(int fd, const struct sockaddr_storage *address, socklen_t len, int cancel_fd,
                      int64_t deadline, struct rb_error *err);
/* What errno_value of connect(2) means, as above. */
int rb_socket_connect_error(int errno_value, struct rb_error *err);

/* TLS from here on. 0, RB_ETIMEOUT (TLS_TIMEOUT) or rb_tls_*'s errors. */
int rb_socket_start_tls(struct rb_socket *socket, const struct rb_tls_options *options,
                        int cancel_fd, int64_t deadline, struct rb_error *err);

/* Sends what it can. 0: *ret_len bytes, at least one unless len is 0; 1: the deadline passed. */
int rb_socket_send_some(struct rb_socket *socket, const void *data, size_t len, int cancel_fd,
                        int64_t deadline, size_t *ret_len, struct rb_error *err);
/* All of it. RB_ETIMEOUT (SEND_TIMEOUT) when idle_ms (0: none) pass without progress. */
int rb_socket_send(struct rb_socket *socket, const void *data, size_t len, int cancel_fd,
                   int64_t idle_ms, struct rb_error *err);
/* 0: *ret_len bytes, 0 = the peer closed; 1: the deadline passed.
 *
 * While a peer sends in bulk (several receives of many bytes in a row, with room for more), it
 * waits for a larger amount, at most two milliseconds: woken for each of the 8 KiB that PostgreSQL
 * sends at a time, both sides would spend more on switching than on the data. */
int rb_socket_recv(struct rb_socket *socket, void *out, size_t cap, int cancel_fd, int64_t deadline,
                   size_t *ret_len, struct rb_error *err);

/* From here on, poll says of the first byte that there is something to read. */
void rb_socket_end_bulk(struct rb_socket *socket);

/* Frees TLS, closes the descriptor, and leaves the slot free. */
void rb_socket_close(struct rb_socket *socket);

#endif
