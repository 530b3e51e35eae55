#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/net/broker.h"
#include "tests/support/peer.h"

enum { BULK_BYTES = 4 * 1024 * 1024 };

static const struct rb_net_allow LOOPBACK[] = {{"127.0.0.1", 0}, {"localhost", 0}};

static struct rb_net_grant loopback_grant(void)
{
    return (struct rb_net_grant){
        .allow = LOOPBACK,
        .n_allow = 2,
        .tls_mode = RB_NET_TLS_PREFER,
        .connect_timeout_ms = 10000,
        .idle_timeout_ms = 10000,
    };
}

static struct rb_broker *new_broker(const struct rb_net_grant *grant, int cancel_fd)
{
    struct rb_broker *broker = NULL;
    assert_int_equal(rb_broker_new(grant, cancel_fd, NULL, NULL, &broker, NULL), 0);
    return broker;
}

static int connect_to(struct rb_broker *broker, const char *host, int port, int *ret_handle,
                      struct rb_error *err)
{
    return rb_broker_connect(broker, host, strlen(host), port, -1, ret_handle, err);
}

/* --- peers --- */

static void echo(struct peer *peer, int fd)
{
    (void)peer;
    uint8_t bytes[4096];
    ssize_t n = 0;
    while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0 && peer_write(fd, bytes, (size_t)n)) {
    }
}

static void silent(struct peer *peer, int fd)
{
    /* What is never read keeps the client's close from arriving. */
    struct pollfd closed = {.fd = fd, .events = POLLRDHUP};
    while (!atomic_load(&peer->stopping) && poll(&closed, 1, 5) == 0) {
    }
}

static void swallow(struct peer *peer, int fd)
{
    uint8_t *bytes = malloc(BULK_BYTES);
    if (!peer_read(fd, bytes, BULK_BYTES)) {
        atomic_store(&peer->failed, true);
    }
    for (size_t i = 0; i < BULK_BYTES; i++) {
        if (bytes[i] != (uint8_t)(i * 7 >> 3)) {
            atomic_store(&peer->failed, true);
        }
    }
    free(bytes);
    peer_write(fd, "done", 4);
}

/* In PostgreSQL's pieces, so that the client takes it for bulk; then a few bytes, and silence until
 * the client has said something. */
static void bulk_and_little(struct peer *peer, int fd)
{
    uint8_t piece[8192];
    memset(piece, 'b', sizeof piece);
    for (size_t sent = 0; sent < BULK_BYTES; sent += sizeof piece) {
        if (!peer_write(fd, piece, sizeof piece)) {
            atomic_store(&peer->failed, true);
        }
    }
    char word[4];
    for (int i = 0; i < 3; i++) {
        if (!peer_write(fd, "ready", 5) || !peer_read(fd, word, sizeof word)) {
            atomic_store(&peer->failed, true);
        }
    }
}

static void hang_up(struct peer *peer, int fd)
{
    (void)peer;
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    uint8_t byte;
    recv(fd, &byte, 1, 0);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

/* --- tests --- */

static void sends_and_receives(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, echo, NULL);
    struct rb_net_grant grant = loopback_grant();
    struct rb_broker *broker = new_broker(&grant, -1);
    static const char *const hosts[] = {"127.0.0.1", "localhost", "LocalHost"};
    for (size_t i = 0; i < 3; i++) {
        int handle = 0;
        struct rb_error err = {0};
        assert_int_equal(connect_to(broker, hosts[i], peer.port, &handle, &err), 0);
        assert_true(handle > 0);
        assert_int_equal(rb_broker_send(broker, handle, "hello", 5, NULL), 0);
        char got[6] = {0};
        size_t total = 0;
        while (total < 5) {
            size_t n = 0;
            assert_int_equal(rb_broker_recv(broker, handle, got + total, 5 - total, -1, &n, NULL),
                             0);
            assert_true(n > 0);
            total += n;
        }
        assert_string_equal(got, "hello");
        assert_int_equal(rb_broker_close(broker, handle, NULL), 0);
        assert_int_equal(rb_broker_close(broker, handle, &err), RB_ECONNECTOR);
        assert_string_equal(err.code, "BAD_HANDLE");
    }
    rb_broker_free(broker);
    peer_stop(&peer);
}

static void a_large_send_arrives_whole(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, swallow, NULL);
    struct rb_net_grant grant = loopback_grant();
    struct rb_broker *broker = new_broker(&grant, -1);
    int handle = 0;
    assert_int_equal(connect_to(broker, "127.0.0.1", peer.port, &handle, NULL), 0);
    uint8_t *bytes = malloc(BULK_BYTES);
    for (size_t i = 0; i < BULK_BYTES; i++) {
        bytes[i] = (uint8_t)(i * 7 >> 3);
    }
    assert_int_equal(rb_broker_send(broker, handle, bytes, BULK_BYTES, NULL), 0);
    size_t n = 0;
    assert_int_equal(rb_broker_recv(broker, handle, bytes, BULK_BYTES, -1, &n, NULL), 0);
    assert_int_equal(n, 4);
    assert_memory_equal(bytes, "done", 4);
    assert_int_equal(rb_broker_recv(broker, handle, bytes, BULK_BYTES, -1, &n, NULL), 0);
    assert_int_equal(n, 0);
    free(bytes);
    rb_broker_free(broker);
    peer_stop(&peer);
}

static void what_is_not_listed_is_denied(void **state)
{
    (void)state;
    struct rb_net_grant grant = loopback_grant();
    struct rb_broker *broker = new_broker(&grant, -1);
    static const char *const hosts[] = {"db.example.com", "10.0.0.1", "::1", "/tmp", "127.0.0.2"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        struct rb_error err = {0};
        int handle = 77;
        char where[64];
        snprintf(where, sizeof where, "%s:5432", hosts[i]);
        assert_int_equal(connect_to(broker, hosts[i], 5432, &handle, &err), RB_EPERM);
        assert_string_equal(err.code, "NET_DENIED");
        assert_non_null(strstr(err.message, where));
        assert_non_null(strstr(err.hint, hosts[i]));
        assert_false(err.retryable);
        assert_int_equal(handle, 77);
    }
    rb_broker_free(broker);
}

static void a_name_does_not_lead_to_a_special_address(void **state)
{
    (void)state;
    /* The resolver takes "0" for 0.0.0.0, which the kernel connects to this machine. */
    static const struct rb_net_allow zero[] = {{"0", 0}};
    struct rb_net_grant grant = loopback_grant();
    grant.allow = zero;
    grant.n_allow = 1;
    struct rb_broker *broker = new_broker(&grant, -1);
    struct rb_error err = {0};
    int handle = 0;
    assert_int_equal(connect_to(broker, "0", 5432, &handle, &err), RB_EPERM);
    assert_string_equal(err.code, "NET_DENIED");
    assert_non_null(strstr(err.message, "0.0.0.0"));
    rb_broker_free(broker);
}

static void the_peer_itself_is_judged(void **state)
{
    (void)state;
    /* 0.0.0.0 is listed; what the kernel makes of it, 127.0.0.1, is not. */
    static const struct rb_net_allow zero[] = {{"0.0.0.0", 0}};
    struct peer peer;
    peer_start(&peer, echo, NULL);
    struct rb_net_grant grant = loopback_grant();
    grant.allow = zero;
    grant.n_allow = 1;
    struct rb_broker *broker = new_broker(&grant, -1);
    struct rb_error err = {0};
    int handle = 0;
    assert_int_equal(connect_to(broker, "0.0.0.0", peer.port, &handle, &err), RB_EPERM);
    assert_string_equal(err.code, "NET_DENIED");
    assert_non_null(strstr(err.message, "127.0.0.1"));
    rb_broker_free(broker);
    peer_stop(&peer);
}

static void errors_say_where_and_why(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, hang_up, NULL);
    int closed_port = peer.port;
    struct rb_net_grant grant = loopback_grant();
    struct rb_broker *broker = new_broker(&grant, -1);
    struct rb_error err = {0};
    int handle = 0;
    assert_int_equal(connect_to(broker, "localhost", peer.port, &handle, NULL), 0);
    assert_int_equal(rb_broker_send(broker, handle, "x", 1, NULL), 0);
    char byte;
    size_t n = 0;
    assert_int_equal(rb_broker_recv(broker, handle, &byte, 1, -1, &n, &err), RB_ENETWORK);
    assert_string_equal(err.code, "CONNECTION_LOST");
    assert_non_null(strstr(err.message, "localhost:"));
    assert_true(err.retryable);
    /* And no SIGPIPE. */
    assert_true(rb_broker_send(broker, handle, "x", 1, NULL) < 0);
    peer_stop(&peer);

    assert_int_equal(connect_to(broker, "localhost", closed_port, &handle, &err), RB_ENETWORK);
    assert_string_equal(err.code, "CONNECTION_REFUSED");
    char want[64];
    snprintf(want, sizeof want, "connecting to localhost:%d: Connection refused", closed_port);
    assert_string_equal(err.message, want);
    assert_true(err.hint[0] != 0);
    assert_true(err.retryable);
    rb_broker_free(broker);
}

static void names_that_do_not_resolve(void **state)
{
    (void)state;
    static const struct rb_net_allow invalid[] = {{"*.invalid", 0}};
    struct rb_net_grant grant = loopback_grant();
    grant.allow = invalid;
    grant.n_allow = 1;
    struct rb_broker *broker = new_broker(&grant, -1);
    struct rb_error err = {0};
    int handle = 0;
    int r = connect_to(broker, "no-such-host.invalid", 5432, &handle, &err);
    /* Without any resolver the answer may also be "try again". */
    assert_int_equal(r, RB_ENETWORK);
    assert_string_equal(err.code, "NAME_NOT_RESOLVED");
    assert_non_null(strstr(err.message, "no-such-host.invalid"));
    rb_broker_free(broker);
}

static void deadlines_pass(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, silent, NULL);
    struct rb_net_grant grant = loopback_grant();
    grant.idle_timeout_ms = 150;
    struct rb_broker *broker = new_broker(&grant, -1);
    int handle = 0;
    assert_int_equal(connect_to(broker, "127.0.0.1", peer.port, &handle, NULL), 0);
    char byte;
    size_t n = 99;
    int64_t start = test_now_ms();
    assert_int_equal(rb_broker_recv(broker, handle, &byte, 1, 0, &n, NULL), 1);
    assert_true(test_now_ms() - start < 50);
    assert_int_equal(rb_broker_recv(broker, handle, &byte, 1, 60, &n, NULL), 1);
    assert_in_range(test_now_ms() - start, 60, 1000);
    assert_int_equal(n, 99);

    uint8_t *bytes = calloc(1, BULK_BYTES);
    struct rb_error err = {0};
    int r = 0;
    for (int i = 0; i < 16 && r == 0; i++) {
        r = rb_broker_send(broker, handle, bytes, BULK_BYTES, &err);
    }
    assert_int_equal(r, RB_ETIMEOUT);
    free(bytes);
    rb_broker_free(broker);
    peer_stop(&peer);
}

static size_t receive(struct rb_broker *broker, int handle, uint8_t *out, size_t at_least)
{
    size_t total = 0;
    while (total < at_least) {
        size_t n = 0;
        assert_int_equal(rb_broker_recv(broker, handle, out, 256 * 1024, 10000, &n, NULL), 0);
        assert_true(n > 0);
        total += n;
    }
    return total;
}

static void what_follows_bulk_is_not_kept_back(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, bulk_and_little, NULL);
    struct rb_net_grant grant = loopback_grant();
    struct rb_broker *broker = new_broker(&grant, -1);
    int handle = 0;
    uint8_t *out = malloc(256 * 1024);
    assert_non_null(out);
    assert_int_equal(connect_to(broker, "127.0.0.1", peer.port, &handle, NULL), 0);
    int64_t start = test_now_ms();
    size_t total = receive(broker, handle, out, BULK_BYTES + 5);
    assert_int_equal(total, BULK_BYTES + 5);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rb_broker_send(broker, handle, "more", 4, NULL), 0);
        assert_int_equal(receive(broker, handle, out, 5), 5);
        assert_memory_equal(out, "ready", 5);
    }
    assert_int_equal(rb_broker_send(broker, handle, "more", 4, NULL), 0);
    assert_true(test_now_ms() - start < 5000);
    size_t n = 1;
    assert_int_equal(rb_broker_recv(broker, handle, out, 256 * 1024, 10000, &n, NULL), 0);
    assert_int_equal(n, 0);
    free(out);
    rb_broker_free(broker);
    peer_stop(&peer);
}

static void cancelling_wakes_a_recv(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, silent, NULL);
    struct canceller canceller;
    canceller_start(&canceller, 50);
    struct rb_net_grant grant = loopback_grant();
    struct rb_broker *broker = new_broker(&grant, canceller.fd);
    struct rb_error err = {0};
    int handle = 0;
    assert_int_equal(connect_to(broker, "127.0.0.1", peer.port, &handle, NULL), 0);
    char byte;
    size_t n = 0;
    int64_t start = test_now_ms();
    assert_int_equal(rb_broker_recv(broker, handle, &byte, 1, -1, &n, &err), RB_ECANCELLED);
    assert_in_range(test_now_ms() - start, 0, 150);
    assert_string_equal(err.code, "CANCELLED");
    canceller_stop(&canceller);
    rb_broker_free(broker);
    peer_stop(&peer);
}

static void cancelling_wakes_a_send(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, silent, NULL);
    struct canceller canceller;
    canceller_start(&canceller, 100);
    struct rb_net_grant grant = loopback_grant();
    struct rb_broker *broker = new_broker(&grant, canceller.fd);
    int handle = 0;
    assert_int_equal(connect_to(broker, "127.0.0.1", peer.port, &handle, NULL), 0);
    uint8_t *bytes = calloc(1, BULK_BYTES);
    int64_t start = test_now_ms();
    int r = 0;
    while (r == 0) {
        r = rb_broker_send(broker, handle, bytes, BULK_BYTES, NULL);
    }
    assert_int_equal(r, RB_ECANCELLED);
    assert_in_range(test_now_ms() - start, 0, 200);
    free(bytes);
    canceller_stop(&canceller);
    rb_broker_free(broker);
    peer_stop(&peer);
}

static void arbitrary_handles_are_errors(void **state)
{
    (void)state;
    struct rb_net_grant grant = loopback_grant();
    struct rb_broker *broker = new_broker(&grant, -1);
    static const int handles[] = {0, -1, 2, 16, 17, INT32_MAX, INT32_MIN};
    int own = 0;
    assert_int_equal(rb_broker_open(broker, RB_NET_INET4, &own, NULL), 0);
    assert_int_equal(own, 1);
    for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++) {
        int h = handles[i];
        char byte = 0;
        size_t n = 0;
        int value = 0;
        struct rb_net_address address = {.family = RB_NET_INET4, .bytes = {127, 0, 0, 1}};
        assert_int_equal(rb_broker_send(broker, h, "x", 1, NULL), RB_ECONNECTOR);
        assert_int_equal(rb_broker_send_some(broker, h, "x", 1, &n, NULL), RB_ECONNECTOR);
        assert_int_equal(rb_broker_recv(broker, h, &byte, 1, 0, &n, NULL), RB_ECONNECTOR);
        assert_int_equal(rb_broker_start_tls(broker, h, NULL), RB_ECONNECTOR);
        assert_int_equal(rb_broker_authenticate_postgres(broker, h, 0, "u", 1, NULL),
                         RB_ECONNECTOR);
        assert_int_equal(rb_broker_set_cancel_packet(broker, h, "x", 1, NULL), RB_ECONNECTOR);
        assert_int_equal(rb_broker_connect_address(broker, h, &address, NULL), RB_ECONNECTOR);
        assert_int_equal(rb_broker_set_nonblocking(broker, h, true, NULL), RB_ECONNECTOR);
        assert_int_equal(rb_broker_shutdown(broker, h, true, true, NULL), RB_ECONNECTOR);
        assert_int_equal(rb_broker_socket_errno(broker, h, &value, NULL), RB_ECONNECTOR);
        assert_int_equal(rb_broker_close(broker, h, NULL), RB_ECONNECTOR);
        assert_false(rb_broker_is_nonblocking(broker, h));
    }
    rb_broker_free(broker);
}

static void hosts_and_ports_are_checked(void **state)
{
    (void)state;
    struct rb_net_grant grant = loopback_grant();
    struct rb_broker *broker = new_broker(&grant, -1);
    int handle = 0;
    char longest[300];
    memset(longest, 'a', sizeof longest);
    assert_int_equal(rb_broker_connect(broker, "", 0, 1, -1, &handle, NULL), RB_ECONFIG);
    assert_int_equal(rb_broker_connect(broker, "local\0host", 10, 1, -1, &handle, NULL),
                     RB_ECONFIG);
    assert_int_equal(rb_broker_connect(broker, "a\nb", 3, 1, -1, &handle, NULL), RB_ECONFIG);
    assert_int_equal(rb_broker_connect(broker, longest, sizeof longest, 1, -1, &handle, NULL),
                     RB_ECONFIG);
    assert_int_equal(connect_to(broker, "localhost", 0, &handle, NULL), RB_ECONFIG);
    assert_int_equal(connect_to(broker, "localhost", 65536, &handle, NULL), RB_ECONFIG);
    rb_broker_free(broker);
}

static void sockets_are_limited(void **state)
{
    (void)state;
    struct rb_net_grant grant = loopback_grant();
    struct rb_broker *broker = new_broker(&grant, -1);
    int handles[RB_BROKER_SOCKETS_MAX];
    int extra = 0;
    for (size_t i = 0; i < RB_BROKER_SOCKETS_MAX; i++) {
        assert_int_equal(rb_broker_open(broker, RB_NET_INET4, &handles[i], NULL), 0);
    }
    struct rb_error err = {0};
    assert_int_equal(rb_broker_open(broker, RB_NET_INET4, &extra, &err), RB_ECONNECTOR);
    assert_string_equal(err.code, "SOCKET_LIMIT");
    assert_int_equal(rb_broker_close(broker, handles[3], NULL), 0);
    assert_int_equal(rb_broker_open(broker, RB_NET_INET6, &extra, NULL), 0);
    for (size_t i = 0; i < RB_BROKER_SOCKETS_MAX; i++) {
        assert_int_not_equal(extra, handles[i]);
    }
    rb_broker_free(broker);
    grant.max_sockets = 2;
    broker = new_broker(&grant, -1);
    assert_int_equal(rb_broker_open(broker, RB_NET_INET4, &extra, &err), 0);
    assert_int_equal(rb_broker_open(broker, RB_NET_INET4, &extra, &err), 0);
    assert_int_equal(rb_broker_open(broker, RB_NET_INET4, &extra, &err), RB_ECONNECTOR);
    assert_string_equal(err.code, "SOCKET_LIMIT");
    rb_broker_free(broker);
}

/* --- Unix sockets --- */

static void unix_sockets_by_directory_and_by_path(void **state)
{
    (void)state;
    char dir[] = "/tmp/rb_net_XXXXXX";
    assert_non_null(mkdtemp(dir));
    char path[64];
    snprintf(path, sizeof path, "%s/.s.PGSQL.5433", dir);
    struct peer peer;
    peer_start_unix(&peer, path, echo, NULL);
    struct rb_net_allow allow[] = {{dir, 0}};
    struct rb_net_grant grant = loopback_grant();
    grant.allow = allow;
    grant.n_allow = 1;
    grant.tls_mode = RB_NET_TLS_REQUIRE;
    struct rb_broker *broker = new_broker(&grant, -1);
    int handle = 0;
    struct rb_error err = {0};
    char byte = 0;
    size_t n = 0;
    const char *hosts[] = {dir, path};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(connect_to(broker, hosts[i], 5433, &handle, &err), 0);
        assert_int_equal(rb_broker_send(broker, handle, "x", 1, NULL), 0);
        assert_int_equal(rb_broker_recv(broker, handle, &byte, 1, -1, &n, NULL), 0);
        assert_int_equal(byte, 'x');
        assert_int_equal(rb_broker_start_tls(broker, handle, &err), RB_EPERM);
        assert_int_equal(rb_broker_close(broker, handle, NULL), 0);
    }
    assert_int_equal(connect_to(broker, dir, 5434, &handle, &err), RB_ENETWORK);
    assert_string_equal(err.code, "CONNECTION_REFUSED");
    assert_int_equal(connect_to(broker, "/tmp", 5433, &handle, &err), RB_EPERM);
    char around[80];
    snprintf(around, sizeof around, "%s/../%s", dir, dir + 5);
    assert_int_equal(connect_to(broker, around, 5433, &handle, &err), RB_EPERM);
    rb_broker_free(broker);
    peer_stop(&peer);
    unlink(path);
    rmdir(dir);
}

/* --- cancel packets --- */

struct packets {
    int n_set;
    int n_back;
    int handle;
    size_t address_len;
    char packet[32];
};

static void on_packet(void *user, int handle, const void *address, size_t address_len,
                      const void *packet, size_t len)
{
    (void)address;
    struct packets *packets = user;
    packets->handle = handle;
    if (len == 0) {
        packets->n_back++;
        return;
    }
    packets->n_set++;
    packets->address_len = address_len;
    memcpy(packets->packet, packet, len < sizeof packets->packet ? len : sizeof packets->packet);
}

static void cancel_packets_are_handed_on(void **state)
{
    (void)state;
    static const struct rb_broker_ops ops = {.cancel_packet = on_packet};
    struct peer peer;
    peer_start(&peer, echo, NULL);
    struct rb_net_grant grant = loopback_grant();
    struct packets packets = {0};
    struct rb_broker *broker = NULL;
    int handle = 0;
    uint8_t big[RB_BROKER_CANCEL_PACKET_MAX + 1] = {0};
    assert_int_equal(rb_broker_new(&grant, -1, &ops, &packets, &broker, NULL), 0);
    assert_int_equal(connect_to(broker, "127.0.0.1", peer.port, &handle, NULL), 0);
    assert_int_equal(rb_broker_set_cancel_packet(broker, handle, big, sizeof big, NULL),
                     RB_ECONNECTOR);
    assert_int_equal(packets.n_set, 0);
    assert_int_equal(rb_broker_set_cancel_packet(broker, handle, "cancel", 6, NULL), 0);
    assert_int_equal(packets.n_set, 1);
    assert_int_equal(packets.handle, handle);
    assert_true(packets.address_len > 0);
    assert_memory_equal(packets.packet, "cancel", 6);
    assert_int_equal(rb_broker_close(broker, handle, NULL), 0);
    assert_int_equal(packets.n_back, 1);
    assert_int_equal(connect_to(broker, "127.0.0.1", peer.port, &handle, NULL), 0);
    assert_int_equal(rb_broker_set_cancel_packet(broker, handle, "cancel", 6, NULL), 0);
    rb_broker_free(broker);
    assert_int_equal(packets.n_back, 2);
    peer_stop(&peer);
}

static void a_cancelled_run_keeps_its_cancel_packets(void **state)
{
    (void)state;
    static const struct rb_broker_ops ops = {.cancel_packet = on_packet};
    struct peer peer;
    peer_start(&peer, echo, NULL);
    struct canceller canceller;
    canceller_start(&canceller, 200);
    struct rb_net_grant grant = loopback_grant();
    struct packets packets = {0};
    struct rb_broker *broker = NULL;
    int handle = 0;
    assert_int_equal(rb_broker_new(&grant, canceller.fd, &ops, &packets, &broker, NULL), 0);
    assert_int_equal(connect_to(broker, "127.0.0.1", peer.port, &handle, NULL), 0);
    assert_int_equal(rb_broker_set_cancel_packet(broker, handle, "cancel", 6, NULL), 0);
    pthread_join(canceller.thread, NULL);
    rb_broker_free(broker);
    assert_int_equal(packets.n_set, 1);
    assert_int_equal(packets.n_back, 0);
    close(canceller.fd);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sends_and_receives),
        cmocka_unit_test(a_large_send_arrives_whole),
        cmocka_unit_test(what_is_not_listed_is_denied),
        cmocka_unit_test(a_name_does_not_lead_to_a_special_address),
        cmocka_unit_test(the_peer_itself_is_judged),
        cmocka_unit_test(errors_say_where_and_why),
        cmocka_unit_test(names_that_do_not_resolve),
        cmocka_unit_test(deadlines_pass),
        cmocka_unit_test(what_follows_bulk_is_not_kept_back),
        cmocka_unit_test(cancelling_wakes_a_recv),
        cmocka_unit_test(cancelling_wakes_a_send),
        cmocka_unit_test(arbitrary_handles_are_errors),
        cmocka_unit_test(hosts_and_ports_are_checked),
        cmocka_unit_test(sockets_are_limited),
        cmocka_unit_test(unix_sockets_by_directory_and_by_path),
        cmocka_unit_test(cancel_packets_are_handed_on),
        cmocka_unit_test(a_cancelled_run_keeps_its_cancel_packets),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
