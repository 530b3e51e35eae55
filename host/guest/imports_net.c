/* Module "rapidbyte", the network: docs/protocol.md, "Network". All of it is the broker's. */
#include "base/fault.h"
#include "host/guest/internal.h"

static int number(uint64_t arg)
{
    return (int32_t)(uint32_t)arg;
}

static int32_t done(struct rb_guest *guest, int status, const struct rb_error *err)
{
    return status < 0 ? rb_guest_fail_with(guest, status, err) : 0;
}

static int32_t net_tls_mode(struct rb_guest *guest, const uint64_t *args)
{
    (void)args;
    return rb_broker_tls_mode(guest->options.broker);
}

static int32_t net_connect(struct rb_guest *guest, const uint64_t *args)
{
    const char *host =
        rb_guest_argument(guest, "rb_host_net_connect", "the host", args[0], args[1]);
    if (!host) {
        return -1;
    }
    struct rb_error err = {0};
    int handle = 0;
    int status = rb_broker_connect(guest->options.broker, host, (size_t)args[1], number(args[2]),
                                   number(args[3]), &handle, &err);
    return status < 0 ? rb_guest_fail_with(guest, status, &err) : handle;
}

static int32_t net_start_tls(struct rb_guest *guest, const uint64_t *args)
{
    struct rb_error err = {0};
    return done(guest, rb_broker_start_tls(guest->options.broker, number(args[0]), &err), &err);
}

static int32_t net_authenticate(struct rb_guest *guest, const uint64_t *args)
{
    static const char name[] = "rb_host_net_authenticate";
    if (args[1] != RB_ABI_AUTH_POSTGRES) {
        return rb_guest_fail(guest, RB_EPROTOCOL, "BAD_PROTOCOL", "%s: there is no protocol %d",
                             name, number(args[1]));
    }
    const char *user = rb_guest_argument(guest, name, "the user", args[3], args[4]);
    if (!user) {
        return -1;
    }
    struct rb_error err = {0};
    int status = rb_broker_authenticate_postgres(guest->options.broker, number(args[0]),
                                                 (uint32_t)args[2], user, (size_t)args[4], &err);
    status = status != 0 ? status : RB_FAULT(NET_AUTHENTICATED, &err);
    return done(guest, status, &err);
}

static int32_t net_send(struct rb_guest *guest, const uint64_t *args)
{
    const void *data = rb_guest_argument(guest, "rb_host_net_send", "the data", args[1], args[2]);
    if (!data) {
        return -1;
    }
    struct rb_error err = {0};
    return done(guest,
                rb_broker_send(guest->options.broker, number(args[0]), data, (size_t)args[2], &err),
                &err);
}

static int32_t net_recv(struct rb_guest *guest, const uint64_t *args)
{
    static const char name[] = "rb_host_net_recv";
    void *out = rb_guest_argument(guest, name, "the output buffer", args[1], args[2]);
    if (!out) {
        return -1;
    }
    if (args[2] == 0) {
        return rb_guest_fail(guest, RB_EPROTOCOL, "BAD_POINTER",
                             "%s: the output buffer is empty, and 0 means that the peer closed",
                             name);
    }
    size_t cap = args[2] > INT32_MAX ? INT32_MAX : (size_t)args[2];
    struct rb_error err = {0};
    size_t len = 0;
    /* Straight into the guest's memory: it can't grow or move while the guest waits here. */
    int status = rb_broker_recv(guest->options.broker, number(args[0]), out, cap, number(args[3]),
                                &len, &err);
    if (status < 0) {
        return rb_guest_fail_with(guest, status, &err);
    }
    return status > 0 ? RB_ABI_RECV_TIMEOUT : (int32_t)len;
}

static int32_t net_cancel_packet(struct rb_guest *guest, const uint64_t *args)
{
    static const char name[] = "rb_host_net_cancel_packet";
    if (args[2] > RB_ABI_CANCEL_PACKET_MAX) {
        return rb_guest_fail(guest, RB_EPROTOCOL, "BAD_PACKET",
                             "%s: %u bytes are over the maximum of %d", name, (unsigned)args[2],
                             RB_ABI_CANCEL_PACKET_MAX);
    }
    const void *packet = rb_guest_argument(guest, name, "the packet", args[1], args[2]);
    if (!packet) {
        return -1;
    }
    struct rb_error err = {0};
    return done(guest,
                rb_broker_set_cancel_packet(guest->options.broker, number(args[0]), packet,
                                            (size_t)args[2], &err),
                &err);
}

static int32_t net_close(struct rb_guest *guest, const uint64_t *args)
{
    struct rb_error err = {0};
    return done(guest, rb_broker_close(guest->options.broker, number(args[0]), &err), &err);
}

const struct rb_guest_import rb_guest_net_imports[] = {
    {"rb_host_net_tls_mode", "", true, false, net_tls_mode},
    {"rb_host_net_connect", "iiii", true, false, net_connect},
    {"rb_host_net_start_tls", "i", true, false, net_start_tls},
    {"rb_host_net_authenticate", "iiiii", true, false, net_authenticate},
    {"rb_host_net_send", "iii", true, false, net_send},
    {"rb_host_net_recv", "iiii", true, false, net_recv},
    {"rb_host_net_cancel_packet", "iii", true, false, net_cancel_packet},
    {"rb_host_net_close", "i", true, false, net_close},
    {0},
};
