#include "host/net/socket.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "host/net/wait.h"

enum {
    /* A transfer that never has to wait still looks at the cancellation every so many calls. */
    CALLS_PER_CANCEL_CHECK = 16,
    KEEPALIVE_PROBES = 3,
    BULK_BYTES = 64 * 1024, /* to wait for; 16 to 256 KiB take the same time */
    BULK_WAIT_MS = 2,
    BULK_RECEIVES = 8, /* in a row, before a peer is taken to send in bulk */
    BULK_LONG_BYTES = 4096,
};

static void set_int(int fd, int level, int name, int64_t value)
{
    int v = value > INT_MAX ? INT_MAX : (int)value;
    /* All of these are improvements; none is needed. */
    (void)setsockopt(fd, level, name, &v, sizeof v);
}

/* A dead peer is noticed after idle_ms: half of it in silence, then probes. */
static void set_keepalive(int fd, int64_t idle_ms)
{
    set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    if (idle_ms <= 0) {
        return;
    }
    int64_t idle_s = idle_ms / 1000;
    int64_t between_s = idle_s / (2 * KEEPALIVE_PROBES);
    set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle_s / 2 > 0 ? idle_s / 2 : 1);
    set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, between_s > 0 ? between_s : 1);
    set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
    set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, idle_ms);
}

int rb_socket_open(int family, int64_t idle_ms, int *ret_fd, struct rb_error *err)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return rb_error_set_errno(err, RB_ENETWORK, "SOCKET", errno, "opening a socket");
    }
    if (family != AF_UNIX) {
        set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        set_keepalive(fd, idle_ms);
    }
    *ret_fd = fd;
    return 0;
}

int rb_socket_connect_error(int errno_value, struct rb_error *err)
{
    static const struct {
        int errno_value;
        const char *code;
    } codes[] = {
        {ECONNREFUSED, "CONNECTION_REFUSED"},   {ENOENT, "CONNECTION_REFUSED"},
        {ENETUNREACH, "NETWORK_UNREACHABLE"},   {EHOSTUNREACH, "NETWORK_UNREACHABLE"},
        {EADDRNOTAVAIL, "NETWORK_UNREACHABLE"}, {ECONNRESET, "CONNECTION_LOST"},
    };
    if (errno_value == ETIMEDOUT) {
        return rb_error_set(err, RB_ETIMEOUT, "CONNECT_TIMEOUT", "%s",
                            strerrordesc_np(errno_value));
    }
    const char *code = "CONNECT_FAILED";
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i].errno_value == errno_value) {
            code = codes[i].code;
        }
    }
    const char *why = strerrordesc_np(errno_value);
    rb_error_set(err, RB_ENETWORK, code, "%s", why != NULL ? why : "unknown error");
    if (strcmp(code, "CONNECTION_REFUSED") == 0) {
        rb_error_set_hint(err, "is the server running, and does it listen there?");
    }
    return RB_ENETWORK;
}

int rb_socket_connect(int fd, const struct sockaddr_storage *address, socklen_t len, int cancel_fd,
                      int64_t deadline, struct rb_error *err)
{
    if (connect(fd, (const struct sockaddr *)address, len) == 0) {
        return 0;
    }
    /* A Unix socket whose backlog is full says EAGAIN, and there is nothing to wait for. */
    if (errno != EINPROGRESS && errno != EINTR) {
        return rb_socket_connect_error(errno, err);
    }
    int r = rb_wait_fd(fd, POLLOUT, cancel_fd, deadline, err);
    if (r < 0) {
        return r;
    }
    if (r > 0) {
        return rb_error_set(err, RB_ETIMEOUT, "CONNECT_TIMEOUT", "no answer in the time allowed");
    }
    int pending = 0;
    socklen_t pending_len = sizeof pending;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &pending, &pending_len) < 0) {
        pending = errno;
    }
    return pending == 0 ? 0 : rb_socket_connect_error(pending, err);
}

static short events_of(int want)
{
    return want == RB_TLS_WANT_WRITE ? POLLOUT : POLLIN;
}

int rb_socket_start_tls(struct rb_socket *socket, const struct rb_tls_options *options,
                        int cancel_fd, int64_t deadline, struct rb_error *err)
{
    struct rb_tls *tls = NULL;
    int r = rb_tls_new(options, socket->fd, &tls, err);
    if (r < 0) {
        return r;
    }
    for (;;) {
        r = rb_tls_handshake(tls, err);
        if (r <= 0) {
            break;
        }
        r = rb_wait_fd(socket->fd, events_of(r), cancel_fd, deadline, err);
        if (r > 0) {
            r = rb_error_set(err, RB_ETIMEOUT, "TLS_TIMEOUT",
                             "the TLS handshake did not end in the time allowed");
        }
        if (r < 0) {
            break;
        }
    }
    if (r < 0) {
        rb_tls_free(tls);
        return r;
    }
    socket->tls = tls;
    return 0;
}

static int check_now_and_then(struct rb_socket *socket, int cancel_fd, struct rb_error *err)
{
    return socket->n_calls++ % CALLS_PER_CANCEL_CHECK == 0 ? rb_wait_check(cancel_fd, err) : 0;
}

static int lost(int errno_value, struct rb_error *err)
{
    if (errno_value == ETIMEDOUT) {
        return rb_error_set(err, RB_ETIMEOUT, "PEER_TIMEOUT", "the server no longer answers");
    }
    return rb_error_set_errno(err, RB_ENETWORK, "CONNECTION_LOST", errno_value,
                              "the connection broke");
}

/* 0, enum rb_tls_want, or negative. */
static int try_send(struct rb_socket *socket, const void *data, size_t len, size_t *ret_len,
                    struct rb_error *err)
{
    if (socket->tls != NULL) {
        return rb_tls_send(socket->tls, data, len, ret_len, err);
    }
    for (;;) {
        ssize_t n = send(socket->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            *ret_len = (size_t)n;
            return 0;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return RB_TLS_WANT_WRITE;
        }
        if (errno != EINTR) {
            return lost(errno, err);
        }
    }
}

static int try_recv(struct rb_socket *socket, void *out, size_t cap, size_t *ret_len,
                    struct rb_error *err)
{
    if (socket->tls != NULL) {
        return rb_tls_recv(socket->tls, out, cap, ret_len, err);
    }
    for (;;) {
        ssize_t n = recv(socket->fd, out, cap, MSG_DONTWAIT);
        if (n >= 0) {
            *ret_len = (size_t)n;
            return 0;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return RB_TLS_WANT_READ;
        }
        if (errno != EINTR) {
            return lost(errno, err);
        }
    }
}

int rb_socket_send_some(struct rb_socket *socket, const void *data, size_t len, int cancel_fd,
                        int64_t deadline, size_t *ret_len, struct rb_error *err)
{
    if (len == 0) {
        *ret_len = 0;
        return 0;
    }
    int r = check_now_and_then(socket, cancel_fd, err);
    if (r < 0) {
        return r;
    }
    for (;;) {
        r = try_send(socket, data, len, ret_len, err);
        if (r <= 0) {
            return r;
        }
        r = rb_wait_fd(socket->fd, events_of(r), cancel_fd, deadline, err);
        if (r != 0) {
            return r;
        }
    }
}

int rb_socket_send(struct rb_socket *socket, const void *data, size_t len, int cancel_fd,
                   int64_t idle_ms, struct rb_error *err)
{
    const uint8_t *at = data;
    while (len > 0) {
        size_t n = 0;
        int r = rb_socket_send_some(socket, at, len, cancel_fd, rb_wait_deadline_of_limit(idle_ms),
                                    &n, err);
        if (r > 0) {
            return rb_error_set(err, RB_ETIMEOUT, "SEND_TIMEOUT",
                                "the server took no data for %lld ms", (long long)idle_ms);
        }
        if (r < 0) {
            return r;
        }
        at += n;
        len -= n;
    }
    return 0;
}

/* SO_RCVLOWAT decides when poll says that there is something to read; 1 is the default. */
static void set_bulk(struct rb_socket *socket, bool in_bulk)
{
    int low_water = in_bulk ? BULK_BYTES : 1;
    socket->n_long = 0;
    if (setsockopt(socket->fd, SOL_SOCKET, SO_RCVLOWAT, &low_water, sizeof low_water) == 0) {
        socket->in_bulk = in_bulk;
    }
}

void rb_socket_end_bulk(struct rb_socket *socket)
{
    if (socket->in_bulk) {
        set_bulk(socket, false);
    }
}

/* Learns from what came whether more of it is to be expected. */
static void note_received(struct rb_socket *socket, size_t len, size_t cap)
{
    bool is_long = len >= BULK_LONG_BYTES && cap >= 2 * BULK_BYTES;
    socket->n_long = is_long ? socket->n_long + 1 : 0;
    /* TLS holds decrypted bytes of its own, which poll knows nothing of. */
    if (!socket->in_bulk && socket->n_long >= BULK_RECEIVES && socket->tls == NULL) {
        set_bulk(socket, true);
    }
}

/* 0: there is much to read, or the deadline is near; bulk has ended if not in time. */
static int wait_for_bulk(struct rb_socket *socket, int cancel_fd, int64_t deadline,
                         struct rb_error *err)
{
    int64_t soon = rb_wait_deadline(BULK_WAIT_MS);
    int r = deadline > soon ? rb_wait_fd(socket->fd, POLLIN, cancel_fd, soon, err) : 1;
    if (r > 0) {
        rb_socket_end_bulk(socket);
        return 0;
    }
    return r;
}

int rb_socket_recv(struct rb_socket *socket, void *out, size_t cap, int cancel_fd, int64_t deadline,
                   size_t *ret_len, struct rb_error *err)
{
    int r = check_now_and_then(socket, cancel_fd, err);
    if (r == 0 && socket->in_bulk) {
        r = wait_for_bulk(socket, cancel_fd, deadline, err);
    }
    if (r < 0) {
        return r;
    }
    for (;;) {
        r = try_recv(socket, out, cap, ret_len, err);
        if (r == 0) {
            note_received(socket, *ret_len, cap);
        }
        if (r <= 0 || deadline == RB_WAIT_NOT) {
            return r < 0 ? r : r > 0;
        }
        r = rb_wait_fd(socket->fd, events_of(r), cancel_fd, deadline, err);
        if (r != 0) {
            return r;
        }
    }
}

void rb_socket_close(struct rb_socket *socket)
{
    rb_tls_free(socket->tls);
    if (socket->fd >= 0) {
        close(socket->fd);
    }
    memset(socket, 0, sizeof *socket);
    socket->fd = -1;
}
