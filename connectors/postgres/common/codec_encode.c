/* Arrow columns -> COPY's binary form. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "connectors/postgres/common/codec_copy.h"
#include "connectors/postgres/common/codec_encoder.h"
#include "connectors/postgres/common/codec_time.h"

enum {
    FIELD_BYTES_MAX = 4 + 16, /* of a field of fixed width, with its length */
    UUID_BYTES = 16,
    ARRAY_HEADER_BYTES = 20,
};

/* Where bytes are written; room is made before each value of variable width, for it and for all
 * that is of fixed width in a row. */
struct cursor {
    struct rb_buf *out;
    uint8_t *p;
    uint8_t *end;
    size_t fixed; /* bytes that a row takes without its values of variable width */
};

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for rows to send");
}

int rb_encoder_new(const struct rb_columns *columns, const struct rb_encoder_options *options,
                   struct rb_encoder **ret, struct rb_error *err)
{
    struct rb_encoder *encoder = calloc(1, sizeof *encoder);
    if (encoder == NULL) {
        return no_memory(err);
    }
    encoder->columns = calloc(columns->n + 1, sizeof(struct rb_in_column));
    if (encoder->columns == NULL) {
        free(encoder);
        return no_memory(err);
    }
    encoder->n_columns = columns->n;
    for (size_t i = 0; i < columns->n; i++) {
        encoder->columns[i].column = &columns->items[i];
    }
    encoder->options = *options;
    *ret = encoder;
    return 0;
}

void rb_encoder_free(struct rb_encoder *encoder)
{
    if (encoder != NULL) {
        free(encoder->columns);
        free(encoder);
    }
}

void rb_encoder_freep(struct rb_encoder **encoder)
{
    rb_encoder_free(*encoder);
    *encoder = NULL;
}

static enum ArrowType storage_of(enum ArrowType type)
{
    switch ((int)type) {
    case NANOARROW_TYPE_DATE32:
        return NANOARROW_TYPE_INT32;
    case NANOARROW_TYPE_TIME64:
    case NANOARROW_TYPE_TIMESTAMP:
        return NANOARROW_TYPE_INT64;
    default:
        return type;
    }
}

static void bind_column(struct rb_in_column *in, const struct ArrowArrayView *view)
{
    in->offset = view->offset;
    in->validity = view->null_count == 0 ? NULL : view->buffer_views[0].data.as_uint8;
    if (rb_in_column_is_variable(in)) {
        in->offsets = view->buffer_views[1].data.as_int32;
        in->values = view->buffer_views[2].data.as_uint8;
        in->values_end = in->values + (in->values != NULL ? view->buffer_views[2].size_bytes : 0);
    } else {
        in->values = view->buffer_views[1].data.as_uint8;
    }
}

int rb_encoder_bind(struct rb_encoder *encoder, const struct ArrowArrayView *view,
                    struct rb_error *err)
{
    if (view->n_children < 0 || (size_t)view->n_children != encoder->n_columns) {
        return rb_error_set(err, RB_ESCHEMA, "BAD_BATCH", "a batch of %lld columns, %zu expected",
                            (long long)view->n_children, encoder->n_columns);
    }
    for (size_t i = 0; i < encoder->n_columns; i++) {
        const struct rb_column *column = encoder->columns[i].column;
        const struct ArrowArrayView *child = view->children[i];
        if (child->storage_type != storage_of(column->arrow) || child->length < view->length ||
            (column->codec == RB_CODEC_UUID &&
             child->layout.element_size_bits[1] != UUID_BYTES * 8)) {
            return rb_error_set(err, RB_ESCHEMA, "BAD_BATCH",
                                "column \"%s\": the batch does not fit its schema", column->name);
        }
        bind_column(&encoder->columns[i], child);
    }
    encoder->row = 0;
    encoder->counted = 0;
    encoder->n_rows = view->length;
    encoder->end = view->length;
    return 0;
}

int64_t rb_encoder_counted(const struct rb_encoder *encoder)
{
    return encoder->counted;
}

void rb_encoder_set_counted(struct rb_encoder *encoder, int64_t rows)
{
    encoder->counted = rows;
}

void rb_encoder_seek(struct rb_encoder *encoder, int64_t first, int64_t end)
{
    encoder->end = end < encoder->n_rows ? end : encoder->n_rows;
    encoder->row = first < encoder->end ? first : encoder->end;
}

void rb_encoder_discard(struct rb_encoder *encoder, int64_t row)
{
    if (row == encoder->counted) {
        encoder->counted++;
        encoder->total_rows++;
    }
}

/* From the stream's beginning, the first is 1. */
static int64_t position(const struct rb_encoder *encoder)
{
    return encoder->total_rows - encoder->counted + encoder->row + 1;
}

static int cursor_begin(struct cursor *cursor, struct rb_buf *out, size_t fixed,
                        struct rb_error *err)
{
    if (rb_buf_reserve(out, fixed + RB_CODEC_COPY_SLACK) < 0) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a row to send");
    }
    cursor->out = out;
    cursor->fixed = fixed;
    cursor->p = out->data + out->len;
    cursor->end = out->data + out->cap;
    return 0;
}

/* Makes room for `len` bytes and, behind them, what is of fixed width. */
static inline int cursor_reserve(struct cursor *cursor, size_t len, struct rb_error *err)
{
    size_t need = len + cursor->fixed + RB_CODEC_COPY_SLACK;
    if (__builtin_expect((size_t)(cursor->end - cursor->p) >= need, 1)) {
        return 0;
    }
    struct rb_buf *out = cursor->out;
    size_t begin = out->len;
    size_t used = (size_t)(cursor->p - (out->data + begin));
    if (rb_buf_reserve(out, used + need) < 0) {
        if (!rb_buf_is_over_max(out, used + need)) {
            return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a row to send");
        }
        return rb_error_set(err, RB_EDATA, "RECORD_TOO_LARGE",
                            "a row is larger than max_record_bytes");
    }
    cursor->p = out->data + begin + used;
    cursor->end = out->data + out->cap;
    return 0;
}

static int not_representable(const struct rb_column *column, int64_t value, struct rb_error *err)
{
    return rb_error_set(err, RB_EDATA, "VALUE_NOT_REPRESENTABLE",
                        "column \"%s\": %lld since 1970-01-01 is no %s of PostgreSQL", column->name,
                        (long long)value, column->declared);
}

static int put_date(const struct rb_in_column *in, int64_t row, uint8_t *p, struct rb_error *err)
{
    int32_t arrow;
    memcpy(&arrow, in->values + row * 4, 4);
    int32_t pg;
    bool special = arrow == INT32_MAX || arrow == INT32_MIN;
    if (!rb_date_from_arrow(arrow, &pg) || (special && !in->column->from_postgres)) {
        return not_representable(in->column, arrow, err);
    }
    rb_store_be32(p, (uint32_t)pg);
    return 0;
}

static int put_timestamp(const struct rb_in_column *in, int64_t row, uint8_t *p,
                         struct rb_error *err)
{
    int64_t arrow;
    memcpy(&arrow, in->values + row * 8, 8);
    if (!in->column->from_postgres && !rb_time_arrow_is_plain(arrow)) {
        return not_representable(in->column, arrow, err);
    }
    rb_store_be64(p, (uint64_t)rb_time_from_arrow(arrow));
    return 0;
}

static int put_variable(struct cursor *cursor, const struct rb_in_column *in, int64_t row,
                        struct rb_error *err)
{
    int32_t from = in->offsets[row];
    size_t len = (size_t)(in->offsets[row + 1] - from);
    int status = cursor_reserve(cursor, len, err);
    if (status < 0) {
        return status;
    }
    uint8_t *p = cursor->p;
    uint32_t version = in->column->codec == RB_CODEC_JSONB ? 1 : 0;
    rb_store_be32(p, (uint32_t)len + version);
    p += 4;
    if (version != 0) {
        *p++ = (uint8_t)version;
    }
    if (len > 0) {
        rb_codec_copy(p, in->values + from, len, in->values_end);
    }
    cursor->p = p + len;
    return 0;
}

/* One field: its length and bytes. `row` counts from the buffers' beginning. */
static inline int put_field(struct cursor *cursor, const struct rb_in_column *in, int64_t row,
                            struct rb_error *err)
{
    uint8_t *p = cursor->p;
    if (in->validity != NULL && (in->validity[row >> 3] >> (row & 7) & 1) == 0) {
        rb_store_be32(p, UINT32_MAX);
        cursor->p = p + 4;
        return 0;
    }
    switch (in->column->codec) {
    case RB_CODEC_BYTES:
    case RB_CODEC_JSONB:
        return put_variable(cursor, in, row, err);
    case RB_CODEC_INT16: {
        uint16_t v;
        memcpy(&v, in->values + row * 2, sizeof v);
        rb_store_be32(p, 2);
        rb_store_be16(p + 4, v);
        cursor->p = p + 6;
        return 0;
    }
    case RB_CODEC_INT32:
        rb_store_be32(p, 4);
        rb_store_be32(p + 4, rb_load_le32(in->values + row * 4));
        cursor->p = p + 8;
        return 0;
    case RB_CODEC_INT64:
    case RB_CODEC_TIME:
        rb_store_be32(p, 8);
        rb_store_be64(p + 4, rb_load_le64(in->values + row * 8));
        cursor->p = p + 12;
        return 0;
    case RB_CODEC_DATE:
        rb_store_be32(p, 4);
        cursor->p = p + 8;
        return put_date(in, row, p + 4, err);
    case RB_CODEC_TIMESTAMP:
        rb_store_be32(p, 8);
        cursor->p = p + 12;
        return put_timestamp(in, row, p + 4, err);
    case RB_CODEC_UUID:
        rb_store_be32(p, UUID_BYTES);
        memcpy(p + 4, in->values + row * UUID_BYTES, UUID_BYTES);
        cursor->p = p + 4 + UUID_BYTES;
        return 0;
    case RB_CODEC_BOOL:
        rb_store_be32(p, 1);
        p[4] = in->values[row >> 3] >> (row & 7) & 1;
        cursor->p = p + 5;
        return 0;
    }
    return rb_error_set(err, RB_EINTERNAL, "BAD_CODEC", "column \"%s\" has no codec",
                        in->column->name);
}

static int put_row(struct rb_encoder *encoder, struct cursor *cursor, struct rb_error *err)
{
    rb_store_be16(cursor->p, (uint16_t)encoder->n_columns);
    cursor->p += 2;
    for (size_t i = 0; i < encoder->n_columns; i++) {
        const struct rb_in_column *in = &encoder->columns[i];
        int status = put_field(cursor, in, in->offset + encoder->row, err);
        if (__builtin_expect(status < 0, 0)) {
            rb_error_prefix(err, "row %lld", (long long)position(encoder));
            return status;
        }
    }
    return 0;
}

/* A row that is encoded again, after a seek, is in the totals already. */
static inline void count_row(struct rb_encoder *encoder, const uint8_t *bytes, size_t len)
{
    if (encoder->row < encoder->counted) {
        return;
    }
    if (encoder->options.checksum) {
        encoder->checksum += rb_hash_row(bytes, len);
    }
    encoder->counted++;
    encoder->total_rows++;
    encoder->total_bytes += (int64_t)len;
}

/* One row, or what is to be said about it. */
static int encode_row(struct rb_encoder *encoder, struct rb_buf *out, struct rb_error *err)
{
    struct cursor cursor = {.out = out};
    int status = cursor_begin(&cursor, out, 2 + encoder->n_columns * FIELD_BYTES_MAX, err);
    status = status < 0 ? status : put_row(encoder, &cursor, err);
    if (status < 0) {
        return status;
    }
    const uint8_t *begin = out->data + out->len;
    size_t bytes = (size_t)(cursor.p - begin);
    if (bytes > encoder->options.max_record_bytes) {
        return rb_error_set(err, RB_EDATA, "RECORD_TOO_LARGE",
                            "row %lld of %zu bytes is larger than max_record_bytes (%zu)",
                            (long long)position(encoder), bytes, encoder->options.max_record_bytes);
    }
    count_row(encoder, begin, bytes);
    out->len += bytes;
    out->data[out->len] = 0;
    encoder->row++;
    return 0;
}

int rb_encoder_rows(struct rb_encoder *encoder, struct rb_buf *out, size_t fill_bytes,
                    struct rb_error *err)
{
    while (encoder->row < encoder->end) {
        if (out->len >= fill_bytes) {
            return 0;
        }
        if (rb_encoder_block(encoder, out, fill_bytes) > 0) {
            continue;
        }
        int status = encode_row(encoder, out, err);
        if (status < 0) {
            return status;
        }
    }
    return 1;
}

/* The header of a one-dimensional array of the batch's rows. */
static int begin_array(const struct rb_encoder *encoder, bool has_nulls, uint32_t elem_oid,
                       size_t fixed, struct rb_buf *out, struct cursor *ret, struct rb_error *err)
{
    ret->out = out;
    int status = cursor_begin(ret, out, fixed + ARRAY_HEADER_BYTES, err);
    if (status < 0) {
        return status;
    }
    int64_t n_rows = encoder->end - encoder->row;
    uint8_t *p = ret->p;
    rb_store_be32(p, n_rows > 0 ? 1 : 0);
    rb_store_be32(p + 4, has_nulls ? 1 : 0);
    rb_store_be32(p + 8, elem_oid);
    ret->p += 12;
    if (n_rows > 0) {
        rb_store_be32(p + 12, (uint32_t)n_rows);
        rb_store_be32(p + 16, 1);
        ret->p += 8;
    }
    return 0;
}

static void end_array(struct rb_buf *out, const struct cursor *cursor)
{
    out->len = (size_t)(cursor->p - out->data);
    out->data[out->len] = 0;
}

int rb_encoder_array(struct rb_encoder *encoder, size_t column, uint32_t elem_oid,
                     struct rb_buf *out, struct rb_error *err)
{
    const struct rb_in_column *in = &encoder->columns[column];
    struct cursor cursor;
    int status =
        begin_array(encoder, in->validity != NULL, elem_oid, FIELD_BYTES_MAX, out, &cursor, err);
    for (int64_t row = encoder->row; status == 0 && row < encoder->end; row++) {
        status = cursor_reserve(&cursor, 0, err);
        status = status < 0 ? status : put_field(&cursor, in, in->offset + row, err);
    }
    if (status == 0) {
        end_array(out, &cursor);
    }
    return status;
}

int rb_encoder_records(struct rb_encoder *encoder, const size_t *columns, const uint32_t *oids,
                       size_t n, uint32_t record_oid, struct rb_buf *out, struct rb_error *err)
{
    struct cursor cursor;
    int status =
        begin_array(encoder, false, record_oid, 8 + n * (4 + FIELD_BYTES_MAX), out, &cursor, err);
    for (int64_t row = encoder->row; status == 0 && row < encoder->end; row++) {
        status = cursor_reserve(&cursor, 0, err);
        if (status < 0) {
            return status;
        }
        /* The buffer may move: the place of the record's length is kept as an offset. */
        size_t at = (size_t)(cursor.p - out->data);
        rb_store_be32(cursor.p + 4, (uint32_t)n);
        cursor.p += 8;
        for (size_t i = 0; status == 0 && i < n; i++) {
            const struct rb_in_column *in = &encoder->columns[columns[i]];
            rb_store_be32(cursor.p, oids[i]);
            cursor.p += 4;
            status = put_field(&cursor, in, in->offset + row, err);
        }
        if (status == 0) {
            size_t end = (size_t)(cursor.p - out->data);
            rb_store_be32(out->data + at, (uint32_t)(end - at - 4));
        }
    }
    if (status == 0) {
        end_array(out, &cursor);
    }
    return status;
}

int64_t rb_encoder_row_count(const struct rb_encoder *encoder)
{
    return encoder->total_rows;
}

int64_t rb_encoder_bytes(const struct rb_encoder *encoder)
{
    return encoder->total_bytes;
}

uint64_t rb_encoder_checksum(const struct rb_encoder *encoder)
{
    return encoder->checksum;
}

int rb_codec_append_trailer(struct rb_buf *out)
{
    return rb_buf_append_be16(out, UINT16_MAX);
}
