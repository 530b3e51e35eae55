/* What an encoder is made of. Only for codec_encode*.c. */
#ifndef RB_CONNECTORS_POSTGRES_COMMON_CODEC_ENCODER_H
#define RB_CONNECTORS_POSTGRES_COMMON_CODEC_ENCODER_H

#include "connectors/postgres/common/codec.h"

enum { RB_ENCODER_BLOCK_ROWS = 64 }; /* at most, of rb_encoder_block */

struct rb_in_column {
    const struct rb_column *column;
    const uint8_t *validity; /* NULL: no NULLs */
    const uint8_t *values;
    const int32_t *offsets;
    const uint8_t *values_end; /* of variable width */
    int64_t offset;            /* of the view's first row */
};

struct rb_encoder {
    struct rb_in_column *columns;
    size_t n_columns;
    struct rb_encoder_options options;
    int64_t row, end, n_rows; /* of the batch */
    int64_t counted;          /* rows of the batch that are in the totals */
    int64_t total_rows, total_bytes;
    uint64_t checksum;
};

static inline bool rb_in_column_is_variable(const struct rb_in_column *in)
{
    return in->column->codec == RB_CODEC_BYTES || in->column->codec == RB_CODEC_JSONB;
}

/* Appends rows to `out` as rb_encoder_rows does, up to RB_ENCODER_BLOCK_ROWS of them at once. The
 * number of rows; 0: the next row is not plain (a value or its size is refused, or there is no
 * memory), and rb_encoder_rows knows what to say about it. */
size_t rb_encoder_block(struct rb_encoder *encoder, struct rb_buf *out, size_t fill_bytes);

#endif
