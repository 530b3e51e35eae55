/* The inside of a broker, for the files of host/net alone. */
#ifndef RB_HOST_NET_TABLE_H
#define RB_HOST_NET_TABLE_H

#include "host/net/broker.h"
#include "host/net/socket.h"

enum { RB_TABLE_RESOLVED_MAX = 128 }; /* addresses remembered for rb_broker_connect_address */

/* What resolving an allowed name gave: the name, so that the port is judged too. */
struct rb_resolved {
    struct rb_net_address address; /* its port is of no account */
    char name[RB_SOCKET_HOST_MAX];
};

struct rb_broker {
    struct rb_net_grant grant; /* what it points to is borrowed */
    int cancel_fd;
    const struct rb_broker_ops *ops; /* NULL: none */
    void *user;
    int n_opened; /* so far, for handles */
    struct rb_socket sockets[RB_BROKER_SOCKETS_MAX];
    size_t n_resolved; /* so far; the newest RB_TABLE_RESOLVED_MAX are kept */
    struct rb_resolved resolved[RB_TABLE_RESOLVED_MAX];
};

/* RB_ECONNECTOR (BAD_HANDLE). */
int rb_table_find(struct rb_broker *broker, int handle, struct rb_socket **ret_socket,
                  struct rb_error *err);
/* As rb_table_find, for reading and writing: judges the peer's address when that was not done yet.
 */
int rb_table_find_connected(struct rb_broker *broker, int handle, struct rb_socket **ret_socket,
                            struct rb_error *err);
/* Puts `fd` in a free slot with a new handle, or closes it: RB_ECONNECTOR (SOCKET_LIMIT). */
int rb_table_add(struct rb_broker *broker, int fd, struct rb_socket **ret_socket,
                 struct rb_error *err);
/* The address that the socket is connected to, by getpeername(2), must be allowed. `by_name`: of a
 * name that is. */
int rb_table_check_peer(const struct rb_broker *broker, int fd, bool by_name, struct rb_error *err);
/* Checks host and port as a guest gave them and copies the host. RB_ECONNECTOR (INVALID_HOST). */
int rb_table_copy_host(const char *host, size_t host_len, char ret[RB_SOCKET_HOST_MAX],
                       struct rb_error *err);
/* RB_EPERM (NET_DENIED). */
int rb_table_denied(const char *host, int port, struct rb_error *err);

#endif
