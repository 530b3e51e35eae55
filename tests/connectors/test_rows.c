/* The SDK's rows (rapidbyte/rows.h) and rb_json_hex, against the host double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "rapidbyte/rapidbyte.h"
#include "sdk/native/host_double.h"

static const struct rb_rows_column columns[] = {
    {"id", NANOARROW_TYPE_INT32, false},
    {"text", NANOARROW_TYPE_STRING, true},
    {"yes", NANOARROW_TYPE_BOOL, true},
};
static const struct rb_stream_context context = {.max_batch_bytes = 64 * 1024};

static int teardown(void **state)
{
    (void)state;
    rb_double_reset();
    return 0;
}

static int add_row(struct rb_rows *rows, int i, struct rb_error *err)
{
    char text[101];
    memset(text, 'a' + i % 26, sizeof text - 1);
    text[sizeof text - 1] = 0;
    ArrowArrayAppendInt(rows->array.children[0], i);
    if (i % 3 == 0) {
        ArrowArrayAppendNull(rows->array.children[1], 1);
    } else {
        ArrowArrayAppendString(rows->array.children[1], ArrowCharView(text));
    }
    ArrowArrayAppendInt(rows->array.children[2], i % 2);
    return rb_rows_end_row(rows, err);
}

static void test_batches_fill_and_hold_every_row(void **state)
{
    (void)state;
    enum { N_ROWS = 5000 };
    struct rb_error err = {0};
    struct rb_read_summary summary = {0};
    RB_CLEANUP(rb_rows_release) struct rb_rows rows;
    assert_int_equal(rb_rows_init(&rows, columns, 3, &context, &err), 0);
    for (int i = 0; i < N_ROWS; i++) {
        assert_int_equal(add_row(&rows, i, &err), 0);
    }
    assert_int_equal(rb_rows_finish(&rows, &summary, &err), 0);
    assert_int_equal(summary.records_read, N_ROWS);
    assert_true(rb_double.emitted.n > 5);
    assert_int_equal(summary.batches_emitted, rb_double.emitted.n);
    int64_t at = 0;
    RB_CLEANUP(rb_ipc_decoder_release) struct rb_ipc_decoder decoder;
    rb_ipc_decoder_init(&decoder);
    for (size_t b = 0; b < rb_double.emitted.n; b++) {
        const struct rb_buf *batch = &rb_double.emitted.items[b];
        assert_true(batch->len <= 64 * 1024);
        assert_true(rb_ipc_decode(&decoder, batch->data, batch->len, NULL) >= 0);
        for (int64_t i = 0; i < decoder.n_rows; i++, at++) {
            assert_int_equal(ArrowArrayViewGetIntUnsafe(decoder.view->children[0], i), at);
            assert_int_equal(ArrowArrayViewIsNull(decoder.view->children[1], i), at % 3 == 0);
            assert_int_equal(ArrowArrayViewGetIntUnsafe(decoder.view->children[2], i), at % 2);
        }
    }
    assert_int_equal(at, N_ROWS);
    assert_false(decoder.schema.children[0]->flags & ARROW_FLAG_NULLABLE);
    assert_true(decoder.schema.children[1]->flags & ARROW_FLAG_NULLABLE);
}

static void test_no_rows_are_one_batch(void **state)
{
    (void)state;
    struct rb_error err = {0};
    struct rb_read_summary summary = {0};
    RB_CLEANUP(rb_rows_release) struct rb_rows rows;
    assert_int_equal(rb_rows_init(&rows, columns, 3, &context, &err), 0);
    assert_int_equal(rb_rows_finish(&rows, &summary, &err), 0);
    assert_int_equal(summary.batches_emitted, 1);
    assert_int_equal(summary.records_read, 0);
}

static void test_a_row_that_lacks_a_value(void **state)
{
    (void)state;
    struct rb_error err = {0};
    RB_CLEANUP(rb_rows_release) struct rb_rows rows;
    assert_int_equal(rb_rows_init(&rows, columns, 3, &context, &err), 0);
    assert_int_equal(add_row(&rows, 0, &err), 0);
    ArrowArrayAppendInt(rows.array.children[0], 1);
    assert_int_equal(rb_rows_end_row(&rows, &err), RB_EINTERNAL);
    assert_string_equal(err.code, "INCOMPLETE_ROW");
    assert_non_null(strstr(err.message, "row 2"));
}

static void test_hex(void **state)
{
    (void)state;
    static const char json[] = "{\"good\":\"00Ff7e\",\"short\":\"00ff\",\"long\":\"00ff7e00\","
                               "\"other\":\"00fg7e\",\"number\":123456}";
    static const char *const bad[] = {"short", "long", "other", "number", "missing"};
    struct rb_json_doc *doc = NULL;
    struct rb_error err = {0};
    uint8_t bytes[3] = {1, 1, 1};
    assert_int_equal(rb_json_parse(json, sizeof json - 1, &doc, &err), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(rb_json_hex(rb_json_root(doc), bad[i], bytes, 3, &err), RB_ECONFIG);
        assert_non_null(strstr(err.message, bad[i]));
        assert_int_equal(bytes[0], 1);
    }
    assert_int_equal(rb_json_hex(rb_json_root(doc), "good", bytes, 3, &err), 0);
    assert_memory_equal(bytes, "\x00\xff\x7e", 3);
    rb_json_free(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_batches_fill_and_hold_every_row, teardown),
        cmocka_unit_test_teardown(test_no_rows_are_one_batch, teardown),
        cmocka_unit_test_teardown(test_a_row_that_lacks_a_value, teardown),
        cmocka_unit_test_teardown(test_hex, teardown),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
