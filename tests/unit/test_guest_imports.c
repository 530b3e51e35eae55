/* What each import of module "rapidbyte" answers, in compiled and interpreted guests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/guest_host.h"

static char aot_dir[] = "/tmp/rb_guest_imports_XXXXXX";

struct golden {
    const char *value; /* guest_host's */
    const char *batch;
    int fail_with;
    bool differs;
    const char *script;
    const char *data; /* expected */
    const char *said;
};

static const struct golden goldens[] = {
    {.script = "put @0 hello\nrb_host_log 2 @0 5\nrb_host_log -3 @0 1\nrb_host_log 99 @0 1\n"
               "rb_host_log 2 70000000 1\nrb_host_last_error @0 100",
     .data = "[0,0,0,-1,0]",
     .said = "log(2,hello)\nlog(0,h)\nlog(4,h)\n"},
    {.script = "put @0 batch\nrb_host_emit_batch @0 5", .data = "[0]", .said = "emit(batch)\n"},
    /* An empty batch, one over batch_max_bytes, and pointers that lie outside or wrap around. */
    {.script = "rb_host_emit_batch @0 0\nrb_host_emit_batch @0 101\n"
               "rb_host_emit_batch -1 2\nrb_host_emit_batch 0 -1\nrb_host_emit_batch 4 -4",
     .data = "[-1,-1,-1,-1,-1]",
     .said = ""},
    /* Too little room: the size, and the batch stays; then the batch, then the end. */
    {.batch = "abcdef",
     .script = "rb_host_next_batch @0 5\nrb_host_next_batch @0 0\nrb_host_next_batch @0 64\n"
               "text @0 6\nrb_host_next_batch @0 64",
     .data = "[-6,-6,6,\"abcdef\",0]",
     .said = ""},
    /* -1 is an error, so a single byte is asked for as -2. */
    {.batch = "x",
     .script = "rb_host_next_batch @0 0\nrb_host_next_batch 9000000 99999999\n"
               "rb_host_next_batch @0 1",
     .data = "[-2,-1,1]",
     .said = ""},
    {.value = "seven77",
     .script = "put @0 key\nrb_host_state_get 1 @0 3 @100 6\nrb_host_state_get 1 @0 3 @100 7\n"
               "text @100 7",
     .data = "[-7,7,\"seven77\"]",
     .said = "get(1,key)\nget(1,key)\n"},
    {.value = "v",
     .script = "put @0 key\nrb_host_state_get 0 @0 3 @100 0\nrb_host_state_get 2 @0 3 @100 1",
     .data = "[-2,1]",
     .said = "get(0,key)\nget(2,key)\n"},
    {.script = "put @0 key\nrb_host_state_get 0 @0 3 @100 10",
     .data = "[0]",
     .said = "get(0,key)\n"},
    /* Scopes, lengths of keys, and keys that are not UTF-8 (0xff is no lead byte). */
    {.script = "rb_host_state_get 3 @0 3 @100 9\nrb_host_state_get -1 @0 3 @100 9\n"
               "rb_host_state_get 0 @0 1025 @100 9\nrb_host_state_get 0 @0 -1 @100 9\n"
               "u32 @0 255\nrb_host_state_put 0 @0 1 @0 0\nrb_host_state_put 0 @0 1 @0 1048577",
     .data = "[-1,-1,-1,-1,-1,-1]",
     .said = ""},
    {.script = "put @0 keyval\nrb_host_state_put 2 @0 3 @3 3",
     .data = "[0]",
     .said = "put(2,key,val)\n"},
    {.script = "put @0 keyoldnew\nrb_host_state_cas 0 @0 3 @3 3 @6 3\n"
               "rb_host_state_cas 0 @0 3 0 0 @6 3\nrb_host_state_cas 0 @0 3 0 0 @6 1048577",
     .data = "[1,1,-1]",
     .said = "cas(0,key,old,new)\ncas(0,key,absent,new)\n"},
    {.differs = true,
     .script = "put @0 keyoldnew\nrb_host_state_cas 0 @0 3 @3 3 @6 3",
     .data = "[0]",
     .said = "cas(0,key,old,new)\n"},
    {.script = "put @0 {}\nrb_host_checkpoint 1 @0 2\nrb_host_checkpoint 3 @0 2\n"
               "rb_host_checkpoint 0 @0 0\nrb_host_metric @0 2\nrb_host_metric @0 16777217",
     .data = "[0,-1,-1,0,-1]",
     .said = "checkpoint(1,{})\nmetric({})\n"},
    {.script = "rb_host_stream_end @0 10", .data = "[0]", .said = ""},
    {.value = "{\"rows\":1}",
     .script = "rb_host_stream_end @0 9\nrb_host_stream_end @0 10\nget @0 10",
     .data = "[-10,10,{\"rows\":1}]",
     .said = ""},
    /* The host's failures arrive as -1, and the reason is read once. */
    {.fail_with = RB_ESTATE,
     .script = "put @0 k\nrb_host_state_put 0 @0 1 @0 1\nrb_host_state_get 0 @0 1 @9 9\n"
               "rb_host_state_cas 0 @0 1 @0 1 @0 1\nrb_host_emit_batch @0 1\n"
               "rb_host_next_batch @0 9\nrb_host_metric @0 1\nrb_host_checkpoint 0 @0 1\n"
               "rb_host_stream_end @0 9",
     .data = "[-1,-1,-1,-1,-1,-1,-1,-1]",
     .said = "put(0,k,k)\nget(0,k)\ncas(0,k,k,k)\nemit(k)\nmetric(k)\ncheckpoint(0,k)\n"},
};

static void golden_answers(void **state)
{
    for (size_t i = 0; i < sizeof goldens / sizeof goldens[0]; i++) {
        const struct golden *g = &goldens[i];
        struct guest_host host;
        guest_host_init(&host, "puppet", *state);
        host.value = g->value;
        host.batch = g->batch;
        host.fail_with = g->fail_with;
        host.cas_differs = g->differs;
        struct rb_guest *guest = guest_host_new(&host);
        char *data = guest_host_run(guest, g->script);
        if (strcmp(data, g->data) != 0 || strcmp(rb_buf_str(&host.said), g->said) != 0) {
            fail_msg("%s\ngave %s, expected %s; the host saw %s, expected %s", g->script, data,
                     g->data, rb_buf_str(&host.said), g->said);
        }
        free(data);
        rb_guest_free(guest);
        guest_host_release(&host);
    }
}

/* rb_host_last_error: its JSON, once, at the size it needs; every other import forgets it. */
static void last_error_is_read_and_cleared(void **state)
{
    struct guest_host host;
    guest_host_init(&host, "puppet", *state);
    struct rb_guest *guest = guest_host_new(&host);
    char *data = guest_host_run(guest, "rb_host_last_error @0 4096");
    assert_string_equal(data, "[0]");
    free(data);
    data = guest_host_run(guest, "rb_host_checkpoint 7 @0 2\nrb_host_log 2 @0 0\n"
                                 "rb_host_last_error @0 10\nrb_host_last_error 99999999 10\n"
                                 "rb_host_last_error @0 4096\nrb_host_last_error @0 4096");
    /* [-1,0,-N,-1,N,0] */
    assert_int_equal(strncmp(data, "[-1,0,-", 7), 0);
    char *end = NULL;
    long need = strtol(data + 7, &end, 10);
    assert_true(need > 10);
    assert_int_equal(strncmp(end, ",-1,", 4), 0);
    assert_int_equal(strtol(end + 4, &end, 10), need);
    assert_string_equal(end, ",0]");
    free(data);
    data = guest_host_run(guest, "rb_host_checkpoint 7 @0 2\nerror");
    assert_non_null(strstr(data, "\"code\":\"BAD_KIND\""));
    assert_non_null(strstr(data, "rb_host_checkpoint: there is no kind 7"));
    free(data);
    data = guest_host_run(guest, "rb_host_checkpoint 7 @0 2\nrb_host_net_tls_mode\n"
                                 "rb_host_last_error @0 4096");
    assert_string_equal(data, "[-1,0,0]");
    free(data);
    /* A new call of an export starts without one. */
    free(guest_host_run(guest, "rb_host_checkpoint 7 @0 2"));
    data = guest_host_run(guest, "rb_host_last_error @0 4096");
    assert_string_equal(data, "[0]");
    free(data);
    rb_guest_free(guest);
    guest_host_release(&host);
}

static void an_aborted_stream_is_told_by_code(void **state)
{
    struct guest_host host;
    guest_host_init(&host, "puppet", *state);
    struct rb_guest *guest = guest_host_new(&host);
    host.fail_with = RB_EABORTED;
    char *data = guest_host_run(guest, "rb_host_next_batch @0 9\nerror");
    assert_non_null(strstr(data, "\"code\":\"ABORTED\""));
    free(data);
    rb_guest_free(guest);
    guest_host_release(&host);
}

/* Pointers are judged by the memory's size when they are passed. */
static void memory_may_grow_between_calls(void **state)
{
    struct guest_host host;
    guest_host_init(&host, "puppet", *state);
    struct rb_guest *guest = guest_host_new(&host);
    unsigned long long before = rb_guest_memory_bytes(guest);
    char script[256], expected[64];
    snprintf(script, sizeof script,
             "rb_host_log 2 %llu 5\ngrow 1\nrb_host_log 2 %llu 5\nrb_host_log 2 %llu 1\n"
             "rb_host_log 2 %llu 0\nrb_host_log 2 %llu 0",
             before, before, before + 65536, before + 65536, before + 65537);
    snprintf(expected, sizeof expected, "[-1,%llu,0,-1,0,-1]", before / 65536);
    char *data = guest_host_run(guest, script);
    assert_string_equal(data, expected);
    free(data);
    assert_int_equal(rb_guest_memory_bytes(guest), before + 65536);
    rb_guest_free(guest);
    guest_host_release(&host);
}

/* 70,000 bytes of whatever stands at the front of the memory: 64 KiB arrive. */
static void a_long_message_is_cut(void **state)
{
    struct guest_host host;
    guest_host_init(&host, "puppet", *state);
    struct rb_guest *guest = guest_host_new(&host);
    host.count_log_bytes = true;
    char *data = guest_host_run(guest, "rb_host_log 2 0 65536\nrb_host_log 2 0 65537\n"
                                       "rb_host_log 2 0 70000");
    assert_string_equal(data, "[0,0,0]");
    assert_string_equal(rb_buf_str(&host.said), "log(65536)\nlog(65536)\nlog(65536)\n");
    free(data);
    rb_guest_free(guest);
    guest_host_release(&host);
}

/* memory_max_bytes is 16 MiB: growth beyond it fails in the guest, which goes on. */
static void memory_has_a_maximum(void **state)
{
    struct guest_host host;
    guest_host_init(&host, "puppet", *state);
    struct rb_guest *guest = guest_host_new(&host);
    unsigned pages = (unsigned)(rb_guest_memory_bytes(guest) / 65536);
    char script[64], expected[64];
    snprintf(script, sizeof script, "grow %u\ngrow %u\ngrow 1", 257 - pages, 256 - pages);
    snprintf(expected, sizeof expected, "[-1,%u,-1]", pages);
    char *data = guest_host_run(guest, script);
    assert_string_equal(data, expected);
    free(data);
    rb_guest_free(guest);
    guest_host_release(&host);
}

/* Arguments that never reach a server. */
static void network_arguments_are_checked(void **state)
{
    struct guest_host host;
    guest_host_init(&host, "puppet", *state);
    struct rb_guest *guest = guest_host_new(&host);
    char *data = guest_host_run(guest, "rb_host_net_connect -5 10 5432 1000\n"
                                       "rb_host_net_authenticate 1 2 0 @0 0\n"
                                       "rb_host_net_authenticate 1 1 0 -5 10\n"
                                       "rb_host_net_send 1 -5 10\n"
                                       "rb_host_net_recv 1 -5 10 0\nrb_host_net_recv 1 @0 0 0\n"
                                       "rb_host_net_cancel_packet 1 @0 257\n"
                                       "rb_host_net_close 77\nrb_host_net_start_tls 77");
    assert_string_equal(data, "[-1,-1,-1,-1,-1,-1,-1,-1,-1]");
    free(data);
    /* Nothing is on the allow-list of this host. */
    data = guest_host_run(guest, "put @0 localhost\nrb_host_net_connect @0 9 5432 1000\n"
                                 "error");
    assert_non_null(strstr(data, "NET_DENIED"));
    free(data);
    rb_guest_free(guest);
    guest_host_release(&host);
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
        BOTH(golden_answers),
        BOTH(last_error_is_read_and_cleared),
        BOTH(an_aborted_stream_is_told_by_code),
        BOTH(memory_may_grow_between_calls),
        BOTH(a_long_message_is_cut),
        BOTH(memory_has_a_maximum),
        BOTH(network_arguments_are_checked),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    guest_host_remove(aot_dir);
    return failed;
}
