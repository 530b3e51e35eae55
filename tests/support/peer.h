/* A server in a thread of the test: serves one connection at a time on loopback. */
#ifndef RB_TESTS_SUPPORT_PEER_H
#define RB_TESTS_SUPPORT_PEER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct peer;

/* Serves a connection; the peer closes it afterwards. */
typedef void peer_serve(struct peer *peer, int fd);

struct peer {
    int listen_fd;
    int port;
    peer_serve *serve;
    void *user;
    atomic_bool failed;   /* set by serve: the client did not do what was expected */
    atomic_bool stopping; /* peer_stop was called */
    atomic_int n_served;
    pthread_t thread;
};

/* On 127.0.0.1 at a free port. */
void peer_start(struct peer *peer, peer_serve *serve, void *user);
/* On a Unix socket. */
void peer_start_unix(struct peer *peer, const char *path, peer_serve *serve, void *user);
/* Ends it, waits for it; fails the test if `failed` was set. */
void peer_stop(struct peer *peer);

/* False when the client went away. */
bool peer_read(int fd, void *out, size_t len);
bool peer_write(int fd, const void *data, size_t len);

/* Milliseconds of the monotonic clock. */
int64_t test_now_ms(void);

/* Makes an eventfd readable after some time, from a thread. */
struct canceller {
    int fd;
    int64_t after_ms;
    pthread_t thread;
};

void canceller_start(struct canceller *canceller, int64_t after_ms);
void canceller_stop(struct canceller *canceller);

#endif
