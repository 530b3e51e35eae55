/*
 * TLS as a client, over a connected non-blocking socket. Nothing here waits: a call that can't go
 * on says what it waits for, and the caller polls (host/net), with its deadlines and its
 * cancellation.
 */
#ifndef RB_HOST_CRYPTO_TLS_H
#define RB_HOST_CRYPTO_TLS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum rb_tls_check {
    RB_TLS_CHECK_NONE,  /* encryption alone */
    RB_TLS_CHECK_CHAIN, /* the certificate leads to a trusted root */
    RB_TLS_CHECK_NAME,  /* and is made out to `host` (RFC 6125; an address: its iPAddress) */
};

struct rb_tls_options {
    enum rb_tls_check check;
    const char *host;      /* name or address connected to; a name is sent as SNI (RFC 6066) */
    const char *root_cert; /* PEM file that is trusted and nothing else; NULL: the system's trust */
    const char *cert;      /* client certificate chain and key, PEM files; NULL: none */
    const char *key;
    const char *crl; /* PEM file: no certificate of the chain may stand there, and each authority
                        must have a list; NULL: not asked. Counts where the chain is checked. */
};

/* What a call that has not finished waits for. */
enum rb_tls_want { RB_TLS_WANT_READ = 1, RB_TLS_WANT_WRITE = 2 };

enum { RB_TLS_END_POINT_MAX = 64 }; /* bytes */

struct rb_tls;

/* TLS 1.2 or newer. `fd` stays the caller's and must outlive the session. RB_ECONFIG
 * (TLS_CONFIGURATION) when a file can't be used. */
int rb_tls_new(const struct rb_tls_options *options, int fd, struct rb_tls **ret_tls,
               struct rb_error *err);
/* Sends close_notify if that doesn't block. NULL is allowed. */
void rb_tls_free(struct rb_tls *tls);

/* 0: done; enum rb_tls_want; RB_ENETWORK (TLS_HANDSHAKE), RB_ECONFIG (TLS_CERTIFICATE: the server's
 * is not trusted or made out to another name; not retryable). */
int rb_tls_handshake(struct rb_tls *tls, struct rb_error *err);
/* 0: 1..cap bytes were read, or 0: the peer closed the session; enum rb_tls_want; RB_ENETWORK. */
int rb_tls_recv(struct rb_tls *tls, void *out, size_t cap, size_t *ret_len, struct rb_error *err);
/* 0: the first 1..len bytes were taken; enum rb_tls_want: call again with the same data;
 * RB_ENETWORK. */
int rb_tls_send(struct rb_tls *tls, const void *data, size_t len, size_t *ret_len,
                struct rb_error *err);
/* Bytes that rb_tls_recv would give without reading from the socket. */
size_t rb_tls_pending(const struct rb_tls *tls);

/* tls-server-end-point (RFC 5929, section 4.1): a hash of the server's certificate. 0, or 1: not
 * defined for this certificate's kind of signature. */
int rb_tls_end_point(const struct rb_tls *tls, uint8_t ret_hash[RB_TLS_END_POINT_MAX],
                     size_t *ret_len, struct rb_error *err);

#endif
