#include "host/net/connect.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fault.h"
#include "host/net/address.h"
#include "host/net/allow.h"
#include "host/net/resolve.h"
#include "host/net/wait.h"

static void close_fd(const int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
}

/* Drops the addresses that may not be connected to. */
static size_t keep_allowed(const struct rb_broker *broker, struct rb_net_address *addresses,
                           size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (rb_allow_address(broker->grant.allow, broker->grant.n_allow, &addresses[i], true)) {
            addresses[kept++] = addresses[i];
        }
    }
    return kept;
}

static int all_denied(const char *host, const struct rb_net_address *first, struct rb_error *err)
{
    char text[RB_ADDRESS_TEXT_MAX];
    rb_address_format(first, text);
    rb_error_set(err, RB_EPERM, "NET_DENIED",
                 "connecting to %s:%d is not allowed: it resolves to %s, an address that only an "
                 "entry of its own lets in",
                 host, first->port, text);
    rb_error_set_hint(err, "if it should be reached, name the address itself (host: %s)", text);
    return RB_EPERM;
}

int rb_connect_resolve(const struct rb_broker *broker, const char *host, int port, int64_t deadline,
                       struct rb_net_address *ret, size_t *ret_count, bool *ret_by_name,
                       struct rb_error *err)
{
    const struct rb_net_grant *grant = &broker->grant;
    if (rb_address_parse(host, port, ret)) {
        if (!rb_allow_address(grant->allow, grant->n_allow, ret, false)) {
            return rb_table_denied(host, port, err);
        }
        *ret_count = 1;
        *ret_by_name = false;
        return 0;
    }
    if (!rb_allow_name(grant->allow, grant->n_allow, host, port)) {
        return rb_table_denied(host, port, err);
    }
    size_t n = 0;
    int r = rb_resolve(host, port, broker->cancel_fd, deadline, ret, &n, err);
    if (r < 0) {
        return r;
    }
    struct rb_net_address first = ret[0];
    size_t kept = keep_allowed(broker, ret, n);
    if (kept == 0) {
        return all_denied(host, &first, err);
    }
    *ret_count = kept;
    *ret_by_name = true;
    return 0;
}

/* One that does not answer must not take the time of those after it. */
static int64_t share_of(int64_t deadline, size_t left)
{
    if (deadline == RB_WAIT_FOREVER) {
        return deadline;
    }
    int64_t now = rb_wait_deadline(0);
    return deadline <= now ? deadline : now + (deadline - now) / (int64_t)left;
}

static int connect_one(const struct rb_broker *broker, const struct rb_net_address *address,
                       bool by_name, int64_t deadline, int *ret_fd, struct rb_error *err)
{
    struct sockaddr_storage to;
    socklen_t len = rb_address_to_sockaddr(address, &to);
    RB_CLEANUP(close_fd) int fd = -1;
    int r = rb_socket_open(to.ss_family, broker->grant.idle_timeout_ms, &fd, err);
    r = r != 0 ? r : RB_FAULT(NET_CONNECT, err);
    if (r == 0) {
        r = rb_socket_connect(fd, &to, len, broker->cancel_fd, deadline, err);
    }
    r = r != 0 ? r : RB_FAULT(NET_CONNECTED, err);
    if (r == 0) {
        r = rb_table_check_peer(broker, fd, by_name, err);
    }
    if (r == 0) {
        *ret_fd = fd;
        fd = -1;
    }
    return r;
}

int rb_connect_host(const struct rb_broker *broker, const char *host, int port, int64_t deadline,
                    int *ret_fd, struct rb_error *err)
{
    struct rb_net_address addresses[RB_RESOLVE_ADDRESSES_MAX];
    size_t n = 0;
    bool by_name = false;
    int r = rb_connect_resolve(broker, host, port, deadline, addresses, &n, &by_name, err);
    if (r < 0) {
        return r;
    }
    struct rb_error last = {0};
    RB_CLEANUP(rb_buf_release) struct rb_buf tried = RB_BUF_INIT(RB_ERROR_DETAIL_MAX);
    for (size_t i = 0; i < n; i++) {
        r = connect_one(broker, &addresses[i], by_name, share_of(deadline, n - i), ret_fd, &last);
        if (r == 0 || r == RB_ECANCELLED) {
            break;
        }
        char text[RB_ADDRESS_TEXT_MAX];
        rb_address_format(&addresses[i], text);
        /* What is over the maximum is left out. */
        (void)rb_buf_printf(&tried, "%s%s: %s", i > 0 ? "; " : "", text, last.message);
    }
    if (r < 0 && err != NULL) {
        *err = last;
        if (r != RB_ECANCELLED && r != RB_EPERM) {
            rb_error_prefix(err, "connecting to %s:%d", host, port);
            rb_error_set_detail(err, "%s", by_name ? rb_buf_str(&tried) : "");
        }
    }
    return r;
}

/* Nothing is looked at in the file system before it is allowed. */
static int choose_path(const struct rb_broker *broker, const char *path, int port,
                       char ret[RB_SOCKET_HOST_MAX + 32], struct rb_error *err)
{
    const struct rb_net_grant *grant = &broker->grant;
    char inside[RB_SOCKET_HOST_MAX + 32];
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    snprintf(inside, sizeof inside, "%.*s/.s.PGSQL.%d", (int)len, path, port);
    bool dir_allowed = rb_allow_unix(grant->allow, grant->n_allow, inside, port);
    bool self_allowed = rb_allow_unix(grant->allow, grant->n_allow, path, port);
    struct stat info;
    if (self_allowed && (!dir_allowed || (stat(path, &info) == 0 && S_ISSOCK(info.st_mode)))) {
        snprintf(ret, RB_SOCKET_HOST_MAX + 32, "%s", path);
        return 0;
    }
    if (dir_allowed) {
        snprintf(ret, RB_SOCKET_HOST_MAX + 32, "%s", inside);
        return 0;
    }
    return rb_table_denied(path, port, err);
}

int rb_connect_unix(const struct rb_broker *broker, const char *path, int port, int64_t deadline,
                    int *ret_fd, struct rb_error *err)
{
    char chosen[RB_SOCKET_HOST_MAX + 32];
    int r = choose_path(broker, path, port, chosen, err);
    if (r < 0) {
        return r;
    }
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (strlen(chosen) >= sizeof to.sun_path) {
        return rb_error_set(err, RB_ECONFIG, "INVALID_HOST",
                            "%s: a Unix socket's path has at most %zu bytes", chosen,
                            sizeof to.sun_path - 1);
    }
    memcpy(to.sun_path, chosen, strlen(chosen) + 1);
    struct sockaddr_storage generic = {0};
    memcpy(&generic, &to, sizeof to);
    RB_CLEANUP(close_fd) int fd = -1;
    r = rb_socket_open(AF_UNIX, 0, &fd, err);
    if (r == 0) {
        r = rb_socket_connect(fd, &generic, sizeof to, broker->cancel_fd, deadline, err);
    }
    if (r < 0) {
        if (r != RB_ECANCELLED) {
            rb_error_prefix(err, "connecting to %s", chosen);
        }
        return r;
    }
    *ret_fd = fd;
    fd = -1;
    return 0;
}
