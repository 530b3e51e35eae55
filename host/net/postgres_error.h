/* PostgreSQL's ErrorResponse, as it may come while a connection is made. */
#ifndef RB_HOST_NET_POSTGRES_ERROR_H
#define RB_HOST_NET_POSTGRES_ERROR_H

#include <stddef.h>

#include "base/error.h"

/* `body` is the message without type and length. Always negative: the status that its SQLSTATE
 * stands for; RB_EPROTOCOL when it can't be read. */
int rb_postgres_error(const void *body, size_t len, struct rb_error *err);

#endif
