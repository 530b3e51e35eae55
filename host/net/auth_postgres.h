/*
 * PostgreSQL's authentication, protocol 3.0, as a client (PostgreSQL's documentation, "Message
 * Flow", Start-up; "SASL Authentication"): trust, cleartext, md5, SCRAM-SHA-256 and -PLUS.
 */
#ifndef RB_HOST_NET_AUTH_POSTGRES_H
#define RB_HOST_NET_AUTH_POSTGRES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "host/net/broker.h"
#include "host/net/socket.h"

enum { RB_AUTH_POSTGRES_MESSAGE_MAX = 64 * 1024 }; /* bytes of a message of the server's */

struct rb_auth_postgres {
    struct rb_socket *socket; /* the startup message was sent */
    int cancel_fd;
    int64_t deadline; /* for the whole of it */
    const char *user; /* of the startup message */
    size_t user_len;
    const char *password; /* NULL: there is none */
    enum rb_net_binding binding;
};

/* Reads up to the end of AuthenticationOk, and not a byte more. RB_EAUTH (AUTH_FAILED, with the
 * server's SQLSTATE; PASSWORD_MISSING; AUTH_UNSUPPORTED; SERVER_SIGNATURE; CHANNEL_BINDING),
 * RB_ECONFIG or RB_EDB for the server's other refusals, RB_EPROTOCOL, RB_ENETWORK, RB_ETIMEOUT
 * (AUTH_TIMEOUT), RB_ECANCELLED. No message holds the password. */
int rb_auth_postgres_run(const struct rb_auth_postgres *auth, struct rb_error *err);

#endif
