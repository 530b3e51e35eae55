/* The example connectors (sdk/examples), natively against the host double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/metadata.h"
#include "sdk/examples/dest_count.c"
#include "sdk/examples/source_numbers.c"
#include "sdk/examples/transform_mask.c"

#include "sdk/native/host_double.h"

static int setup(void **state)
{
    (void)state;
    rb_double_reset();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rb_sdk_close(&numbers);
    rb_sdk_close(&count);
    rb_sdk_close(&mask_columns);
    rb_double_reset();
    return 0;
}

static void assert_ok(const struct rb_connector *connector, enum rb_sdk_call call, const char *json,
                      const char *contains)
{
    char *result = rb_double_call(connector, call, json);
    if (strncmp(result, "{\"status\":\"ok\"", 14) != 0 || strstr(result, contains) == NULL) {
        fail_msg("%s", result);
    }
    free(result);
}

static void assert_err(const struct rb_connector *connector, enum rb_sdk_call call,
                       const char *json, const char *contains)
{
    char *result = rb_double_call(connector, call, json);
    if (strncmp(result, "{\"status\":\"err\"", 15) != 0 || strstr(result, contains) == NULL) {
        fail_msg("%s", result);
    }
    free(result);
}

static void test_numbers_to_count(void **state)
{
    (void)state;
    assert_ok(&numbers, RB_SDK_OPEN, "{\"config\":{\"json\":{\"rows\":300000}}}", "features");
    assert_ok(&numbers, RB_SDK_DISCOVER, "{}", "\"name\":\"numbers\"");
    assert_ok(&numbers, RB_SDK_READ, "{\"stream_name\":\"numbers\"}", "\"records_read\":300000");
    assert_int_equal(rb_double.emitted.n, 3);
    rb_sdk_close(&numbers);
    rb_double_feed_emitted();
    rb_double_feed_end("{}");
    assert_ok(&count, RB_SDK_OPEN, "{}", "features");
    assert_ok(&count, RB_SDK_WRITE, "{\"stream_name\":\"numbers\"}", "\"records_written\":300000");
    assert_string_equal(rb_buf_str(rb_double_state(RB_STATE_STREAM, "rows")), "300000");
    assert_ok(&count, RB_SDK_WRITE, "{\"stream_name\":\"numbers\"}", "\"records_written\":0");
    assert_string_equal(rb_buf_str(rb_double_state(RB_STATE_STREAM, "rows")), "300000");
}

static void test_numbers_of_no_rows_has_a_schema(void **state)
{
    (void)state;
    assert_ok(&numbers, RB_SDK_OPEN, "{\"config\":{\"json\":{\"rows\":0}}}", "features");
    assert_ok(&numbers, RB_SDK_READ, "{\"stream_name\":\"numbers\"}", "\"batches_emitted\":1");
    rb_sdk_close(&numbers);
    assert_err(&numbers, RB_SDK_OPEN, "{\"config\":{\"json\":{\"rows\":-1}}}", "BAD_ROWS");
}

static void test_count_does_not_count_what_was_aborted(void **state)
{
    (void)state;
    assert_ok(&numbers, RB_SDK_OPEN, "{\"config\":{\"json\":{\"rows\":10}}}", "features");
    assert_ok(&numbers, RB_SDK_READ, "{\"stream_name\":\"numbers\"}", "\"records_read\":10");
    rb_sdk_close(&numbers);
    rb_double_feed_emitted();
    rb_double_feed_abort();
    assert_ok(&count, RB_SDK_OPEN, "{}", "features");
    assert_err(&count, RB_SDK_WRITE, "{\"stream_name\":\"numbers\"}", "ABORTED");
    assert_null(rb_double_state(RB_STATE_STREAM, "rows"));
}

/* Feeds n rows of: id int64 not null, email utf8 (every third NULL), at timestamp, raw binary. */
static void feed_people(int n)
{
    struct ArrowSchema schema;
    struct ArrowArray array;
    struct rb_ipc_encoder encoder;
    RB_CLEANUP(rb_buf_release) struct rb_buf bytes = RB_BUF_INIT(1 << 20);
    ArrowSchemaInit(&schema);
    assert_int_equal(ArrowSchemaSetTypeStruct(&schema, 4), 0);
    assert_int_equal(ArrowSchemaSetType(schema.children[0], NANOARROW_TYPE_INT64), 0);
    schema.children[0]->flags = 0;
    assert_int_equal(ArrowSchemaSetType(schema.children[1], NANOARROW_TYPE_STRING), 0);
    assert_int_equal(ArrowSchemaSetTypeDateTime(schema.children[2], NANOARROW_TYPE_TIMESTAMP,
                                                NANOARROW_TIME_UNIT_MICRO, NULL),
                     0);
    assert_int_equal(ArrowSchemaSetType(schema.children[3], NANOARROW_TYPE_BINARY), 0);
    static const char *const names[] = {"id", "email", "at", "raw"};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(ArrowSchemaSetName(schema.children[i], names[i]), 0);
    }
    const struct rb_meta_pair pairs[] = {{RB_META_PG_TYPE, "character varying(9)"}};
    assert_int_equal(rb_meta_set(schema.children[1], pairs, 1, NULL), 0);
    assert_int_equal(ArrowArrayInitFromSchema(&array, &schema, NULL), 0);
    assert_int_equal(ArrowArrayStartAppending(&array), 0);
    for (int i = 0; i < n; i++) {
        assert_int_equal(ArrowArrayAppendInt(array.children[0], i), 0);
        if (i % 3 == 0) {
            assert_int_equal(ArrowArrayAppendNull(array.children[1], 1), 0);
        } else {
            assert_int_equal(ArrowArrayAppendString(array.children[1], ArrowCharView("a@b")), 0);
        }
        assert_int_equal(ArrowArrayAppendInt(array.children[2], i), 0);
        assert_int_equal(ArrowArrayAppendString(array.children[3], ArrowCharView("a@b")), 0);
        assert_int_equal(ArrowArrayFinishElement(&array), 0);
    }
    assert_int_equal(ArrowArrayFinishBuildingDefault(&array, NULL), 0);
    assert_int_equal(rb_ipc_encoder_init(&encoder, &schema, NULL), 0);
    assert_int_equal(rb_ipc_encode(&encoder, &array, &bytes, NULL), 0);
    rb_double_feed_batch(bytes.data, bytes.len);
    rb_ipc_encoder_release(&encoder);
    ArrowArrayRelease(&array);
    ArrowSchemaRelease(&schema);
}

static const char *text_at(const struct ArrowArrayView *view, int64_t i)
{
    static char text[64];
    struct ArrowStringView value = ArrowArrayViewGetStringUnsafe(view, i);
    snprintf(text, sizeof text, "%.*s", (int)value.size_bytes, value.data);
    return text;
}

static void test_mask_by_hash(void **state)
{
    (void)state;
    feed_people(10);
    feed_people(4);
    rb_double_feed_end("{}");
    assert_ok(&mask_columns, RB_SDK_OPEN,
              "{\"config\":{\"json\":{\"columns\":[\"email\",\"raw\"],\"method\":\"hash\","
              "\"key\":\"000102030405060708090a0b0c0d0e0f\"}}}",
              "features");
    assert_ok(&mask_columns, RB_SDK_TRANSFORM, "{\"stream_name\":\"people\"}",
              "\"records_in\":14,\"records_out\":14");
    assert_int_equal(rb_double.emitted.n, 2);
    RB_CLEANUP(rb_ipc_decoder_release) struct rb_ipc_decoder decoder;
    rb_ipc_decoder_init(&decoder);
    const struct rb_buf *batch = &rb_double.emitted.items[0];
    assert_int_equal(rb_ipc_decode(&decoder, batch->data, batch->len, NULL), 1);
    assert_int_equal(decoder.n_rows, 10);
    uint8_t key[16];
    for (uint8_t i = 0; i < 16; i++) {
        key[i] = i;
    }
    char expected[17];
    snprintf(expected, sizeof expected, "%016" PRIx64, rb_hash_siphash(key, "a@b", 3));
    struct ArrowArrayView **columns = decoder.view->children;
    assert_int_equal(ArrowArrayViewGetIntUnsafe(columns[0], 9), 9);
    assert_true(ArrowArrayViewIsNull(columns[1], 0));
    assert_string_equal(text_at(columns[1], 1), expected);
    assert_string_equal(text_at(columns[3], 9), expected);
    assert_int_equal(ArrowArrayViewGetIntUnsafe(columns[2], 9), 9);
    assert_string_equal(decoder.schema.children[3]->format, "u");
    struct ArrowStringView type;
    assert_int_equal(rb_meta_get(decoder.schema.children[1], RB_META_PG_TYPE, &type), 1);
}

static void test_mask_by_null(void **state)
{
    (void)state;
    feed_people(5);
    rb_double_feed_end("{}");
    assert_ok(&mask_columns, RB_SDK_OPEN,
              "{\"config\":{\"json\":{\"columns\":[\"id\",\"at\",\"email\"],\"method\":\"null\"}}}",
              "features");
    assert_ok(&mask_columns, RB_SDK_TRANSFORM, "{\"stream_name\":\"people\"}", "\"records_in\":5");
    RB_CLEANUP(rb_ipc_decoder_release) struct rb_ipc_decoder decoder;
    rb_ipc_decoder_init(&decoder);
    const struct rb_buf *batch = &rb_double.emitted.items[0];
    assert_int_equal(rb_ipc_decode(&decoder, batch->data, batch->len, NULL), 1);
    for (int c = 0; c < 3; c++) {
        assert_int_equal(decoder.view->children[c]->null_count, 5);
        assert_true(decoder.schema.children[c]->flags & ARROW_FLAG_NULLABLE);
    }
    assert_string_equal(text_at(decoder.view->children[3], 4), "a@b");
    assert_string_equal(decoder.schema.children[2]->format, "tsu:");
}

static void test_mask_refuses(void **state)
{
    (void)state;
    assert_err(&mask_columns, RB_SDK_OPEN,
               "{\"config\":{\"json\":{\"columns\":[],\"method\":\"hash\",\"key\":\"ab\"}}}",
               "BAD_HEX");
    feed_people(5);
    rb_double_feed_end("{}");
    assert_ok(&mask_columns, RB_SDK_OPEN, "{\"config\":{\"json\":{\"columns\":[\"mail\"]}}}",
              "features");
    assert_err(&mask_columns, RB_SDK_TRANSFORM, "{\"stream_name\":\"people\"}",
               "there is no column 'mail'");
    rb_sdk_close(&mask_columns);
    feed_people(5);
    assert_ok(&mask_columns, RB_SDK_OPEN,
              "{\"config\":{\"json\":{\"columns\":[\"at\"],\"method\":\"hash\","
              "\"key\":\"000102030405060708090a0b0c0d0e0f\"}}}",
              "features");
    assert_err(&mask_columns, RB_SDK_TRANSFORM, "{\"stream_name\":\"people\"}",
               "column 'at' is neither text nor binary");
    assert_int_equal(rb_double.emitted.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_numbers_to_count, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numbers_of_no_rows_has_a_schema, setup, teardown),
        cmocka_unit_test_setup_teardown(test_count_does_not_count_what_was_aborted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_mask_by_hash, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mask_by_null, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mask_refuses, setup, teardown),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
