/* base/buf: growth, maximum, formatting, handing over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static void test_grows_and_ends_in_zero(void **state)
{
    (void)state;
    RB_CLEANUP(rb_buf_release) struct rb_buf buf = RB_BUF_INIT(100000);
    assert_string_equal(rb_buf_str(&buf), "");
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(rb_buf_append_byte(&buf, (uint8_t)('a' + i % 26)), 0);
        assert_int_equal(buf.data[buf.len], 0);
    }
    assert_int_equal(buf.len, 10000);
    assert_int_equal(buf.data[9999], 'a' + 9999 % 26);
    rb_buf_clear(&buf);
    assert_string_equal(rb_buf_str(&buf), "");
    assert_true(buf.cap > 10000);
}

static void test_maximum_is_exact(void **state)
{
    (void)state;
    for (size_t max = 0; max < 200; max++) {
        RB_CLEANUP(rb_buf_release) struct rb_buf buf = RB_BUF_INIT(max);
        for (size_t i = 0; i < max; i++) {
            assert_int_equal(rb_buf_append(&buf, "x", 1), 0);
        }
        assert_int_equal(rb_buf_append(&buf, "x", 1), RB_ENOMEM);
        assert_int_equal(rb_buf_printf(&buf, "%d", 1), RB_ENOMEM);
        assert_int_equal(buf.len, max);
        assert_true(buf.cap <= max + 1);
    }
}

static void test_refuses_sizes_that_overflow(void **state)
{
    (void)state;
    RB_CLEANUP(rb_buf_release) struct rb_buf buf = RB_BUF_INIT(SIZE_MAX);
    assert_int_equal(rb_buf_append_str(&buf, "abc"), 0);
    assert_int_equal(rb_buf_reserve(&buf, SIZE_MAX), RB_ENOMEM);
    assert_int_equal(rb_buf_reserve(&buf, SIZE_MAX - 3), RB_ENOMEM);
    assert_string_equal(rb_buf_str(&buf), "abc");
}

static void test_formats_and_big_endian(void **state)
{
    (void)state;
    RB_CLEANUP(rb_buf_release) struct rb_buf buf = RB_BUF_INIT(1000);
    assert_int_equal(rb_buf_printf(&buf, "%s-%d", "n", 42), 0);
    assert_string_equal(rb_buf_str(&buf), "n-42");
    rb_buf_clear(&buf);
    assert_int_equal(rb_buf_append_be16(&buf, 0x0102), 0);
    assert_int_equal(rb_buf_append_be32(&buf, 0x03040506), 0);
    assert_int_equal(rb_buf_append_be64(&buf, UINT64_C(0x0708090a0b0c0d0e)), 0);
    assert_int_equal(buf.len, 14);
    for (uint8_t i = 0; i < 14; i++) {
        assert_int_equal(buf.data[i], i + 1);
    }
}

static void test_steal_hands_over(void **state)
{
    (void)state;
    struct rb_buf buf = RB_BUF_INIT(1000);
    assert_null(rb_buf_steal(&buf));
    assert_int_equal(rb_buf_append(&buf, NULL, 0), 0);
    assert_null(rb_buf_steal(&buf));
    assert_int_equal(rb_buf_append_str(&buf, "mine"), 0);
    char *text = rb_buf_steal(&buf);
    assert_string_equal(text, "mine");
    assert_null(buf.data);
    assert_int_equal(buf.len, 0);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_and_ends_in_zero),
        cmocka_unit_test(test_maximum_is_exact),
        cmocka_unit_test(test_refuses_sizes_that_overflow),
        cmocka_unit_test(test_formats_and_big_endian),
        cmocka_unit_test(test_steal_hands_over),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
