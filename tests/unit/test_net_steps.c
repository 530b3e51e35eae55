#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "host/net/broker.h"
#include "tests/support/peer.h"

static const struct rb_net_allow LOCALHOST[] = {{"localhost", 0}};

static struct rb_broker *new_broker(const struct rb_net_allow *allow, int cancel_fd)
{
    const struct rb_net_grant grant = {
        .allow = allow, .n_allow = 1, .connect_timeout_ms = 10000, .idle_timeout_ms = 10000};
    struct rb_broker *broker = NULL;
    assert_int_equal(rb_broker_new(&grant, cancel_fd, NULL, NULL, &broker, NULL), 0);
    return broker;
}

static void answer(struct peer *peer, int fd)
{
    (void)peer;
    uint8_t byte;
    while (peer_read(fd, &byte, 1) && peer_write(fd, &byte, 1)) {
    }
}

static struct rb_net_address loopback(int port)
{
    return (struct rb_net_address){
        .family = RB_NET_INET4, .bytes = {127, 0, 0, 1}, .port = (uint16_t)port};
}

/* The IPv4 address of localhost, by name. */
static void resolve_localhost(struct rb_broker *broker)
{
    struct rb_net_address found[8];
    size_t n = 0;
    bool v4 = false;
    assert_int_equal(rb_broker_resolve(broker, "localhost", 9, 0, found, 8, &n, NULL), 0);
    for (size_t i = 0; i < n; i++) {
        v4 = v4 || (found[i].family == RB_NET_INET4 && found[i].bytes[0] == 127);
    }
    assert_true(v4);
}

static void addresses_must_come_from_an_allowed_name(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, answer, NULL);
    struct rb_broker *broker = new_broker(LOCALHOST, -1);
    struct rb_net_address to = loopback(peer.port);
    struct rb_error err = {0};
    struct rb_net_address found[1];
    size_t n = 0;
    int handle = 0;
    assert_int_equal(rb_broker_open(broker, RB_NET_INET4, &handle, NULL), 0);
    assert_true(rb_broker_send(broker, handle, "x", 1, NULL) < 0);
    assert_int_equal(rb_broker_connect_address(broker, handle, &to, &err), RB_EPERM);
    assert_string_equal(err.code, "NET_DENIED");
    assert_int_equal(rb_broker_resolve(broker, "example.com", 11, 0, found, 1, &n, &err), RB_EPERM);
    resolve_localhost(broker);
    assert_int_equal(rb_broker_connect_address(broker, handle, &to, NULL), 0);
    assert_int_equal(rb_broker_connect_address(broker, handle, &to, NULL), RB_ECONNECTOR);
    assert_int_equal(rb_broker_send(broker, handle, "x", 1, NULL), 0);
    char byte = 0;
    assert_int_equal(rb_broker_recv(broker, handle, &byte, 1, -1, &n, NULL), 0);
    assert_int_equal(byte, 'x');
    assert_int_equal(rb_broker_shutdown(broker, handle, false, true, NULL), 0);
    assert_int_equal(rb_broker_recv(broker, handle, &byte, 1, -1, &n, NULL), 0);
    assert_int_equal(n, 0);
    rb_broker_free(broker);
    peer_stop(&peer);
}

static void a_names_ports_hold_for_its_addresses(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, answer, NULL);
    const struct rb_net_allow other_port[] = {{"localhost", peer.port == 1 ? 2 : peer.port - 1}};
    struct rb_broker *broker = new_broker(other_port, -1);
    struct rb_net_address to = loopback(peer.port);
    int handle = 0;
    resolve_localhost(broker);
    assert_int_equal(rb_broker_open(broker, RB_NET_INET4, &handle, NULL), 0);
    assert_int_equal(rb_broker_connect_address(broker, handle, &to, NULL), RB_EPERM);
    rb_broker_free(broker);
    peer_stop(&peer);
}

static void non_blocking_sockets(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, answer, NULL);
    struct rb_broker *broker = new_broker(LOCALHOST, -1);
    struct rb_net_address to = loopback(peer.port);
    int handle = 0;
    size_t n = 0;
    char byte = 0;
    resolve_localhost(broker);
    assert_int_equal(rb_broker_open(broker, RB_NET_INET4, &handle, NULL), 0);
    assert_false(rb_broker_is_nonblocking(broker, handle));
    assert_int_equal(rb_broker_set_nonblocking(broker, handle, true, NULL), 0);
    assert_true(rb_broker_is_nonblocking(broker, handle));
    assert_in_range(rb_broker_connect_address(broker, handle, &to, NULL), 0, 1);
    short wanted = POLLOUT;
    short revents = 0;
    assert_int_equal(rb_broker_poll(broker, &handle, &wanted, &revents, 1, 5000, NULL), 0);
    assert_int_equal(revents, POLLOUT);
    int value = -1;
    assert_int_equal(rb_broker_socket_errno(broker, handle, &value, NULL), 0);
    assert_int_equal(value, 0);
    assert_int_equal(rb_broker_recv(broker, handle, &byte, 1, 0, &n, NULL), 1);
    assert_int_equal(rb_broker_send_some(broker, handle, "x", 1, &n, NULL), 0);
    assert_int_equal(n, 1);
    wanted = POLLIN;
    assert_int_equal(rb_broker_poll(broker, &handle, &wanted, &revents, 1, 5000, NULL), 0);
    assert_int_equal(revents, POLLIN);
    rb_broker_free(broker);
    peer_stop(&peer);
}

static void a_refused_connection_shows_in_the_sockets_errno(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, answer, NULL);
    peer_stop(&peer);
    struct rb_broker *broker = new_broker(LOCALHOST, -1);
    struct rb_net_address to = loopback(peer.port);
    int handle = 0;
    int value = 0;
    short wanted = POLLOUT;
    short revents = 0;
    resolve_localhost(broker);
    assert_int_equal(rb_broker_open(broker, RB_NET_INET4, &handle, NULL), 0);
    assert_int_equal(rb_broker_set_nonblocking(broker, handle, true, NULL), 0);
    if (rb_broker_connect_address(broker, handle, &to, NULL) == 1) {
        assert_int_equal(rb_broker_poll(broker, &handle, &wanted, &revents, 1, 5000, NULL), 0);
        assert_int_equal(rb_broker_socket_errno(broker, handle, &value, NULL), 0);
        assert_int_equal(value, ECONNREFUSED);
    }
    assert_true(rb_broker_send(broker, handle, "x", 1, NULL) < 0);
    rb_broker_free(broker);
}

static void polling_sleeps_wakes_and_knows_its_handles(void **state)
{
    (void)state;
    struct canceller canceller;
    canceller_start(&canceller, 150);
    struct rb_broker *broker = new_broker(LOCALHOST, canceller.fd);
    int64_t start = test_now_ms();
    assert_int_equal(rb_broker_poll(broker, NULL, NULL, NULL, 0, 40, NULL), 0);
    assert_in_range(test_now_ms() - start, 40, 140);
    static const int unknown[1] = {12345};
    static const short wanted[1] = {POLLIN};
    short revents = 0;
    assert_int_equal(rb_broker_poll(broker, unknown, wanted, &revents, 1, -1, NULL), 0);
    assert_int_equal(revents, POLLNVAL);
    assert_int_equal(
        rb_broker_poll(broker, unknown, wanted, &revents, RB_BROKER_POLL_MAX + 1, -1, NULL),
        RB_ECONNECTOR);
    assert_int_equal(rb_broker_poll(broker, NULL, NULL, NULL, 0, -1, NULL), RB_ECANCELLED);
    assert_in_range(test_now_ms() - start, 100, 260);
    canceller_stop(&canceller);
    rb_broker_free(broker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_must_come_from_an_allowed_name),
        cmocka_unit_test(a_names_ports_hold_for_its_addresses),
        cmocka_unit_test(non_blocking_sockets),
        cmocka_unit_test(a_refused_connection_shows_in_the_sockets_errno),
        cmocka_unit_test(polling_sleeps_wakes_and_knows_its_handles),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
