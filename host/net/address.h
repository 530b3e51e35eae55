/* Internet addresses: text, struct sockaddr, and the ranges that need a grant of their own. */
#ifndef RB_HOST_NET_ADDRESS_H
#define RB_HOST_NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "host/net/broker.h"

enum { RB_ADDRESS_TEXT_MAX = 64 }; /* bytes, with the final 0 */

/* "192.0.2.1", "2001:db8::1" or "[2001:db8::1]"; nothing older (no "127.1"), no zone. */
bool rb_address_parse(const char *text, int port, struct rb_net_address *ret);
/* Without the port. */
void rb_address_format(const struct rb_net_address *address, char ret[RB_ADDRESS_TEXT_MAX]);
/* False for families that aren't IPv4 or IPv6. */
bool rb_address_of_sockaddr(const struct sockaddr_storage *from, struct rb_net_address *ret);
/* Returns the length used. */
socklen_t rb_address_to_sockaddr(const struct rb_net_address *address,
                                 struct sockaddr_storage *ret);

/* ::ffff:a.b.c.d becomes a.b.c.d: what the kernel connects to. */
struct rb_net_address rb_address_unmap(const struct rb_net_address *address);
/* The first `bits` bits are the same; families too. */
bool rb_address_in(const struct rb_net_address *address, const struct rb_net_address *network,
                   unsigned bits);
/* Unspecified, link-local, multicast, broadcast, or where clouds serve credentials: a name's
 * resolving to one of these, or a network that holds it, does not let it in. */
bool rb_address_is_special(const struct rb_net_address *address);
/* This machine: 127.0.0.0/8, ::1, also mapped and translated ones. */
bool rb_address_is_loopback(const struct rb_net_address *address);

#endif
