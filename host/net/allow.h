/*
 * The allow-list. An entry is a name (compared without case), "*.suffix" (names below it), an
 * address, a network ("10.0.0.0/8", "fd00::/8"), or an absolute path: a Unix socket, or the
 * directory of PostgreSQL's. Port 0 of an entry is any port.
 *
 * A name is let in by its own entry alone, and brings in whatever addresses it resolves to; except
 * special ones (rb_address_is_special), which only an entry that is that address lets in, and
 * loopback's, which need an entry that is one of them, a network of them, or a name of this machine
 * (localhost, *.localhost, its host name): who answers for a name could lead to what listens here.
 */
#ifndef RB_HOST_NET_ALLOW_H
#define RB_HOST_NET_ALLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/error.h"
#include "host/net/broker.h"

/* RB_ECONFIG (NET_ALLOW_INVALID) for an entry that can't be understood, by its text. */
int rb_allow_validate(const struct rb_net_allow *list, size_t n, struct rb_error *err);
/* `port` 0: whether any port is allowed. */
bool rb_allow_name(const struct rb_net_allow *list, size_t n, const char *name, int port);
/* `by_name`: it came from resolving a name that is allowed. */
bool rb_allow_address(const struct rb_net_allow *list, size_t n,
                      const struct rb_net_address *address, bool by_name);
/* `path` is that of the socket itself. In a directory that is listed, ".s.PGSQL.<port>" alone. */
bool rb_allow_unix(const struct rb_net_allow *list, size_t n, const char *path, int port);
/* Whether somebody who was let in by the list can have this peer: for those who see the address
 * alone. By a name's entry, it can be whatever that resolves to: not a special one, the port fits.
 */
bool rb_allow_peer(const struct rb_net_allow *list, size_t n, const struct sockaddr_storage *peer,
                   socklen_t len);

#endif
