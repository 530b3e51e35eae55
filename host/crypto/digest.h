/* Digests and randomness. host/crypto is the one folder that knows OpenSSL. */
#ifndef RB_HOST_CRYPTO_DIGEST_H
#define RB_HOST_CRYPTO_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { RB_SHA256_HEX_LEN = 64 };

void rb_sha256(const void *data, size_t len, uint8_t ret_digest[32]);
/* 64 lower-case digits and a 0. RB_EIO when the file can't be read. */
int rb_sha256_file(const char *path, char ret_hex[RB_SHA256_HEX_LEN + 1], struct rb_error *err);
void rb_hex(const void *data, size_t len, char *ret_hex); /* 2 × len digits and a 0 */
int rb_random(void *out, size_t len, struct rb_error *err);

#endif
