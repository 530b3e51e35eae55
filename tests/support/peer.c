#include "tests/support/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void *run(void *user)
{
    struct peer *peer = user;
    for (;;) {
        int fd = accept4(peer->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) {
            return NULL;
        }
        peer->serve(peer, fd);
        close(fd);
        atomic_fetch_add(&peer->n_served, 1);
    }
}

static void start(struct peer *peer, peer_serve *serve, void *user)
{
    peer->serve = serve;
    peer->user = user;
    atomic_init(&peer->failed, false);
    atomic_init(&peer->stopping, false);
    atomic_init(&peer->n_served, 0);
    assert_int_equal(listen(peer->listen_fd, 16), 0);
    assert_int_equal(pthread_create(&peer->thread, NULL, run, peer), 0);
}

void peer_start(struct peer *peer, peer_serve *serve, void *user)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_storage generic = {0};
    socklen_t len = sizeof at;
    memcpy(&generic, &at, sizeof at);
    peer->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(peer->listen_fd >= 0);
    assert_int_equal(bind(peer->listen_fd, (struct sockaddr *)&generic, len), 0);
    assert_int_equal(getsockname(peer->listen_fd, (struct sockaddr *)&generic, &len), 0);
    memcpy(&at, &generic, sizeof at);
    peer->port = ntohs(at.sin_port);
    start(peer, serve, user);
}

void peer_start_unix(struct peer *peer, const char *path, peer_serve *serve, void *user)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct sockaddr_storage generic = {0};
    assert_true(strlen(path) < sizeof at.sun_path);
    memcpy(at.sun_path, path, strlen(path) + 1);
    memcpy(&generic, &at, sizeof at);
    peer->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(peer->listen_fd >= 0);
    assert_int_equal(bind(peer->listen_fd, (struct sockaddr *)&generic, sizeof at), 0);
    peer->port = 0;
    start(peer, serve, user);
}

void peer_stop(struct peer *peer)
{
    atomic_store(&peer->stopping, true);
    shutdown(peer->listen_fd, SHUT_RDWR);
    pthread_join(peer->thread, NULL);
    close(peer->listen_fd);
    assert_false(atomic_load(&peer->failed));
}

bool peer_read(int fd, void *out, size_t len)
{
    uint8_t *at = out;
    while (len > 0) {
        ssize_t n = recv(fd, at, len, 0);
        if (n <= 0) {
            return false;
        }
        at += n;
        len -= (size_t)n;
    }
    return true;
}

bool peer_write(int fd, const void *data, size_t len)
{
    const uint8_t *at = data;
    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        at += n;
        len -= (size_t)n;
    }
    return true;
}

int64_t test_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void *cancel(void *user)
{
    struct canceller *canceller = user;
    struct timespec wait = {.tv_sec = canceller->after_ms / 1000,
                            .tv_nsec = canceller->after_ms % 1000 * 1000000};
    nanosleep(&wait, NULL);
    eventfd_write(canceller->fd, 1);
    return NULL;
}

void canceller_start(struct canceller *canceller, int64_t after_ms)
{
    canceller->fd = eventfd(0, EFD_CLOEXEC);
    canceller->after_ms = after_ms;
    assert_true(canceller->fd >= 0);
    assert_int_equal(pthread_create(&canceller->thread, NULL, cancel, canceller), 0);
}

void canceller_stop(struct canceller *canceller)
{
    pthread_join(canceller->thread, NULL);
    close(canceller->fd);
}
