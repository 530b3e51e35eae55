/* A batch as the destination gets it: its schema as PostgreSQL's columns, its rows as COPY. */
#include "arrow/ipc.h"
#include "connectors/postgres/common/codec.h"
#include "connectors/postgres/common/type.h"
#include "fuzz/fuzz.h"

enum { RECORD_MAX = 64 * 1024, BYTES_MAX = 16 * 1024 * 1024, FILL = 4096 };

static void encode(const struct rb_columns *columns, const struct ArrowArrayView *view,
                   int64_t n_rows)
{
    static const struct rb_encoder_options options = {.max_record_bytes = RECORD_MAX,
                                                      .checksum = true};
    RB_CLEANUP(rb_encoder_freep) struct rb_encoder *encoder = NULL;
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(BYTES_MAX);
    int status = rb_encoder_new(columns, &options, &encoder, NULL);
    if (status != 0 || rb_encoder_bind(encoder, view, NULL) != 0) {
        return;
    }
    int64_t bytes = 0;
    do {
        rb_buf_clear(&out);
        status = rb_encoder_rows(encoder, &out, FILL, NULL);
        bytes += (int64_t)out.len;
    } while (status == 0);
    FUZZ_CHECK(bytes == rb_encoder_bytes(encoder));
    FUZZ_CHECK(status < 0 || rb_encoder_row_count(encoder) == n_rows);
    for (size_t i = 0; i < columns->n; i++) {
        rb_buf_clear(&out);
        (void)rb_encoder_array(encoder, i, columns->items[i].oid, &out, NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rb_ipc_decoder decoder;
    struct rb_columns columns;
    uint8_t *copy = fuzz_copy(data, size);
    rb_ipc_decoder_init(&decoder);
    rb_columns_init(&columns);
    if (rb_ipc_decode(&decoder, copy, size, NULL) >= 0 && decoder.n_rows <= RECORD_MAX &&
        rb_columns_from_schema(&decoder.schema, &columns, NULL) == 0) {
        encode(&columns, decoder.view, decoder.n_rows);
    }
    rb_columns_release(&columns);
    rb_ipc_decoder_release(&decoder);
    free(copy);
    return 0;
}
