/* Names to addresses, by getaddrinfo(3) in a thread of its own: it can't be interrupted. */
#ifndef RB_HOST_NET_RESOLVE_H
#define RB_HOST_NET_RESOLVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "host/net/broker.h"

enum {
    RB_RESOLVE_ADDRESSES_MAX = 32, /* of one name; more are left out */
    RB_RESOLVE_THREADS_MAX = 32,   /* of the process, abandoned ones included */
};

/* In the resolver's order, each with `port`. RB_ENETWORK (NAME_NOT_RESOLVED; retryable only when
 * the resolver says that it may pass), RB_ETIMEOUT (RESOLVE_TIMEOUT), RB_ECANCELLED. */
int rb_resolve(const char *name, int port, int cancel_fd, int64_t deadline,
               struct rb_net_address ret[RB_RESOLVE_ADDRESSES_MAX], size_t *ret_count,
               struct rb_error *err);

#endif
