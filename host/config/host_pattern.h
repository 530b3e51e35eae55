/* Entries of an allow-list: a name, "*.name", an address, a CIDR or a Unix socket's folder, each
 * with
 * ":port" or without. */
#ifndef RB_HOST_CONFIG_HOST_PATTERN_H
#define RB_HOST_CONFIG_HOST_PATTERN_H

#include <stdbool.h>

#include "host/config/arena.h"
#include "host/link/spec.h"

/* False: the port is none. An IPv6 address with a port stands in brackets. */
bool rb_host_pattern_parse(struct rb_arena *arena, const char *text, struct rb_spec_allow *ret);
/* Whether everything that `b` lets in, `a` lets in too. Names are not resolved. */
bool rb_host_pattern_covers(const struct rb_spec_allow *a, const struct rb_spec_allow *b);

#endif
