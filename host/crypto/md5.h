/* The answer of PostgreSQL's md5 authentication. For nothing else: MD5 is broken. */
#ifndef RB_HOST_CRYPTO_MD5_H
#define RB_HOST_CRYPTO_MD5_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { RB_MD5_POSTGRES_LEN = 35 }; /* "md5" and 32 digits */

/* "md5" + hex(md5(hex(md5(password + user)) + salt)), ending in 0. RB_ECONFIG when this machine's
 * OpenSSL has no MD5 (FIPS). */
int rb_md5_postgres(const char *password, const char *user, size_t user_len, const uint8_t salt[4],
                    char ret_answer[RB_MD5_POSTGRES_LEN + 1], struct rb_error *err);

#endif
