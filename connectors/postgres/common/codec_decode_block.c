/*
 * The fast way of a decoder: many rows at once, straight from the receive buffer.
 *
 * A server sends each row as a CopyData message. A block of them is walked first, which finds where
 * each value stands; then each column takes its values in a loop of its own, without a decision per
 * value. Nothing is refused here: at the first row that is not plain (cut, malformed, another
 * message, or a value that the type may not hold) the block ends, and the row is left to
 * rb_decoder_push, which knows what to say about it.
 */
#include "base/bytes.h"
#include "base/hash.h"
#include "connectors/postgres/common/codec_copy.h"
#include "connectors/postgres/common/codec_decoder.h"
#include "connectors/postgres/common/codec_time.h"

enum {
    HEADER_BYTES = 5, /* of a message: type, length */
    UUID_BYTES = 16,
};

/* Rows that were walked; nothing of the decoder changes before all of them are found to be good. */
struct block {
    size_t n_rows;
    size_t bytes; /* in COPY form */
    uint64_t checksum;
    const uint8_t *next, *end; /* of the input */
};

/* Finds the values of a run, when all have one. */
static inline bool walk_run(const struct rb_block_column *column, const uint8_t *p,
                            const uint8_t **cell, size_t stride)
{
    uint32_t n = column->run_columns;
    uint32_t differs = 0;
    for (uint32_t i = 0; i < n; i++, cell += stride) {
        const uint8_t *field = p + column[i].run_at;
        uint32_t be_length;
        memcpy(&be_length, field, sizeof be_length);
        differs |= be_length ^ column[i].be_length;
        *cell = field + 4;
    }
    return differs == 0;
}

/* Finds the values of row number `row` of the block, which stands at [p, end). False: not plain. */
static inline bool walk_row(struct rb_decoder *decoder, size_t row, const uint8_t *p,
                            const uint8_t *end)
{
    size_t stride = decoder->block_rows;
    size_t n_columns = decoder->n_columns;
    for (size_t i = 0; i < n_columns;) {
        const struct rb_block_column *column = &decoder->layout[i];
        const uint8_t **cell = decoder->cells + i * stride + row;
        if (column->run_columns != 0 && end - p >= (ptrdiff_t)column->run_bytes &&
            walk_run(column, p, cell, stride)) {
            p += column->run_bytes;
            i += column->run_columns;
            continue;
        }
        if (end - p < 4) {
            return false;
        }
        uint32_t len = rb_load_be32(p);
        p += 4;
        if (len == UINT32_MAX) {
            *cell = NULL;
            decoder->has_nulls[i] = true;
        } else if (len <= (size_t)(end - p) &&
                   (column->length == RB_DECODER_ANY_LENGTH || len == column->length)) {
            *cell = p;
            p += len;
        } else {
            return false;
        }
        i++;
    }
    return p == end;
}

/* Walks messages until the block or the batch is full. */
static void walk(struct rb_decoder *decoder, struct block *block)
{
    size_t room = decoder->row_cap - decoder->n_rows;
    size_t max_rows = room < decoder->block_rows ? room : decoder->block_rows;
    /* The batch is full with the row that reaches its limit. */
    size_t max_bytes = decoder->options.batch_bytes - decoder->batch_bytes;
    const uint8_t *p = block->next;
    while (block->n_rows < max_rows && block->bytes < max_bytes &&
           block->end - p >= HEADER_BYTES + 2 && *p == 'd') {
        size_t len = rb_load_be32(p + 1);
        if (len < 6 || len > (size_t)(block->end - p) - 1) {
            return;
        }
        const uint8_t *row = p + HEADER_BYTES;
        size_t row_bytes = len - 4;
        if (rb_load_be16(row) != decoder->n_columns ||
            row_bytes > decoder->options.max_record_bytes ||
            !walk_row(decoder, block->n_rows, row + 2, row + row_bytes)) {
            return;
        }
        if (decoder->options.checksum) {
            block->checksum += rb_hash_row(row, row_bytes);
        }
        block->n_rows++;
        block->bytes += row_bytes;
        p = row + row_bytes;
        block->next = p;
    }
}

/* NULLs of a column's block: marked, and their cells set to `substitute`, so that the column's loop
 * need not know. */
static void take_nulls(struct rb_out_column *out, size_t first, const uint8_t **cells, size_t n,
                       const uint8_t *substitute)
{
    for (size_t i = 0; i < n; i++) {
        if (cells[i] == NULL) {
            size_t row = first + i;
            out->validity[row >> 3] &= (uint8_t)~(1U << (row & 7));
            out->null_count++;
            cells[i] = substitute;
        }
    }
}

static void take_int16(uint8_t *restrict to, const uint8_t *const *cells, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t v = rb_load_be16(cells[i]);
        memcpy(to + i * 2, &v, sizeof v);
    }
}

static void take_int32(uint8_t *restrict to, const uint8_t *const *cells, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        rb_store_le32(to + i * 4, rb_load_be32(cells[i]));
    }
}

static void take_int64(uint8_t *restrict to, const uint8_t *const *cells, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        rb_store_le64(to + i * 8, rb_load_be64(cells[i]));
    }
}

static void take_uuid(uint8_t *restrict to, const uint8_t *const *cells, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        memcpy(to + i * UUID_BYTES, cells[i], UUID_BYTES);
    }
}

/* Any but 0 and 1 is no boolean. */
static bool take_bool(struct rb_out_column *out, size_t first, const uint8_t *const *cells,
                      size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++) {
        any |= *cells[i];
    }
    if (any > 1) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        size_t row = first + i;
        out->values[row >> 3] |= (uint8_t)(*cells[i] << (row & 7));
    }
    return true;
}

static bool take_dates(const struct rb_decoder *decoder, uint8_t *restrict to,
                       const uint8_t *const *cells, size_t n)
{
    bool ok = true;
    for (size_t i = 0; i < n; i++) {
        int32_t pg = (int32_t)rb_load_be32(cells[i]);
        int32_t arrow = 0;
        ok &= rb_date_to_arrow(pg, &arrow);
        ok &= !decoder->options.refuse_special || (pg != INT32_MAX && pg != INT32_MIN);
        memcpy(to + i * 4, &arrow, sizeof arrow);
    }
    return ok;
}

static bool take_timestamps(const struct rb_decoder *decoder, uint8_t *restrict to,
                            const uint8_t *const *cells, size_t n)
{
    bool ok = true;
    for (size_t i = 0; i < n; i++) {
        int64_t arrow = rb_time_to_arrow((int64_t)rb_load_be64(cells[i]));
        ok &= !decoder->options.refuse_special || rb_time_arrow_is_plain(arrow);
        memcpy(to + i * 8, &arrow, sizeof arrow);
    }
    return ok;
}

/* Values of any length, with `skip` bytes in front that are not theirs: jsonb's version, 1. False:
 * another version, or no memory, which the slow way finds again. */
static bool take_variable(struct rb_out_column *out, size_t first, const uint8_t *const *cells,
                          size_t n, const uint8_t *end, uint32_t skip)
{
    int32_t *offsets = out->offsets + first;
    size_t used = (size_t)offsets[0];
    uint8_t *values = out->values;
    size_t cap = out->values_cap;
    for (size_t i = 0; i < n; i++) {
        uint32_t len = 0;
        const uint8_t *value = cells[i];
        if (value != NULL) {
            len = rb_load_be32(value - 4);
            if (skip != 0) {
                if (len == 0 || *value != 1) {
                    return false;
                }
                len--;
                value++;
            }
            if (__builtin_expect(cap - used < (size_t)len + RB_CODEC_COPY_SLACK, 0)) {
                if (rb_decoder_grow_values(out, used, (size_t)len + RB_CODEC_COPY_SLACK, NULL) <
                    0) {
                    return false;
                }
                values = out->values;
                cap = out->values_cap;
            }
            rb_codec_copy(values + used, value, len, end);
        }
        used += len;
        offsets[i + 1] = (int32_t)used;
    }
    return true;
}

static bool take_column(struct rb_decoder *decoder, size_t column, const struct block *block)
{
    static const uint8_t zeros[UUID_BYTES];
    struct rb_out_column *out = &decoder->columns[column];
    const uint8_t **cells = decoder->cells + column * decoder->block_rows;
    size_t first = decoder->n_rows;
    size_t n = block->n_rows;
    if (decoder->has_nulls[column]) {
        take_nulls(out, first, cells, n, rb_out_column_is_variable(out) ? NULL : zeros);
    }
    uint8_t *to = out->width != 0 ? out->values + first * out->width : NULL;
    switch (out->column->codec) {
    case RB_CODEC_INT16:
        take_int16(to, cells, n);
        return true;
    case RB_CODEC_INT32:
        take_int32(to, cells, n);
        return true;
    case RB_CODEC_INT64:
        take_int64(to, cells, n);
        return true;
    case RB_CODEC_UUID:
        take_uuid(to, cells, n);
        return true;
    case RB_CODEC_DATE:
        return take_dates(decoder, to, cells, n);
    case RB_CODEC_TIMESTAMP:
        return take_timestamps(decoder, to, cells, n);
    case RB_CODEC_BOOL:
        return take_bool(out, first, cells, n);
    case RB_CODEC_BYTES:
        return take_variable(out, first, cells, n, block->end, 0);
    case RB_CODEC_JSONB:
        return take_variable(out, first, cells, n, block->end, 1);
    }
    return false;
}

/* Takes back what the columns before `n_columns`, and a part of that one, took of the block. */
static void undo(struct rb_decoder *decoder, const struct block *block, size_t n_columns)
{
    for (size_t i = 0; i <= n_columns && i < decoder->n_columns; i++) {
        struct rb_out_column *out = &decoder->columns[i];
        for (size_t row = decoder->n_rows; row < decoder->n_rows + block->n_rows; row++) {
            uint8_t bit = (uint8_t)(1U << (row & 7));
            if ((out->validity[row >> 3] & bit) == 0) {
                out->validity[row >> 3] |= bit;
                out->null_count--;
            }
            if (out->column->codec == RB_CODEC_BOOL) {
                out->values[row >> 3] &= (uint8_t)~bit;
            }
        }
    }
}

/* False: the block holds a value that is refused; nothing has changed. */
static bool take_block(struct rb_decoder *decoder, const struct block *block)
{
    for (size_t i = 0; i < decoder->n_columns; i++) {
        if (!take_column(decoder, i, block)) {
            undo(decoder, block, i);
            return false;
        }
    }
    decoder->n_rows += block->n_rows;
    decoder->batch_bytes += block->bytes;
    decoder->total_rows += (int64_t)block->n_rows;
    decoder->total_bytes += (int64_t)block->bytes;
    decoder->checksum += block->checksum;
    return true;
}

int rb_decoder_push_messages(struct rb_decoder *decoder, const uint8_t *data, size_t len,
                             size_t *ret_used, struct rb_error *err)
{
    *ret_used = 0;
    if (!decoder->header_done || decoder->ended || decoder->carry.len > 0) {
        return 0;
    }
    const uint8_t *next = data;
    for (;;) {
        if (rb_decoder_is_full(decoder)) {
            return RB_DECODER_FULL;
        }
        if (decoder->n_rows == decoder->row_cap) {
            int status = rb_decoder_grow_rows(decoder, err);
            if (status < 0) {
                return status;
            }
        }
        struct block block = {.next = next, .end = data + len};
        memset(decoder->has_nulls, 0, decoder->n_columns * sizeof *decoder->has_nulls);
        walk(decoder, &block);
        if (block.n_rows == 0 || !take_block(decoder, &block)) {
            return 0;
        }
        next = block.next;
        *ret_used = (size_t)(next - data);
    }
}
