/*
 * The fast way of a decoder: many rows at once, straight from the receive buffer.
 *
 * A server sends each row as a CopyData message. A block of them is walked first, which finds where
 * the values stand; then each column takes its values in a loop of its own, without a decision per
 * value. Nothing is refused here: at the first row that is not plain (cut, malformed, another
 * message, or a value that the type may not hold) the block ends, and the row is left to
 * rb_decoder_push, which knows what to say about it.
 *
 * Most rows have values in all their fields of fixed length. So the walk takes these for granted,
 * steps over the fields from one of variable length to the next, and keeps where a run of fixed
 * ones begins; whether each has its length is looked at when its column is taken, in a loop that
 * has no branch. Where one hasn't, the block is walked again, field by field, and so are the next
 * ones.
 */
#include "base/bytes.h"
#include "base/hash.h"
#include "connectors/postgres/common/codec_copy.h"
#include "connectors/postgres/common/codec_decoder.h"
#include "connectors/postgres/common/codec_time.h"

enum {
    HEADER_BYTES = 5, /* of a message: type, length */
    UUID_BYTES = 16,
    BLOCKS_BY_FIELD = 16,         /* after one whose runs were not whole */
    EASY_BLOCK_BYTES = 32 * 1024, /* room that each column of variable length may waste */
};

/* Rows that were walked; nothing of the decoder changes before all of them are found to be good. */
struct block {
    size_t n_rows;
    size_t bytes;                      /* in COPY form */
    const uint8_t *begin, *next, *end; /* of the input; rows are from begin to next */
    bool by_field;                     /* each field's place was found, not only its run's */
    bool at_odd_row;                   /* which ended it */
};

/* The fields of a column in a block: each stands, with its length in front, `at` behind its cell.
 */
struct fields {
    const uint8_t **cells;
    size_t at, n;
    uint32_t be_length; /* of every value, as it is sent */
};

/* Finds the fields of a run, when all have values. */
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
        *cell = field;
    }
    return differs == 0;
}

/* Finds the fields of row number `row` of the block, which stand at [p, end). False: not plain. */
static inline bool walk_fields(struct rb_decoder *decoder, size_t row, const uint8_t *p,
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
        *cell = p;
        p += 4;
        if (len == UINT32_MAX) {
            decoder->has_nulls[i] = true;
        } else if (len <= (size_t)(end - p) &&
                   (column->length == RB_DECODER_ANY_LENGTH || len == column->length)) {
            p += len;
        } else {
            return false;
        }
        i++;
    }
    return p == end;
}

/* The same, but of a run only where it begins, and without looking into it. */
static inline bool walk_runs(const struct rb_block_step *step, const struct rb_block_step *last,
                             const uint8_t **cells, bool *has_nulls, const uint8_t *p,
                             const uint8_t *end)
{
    for (; step < last; step++) {
        if (end - p < (ptrdiff_t)step->skip_bytes) {
            return false;
        }
        cells[step->run_cell] = p;
        p += step->skip_bytes;
        uint32_t len = rb_load_be32(p - 4);
        cells[step->cell] = p - 4;
        if (__builtin_expect(len > (size_t)(end - p), 0)) {
            if (len != UINT32_MAX) {
                return false;
            }
            has_nulls[step->column] = true;
            len = 0;
        }
        p += len;
    }
    cells[last->run_cell] = p;
    return end - p == (ptrdiff_t)last->skip_bytes;
}

static inline bool walk_row(struct rb_decoder *decoder, const struct block *block, const uint8_t *p,
                            const uint8_t *end)
{
    return block->by_field ? walk_fields(decoder, block->n_rows, p, end)
                           : walk_runs(decoder->steps, decoder->steps + decoder->n_steps,
                                       decoder->cells + block->n_rows, decoder->has_nulls, p, end);
}

/* Walks messages until the block or the batch is full. */
static inline void walk(struct rb_decoder *decoder, struct block *block)
{
    size_t room = decoder->row_cap - decoder->n_rows;
    size_t max_rows = room < decoder->block_rows ? room : decoder->block_rows;
    /* The batch is full with the row that reaches its limit. */
    size_t max_bytes = decoder->options.batch_bytes - decoder->batch_bytes;
    size_t max_record_bytes = decoder->options.max_record_bytes;
    size_t n_columns = decoder->n_columns;
    const uint8_t *p = block->next;
    while (block->n_rows < max_rows && block->bytes < max_bytes &&
           block->end - p >= HEADER_BYTES + 2 && *p == 'd') {
        size_t len = rb_load_be32(p + 1);
        if (len < 6 || len > (size_t)(block->end - p) - 1) {
            return;
        }
        const uint8_t *row = p + HEADER_BYTES;
        size_t row_bytes = len - 4;
        if (rb_load_be16(row) != n_columns || row_bytes > max_record_bytes ||
            !walk_row(decoder, block, row + 2, row + row_bytes)) {
            block->at_odd_row = true;
            return;
        }
        block->n_rows++;
        block->bytes += row_bytes;
        p = row + row_bytes;
        block->next = p;
    }
}

/* The sum of the hashes of `n` rows, whose messages stand at `p`. In a loop of its own: beside the
 * walk, a row's hash waits for the one before. */
static uint64_t hash_rows(const uint8_t *p, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        size_t row_bytes = rb_load_be32(p + 1) - 4;
        sum += rb_hash_row(p + HEADER_BYTES, row_bytes);
        p += HEADER_BYTES + row_bytes;
    }
    return sum;
}

/* NULLs of a column's block: marked, and those of fixed length given a field to take, so that the
 * column's loop need not know. */
static void take_nulls(struct rb_out_column *out, size_t first, const struct fields *fields,
                       const uint8_t *substitute)
{
    for (size_t i = 0; i < fields->n; i++) {
        if (rb_load_be32(fields->cells[i]) == UINT32_MAX) {
            size_t row = first + i;
            out->validity[row >> 3] &= (uint8_t)~(1U << (row & 7));
            out->null_count++;
            if (!rb_out_column_is_variable(out)) {
                fields->cells[i] = substitute;
            }
        }
    }
}

/* The value of field `i`; `differs` gathers the bits in which its length is not the column's. */
static inline const uint8_t *value_at(const struct fields *fields, size_t i, uint32_t *differs)
{
    const uint8_t *field = fields->cells[i] + fields->at;
    uint32_t be_length;
    memcpy(&be_length, field, sizeof be_length);
    *differs |= be_length ^ fields->be_length;
    return field + 4;
}

static bool take_int16(const struct rb_out_column *out, size_t first, const struct fields *fields)
{
    uint8_t *restrict to = out->values + first * 2;
    uint32_t differs = 0;
    for (size_t i = 0; i < fields->n; i++) {
        uint16_t v = rb_load_be16(value_at(fields, i, &differs));
        memcpy(to + i * 2, &v, sizeof v);
    }
    return differs == 0;
}

static bool take_int32(const struct rb_out_column *out, size_t first, const struct fields *fields)
{
    uint8_t *restrict to = out->values + first * 4;
    uint32_t differs = 0;
    for (size_t i = 0; i < fields->n; i++) {
        rb_store_le32(to + i * 4, rb_load_be32(value_at(fields, i, &differs)));
    }
    return differs == 0;
}

static bool take_int64(const struct rb_out_column *out, size_t first, const struct fields *fields)
{
    uint8_t *restrict to = out->values + first * 8;
    uint32_t differs = 0;
    for (size_t i = 0; i < fields->n; i++) {
        rb_store_le64(to + i * 8, rb_load_be64(value_at(fields, i, &differs)));
    }
    return differs == 0;
}

static bool take_uuid(const struct rb_out_column *out, size_t first, const struct fields *fields)
{
    uint8_t *restrict to = out->values + first * UUID_BYTES;
    uint32_t differs = 0;
    for (size_t i = 0; i < fields->n; i++) {
        memcpy(to + i * UUID_BYTES, value_at(fields, i, &differs), UUID_BYTES);
    }
    return differs == 0;
}

/* Any but 0 and 1 is no boolean. */
static bool take_bool(struct rb_out_column *out, size_t first, const struct fields *fields)
{
    uint32_t differs = 0;
    uint8_t any = 0;
    for (size_t i = 0; i < fields->n; i++) {
        any |= *value_at(fields, i, &differs);
    }
    if (any > 1 || differs != 0) {
        return false;
    }
    for (size_t i = 0; i < fields->n; i++) {
        size_t row = first + i;
        out->values[row >> 3] |= (uint8_t)(*value_at(fields, i, &differs) << (row & 7));
    }
    return true;
}

static bool take_dates(const struct rb_decoder *decoder, const struct rb_out_column *out,
                       const struct fields *fields)
{
    uint8_t *restrict to = out->values + decoder->n_rows * 4;
    uint32_t differs = 0;
    bool ok = true;
    for (size_t i = 0; i < fields->n; i++) {
        int32_t pg = (int32_t)rb_load_be32(value_at(fields, i, &differs));
        int32_t arrow = 0;
        ok &= rb_date_to_arrow(pg, &arrow);
        ok &= !decoder->options.refuse_special || (pg != INT32_MAX && pg != INT32_MIN);
        memcpy(to + i * 4, &arrow, sizeof arrow);
    }
    return ok && differs == 0;
}

static bool take_timestamps(const struct rb_decoder *decoder, const struct rb_out_column *out,
                            const struct fields *fields)
{
    uint8_t *restrict to = out->values + decoder->n_rows * 8;
    uint32_t differs = 0;
    bool ok = true;
    for (size_t i = 0; i < fields->n; i++) {
        int64_t arrow = rb_time_to_arrow((int64_t)rb_load_be64(value_at(fields, i, &differs)));
        ok &= !decoder->options.refuse_special || rb_time_arrow_is_plain(arrow);
        memcpy(to + i * 8, &arrow, sizeof arrow);
    }
    return ok && differs == 0;
}

/* What take_int64 took, where it is times for who does not know 24:00:00. */
static bool are_times(const struct rb_decoder *decoder, const struct rb_out_column *out,
                      const struct fields *fields)
{
    bool ok = true;
    if (!decoder->options.refuse_special) {
        return true;
    }
    for (size_t i = 0; i < fields->n; i++) {
        int64_t v;
        memcpy(&v, out->values + (decoder->n_rows + i) * 8, sizeof v);
        ok &= v != RB_TIME_DAY_END;
    }
    return ok;
}

/* Values of any length, with `skip` bytes in front that are not theirs: jsonb's version, 1. False:
 * another version, or no memory, which the slow way finds again. */
static bool take_variable(struct rb_out_column *out, size_t first, const struct fields *fields,
                          const uint8_t *end, uint32_t skip)
{
    int32_t *offsets = out->offsets + first;
    size_t used = (size_t)offsets[0];
    uint8_t *values = out->values;
    size_t cap = out->values_cap;
    for (size_t i = 0; i < fields->n; i++) {
        const uint8_t *value = fields->cells[i] + 4;
        uint32_t len = rb_load_be32(value - 4);
        if (len != UINT32_MAX) {
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
            used += len;
        }
        offsets[i + 1] = (int32_t)used;
    }
    return true;
}

/* The same without looking at room and readable bytes for each value: there are enough of both. */
static bool take_bytes(struct rb_out_column *out, size_t first, const struct fields *fields,
                       const struct block *block)
{
    int32_t *offsets = out->offsets + first;
    size_t used = (size_t)offsets[0];
    if (block->bytes > EASY_BLOCK_BYTES || block->end - block->next < RB_CODEC_COPY_SLACK ||
        (out->values_cap - used < block->bytes + RB_CODEC_COPY_SLACK &&
         rb_decoder_grow_values(out, used, block->bytes + RB_CODEC_COPY_SLACK, NULL) < 0)) {
        return take_variable(out, first, fields, block->end, 0);
    }
    uint8_t *to = out->values + used;
    for (size_t i = 0; i < fields->n; i++) {
        const uint8_t *field = fields->cells[i];
        uint32_t len = rb_load_be32(field);
        len = len == UINT32_MAX ? 0 : len;
        rb_codec_copy_loose(to, field + 4, len);
        to += len;
        offsets[i + 1] = (int32_t)(to - out->values);
    }
    return true;
}

static bool take_column(struct rb_decoder *decoder, size_t column, const struct block *block)
{
    struct rb_out_column *out = &decoder->columns[column];
    const struct rb_block_column *layout = &decoder->layout[column];
    size_t cells = block->by_field ? column : layout->run_column;
    struct fields fields = {
        .cells = decoder->cells + cells * decoder->block_rows,
        .at = block->by_field ? 0 : layout->run_at,
        .n = block->n_rows,
        .be_length = layout->be_length,
    };
    size_t first = decoder->n_rows;
    uint8_t substitute[4 + UUID_BYTES] = {0};
    if (decoder->has_nulls[column]) {
        rb_store_be32(substitute, layout->length);
        take_nulls(out, first, &fields, substitute);
    }
    switch (out->column->codec) {
    case RB_CODEC_INT16:
        return take_int16(out, first, &fields);
    case RB_CODEC_INT32:
        return take_int32(out, first, &fields);
    case RB_CODEC_INT64:
        return take_int64(out, first, &fields);
    case RB_CODEC_TIME:
        return take_int64(out, first, &fields) && are_times(decoder, out, &fields);
    case RB_CODEC_UUID:
        return take_uuid(out, first, &fields);
    case RB_CODEC_DATE:
        return take_dates(decoder, out, &fields);
    case RB_CODEC_TIMESTAMP:
        return take_timestamps(decoder, out, &fields);
    case RB_CODEC_BOOL:
        return take_bool(out, first, &fields);
    case RB_CODEC_BYTES:
        return take_bytes(out, first, &fields, block);
    case RB_CODEC_JSONB:
        return take_variable(out, first, &fields, block->end, 1);
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
    if (decoder->options.checksum) {
        decoder->checksum += hash_rows(block->begin, block->n_rows);
    }
    return true;
}

/* Walks a block and takes it. False: there is no row, or none that is plain. */
static bool push_block(struct rb_decoder *decoder, struct block *block)
{
    memset(decoder->has_nulls, 0, decoder->n_columns * sizeof *decoder->has_nulls);
    walk(decoder, block);
    return block->n_rows > 0 && take_block(decoder, block);
}

/* The same, by the way that suits the rows. */
static bool push_rows(struct rb_decoder *decoder, const uint8_t *next, const uint8_t *end,
                      const uint8_t **ret_next)
{
    struct block block = {.begin = next, .next = next, .end = end};
    bool pushed = decoder->blocks_by_field == 0 && push_block(decoder, &block);
    if (decoder->blocks_by_field == 0 && (block.at_odd_row || (block.n_rows > 0 && !pushed))) {
        decoder->blocks_by_field = BLOCKS_BY_FIELD;
    }
    if (!pushed && decoder->blocks_by_field > 0) {
        decoder->blocks_by_field--;
        block = (struct block){.begin = next, .next = next, .end = end, .by_field = true};
        pushed = push_block(decoder, &block);
    }
    *ret_next = block.next;
    return pushed;
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
        if (!push_rows(decoder, next, data + len, &next)) {
            return 0;
        }
        *ret_used = (size_t)(next - data);
    }
}
