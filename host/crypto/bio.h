/* OpenSSL's way to a socket, without SIGPIPE: its own BIO calls write(2). */
#ifndef RB_HOST_CRYPTO_BIO_H
#define RB_HOST_CRYPTO_BIO_H

#include <openssl/bio.h>

/* A BIO over `fd`, which stays the caller's. NULL: out of memory. */
BIO *rb_bio_new(int fd);

#endif
