/* The server's side of PostgreSQL's authentication, with faults to order. */
#ifndef RB_TESTS_SUPPORT_AUTH_PEER_H
#define RB_TESTS_SUPPORT_AUTH_PEER_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include "tests/support/peer.h"

enum auth_method { AUTH_TRUST, AUTH_CLEARTEXT, AUTH_MD5, AUTH_SCRAM };

struct auth_script {
    enum auth_method method;
    const char *password; /* the server's */
    SSL_CTX *tls;         /* TLS from the first byte; NULL: none */
    X509 *cert;
    bool no_plus;  /* offers SCRAM-SHA-256 alone over TLS */
    bool bytewise; /* sends byte by byte */
    bool bad_signature;
    bool no_final;   /* AuthenticationOk without AuthenticationSASLFinal */
    bool ask_again;  /* cleartext after SCRAM */
    int iterations;  /* 0: 4096 */
    const void *raw; /* sent instead of anything else */
    size_t raw_len;
    char binding;      /* set: 'n', 'y' or 'p', what the client said in SCRAM */
    char answer[1024]; /* set: the client's password message, for cleartext and md5 */
};

/* `user` of the peer is a struct auth_script. After AuthenticationOk come the bytes "NEXT". */
void auth_serve(struct peer *peer, int fd);

#endif
