/*
 * Messages of a COPY stream, taken by the fast way and by the slow one: rows, bytes, checksum, the
 * rows themselves and the first error must be the same.
 *
 * Input: up to 8 bytes that choose the columns' types and a 0, then the messages.
 */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "connectors/postgres/common/codec.h"
#include "connectors/postgres/common/type.h"
#include "fuzz/fuzz.h"

enum { COLUMNS_MAX = 8, RECORD_MAX = 64 * 1024, BATCH = 4096, BYTES_MAX = 16 * 1024 * 1024 };

static const uint32_t oids[] = {16,   21,   23,   20,   26,   700,  701,  25,
                                1043, 1042, 19,   17,   2950, 1082, 1083, 1114,
                                1184, 114,  3802, 1700, 1186, 869,  790,  600};

struct outcome {
    struct rb_error err;
    int status;
    int64_t rows, bytes;
    uint64_t checksum;
    struct rb_buf out; /* the rows, encoded again */
};

static void add_column(struct rb_columns *columns, uint8_t choice)
{
    char name[16];
    struct rb_column column = {.name = name, .typmod = -1};
    (void)snprintf(name, sizeof name, "c%zu", columns->n);
    rb_column_set_type(&column,
                       (struct rb_type_facts){.oid = oids[choice % (sizeof oids / sizeof oids[0])]},
                       true);
    FUZZ_CHECK(rb_columns_add(columns, &column, NULL) == 0);
}

static void encode_batch(struct rb_decoder *decoder, const struct rb_columns *columns,
                         struct rb_buf *out)
{
    static const struct rb_encoder_options encoding = {.max_record_bytes = RECORD_MAX};
    RB_CLEANUP(rb_encoder_freep) struct rb_encoder *encoder = NULL;
    const struct ArrowArray *array = NULL;
    struct ArrowSchema schema;
    struct ArrowArrayView view;
    FUZZ_CHECK(rb_encoder_new(columns, &encoding, &encoder, NULL) == 0);
    FUZZ_CHECK(rb_columns_to_schema(columns, NULL, &schema, NULL) == 0);
    FUZZ_CHECK(ArrowArrayViewInitFromSchema(&view, &schema, NULL) == 0);
    FUZZ_CHECK(rb_decoder_batch(decoder, &array, NULL) == 0);
    FUZZ_CHECK(ArrowArrayViewSetArray(&view, array, NULL) == 0);
    FUZZ_CHECK(rb_encoder_bind(encoder, &view, NULL) == 0);
    FUZZ_CHECK(rb_encoder_rows(encoder, out, SIZE_MAX, NULL) == 1);
    ArrowArrayViewReset(&view);
    schema.release(&schema);
    rb_decoder_clear(decoder);
}

static int push_one(struct rb_decoder *decoder, const uint8_t *data, size_t size, size_t *ret_used,
                    struct rb_error *err)
{
    size_t len = size >= 5 ? rb_load_be32(data + 1) : 0;
    if (len < 4 || len > size - 1 || data[0] != 'd') {
        *ret_used = size; /* another message, or a cut one: the rest is not looked at */
        return 0;
    }
    uint8_t *body = fuzz_copy(data + 5, len - 4);
    size_t used = 0;
    int status = rb_decoder_push(decoder, body, len - 4, &used, err);
    free(body);
    *ret_used = status == RB_DECODER_FULL ? used : len + 1;
    FUZZ_CHECK(status != RB_DECODER_FULL || used == 0 || len > 4);
    return status;
}

/* `fast`: what is not whole rows is left to the slow way, as a source does. */
static void decode(const struct rb_columns *columns, const uint8_t *data, size_t size, bool fast,
                   struct outcome *ret)
{
    static const struct rb_decoder_options decoding = {
        .batch_bytes = BATCH, .max_record_bytes = RECORD_MAX, .checksum = true};
    RB_CLEANUP(rb_decoder_freep) struct rb_decoder *decoder = NULL;
    FUZZ_CHECK(rb_decoder_new(columns, &decoding, &decoder, NULL) == 0);
    int status = 0;
    while (size > 0 && status >= 0 && status != RB_DECODER_END) {
        size_t used = 0;
        status = 0;
        if (fast) {
            status = rb_decoder_push_messages(decoder, data, size, &used, &ret->err);
        }
        if (status == 0 && used == 0) {
            status = push_one(decoder, data, size, &used, &ret->err);
            if (status == RB_DECODER_FULL && used > 0) {
                break; /* in the middle of a message of several rows, whose rest has no header */
            }
        }
        data += used;
        size -= used;
        if (status == RB_DECODER_FULL) {
            encode_batch(decoder, columns, &ret->out);
        }
    }
    encode_batch(decoder, columns, &ret->out);
    /* The fast way says at once that the batch is full, the slow one when more comes. */
    ret->status = status == RB_DECODER_FULL ? 0 : status;
    ret->rows = rb_decoder_rows(decoder);
    ret->bytes = rb_decoder_bytes(decoder);
    ret->checksum = rb_decoder_checksum(decoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rb_columns columns;
    size_t at = 0;
    rb_columns_init(&columns);
    while (at < size && columns.n < COLUMNS_MAX && data[at] != 0) {
        add_column(&columns, data[at++]);
    }
    at += at < size && data[at] == 0;
    struct outcome slow = {.out = RB_BUF_INIT(BYTES_MAX)};
    struct outcome fast = {.out = RB_BUF_INIT(BYTES_MAX)};
    uint8_t *input = fuzz_copy(data + at, size - at);
    decode(&columns, input, size - at, false, &slow);
    decode(&columns, input, size - at, true, &fast);
    free(input);
    FUZZ_CHECK(slow.status == fast.status);
    FUZZ_CHECK(slow.rows == fast.rows && slow.bytes == fast.bytes);
    FUZZ_CHECK(slow.checksum == fast.checksum);
    FUZZ_CHECK(slow.out.len == fast.out.len);
    FUZZ_CHECK(slow.out.len == 0 || memcmp(slow.out.data, fast.out.data, slow.out.len) == 0);
    FUZZ_CHECK(strcmp(slow.err.message, fast.err.message) == 0);
    rb_buf_release(&slow.out);
    rb_buf_release(&fast.out);
    rb_columns_release(&columns);
    return 0;
}
