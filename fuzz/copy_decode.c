/*
 * A COPY stream in binary form, cut anywhere, as columns of every kind. What was decoded is encoded
 * again and must come to the same bytes.
 *
 * Input: a byte for the peer (bit 0) and the size of the pieces, then up to 8 bytes that choose the
 * columns' types and a 0, then the stream.
 */
#include <stdio.h>

#include "connectors/postgres/common/codec.h"
#include "connectors/postgres/common/type.h"
#include "fuzz/fuzz.h"

enum { COLUMNS_MAX = 8, RECORD_MAX = 64 * 1024, BATCH = 4096, BYTES_MAX = 16 * 1024 * 1024 };

static const uint32_t oids[] = {16,   21,   23,   20,   26,   700,  701,  25,
                                1043, 1042, 19,   17,   2950, 1082, 1083, 1114,
                                1184, 114,  3802, 1700, 1186, 869,  790,  600};

static void add_column(struct rb_columns *columns, uint8_t choice, bool pg_binary)
{
    char name[16];
    struct rb_column column = {.name = name, .typmod = -1};
    (void)snprintf(name, sizeof name, "c%zu", columns->n);
    rb_column_set_type(&column,
                       (struct rb_type_facts){.oid = oids[choice % (sizeof oids / sizeof oids[0])]},
                       pg_binary);
    FUZZ_CHECK(rb_columns_add(columns, &column, NULL) == 0);
}

/* The batch, encoded again. */
static void encode_batch(struct rb_decoder *decoder, struct rb_encoder *encoder,
                         const struct ArrowSchema *schema)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(BYTES_MAX);
    const struct ArrowArray *array = NULL;
    struct ArrowArrayView view;
    FUZZ_CHECK(ArrowArrayViewInitFromSchema(&view, schema, NULL) == 0);
    if (rb_decoder_batch(decoder, &array, NULL) == 0) {
        FUZZ_CHECK(ArrowArrayViewSetArray(&view, array, NULL) == 0);
        FUZZ_CHECK(ArrowArrayViewValidate(&view, NANOARROW_VALIDATION_LEVEL_FULL, NULL) == 0);
        FUZZ_CHECK(rb_encoder_bind(encoder, &view, NULL) == 0);
        FUZZ_CHECK(rb_encoder_rows(encoder, &out, BYTES_MAX, NULL) == 1);
    }
    ArrowArrayViewReset(&view);
}

static void decode(struct rb_decoder *decoder, struct rb_encoder *encoder,
                   const struct ArrowSchema *schema, const uint8_t *data, size_t size, size_t piece)
{
    int status = 0;
    while (status >= 0 && status != RB_DECODER_END && size > 0) {
        size_t used = 0;
        size_t n = size < piece ? size : piece;
        uint8_t *part = fuzz_copy(data, n);
        status = rb_decoder_push(decoder, part, n, &used, NULL);
        free(part);
        if (status < 0) {
            return;
        }
        FUZZ_CHECK(used <= n);
        FUZZ_CHECK(status != 0 || used == n);
        data += used;
        size -= used;
        if (status != 0) {
            encode_batch(decoder, encoder, schema);
            rb_decoder_clear(decoder);
        }
    }
    if (!rb_decoder_is_ended(decoder)) {
        return;
    }
    FUZZ_CHECK(rb_decoder_rows(decoder) == rb_encoder_row_count(encoder));
    FUZZ_CHECK(rb_decoder_bytes(decoder) == rb_encoder_bytes(encoder));
    FUZZ_CHECK(rb_decoder_checksum(decoder) == rb_encoder_checksum(encoder));
}

static void run(const struct rb_columns *columns, bool refuse_special, const uint8_t *data,
                size_t size, size_t piece)
{
    const struct rb_decoder_options decoding = {.batch_bytes = BATCH,
                                                .max_record_bytes = RECORD_MAX,
                                                .checksum = true,
                                                .refuse_special = refuse_special};
    static const struct rb_encoder_options encoding = {.max_record_bytes = RECORD_MAX,
                                                       .checksum = true};
    RB_CLEANUP(rb_decoder_freep) struct rb_decoder *decoder = NULL;
    RB_CLEANUP(rb_encoder_freep) struct rb_encoder *encoder = NULL;
    struct ArrowSchema schema;
    FUZZ_CHECK(rb_columns_to_schema(columns, NULL, &schema, NULL) == 0);
    FUZZ_CHECK(rb_decoder_new(columns, &decoding, &decoder, NULL) == 0);
    FUZZ_CHECK(rb_encoder_new(columns, &encoding, &encoder, NULL) == 0);
    decode(decoder, encoder, &schema, data, size, piece);
    schema.release(&schema);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rb_columns columns;
    if (size < 2) {
        return 0;
    }
    bool pg_binary = (data[0] & 1) != 0;
    size_t piece = data[0] / 2U == 0 ? size : data[0] / 2U;
    size_t at = 1;
    rb_columns_init(&columns);
    while (at < size && columns.n < COLUMNS_MAX && data[at] != 0) {
        add_column(&columns, data[at++], pg_binary);
    }
    if (at < size && data[at] == 0) {
        at++;
    }
    run(&columns, !pg_binary, data + at, size - at, piece);
    rb_columns_release(&columns);
    return 0;
}
