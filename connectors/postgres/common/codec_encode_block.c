/*
 * The fast way of an encoder: many rows at once.
 *
 * The rows' sizes are found first, column by column, so that each row's place is known; then each
 * column writes its fields in a loop of its own, without a decision per value. Nothing is refused
 * here: what can't be sent is left to the slow way, which knows what to say about it.
 */
#include "base/bytes.h"
#include "base/hash.h"
#include "connectors/postgres/common/codec_copy.h"
#include "connectors/postgres/common/codec_encoder.h"
#include "connectors/postgres/common/codec_time.h"

enum {
    BLOCK_BYTES = 256 * 1024, /* a block ends with the row that reaches it */
    UUID_BYTES = 16,
    LOOSE_BYTES = 32, /* beyond a value: what rb_codec_copy_loose may write and read */
};

/* The rows that are written. Until all of them are, the encoder and the buffer's length stay. */
struct block {
    size_t n_rows;
    uint64_t sizes[RB_ENCODER_BLOCK_ROWS];
    uint8_t *places[RB_ENCODER_BLOCK_ROWS]; /* where a row's next field goes, less `ahead` */
    size_t ahead;                           /* fields of fixed width since, the same for all rows */
};

static bool is_valid(const struct rb_in_column *in, int64_t row)
{
    return in->validity == NULL || (in->validity[row >> 3] >> (row & 7) & 1) != 0;
}

/* Adds the column's fields to the rows' sizes; what is the same for all rows is returned instead.
 */
static size_t add_sizes(const struct rb_in_column *in, int64_t row, struct block *block)
{
    if (!rb_in_column_is_variable(in)) {
        uint32_t width = rb_codec_value_bytes(in->column->codec);
        for (size_t i = 0; in->validity != NULL && i < block->n_rows; i++) {
            block->sizes[i] -= is_valid(in, row + (int64_t)i) ? 0 : width;
        }
        return 4 + width;
    }
    const int32_t *offsets = in->offsets + row;
    uint32_t version = in->column->codec == RB_CODEC_JSONB ? 1 : 0;
    if (in->validity == NULL) {
        for (size_t i = 0; i < block->n_rows; i++) {
            block->sizes[i] += (uint32_t)(offsets[i + 1] - offsets[i]);
        }
        return 4 + version;
    }
    for (size_t i = 0; i < block->n_rows; i++) {
        uint32_t len = (uint32_t)(offsets[i + 1] - offsets[i]) + version;
        block->sizes[i] += is_valid(in, row + (int64_t)i) ? len : 0;
    }
    return 4;
}

/* The sizes of the rows from the encoder's next on; how many of them make a block. */
static size_t size_rows(const struct rb_encoder *encoder, size_t max_bytes, struct block *block)
{
    int64_t left = encoder->end - encoder->row;
    block->n_rows = left < RB_ENCODER_BLOCK_ROWS ? (size_t)left : RB_ENCODER_BLOCK_ROWS;
    memset(block->sizes, 0, block->n_rows * sizeof block->sizes[0]);
    size_t same = 2;
    for (size_t i = 0; i < encoder->n_columns; i++) {
        const struct rb_in_column *in = &encoder->columns[i];
        same += add_sizes(in, in->offset + encoder->row, block);
    }
    for (size_t i = 0; i < block->n_rows; i++) {
        block->sizes[i] += same;
    }
    max_bytes = max_bytes < BLOCK_BYTES ? max_bytes : BLOCK_BYTES;
    uint64_t bytes = 0;
    size_t n = 0;
    while (n < block->n_rows && bytes < max_bytes &&
           block->sizes[n] <= encoder->options.max_record_bytes) {
        bytes += block->sizes[n];
        n++;
    }
    block->n_rows = n;
    return bytes < SIZE_MAX / 2 ? (size_t)bytes : SIZE_MAX / 2;
}

static void put_int16(const struct block *block, const uint8_t *values)
{
    for (size_t i = 0; i < block->n_rows; i++) {
        uint8_t *p = block->places[i] + block->ahead;
        uint16_t v;
        memcpy(&v, values + i * 2, sizeof v);
        rb_store_be32(p, 2);
        rb_store_be16(p + 4, v);
    }
}

static void put_int32(const struct block *block, const uint8_t *values)
{
    for (size_t i = 0; i < block->n_rows; i++) {
        uint8_t *p = block->places[i] + block->ahead;
        rb_store_be32(p, 4);
        rb_store_be32(p + 4, rb_load_le32(values + i * 4));
    }
}

static void put_int64(const struct block *block, const uint8_t *values)
{
    for (size_t i = 0; i < block->n_rows; i++) {
        uint8_t *p = block->places[i] + block->ahead;
        rb_store_be32(p, 8);
        rb_store_be64(p + 4, rb_load_le64(values + i * 8));
    }
}

static void put_uuid(const struct block *block, const uint8_t *values)
{
    for (size_t i = 0; i < block->n_rows; i++) {
        uint8_t *p = block->places[i] + block->ahead;
        rb_store_be32(p, UUID_BYTES);
        memcpy(p + 4, values + i * UUID_BYTES, UUID_BYTES);
    }
}

static void put_bool(const struct block *block, const uint8_t *bits, int64_t row)
{
    for (size_t i = 0; i < block->n_rows; i++, row++) {
        uint8_t *p = block->places[i] + block->ahead;
        rb_store_be32(p, 1);
        p[4] = bits[row >> 3] >> (row & 7) & 1;
    }
}

static bool put_date(const struct rb_in_column *in, const uint8_t *value, uint8_t *p)
{
    int32_t arrow;
    memcpy(&arrow, value, sizeof arrow);
    int32_t pg = 0;
    bool is_special = arrow == INT32_MAX || arrow == INT32_MIN;
    bool ok = rb_date_from_arrow(arrow, &pg) && (!is_special || in->column->from_postgres);
    rb_store_be32(p, 4);
    rb_store_be32(p + 4, (uint32_t)pg);
    return ok;
}

static bool put_timestamp(const struct rb_in_column *in, const uint8_t *value, uint8_t *p)
{
    int64_t arrow;
    memcpy(&arrow, value, sizeof arrow);
    rb_store_be32(p, 8);
    rb_store_be64(p + 4, (uint64_t)rb_time_from_arrow(arrow));
    return in->column->from_postgres || rb_time_arrow_is_plain(arrow);
}

static bool put_dates(const struct rb_in_column *in, const struct block *block,
                      const uint8_t *values)
{
    bool ok = true;
    for (size_t i = 0; i < block->n_rows; i++) {
        ok &= put_date(in, values + i * 4, block->places[i] + block->ahead);
    }
    return ok;
}

static bool put_timestamps(const struct rb_in_column *in, const struct block *block,
                           const uint8_t *values)
{
    bool ok = true;
    for (size_t i = 0; i < block->n_rows; i++) {
        ok &= put_timestamp(in, values + i * 8, block->places[i] + block->ahead);
    }
    return ok;
}

/* A column of fixed width without NULLs; the places stay, what lies ahead of them grows. */
static bool put_fixed(const struct rb_in_column *in, int64_t row, struct block *block)
{
    uint32_t width = rb_codec_value_bytes(in->column->codec);
    const uint8_t *values = in->values + row * width;
    bool ok = true;
    switch (in->column->codec) {
    case RB_CODEC_BOOL:
        put_bool(block, in->values, row);
        break;
    case RB_CODEC_INT16:
        put_int16(block, values);
        break;
    case RB_CODEC_INT32:
        put_int32(block, values);
        break;
    case RB_CODEC_INT64:
    case RB_CODEC_TIME:
        put_int64(block, values);
        break;
    case RB_CODEC_UUID:
        put_uuid(block, values);
        break;
    case RB_CODEC_DATE:
        ok = put_dates(in, block, values);
        break;
    case RB_CODEC_TIMESTAMP:
        ok = put_timestamps(in, block, values);
        break;
    case RB_CODEC_BYTES:
    case RB_CODEC_JSONB:
        return false;
    }
    block->ahead += 4 + width;
    return ok;
}

static bool put_one_fixed(const struct rb_in_column *in, int64_t row, uint8_t *p)
{
    const uint8_t *value = in->values + row * rb_codec_value_bytes(in->column->codec);
    switch (in->column->codec) {
    case RB_CODEC_BOOL:
        p[4] = in->values[row >> 3] >> (row & 7) & 1;
        break;
    case RB_CODEC_INT16:
        p[4] = value[1];
        p[5] = value[0];
        break;
    case RB_CODEC_INT32:
        rb_store_be32(p + 4, rb_load_le32(value));
        break;
    case RB_CODEC_INT64:
    case RB_CODEC_TIME:
        rb_store_be64(p + 4, rb_load_le64(value));
        break;
    case RB_CODEC_UUID:
        memcpy(p + 4, value, UUID_BYTES);
        break;
    case RB_CODEC_DATE:
        return put_date(in, value, p);
    case RB_CODEC_TIMESTAMP:
        return put_timestamp(in, value, p);
    case RB_CODEC_BYTES:
    case RB_CODEC_JSONB:
        return false;
    }
    rb_store_be32(p, rb_codec_value_bytes(in->column->codec));
    return true;
}

/* A column of fixed width with NULLs. */
static bool put_nullable(const struct rb_in_column *in, int64_t row, struct block *block)
{
    uint32_t width = rb_codec_value_bytes(in->column->codec);
    bool ok = true;
    for (size_t i = 0; i < block->n_rows; i++, row++) {
        uint8_t *p = block->places[i] + block->ahead;
        if (is_valid(in, row)) {
            ok &= put_one_fixed(in, row, p);
            block->places[i] = p + 4 + width;
        } else {
            rb_store_be32(p, UINT32_MAX);
            block->places[i] = p + 4;
        }
    }
    block->ahead = 0;
    return ok;
}

/* Values of variable length. `loose`: what is written behind a value, up to LOOSE_BYTES, is
 * overwritten by the row's next columns, and as much may be read behind it. */
static inline void put_values(const struct rb_in_column *in, int64_t row, struct block *block,
                              bool is_jsonb, bool loose)
{
    const int32_t *offsets = in->offsets + row;
    const uint8_t *values = in->values;
    size_t ahead = block->ahead;
    for (size_t i = 0; i < block->n_rows; i++) {
        uint8_t *p = block->places[i] + ahead;
        if (in->validity != NULL && !is_valid(in, row + (int64_t)i)) {
            rb_store_be32(p, UINT32_MAX);
            block->places[i] = p + 4;
            continue;
        }
        size_t len = (size_t)(offsets[i + 1] - offsets[i]);
        rb_store_be32(p, (uint32_t)len + is_jsonb);
        p += 4;
        if (is_jsonb) {
            *p++ = 1;
        }
        if (loose) {
            rb_codec_copy_loose(p, values + offsets[i], len);
        } else if (len > 0) {
            rb_codec_copy_exact(p, values + offsets[i], len);
        }
        block->places[i] = p + len;
    }
    block->ahead = 0;
}

/* `behind`: bytes at least of the row's next columns. */
static void put_variable(const struct rb_in_column *in, int64_t row, struct block *block,
                         size_t behind)
{
    size_t last = (size_t)in->offsets[row + (int64_t)block->n_rows];
    bool loose = behind >= LOOSE_BYTES && in->values != NULL &&
                 (size_t)(in->values_end - in->values) - last >= LOOSE_BYTES;
    if (in->column->codec == RB_CODEC_JSONB) {
        put_values(in, row, block, true, false);
    } else if (loose) {
        put_values(in, row, block, false, true);
    } else {
        put_values(in, row, block, false, false);
    }
}

/* What a field takes at least. */
static size_t least_bytes(const struct rb_in_column *in)
{
    return 4 + (in->validity == NULL ? rb_codec_value_bytes(in->column->codec) : 0);
}

static bool put_rows(const struct rb_encoder *encoder, uint8_t *begin, struct block *block)
{
    for (size_t i = 0; i < block->n_rows; i++) {
        rb_store_be16(begin, (uint16_t)encoder->n_columns);
        block->places[i] = begin;
        begin += block->sizes[i];
    }
    size_t behind = 0;
    for (size_t i = 0; i < encoder->n_columns; i++) {
        behind += least_bytes(&encoder->columns[i]);
    }
    block->ahead = 2;
    for (size_t i = 0; i < encoder->n_columns; i++) {
        const struct rb_in_column *in = &encoder->columns[i];
        int64_t row = in->offset + encoder->row;
        bool ok = true;
        behind -= least_bytes(in);
        if (rb_in_column_is_variable(in)) {
            put_variable(in, row, block, behind);
        } else if (in->validity == NULL) {
            ok = put_fixed(in, row, block);
        } else {
            ok = put_nullable(in, row, block);
        }
        if (!ok) {
            return false;
        }
    }
    return true;
}

/* Rows that are encoded again, after a seek, are in the totals already. */
static void count_rows(struct rb_encoder *encoder, const uint8_t *p, const struct block *block)
{
    size_t n = block->n_rows;
    size_t i = 0;
    for (; i < n && encoder->row + (int64_t)i < encoder->counted; i++) {
        p += block->sizes[i];
    }
    encoder->counted += (int64_t)(n - i);
    encoder->total_rows += (int64_t)(n - i);
    const uint8_t *begin = p;
    uint64_t checksum = 0;
    for (; i < n; i++) {
        size_t bytes = (size_t)block->sizes[i];
        if (encoder->options.checksum) {
            checksum += rb_hash_row(p, bytes);
        }
        p += bytes;
    }
    encoder->checksum += checksum;
    encoder->total_bytes += p - begin;
}

size_t rb_encoder_block(struct rb_encoder *encoder, struct rb_buf *out, size_t fill_bytes)
{
    struct block block;
    size_t bytes = size_rows(encoder, fill_bytes - out->len, &block);
    if (block.n_rows == 0 || rb_buf_reserve(out, bytes) < 0) {
        return 0;
    }
    uint8_t *begin = out->data + out->len;
    if (!put_rows(encoder, begin, &block)) {
        return 0;
    }
    count_rows(encoder, begin, &block);
    out->len += bytes;
    out->data[out->len] = 0;
    encoder->row += (int64_t)block.n_rows;
    return block.n_rows;
}
