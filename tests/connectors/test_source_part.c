/* Where a sorted stream is cut, and a cursor's text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "connectors/postgres/common/codec.h"
#include "connectors/postgres/common/copy.h"
#include "connectors/postgres/source/cursor_kind.h"
#include "connectors/postgres/source/cursor_sql.h"

enum { BUF_MAX = 1024 * 1024, N_ROWS = 60 };

/* numeric_send of 1.0 and 1.00, and of 2.0. */
static const char one[] = "\0\1\0\0\0\0\0\1\0\1", one_too[] = "\0\1\0\0\0\0\0\2\0\1",
                  two[] = "\0\1\0\0\0\0\0\1\0\2";

static void add_column(struct rb_columns *columns, const char *name, uint32_t oid)
{
    char text[16];
    struct rb_column column = {.name = text, .typmod = -1};
    snprintf(text, sizeof text, "%s", name);
    rb_column_set_type(&column, (struct rb_type_facts){.oid = oid}, true);
    assert_int_equal(rb_columns_add(columns, &column, NULL), 0);
}

static void put(struct rb_buf *data, const char *value, size_t len)
{
    assert_int_equal(rb_buf_append_be32(data, (uint32_t)len), 0);
    assert_int_equal(rb_buf_append(data, value, len), 0);
}

/* Rows of (text, cursor): row i has cursor i / 7. */
static void put_rows(struct rb_buf *data, uint32_t first, uint32_t n)
{
    assert_int_equal(rb_buf_append(data, rb_copy_binary_header, RB_CODEC_HEADER_BYTES), 0);
    for (uint32_t i = first; i < first + n; i++) {
        char cursor[4] = {0, 0, 0, (char)(i / 7)};
        assert_int_equal(rb_buf_append_be16(data, 2), 0);
        if (i % 3 == 0) {
            assert_int_equal(rb_buf_append_be32(data, UINT32_MAX), 0);
        } else {
            put(data, "some text", 9);
        }
        put(data, cursor, 4);
    }
    assert_int_equal(rb_codec_append_trailer(data), 0);
}

/* Pushes `data` in pieces; `ends` gets the row of each boundary, and the next is sought from
 * `interval` rows on. */
static size_t find_ends(struct rb_decoder *decoder, const struct rb_buf *data, size_t piece,
                        int64_t interval, int64_t *ends)
{
    struct rb_decoder_watch watch = {.column = 1, .rows = interval, .bytes = INT64_MAX};
    size_t n = 0;
    rb_decoder_watch(decoder, &watch);
    for (size_t at = 0; at < data->len;) {
        size_t len = data->len - at < piece ? data->len - at : piece, used = 0;
        int r = rb_decoder_push(decoder, data->data + at, len, &used, NULL);
        at += used;
        while (r == RB_DECODER_BOUNDARY || r == RB_DECODER_FULL) {
            if (r == RB_DECODER_BOUNDARY) {
                int64_t rows = rb_decoder_rows(decoder);
                const struct rb_buf *value = rb_decoder_boundary(decoder);
                assert_int_equal(value->len, 4);
                assert_int_equal(value->data[3], (rows - 1) / 7);
                ends[n++] = rows;
                watch.rows = rows + interval;
                rb_decoder_watch(decoder, &watch);
            }
            rb_decoder_clear(decoder);
            len = data->len - at < piece ? data->len - at : piece;
            r = rb_decoder_push(decoder, data->data + at, len, &used, NULL);
            at += used;
        }
        assert_true(r >= 0);
    }
    assert_true(rb_decoder_is_ended(decoder));
    assert_int_equal(rb_decoder_rows(decoder), N_ROWS);
    return n;
}

static void parts_end_between_cursors(void **state)
{
    (void)state;
    static const struct {
        int64_t interval;
        size_t n;
        int64_t ends[9];
    } cases[] = {{1, 8, {7, 14, 21, 28, 35, 42, 49, 56}},
                 {7, 8, {7, 14, 21, 28, 35, 42, 49, 56}},
                 {8, 4, {14, 28, 42, 56}},
                 {20, 2, {21, 42}},
                 {60, 0, {0}}};
    struct rb_columns columns;
    rb_columns_init(&columns);
    add_column(&columns, "a", 25);
    add_column(&columns, "c", 23);
    struct rb_buf data = RB_BUF_INIT(BUF_MAX);
    put_rows(&data, 0, N_ROWS);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t piece = 1; piece < data.len + 50; piece += piece < 40 ? 1 : 97) {
            for (size_t batch = 60; batch <= 6000; batch *= 100) {
                const struct rb_decoder_options options = {.batch_bytes = batch,
                                                           .max_record_bytes = 1000};
                struct rb_decoder *decoder = NULL;
                int64_t ends[N_ROWS];
                assert_int_equal(rb_decoder_new(&columns, &options, &decoder, NULL), 0);
                size_t n = find_ends(decoder, &data, piece, cases[i].interval, ends);
                assert_int_equal(n, cases[i].n);
                assert_memory_equal(ends, cases[i].ends, n * sizeof ends[0]);
                rb_decoder_free(decoder);
            }
        }
    }
    rb_buf_release(&data);
    rb_columns_release(&columns);
}

/* Two COPYs of the same columns, one after the other; without a watch nothing is cut. */
static void two_copies_are_one_stream(void **state)
{
    (void)state;
    struct rb_columns columns;
    rb_columns_init(&columns);
    add_column(&columns, "a", 25);
    add_column(&columns, "c", 23);
    const struct rb_decoder_options options = {
        .batch_bytes = BUF_MAX, .max_record_bytes = 1000, .checksum = true};
    struct rb_decoder *decoder = NULL;
    struct rb_buf data = RB_BUF_INIT(BUF_MAX);
    size_t used = 0;
    put_rows(&data, 0, 10);
    assert_int_equal(rb_decoder_new(&columns, &options, &decoder, NULL), 0);
    assert_int_equal(rb_decoder_push(decoder, data.data, data.len, &used, NULL), RB_DECODER_END);
    uint64_t sum = rb_decoder_checksum(decoder);
    rb_decoder_restart(decoder);
    assert_false(rb_decoder_is_ended(decoder));
    assert_int_equal(rb_decoder_push(decoder, data.data, data.len, &used, NULL), RB_DECODER_END);
    assert_int_equal(rb_decoder_rows(decoder), 20);
    assert_true(rb_decoder_checksum(decoder) == 2 * sum);
    rb_decoder_free(decoder);
    rb_buf_release(&data);
    rb_columns_release(&columns);
}

static void scale_alone_is_no_difference(void **state)
{
    (void)state;
    struct rb_columns columns;
    rb_columns_init(&columns);
    add_column(&columns, "c", 1700);
    const struct rb_decoder_options options = {.batch_bytes = BUF_MAX, .max_record_bytes = 1000};
    static const char *const values[] = {one, one_too, one, two};
    for (int numeric = 0; numeric <= 1; numeric++) {
        const struct rb_decoder_watch watch = {.numeric = numeric != 0, .bytes = INT64_MAX};
        struct rb_decoder *decoder = NULL;
        struct rb_buf data = RB_BUF_INIT(BUF_MAX);
        size_t used = 0;
        assert_int_equal(rb_buf_append(&data, rb_copy_binary_header, RB_CODEC_HEADER_BYTES), 0);
        for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
            assert_int_equal(rb_buf_append_be16(&data, 1), 0);
            put(&data, values[i], sizeof one - 1);
        }
        assert_int_equal(rb_decoder_new(&columns, &options, &decoder, NULL), 0);
        rb_decoder_watch(decoder, &watch);
        assert_int_equal(rb_decoder_push(decoder, data.data, data.len, &used, NULL),
                         RB_DECODER_BOUNDARY);
        assert_int_equal(rb_decoder_rows(decoder), numeric != 0 ? 3 : 1);
        rb_decoder_free(decoder);
        rb_buf_release(&data);
    }
    rb_columns_release(&columns);
}

static void expect_text(uint32_t oid, const char *value, size_t len, const char *expected,
                        int64_t expected_micros)
{
    struct rb_buf bytes = RB_BUF_INIT(1000), text = RB_BUF_INIT(RB_CURSOR_TEXT_MAX);
    int64_t micros = 0;
    assert_int_equal(rb_buf_append(&bytes, value, len), 0);
    assert_int_equal(rb_cursor_text_of(rb_cursor_kind_find(oid), &bytes, &text, &micros, NULL), 0);
    assert_string_equal(rb_buf_str(&text), expected);
    assert_true(micros == expected_micros);
    rb_buf_release(&bytes);
    rb_buf_release(&text);
}

/* The texts are those that PostgreSQL 15 gives for these values. */
static void values_as_text(void **state)
{
    (void)state;
    expect_text(21, "\x80\0", 2, "-32768", 0);
    expect_text(23, "\x7f\xff\xff\xff", 4, "2147483647", 0);
    expect_text(20, "\x80\0\0\0\0\0\0\0", 8, "-9223372036854775808", 0);
    expect_text(1700, one, 10, "1.0", 0);
    expect_text(1700, "\0\0\0\0\0\0\0\0", 8, "0", 0);
    expect_text(1700, "\0\0\0\0\0\0\0\3", 8, "0.000", 0);
    expect_text(1700, "\0\2\0\1\x40\0\0\2\0\x0c\x0d\x80", 12, "-123456.00", 0);
    expect_text(1700, "\0\1\0\2\0\0\0\0\0\1", 10, "100000000", 0);
    expect_text(1700, "\0\1\xff\xff\0\0\0\5\4\xd2", 10, "0.12340", 0);
    expect_text(1700, "\0\1\xff\xfe\0\0\0\6\x01\x90", 10, "0.000004", 0);
    expect_text(1700, "\0\0\0\0\xf0\0\0\0", 8, "-Infinity", 0);
    expect_text(1082, "\0\0\0\0", 4, "2000-01-01", 0);
    expect_text(1082, "\0\0\0\x3b", 4, "2000-02-29", 0);
    expect_text(1082, "\xff\xda\x97\xcd", 4, "4713-01-01 BC", 0);
    expect_text(1082, "\x7f\xda\x97\x0c", 4, "5874897-12-31", 0);
    expect_text(1082, "\x80\0\0\0", 4, "-infinity", 0);
    expect_text(1114, "\0\0\0\0\0\0\0\0", 8, "2000-01-01 00:00:00.000000",
                INT64_C(946684800000000));
    expect_text(1114, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, "1999-12-31 23:59:59.999999",
                INT64_C(946684799999999));
    expect_text(1184, "\x7f\xff\xff\x5b\xb3\xb2\x9f\xff", 8, "294276-12-31 23:59:59.999999+00",
                INT64_MAX);
    expect_text(1184, "\xfd\x0f\x7c\xc1\x41\x1f\xa0\x00", 8, "4714-11-24 00:00:00.000000+00 BC",
                INT64_C(-210866803200000000));
    expect_text(2950, "\x01\x23\x45\x67\x89\xab\xcd\xef\0\x11\x22\x33\x44\x55\x66\x77", 16,
                "01234567-89ab-cdef-0011-223344556677", 0);
    expect_text(25, "it's \"5\"", 8, "it's \"5\"", 0);
    expect_text(1043, "", 0, "", 0);
}

static void a_value_of_another_length_is_refused(void **state)
{
    (void)state;
    static const uint32_t oids[] = {20, 1700, 1082, 1114, 1184, 2950};
    for (size_t i = 0; i < sizeof oids / sizeof *oids; i++) {
        struct rb_buf bytes = RB_BUF_INIT(1000), text = RB_BUF_INIT(RB_CURSOR_TEXT_MAX);
        int64_t micros = 0;
        assert_int_equal(rb_buf_append(&bytes, "abc", 3), 0);
        assert_int_equal(
            rb_cursor_text_of(rb_cursor_kind_find(oids[i]), &bytes, &text, &micros, NULL),
            RB_EPROTOCOL);
        rb_buf_release(&bytes);
        rb_buf_release(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_end_between_cursors),
        cmocka_unit_test(two_copies_are_one_stream),
        cmocka_unit_test(scale_alone_is_no_difference),
        cmocka_unit_test(values_as_text),
        cmocka_unit_test(a_value_of_another_length_is_refused),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
