/* host/cli: a checkpoint as people read it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "host/cli/cursor.h"
#include "host/cli/text.h"

static void test_text(void **ctx)
{
    static const char *const cases[][2] = {
        {"{\"cursor_value\":{\"utf8\":\"a b\"}}", "a b"},
        {"{\"cursor_value\":{\"int64\":-5}}", "-5"},
        {"{\"cursor_value\":{\"decimal\":{\"value\":\"1.50\",\"scale\":2}}}", "1.50"},
        {"{\"cursor_value\":{\"timestamp_micros\":0}}", "1970-01-01 00:00:00+00"},
        {"{\"cursor_value\":{\"timestamp_micros\":1767657600000001}}",
         "2026-01-06 00:00:00.000001+00"},
        {"{\"cursor_value\":{\"timestamp_micros\":-1}}", "1969-12-31 23:59:59.999999+00"},
        {"{\"cursor_value\":{\"timestamp_micros\":9223372036854775807}}", "9223372036854775807"},
        {"{\"cursor_value\":{\"json\":[1]}}", "[1]"},
        {"{\"cursor_value\":{\"timestamp_micros\":0},\"cursor_text\":\"1970-01-01 "
         "00:00:00.000000\"}",
         "1970-01-01 00:00:00"},
        {"{\"cursor_value\":{\"timestamp_micros\":0},\"cursor_text\":\"0044-03-15 "
         "12:00:00.120000+00 BC\"}",
         "0044-03-15 12:00:00.12+00 BC"},
        {"{\"cursor_text\":\"1.500\"}", "1.500"},
        {"{\"cursor_value\":\"null\"}", "-"},
        {"{\"cursor_value\":null}", "-"},
        {"{}", "-"},
        {"not json", "-"},
    };
    (void)ctx;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        RB_CLEANUP(rb_buf_release) struct rb_buf got = RB_BUF_INIT(1024);
        assert_int_equal(rb_cursor_text(cases[i][0], &got), 0);
        assert_string_equal(rb_buf_str(&got), cases[i][1]);
    }
}

static void test_make(void **ctx)
{
    (void)ctx;
    RB_CLEANUP(rb_buf_release) struct rb_buf made = RB_BUF_INIT(1024);
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(1024);
    assert_int_equal(rb_cursor_make("s", "c", "it's \"5\"", &made), 0);
    assert_string_equal(
        rb_buf_str(&made),
        "{\"stream\":\"s\",\"cursor_field\":\"c\",\"cursor_value\":{\"utf8\":\"it's "
        "\\\"5\\\"\"},\"records_processed\":0,\"bytes_processed\":0,\"resume\":null}");
    assert_int_equal(rb_cursor_text(rb_buf_str(&made), &text), 0);
    assert_string_equal(rb_buf_str(&text), "it's \"5\"");
}

static void test_time(void **ctx)
{
    char text[RB_TEXT_MAX];
    (void)ctx;
    assert_string_equal(rb_text_time(0, text), "-");
    assert_string_equal(rb_text_time(1767657600999999, text), "2026-01-06T00:00:00Z");
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_make),
        cmocka_unit_test(test_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
