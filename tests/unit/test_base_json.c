/* base/json: commas, escapes, numbers, failures that stick, the shape of an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static void test_nests_and_places_commas(void **state)
{
    (void)state;
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(1000);
    struct rb_json json;
    rb_json_init(&json, &out);
    rb_json_begin_object(&json);
    rb_json_key(&json, "a");
    rb_json_begin_array(&json);
    rb_json_end_array(&json);
    rb_json_key(&json, "b");
    rb_json_begin_array(&json);
    rb_json_null(&json);
    rb_json_bool(&json, true);
    rb_json_begin_object(&json);
    rb_json_end_object(&json);
    rb_json_i64(&json, INT64_MIN);
    rb_json_u64(&json, UINT64_MAX);
    rb_json_end_array(&json);
    rb_json_member_str(&json, "c", NULL);
    rb_json_member_raw(&json, "d", "{\"x\":1}", 7);
    rb_json_member_raw(&json, "e", NULL, 0);
    rb_json_member_double(&json, "f", 0.1);
    rb_json_end_object(&json);
    assert_int_equal(rb_json_finish(&json), 0);
    assert_string_equal(rb_buf_str(&out),
                        "{\"a\":[],\"b\":[null,true,{},-9223372036854775808,18446744073709551615],"
                        "\"c\":null,\"d\":{\"x\":1},\"e\":null,\"f\":0.1}");
}

static void assert_written(const char *text, size_t len, const char *expected)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(1000);
    struct rb_json json;
    rb_json_init(&json, &out);
    rb_json_strn(&json, text, len);
    assert_int_equal(rb_json_finish(&json), 0);
    assert_string_equal(rb_buf_str(&out), expected);
}

static void test_escapes_and_mends_text(void **state)
{
    (void)state;
    assert_written("a\"\\\b\f\n\r\t\x01\x1f\0z", 12,
                   "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\\u0000z\"");
    assert_written("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9,
                   "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
    assert_written("\xff", 1, "\"\xef\xbf\xbd\"");
    assert_written("\xc0\xaf", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");                 /* overlong */
    assert_written("\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""); /* surrogate */
    assert_written("\xe2\x82", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");                 /* cut short */
    assert_written("\xf4\x90\x80\x80", 4, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void test_doubles_read_back(void **state)
{
    (void)state;
    static const double values[] = {0, -0.5, 0.1, 1.0 / 3, 1e300, 5e-324, 123456789012345680.0};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(1000);
        struct rb_json json;
        rb_json_init(&json, &out);
        rb_json_double(&json, values[i]);
        assert_int_equal(rb_json_finish(&json), 0);
        assert_true(strtod(rb_buf_str(&out), NULL) == values[i]);
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(1000);
    struct rb_json json;
    rb_json_init(&json, &out);
    rb_json_begin_array(&json);
    rb_json_double(&json, (double)NAN);
    rb_json_double(&json, (double)INFINITY);
    rb_json_end_array(&json);
    assert_int_equal(rb_json_finish(&json), 0);
    assert_string_equal(rb_buf_str(&out), "[null,null]");
}

static void test_failures_stick(void **state)
{
    (void)state;
    for (size_t max = 0; max < 10; max++) {
        RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(max);
        struct rb_json json;
        rb_json_init(&json, &out);
        rb_json_begin_array(&json);
        rb_json_str(&json, "abcdef");
        rb_json_end_array(&json);
        assert_int_equal(rb_json_finish(&json), RB_ENOMEM);
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(1000);
    struct rb_json json;
    rb_json_init(&json, &out);
    rb_json_begin_object(&json);
    assert_int_equal(rb_json_finish(&json), RB_EINTERNAL);
    rb_json_init(&json, &out);
    rb_json_end_object(&json);
    assert_int_equal(rb_json_finish(&json), RB_EINTERNAL);
    rb_json_init(&json, &out);
    for (int i = 0; i < RB_JSON_DEPTH_MAX + 5; i++) {
        rb_json_begin_array(&json);
    }
    for (int i = 0; i < RB_JSON_DEPTH_MAX + 5; i++) {
        rb_json_end_array(&json);
    }
    assert_int_equal(rb_json_finish(&json), RB_EINTERNAL);
}

static void test_error_shape(void **state)
{
    (void)state;
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(10000);
    struct rb_error err;
    rb_error_set(&err, RB_EDB, "DEADLOCK", "m");
    struct rb_json json;
    rb_json_init(&json, &out);
    rb_json_error(&json, &err);
    assert_int_equal(rb_json_finish(&json), 0);
    assert_string_equal(rb_buf_str(&out),
                        "{\"category\":\"transient_db\",\"scope\":\"stream\",\"code\":\"DEADLOCK\","
                        "\"message\":\"m\",\"retryable\":true,\"retry_after_ms\":null,"
                        "\"backoff_class\":\"normal\",\"safe_to_retry\":false,"
                        "\"commit_state\":null,\"details\":null}");
    rb_buf_clear(&out);
    memcpy(err.sqlstate, "40P01", 6);
    rb_error_set_hint(&err, "h");
    err.commit_state = RB_COMMIT_BEFORE;
    err.scope = RB_SCOPE_BATCH;
    err.retry_after_ms = 250;
    err.safe_to_retry = true;
    rb_json_init(&json, &out);
    rb_json_error(&json, &err);
    assert_int_equal(rb_json_finish(&json), 0);
    assert_string_equal(rb_buf_str(&out),
                        "{\"category\":\"transient_db\",\"scope\":\"batch\",\"code\":\"DEADLOCK\","
                        "\"message\":\"m\",\"retryable\":true,\"retry_after_ms\":250,"
                        "\"backoff_class\":\"normal\",\"safe_to_retry\":true,"
                        "\"commit_state\":\"before_commit\","
                        "\"details\":{\"sqlstate\":\"40P01\",\"detail\":null,\"hint\":\"h\"}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nests_and_places_commas),
        cmocka_unit_test(test_escapes_and_mends_text),
        cmocka_unit_test(test_doubles_read_back),
        cmocka_unit_test(test_failures_stick),
        cmocka_unit_test(test_error_shape),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
