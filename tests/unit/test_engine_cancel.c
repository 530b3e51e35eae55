/* Cancel packets: to whom the supervisor sends what a worker asks it to send. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "host/engine/cancel.h"
#include "host/link/text.h"

static int listen_on(int *ret_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static void note(struct rb_cancel_registry *registry, const char *key, const void *address,
                 size_t len)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf hex = RB_BUF_INIT(1024);
    RB_CLEANUP(rb_buf_release) struct rb_buf json = RB_BUF_INIT(2048);
    assert_int_equal(rb_link_hex_encode(address, len, &hex), 0);
    assert_int_equal(rb_buf_printf(&json, "{\"key\":\"%s\",\"address\":\"%s\",\"packet\":\"6162\"}",
                                   key, rb_buf_str(&hex)),
                     0);
    rb_cancel_note(registry, rb_buf_str(&json), json.len);
}

static void note_port(struct rb_cancel_registry *registry, const char *key, const char *address,
                      int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    assert_int_equal(inet_pton(AF_INET, address, &to.sin_addr), 1);
    note(registry, key, &to, sizeof to);
}

static void test_packets_go_where_a_connector_may_go(void **state)
{
    (void)state;
    int granted_port, other_port;
    int granted = listen_on(&granted_port), other = listen_on(&other_port);
    const struct rb_net_allow allow[] = {{"127.0.0.1", granted_port}};
    struct rb_cancel_registry registry = {.allow = allow, .n_allow = 1};
    note_port(&registry, "1", "127.0.0.1", granted_port);
    note_port(&registry, "2", "127.0.0.1", other_port);
    assert_int_equal(registry.count, 1);
    rb_cancel_send(&registry);
    int fd = accept(granted, NULL, NULL);
    char packet[8];
    assert_true(fd >= 0);
    assert_int_equal(read(fd, packet, sizeof packet), 2);
    assert_memory_equal(packet, "ab", 2);
    assert_true(accept(other, NULL, NULL) < 0);
    close(fd);
    close(granted);
    close(other);
}

static void test_a_name_lets_its_port_in(void **state)
{
    (void)state;
    const struct rb_net_allow allow[] = {{"db.example.com", 5432}};
    struct rb_cancel_registry registry = {.allow = allow, .n_allow = 1};
    note_port(&registry, "1", "192.0.2.1", 5432);
    assert_int_equal(registry.count, 1);
    note_port(&registry, "2", "192.0.2.1", 22);
    note_port(&registry, "3", "169.254.169.254", 5432); /* where clouds serve credentials */
    note_port(&registry, "4", "192.0.2.1", 0);
    assert_int_equal(registry.count, 1);
}

static void test_sockets_of_this_machine(void **state)
{
    (void)state;
    const struct rb_net_allow allow[] = {{"/run/postgresql", 0}};
    struct rb_cancel_registry registry = {.allow = allow, .n_allow = 1};
    static const char *const refused[] = {"/run/docker.sock", "/run/postgresql/../docker.sock",
                                          "/run/postgresql/other", "run/postgresql/.s.PGSQL.5432"};
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        snprintf(to.sun_path, sizeof to.sun_path, "%s", refused[i]);
        note(&registry, "1", &to, sizeof to);
        assert_int_equal(registry.count, 0);
    }
    snprintf(to.sun_path, sizeof to.sun_path, "/run/postgresql/.s.PGSQL.5432");
    note(&registry, "1", &to, sizeof to);
    assert_int_equal(registry.count, 1);
}

static void test_malformed_addresses(void **state)
{
    (void)state;
    const struct rb_net_allow allow[] = {{"0.0.0.0/0", 0}, {"/run", 0}};
    struct rb_cancel_registry registry = {.allow = allow, .n_allow = 2};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(5432)};
    assert_int_equal(inet_pton(AF_INET, "192.0.2.1", &to.sin_addr), 1);
    for (size_t len = 1; len < sizeof to; len++) {
        note(&registry, "1", &to, len);
    }
    to.sin_family = AF_NETLINK;
    note(&registry, "1", &to, sizeof to);
    const sa_family_t family = AF_UNIX;
    note(&registry, "1", &family, sizeof family);
    assert_int_equal(registry.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packets_go_where_a_connector_may_go),
        cmocka_unit_test(test_a_name_lets_its_port_in),
        cmocka_unit_test(test_sockets_of_this_machine),
        cmocka_unit_test(test_malformed_addresses),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
