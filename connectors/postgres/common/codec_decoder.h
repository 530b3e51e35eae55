/* What a decoder is made of. Only for codec_decode*.c. */
#ifndef RB_CONNECTORS_POSTGRES_COMMON_CODEC_DECODER_H
#define RB_CONNECTORS_POSTGRES_COMMON_CODEC_DECODER_H

#include "connectors/postgres/common/codec.h"
#include "connectors/postgres/common/codec_watch.h"

enum {
    RB_DECODER_BLOCK_ROWS = 64,    /* at most, of rb_decoder_push_messages */
    RB_DECODER_BLOCK_CELLS = 8192, /* at most, unless a row has more */
};

#define RB_DECODER_ANY_LENGTH (UINT32_MAX - 1) /* no value has this one */

/* How the fields of a column travel. Fields of fixed length that follow each other are a run: where
 * all of them have values, each stands at a place that is known, and none waits for the length of
 * the one before. */
struct rb_block_column {
    uint32_t length;                 /* of a value, or RB_DECODER_ANY_LENGTH */
    uint32_t be_length;              /* as it is sent */
    uint32_t run_column;             /* where the run begins; itself, of variable length */
    uint32_t run_at;                 /* from the run's beginning to this field */
    uint32_t run_columns, run_bytes; /* of the run that begins here; 0: none does */
};

/* From behind one field of variable length to behind the next one's length; the last step has no
 * next one. Cells are counted from a row's first. */
struct rb_block_step {
    uint32_t skip_bytes; /* a run's, and of a length */
    uint32_t run_cell;   /* keeps where the run begins; when there is none, overwritten or unused */
    uint32_t cell, column;
};

struct rb_out_column {
    const struct rb_column *column;
    uint32_t width;    /* bytes of a value; 0: variable, or a bit */
    uint8_t *validity; /* a bit per row, 1 = value; all set but for NULLs */
    int32_t *offsets;  /* variable width: n_rows + 1 */
    uint8_t *values;
    size_t values_cap;
    int64_t null_count;
    struct ArrowArray array;
    const void *buffers[3];
};

struct rb_decoder {
    struct rb_out_column *columns;
    size_t n_columns;
    struct rb_decoder_options options;
    size_t n_rows, row_cap; /* of the batch */
    size_t batch_bytes;
    bool header_done, ended;
    struct rb_buf carry; /* the beginning of a row (or of the header) whose rest is to come */
    int64_t total_rows, total_bytes;
    uint64_t checksum;
    struct rb_watch watch; /* of rb_decoder_push alone */
    struct ArrowArray array;
    struct ArrowArray **children;
    const void *no_buffer[1];
    /* Of rb_decoder_push_messages: where each field of a block stands in the input (or its run),
     * column by column, block_rows for each, and those of one column that is not there; how each
     * column's values travel; the steps of a row, n_steps and the last one; whether a column of the
     * block has NULLs; how many blocks are still to be walked field by field. */
    size_t block_rows;
    const uint8_t **cells;
    struct rb_block_column *layout;
    struct rb_block_step *steps;
    size_t n_steps;
    bool *has_nulls;
    unsigned blocks_by_field;
};

static inline bool rb_out_column_is_variable(const struct rb_out_column *out)
{
    return out->column->codec == RB_CODEC_BYTES || out->column->codec == RB_CODEC_JSONB;
}

/* The batch takes no further row. */
bool rb_decoder_is_full(const struct rb_decoder *decoder);
/* More room for rows, in all columns. RB_ENOMEM. */
int rb_decoder_grow_rows(struct rb_decoder *decoder, struct rb_error *err);
/* Room for `extra` bytes behind the `used` ones of a column of variable width. RB_ENOMEM. */
int rb_decoder_grow_values(struct rb_out_column *out, size_t used, size_t extra,
                           struct rb_error *err);
#endif
