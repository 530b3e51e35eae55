/* The functions of OpenSSL 1.1, which 3 still has but deprecates. The new ones read openssl.cnf and
 * load a provider first: 1 ms of each process of each run, whether or not it then needs TLS. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "host/crypto/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <openssl/sha.h>

enum { FILE_CHUNK_BYTES = 64 * 1024 };

void rb_sha256(const void *data, size_t len, uint8_t ret_digest[32])
{
    SHA256_CTX ctx;
    SHA256_Init(&ctx);
    SHA256_Update(&ctx, data, len);
    SHA256_Final(ret_digest, &ctx);
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

static int hash_fd(int fd, SHA256_CTX *ctx, const char *path, struct rb_error *err)
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
        SHA256_Update(ctx, chunk, (size_t)n);
    }
}

int rb_sha256_file(const char *path, char ret_hex[RB_SHA256_HEX_LEN + 1], struct rb_error *err)
{
    RB_CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return rb_error_set_errno(err, RB_EIO, "FILE_OPEN", errno, "opening %s", path);
    }
    SHA256_CTX ctx;
    SHA256_Init(&ctx);
    int r = hash_fd(fd, &ctx, path, err);
    if (r < 0) {
        return r;
    }
    uint8_t digest[32];
    SHA256_Final(digest, &ctx);
    rb_hex(digest, sizeof digest, ret_hex);
    return 0;
}

int rb_random(void *out, size_t len, struct rb_error *err)
{
    uint8_t *at = out;
    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return rb_error_set_errno(err, RB_EINTERNAL, "RANDOM", errno,
                                      "the kernel gave no random bytes");
        }
        at += n;
        len -= (size_t)n;
    }
    return 0;
}
