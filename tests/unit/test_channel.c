#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/worker/channel.h"

enum { UNIT = 9 };

static struct rb_frame *batch(uint64_t seq, size_t size)
{
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    memset(bytes, (int)(seq & 0xff), size);
    struct rb_frame *f = rb_frame_new(RB_FRAME_DATA, bytes, size);
    free(bytes);
    assert_non_null(f);
    f->unit = UNIT;
    f->seq = seq;
    return f;
}

static struct rb_frame *end(uint64_t seq)
{
    struct rb_frame *f = rb_frame_new(RB_FRAME_END, "{}", 2);
    assert_non_null(f);
    f->unit = UNIT;
    f->seq = seq;
    return f;
}

static void pause_ms(unsigned ms)
{
    usleep(ms * 1000);
}

struct sender {
    struct rb_channel *channel;
    size_t n;
    size_t size;
    uint64_t sent; /* atomic */
    int status;
    struct rb_error err;
};

static void *send_batches(void *arg)
{
    struct sender *s = arg;
    for (uint64_t i = 0; i < s->n; i++) {
        s->status = rb_channel_send(s->channel, batch(i, s->size), &s->err);
        if (s->status != 0) {
            return NULL;
        }
        __atomic_add_fetch(&s->sent, 1, __ATOMIC_SEQ_CST);
    }
    s->status = rb_channel_send(s->channel, end(s->n), &s->err);
    return NULL;
}

static void wait_for_sent(struct sender *s, uint64_t n)
{
    for (int i = 0; i < 2000 && __atomic_load_n(&s->sent, __ATOMIC_SEQ_CST) < n; i++) {
        pause_ms(1);
    }
    pause_ms(20); /* time to go too far */
    assert_true(__atomic_load_n(&s->sent, __ATOMIC_SEQ_CST) == n);
}

static void drain(struct rb_channel *c, uint64_t from, uint64_t n)
{
    for (uint64_t i = from; i < n; i++) {
        struct rb_frame *f = NULL;
        assert_int_equal(rb_channel_recv(c, UNIT, i, &f, NULL), 0);
        assert_int_equal(f->bytes[f->size - 1], i & 0xff);
        rb_channel_drop(c, f);
    }
    struct rb_frame *f = NULL;
    assert_int_equal(rb_channel_recv(c, UNIT, n, &f, NULL), 1);
    assert_memory_equal(f->bytes, "{}", 2);
    rb_channel_drop(c, f);
}

static void expect_bound(size_t max_batches, size_t max_bytes, size_t size, uint64_t fits)
{
    struct rb_channel c;
    assert_int_equal(rb_channel_init(&c, max_batches, max_bytes, NULL), 0);
    struct sender s = {.channel = &c, .n = 50, .size = size};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, send_batches, &s), 0);
    wait_for_sent(&s, fits);
    /* A frame that was received keeps its room until it is dropped. */
    struct rb_frame *f = NULL;
    assert_int_equal(rb_channel_recv(&c, UNIT, 0, &f, NULL), 0);
    wait_for_sent(&s, fits);
    rb_channel_drop(&c, f);
    wait_for_sent(&s, fits + 1);
    drain(&c, 1, 50);
    pthread_join(thread, NULL);
    assert_int_equal(s.status, 0);
    assert_true(c.n_batches == 0 && c.n_bytes == 0);
    assert_true(c.send_wait_ns >= 20 * 1000000LL);
    rb_channel_release(&c);
}

static void test_bounded_in_batches(void **state)
{
    (void)state;
    expect_bound(3, 1 << 20, 10, 3);
    expect_bound(1, 1 << 20, 10, 1);
}

static void test_bounded_in_bytes(void **state)
{
    (void)state;
    expect_bound(1000, 1000, 300, 3);
    expect_bound(1000, 900, 300, 3);
    expect_bound(1000, 899, 300, 2);
}

static void test_large_batch_passes_alone(void **state)
{
    (void)state;
    expect_bound(16, 100, 5000, 1);
}

static void test_receiver_waits_are_measured(void **state)
{
    (void)state;
    struct rb_channel c;
    assert_int_equal(rb_channel_init(&c, 4, 1000, NULL), 0);
    struct sender s = {.channel = &c, .n = 0};
    pthread_t thread;
    struct rb_frame *f = NULL;
    assert_int_equal(rb_channel_send(&c, batch(0, 1), NULL), 0);
    assert_int_equal(rb_channel_recv(&c, UNIT, 0, &f, NULL), 0);
    rb_channel_drop(&c, f);
    assert_true(c.recv_wait_ns == 0);
    assert_int_equal(pthread_create(&thread, NULL, send_batches, &s), 0);
    drain(&c, 0, 0);
    pthread_join(thread, NULL);
    rb_channel_reset(&c);
    assert_true(c.recv_wait_ns == 0 && c.send_wait_ns == 0);
    rb_channel_release(&c);
}

static void test_gap_and_foreign_unit(void **state)
{
    (void)state;
    struct rb_channel c;
    struct rb_error err;
    struct rb_frame *f = NULL;
    assert_int_equal(rb_channel_init(&c, 4, 1000, NULL), 0);
    rb_channel_send(&c, batch(1, 1), NULL);
    assert_int_equal(rb_channel_recv(&c, UNIT, 0, &f, &err), RB_EINTERNAL);
    assert_string_equal(err.code, "FRAME_ORDER");
    rb_channel_send(&c, batch(0, 1), NULL);
    assert_int_equal(rb_channel_recv(&c, UNIT + 1, 0, &f, &err), RB_EINTERNAL);
    /* The end names the number of batches: the last ones can't be missing either. */
    rb_channel_send(&c, end(2), NULL);
    assert_int_equal(rb_channel_recv(&c, UNIT, 1, &f, &err), RB_EINTERNAL);
    assert_null(f);
    rb_channel_release(&c);
}

static struct rb_frame *part(uint64_t seq)
{
    struct rb_frame *f = end(seq);
    f->kind = RB_FRAME_PART;
    return f;
}

/* The end of a part keeps its place among the batches, and its room: there may be any number. */
static void test_part_between_batches(void **state)
{
    (void)state;
    struct rb_channel c;
    struct rb_error err;
    struct rb_frame *f = NULL;
    assert_int_equal(rb_channel_init(&c, 3, 1000, NULL), 0);
    assert_int_equal(rb_channel_send(&c, batch(0, 1), NULL), 0);
    assert_int_equal(rb_channel_send(&c, part(1), NULL), 0);
    assert_int_equal(rb_channel_send(&c, batch(1, 1), NULL), 0);
    assert_true(c.n_batches == 3 && c.n_bytes == 4);
    assert_int_equal(rb_channel_recv(&c, UNIT, 0, &f, NULL), 0);
    rb_channel_drop(&c, f);
    assert_int_equal(rb_channel_recv(&c, UNIT, 1, &f, NULL), 2);
    rb_channel_drop(&c, f);
    assert_int_equal(rb_channel_recv(&c, UNIT, 1, &f, NULL), 0);
    rb_channel_drop(&c, f);
    assert_true(c.n_batches == 0 && c.n_bytes == 0);
    /* One that names another number of batches has lost some. */
    rb_channel_send(&c, part(3), NULL);
    assert_int_equal(rb_channel_recv(&c, UNIT, 2, &f, &err), RB_EINTERNAL);
    assert_string_equal(err.code, "FRAME_ORDER");
    rb_channel_release(&c);
}

static void test_abort_reaches_the_receiver(void **state)
{
    (void)state;
    struct rb_channel c;
    struct rb_error why, err;
    struct rb_frame *f = NULL;
    rb_error_set(&why, RB_EDB, "DB", "server closed the connection");
    assert_int_equal(rb_channel_init(&c, 1, 10, NULL), 0);
    rb_channel_send(&c, batch(0, 10), NULL);
    struct rb_frame *abort_frame = rb_frame_new_abort();
    assert_non_null(abort_frame);
    rb_frame_set_abort(abort_frame, &why);
    abort_frame->unit = UNIT;
    assert_int_equal(rb_channel_send(&c, abort_frame, NULL), 0); /* never waits */
    assert_int_equal(rb_channel_recv(&c, UNIT, 0, &f, &err), 0);
    rb_channel_drop(&c, f);
    assert_int_equal(rb_channel_recv(&c, UNIT, 1, &f, &err), RB_EABORTED);
    assert_string_equal(err.code, "ABORTED");
    assert_non_null(strstr(err.message, "server closed the connection"));
    rb_channel_release(&c);
}

static void test_close_stops_the_sender(void **state)
{
    (void)state;
    struct rb_channel c;
    struct rb_error why;
    rb_error_set(&why, RB_EDATA, "DATA", "value refused");
    assert_int_equal(rb_channel_init(&c, 2, 1000, NULL), 0);
    struct sender s = {.channel = &c, .n = 50, .size = 10};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, send_batches, &s), 0);
    wait_for_sent(&s, 2);
    rb_channel_close(&c, &why);
    pthread_join(thread, NULL);
    assert_int_equal(s.status, RB_EABORTED);
    assert_string_equal(s.err.code, "RECEIVER_ENDED");
    assert_non_null(strstr(s.err.message, "value refused"));
    rb_channel_reset(&c);
    assert_int_equal(rb_channel_send(&c, batch(0, 1), NULL), 0);
    rb_channel_release(&c);
}

/* A neighbour that was cancelled is no failure of its own. */
static void test_cancelled_neighbour(void **state)
{
    (void)state;
    struct rb_channel c;
    struct rb_error why;
    struct rb_frame *f = NULL;
    rb_error_set(&why, RB_ECANCELLED, "CANCELLED", "the run was cancelled");
    assert_int_equal(rb_channel_init(&c, 1, 10, NULL), 0);
    struct rb_frame *abort_frame = rb_frame_new_abort();
    assert_non_null(abort_frame);
    rb_frame_set_abort(abort_frame, &why);
    abort_frame->unit = UNIT;
    assert_int_equal(rb_channel_send(&c, abort_frame, NULL), 0);
    assert_int_equal(rb_channel_recv(&c, UNIT, 0, &f, NULL), RB_ECANCELLED);
    rb_channel_close(&c, &why);
    assert_int_equal(rb_channel_send(&c, batch(0, 1), NULL), RB_ECANCELLED);
    rb_channel_release(&c);
}

struct receiver {
    struct rb_channel *channel;
    int status;
};

static void *receive_one(void *arg)
{
    struct receiver *r = arg;
    struct rb_frame *f = NULL;
    r->status = rb_channel_recv(r->channel, UNIT, 0, &f, NULL);
    return NULL;
}

static void test_cancel_wakes_both_sides(void **state)
{
    (void)state;
    struct rb_channel full, empty;
    assert_int_equal(rb_channel_init(&full, 2, 1000, NULL), 0);
    assert_int_equal(rb_channel_init(&empty, 2, 1000, NULL), 0);
    struct sender s = {.channel = &full, .n = 50, .size = 10};
    struct receiver r = {.channel = &empty};
    pthread_t threads[2];
    assert_int_equal(pthread_create(&threads[0], NULL, send_batches, &s), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, receive_one, &r), 0);
    wait_for_sent(&s, 2);
    rb_channel_cancel(&full);
    rb_channel_cancel(&empty);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    assert_int_equal(s.status, RB_ECANCELLED);
    assert_int_equal(r.status, RB_ECANCELLED);
    /* It stays so, even with frames in it. */
    struct rb_frame *f = NULL;
    assert_int_equal(rb_channel_recv(&full, UNIT, 0, &f, NULL), RB_ECANCELLED);
    rb_channel_reset(&full);
    assert_int_equal(rb_channel_send(&full, batch(0, 1), NULL), RB_ECANCELLED);
    rb_channel_release(&full);
    rb_channel_release(&empty);
}

static void test_throughput_keeps_order(void **state)
{
    (void)state;
    struct rb_channel c;
    assert_int_equal(rb_channel_init(&c, 4, 1000, NULL), 0);
    struct sender s = {.channel = &c, .n = 20000, .size = 33};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, send_batches, &s), 0);
    drain(&c, 0, 20000);
    pthread_join(thread, NULL);
    rb_channel_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounded_in_batches),
        cmocka_unit_test(test_bounded_in_bytes),
        cmocka_unit_test(test_large_batch_passes_alone),
        cmocka_unit_test(test_receiver_waits_are_measured),
        cmocka_unit_test(test_gap_and_foreign_unit),
        cmocka_unit_test(test_part_between_batches),
        cmocka_unit_test(test_abort_reaches_the_receiver),
        cmocka_unit_test(test_close_stops_the_sender),
        cmocka_unit_test(test_cancelled_neighbour),
        cmocka_unit_test(test_cancel_wakes_both_sides),
        cmocka_unit_test(test_throughput_keeps_order),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
