/* Certificates made for a test, and the server's side of TLS. */
#ifndef RB_TESTS_SUPPORT_TLS_PEER_H
#define RB_TESTS_SUPPORT_TLS_PEER_H

#include <stddef.h>

#include <openssl/ssl.h>

struct tls_files {
    char dir[32];
    char root[64];  /* PEM: the authority that signed the server's certificate */
    char other[64]; /* PEM: another authority */
    SSL_CTX *ctx;   /* of a server whose certificate is for the name given */
    X509 *cert;     /* its certificate; borrowed from ctx */
};

/* `alt_name` as OpenSSL writes it: "DNS:localhost". */
void tls_files_make(struct tls_files *files, const char *alt_name);
void tls_files_remove(struct tls_files *files);

#endif
