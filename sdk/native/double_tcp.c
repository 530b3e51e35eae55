/* Real sockets behind the network imports, to talk to a real server from a native test. */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "sdk/native/host_double.h"

static int connect_unix(const char *path, int port, struct rb_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat status;
    int n;
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        n = snprintf(address.sun_path, sizeof address.sun_path, "%s/.s.PGSQL.%d", path, port);
    } else {
        n = snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    }
    if (n < 0 || (size_t)n >= sizeof address.sun_path) {
        return rb_error_set(err, RB_ECONFIG, "CONNECT", "the socket's path is too long");
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        rb_error_set_errno(err, RB_ENETWORK, "CONNECT", errno, "%s", address.sun_path);
        if (fd >= 0) {
            close(fd);
        }
        return RB_ENETWORK;
    }
    return fd;
}

static int connect_inet(const char *host, int port, struct rb_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    int code = getaddrinfo(host, service, &hints, &found);
    if (code != 0) {
        return rb_error_set(err, RB_ENETWORK, "CONNECT", "%s: %s", host, gai_strerror(code));
    }
    int fd = -1;
    for (struct addrinfo *a = found; a != NULL && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
            rb_error_set_errno(err, RB_ENETWORK, "CONNECT", errno, "%s:%d", host, port);
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd >= 0 ? fd : RB_ENETWORK;
}

static int tcp_connect(void *self, const char *host, int port, int timeout_ms, struct rb_error *err)
{
    (void)self;
    (void)timeout_ms;
    return host[0] == '/' ? connect_unix(host, port, err) : connect_inet(host, port, err);
}

static int tcp_send(void *self, int handle, const void *data, size_t len, struct rb_error *err)
{
    const char *from = data;
    (void)self;
    while (len > 0) {
        ssize_t n = send(handle, from, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return rb_error_set_errno(err, RB_ENETWORK, "SEND", errno, "send");
        }
        from += n;
        len -= (size_t)n;
    }
    return RB_OK;
}

static int tcp_recv(void *self, int handle, void *out, size_t cap, int timeout_ms, size_t *ret_len,
                    struct rb_error *err)
{
    (void)self;
    struct pollfd ready = {.fd = handle, .events = POLLIN};
    int n_ready;
    do {
        n_ready = poll(&ready, 1, timeout_ms);
    } while (n_ready < 0 && errno == EINTR);
    if (n_ready == 0) {
        return 1;
    }
    ssize_t n = n_ready < 0 ? -1 : recv(handle, out, cap, 0);
    if (n < 0) {
        return rb_error_set_errno(err, RB_ENETWORK, "RECV", errno, "recv");
    }
    *ret_len = (size_t)n;
    return RB_OK;
}

static int recv_exactly(int handle, uint8_t *out, size_t len, struct rb_error *err)
{
    while (len > 0) {
        size_t n = 0;
        int status = tcp_recv(NULL, handle, out, len, -1, &n, err);
        if (status < 0) {
            return status;
        }
        if (n == 0) {
            return rb_error_set(err, RB_ENETWORK, "RECV", "the server closed the connection");
        }
        out += n;
        len -= n;
    }
    return RB_OK;
}

/* An ErrorResponse's SQLSTATE and message (PostgreSQL, "Error and Notice Message Fields"). */
static int refused(const uint8_t *body, size_t len, struct rb_error *err)
{
    const char *sqlstate = "";
    const char *message = "";
    for (size_t i = 0; i < len && body[i] != 0;) {
        const char *text = (const char *)body + i + 1;
        if (body[i] == 'C') {
            sqlstate = text;
        } else if (body[i] == 'M') {
            message = text;
        }
        i += 2 + strlen(text);
    }
    rb_error_set(err, RB_EAUTH, "AUTH", "%s", message);
    snprintf(err->sqlstate, sizeof err->sqlstate, "%s", sqlstate);
    return RB_EAUTH;
}

static int tcp_authenticate(void *self, int handle, uint32_t secret, const char *user_name,
                            struct rb_error *err)
{
    (void)self;
    (void)secret;
    (void)user_name;
    uint8_t head[5];
    uint8_t body[4096];
    int status = recv_exactly(handle, head, sizeof head, err);
    if (status < 0) {
        return status;
    }
    size_t len = rb_load_be32(head + 1);
    if (len < 8 || len - 4 >= sizeof body) {
        return rb_error_set(err, RB_EPROTOCOL, "AUTH", "a message of %zu bytes", len);
    }
    len -= 4;
    status = recv_exactly(handle, body, len, err);
    if (status < 0) {
        return status;
    }
    body[len] = 0;
    if (head[0] == 'E') {
        return refused(body, len, err);
    }
    if (head[0] != 'R' || rb_load_be32(body) != 0) {
        return rb_error_set(err, RB_EAUTH, "AUTH", "the server asks for a password");
    }
    return RB_OK;
}

static int tcp_close(void *self, int handle, struct rb_error *err)
{
    (void)self;
    (void)err;
    close(handle);
    return RB_OK;
}

const struct rb_double_net rb_double_tcp = {
    .connect = tcp_connect,
    .authenticate = tcp_authenticate,
    .send = tcp_send,
    .recv = tcp_recv,
    .close = tcp_close,
};
