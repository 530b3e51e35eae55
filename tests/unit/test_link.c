#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "host/link/link.h"
#include "host/link/text.h"

struct pair {
    struct rb_link a;
    struct rb_link b;
};

static void pair_open(struct pair *p)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(rb_link_init(&p->a, fds[0], NULL), 0);
    assert_int_equal(rb_link_init(&p->b, fds[1], NULL), 0);
}

static void pair_close(struct pair *p)
{
    rb_link_release(&p->a);
    rb_link_release(&p->b);
}

static void test_frames_arrive_in_order(void **state)
{
    (void)state;
    struct pair p;
    struct rb_link_frame f;
    struct rb_error err;
    pair_open(&p);
    assert_int_equal(rb_link_send(&p.a, RB_LINK_CALL, 7, "{\"x\":1}", 7, &err), 0);
    assert_int_equal(rb_link_send(&p.a, RB_LINK_CANCEL, UINT64_MAX, NULL, 0, &err), 0);
    assert_int_equal(rb_link_recv(&p.b, 1000, &f, &err), 0);
    assert_int_equal(f.type, RB_LINK_CALL);
    assert_true(f.id == 7);
    assert_string_equal(f.json, "{\"x\":1}");
    assert_int_equal(f.len, 7);
    assert_int_equal(rb_link_recv(&p.b, 1000, &f, &err), 0);
    assert_int_equal(f.type, RB_LINK_CANCEL);
    assert_true(f.id == UINT64_MAX);
    assert_int_equal(f.len, 0);
    assert_string_equal(f.json, "");
    pair_close(&p);
}

static void test_golden_frame(void **state)
{
    (void)state;
    static const uint8_t golden[] = {2, 0, 0, 0, 33, 0, 0, 0, 5, 1, 0, 0, 0, 0, 0, 0, '{', '}'};
    uint8_t got[sizeof golden + 1];
    struct pair p;
    pair_open(&p);
    assert_int_equal(rb_link_send(&p.a, RB_LINK_RESULT, 0x105, "{}", 2, NULL), 0);
    assert_int_equal(recv(p.b.fd, got, sizeof got, 0), sizeof golden);
    assert_memory_equal(got, golden, sizeof golden);
    pair_close(&p);
}

static void test_every_split_is_put_together(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {2, 0, 0, 0, 33, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, '[', ']'};
    for (size_t cut = 1; cut < sizeof bytes; cut++) {
        struct pair p;
        struct rb_link_frame f;
        pair_open(&p);
        assert_int_equal(send(p.a.fd, bytes, cut, 0), cut);
        assert_int_equal(rb_link_recv(&p.b, 0, &f, NULL), 1);
        assert_int_equal(send(p.a.fd, bytes + cut, sizeof bytes - cut, 0), sizeof bytes - cut);
        assert_int_equal(rb_link_recv(&p.b, 1000, &f, NULL), 0);
        assert_string_equal(f.json, "[]");
        pair_close(&p);
    }
}

static void test_deadline_and_close(void **state)
{
    (void)state;
    struct pair p;
    struct rb_link_frame f;
    struct rb_error err;
    pair_open(&p);
    assert_int_equal(rb_link_recv(&p.b, 20, &f, &err), 1);
    assert_int_equal(send(p.a.fd, "\2\0\0", 3, 0), 3);
    close(p.a.fd);
    p.a.fd = -1;
    assert_int_equal(rb_link_recv(&p.b, 1000, &f, &err), 2);
    assert_int_equal(rb_link_send(&p.b, RB_LINK_LOG, 0, "{}", 2, &err), RB_EIO);
    assert_string_equal(err.code, "LINK_CLOSED");
    pair_close(&p);
}

static void expect_malformed(uint32_t len, uint8_t type, uint8_t type_high, uint8_t zero)
{
    uint8_t header[16] = {0};
    struct pair p;
    struct rb_link_frame f;
    struct rb_error err;
    rb_store_le32(header, len);
    header[4] = type;
    header[5] = type_high;
    header[7] = zero;
    pair_open(&p);
    assert_int_equal(send(p.a.fd, header, sizeof header, 0), sizeof header);
    assert_int_equal(rb_link_recv(&p.b, 1000, &f, &err), RB_EPROTOCOL);
    assert_string_equal(err.code, "LINK_FRAME");
    pair_close(&p);
}

static void test_malformed_frames(void **state)
{
    (void)state;
    expect_malformed(RB_LINK_PAYLOAD_MAX + 1U, RB_LINK_LOG, 0, 0);
    expect_malformed(UINT32_MAX, RB_LINK_LOG, 0, 0);
    expect_malformed(0, 0, 0, 0);
    expect_malformed(0, RB_LINK_CLOSE + 1, 0, 0);
    expect_malformed(0, RB_LINK_LIMIT + 1, 0, 0);
    expect_malformed(0, RB_LINK_LOG, 1, 0);
    expect_malformed(0, RB_LINK_LOG, 0, 1);
}

enum { LARGE = 3 * 1024 * 1024, SENDERS = 4, FRAMES = 20 };

static void *send_large(void *arg)
{
    struct rb_link *link = arg;
    char *json = malloc(LARGE);
    for (uint64_t i = 0; json != NULL && i < FRAMES; i++) {
        memset(json, 'a' + (int)i, LARGE);
        if (rb_link_send(link, RB_LINK_LOG, i, json, LARGE - i, NULL) != 0) {
            break;
        }
    }
    free(json);
    return NULL;
}

static void test_senders_do_not_mix(void **state)
{
    (void)state;
    struct pair p;
    pthread_t threads[SENDERS];
    pair_open(&p);
    for (size_t i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, send_large, &p.a), 0);
    }
    for (int i = 0; i < SENDERS * FRAMES; i++) {
        struct rb_link_frame f;
        assert_int_equal(rb_link_recv(&p.b, 20000, &f, NULL), 0);
        assert_int_equal(f.len, LARGE - f.id);
        char c = (char)('a' + (int)f.id);
        assert_true(f.json[0] == c && f.json[f.len / 2] == c && f.json[f.len - 1] == c);
        assert_int_equal(f.json[f.len], 0);
    }
    for (size_t i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
    }
    pair_close(&p);
}

static void test_too_large_is_refused(void **state)
{
    (void)state;
    struct pair p;
    struct rb_error err;
    pair_open(&p);
    assert_int_equal(rb_link_send(&p.a, RB_LINK_LOG, 0, "", (size_t)RB_LINK_PAYLOAD_MAX + 1, &err),
                     RB_ENOMEM);
    assert_string_equal(err.code, "MESSAGE_TOO_LARGE");
    pair_close(&p);
}

/* A message that nobody takes: it waits for its limit, or until something else wants its turn. */
static void test_send_gives_up(void **state)
{
    (void)state;
    struct pair p;
    struct rb_error err;
    const size_t len = 4 * 1024 * 1024;
    char *json = calloc(1, len);
    assert_non_null(json);
    pair_open(&p);
    p.a.send_limit_ms = 50;
    assert_int_equal(rb_link_send(&p.a, RB_LINK_UNIT, 1, json, len, &err), RB_ETIMEOUT);
    assert_string_equal(err.code, "LINK_STUCK");
    p.a.send_limit_ms = 2000;
    int wake[2];
    assert_int_equal(pipe(wake), 0);
    assert_int_equal(write(wake[1], "x", 1), 1);
    p.a.send_wake_fd = wake[0];
    assert_int_equal(rb_link_send(&p.a, RB_LINK_UNIT, 1, json, len, &err), RB_ETIMEOUT);
    assert_non_null(strstr(err.message, "given up")); /* not after its time */
    close(wake[0]);
    close(wake[1]);
    free(json);
    pair_close(&p);
}

static void test_base64(void **state)
{
    (void)state;
    /* RFC 4648, section 10. */
    static const char *const vectors[][2] = {{"", ""},
                                             {"f", "Zg=="},
                                             {"fo", "Zm8="},
                                             {"foo", "Zm9v"},
                                             {"foob", "Zm9vYg=="},
                                             {"fooba", "Zm9vYmE="},
                                             {"foobar", "Zm9vYmFy"},
                                             {"\xff\xfe\xfb", "//77"}};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        RB_CLEANUP(rb_buf_release) struct rb_buf b = RB_BUF_INIT(100);
        RB_CLEANUP(rb_buf_release) struct rb_buf back = RB_BUF_INIT(100);
        assert_int_equal(rb_link_base64_encode(vectors[i][0], strlen(vectors[i][0]), &b), 0);
        assert_string_equal(rb_buf_str(&b), vectors[i][1]);
        assert_int_equal(rb_link_base64_decode(rb_buf_str(&b), b.len, &back), 0);
        assert_string_equal(rb_buf_str(&back), vectors[i][0]);
    }
    static const char *const bad[] = {
        "Z", "Zg=", "Zg", "Zh==", "Zm9=", "=g==", "Z===", "Zm9v\n", "Zg==Zg==", "Z-_v"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        RB_CLEANUP(rb_buf_release) struct rb_buf back = RB_BUF_INIT(100);
        assert_int_equal(rb_link_base64_decode(bad[i], strlen(bad[i]), &back), RB_EPROTOCOL);
    }
}

static void test_hex(void **state)
{
    (void)state;
    RB_CLEANUP(rb_buf_release) struct rb_buf b = RB_BUF_INIT(100);
    RB_CLEANUP(rb_buf_release) struct rb_buf back = RB_BUF_INIT(100);
    assert_int_equal(rb_link_hex_encode("\x00\x9f\xA0", 3, &b), 0);
    assert_string_equal(rb_buf_str(&b), "009fa0");
    assert_int_equal(rb_link_hex_decode("009FA0", 6, &back), 0);
    assert_int_equal(back.len, 3);
    assert_memory_equal(back.data, "\x00\x9f\xA0", 3);
    assert_int_equal(rb_link_hex_decode("0", 1, &back), RB_EPROTOCOL);
    assert_int_equal(rb_link_hex_decode("0g", 2, &back), RB_EPROTOCOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_arrive_in_order),
        cmocka_unit_test(test_golden_frame),
        cmocka_unit_test(test_every_split_is_put_together),
        cmocka_unit_test(test_deadline_and_close),
        cmocka_unit_test(test_malformed_frames),
        cmocka_unit_test(test_senders_do_not_mix),
        cmocka_unit_test(test_too_large_is_refused),
        cmocka_unit_test(test_send_gives_up),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_hex),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
