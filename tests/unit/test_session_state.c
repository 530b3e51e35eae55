/* What the supervisor answers a worker's requests for connectors' keys, and how many it takes. */
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

#include "host/engine/session_state.h"
#include "host/link/text.h"

struct fixture {
    char folder[64], path[96];
    struct rb_state *state;
    struct rb_link ours, workers;
    struct rb_session_store store;
};

static int set_up(void **ctx)
{
    struct fixture *f = calloc(1, sizeof *f);
    int fds[2];
    assert_non_null(f);
    snprintf(f->folder, sizeof f->folder, "/tmp/rb-session-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/state.db", f->folder);
    assert_int_equal(rb_state_open(f->path, &f->state, NULL), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(rb_link_init(&f->ours, fds[0], NULL), 0);
    assert_int_equal(rb_link_init(&f->workers, fds[1], NULL), 0);
    f->store = (struct rb_session_store){.state = f->state, .pipeline = "p"};
    *ctx = f;
    return 0;
}

static int tear_down(void **ctx)
{
    struct fixture *f = *ctx;
    rb_link_release(&f->ours);
    rb_link_release(&f->workers);
    rb_state_close(f->state);
    (void)unlink(f->path);
    int r = rmdir(f->folder);
    free(f);
    return r;
}

/* The answer to a request: its JSON, borrowed until the next. */
static const char *ask(struct fixture *f, enum rb_link_type type, const char *json)
{
    const struct rb_link_frame request = {.type = type, .id = 7, .json = json, .len = strlen(json)};
    struct rb_link_frame reply;
    assert_int_equal(rb_session_state_answer(&f->ours, &f->store, &request, NULL), 0);
    assert_int_equal(rb_link_recv(&f->workers, 1000, &reply, NULL), 0);
    assert_int_equal(reply.type, RB_LINK_STATE_REPLY);
    assert_true(reply.id == 7);
    return reply.json;
}

/* What becomes of a key with a value of n bytes: true when it was set, false for STATE_LIMIT. */
static bool put(struct fixture *f, const char *connector, const char *key, size_t n)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf value = RB_BUF_INIT(4096);
    char json[8192], bytes[1024];
    memset(bytes, 'v', sizeof bytes);
    assert_true(n <= sizeof bytes);
    assert_int_equal(rb_link_base64_encode(bytes, n, &value), 0);
    snprintf(json, sizeof json,
             "{\"scope\":0,\"connector\":\"%s\",\"stream\":\"s\",\"key\":\"%s\",\"value\":\"%s\"}",
             connector, key, rb_buf_str(&value));
    const char *answer = ask(f, RB_LINK_STATE_PUT, json);
    bool set = strstr(answer, "\"set\":true") != NULL;
    if (!set) {
        assert_non_null(strstr(answer, "\"code\":\"STATE_LIMIT\""));
    }
    return set;
}

static void test_keys_and_bytes_are_limited(void **ctx)
{
    struct fixture *f = *ctx;
    f->store.quotas[0].connector = "one";
    f->store.quotas[0].keys = 3;
    f->store.quotas[0].bytes = 1000;
    f->store.quotas[1].connector = "two";
    f->store.n_quotas = 2;
    assert_true(put(f, "one", "a", 10));
    assert_true(put(f, "one", "b", 10));
    assert_true(put(f, "one", "c", 10));
    assert_false(put(f, "one", "d", 10));
    assert_false(put(f, "nobody knows it", "d", 10)); /* has the first one's */
    assert_true(put(f, "one", "c", 20));              /* it is there */
    assert_true(put(f, "two", "d", 10));              /* has no limit */
    /* 4 keys of a byte each, and 50 bytes of values. */
    assert_true(put(f, "one", "a", 956));
    assert_false(put(f, "one", "a", 957));
    assert_true(put(f, "one", "a", 10));
    assert_false(put(f, "one", "a", 957));
}

/* What was there before this run counts. */
static void test_what_is_there_counts(void **ctx)
{
    struct fixture *f = *ctx;
    assert_int_equal(rb_state_kv_put(f->state, "p", 0, "", "old", 3, "1234", 4, NULL), 0);
    assert_int_equal(rb_state_kv_put(f->state, "another", 0, "", "x", 1, "1", 1, NULL), 0);
    f->store.quotas[0].connector = "one";
    f->store.quotas[0].keys = 2;
    f->store.n_quotas = 1;
    assert_true(put(f, "one", "new", 1));
    assert_false(put(f, "one", "newer", 1));
}

static void test_malformed_requests(void **ctx)
{
    struct fixture *f = *ctx;
    static const char *const requests[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"scope\":0,\"connector\":\"c\"}",
        "{\"scope\":3,\"connector\":\"c\",\"stream\":\"s\",\"key\":\"k\"}",
        "{\"scope\":-1,\"connector\":\"c\",\"stream\":\"s\",\"key\":\"k\"}",
        "{\"scope\":1,\"connector\":\"c\",\"stream\":null,\"key\":\"k\"}",
        "{\"scope\":0,\"connector\":\"c\",\"stream\":\"s\",\"key\":7}",
        "{\"scope\":0,\"connector\":\"c\",\"stream\":\"s\",\"key\":\"k\",\"value\":\"*\"}",
    };
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        const char *answer = ask(f, RB_LINK_STATE_PUT, requests[i]);
        if (strstr(answer, "\"code\":\"STATE_REQUEST\"") == NULL) {
            fail_msg("%s: %s", requests[i], answer);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(test_keys_and_bytes_are_limited),
        T(test_what_is_there_counts),
        T(test_malformed_requests),
#undef T
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("session_state", tests, NULL, NULL);
}
