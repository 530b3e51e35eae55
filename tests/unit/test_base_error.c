/* base/error: what a status implies, cutting of text, names both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static void test_set_implies_category_and_retry(void **state)
{
    (void)state;
    struct rb_error err = {.sqlstate = "12345", .hint = "old"};
    assert_int_equal(rb_error_set(&err, RB_ENETWORK, "CONNECT", "host %s", "db"), RB_ENETWORK);
    assert_int_equal(err.status, RB_ENETWORK);
    assert_int_equal(err.category, RB_CATEGORY_TRANSIENT_NETWORK);
    assert_true(err.retryable);
    assert_false(err.safe_to_retry);
    assert_string_equal(err.code, "CONNECT");
    assert_string_equal(err.message, "host db");
    assert_string_equal(err.sqlstate, "");
    assert_string_equal(err.hint, "");
    rb_error_set(&err, RB_ECONFIG, "X", "y");
    assert_int_equal(err.category, RB_CATEGORY_CONFIG);
    assert_false(err.retryable);
    rb_error_set(&err, RB_ETIMEOUT, "X", "y");
    assert_int_equal(err.category, RB_CATEGORY_TRANSIENT_NETWORK);
    assert_true(err.retryable);
}

static void test_null_is_accepted(void **state)
{
    (void)state;
    assert_int_equal(rb_error_set(NULL, RB_EDATA, "X", "y"), RB_EDATA);
    assert_int_equal(rb_error_set_errno(NULL, RB_EIO, "X", ENOENT, "y"), RB_EIO);
    rb_error_prefix(NULL, "x");
    rb_error_set_detail(NULL, "x");
    rb_error_set_hint(NULL, "x");
    rb_error_clear(NULL);
}

static void test_prefix_errno_and_own_text(void **state)
{
    (void)state;
    struct rb_error err;
    rb_error_set_errno(&err, RB_EIO, "OPEN", ENOENT, "can't open %s", "f");
    assert_string_equal(err.message, "can't open f: No such file or directory");
    rb_error_prefix(&err, "stream '%s'", "orders");
    assert_string_equal(err.message, "stream 'orders': can't open f: No such file or directory");
    rb_error_set(&err, RB_EDATA, err.code, "again: %s", err.message);
    assert_string_equal(err.message,
                        "again: stream 'orders': can't open f: No such file or directory");
    rb_error_set_detail(&err, "d%d", 1);
    rb_error_set_hint(&err, "h%d", 2);
    assert_string_equal(err.detail, "d1");
    assert_string_equal(err.hint, "h2");
}

static void test_text_is_cut_at_a_character(void **state)
{
    (void)state;
    static const char *const characters[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    for (size_t c = 0; c < 3; c++) {
        for (size_t shift = 0; shift < 4; shift++) {
            char text[2000] = "";
            memset(text, 'x', shift);
            for (size_t at = shift; at < 1900; at += strlen(characters[c])) {
                memcpy(text + at, characters[c], strlen(characters[c]));
            }
            struct rb_error err;
            rb_error_set(&err, RB_EDATA, "X", "%s", text);
            size_t len = strlen(err.message);
            assert_in_range(len, RB_ERROR_MESSAGE_MAX - 4, RB_ERROR_MESSAGE_MAX - 1);
            assert_int_equal((len - shift) % strlen(characters[c]), 0);
            assert_memory_equal(err.message, text, len);
        }
    }
}

static void test_names_both_ways(void **state)
{
    (void)state;
    for (int i = RB_CATEGORY_INTERNAL; i <= RB_CATEGORY_SCHEMA; i++) {
        const char *name = rb_error_category_name((enum rb_category)i);
        assert_int_equal(rb_error_category_parse(name, strlen(name)), i);
        int status = rb_error_status_of_category((enum rb_category)i);
        assert_int_equal(rb_error_category_of_status(status), i);
    }
    for (int i = RB_SCOPE_STREAM; i <= RB_SCOPE_RECORD; i++) {
        const char *name = rb_error_scope_name((enum rb_error_scope)i);
        assert_int_equal(rb_error_scope_parse(name, strlen(name)), i);
    }
    for (int i = RB_BACKOFF_NORMAL; i <= RB_BACKOFF_SLOW; i++) {
        const char *name = rb_error_backoff_name((enum rb_backoff)i);
        assert_int_equal(rb_error_backoff_parse(name, strlen(name)), i);
    }
    assert_null(rb_error_commit_state_name(RB_COMMIT_NONE));
    for (int i = RB_COMMIT_BEFORE; i <= RB_COMMIT_AFTER_CONFIRMED; i++) {
        const char *name = rb_error_commit_state_name((enum rb_commit_state)i);
        assert_int_equal(rb_error_commit_state_parse(name, strlen(name)), i);
    }
    assert_int_equal(rb_error_category_parse("dat", 3), RB_CATEGORY_INTERNAL);
    assert_int_equal(rb_error_category_parse("datax", 4), RB_CATEGORY_DATA);
    assert_int_equal(rb_error_commit_state_parse("", 0), RB_COMMIT_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_implies_category_and_retry),
        cmocka_unit_test(test_null_is_accepted),
        cmocka_unit_test(test_prefix_errno_and_own_text),
        cmocka_unit_test(test_text_is_cut_at_a_character),
        cmocka_unit_test(test_names_both_ways),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
