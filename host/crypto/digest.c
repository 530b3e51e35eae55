#include "host/crypto/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

enum { FILE_CHUNK_BYTES = 64 * 1024 };

void rb_sha256(const void *data, size_t len, uint8_t ret_digest[32])
{
    SHA256(data, len, ret_digest);
}

void rb_hex(const void *data, size_t len, char *ret_hex)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i++) {
        ret_hex[2 * i] = digits[bytes[i] >> 4];
        ret_hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_hex[2 * len] = 0;
}

static void close_fd(const int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
}

static void free_md(EVP_MD_CTX **ctx)
{
    EVP_MD_CTX_free(*ctx);
}

static int hash_fd(int fd, EVP_MD_CTX *ctx, const char *path, struct rb_error *err)
{
    uint8_t chunk[FILE_CHUNK_BYTES];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n == 0) {
            return 0;
        }
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return rb_error_set_errno(err, RB_EIO, "FILE_READ", errno, "reading %s", path);
        }
        if (EVP_DigestUpdate(ctx, chunk, (size_t)n) != 1) {
            return rb_error_set(err, RB_EINTERNAL, "DIGEST", "SHA-256 of %s failed", path);
        }
    }
}

int rb_sha256_file(const char *path, char ret_hex[RB_SHA256_HEX_LEN + 1], struct rb_error *err)
{
    RB_CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return rb_error_set_errno(err, RB_EIO, "FILE_OPEN", errno, "opening %s", path);
    }
    RB_CLEANUP(free_md) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory to hash %s", path);
    }
    int r = hash_fd(fd, ctx, path, err);
    if (r < 0) {
        return r;
    }
    uint8_t digest[32];
    if (EVP_DigestFinal_ex(ctx, digest, NULL) != 1) {
        return rb_error_set(err, RB_EINTERNAL, "DIGEST", "SHA-256 of %s failed", path);
    }
    rb_hex(digest, sizeof digest, ret_hex);
    return 0;
}

int rb_random(void *out, size_t len, struct rb_error *err)
{
    if (len > INT32_MAX || RAND_bytes(out, (int)len) != 1) {
        return rb_error_set(err, RB_EINTERNAL, "RANDOM",
                            "the random number generator gave no bytes");
    }
    return 0;
}
