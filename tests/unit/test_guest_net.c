/* The network imports of module "rapidbyte", against a peer on the loopback interface. */
#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/guest_host.h"

static char aot_dir[] = "/tmp/rb_guest_net_XXXXXX";

/* A host whose guests may connect to one listening socket. */
struct net_host {
    struct guest_host host;
    struct rb_net_allow allow;
    int listener;
    int port;
};

static void net_host_init(struct net_host *net, const char *dir)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    net->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(net->listener >= 0);
    assert_int_equal(bind(net->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(net->listener, 4), 0);
    assert_int_equal(getsockname(net->listener, (struct sockaddr *)&address, &len), 0);
    net->port = ntohs(address.sin_port);
    net->allow = (struct rb_net_allow){"127.0.0.1", net->port};
    guest_host_init(&net->host, "puppet", dir);
    rb_broker_free(net->host.broker);
    net->host.grant.allow = &net->allow;
    net->host.grant.n_allow = 1;
    assert_int_equal(
        rb_broker_new(&net->host.grant, net->host.cancel_fd, NULL, NULL, &net->host.broker, NULL),
        0);
    net->host.options.broker = net->host.broker;
}

static void net_host_release(struct net_host *net)
{
    guest_host_release(&net->host);
    close(net->listener);
}

/* Answers one connection: what it reads, it writes back. */
static void *echo(void *listener)
{
    int fd = accept(*(int *)listener, NULL, NULL);
    char bytes[64];
    ssize_t n = fd >= 0 ? read(fd, bytes, sizeof bytes) : -1;
    n = n > 0 ? write(fd, bytes, (size_t)n) : n;
    if (fd >= 0) {
        close(fd);
    }
    return n > 0 ? listener : NULL;
}

static void a_conversation(void **state)
{
    struct net_host net;
    pthread_t server;
    void *served = NULL;
    char script[512];
    net_host_init(&net, *state);
    struct rb_guest *guest = guest_host_new(&net.host);
    assert_int_equal(pthread_create(&server, NULL, echo, &net.listener), 0);
    snprintf(script, sizeof script, "put @0 127.0.0.1\nrb_host_net_connect @0 9 %d -1", net.port);
    char *data = guest_host_run(guest, script);
    int handle = (int)strtol(data + 1, NULL, 10);
    free(data);
    assert_true(handle > 0);
    /* Nothing has come yet, then all of it, then the end of the peer. */
    snprintf(script, sizeof script,
             "put @0 hello\nrb_host_net_recv %d @100 64 0\nrb_host_net_recv %d @100 64 20\n"
             "rb_host_net_send %d @0 5\nrb_host_net_recv %d @100 64 -1\ntext @100 5\n"
             "rb_host_net_recv %d @100 64 5000\nrb_host_net_close %d\nrb_host_net_close %d",
             handle, handle, handle, handle, handle, handle, handle);
    data = guest_host_run(guest, script);
    assert_string_equal(data, "[-2,-2,0,5,\"hello\",0,0,-1]");
    free(data);
    assert_int_equal(pthread_join(server, &served), 0);
    assert_non_null(served);
    /* Nothing listens on a port that was just given up. */
    close(net.listener);
    net.listener = -1;
    snprintf(script, sizeof script, "put @0 127.0.0.1\nrb_host_net_connect @0 9 %d -1\nerror",
             net.port);
    data = guest_host_run(guest, script);
    assert_non_null(strstr(data, "\"category\":\"transient_network\""));
    free(data);
    rb_guest_free(guest);
    net_host_release(&net);
}

static void *cancel_soon(void *fd)
{
    const struct timespec t = {.tv_nsec = 100000000};
    nanosleep(&t, NULL);
    uint64_t one = 1;
    return write(*(int *)fd, &one, sizeof one) == sizeof one ? fd : NULL;
}

/* The peer accepts (the kernel does) and never says a word. */
static void a_guest_that_waits_for_bytes_is_cancelled(void **state)
{
    struct net_host net;
    pthread_t thread;
    void *sent = NULL;
    char script[512];
    struct timespec start, end;
    struct rb_error err = {0};
    struct rb_buf data = RB_BUF_INIT(1000);
    net_host_init(&net, *state);
    struct rb_guest *guest = guest_host_new(&net.host);
    snprintf(script, sizeof script,
             "put @0 127.0.0.1\nrb_host_net_connect @0 9 %d -1\nrb_host_net_recv 1 @100 64 -1\n"
             "rb_host_log 2 @0 3",
             net.port);
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &net.host.cancel_fd), 0);
    clock_gettime(CLOCK_MONOTONIC, &start);
    assert_int_equal(rb_guest_call(guest, RB_GUEST_OPEN, script, strlen(script), &data, &err),
                     RB_ECANCELLED);
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_true(end.tv_sec - start.tv_sec < 2);
    assert_int_equal(err.status, RB_ECANCELLED);
    assert_string_equal(rb_buf_str(&net.host.said), "");
    assert_int_equal(pthread_join(thread, &sent), 0);
    assert_non_null(sent);
    rb_buf_release(&data);
    rb_guest_free(guest);
    net_host_release(&net);
}

#define BOTH(test)                                                                                 \
    {#test " (compiled)", test, NULL, NULL, aot_dir},                                              \
    {                                                                                              \
        #test " (interpreted)", test, NULL, NULL, NULL                                             \
    }

int main(void)
{
    static const char *const modules[] = {"puppet"};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    if (!mkdtemp(aot_dir)) {
        return 1;
    }
    guest_host_compile(aot_dir, modules, 1);
    guest_host_load();
    const struct CMUnitTest tests[] = {
        BOTH(a_conversation),
        BOTH(a_guest_that_waits_for_bytes_is_cancelled),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    guest_host_remove(aot_dir);
    return failed;
}
