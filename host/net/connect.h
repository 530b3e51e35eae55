/* From a host and a port to a connected socket, by the allow-list. */
#ifndef RB_HOST_NET_CONNECT_H
#define RB_HOST_NET_CONNECT_H

#include <stdint.h>

#include "host/net/table.h"

/* By name or address: each allowed address in turn. Errors as rb_broker_connect's. */
int rb_connect_host(const struct rb_broker *broker, const char *host, int port, int64_t deadline,
                    int *ret_fd, struct rb_error *err);
/* By the absolute path of a socket, or of the directory of PostgreSQL's. */
int rb_connect_unix(const struct rb_broker *broker, const char *path, int port, int64_t deadline,
                    int *ret_fd, struct rb_error *err);
/* The addresses that `host` stands for and that may be connected to; RB_EPERM (NET_DENIED) when
 * there are none. *ret_by_name: it was resolved. */
int rb_connect_resolve(const struct rb_broker *broker, const char *host, int port, int64_t deadline,
                       struct rb_net_address *ret, size_t *ret_count, bool *ret_by_name,
                       struct rb_error *err);

#endif
