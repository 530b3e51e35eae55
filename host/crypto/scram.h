/*
 * SCRAM-SHA-256 and SCRAM-SHA-256-PLUS as a client (RFC 5802, RFC 7677), for PostgreSQL.
 *
 * Passwords: SASLprep (RFC 4013) leaves printable ASCII as it is. Others are used as the bytes they
 * are, which is the same wherever the password is already in Unicode's normal form KC.
 */
#ifndef RB_HOST_CRYPTO_SCRAM_H
#define RB_HOST_CRYPTO_SCRAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum {
    RB_SCRAM_MESSAGE_MAX = 4096,           /* bytes of any message, either way */
    RB_SCRAM_ITERATIONS_MAX = 1000 * 1000, /* more would keep us busy for seconds */
};

enum rb_scram_binding {
    RB_SCRAM_BINDING_NONE,        /* "n": we can't (no TLS, or no binding for this certificate) */
    RB_SCRAM_BINDING_NOT_OFFERED, /* "y": we could, the server did not offer it */
    RB_SCRAM_BINDING_END_POINT,   /* "p=tls-server-end-point": SCRAM-SHA-256-PLUS */
};

struct rb_scram_options {
    const char *user; /* "" for PostgreSQL, which takes it from the startup message */
    const char *password;
    enum rb_scram_binding binding;
    const uint8_t *end_point; /* rb_tls_end_point's hash, for RB_SCRAM_BINDING_END_POINT */
    size_t end_point_len;
    const char *nonce; /* NULL: a random one. Given by tests alone */
};

struct rb_scram;

/* Borrows nothing. */
int rb_scram_new(const struct rb_scram_options *options, struct rb_scram **ret_scram,
                 struct rb_error *err);
/* Wipes what it held. NULL is allowed. */
void rb_scram_free(struct rb_scram *scram);

/* The client's messages are appended to `ret`, whose maximum must leave RB_SCRAM_MESSAGE_MAX. */
int rb_scram_first(struct rb_scram *scram, struct rb_buf *ret, struct rb_error *err);
/* RB_EPROTOCOL for a malformed message, RB_EAUTH (SCRAM_ITERATIONS) above the maximum. */
int rb_scram_final(struct rb_scram *scram, const char *server_first, size_t len, struct rb_buf *ret,
                   struct rb_error *err);
/* RB_EAUTH (SERVER_SIGNATURE) when the server does not know the password either. */
int rb_scram_verify(struct rb_scram *scram, const char *server_final, size_t len,
                    struct rb_error *err);

#endif
