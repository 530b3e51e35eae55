/* COPY's binary form <-> Arrow: every native type's limits, NULLs, malformed fields, cuts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "connectors/postgres/common/codec.h"
#include "connectors/postgres/common/codec_time.h"

enum { VALUES_MAX = 12, BUF_MAX = 64 * 1024 * 1024 };

static const uint8_t header[19] = {'P', 'G', 'C', 'O', 'P', 'Y', '\n', 0xff, '\r', '\n',
                                   0,   0,   0,   0,   0,   0,   0,    0,    0};

/* Values of a native type as the server sends them. */
struct sample {
    uint32_t oid;
    size_t len; /* of each value; 0: NULL-ended text */
    const char *values[VALUES_MAX];
};

static const struct sample samples[] = {
    {16, 1, {"\0", "\1"}},
    {21, 2, {"\0\0", "\x7f\xff", "\x80\0", "\xff\xff"}},
    {23, 4, {"\0\0\0\0", "\x7f\xff\xff\xff", "\x80\0\0\0", "\xff\xff\xff\xff"}},
    {26, 4, {"\0\0\0\0", "\xff\xff\xff\xff", "\x80\0\0\1"}},
    {20,
     8,
     {"\0\0\0\0\0\0\0\0", "\x7f\xff\xff\xff\xff\xff\xff\xff", "\x80\0\0\0\0\0\0\0",
      "\xff\xff\xff\xff\xff\xff\xff\xff"}},
    /* 0, -0, NaN, infinity, -infinity, smallest denormal */
    {700,
     4,
     {"\0\0\0\0", "\x80\0\0\0", "\x7f\xc0\0\0", "\x7f\x80\0\0", "\xff\x80\0\0", "\0\0\0\1"}},
    {701,
     8,
     {"\0\0\0\0\0\0\0\0", "\x80\0\0\0\0\0\0\0", "\x7f\xf8\0\0\0\0\0\0", "\x7f\xf0\0\0\0\0\0\0",
      "\0\0\0\0\0\0\0\1", "\x3f\xb9\x99\x99\x99\x99\x99\x9a"}},
    {25, 0, {"", "a", "seven b", "eight by", "nine byte", "\xf0\x9f\x90\x98 \\N\t\r\n\"'"}},
    {1043, 0, {"", "x"}},
    {1042, 0, {"pad   ", "x"}},
    {19, 0, {"a_name"}},
    {17, 4, {"\0\0\0\0", "\xff\xfe\0\1"}},
    {114, 0, {"{\"a\": 1, \"a\":2}", "null"}},
    {3802, 0, {"\1{}", "\1[1, 2]"}},
    {2950, 16, {"0123456789abcdef", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"}},
    /* 2000-01-01, infinity, -infinity, 4713-01-01 BC, 5874897-12-31, 1970-01-01 */
    {1082,
     4,
     {"\0\0\0\0", "\x7f\xff\xff\xff", "\x80\0\0\0", "\xff\xda\x97\xb1", "\x7f\xda\x98\x0d",
      "\xff\xff\xd5\x33"}},
    /* 00:00, 24:00:00, 23:59:59.999999 */
    {1083, 8, {"\0\0\0\0\0\0\0\0", "\0\0\0\x14\x1d\xd7\x60\0", "\0\0\0\x14\x1d\xd7\x5f\xff"}},
    /* 2000-01-01, infinity, -infinity, 294276-12-31 23:59:59.999999, 4714-11-24 BC, the two that
       land on Arrow's limits, and their neighbours */
    {1114,
     8,
     {"\0\0\0\0\0\0\0\0", "\x7f\xff\xff\xff\xff\xff\xff\xff", "\x80\0\0\0\0\0\0\0",
      "\x7f\xff\xff\x63\xc1\x44\x5f\xff", "\xfd\x0f\x7c\x84\x21\x34\xa0\0",
      "\x7f\xfc\xa2\xfe\xc4\xc8\x1f\xff", "\x7f\xfc\xa2\xfe\xc4\xc8\x20\0",
      "\x7f\xfc\xa2\xfe\xc4\xc8\x1f\xfe", "\x7f\xfc\xa2\xfe\xc4\xc8\x20\1",
      "\xff\xff\xff\xff\xff\xff\xff\xff"}},
    {1184, 8, {"\0\0\0\0\0\0\0\0", "\x7f\xff\xff\xff\xff\xff\xff\xff", "\0\0\0\0\0\0\0\1"}},
    {1700, 8, {"\0\0\0\0\xc0\0\0\0", "\0\1\0\0\0\0\0\1"}},
};

enum { N_SAMPLES = sizeof samples / sizeof samples[0] };

static void add_column(struct rb_columns *columns, const char *name, uint32_t oid)
{
    struct rb_column column = {.name = NULL, .typmod = -1};
    char text[64];
    snprintf(text, sizeof text, "%s", name);
    column.name = text;
    rb_column_set_type(&column, (struct rb_type_facts){.oid = oid, .elem_oid = 0}, true);
    assert_int_equal(rb_columns_add(columns, &column, NULL), 0);
}

static const struct rb_decoder_options decoding = {
    .batch_bytes = 1024 * 1024, .max_record_bytes = 1024 * 1024, .checksum = true};
static const struct rb_encoder_options encoding = {.max_record_bytes = 1024 * 1024,
                                                   .checksum = true};

static void append_field(struct rb_buf *buf, const char *value, size_t len)
{
    assert_int_equal(rb_buf_append_be32(buf, (uint32_t)len), 0);
    assert_int_equal(rb_buf_append(buf, value, len), 0);
}

static size_t sample_count(const struct sample *sample)
{
    size_t n = 0;
    while (n < VALUES_MAX && sample->values[n] != NULL) {
        n++;
    }
    return n;
}

/* Row `row` of a table with a column for each sample: its values in turn, NULL after the last. */
static void append_row(struct rb_buf *buf, size_t row)
{
    assert_int_equal(rb_buf_append_be16(buf, N_SAMPLES), 0);
    for (size_t i = 0; i < N_SAMPLES; i++) {
        const struct sample *sample = &samples[i];
        size_t at = row % (sample_count(sample) + 1);
        const char *value = at < sample_count(sample) ? sample->values[at] : NULL;
        if (value == NULL) {
            assert_int_equal(rb_buf_append_be32(buf, UINT32_MAX), 0);
        } else {
            append_field(buf, value, sample->len != 0 ? sample->len : strlen(value));
        }
    }
}

static void all_columns(struct rb_columns *columns)
{
    rb_columns_init(columns);
    for (size_t i = 0; i < N_SAMPLES; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%zu", i);
        add_column(columns, name, samples[i].oid);
    }
}

/* Appends the decoder's batch, encoded again, to `out`. */
static void encode_batch(struct rb_decoder *decoder, struct rb_encoder *encoder,
                         const struct rb_columns *columns, struct rb_buf *out)
{
    struct ArrowSchema schema;
    struct ArrowArrayView view;
    const struct ArrowArray *array;
    struct ArrowError error;
    assert_int_equal(rb_columns_to_schema(columns, NULL, &schema, NULL), 0);
    assert_int_equal(ArrowArrayViewInitFromSchema(&view, &schema, &error), 0);
    assert_int_equal(rb_decoder_batch(decoder, &array, NULL), 0);
    assert_int_equal(ArrowArrayViewSetArray(&view, array, &error), 0);
    assert_int_equal(ArrowArrayViewValidate(&view, NANOARROW_VALIDATION_LEVEL_FULL, &error), 0);
    for (int64_t i = 0; i < view.n_children; i++) {
        assert_int_equal(array->children[i]->null_count,
                         ArrowArrayViewComputeNullCount(view.children[i]));
    }
    assert_int_equal(rb_encoder_bind(encoder, &view, NULL), 0);
    while (rb_encoder_rows(encoder, out, out->len + 100, NULL) == 0) {
    }
    ArrowArrayViewReset(&view);
    schema.release(&schema);
}

/* Pushes `data` in pieces of `piece` bytes and gives what comes out at the other end. */
static void round_trip(const struct rb_columns *columns, const struct rb_buf *data, size_t piece,
                       size_t batch_bytes, struct rb_buf *out)
{
    struct rb_decoder_options options = decoding;
    options.batch_bytes = batch_bytes;
    RB_CLEANUP(rb_decoder_freep) struct rb_decoder *decoder = NULL;
    RB_CLEANUP(rb_encoder_freep) struct rb_encoder *encoder = NULL;
    assert_int_equal(rb_decoder_new(columns, &options, &decoder, NULL), 0);
    assert_int_equal(rb_encoder_new(columns, &encoding, &encoder, NULL), 0);
    int status = 0;
    size_t pushed = 0;
    while (status != RB_DECODER_END) {
        size_t len = data->len - pushed < piece ? data->len - pushed : piece;
        /* A copy of just these bytes, so that ASan sees a read past them. */
        uint8_t *bytes = malloc(len + 1);
        assert_non_null(bytes);
        memcpy(bytes, data->data + pushed, len);
        size_t used;
        status = rb_decoder_push(decoder, bytes, len, &used, NULL);
        free(bytes);
        assert_true(status >= 0);
        pushed += used;
        if (status == RB_DECODER_FULL) {
            encode_batch(decoder, encoder, columns, out);
            rb_decoder_clear(decoder);
        }
    }
    assert_int_equal(pushed, data->len);
    encode_batch(decoder, encoder, columns, out);
    assert_true(rb_decoder_is_ended(decoder));
    assert_int_equal(rb_decoder_rows(decoder), rb_encoder_row_count(encoder));
    assert_int_equal(rb_decoder_bytes(decoder), rb_encoder_bytes(encoder));
    assert_true(rb_decoder_checksum(decoder) == rb_encoder_checksum(encoder));
}

/* The rows of a COPY stream as a server sends them: a message each, the header with the first, the
 * trailer with none. */
static void as_messages(const struct rb_buf *data, struct rb_buf *ret)
{
    size_t begin = 0;
    for (size_t at = sizeof header; at < data->len;) {
        int16_t n_fields = (int16_t)rb_load_be16(data->data + at);
        at += 2;
        for (int i = 0; i < n_fields; i++) {
            uint32_t len = rb_load_be32(data->data + at);
            at += 4 + (len == UINT32_MAX ? 0 : len);
        }
        assert_int_equal(rb_buf_append_byte(ret, 'd'), 0);
        assert_int_equal(rb_buf_append_be32(ret, (uint32_t)(at - begin) + 4), 0);
        assert_int_equal(rb_buf_append(ret, data->data + begin, at - begin), 0);
        begin = at;
    }
}

enum { NOTHING_WHOLE = 3 }; /* take_messages' own outcome */

/* What of the stream of messages has been received, and how it is taken. */
struct received {
    const struct rb_buf *messages;
    size_t taken, end;
    bool is_fast; /* rb_decoder_push_messages has its turn first */
    size_t n_fast, n_slow;
};

/* Takes the next messages, or the next one. NOTHING_WHOLE: not even one is whole. */
static int take_messages(struct rb_decoder *decoder, struct received *received,
                         struct rb_error *err)
{
    size_t len = received->end - received->taken;
    uint8_t *bytes = malloc(len > 0 ? len : 1);
    assert_non_null(bytes);
    memcpy(bytes, received->messages->data + received->taken, len);
    size_t used = 0;
    int status = 0;
    if (received->is_fast) {
        status = rb_decoder_push_messages(decoder, bytes, len, &used, err);
        received->n_fast += used > 0;
    }
    if (status == 0 && used == 0) {
        size_t whole = len >= 5 ? rb_load_be32(bytes + 1) + 1 : SIZE_MAX;
        if (whole > len) {
            status = NOTHING_WHOLE;
        } else {
            status = rb_decoder_push(decoder, bytes + 5, whole - 5, &used, err);
            used += status == RB_DECODER_FULL ? 0 : 5;
            received->n_slow += status == 0;
        }
    }
    free(bytes);
    received->taken += used;
    return status;
}

/* Like round_trip, for messages of which `piece` bytes more arrive at a time. */
static void messages_round_trip(const struct rb_columns *columns, const struct rb_buf *messages,
                                size_t piece, size_t batch_bytes, struct received *received,
                                struct rb_buf *out)
{
    struct rb_decoder_options options = decoding;
    options.batch_bytes = batch_bytes;
    RB_CLEANUP(rb_decoder_freep) struct rb_decoder *decoder = NULL;
    RB_CLEANUP(rb_encoder_freep) struct rb_encoder *encoder = NULL;
    assert_int_equal(rb_decoder_new(columns, &options, &decoder, NULL), 0);
    assert_int_equal(rb_encoder_new(columns, &encoding, &encoder, NULL), 0);
    received->messages = messages;
    while (!rb_decoder_is_ended(decoder)) {
        size_t left = messages->len - received->end;
        received->end += left < piece ? left : piece;
        int status = 0;
        while (received->taken < received->end && !rb_decoder_is_ended(decoder)) {
            struct rb_error err = {0};
            status = take_messages(decoder, received, &err);
            assert_true(status >= 0);
            if (status == NOTHING_WHOLE && !rb_decoder_is_ended(decoder)) {
                break;
            }
            if (status == RB_DECODER_FULL) {
                encode_batch(decoder, encoder, columns, out);
                rb_decoder_clear(decoder);
            }
        }
    }
    assert_int_equal(received->taken, messages->len);
    encode_batch(decoder, encoder, columns, out);
    assert_int_equal(rb_decoder_rows(decoder), rb_encoder_row_count(encoder));
    assert_int_equal(rb_decoder_bytes(decoder), rb_encoder_bytes(encoder));
    assert_true(rb_decoder_checksum(decoder) == rb_encoder_checksum(encoder));
}

static void expect_same(const struct rb_buf *data, const struct rb_buf *out)
{
    size_t body = data->len - sizeof header - 2;
    assert_int_equal(out->len, body);
    assert_memory_equal(out->data, data->data + sizeof header, body);
}

static void table_of_samples(struct rb_buf *data, size_t n_rows)
{
    assert_int_equal(rb_buf_append(data, header, sizeof header), 0);
    for (size_t row = 0; row < n_rows; row++) {
        append_row(data, row);
    }
    assert_int_equal(rb_codec_append_trailer(data), 0);
}

static void every_native_value_comes_back(void **state)
{
    (void)state;
    RB_CLEANUP(rb_columns_release) struct rb_columns columns;
    all_columns(&columns);
    RB_CLEANUP(rb_buf_release) struct rb_buf data = RB_BUF_INIT(BUF_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(BUF_MAX);
    table_of_samples(&data, 3000);
    round_trip(&columns, &data, data.len, 64 * 1024, &out);
    expect_same(&data, &out);
}

static void messages_come_back_as_rows_do(void **state)
{
    (void)state;
    RB_CLEANUP(rb_columns_release) struct rb_columns columns;
    all_columns(&columns);
    RB_CLEANUP(rb_buf_release) struct rb_buf data = RB_BUF_INIT(BUF_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf messages = RB_BUF_INIT(BUF_MAX);
    table_of_samples(&data, 3000);
    as_messages(&data, &messages);
    static const size_t pieces[] = {700, 5000, 77777, SIZE_MAX / 2};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(BUF_MAX);
        struct received received = {.is_fast = true};
        messages_round_trip(&columns, &messages, pieces[i], 10000 + i * 20000, &received, &out);
        expect_same(&data, &out);
        /* The first row comes with the header; every other is taken the fast way. */
        assert_int_equal(received.n_slow, 1);
        assert_true(received.n_fast > 0);
    }
}

/* A block with a value that is refused changes nothing, and the slow way says which row it is. */
static void a_refused_value_in_a_block_is_named(void **state)
{
    (void)state;
    static const struct {
        size_t column;
        const char *value;
        size_t len;
    } bad[] = {{0, "\2", 1}, {1, "\0", 1}, {13, "\2{}", 3}, {14, "short", 5}};
    RB_CLEANUP(rb_columns_release) struct rb_columns columns;
    all_columns(&columns);
    for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++) {
        RB_CLEANUP(rb_buf_release) struct rb_buf data = RB_BUF_INIT(BUF_MAX);
        RB_CLEANUP(rb_buf_release) struct rb_buf messages = RB_BUF_INIT(BUF_MAX);
        assert_int_equal(rb_buf_append(&data, header, sizeof header), 0);
        for (size_t row = 0; row < 40; row++) {
            append_row(&data, row);
        }
        assert_int_equal(rb_buf_append_be16(&data, N_SAMPLES), 0);
        for (size_t i = 0; i < N_SAMPLES; i++) {
            if (i == bad[b].column) {
                append_field(&data, bad[b].value, bad[b].len);
            } else {
                assert_int_equal(rb_buf_append_be32(&data, UINT32_MAX), 0);
            }
        }
        append_row(&data, 1);
        as_messages(&data, &messages);
        RB_CLEANUP(rb_decoder_freep) struct rb_decoder *decoder = NULL;
        assert_int_equal(rb_decoder_new(&columns, &decoding, &decoder, NULL), 0);
        struct received received = {.messages = &messages, .end = messages.len, .is_fast = true};
        struct rb_error err = {0};
        int status = 0;
        while (status == 0) {
            status = take_messages(decoder, &received, &err);
        }
        assert_int_equal(status, RB_EDATA);
        assert_int_equal(rb_decoder_rows(decoder), 40);
        char expected[32];
        snprintf(expected, sizeof expected, "column \"c%zu\", row 41", bad[b].column);
        assert_non_null(strstr(err.message, expected));
        RB_CLEANUP(rb_encoder_freep) struct rb_encoder *encoder = NULL;
        RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(BUF_MAX);
        assert_int_equal(rb_encoder_new(&columns, &encoding, &encoder, NULL), 0);
        encode_batch(decoder, encoder, &columns, &out);
        assert_memory_equal(out.data, data.data + sizeof header, out.len);
        assert_true(rb_decoder_checksum(decoder) == rb_encoder_checksum(encoder));
    }
}

/* Rows whose lengths add up as if each field of fixed length had its length: one has none, or two
 * have each other's. */
static void lengths_that_add_up_are_looked_at(void **state)
{
    (void)state;
    RB_CLEANUP(rb_columns_release) struct rb_columns columns;
    RB_CLEANUP(rb_buf_release) struct rb_buf data = RB_BUF_INIT(BUF_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf messages = RB_BUF_INIT(BUF_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(BUF_MAX);
    rb_columns_init(&columns);
    for (size_t i = 0; i < 4; i++) {
        add_column(&columns, &"a\0b\0c\0d"[2 * i], (const uint32_t[]){23, 25, 23, 21}[i]);
    }
    assert_int_equal(rb_buf_append(&data, header, sizeof header), 0);
    for (size_t row = 0; row < 3000; row++) {
        assert_int_equal(rb_buf_append_be16(&data, 4), 0);
        if (row % 1000 == 500) {
            assert_int_equal(rb_buf_append_be32(&data, UINT32_MAX), 0);
        } else {
            append_field(&data, "\1\2\3\4", 4);
        }
        append_field(&data, "\0\0\0\1x", 5);
        append_field(&data, "\0\0\0\7", 4);
        append_field(&data, "\0\10", 2);
    }
    assert_int_equal(rb_buf_append_be16(&data, UINT16_MAX), 0);
    as_messages(&data, &messages);
    struct received received = {.is_fast = true};
    messages_round_trip(&columns, &messages, SIZE_MAX / 2, 50000, &received, &out);
    expect_same(&data, &out);
    assert_int_equal(received.n_slow, 1);

    rb_buf_clear(&data);
    rb_buf_clear(&messages);
    assert_int_equal(rb_buf_append(&data, header, sizeof header), 0);
    for (size_t row = 0; row < 40; row++) {
        bool is_wrong = row == 30;
        assert_int_equal(rb_buf_append_be16(&data, 4), 0);
        append_field(&data, "\1\2\3\4", 4);
        append_field(&data, "x", 1);
        append_field(&data, "\0\0\0\7", is_wrong ? 2 : 4);
        append_field(&data, "\0\10\0\0", is_wrong ? 4 : 2);
    }
    as_messages(&data, &messages);
    RB_CLEANUP(rb_decoder_freep) struct rb_decoder *decoder = NULL;
    assert_int_equal(rb_decoder_new(&columns, &decoding, &decoder, NULL), 0);
    received = (struct received){.messages = &messages, .end = messages.len, .is_fast = true};
    struct rb_error err = {0};
    while (take_messages(decoder, &received, &err) == 0) {
    }
    assert_int_equal(err.status, RB_EDATA);
    assert_non_null(strstr(err.message, "column \"c\", row 31"));
    assert_int_equal(rb_decoder_rows(decoder), 30);
}

static void any_cut_gives_the_same(void **state)
{
    (void)state;
    RB_CLEANUP(rb_columns_release) struct rb_columns columns;
    all_columns(&columns);
    RB_CLEANUP(rb_buf_release) struct rb_buf data = RB_BUF_INIT(BUF_MAX);
    table_of_samples(&data, 14);
    for (size_t piece = 1; piece < 400; piece = piece < 40 ? piece + 1 : piece + 37) {
        RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(BUF_MAX);
        round_trip(&columns, &data, piece, 500, &out);
        expect_same(&data, &out);
    }
}

static void no_rows_and_no_columns(void **state)
{
    (void)state;
    RB_CLEANUP(rb_columns_release) struct rb_columns columns;
    rb_columns_init(&columns);
    RB_CLEANUP(rb_buf_release) struct rb_buf data = RB_BUF_INIT(BUF_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(BUF_MAX);
    assert_int_equal(rb_buf_append(&data, header, sizeof header), 0);
    assert_int_equal(rb_buf_append(&data, "\0\0\0\0", 4), 0); /* two rows of no fields */
    assert_int_equal(rb_codec_append_trailer(&data), 0);
    round_trip(&columns, &data, data.len, 1000, &out);
    expect_same(&data, &out);
    RB_CLEANUP(rb_columns_release) struct rb_columns all;
    all_columns(&all);
    rb_buf_clear(&data);
    rb_buf_clear(&out);
    table_of_samples(&data, 0);
    round_trip(&all, &data, data.len, 1000, &out);
    assert_int_equal(out.len, 0);
}

static void every_length_comes_back(void **state)
{
    (void)state;
    RB_CLEANUP(rb_columns_release) struct rb_columns columns;
    rb_columns_init(&columns);
    add_column(&columns, "t", RB_TYPE_TEXT_OID);
    RB_CLEANUP(rb_buf_release) struct rb_buf data = RB_BUF_INIT(BUF_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf messages = RB_BUF_INIT(BUF_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(BUF_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf again = RB_BUF_INIT(BUF_MAX);
    char value[300];
    for (size_t i = 0; i < sizeof value; i++) {
        value[i] = (char)('!' + i % 90);
    }
    assert_int_equal(rb_buf_append(&data, header, sizeof header), 0);
    for (size_t len = 0; len < sizeof value; len++) {
        assert_int_equal(rb_buf_append_be16(&data, 1), 0);
        append_field(&data, value, len);
        if (len % 10 == 0) {
            assert_int_equal(rb_buf_append_be16(&data, 1), 0);
            assert_int_equal(rb_buf_append_be32(&data, UINT32_MAX), 0);
        }
    }
    assert_int_equal(rb_codec_append_trailer(&data), 0);
    round_trip(&columns, &data, data.len, BUF_MAX, &out);
    expect_same(&data, &out);
    as_messages(&data, &messages);
    struct received received = {.is_fast = true};
    messages_round_trip(&columns, &messages, messages.len, BUF_MAX, &received, &again);
    expect_same(&data, &again);
}

static void a_block_without_nulls_comes_back(void **state)
{
    (void)state;
    RB_CLEANUP(rb_columns_release) struct rb_columns columns;
    all_columns(&columns);
    RB_CLEANUP(rb_buf_release) struct rb_buf data = RB_BUF_INIT(BUF_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(BUF_MAX);
    assert_int_equal(rb_buf_append(&data, header, sizeof header), 0);
    for (size_t row = 0; row < 30; row++) {
        assert_int_equal(rb_buf_append_be16(&data, N_SAMPLES), 0);
        for (size_t i = 0; i < N_SAMPLES; i++) {
            const struct sample *sample = &samples[i];
            const char *value = sample->values[row % sample_count(sample)];
            append_field(&data, value, sample->len != 0 ? sample->len : strlen(value));
        }
    }
    assert_int_equal(rb_codec_append_trailer(&data), 0);
    round_trip(&columns, &data, data.len, BUF_MAX, &out);
    expect_same(&data, &out);
}

static void wide_values_do_not_stay(void **state)
{
    (void)state;
    RB_CLEANUP(rb_columns_release) struct rb_columns columns;
    rb_columns_init(&columns);
    add_column(&columns, "t", RB_TYPE_TEXT_OID);
    RB_CLEANUP(rb_buf_release) struct rb_buf data = RB_BUF_INIT(BUF_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(BUF_MAX);
    char *wide = malloc(900000);
    assert_non_null(wide);
    memset(wide, 'w', 900000);
    assert_int_equal(rb_buf_append(&data, header, sizeof header), 0);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(rb_buf_append_be16(&data, 1), 0);
        append_field(&data, wide, i % 2 == 0 ? 900000 : 3);
    }
    assert_int_equal(rb_codec_append_trailer(&data), 0);
    free(wide);
    round_trip(&columns, &data, 100000, 1000, &out);
    expect_same(&data, &out);
}

/* Decodes one field of one column and gives the status: of rb_decoder_push, for which
 * rb_decoder_push_messages has to leave what is refused. */
static int decode_one(uint32_t oid, const char *value, size_t len,
                      const struct rb_decoder_options *options, struct rb_error *err)
{
    RB_CLEANUP(rb_columns_release) struct rb_columns columns;
    rb_columns_init(&columns);
    add_column(&columns, "price", oid);
    RB_CLEANUP(rb_decoder_freep) struct rb_decoder *decoder = NULL;
    RB_CLEANUP(rb_buf_release) struct rb_buf data = RB_BUF_INIT(BUF_MAX);
    size_t used;
    assert_int_equal(rb_decoder_new(&columns, options, &decoder, NULL), 0);
    assert_int_equal(rb_decoder_push(decoder, header, sizeof header, &used, NULL), 0);
    assert_int_equal(rb_buf_append_byte(&data, 'd'), 0);
    assert_int_equal(rb_buf_append_be32(&data, (uint32_t)(4 + 2 + 4 + len)), 0);
    assert_int_equal(rb_buf_append_be16(&data, 1), 0);
    append_field(&data, value, len);
    assert_int_equal(rb_decoder_push_messages(decoder, data.data, data.len, &used, err), 0);
    bool is_taken = used > 0;
    assert_int_equal(rb_decoder_rows(decoder), is_taken);
    int status = rb_decoder_push(decoder, data.data + 5, data.len - 5, &used, err);
    assert_int_equal(is_taken, status == 0);
    return status;
}

static void a_wrong_length_is_an_error_by_column(void **state)
{
    (void)state;
    static const struct {
        uint32_t oid;
        size_t len;
        const char *value;
    } wrong[] = {
        {16, 0, ""},
        {16, 2, "\0\0"},
        {16, 1, "\2"},
        {21, 3, "\0\0\0"},
        {23, 3, "\0\0\0"},
        {26, 5, "\0\0\0\0\0"},
        {20, 7, "1234567"},
        {700, 8, "12345678"},
        {701, 4, "1234"},
        {1082, 8, "12345678"},
        {1083, 4, "1234"},
        {1114, 0, ""},
        {1184, 9, "123456789"},
        {2950, 15, "123456789012345"},
        {3802, 0, ""},
        {3802, 2, "\2x"},
        {1082, 4, "\x7f\xff\xff\xf0"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct rb_error err = {.status = 0};
        assert_int_equal(decode_one(wrong[i].oid, wrong[i].value, wrong[i].len, &decoding, &err),
                         RB_EDATA);
        assert_non_null(strstr(err.message, "\"price\""));
        assert_non_null(strstr(err.message, "row 1"));
    }
}

static void special_dates_are_refused_for_peers_without_pg_binary(void **state)
{
    (void)state;
    struct rb_decoder_options options = decoding;
    options.refuse_special = true;
    static const struct {
        uint32_t oid;
        size_t len;
        const char *value;
    } special[] = {
        {1082, 4, "\x7f\xff\xff\xff"},
        {1082, 4, "\x80\0\0\0"},
        {1114, 8, "\x7f\xff\xff\xff\xff\xff\xff\xff"},
        {1184, 8, "\x80\0\0\0\0\0\0\0"},
        {1114, 8, "\x7f\xff\xff\x63\xc1\x44\x5f\xff"},
        {1114, 8, "\x7f\xfc\xa2\xfe\xc4\xc8\x1f\xff"},
        {1114, 8, "\x7f\xfc\xa2\xfe\xc4\xc8\x20\0"},
        {1083, 8, "\0\0\0\x14\x1d\xd7\x60\0"},
    };
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++) {
        struct rb_error err = {.status = 0};
        assert_int_equal(
            decode_one(special[i].oid, special[i].value, special[i].len, &options, &err), RB_EDATA);
        assert_string_equal(err.code, "VALUE_NOT_REPRESENTABLE");
        assert_int_equal(
            decode_one(special[i].oid, special[i].value, special[i].len, &decoding, NULL), 0);
    }
    assert_int_equal(decode_one(1114, "\x7f\xfc\xa2\xfe\xc4\xc8\x1f\xfe", 8, &options, NULL), 0);
}

static void what_is_not_copy_is_refused(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        const char *bytes;
    } streams[] = {
        {5, "PGCO\n"},
        {19, "PGCOPY\n\xff\r\n\0\0\1\0\0\0\0\0\0"},         /* has OIDs */
        {19, "PGCOPY\n\xff\r\n\0\0\0\0\0\x7f\0\0\0"},       /* a huge extension */
        {21, "PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\2"},     /* two fields instead of one */
        {21, "PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\xff\xfe"}, /* -2 fields */
        {25, "PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\1\xff\xff\xff\xfe"}, /* -2 bytes */
        {22, "PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\xff\xff\0"},           /* more after the trailer */
    };
    RB_CLEANUP(rb_columns_release) struct rb_columns columns;
    rb_columns_init(&columns);
    add_column(&columns, "n", RB_TYPE_INT4_OID);
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        RB_CLEANUP(rb_decoder_freep) struct rb_decoder *decoder = NULL;
        assert_int_equal(rb_decoder_new(&columns, &decoding, &decoder, NULL), 0);
        size_t used;
        assert_int_equal(rb_decoder_push(decoder, (const uint8_t *)streams[i].bytes, streams[i].len,
                                         &used, NULL),
                         RB_EPROTOCOL);
    }
}

static void a_row_over_the_limit_is_refused_by_name(void **state)
{
    (void)state;
    struct rb_decoder_options options = decoding;
    options.max_record_bytes = 100;
    char value[200];
    memset(value, 'x', sizeof value);
    struct rb_error err = {.status = 0};
    assert_int_equal(decode_one(RB_TYPE_TEXT_OID, value, 101, &options, &err), RB_EDATA);
    assert_string_equal(err.code, "RECORD_TOO_LARGE");
    assert_non_null(strstr(err.message, "\"price\""));
    assert_int_equal(decode_one(RB_TYPE_TEXT_OID, value, 99, &options, &err), RB_EDATA);
    assert_int_equal(decode_one(RB_TYPE_TEXT_OID, value, 94, &options, NULL), 0);
}

static void arrays_are_as_array_recv_reads_them(void **state)
{
    (void)state;
    RB_CLEANUP(rb_columns_release) struct rb_columns columns;
    rb_columns_init(&columns);
    add_column(&columns, "n", RB_TYPE_INT4_OID);
    RB_CLEANUP(rb_decoder_freep) struct rb_decoder *decoder = NULL;
    RB_CLEANUP(rb_encoder_freep) struct rb_encoder *encoder = NULL;
    assert_int_equal(rb_decoder_new(&columns, &decoding, &decoder, NULL), 0);
    assert_int_equal(rb_encoder_new(&columns, &encoding, &encoder, NULL), 0);
    RB_CLEANUP(rb_buf_release) struct rb_buf data = RB_BUF_INIT(BUF_MAX);
    assert_int_equal(rb_buf_append(&data, header, sizeof header), 0);
    assert_int_equal(rb_buf_append(&data, "\0\1\0\0\0\4\0\0\0\7\0\1\xff\xff\xff\xff", 16), 0);
    size_t used;
    assert_int_equal(rb_decoder_push(decoder, data.data, data.len, &used, NULL), 0);
    RB_CLEANUP(rb_buf_release) struct rb_buf rows = RB_BUF_INIT(BUF_MAX);
    struct ArrowSchema schema;
    struct ArrowArrayView view;
    const struct ArrowArray *array;
    assert_int_equal(rb_columns_to_schema(&columns, NULL, &schema, NULL), 0);
    assert_int_equal(ArrowArrayViewInitFromSchema(&view, &schema, NULL), 0);
    assert_int_equal(rb_decoder_batch(decoder, &array, NULL), 0);
    assert_int_equal(ArrowArrayViewSetArray(&view, array, NULL), 0);
    assert_int_equal(rb_encoder_bind(encoder, &view, NULL), 0);
    assert_int_equal(rb_encoder_array(encoder, 0, RB_TYPE_INT4_OID, &rows, NULL), 0);
    static const char expected[] = "\0\0\0\1\0\0\0\1\0\0\0\x17\0\0\0\2\0\0\0\1"
                                   "\0\0\0\4\0\0\0\7\xff\xff\xff\xff";
    assert_int_equal(rows.len, sizeof expected - 1);
    assert_memory_equal(rows.data, expected, rows.len);
    ArrowArrayViewReset(&view);
    schema.release(&schema);
}

/* One column of a type, decoded from the rows of a COPY: the batch in *view. */
struct decoded {
    struct rb_columns columns;
    struct rb_decoder *decoder;
    struct ArrowSchema schema;
    struct ArrowArrayView view;
};

static void view_batch(struct decoded *d)
{
    const struct ArrowArray *array;
    assert_int_equal(rb_decoder_batch(d->decoder, &array, NULL), 0);
    assert_int_equal(ArrowArrayViewSetArray(&d->view, array, NULL), 0);
}

static void decoded_init(struct decoded *d, const uint32_t *oids, size_t n, const char *rows,
                         size_t len)
{
    rb_columns_init(&d->columns);
    for (size_t i = 0; i < n; i++) {
        const char *const names[] = {"a", "b", "c"};
        add_column(&d->columns, names[i], oids[i]);
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf data = RB_BUF_INIT(BUF_MAX);
    assert_int_equal(rb_buf_append(&data, header, sizeof header), 0);
    assert_int_equal(rb_buf_append(&data, rows, len), 0);
    d->decoder = NULL;
    assert_int_equal(rb_decoder_new(&d->columns, &decoding, &d->decoder, NULL), 0);
    size_t used;
    assert_int_equal(rb_decoder_push(d->decoder, data.data, data.len, &used, NULL), 0);
    assert_int_equal(used, data.len);
    assert_int_equal(rb_columns_to_schema(&d->columns, NULL, &d->schema, NULL), 0);
    assert_int_equal(ArrowArrayViewInitFromSchema(&d->view, &d->schema, NULL), 0);
    view_batch(d);
}

static void decoded_release(struct decoded *d)
{
    ArrowArrayViewReset(&d->view);
    d->schema.release(&d->schema);
    rb_decoder_free(d->decoder);
    rb_columns_release(&d->columns);
}

#define FALSE_ROW "\0\1\0\0\0\1\0"
#define THREE_FIELDS "\0\3\0\0\0\1\0\0\0\0\1\0\0\0\0\0"
#define EIGHT(row) row row row row row row row row

static void a_row_that_was_cut_leaves_nothing(void **state)
{
    (void)state;
    /* Eight rows, and a ninth of true, NULL, and a text that has not come; then the batch is taken.
     */
    static const char rows[] = EIGHT(THREE_FIELDS) "\0\3\0\0\0\1\1\xff\xff\xff\xff\0\0";
    static const char rest[] = "\0\1x" EIGHT(THREE_FIELDS);
    static const uint32_t oids[] = {RB_TYPE_BOOL_OID, RB_TYPE_BOOL_OID, RB_TYPE_TEXT_OID};
    struct decoded d;
    decoded_init(&d, oids, 3, rows, sizeof rows - 1);
    assert_int_equal(rb_decoder_batch_rows(d.decoder), 8);
    rb_decoder_clear(d.decoder);
    size_t used;
    assert_int_equal(
        rb_decoder_push(d.decoder, (const uint8_t *)rest, sizeof rest - 1, &used, NULL), 0);
    view_batch(&d);
    assert_int_equal(d.view.length, 9);
    for (int64_t i = 0; i < 9; i++) {
        assert_int_equal(ArrowArrayViewGetIntUnsafe(d.view.children[0], i), i == 0);
        assert_int_equal(ArrowArrayViewIsNull(d.view.children[1], i), i == 0);
    }
    decoded_release(&d);
}

static void a_stream_ends_with_its_trailer(void **state)
{
    (void)state;
    static const uint32_t oid = RB_TYPE_BOOL_OID;
    struct decoded d;
    decoded_init(&d, &oid, 1, FALSE_ROW, sizeof FALSE_ROW - 1);
    assert_false(rb_decoder_is_ended(d.decoder));
    size_t used;
    assert_int_equal(rb_decoder_push(d.decoder, (const uint8_t *)"\377", 1, &used, NULL), 0);
    assert_false(rb_decoder_is_ended(d.decoder));
    assert_int_equal(rb_decoder_push(d.decoder, (const uint8_t *)"\377", 1, &used, NULL),
                     RB_DECODER_END);
    assert_true(rb_decoder_is_ended(d.decoder));
    decoded_release(&d);
}

static void a_slice_is_encoded_from_its_offset(void **state)
{
    (void)state;
    static const char rows[] = "\0\1\0\0\0\2\0\1\0\1\0\0\0\2\0\2\0\1\0\0\0\2\0\3";
    static const uint32_t oid = RB_TYPE_INT2_OID;
    struct decoded d;
    decoded_init(&d, &oid, 1, rows, sizeof rows - 1);
    RB_CLEANUP(rb_encoder_freep) struct rb_encoder *encoder = NULL;
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(BUF_MAX);
    assert_int_equal(rb_encoder_new(&d.columns, &encoding, &encoder, NULL), 0);
    /* The last two of three rows. */
    d.view.children[0]->offset = 1;
    d.view.children[0]->length = d.view.length = 2;
    assert_int_equal(rb_encoder_bind(encoder, &d.view, NULL), 0);
    assert_int_equal(rb_encoder_rows(encoder, &out, BUF_MAX, NULL), 1);
    assert_int_equal(out.len, sizeof rows - 1 - 8);
    assert_memory_equal(out.data, rows + 8, out.len);
    decoded_release(&d);
}

static void a_batch_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    static const char rows[] = "\0\1\0\0\0\4\0\0\0\1";
    static const uint32_t oid = RB_TYPE_INT4_OID;
    static const uint32_t others[] = {RB_TYPE_INT8_OID, RB_TYPE_TEXT_OID, 2950};
    struct decoded d;
    decoded_init(&d, &oid, 1, rows, sizeof rows - 1);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        RB_CLEANUP(rb_columns_release) struct rb_columns columns;
        RB_CLEANUP(rb_encoder_freep) struct rb_encoder *encoder = NULL;
        rb_columns_init(&columns);
        add_column(&columns, "price", others[i]);
        assert_int_equal(rb_encoder_new(&columns, &encoding, &encoder, NULL), 0);
        struct rb_error err = {.status = 0};
        assert_int_equal(rb_encoder_bind(encoder, &d.view, &err), RB_ESCHEMA);
        assert_non_null(strstr(err.message, "\"price\""));
    }
    decoded_release(&d);
    /* Of a fixed size that is not a uuid's. */
    RB_CLEANUP(rb_columns_release) struct rb_columns columns;
    RB_CLEANUP(rb_encoder_freep) struct rb_encoder *encoder = NULL;
    struct ArrowSchema schema;
    struct ArrowArrayView view;
    rb_columns_init(&columns);
    add_column(&columns, "id", 2950);
    assert_int_equal(rb_encoder_new(&columns, &encoding, &encoder, NULL), 0);
    ArrowSchemaInit(&schema);
    assert_int_equal(ArrowSchemaSetTypeStruct(&schema, 1), 0);
    assert_int_equal(
        ArrowSchemaSetTypeFixedSize(schema.children[0], NANOARROW_TYPE_FIXED_SIZE_BINARY, 8), 0);
    assert_int_equal(ArrowArrayViewInitFromSchema(&view, &schema, NULL), 0);
    assert_int_equal(rb_encoder_bind(encoder, &view, NULL), RB_ESCHEMA);
    ArrowArrayViewReset(&view);
    schema.release(&schema);
}

/* Encodes one value of another system's, which the view's buffer holds. */
static int encode_foreign(uint32_t oid, const void *value, struct rb_error *err)
{
    static const char dates[] = "\0\1\0\0\0\4\0\0\0\0";
    static const char moments[] = "\0\1\0\0\0\x8\0\0\0\0\0\0\0\0";
    bool is_date = oid == 1082;
    struct decoded d;
    decoded_init(&d, &oid, 1, is_date ? dates : moments,
                 is_date ? sizeof dates - 1 : sizeof moments - 1);
    d.columns.items[0].from_postgres = false;
    free(d.columns.items[0].declared);
    d.columns.items[0].declared = strdup(is_date ? "date" : "timestamp");
    RB_CLEANUP(rb_encoder_freep) struct rb_encoder *encoder = NULL;
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(BUF_MAX);
    assert_int_equal(rb_encoder_new(&d.columns, &encoding, &encoder, NULL), 0);
    d.view.children[0]->buffer_views[1].data.data = value;
    assert_int_equal(rb_encoder_bind(encoder, &d.view, NULL), 0);
    int status = rb_encoder_rows(encoder, &out, BUF_MAX, err);
    decoded_release(&d);
    return status;
}

static void what_postgresql_cannot_hold_is_refused(void **state)
{
    (void)state;
    /* What PostgreSQL would take for infinity, and days before its first. */
    static const int32_t days[] = {INT32_MAX, INT32_MIN, INT32_MIN + 1, INT32_MIN + RB_EPOCH_DAYS};
    static const int64_t moments[] = {INT64_MAX, INT64_MIN, INT64_MIN + RB_EPOCH_MICROS};
    static const int64_t fine = INT64_MIN + RB_EPOCH_MICROS + 1;
    static const int32_t fine_day = INT32_MIN + RB_EPOCH_DAYS + 1;
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        struct rb_error err = {.status = 0};
        assert_int_equal(encode_foreign(1082, &days[i], &err), RB_EDATA);
        assert_string_equal(err.code, "VALUE_NOT_REPRESENTABLE");
        assert_non_null(strstr(err.message, "\"a\""));
        assert_non_null(strstr(err.message, "row 1"));
    }
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
        assert_int_equal(encode_foreign(1114, &moments[i], NULL), RB_EDATA);
    }
    assert_int_equal(encode_foreign(1082, &fine_day, NULL), 1);
    assert_int_equal(encode_foreign(1114, &fine, NULL), 1);
}

static void rows_before_a_refused_one_count(void **state)
{
    (void)state;
    static const char rows[] = "\0\1\0\0\0\4\0\0\0\1\0\1\0\0\0\4\0\0\0\2"
                               "\0\1\0\0\0\4\x7f\xff\xff\xff";
    static const uint32_t oid = 1082;
    struct decoded d;
    decoded_init(&d, &oid, 1, rows, sizeof rows - 1);
    d.columns.items[0].from_postgres = false;
    d.columns.items[0].declared = strdup("date");
    RB_CLEANUP(rb_encoder_freep) struct rb_encoder *encoder = NULL;
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(BUF_MAX);
    assert_int_equal(rb_encoder_new(&d.columns, &encoding, &encoder, NULL), 0);
    assert_int_equal(rb_encoder_bind(encoder, &d.view, NULL), 0);
    assert_int_equal(rb_encoder_rows(encoder, &out, BUF_MAX, NULL), RB_EDATA);
    assert_int_equal(out.len, 20);
    assert_memory_equal(out.data, rows, 20);
    assert_int_equal(rb_encoder_row_count(encoder), 2);
    assert_int_equal(rb_encoder_bytes(encoder), 20);
    assert_true(rb_encoder_checksum(encoder) ==
                rb_hash_row(out.data, 10) + rb_hash_row(out.data + 10, 10));
    decoded_release(&d);
}

static void records_are_as_record_recv_reads_them(void **state)
{
    (void)state;
    static const char rows[] = "\0\2\0\0\0\2\0\7\0\0\0\3abc\0\2\xff\xff\xff\xff\0\0\0\0";
    static const uint32_t oids[] = {RB_TYPE_INT2_OID, RB_TYPE_TEXT_OID};
    struct decoded d;
    decoded_init(&d, oids, 2, rows, sizeof rows - 1);
    RB_CLEANUP(rb_encoder_freep) struct rb_encoder *encoder = NULL;
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(BUF_MAX);
    assert_int_equal(rb_encoder_new(&d.columns, &encoding, &encoder, NULL), 0);
    assert_int_equal(rb_encoder_bind(encoder, &d.view, NULL), 0);
    /* The columns the other way round. */
    static const size_t columns[] = {1, 0};
    static const uint32_t types[] = {RB_TYPE_TEXT_OID, RB_TYPE_INT2_OID};
    assert_int_equal(rb_encoder_records(encoder, columns, types, 2, 16384, &out, NULL), 0);
    static const char expected[] = "\0\0\0\1\0\0\0\0\0\0\x40\0\0\0\0\2\0\0\0\1"
                                   "\0\0\0\x19\0\0\0\2\0\0\0\x19\0\0\0\3"
                                   "abc"
                                   "\0\0\0\x15\0\0\0\2\0\7"
                                   "\0\0\0\x14\0\0\0\2\0\0\0\x19\0\0\0\0\0\0\0\x15\xff\xff\xff\xff";
    assert_int_equal(out.len, sizeof expected - 1);
    assert_memory_equal(out.data, expected, out.len);
    decoded_release(&d);
}

static void times_map_one_to_one(void **state)
{
    (void)state;
    assert_true(rb_time_to_arrow(0) == RB_EPOCH_MICROS);
    assert_true(rb_time_to_arrow(-RB_EPOCH_MICROS) == 0);
    assert_true(rb_time_to_arrow(INT64_MAX) == INT64_MAX);
    assert_true(rb_time_to_arrow(INT64_MIN) == INT64_MIN);
    static const int64_t edges[] = {INT64_MAX, INT64_MIN, INT64_MAX - RB_EPOCH_MICROS,
                                    INT64_MIN + RB_EPOCH_MICROS, 0};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        for (int64_t d = -3; d <= 3; d++) {
            int64_t v = rb_time_wrapping_add(edges[i], d);
            assert_true(rb_time_from_arrow(rb_time_to_arrow(v)) == v);
            assert_true(rb_time_to_arrow(rb_time_from_arrow(v)) == v);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_native_value_comes_back),
        cmocka_unit_test(messages_come_back_as_rows_do),
        cmocka_unit_test(a_refused_value_in_a_block_is_named),
        cmocka_unit_test(lengths_that_add_up_are_looked_at),
        cmocka_unit_test(any_cut_gives_the_same),
        cmocka_unit_test(no_rows_and_no_columns),
        cmocka_unit_test(a_block_without_nulls_comes_back),
        cmocka_unit_test(every_length_comes_back),
        cmocka_unit_test(wide_values_do_not_stay),
        cmocka_unit_test(a_wrong_length_is_an_error_by_column),
        cmocka_unit_test(special_dates_are_refused_for_peers_without_pg_binary),
        cmocka_unit_test(what_is_not_copy_is_refused),
        cmocka_unit_test(a_row_over_the_limit_is_refused_by_name),
        cmocka_unit_test(arrays_are_as_array_recv_reads_them),
        cmocka_unit_test(records_are_as_record_recv_reads_them),
        cmocka_unit_test(a_row_that_was_cut_leaves_nothing),
        cmocka_unit_test(a_stream_ends_with_its_trailer),
        cmocka_unit_test(a_slice_is_encoded_from_its_offset),
        cmocka_unit_test(a_batch_that_does_not_fit_is_refused),
        cmocka_unit_test(what_postgresql_cannot_hold_is_refused),
        cmocka_unit_test(rows_before_a_refused_one_count),
        cmocka_unit_test(times_map_one_to_one),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
