#include "host/crypto/bio.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

static BIO_METHOD *method;
static pthread_once_t method_once = PTHREAD_ONCE_INIT;

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static int fd_of(BIO *bio)
{
    return (int)(intptr_t)BIO_get_data(bio);
}

static int bio_write(BIO *bio, const char *data, int len)
{
    BIO_clear_retry_flags(bio);
    if (len <= 0) {
        return 0;
    }
    ssize_t n = send(fd_of(bio), data, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && would_block()) {
        BIO_set_retry_write(bio);
    }
    return (int)n;
}

static int bio_read(BIO *bio, char *out, int cap)
{
    BIO_clear_retry_flags(bio);
    if (cap <= 0) {
        return 0;
    }
    ssize_t n = recv(fd_of(bio), out, (size_t)cap, MSG_DONTWAIT);
    if (n < 0 && would_block()) {
        BIO_set_retry_read(bio);
    }
    if (n == 0) {
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    }
    return (int)n;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_EOF:
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    case BIO_CTRL_FLUSH:
        return 1;
    default:
        return 0;
    }
}

static void make_method(void)
{
    int type = BIO_get_new_index();
    if (type == -1) {
        return;
    }
    BIO_METHOD *made = BIO_meth_new(type | BIO_TYPE_SOURCE_SINK, "socket");
    if (made == NULL) {
        return;
    }
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_ctrl(made, bio_ctrl);
    method = made;
}

BIO *rb_bio_new(int fd)
{
    pthread_once(&method_once, make_method);
    BIO *bio = method != NULL ? BIO_new(method) : NULL;
    if (bio != NULL) {
        BIO_set_data(bio, (void *)(intptr_t)fd); /* NOLINT(performance-no-int-to-ptr) */
        BIO_set_init(bio, 1);
    }
    return bio;
}
