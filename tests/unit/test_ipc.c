/* arrow/ipc: round trips of every type, agreement with nanoarrow's own writer and reader, and
 * bytes that are cut short or altered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "arrow/frame.h"
#include "arrow/ipc.h"
#include "arrow/metadata.h"
#include "base/bytes.h"

enum { MAX_BYTES = 1 << 20 };

static const enum ArrowType plain_types[] = {
    NANOARROW_TYPE_BOOL,   NANOARROW_TYPE_INT8,         NANOARROW_TYPE_UINT8,
    NANOARROW_TYPE_INT16,  NANOARROW_TYPE_UINT16,       NANOARROW_TYPE_INT32,
    NANOARROW_TYPE_UINT32, NANOARROW_TYPE_INT64,        NANOARROW_TYPE_UINT64,
    NANOARROW_TYPE_FLOAT,  NANOARROW_TYPE_DOUBLE,       NANOARROW_TYPE_STRING,
    NANOARROW_TYPE_BINARY, NANOARROW_TYPE_LARGE_STRING, NANOARROW_TYPE_LARGE_BINARY,
    NANOARROW_TYPE_DATE32, NANOARROW_TYPE_NA,
};
enum { N_PLAIN = sizeof plain_types / sizeof plain_types[0], N_COLUMNS = N_PLAIN + 8 };

static void ok(int code)
{
    assert_int_equal(code, 0);
}

static void make_schema(struct ArrowSchema *schema)
{
    ArrowSchemaInit(schema);
    ok(ArrowSchemaSetTypeStruct(schema, N_COLUMNS));
    for (int i = 0; i < N_COLUMNS; i++) {
        struct ArrowSchema *column = schema->children[i];
        char name[8] = {'c', (char)('0' + i / 10), (char)('0' + i % 10), 0};
        if (i < N_PLAIN) {
            ok(ArrowSchemaSetType(column, plain_types[i]));
        }
        ok(ArrowSchemaSetName(column, name));
    }
    struct ArrowSchema **rest = schema->children + N_PLAIN;
    ok(ArrowSchemaSetTypeFixedSize(rest[0], NANOARROW_TYPE_FIXED_SIZE_BINARY, 16));
    ok(ArrowSchemaSetTypeDateTime(rest[1], NANOARROW_TYPE_TIME64, NANOARROW_TIME_UNIT_MICRO, NULL));
    ok(ArrowSchemaSetTypeDateTime(rest[2], NANOARROW_TYPE_TIMESTAMP, NANOARROW_TIME_UNIT_MICRO,
                                  NULL));
    ok(ArrowSchemaSetTypeDateTime(rest[3], NANOARROW_TYPE_TIMESTAMP, NANOARROW_TIME_UNIT_MICRO,
                                  "UTC"));
    ok(ArrowSchemaSetTypeDecimal(rest[4], NANOARROW_TYPE_DECIMAL128, 38, 4));
    ok(ArrowSchemaSetType(rest[5], NANOARROW_TYPE_LIST));
    ok(ArrowSchemaSetType(rest[5]->children[0], NANOARROW_TYPE_STRING));
    ok(ArrowSchemaSetTypeStruct(rest[6], 2));
    ok(ArrowSchemaSetType(rest[6]->children[0], NANOARROW_TYPE_INT32));
    ok(ArrowSchemaSetName(rest[6]->children[0], "x"));
    ok(ArrowSchemaSetType(rest[6]->children[1], NANOARROW_TYPE_BINARY));
    ok(ArrowSchemaSetName(rest[6]->children[1], "y"));
    ok(ArrowSchemaSetType(rest[7], NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO));
    rest[7]->flags = 0;
}

static void append_value(struct ArrowArray *array, enum ArrowType type, int i)
{
    char text[64];
    struct ArrowBufferView bytes = {.data = {.data = text}, .size_bytes = i % 50};
    struct ArrowDecimal decimal;
    struct ArrowInterval interval;
    memset(text, 'a' + i % 26, sizeof text);
    switch ((int)type) {
    case NANOARROW_TYPE_BOOL:
        ok(ArrowArrayAppendInt(array, i % 3 == 0));
        break;
    case NANOARROW_TYPE_FLOAT:
    case NANOARROW_TYPE_DOUBLE:
        ok(ArrowArrayAppendDouble(array, i / 4.0));
        break;
    case NANOARROW_TYPE_STRING:
    case NANOARROW_TYPE_BINARY:
    case NANOARROW_TYPE_LARGE_STRING:
    case NANOARROW_TYPE_LARGE_BINARY:
        ok(ArrowArrayAppendBytes(array, bytes));
        break;
    case NANOARROW_TYPE_FIXED_SIZE_BINARY:
        bytes.size_bytes = 16;
        ok(ArrowArrayAppendBytes(array, bytes));
        break;
    case NANOARROW_TYPE_DECIMAL128:
        ArrowDecimalInit(&decimal, 128, 38, 4);
        ArrowDecimalSetInt(&decimal, -i);
        ok(ArrowArrayAppendDecimal(array, &decimal));
        break;
    case NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO:
        ArrowIntervalInit(&interval, NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO);
        interval.months = i;
        interval.days = -i;
        interval.ns = INT64_MIN + i;
        ok(ArrowArrayAppendInterval(array, &interval));
        break;
    default:
        ok(ArrowArrayAppendInt(array, i % 100));
        break;
    }
}

static void append_column(struct ArrowArray *array, const struct ArrowSchema *schema, int i,
                          int null_every)
{
    struct ArrowSchemaView view;
    ok(ArrowSchemaViewInit(&view, schema, NULL));
    bool nullable = (schema->flags & ARROW_FLAG_NULLABLE) != 0;
    if (view.type == NANOARROW_TYPE_NA || (nullable && null_every > 0 && i % null_every == 0)) {
        ok(ArrowArrayAppendNull(array, 1));
    } else if (view.type == NANOARROW_TYPE_LIST) {
        for (int k = 0; k < i % 4; k++) {
            append_column(array->children[0], schema->children[0], i + k, null_every);
        }
        ok(ArrowArrayFinishElement(array));
    } else if (view.type == NANOARROW_TYPE_STRUCT) {
        for (int64_t k = 0; k < schema->n_children; k++) {
            append_column(array->children[k], schema->children[k], i, null_every);
        }
        ok(ArrowArrayFinishElement(array));
    } else {
        append_value(array, view.storage_type, i);
    }
}

static void make_array(struct ArrowArray *array, const struct ArrowSchema *schema, int n_rows,
                       int null_every)
{
    ok(ArrowArrayInitFromSchema(array, schema, NULL));
    ok(ArrowArrayStartAppending(array));
    for (int i = 0; i < n_rows; i++) {
        for (int64_t c = 0; c < schema->n_children; c++) {
            append_column(array->children[c], schema->children[c], i, null_every);
        }
        ok(ArrowArrayFinishElement(array));
    }
    ok(ArrowArrayFinishBuildingDefault(array, NULL));
}

static void assert_same(struct ArrowArrayView *actual, const struct ArrowArray *array,
                        const struct ArrowSchema *schema)
{
    struct ArrowArrayView expected;
    ok(ArrowArrayViewInitFromSchema(&expected, schema, NULL));
    ok(ArrowArrayViewSetArray(&expected, array, NULL));
    assert_int_equal(actual->length, expected.length);
    for (int64_t c = 0; c < expected.n_children; c++) {
        struct ArrowArrayView *a = actual->children[c];
        struct ArrowArrayView *e = expected.children[c];
        assert_int_equal(a->null_count, ArrowArrayViewComputeNullCount(e));
        /* A validity buffer that says nothing is not encoded. */
        if (a->null_count == 0) {
            a->buffer_views[0] = e->buffer_views[0];
        }
        int same = 0;
        struct ArrowError error = {{0}};
        ok(ArrowArrayViewCompare(a, e, NANOARROW_COMPARE_IDENTICAL, &same, &error));
        if (!same) {
            fail_msg("column %d: %s", (int)c, error.message);
        }
    }
    ArrowArrayViewReset(&expected);
}

struct fixture {
    struct ArrowSchema schema;
    struct ArrowArray array;
    struct rb_ipc_encoder encoder;
    struct rb_ipc_decoder decoder;
    struct rb_buf bytes;
};

static void setup(struct fixture *f, int n_rows, int null_every)
{
    make_schema(&f->schema);
    make_array(&f->array, &f->schema, n_rows, null_every);
    ok(rb_ipc_encoder_init(&f->encoder, &f->schema, NULL));
    rb_ipc_decoder_init(&f->decoder);
    rb_buf_init(&f->bytes, MAX_BYTES);
}

static void teardown(struct fixture *f)
{
    rb_buf_release(&f->bytes);
    rb_ipc_decoder_release(&f->decoder);
    rb_ipc_encoder_release(&f->encoder);
    ArrowArrayRelease(&f->array);
    ArrowSchemaRelease(&f->schema);
}

static void test_round_trips(void **state)
{
    (void)state;
    static const int rows[] = {0, 1, 7, 8, 9, 500};
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        for (int null_every = 0; null_every < 4; null_every++) {
            struct fixture f;
            setup(&f, rows[r], null_every);
            ok(rb_ipc_encode(&f.encoder, &f.array, &f.bytes, NULL));
            int64_t n_rows = -1;
            ok(rb_ipc_check(f.bytes.data, f.bytes.len, &n_rows, NULL));
            assert_int_equal(n_rows, rows[r]);
            assert_int_equal(rb_ipc_decode(&f.decoder, f.bytes.data, f.bytes.len, NULL), 1);
            assert_int_equal(f.decoder.n_rows, rows[r]);
            assert_same(f.decoder.view, &f.array, &f.schema);
            assert_string_equal(f.decoder.schema.children[20]->format, "tsu:UTC");
            assert_int_equal(rb_ipc_decode(&f.decoder, f.bytes.data, f.bytes.len, NULL), 0);
            assert_same(f.decoder.view, &f.array, &f.schema);
            teardown(&f);
        }
    }
}

static void test_schema_changes_are_seen(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 3, 0);
    ok(rb_ipc_encode(&f.encoder, &f.array, &f.bytes, NULL));
    assert_int_equal(rb_ipc_decode(&f.decoder, f.bytes.data, f.bytes.len, NULL), 1);
    rb_ipc_encoder_release(&f.encoder);
    ok(ArrowSchemaSetName(f.schema.children[0], "other"));
    ok(rb_ipc_encoder_init(&f.encoder, &f.schema, NULL));
    ok(rb_ipc_encode(&f.encoder, &f.array, &f.bytes, NULL));
    assert_int_equal(rb_ipc_decode(&f.decoder, f.bytes.data, f.bytes.len, NULL), 1);
    assert_string_equal(f.decoder.schema.children[0]->name, "other");
    teardown(&f);
}

static void test_no_columns(void **state)
{
    (void)state;
    struct ArrowSchema schema;
    struct ArrowArray array;
    ArrowSchemaInit(&schema);
    ok(ArrowSchemaSetTypeStruct(&schema, 0));
    ok(ArrowArrayInitFromSchema(&array, &schema, NULL));
    array.length = 1000000;
    struct rb_ipc_encoder encoder;
    RB_CLEANUP(rb_buf_release) struct rb_buf bytes = RB_BUF_INIT(MAX_BYTES);
    RB_CLEANUP(rb_ipc_decoder_release) struct rb_ipc_decoder decoder;
    rb_ipc_decoder_init(&decoder);
    ok(rb_ipc_encoder_init(&encoder, &schema, NULL));
    ok(rb_ipc_encode(&encoder, &array, &bytes, NULL));
    assert_int_equal(rb_ipc_decode(&decoder, bytes.data, bytes.len, NULL), 1);
    assert_int_equal(decoder.n_rows, 1000000);
    rb_ipc_encoder_release(&encoder);
    ArrowArrayRelease(&array);
    ArrowSchemaRelease(&schema);
}

static void test_nanoarrow_reads_what_we_write(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 100, 3);
    ok(rb_ipc_encode(&f.encoder, &f.array, &f.bytes, NULL));
    struct ArrowBuffer copy;
    ArrowBufferInit(&copy);
    ok(ArrowBufferAppend(&copy, f.bytes.data, (int64_t)f.bytes.len));
    struct ArrowIpcInputStream input;
    struct ArrowArrayStream stream;
    struct ArrowArray array;
    struct ArrowArrayView view;
    ok(ArrowIpcInputStreamInitBuffer(&input, &copy));
    ok(ArrowIpcArrayStreamReaderInit(&stream, &input, NULL));
    ok(ArrowArrayStreamGetNext(&stream, &array, NULL));
    ok(ArrowArrayViewInitFromSchema(&view, &f.schema, NULL));
    ok(ArrowArrayViewSetArray(&view, &array, NULL));
    assert_int_equal(array.length, 100);
    assert_same(&view, &f.array, &f.schema);
    ArrowArrayViewReset(&view);
    ArrowArrayRelease(&array);
    ok(ArrowArrayStreamGetNext(&stream, &array, NULL));
    assert_null(array.release);
    ArrowArrayStreamRelease(&stream);
    teardown(&f);
}

static void test_we_read_what_nanoarrow_writes(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 100, 3);
    struct ArrowBuffer out;
    struct ArrowIpcOutputStream output;
    struct ArrowIpcWriter writer;
    struct ArrowArrayView view;
    ArrowBufferInit(&out);
    ok(ArrowIpcOutputStreamInitBuffer(&output, &out));
    ok(ArrowIpcWriterInit(&writer, &output));
    ok(ArrowArrayViewInitFromSchema(&view, &f.schema, NULL));
    ok(ArrowArrayViewSetArray(&view, &f.array, NULL));
    ok(ArrowIpcWriterWriteSchema(&writer, &f.schema, NULL));
    ok(ArrowIpcWriterWriteArrayView(&writer, &view, NULL));
    ok(ArrowIpcWriterWriteArrayView(&writer, NULL, NULL));
    assert_int_equal(rb_ipc_decode(&f.decoder, out.data, (size_t)out.size_bytes, NULL), 1);
    assert_same(f.decoder.view, &f.array, &f.schema);
    ArrowArrayViewReset(&view);
    ArrowIpcWriterReset(&writer);
    ArrowBufferReset(&out);
    teardown(&f);
}

static void test_refuses_what_does_not_fit(void **state)
{
    (void)state;
    struct fixture f;
    struct rb_error err;
    setup(&f, 100, 3);
    struct rb_buf small = RB_BUF_INIT(1000);
    assert_int_equal(rb_ipc_encode(&f.encoder, &f.array, &small, &err), RB_ENOMEM);
    assert_string_equal(err.code, "BATCH_TOO_LARGE");
    rb_buf_release(&small);
    f.array.children[3]->offset = 1;
    f.array.children[3]->length = 99;
    assert_int_equal(rb_ipc_encode(&f.encoder, &f.array, &f.bytes, &err), RB_EINTERNAL);
    f.array.children[3]->offset = 0;
    f.array.children[3]->length = 100;

    struct ArrowSchema schema;
    struct rb_ipc_encoder encoder;
    ok(ArrowSchemaInitFromType(&schema, NANOARROW_TYPE_INT32));
    assert_int_equal(rb_ipc_encoder_init(&encoder, &schema, &err), RB_ESCHEMA);
    ArrowSchemaRelease(&schema);
    ArrowSchemaInit(&schema);
    ok(ArrowSchemaSetTypeStruct(&schema, 1));
    ok(ArrowSchemaSetType(schema.children[0], NANOARROW_TYPE_STRING_VIEW));
    assert_int_equal(rb_ipc_encoder_init(&encoder, &schema, &err), RB_ESCHEMA);
    ArrowSchemaRelease(&schema);
    teardown(&f);
}

/* Reads all that a decoded view points to, so that ASan sees what lies outside. */
static uint64_t touch(const struct ArrowArrayView *view)
{
    uint64_t sum = 0;
    for (int i = 0; i < NANOARROW_MAX_FIXED_BUFFERS; i++) {
        for (int64_t k = 0; k < view->buffer_views[i].size_bytes; k++) {
            sum += view->buffer_views[i].data.as_uint8[k];
        }
    }
    bool has_bytes = view->storage_type == NANOARROW_TYPE_STRING ||
                     view->storage_type == NANOARROW_TYPE_BINARY ||
                     view->storage_type == NANOARROW_TYPE_LARGE_STRING ||
                     view->storage_type == NANOARROW_TYPE_LARGE_BINARY;
    for (int64_t i = 0; has_bytes && i < view->length; i++) {
        struct ArrowBufferView value = ArrowArrayViewGetBytesUnsafe(view, i);
        for (int64_t k = 0; k < value.size_bytes; k++) {
            sum += value.data.as_uint8[k];
        }
    }
    for (int64_t i = 0; i < view->n_children; i++) {
        sum += touch(view->children[i]);
    }
    return sum;
}

static void try_bytes(const uint8_t *data, size_t len)
{
    uint8_t *exact = malloc(len > 0 ? len : 1);
    assert_non_null(exact);
    memcpy(exact, data, len);
    struct rb_ipc_decoder decoder;
    rb_ipc_decoder_init(&decoder);
    struct rb_error err = {0};
    int status = rb_ipc_decode(&decoder, exact, len, &err);
    if (status >= 0) {
        volatile uint64_t sum = touch(decoder.view);
        (void)sum;
    } else {
        assert_int_equal(err.status, status);
    }
    rb_ipc_decoder_release(&decoder);
    free(exact);
}

static void test_truncated_bytes_are_refused(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 5, 2);
    ok(rb_ipc_encode(&f.encoder, &f.array, &f.bytes, NULL));
    for (size_t len = 0; len < f.bytes.len; len++) {
        int64_t n_rows = 0;
        assert_int_equal(rb_ipc_check(f.bytes.data, len, &n_rows, NULL), RB_EPROTOCOL);
        try_bytes(f.bytes.data, len);
    }
    ok(rb_buf_append_byte(&f.bytes, 0));
    int64_t n_rows = 0;
    assert_int_equal(rb_ipc_check(f.bytes.data, f.bytes.len, &n_rows, NULL), RB_EPROTOCOL);
    teardown(&f);
}

static void test_altered_bytes_do_no_harm(void **state)
{
    (void)state;
    static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    struct fixture f;
    setup(&f, 5, 2);
    ok(rb_ipc_encode(&f.encoder, &f.array, &f.bytes, NULL));
    for (size_t at = 0; at < f.bytes.len; at++) {
        uint8_t before = f.bytes.data[at];
        for (size_t v = 0; v < sizeof values; v++) {
            f.bytes.data[at] = values[v];
            try_bytes(f.bytes.data, f.bytes.len);
        }
        f.bytes.data[at] = before;
    }
    uint64_t random = 88172645463325252u;
    for (int i = 0; i < 3000; i++) {
        struct rb_buf copy = RB_BUF_INIT(MAX_BYTES);
        ok(rb_buf_append(&copy, f.bytes.data, f.bytes.len));
        for (int k = 0; k < 1 + i % 8; k++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            size_t at = (size_t)(random >> 16) % (copy.len - 8);
            uint64_t value = (random & 1) ? UINT64_MAX >> (random >> 58) : random >> 40;
            memcpy(copy.data + at, &value, (random >> 3) & 7);
        }
        try_bytes(copy.data, copy.len);
        rb_buf_release(&copy);
    }
    teardown(&f);
}

/* What a hostile writer would set in nodes and buffers, one by one. */
static void test_hostile_numbers_are_refused(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {UINT64_MAX,    (uint64_t)INT64_MIN, INT64_MAX,
                                       INT64_MAX - 7, UINT64_C(1) << 40,   1u << 31};
    struct fixture f;
    setup(&f, 5, 2);
    ok(rb_ipc_encode(&f.encoder, &f.array, &f.bytes, NULL));
    struct rb_frame frame;
    ok(rb_frame_parse(f.bytes.data, f.bytes.len, &frame, NULL));
    for (size_t i = 0; i < 2 * (frame.n_nodes + frame.n_buffers); i++) {
        size_t at = i < 2 * frame.n_nodes ? frame.nodes_at + 8 * i
                                          : frame.buffers_at + 8 * (i - 2 * frame.n_nodes);
        uint64_t before = rb_load_le64(f.bytes.data + at);
        bool is_null_count = i < 2 * frame.n_nodes && i % 2 == 1;
        for (size_t n = 0; n < sizeof numbers / sizeof numbers[0]; n++) {
            /* A null count of -1 says that it was not counted. */
            int expected = is_null_count && numbers[n] == UINT64_MAX ? 0 : RB_EPROTOCOL;
            rb_store_le64(f.bytes.data + at, numbers[n]);
            int64_t n_rows = 0;
            assert_int_equal(rb_ipc_check(f.bytes.data, f.bytes.len, &n_rows, NULL), expected);
            try_bytes(f.bytes.data, f.bytes.len);
        }
        rb_store_le64(f.bytes.data + at, before);
    }
    teardown(&f);
}

/* Offsets of texts, binaries and lists: before what came before, behind the end. */
static void test_offsets_are_checked(void **state)
{
    (void)state;
    static const int32_t wrong[] = {-1, INT32_MAX, INT32_MIN};
    int n_columns = 0;
    struct fixture f;
    setup(&f, 5, 0);
    ok(rb_ipc_encode(&f.encoder, &f.array, &f.bytes, NULL));
    assert_int_equal(rb_ipc_decode(&f.decoder, f.bytes.data, f.bytes.len, NULL), 1);
    for (int64_t c = 0; c < f.decoder.view->n_children; c++) {
        const struct ArrowArrayView *column = f.decoder.view->children[c];
        if (column->layout.buffer_type[1] != NANOARROW_BUFFER_TYPE_DATA_OFFSET ||
            column->layout.element_size_bits[1] != 32) {
            continue;
        }
        n_columns++;
        size_t at = (size_t)(column->buffer_views[1].data.as_uint8 - f.bytes.data) + 2 * 4;
        uint32_t before = rb_load_le32(f.bytes.data + at);
        for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
            rb_store_le32(f.bytes.data + at, (uint32_t)wrong[i]);
            assert_int_equal(rb_ipc_decode(&f.decoder, f.bytes.data, f.bytes.len, NULL),
                             RB_EPROTOCOL);
        }
        rb_store_le32(f.bytes.data + at, before);
        assert_int_equal(rb_ipc_decode(&f.decoder, f.bytes.data, f.bytes.len, NULL), 0);
    }
    assert_true(n_columns >= 3);
    teardown(&f);
}

static void test_metadata(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 1, 0);
    const struct rb_meta_pair pairs[] = {
        {RB_META_PG_TYPE, "numeric(10,2)"},
        {RB_META_PG_COLLATION, NULL},
        {RB_META_PG_OID, "1700"},
    };
    ok(rb_meta_set(f.schema.children[2], pairs, 3, NULL));
    rb_ipc_encoder_release(&f.encoder);
    ok(rb_ipc_encoder_init(&f.encoder, &f.schema, NULL));
    ok(rb_ipc_encode(&f.encoder, &f.array, &f.bytes, NULL));
    assert_int_equal(rb_ipc_decode(&f.decoder, f.bytes.data, f.bytes.len, NULL), 1);
    const struct ArrowSchema *field = f.decoder.schema.children[2];
    struct ArrowStringView value = {0};
    ok(rb_meta_get(field, RB_META_PG_TYPE, &value));
    assert_int_equal(value.size_bytes, 13);
    assert_memory_equal(value.data, "numeric(10,2)", 13);
    ok(rb_meta_get(field, RB_META_PG_OID, &value));
    assert_int_equal(value.size_bytes, 4);
    assert_int_equal(rb_meta_get(field, RB_META_PG_COLLATION, &value), 1);
    assert_int_equal(rb_meta_get(f.decoder.schema.children[0], RB_META_PG_OID, &value), 1);
    ok(rb_meta_set(f.schema.children[2], NULL, 0, NULL));
    assert_int_equal(rb_meta_get(f.schema.children[2], RB_META_PG_TYPE, &value), 1);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_schema_changes_are_seen),
        cmocka_unit_test(test_no_columns),
        cmocka_unit_test(test_nanoarrow_reads_what_we_write),
        cmocka_unit_test(test_we_read_what_nanoarrow_writes),
        cmocka_unit_test(test_refuses_what_does_not_fit),
        cmocka_unit_test(test_truncated_bytes_are_refused),
        cmocka_unit_test(test_altered_bytes_do_no_harm),
        cmocka_unit_test(test_hostile_numbers_are_refused),
        cmocka_unit_test(test_offsets_are_checked),
        cmocka_unit_test(test_metadata),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
