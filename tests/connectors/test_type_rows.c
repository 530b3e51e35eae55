/* Each row of the table of types, by itself: the Arrow field that it makes, and a value of it in
 * PostgreSQL's form and in Arrow's, to and fro. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arrow/metadata.h"
#include "base/bytes.h"
#include "connectors/postgres/common/codec.h"

enum { BUF_MAX = 1024 * 1024, VALUE_MAX = 64, OID_END = 10000, N_VALUES = 3 };

/* Not read from the product: what docs/protocol.md says, and what a server sends. */
static const struct row {
    uint32_t oid;
    const char *name;
    enum rb_type_form form;
    const char *format; /* of the Arrow field, to a peer with pg_binary */
    const char *extension;
    const char *sent;  /* a value as the server sends it, in hexadecimal */
    const char *arrow; /* the same in Arrow's buffer; NULL: the same bytes */
} rows[] = {
    {16, "bool", RB_FORM_NATIVE, "b", NULL, "01", "01"},
    {17, "bytea", RB_FORM_NATIVE, "z", NULL, "00ff5c", NULL},
    {18, "char", RB_FORM_BINARY, "z", "arrow.opaque", "ff", NULL},
    {19, "name", RB_FORM_NATIVE, "u", NULL, "61206e616d65", NULL},
    {20, "int8", RB_FORM_NATIVE, "l", NULL, "8000000000000001", "0100000000000080"},
    {21, "int2", RB_FORM_NATIVE, "s", NULL, "8001", "0180"},
    {22, "int2vector", RB_FORM_TEXT, "u", NULL, "312032", NULL},
    {23, "int4", RB_FORM_NATIVE, "i", NULL, "80000001", "01000080"},
    {25, "text", RB_FORM_NATIVE, "u", NULL, "74c3ab7874", NULL},
    {26, "oid", RB_FORM_NATIVE, "I", NULL, "fffffffe", "feffffff"},
    {27, "tid", RB_FORM_BINARY, "z", "arrow.opaque", "000000070008", NULL},
    {28, "xid", RB_FORM_BINARY, "z", "arrow.opaque", "fffffffd", NULL},
    {29, "cid", RB_FORM_BINARY, "z", "arrow.opaque", "00000007", NULL},
    {30, "oidvector", RB_FORM_TEXT, "u", NULL, "312034323934393637323935", NULL},
    {114, "json", RB_FORM_NATIVE, "u", "arrow.json", "7b2262223a312c202261223a327d", NULL},
    {142, "xml", RB_FORM_TEXT, "u", NULL, "3c612f3e", NULL},
    {600, "point", RB_FORM_BINARY, "z", "arrow.opaque", "3ff0000000000000c000000000000000", NULL},
    {601, "lseg", RB_FORM_BINARY, "z", "arrow.opaque",
     "3ff000000000000040000000000000004008000000000000401000000000"
     "0000",
     NULL},
    {602, "path", RB_FORM_BINARY, "z", "arrow.opaque",
     "00000000023ff00000000000004000000000000000400800000000000040"
     "10000000000000",
     NULL},
    {603, "box", RB_FORM_BINARY, "z", "arrow.opaque",
     "400800000000000040100000000000003ff0000000000000400000000000"
     "0000",
     NULL},
    {604, "polygon", RB_FORM_BINARY, "z", "arrow.opaque",
     "000000023ff0000000000000400000000000000040080000000000004010"
     "000000000000",
     NULL},
    {628, "line", RB_FORM_BINARY, "z", "arrow.opaque",
     "3ff000000000000040000000000000004008000000000000", NULL},
    {650, "cidr", RB_FORM_BINARY, "z", "arrow.opaque", "020801040a000000", NULL},
    {700, "float4", RB_FORM_NATIVE, "f", NULL, "bfc00000", "0000c0bf"},
    {701, "float8", RB_FORM_NATIVE, "g", NULL, "c004000000000000", "00000000000004c0"},
    {718, "circle", RB_FORM_BINARY, "z", "arrow.opaque",
     "3ff000000000000040000000000000004008000000000000", NULL},
    {774, "macaddr8", RB_FORM_BINARY, "z", "arrow.opaque", "08002b0102030405", NULL},
    {790, "money", RB_FORM_BINARY, "z", "arrow.opaque", "ffffffffffffffff", NULL},
    {829, "macaddr", RB_FORM_BINARY, "z", "arrow.opaque", "08002b010203", NULL},
    {869, "inet", RB_FORM_BINARY, "z", "arrow.opaque", "0340001020010db8000000000000000000000001",
     NULL},
    {1042, "bpchar", RB_FORM_NATIVE, "u", NULL, "61622020", NULL},
    {1043, "varchar", RB_FORM_NATIVE, "u", NULL, "76c3a472", NULL},
    {1082, "date", RB_FORM_NATIVE, "tdD", NULL, "ffffd534", "01000000"},
    {1083, "time", RB_FORM_NATIVE, "ttu", NULL, "00000000000f4242", "42420f0000000000"},
    {1114, "timestamp", RB_FORM_NATIVE, "tsu:", NULL, "fffca2fec4d76240", "40420f0000000000"},
    {1184, "timestamptz", RB_FORM_NATIVE, "tsu:UTC", NULL, "fffca2fec4e6a480", "80841e0000000000"},
    {1186, "interval", RB_FORM_BINARY, "z", "arrow.opaque", "00000000002dc6c00000000200000001",
     NULL},
    {1266, "timetz", RB_FORM_BINARY, "z", "arrow.opaque", "000000141dd760000000e0c4", NULL},
    {1560, "bit", RB_FORM_BINARY, "z", "arrow.opaque", "0000000180", NULL},
    {1562, "varbit", RB_FORM_BINARY, "z", "arrow.opaque", "0000000baaa0", NULL},
    {1700, "numeric", RB_FORM_BINARY, "z", "arrow.opaque", "000200004000000200011388", NULL},
    {1790, "refcursor", RB_FORM_BINARY, "z", "arrow.opaque", "6120637572736f72", NULL},
    {2950, "uuid", RB_FORM_NATIVE, "w:16", "arrow.uuid", "00112233445566778899aabbccddeeff", NULL},
    {2970, "txid_snapshot", RB_FORM_BINARY, "z", "arrow.opaque",
     "00000003000000000000000a0000000000000014000000000000000a0000"
     "00000000000e000000000000000f",
     NULL},
    {3220, "pg_lsn", RB_FORM_BINARY, "z", "arrow.opaque", "00000016b374d848", NULL},
    {3614, "tsvector", RB_FORM_BINARY, "z", "arrow.opaque", "0000000161000001c001", NULL},
    {3615, "tsquery", RB_FORM_BINARY, "z", "arrow.opaque", "00000003020201000062000100006100",
     NULL},
    {3802, "jsonb", RB_FORM_NATIVE, "u", "arrow.json", "017b2261223a20327d", "7b2261223a20327d"},
    {3904, "int4range", RB_FORM_BINARY, "z", "arrow.opaque", "020000000400000001000000040000000a",
     NULL},
    {3906, "numrange", RB_FORM_BINARY, "z", "arrow.opaque",
     "040000000c0002000000000001000113880000000c000200000000000200"
     "021388",
     NULL},
    {3908, "tsrange", RB_FORM_BINARY, "z", "arrow.opaque",
     "06000000080002ea470ae86000000000087fffffffffffffff", NULL},
    {3910, "tstzrange", RB_FORM_BINARY, "z", "arrow.opaque", "10000000080002ea470ae86000", NULL},
    {3912, "daterange", RB_FORM_BINARY, "z", "arrow.opaque", "01", NULL},
    {3926, "int8range", RB_FORM_BINARY, "z", "arrow.opaque", "08000000080000000000000005", NULL},
    {4072, "jsonpath", RB_FORM_BINARY, "z", "arrow.opaque", "01242e226122", NULL},
    {4451, "int4multirange", RB_FORM_BINARY, "z", "arrow.opaque",
     "000000020000001102000000040000000100000004000000030000001102"
     "0000000400000005000000040000000a",
     NULL},
    {4532, "nummultirange", RB_FORM_BINARY, "z", "arrow.opaque",
     "00000001000000110c0000000c000200000000000100011388", NULL},
    {4533, "tsmultirange", RB_FORM_BINARY, "z", "arrow.opaque", "00000000", NULL},
    {4534, "tstzmultirange", RB_FORM_BINARY, "z", "arrow.opaque",
     "000000010000000d12000000080002ea470ae86000", NULL},
    {4535, "datemultirange", RB_FORM_BINARY, "z", "arrow.opaque",
     "00000001000000110200000004000025190000000400002538", NULL},
    {4536, "int8multirange", RB_FORM_BINARY, "z", "arrow.opaque", "000000010000000118", NULL},
    {5038, "pg_snapshot", RB_FORM_BINARY, "z", "arrow.opaque",
     "00000001000000000000000a0000000000000014000000000000000e", NULL},
    {5069, "xid8", RB_FORM_BINARY, "z", "arrow.opaque", "ffffffffffffffff", NULL},
};

enum { N_ROWS = sizeof rows / sizeof rows[0] };

static size_t bytes_of(const char *hex, uint8_t ret[VALUE_MAX])
{
    size_t n = strlen(hex) / 2;
    assert_true(n <= VALUE_MAX);
    for (size_t i = 0; i < n; i++) {
        const char digits[] = {hex[2 * i], hex[2 * i + 1], '\0'};
        ret[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return n;
}

static void one_column(const struct row *row, bool pg_binary, struct rb_columns *ret)
{
    char name[] = "c";
    char type_name[64];
    snprintf(type_name, sizeof type_name, "pg_catalog.%s", row->name);
    struct rb_column column = {
        .name = name, .declared = type_name, .type_name = type_name, .typmod = -1};
    rb_columns_init(ret);
    rb_column_set_type(&column, (struct rb_type_facts){.oid = row->oid}, pg_binary);
    assert_int_equal(rb_columns_add(ret, &column, NULL), 0);
}

/* The metadata's value is `expected`; NULL: there is none. */
static void expect_meta(const struct ArrowSchema *field, const char *key, const char *expected)
{
    struct ArrowStringView view;
    int status = rb_meta_get(field, key, &view);
    assert_int_equal(status == 0, expected != NULL);
    if (expected != NULL) {
        assert_int_equal(view.size_bytes, strlen(expected));
        assert_memory_equal(view.data, expected, strlen(expected));
    }
}

static void expect_field(const struct row *row, bool pg_binary)
{
    RB_CLEANUP(rb_columns_release) struct rb_columns columns;
    struct ArrowSchema schema;
    one_column(row, pg_binary, &columns);
    assert_int_equal(rb_columns_to_schema(&columns, NULL, &schema, NULL), 0);
    const struct ArrowSchema *field = schema.children[0];
    bool native = row->form == RB_FORM_NATIVE;
    bool as_text = row->form == RB_FORM_TEXT || (!native && !pg_binary);
    char opaque[128];
    snprintf(opaque, sizeof opaque, "{\"type_name\":\"%s\",\"vendor_name\":\"PostgreSQL\"}",
             row->name);
    bool is_opaque = row->form == RB_FORM_BINARY && pg_binary;
    const char *extension = as_text ? NULL : row->extension;
    assert_string_equal(field->format, as_text ? "u" : row->format);
    expect_meta(field, RB_META_PG_FORM, native ? NULL : as_text ? "text" : "binary");
    expect_meta(field, RB_META_EXTENSION_NAME, extension);
    expect_meta(field, RB_META_EXTENSION_METADATA,
                is_opaque           ? opaque
                : extension != NULL ? ""
                                    : NULL);
    schema.release(&schema);
}

static void fields_are_as_documented(void **state)
{
    (void)state;
    size_t n = 0;
    for (uint32_t oid = 0; oid < OID_END; oid++) {
        n += rb_type_find(oid) != NULL;
    }
    assert_int_equal(n, N_ROWS);
    for (size_t i = 0; i < N_ROWS; i++) {
        const struct rb_type *type = rb_type_find(rows[i].oid);
        assert_non_null(type);
        assert_string_equal(type->name, rows[i].name);
        expect_field(&rows[i], true);
        expect_field(&rows[i], false);
    }
}

/* A column of three values, of which the second may be NULL. */
struct column {
    const struct row *row;
    bool has_null;
    struct rb_columns columns;
    struct rb_decoder *decoder;
    struct rb_encoder *encoder;
    struct ArrowSchema schema;
    struct ArrowArrayView view;
    struct rb_buf rows; /* in COPY form */
};

static bool is_null(const struct column *c, size_t i)
{
    return c->has_null && i == 1;
}

static void append_field(struct rb_buf *out, const struct row *row, bool null)
{
    uint8_t value[VALUE_MAX];
    size_t len = bytes_of(row->sent, value);
    assert_int_equal(rb_buf_append_be32(out, null ? UINT32_MAX : (uint32_t)len), 0);
    assert_int_equal(rb_buf_append(out, value, null ? 0 : len), 0);
}

static void push(struct column *c, const struct rb_buf *data, bool as_message)
{
    size_t used;
    int status = as_message
                     ? rb_decoder_push_messages(c->decoder, data->data, data->len, &used, NULL)
                     : rb_decoder_push(c->decoder, data->data, data->len, &used, NULL);
    assert_int_equal(status, 0);
    assert_int_equal(used, data->len);
}

/* The header; then the rows, as a server's messages if asked to. */
static void decode(struct column *c, bool as_messages)
{
    static const char header[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";
    RB_CLEANUP(rb_buf_release) struct rb_buf data = RB_BUF_INIT(BUF_MAX);
    assert_int_equal(rb_buf_append(&data, header, sizeof header), 0);
    push(c, &data, false);
    rb_buf_clear(&data);
    for (size_t i = 0; i < N_VALUES; i++) {
        size_t from = c->rows.len;
        assert_int_equal(rb_buf_append_be16(&c->rows, 1), 0);
        append_field(&c->rows, c->row, is_null(c, i));
        if (as_messages) {
            assert_int_equal(rb_buf_append_byte(&data, 'd'), 0);
            assert_int_equal(rb_buf_append_be32(&data, (uint32_t)(c->rows.len - from + 4)), 0);
        }
        assert_int_equal(rb_buf_append(&data, c->rows.data + from, c->rows.len - from), 0);
    }
    push(c, &data, as_messages);
}

static void column_init(struct column *c, const struct row *row, bool has_null, bool as_messages)
{
    const struct rb_decoder_options decoding = {.batch_bytes = BUF_MAX,
                                                .max_record_bytes = BUF_MAX};
    const struct rb_encoder_options encoding = {.max_record_bytes = BUF_MAX};
    const struct ArrowArray *array;
    *c = (struct column){.row = row, .has_null = has_null, .rows = RB_BUF_INIT(BUF_MAX)};
    one_column(row, true, &c->columns);
    assert_int_equal(rb_decoder_new(&c->columns, &decoding, &c->decoder, NULL), 0);
    assert_int_equal(rb_encoder_new(&c->columns, &encoding, &c->encoder, NULL), 0);
    assert_int_equal(rb_columns_to_schema(&c->columns, NULL, &c->schema, NULL), 0);
    assert_int_equal(ArrowArrayViewInitFromSchema(&c->view, &c->schema, NULL), 0);
    decode(c, as_messages);
    assert_int_equal(rb_decoder_batch(c->decoder, &array, NULL), 0);
    assert_int_equal(ArrowArrayViewSetArray(&c->view, array, NULL), 0);
    assert_int_equal(rb_encoder_bind(c->encoder, &c->view, NULL), 0);
}

static void column_release(struct column *c)
{
    ArrowArrayViewReset(&c->view);
    c->schema.release(&c->schema);
    rb_encoder_free(c->encoder);
    rb_decoder_free(c->decoder);
    rb_columns_release(&c->columns);
    rb_buf_release(&c->rows);
}

/* What was decoded is as the table above says. */
static void expect_arrow(const struct column *c)
{
    uint8_t expected[VALUE_MAX];
    size_t len = bytes_of(c->row->arrow != NULL ? c->row->arrow : c->row->sent, expected);
    const struct ArrowArrayView *child = c->view.children[0];
    bool variable = strcmp(c->row->format, "u") == 0 || strcmp(c->row->format, "z") == 0;
    const uint8_t *values = child->buffer_views[variable ? 2 : 1].data.as_uint8;
    assert_int_equal(child->length, N_VALUES);
    for (size_t i = 0; i < N_VALUES; i++) {
        assert_int_equal(ArrowArrayViewIsNull(child, (int64_t)i), is_null(c, i));
        if (is_null(c, i)) {
            continue;
        }
        if (strcmp(c->row->format, "b") == 0) {
            assert_int_equal(values[0] >> i & 1, expected[0]);
            continue;
        }
        const int32_t *offsets = child->buffer_views[1].data.as_int32;
        if (variable) {
            assert_int_equal(offsets[i + 1] - offsets[i], len);
        }
        assert_memory_equal(values + (variable ? (size_t)offsets[i] : i * len), expected, len);
    }
}

/* Room that holds nothing of what is to be written. */
static void dirty(struct rb_buf *out)
{
    enum { ROOM = 4096 };
    assert_int_equal(rb_buf_reserve(out, ROOM), 0);
    memset(out->data, 0xee, ROOM);
}

static void expect_rows(const struct column *c)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(BUF_MAX);
    dirty(&out);
    assert_int_equal(rb_encoder_rows(c->encoder, &out, BUF_MAX, NULL), 1);
    assert_int_equal(out.len, c->rows.len);
    assert_memory_equal(out.data, c->rows.data, out.len);
}

/* As INSERT sends it. */
static void expect_array(const struct column *c)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(BUF_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf expected = RB_BUF_INIT(BUF_MAX);
    const uint32_t header[] = {1, c->has_null, c->row->oid, N_VALUES, 1};
    for (size_t i = 0; i < sizeof header / sizeof header[0]; i++) {
        assert_int_equal(rb_buf_append_be32(&expected, header[i]), 0);
    }
    for (size_t i = 0; i < N_VALUES; i++) {
        append_field(&expected, c->row, is_null(c, i));
    }
    dirty(&out);
    assert_int_equal(rb_encoder_array(c->encoder, 0, c->row->oid, &out, NULL), 0);
    assert_int_equal(out.len, expected.len);
    assert_memory_equal(out.data, expected.data, out.len);
}

static void for_each_column(bool as_messages, void (*expect)(const struct column *))
{
    for (size_t i = 0; i < 2 * N_ROWS; i++) {
        struct column column;
        column_init(&column, &rows[i / 2], i % 2 == 1, as_messages);
        expect(&column);
        column_release(&column);
    }
}

static void values_are_as_documented(void **state)
{
    (void)state;
    for_each_column(false, expect_arrow);
}

static void values_of_messages_are_as_documented(void **state)
{
    (void)state;
    for_each_column(true, expect_arrow);
}

static void rows_are_as_they_came(void **state)
{
    (void)state;
    for_each_column(false, expect_rows);
}

static void arrays_hold_the_values(void **state)
{
    (void)state;
    for_each_column(false, expect_array);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_as_documented),
        cmocka_unit_test(values_are_as_documented),
        cmocka_unit_test(values_of_messages_are_as_documented),
        cmocka_unit_test(rows_are_as_they_came),
        cmocka_unit_test(arrays_hold_the_values),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
