#include "host/crypto/md5.h"

#include <stdbool.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "host/crypto/digest.h"

enum { MD5_BYTES = 16 };

static void free_md(EVP_MD_CTX **ctx)
{
    EVP_MD_CTX_free(*ctx);
}

/* hex(md5(a + b)) */
static bool md5_hex(const void *a, size_t a_len, const void *b, size_t b_len,
                    char ret_hex[2 * MD5_BYTES + 1])
{
    uint8_t digest[MD5_BYTES];
    RB_CLEANUP(free_md) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_md5(), NULL) != 1 ||
        EVP_DigestUpdate(ctx, a, a_len) != 1 || EVP_DigestUpdate(ctx, b, b_len) != 1 ||
        EVP_DigestFinal_ex(ctx, digest, NULL) != 1) {
        return false;
    }
    rb_hex(digest, sizeof digest, ret_hex);
    return true;
}

int rb_md5_postgres(const char *password, const char *user, size_t user_len, const uint8_t salt[4],
                    char ret_answer[RB_MD5_POSTGRES_LEN + 1], struct rb_error *err)
{
    /* As good as the password to a server that asks for md5. */
    char stored[2 * MD5_BYTES + 1];
    char answer[2 * MD5_BYTES + 1];
    bool ok = md5_hex(password, strlen(password), user, user_len, stored) &&
              md5_hex(stored, 2 * MD5_BYTES, salt, 4, answer);
    OPENSSL_cleanse(stored, sizeof stored);
    if (!ok) {
        rb_error_set(
            err, RB_ECONFIG, "MD5_UNAVAILABLE",
            "the server asks for md5 authentication, and this machine's OpenSSL has no MD5");
        rb_error_set_hint(err, "store the password on the server as scram-sha-256");
        return RB_ECONFIG;
    }
    memcpy(ret_answer, "md5", 3);
    memcpy(ret_answer + 3, answer, sizeof answer);
    return 0;
}
