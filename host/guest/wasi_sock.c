/* WASI: sockets with WasmEdge's signatures, all of them the broker's. Only with a grant. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/guest/wasi.h"

enum {
    FAMILY_UNSPEC = 0,
    FAMILY_INET4 = 1,
    FAMILY_INET6 = 2,
    TYPE_ANY = 0,
    TYPE_STREAM = 2,
    PROTOCOL_TCP = 1,
    LEVEL_SOCKET = 0,
    OPTION_TYPE = 1,
    OPTION_ERROR = 2,
    OPTION_RECV_TIMEOUT = 11,
    RECV_PEEK = 1,
    RECV_WAITALL = 2,
    SHUTDOWN_READ = 1,
    SHUTDOWN_WRITE = 2,
    ADDRESSES_MAX = 16,  /* of one sock_getaddrinfo */
    STORAGE_BYTES = 128, /* an address with its family in front: u16, then the bytes */
    ADDRINFO_BYTES = 28, /* u16 flags, u8 family, u8 type, u8 protocol, at 8: u32 length, address,
                            canonical name, its length, next */
    SOCKADDR_BYTES = 12, /* u8 family, at 4: u32 length, data */
    SA_DATA_INET4 = 14,  /* struct sockaddr_in behind its family */
    SA_DATA_INET6 = 26,
    NAME_MAX_BYTES = 1024,
};

/* What a guest is told of a failure; the operator reads the rest in the log. */
static int32_t failed(struct rb_guest *guest, int status, const struct rb_error *err,
                      int32_t network)
{
    if (status == RB_ECANCELLED) {
        rb_guest_stop(guest, err);
        return RB_WASI_INTR;
    }
    if (status == RB_EPERM) {
        char text[RB_ERROR_MESSAGE_MAX + RB_ERROR_HINT_MAX + 16];
        int n = snprintf(text, sizeof text, "WASI socket: %s (%s)", err->message, err->hint);
        if (n > 0) {
            guest->options.ops->log(guest->options.user, RB_LOG_WARN, text, strlen(text));
        }
        return RB_WASI_ACCES;
    }
    if (status == RB_ETIMEOUT) {
        return RB_WASI_TIMEDOUT;
    }
    if (status == RB_ENOMEM) {
        return RB_WASI_NOMEM;
    }
    return status == RB_ENETWORK ? network : RB_WASI_INVAL;
}

static int32_t socket_of(struct rb_guest *guest, uint64_t fd, const struct rb_wasi_fd **ret_entry)
{
    const struct rb_wasi_fd *entry = rb_wasi_get(guest, fd);
    if (!entry) {
        return RB_WASI_BADF;
    }
    if (entry->kind != RB_WASI_SOCKET) {
        return RB_WASI_NOTSOCK;
    }
    *ret_entry = entry;
    return RB_WASI_SUCCESS;
}

static bool nonblocking(const struct rb_guest *guest, const struct rb_wasi_fd *entry)
{
    return rb_broker_is_nonblocking(guest->options.broker, entry->handle);
}

/* family, type, where the descriptor goes */
static int32_t sock_open(struct rb_guest *guest, const uint64_t *args)
{
    if (args[0] != FAMILY_INET4 && args[0] != FAMILY_INET6) {
        return RB_WASI_AFNOSUPPORT;
    }
    if (args[1] != TYPE_STREAM && args[1] != TYPE_ANY) {
        return RB_WASI_NOTSUP;
    }
    uint32_t number = 0;
    struct rb_wasi_fd *entry = rb_wasi_add(guest, &number);
    if (!entry) {
        return RB_WASI_MFILE;
    }
    if (!rb_wasi_put_u32(guest, args[2], number)) {
        return RB_WASI_FAULT;
    }
    struct rb_error err = {0};
    int handle = 0;
    int status =
        rb_broker_open(guest->options.broker, args[0] == FAMILY_INET4 ? RB_NET_INET4 : RB_NET_INET6,
                       &handle, &err);
    if (status < 0) {
        return failed(guest, status, &err, RB_WASI_MFILE);
    }
    *entry = (struct rb_wasi_fd){.kind = RB_WASI_SOCKET, .handle = handle, .recv_timeout_ms = -1};
    return RB_WASI_SUCCESS;
}

/* An address argument: u32 where, u32 length; 4 or 16 bytes, or 128 with the family in front. */
static int32_t decode_address(struct rb_guest *guest, uint64_t at, uint64_t port,
                              struct rb_net_address *ret)
{
    const uint8_t *pair = rb_guest_bytes(guest, at, 8);
    if (!pair) {
        return RB_WASI_FAULT;
    }
    uint32_t where, len;
    memcpy(&where, pair, 4);
    memcpy(&len, pair + 4, 4);
    const uint8_t *bytes = rb_guest_bytes(guest, where, len);
    if (!bytes) {
        return RB_WASI_FAULT;
    }
    uint16_t family = len == 4 ? FAMILY_INET4 : len == 16 ? FAMILY_INET6 : FAMILY_UNSPEC;
    if (len == STORAGE_BYTES) {
        memcpy(&family, bytes, sizeof family);
        bytes += sizeof family;
    }
    if ((family != FAMILY_INET4 && family != FAMILY_INET6) || port > UINT16_MAX) {
        return RB_WASI_INVAL;
    }
    *ret = (struct rb_net_address){.family = family == FAMILY_INET4 ? RB_NET_INET4 : RB_NET_INET6,
                                   .port = (uint16_t)port};
    memcpy(ret->bytes, bytes, family == FAMILY_INET4 ? 4 : 16);
    return RB_WASI_SUCCESS;
}

static int32_t sock_connect(struct rb_guest *guest, const uint64_t *args)
{
    const struct rb_wasi_fd *entry = NULL;
    struct rb_net_address address;
    int32_t e = socket_of(guest, args[0], &entry);
    if (e != 0 || (e = decode_address(guest, args[1], args[2], &address)) != 0) {
        return e;
    }
    struct rb_error err = {0};
    int status = rb_broker_connect_address(guest->options.broker, entry->handle, &address, &err);
    if (status < 0) {
        return failed(guest, status, &err, RB_WASI_CONNREFUSED);
    }
    return status == 1 ? RB_WASI_INPROGRESS : RB_WASI_SUCCESS;
}

/* One buffer: 0, AGAIN when it would block, another errno; *ret_done bytes were sent. */
static int32_t send_part(struct rb_guest *guest, const struct rb_wasi_fd *entry,
                         const struct rb_wasi_iov *part, size_t *ret_done)
{
    struct rb_error err = {0};
    int status;
    if (nonblocking(guest, entry)) {
        status = rb_broker_send_some(guest->options.broker, entry->handle, part->data, part->len,
                                     ret_done, &err);
    } else {
        status = rb_broker_send(guest->options.broker, entry->handle, part->data, part->len, &err);
        *ret_done = part->len;
    }
    if (status < 0) {
        return failed(guest, status, &err, RB_WASI_CONNRESET);
    }
    return status == 1 ? RB_WASI_AGAIN : RB_WASI_SUCCESS;
}

/* fd, buffers, how many, flags, where the length goes */
static int32_t sock_send(struct rb_guest *guest, const uint64_t *args)
{
    const struct rb_wasi_fd *entry = NULL;
    struct rb_wasi_iov parts[RB_WASI_IOVS_MAX];
    size_t n = 0;
    int32_t e = socket_of(guest, args[0], &entry);
    if (e != 0 || (e = rb_wasi_iovs(guest, args[1], args[2], parts, &n)) != 0) {
        return e;
    }
    if (!rb_wasi_put_u32(guest, args[4], 0)) {
        return RB_WASI_FAULT;
    }
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].len == 0) {
            continue;
        }
        size_t done = 0;
        e = send_part(guest, entry, &parts[i], &done);
        if (e == RB_WASI_AGAIN && total > 0) {
            break;
        }
        if (e != 0) {
            return e;
        }
        total += done;
        if (done < parts[i].len) {
            break;
        }
    }
    rb_wasi_put_u32(guest, args[4], (uint32_t)total);
    return RB_WASI_SUCCESS;
}

/* Fills one buffer, as much as is there or (`all`) wholly; 0, or an errno. */
static int32_t recv_part(struct rb_guest *guest, const struct rb_wasi_fd *entry,
                         const struct rb_wasi_iov *part, bool all, size_t *ret_done)
{
    bool now = nonblocking(guest, entry);
    size_t done = 0;
    do {
        struct rb_error err = {0};
        size_t got = 0;
        int status =
            rb_broker_recv(guest->options.broker, entry->handle, (uint8_t *)part->data + done,
                           part->len - done, now ? 0 : entry->recv_timeout_ms, &got, &err);
        if (status < 0) {
            return failed(guest, status, &err, RB_WASI_CONNRESET);
        }
        if (status == 1 && done == 0) {
            return RB_WASI_AGAIN;
        }
        if (status == 1 || got == 0) {
            break;
        }
        done += got;
    } while (all && done < part->len);
    *ret_done = done;
    return RB_WASI_SUCCESS;
}

/* fd, buffers, how many, flags, where the length goes, where the flags go */
static int32_t sock_recv(struct rb_guest *guest, const uint64_t *args)
{
    const struct rb_wasi_fd *entry = NULL;
    struct rb_wasi_iov parts[RB_WASI_IOVS_MAX];
    size_t n = 0;
    int32_t e = socket_of(guest, args[0], &entry);
    if (e != 0 || (e = rb_wasi_iovs(guest, args[1], args[2], parts, &n)) != 0) {
        return e;
    }
    uint8_t *flags = rb_guest_bytes(guest, args[5], 2);
    if (!rb_wasi_put_u32(guest, args[4], 0) || !flags) {
        return RB_WASI_FAULT;
    }
    memset(flags, 0, 2);
    if (args[3] & RECV_PEEK) {
        return RB_WASI_NOTSUP;
    }
    bool all = (args[3] & RECV_WAITALL) != 0;
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].len == 0) {
            continue;
        }
        size_t done = 0;
        e = recv_part(guest, entry, &parts[i], all, &done);
        if (e != 0 && total == 0) {
            return e;
        }
        total += done;
        if (!all || done < parts[i].len) { /* the rest would wait */
            break;
        }
    }
    rb_wasi_put_u32(guest, args[4], (uint32_t)total);
    return RB_WASI_SUCCESS;
}

static int32_t sock_shutdown(struct rb_guest *guest, const uint64_t *args)
{
    const struct rb_wasi_fd *entry = NULL;
    int32_t e = socket_of(guest, args[0], &entry);
    if (e != 0) {
        return e;
    }
    struct rb_error err = {0};
    int status =
        rb_broker_shutdown(guest->options.broker, entry->handle, (args[1] & SHUTDOWN_READ) != 0,
                           (args[1] & SHUTDOWN_WRITE) != 0, &err);
    return status < 0 ? failed(guest, status, &err, RB_WASI_NOTCONN) : RB_WASI_SUCCESS;
}

/* fd, level, name, where the value goes, where its length stands */
static int32_t sock_getsockopt(struct rb_guest *guest, const uint64_t *args)
{
    const struct rb_wasi_fd *entry = NULL;
    int32_t e = socket_of(guest, args[0], &entry);
    if (e != 0) {
        return e;
    }
    uint32_t value = 0;
    if (args[1] != LEVEL_SOCKET) {
        return RB_WASI_NOPROTOOPT;
    }
    if (args[2] == OPTION_TYPE) {
        value = TYPE_STREAM;
    } else if (args[2] == OPTION_ERROR) {
        int pending = 0;
        struct rb_error err = {0};
        int status = rb_broker_socket_errno(guest->options.broker, entry->handle, &pending, &err);
        if (status < 0) {
            return failed(guest, status, &err, RB_WASI_IO);
        }
        value = (uint32_t)rb_wasi_errno(pending);
    } else {
        return RB_WASI_NOPROTOOPT;
    }
    return rb_wasi_put_u32(guest, args[3], value) && rb_wasi_put_u32(guest, args[4], 4)
               ? RB_WASI_SUCCESS
               : RB_WASI_FAULT;
}

/* fd, level, name, value, its length. What is not known is accepted: the operator's settings hold.
 */
static int32_t sock_setsockopt(struct rb_guest *guest, const uint64_t *args)
{
    struct rb_wasi_fd *entry = rb_wasi_get(guest, args[0]);
    if (!entry) {
        return RB_WASI_BADF;
    }
    if (entry->kind != RB_WASI_SOCKET) {
        return RB_WASI_NOTSOCK;
    }
    const uint8_t *value = rb_guest_bytes(guest, args[3], args[4]);
    if (!value) {
        return RB_WASI_FAULT;
    }
    if (args[1] != LEVEL_SOCKET || args[2] != OPTION_RECV_TIMEOUT) {
        return RB_WASI_SUCCESS;
    }
    int64_t parts[2]; /* seconds, microseconds */
    if (args[4] != sizeof parts) {
        return RB_WASI_INVAL;
    }
    memcpy(parts, value, sizeof parts);
    if (parts[0] < 0 || parts[0] > INT32_MAX || parts[1] < 0 || parts[1] >= 1000000) {
        return RB_WASI_INVAL;
    }
    int64_t ms = parts[0] * 1000 + (parts[1] + 999) / 1000;
    entry->recv_timeout_ms = ms > 0 ? ms : -1;
    return RB_WASI_SUCCESS;
}

/* sa_data: the port, then the address, as in Linux's sockaddr_in and sockaddr_in6. */
static size_t sa_data(const struct rb_net_address *address, uint8_t out[SA_DATA_INET6])
{
    bool four = address->family == RB_NET_INET4;
    memset(out, 0, SA_DATA_INET6);
    out[0] = (uint8_t)(address->port >> 8);
    out[1] = (uint8_t)address->port;
    memcpy(out + (four ? 2 : 6), address->bytes, four ? 4 : 16);
    return four ? SA_DATA_INET4 : SA_DATA_INET6;
}

/* Fills the addrinfo record at `at`, which the guest laid out with its sockaddr and its buffer. */
static int32_t give_address(struct rb_guest *guest, uint32_t at,
                            const struct rb_net_address *address, uint32_t *ret_next)
{
    uint8_t *info = rb_guest_bytes(guest, at, ADDRINFO_BYTES);
    if (!info) {
        return RB_WASI_FAULT;
    }
    uint32_t sockaddr_at, data_at, data_cap, none = 0;
    memcpy(&sockaddr_at, info + 12, 4);
    uint8_t *sockaddr = rb_guest_bytes(guest, sockaddr_at, SOCKADDR_BYTES);
    if (!sockaddr) {
        return RB_WASI_FAULT;
    }
    memcpy(&data_cap, sockaddr + 4, 4);
    memcpy(&data_at, sockaddr + 8, 4);
    uint8_t bytes[SA_DATA_INET6];
    uint32_t len = (uint32_t)sa_data(address, bytes), whole = len + 2;
    uint8_t *data = rb_guest_bytes(guest, data_at, len);
    if (!data || data_cap < len) {
        return RB_WASI_FAULT;
    }
    memcpy(data, bytes, len);
    sockaddr[0] = address->family == RB_NET_INET4 ? FAMILY_INET4 : FAMILY_INET6;
    memcpy(sockaddr + 4, &len, 4);
    memset(info, 0, 2);
    info[2] = sockaddr[0];
    info[3] = TYPE_STREAM;
    info[4] = PROTOCOL_TCP;
    memcpy(info + 8, &whole, 4);
    memcpy(info + 20, &none, 4);
    memcpy(ret_next, info + 24, 4);
    return RB_WASI_SUCCESS;
}

static int32_t port_of(const char *service, size_t len, int *ret_port)
{
    int port = 0;
    for (size_t i = 0; i < len; i++) {
        if (service[i] < '0' || service[i] > '9' || i > 4) {
            return RB_WASI_INVAL; /* names of services are not known here */
        }
        port = port * 10 + (service[i] - '0');
    }
    *ret_port = port;
    return port > UINT16_MAX ? RB_WASI_INVAL : RB_WASI_SUCCESS;
}

/* Node and service often end in a 0. */
static size_t without_end(const char *text, uint64_t len)
{
    const char *end = memchr(text, 0, (size_t)len);
    return end ? (size_t)(end - text) : (size_t)len;
}

/* node, length, service, length, hints, where the list stands, how many fit, where their number
 * goes */
static int32_t sock_getaddrinfo(struct rb_guest *guest, const uint64_t *args)
{
    const char *node = rb_guest_bytes(guest, args[0], args[1]);
    const char *service = rb_guest_bytes(guest, args[2], args[3]);
    const uint8_t *hints = rb_guest_bytes(guest, args[4], ADDRINFO_BYTES);
    const uint8_t *list = rb_guest_bytes(guest, args[5], 4);
    if (!node || !service || !hints || !list || !rb_wasi_put_u32(guest, args[7], 0)) {
        return RB_WASI_FAULT;
    }
    int port = 0;
    size_t node_len = without_end(node, args[1]);
    if (node_len == 0 || node_len > NAME_MAX_BYTES || args[6] == 0) {
        return RB_WASI_INVAL;
    }
    int32_t e = port_of(service, without_end(service, args[3]), &port);
    if (e != 0) {
        return e;
    }
    uint8_t family = hints[2];
    uint32_t at, n = 0;
    memcpy(&at, list, 4);
    struct rb_net_address found[ADDRESSES_MAX];
    size_t count = 0;
    struct rb_error err = {0};
    int status = rb_broker_resolve(guest->options.broker, node, node_len, port, found,
                                   ADDRESSES_MAX, &count, &err);
    if (status < 0) {
        return failed(guest, status, &err, RB_WASI_HOSTUNREACH);
    }
    for (size_t i = 0; i < count && n < args[6]; i++) {
        bool four = found[i].family == RB_NET_INET4;
        if (family != FAMILY_UNSPEC && four != (family == FAMILY_INET4)) {
            continue;
        }
        if ((e = give_address(guest, at, &found[i], &at)) != 0) {
            return e;
        }
        n++;
    }
    rb_wasi_put_u32(guest, args[7], n);
    return n > 0 ? RB_WASI_SUCCESS : RB_WASI_HOSTUNREACH;
}

const struct rb_guest_import rb_wasi_sock_imports[] = {
    {"sock_open", "iii", true, true, sock_open},
    {"sock_connect", "iii", true, true, sock_connect},
    {"sock_send", "iiiii", true, true, sock_send},
    {"sock_recv", "iiiiii", true, true, sock_recv},
    {"sock_getaddrinfo", "iiiiiiii", true, true, sock_getaddrinfo},
    {"sock_getsockopt", "iiiii", true, true, sock_getsockopt},
    {"sock_setsockopt", "iiiii", true, true, sock_setsockopt},
    {"sock_shutdown", "ii", true, true, sock_shutdown},
    {0},
};
