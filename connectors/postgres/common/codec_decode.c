/* COPY's binary form -> Arrow columns. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "connectors/postgres/common/codec_copy.h"
#include "connectors/postgres/common/codec_decoder.h"
#include "connectors/postgres/common/codec_time.h"

enum {
    FIRST_ROWS = 1024, /* room for rows at first; doubles up to RB_CODEC_BATCH_ROWS_MAX */
    FIRST_VALUE_BYTES = 16 * 1024, /* room of a column of variable width at first */
    CARRY_SLACK = 2 * 1024 * 1024, /* beyond two records: a message's worth of other rows */
    UUID_BYTES = 16,
    LARGEST_BYTES = 1024 * 1024 * 1024, /* that the document permits for a row */
};

/* decode_row's own outcome: the bytes end before the row does. */
enum { SHORT = 100 };

/* The batch is borrowed: releasing it is not the consumer's business. */
static void release_borrowed(struct ArrowArray *array)
{
    array->release = NULL;
}

static size_t bitmap_bytes(size_t rows)
{
    return (rows + 7) / 8;
}

static bool grow(void *field, size_t size)
{
    void *old;
    memcpy(&old, field, sizeof old);
    void *grown = realloc(old, size);
    if (grown == NULL) {
        return false;
    }
    memcpy(field, &grown, sizeof grown);
    return true;
}

static bool grow_column_rows(struct rb_out_column *out, size_t from, size_t to)
{
    if (!grow(&out->validity, bitmap_bytes(to))) {
        return false;
    }
    memset(out->validity + bitmap_bytes(from), 0xff, bitmap_bytes(to) - bitmap_bytes(from));
    if (rb_out_column_is_variable(out)) {
        if (!grow(&out->offsets, (to + 1) * sizeof(int32_t))) {
            return false;
        }
        out->offsets[0] = 0;
        return true;
    }
    size_t bytes = out->width == 0 ? bitmap_bytes(to) : to * out->width;
    if (!grow(&out->values, bytes)) {
        return false;
    }
    memset(out->values + out->values_cap, 0, bytes - out->values_cap);
    out->values_cap = bytes;
    return true;
}

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a batch of rows");
}

/* Room for rows, in all columns. */
int rb_decoder_grow_rows(struct rb_decoder *decoder, struct rb_error *err)
{
    size_t to = decoder->row_cap == 0 ? FIRST_ROWS : decoder->row_cap * 2;
    for (size_t i = 0; i < decoder->n_columns; i++) {
        if (!grow_column_rows(&decoder->columns[i], decoder->row_cap, to)) {
            return no_memory(err);
        }
    }
    decoder->row_cap = to;
    return 0;
}

/* Room for `extra` bytes behind the `used` ones of a column of variable width. */
int rb_decoder_grow_values(struct rb_out_column *out, size_t used, size_t extra,
                           struct rb_error *err)
{
    size_t cap = out->values_cap == 0 ? FIRST_VALUE_BYTES : out->values_cap;
    while (cap - used < extra) {
        cap *= 2;
        if (cap > INT32_MAX) {
            return rb_error_set(err, RB_ENOMEM, "BATCH_TOO_LARGE",
                                "column \"%s\": a batch holds more than 2 GiB", out->column->name);
        }
    }
    if (!grow(&out->values, cap)) {
        return no_memory(err);
    }
    out->values_cap = cap;
    return 0;
}

/* The length that every value of a type has. */
static uint32_t value_length(const struct rb_out_column *out)
{
    uint32_t bytes = rb_codec_value_bytes(out->column->codec);
    return bytes != 0 ? bytes : RB_DECODER_ANY_LENGTH;
}

/* Finds the runs, and the steps over them. */
static void lay_out_block(struct rb_decoder *decoder)
{
    uint32_t stride = (uint32_t)decoder->block_rows;
    struct rb_block_column *run = NULL;
    struct rb_block_step *step = decoder->steps;
    for (uint32_t i = 0; i < decoder->n_columns; i++) {
        struct rb_block_column *column = &decoder->layout[i];
        column->length = value_length(&decoder->columns[i]);
        rb_store_be32(&column->be_length, column->length);
        if (column->length == RB_DECODER_ANY_LENGTH) {
            uint32_t run_column = run != NULL ? run->run_column : i;
            *step++ = (struct rb_block_step){.skip_bytes = (run != NULL ? run->run_bytes : 0) + 4,
                                             .run_cell = run_column * stride,
                                             .cell = i * stride,
                                             .column = i};
            column->run_column = i;
            run = NULL;
            continue;
        }
        if (run == NULL) {
            run = column;
            run->run_column = i;
        }
        column->run_column = run->run_column;
        column->run_at = run->run_bytes;
        run->run_columns++;
        run->run_bytes += 4 + column->length;
    }
    *step = (struct rb_block_step){.skip_bytes = run != NULL ? run->run_bytes : 0};
    step->run_cell = (run != NULL ? run->run_column : (uint32_t)decoder->n_columns) * stride;
    decoder->n_steps = (size_t)(step - decoder->steps);
}

static bool allocate_block(struct rb_decoder *decoder)
{
    size_t n = decoder->n_columns;
    size_t rows = RB_DECODER_BLOCK_CELLS / (n + 1);
    rows = rows < 1 ? 1 : rows;
    decoder->block_rows = rows < RB_DECODER_BLOCK_ROWS ? rows : RB_DECODER_BLOCK_ROWS;
    decoder->cells = calloc((n + 1) * decoder->block_rows, sizeof *decoder->cells);
    decoder->layout = calloc(n + 1, sizeof *decoder->layout);
    decoder->steps = calloc(n + 1, sizeof *decoder->steps);
    decoder->has_nulls = calloc(n + 1, sizeof *decoder->has_nulls);
    if (decoder->cells == NULL || decoder->layout == NULL || decoder->steps == NULL ||
        decoder->has_nulls == NULL) {
        return false;
    }
    lay_out_block(decoder);
    return true;
}

static int allocate(struct rb_decoder *decoder, const struct rb_columns *columns)
{
    decoder->columns = calloc(columns->n + 1, sizeof(struct rb_out_column));
    decoder->children = calloc(columns->n + 1, sizeof(struct ArrowArray *));
    if (decoder->columns == NULL || decoder->children == NULL) {
        return RB_ENOMEM;
    }
    decoder->n_columns = columns->n;
    for (size_t i = 0; i < columns->n; i++) {
        struct rb_out_column *out = &decoder->columns[i];
        out->column = &columns->items[i];
        out->width =
            out->column->codec == RB_CODEC_BOOL ? 0 : rb_codec_value_bytes(out->column->codec);
        decoder->children[i] = &out->array;
    }
    return allocate_block(decoder) ? rb_decoder_grow_rows(decoder, NULL) : RB_ENOMEM;
}

int rb_decoder_new(const struct rb_columns *columns, const struct rb_decoder_options *options,
                   struct rb_decoder **ret, struct rb_error *err)
{
    struct rb_decoder *decoder = calloc(1, sizeof *decoder);
    if (decoder == NULL) {
        return no_memory(err);
    }
    decoder->options = *options;
    rb_buf_init(&decoder->carry, 2 * options->max_record_bytes + CARRY_SLACK);
    rb_buf_init(&decoder->watch.value, options->max_record_bytes);
    if (allocate(decoder, columns) < 0) {
        rb_decoder_free(decoder);
        return no_memory(err);
    }
    *ret = decoder;
    return 0;
}

void rb_decoder_free(struct rb_decoder *decoder)
{
    if (decoder == NULL) {
        return;
    }
    for (size_t i = 0; i < decoder->n_columns; i++) {
        free(decoder->columns[i].validity);
        free(decoder->columns[i].offsets);
        free(decoder->columns[i].values);
    }
    free(decoder->columns);
    free(decoder->children);
    free(decoder->cells);
    free(decoder->layout);
    free(decoder->steps);
    free(decoder->has_nulls);
    rb_buf_release(&decoder->carry);
    rb_buf_release(&decoder->watch.value);
    free(decoder);
}

void rb_decoder_freep(struct rb_decoder **decoder)
{
    rb_decoder_free(*decoder);
    *decoder = NULL;
}

static int bad_length(const struct rb_decoder *decoder, const struct rb_column *column, size_t len,
                      struct rb_error *err)
{
    return rb_error_set(err, RB_EDATA, "BAD_VALUE",
                        "column \"%s\", row %lld: %zu bytes are not a value of type %s",
                        column->name, (long long)decoder->total_rows + 1, len,
                        column->declared != NULL ? column->declared : "the column");
}

static int special_value(const struct rb_decoder *decoder, const struct rb_column *column,
                         const char *what, struct rb_error *err)
{
    int status = rb_error_set(err, RB_EDATA, "VALUE_NOT_REPRESENTABLE",
                              "column \"%s\", row %lld: %s cannot be carried to this destination",
                              column->name, (long long)decoder->total_rows + 1, what);
    rb_error_set_hint(err, "leave such rows out with a filter, or use a destination that "
                           "announces pg_binary");
    return status;
}

static int put_variable(struct rb_out_column *out, size_t row, const uint8_t *p, size_t len,
                        const uint8_t *end, struct rb_error *err)
{
    size_t used = (size_t)out->offsets[row];
    if (__builtin_expect(out->values_cap - used < len + RB_CODEC_COPY_SLACK, 0)) {
        int status = rb_decoder_grow_values(out, used, len + RB_CODEC_COPY_SLACK, err);
        if (status < 0) {
            return status;
        }
    }
    rb_codec_copy(out->values + used, p, len, end);
    out->offsets[row + 1] = (int32_t)(used + len);
    return 0;
}

static void put_null(struct rb_out_column *out, size_t row)
{
    out->validity[row >> 3] &= (uint8_t)~(1U << (row & 7));
    out->null_count++;
    if (rb_out_column_is_variable(out)) {
        out->offsets[row + 1] = out->offsets[row];
    } else if (out->width != 0) {
        memset(out->values + row * out->width, 0, out->width);
    }
}

static int put_date(const struct rb_decoder *decoder, struct rb_out_column *out, size_t row,
                    const uint8_t *p, struct rb_error *err)
{
    int32_t pg = (int32_t)rb_load_be32(p);
    int32_t arrow;
    if (!rb_date_to_arrow(pg, &arrow)) {
        return bad_length(decoder, out->column, 4, err);
    }
    if (decoder->options.refuse_special && (pg == INT32_MAX || pg == INT32_MIN)) {
        return special_value(decoder, out->column, pg > 0 ? "infinity" : "-infinity", err);
    }
    memcpy(out->values + row * 4, &arrow, 4);
    return 0;
}

static int put_timestamp(const struct rb_decoder *decoder, struct rb_out_column *out, size_t row,
                         const uint8_t *p, struct rb_error *err)
{
    int64_t pg = (int64_t)rb_load_be64(p);
    int64_t arrow = rb_time_to_arrow(pg);
    if (decoder->options.refuse_special && !rb_time_arrow_is_plain(arrow)) {
        return special_value(decoder, out->column,
                             pg == INT64_MAX   ? "infinity"
                             : pg == INT64_MIN ? "-infinity"
                                               : "a timestamp after 294247-01-10",
                             err);
    }
    memcpy(out->values + row * 8, &arrow, 8);
    return 0;
}

static int put_time(const struct rb_decoder *decoder, const struct rb_out_column *out,
                    uint8_t *value, const uint8_t *p, struct rb_error *err)
{
    uint64_t v = rb_load_be64(p);
    if (decoder->options.refuse_special && v == RB_TIME_DAY_END) {
        return special_value(decoder, out->column, "24:00:00", err);
    }
    memcpy(value, &v, sizeof v);
    return 0;
}

/* One field that is not NULL. `end`: of the bytes that may be read. */
static inline int put_value(const struct rb_decoder *decoder, struct rb_out_column *out, size_t row,
                            const uint8_t *p, size_t len, const uint8_t *end, struct rb_error *err)
{
    if (out->width != 0 && len != out->width) {
        return bad_length(decoder, out->column, len, err);
    }
    uint8_t *value = out->width != 0 ? out->values + row * out->width : out->values;
    switch (out->column->codec) {
    case RB_CODEC_BYTES:
        return put_variable(out, row, p, len, end, err);
    case RB_CODEC_INT16: {
        uint16_t v = rb_load_be16(p);
        memcpy(value, &v, sizeof v);
        return 0;
    }
    case RB_CODEC_INT32: {
        uint32_t v = rb_load_be32(p);
        memcpy(value, &v, sizeof v);
        return 0;
    }
    case RB_CODEC_INT64: {
        uint64_t v = rb_load_be64(p);
        memcpy(value, &v, sizeof v);
        return 0;
    }
    case RB_CODEC_TIME:
        return put_time(decoder, out, value, p, err);
    case RB_CODEC_TIMESTAMP:
        return put_timestamp(decoder, out, row, p, err);
    case RB_CODEC_DATE:
        return put_date(decoder, out, row, p, err);
    case RB_CODEC_UUID:
        memcpy(value, p, UUID_BYTES);
        return 0;
    case RB_CODEC_BOOL:
        if (len != 1 || p[0] > 1) {
            return bad_length(decoder, out->column, len, err);
        }
        out->values[row >> 3] |= (uint8_t)(p[0] << (row & 7));
        return 0;
    case RB_CODEC_JSONB:
        if (len < 1 || p[0] != 1) {
            return rb_error_set(err, RB_EDATA, "BAD_VALUE",
                                "column \"%s\", row %lld: not version 1 of jsonb's binary form",
                                out->column->name, (long long)decoder->total_rows + 1);
        }
        return put_variable(out, row, p + 1, len - 1, end, err);
    }
    return bad_length(decoder, out->column, len, err);
}

static int record_too_large(const struct rb_decoder *decoder, const char *column,
                            struct rb_error *err)
{
    int status = rb_error_set(err, RB_EDATA, "RECORD_TOO_LARGE",
                              "%s%s%srow %lld is larger than max_record_bytes (%zu)",
                              column != NULL ? "column \"" : "", column != NULL ? column : "",
                              column != NULL ? "\", " : "", (long long)decoder->total_rows + 1,
                              decoder->options.max_record_bytes);
    rb_error_set_hint(err, decoder->options.max_record_bytes < LARGEST_BYTES
                               ? "raise resources.max_record_bytes"
                               : "resources.max_record_bytes is at its maximum: leave the column "
                                 "out (columns)");
    return status;
}

/* Takes back what decode_row did to the first `n` columns of a row that is not all there, or that
 * is refused. */
static void undo_row(struct rb_decoder *decoder, size_t n)
{
    size_t row = decoder->n_rows;
    uint8_t bit = (uint8_t)(1U << (row & 7));
    for (size_t i = 0; i < n; i++) {
        struct rb_out_column *out = &decoder->columns[i];
        if ((out->validity[row >> 3] & bit) == 0) {
            out->validity[row >> 3] |= bit;
            out->null_count--;
        } else if (out->column->codec == RB_CODEC_BOOL) {
            out->values[row >> 3] &= (uint8_t)~bit;
        }
    }
}

static inline int decode_field(struct rb_decoder *decoder, struct rb_out_column *out,
                               const uint8_t *p, const uint8_t *end, const uint8_t **ret_next,
                               struct rb_error *err)
{
    if (end - p < 4) {
        return SHORT;
    }
    int32_t len = (int32_t)rb_load_be32(p);
    p += 4;
    if (len < 0) {
        if (len != -1) {
            return rb_error_set(err, RB_EPROTOCOL, "BAD_COPY_DATA",
                                "column \"%s\", row %lld: a field of %d bytes", out->column->name,
                                (long long)decoder->total_rows + 1, (int)len);
        }
        put_null(out, decoder->n_rows);
        *ret_next = p;
        return 0;
    }
    if ((size_t)len > decoder->options.max_record_bytes) {
        return record_too_large(decoder, out->column->name, err);
    }
    if (end - p < len) {
        return SHORT;
    }
    *ret_next = p + len;
    return put_value(decoder, out, decoder->n_rows, p, (size_t)len, end, err);
}

/* The fields of one tuple, after its count. */
static int decode_fields(struct rb_decoder *decoder, const uint8_t *p, const uint8_t *end,
                         const uint8_t **ret_next, struct rb_error *err)
{
    for (size_t i = 0; i < decoder->n_columns; i++) {
        int status = decode_field(decoder, &decoder->columns[i], p, end, &p, err);
        if (__builtin_expect(status != 0, 0)) {
            undo_row(decoder, i);
            return status;
        }
    }
    *ret_next = p;
    return 0;
}

/* One tuple. 0, SHORT, RB_DECODER_END for the trailer, or a failure. */
static int decode_row(struct rb_decoder *decoder, const uint8_t *p, const uint8_t *end,
                      const uint8_t **ret_next, struct rb_error *err)
{
    if (end - p < 2) {
        return SHORT;
    }
    int16_t n_fields = (int16_t)rb_load_be16(p);
    if (n_fields == -1) {
        *ret_next = p + 2;
        return RB_DECODER_END;
    }
    if (n_fields < 0 || (size_t)n_fields != decoder->n_columns) {
        return rb_error_set(err, RB_EPROTOCOL, "BAD_COPY_DATA",
                            "row %lld has %d fields, %zu were expected",
                            (long long)decoder->total_rows + 1, (int)n_fields, decoder->n_columns);
    }
    const uint8_t *next = p;
    int status = decode_fields(decoder, p + 2, end, &next, err);
    if (status != 0) {
        return status;
    }
    size_t row_bytes = (size_t)(next - p);
    if (row_bytes > decoder->options.max_record_bytes) {
        undo_row(decoder, decoder->n_columns);
        return record_too_large(decoder, NULL, err);
    }
    if (decoder->options.checksum) {
        decoder->checksum += rb_hash_row(p, row_bytes);
    }
    decoder->n_rows++;
    decoder->total_rows++;
    decoder->batch_bytes += row_bytes;
    decoder->total_bytes += (int64_t)row_bytes;
    *ret_next = next;
    return 0;
}

static int decode_header(const uint8_t *p, const uint8_t *end, const uint8_t **ret_next,
                         struct rb_error *err)
{
    static const uint8_t signature[11] = {'P', 'G', 'C', 'O', 'P', 'Y', '\n', 0xff, '\r', '\n', 0};
    size_t have = (size_t)(end - p);
    if (memcmp(p, signature, have < sizeof signature ? have : sizeof signature) != 0) {
        return rb_error_set(err, RB_EPROTOCOL, "BAD_COPY_DATA",
                            "the data is not in COPY's binary form");
    }
    if (have < RB_CODEC_HEADER_BYTES) {
        return SHORT;
    }
    uint32_t flags = rb_load_be32(p + 11);
    uint32_t extension = rb_load_be32(p + 15);
    if ((flags & 0xffff0000U) != 0 || extension > RB_CODEC_HEADER_EXTENSION_MAX) {
        return rb_error_set(err, RB_EPROTOCOL, "BAD_COPY_DATA",
                            "COPY's binary header has flags or an extension of another version");
    }
    if (have - RB_CODEC_HEADER_BYTES < extension) {
        return SHORT;
    }
    *ret_next = p + RB_CODEC_HEADER_BYTES + extension;
    return 0;
}

bool rb_decoder_is_full(const struct rb_decoder *decoder)
{
    return decoder->batch_bytes >= decoder->options.batch_bytes ||
           decoder->n_rows >= RB_CODEC_BATCH_ROWS_MAX;
}

/* Whether the stream is to be cut before the row at `p`. The value before the first cut must be
 * known by then, so it is noted from one row before. */
static int watch_row(struct rb_decoder *decoder, const uint8_t *p, const uint8_t *end,
                     struct rb_error *err)
{
    struct rb_watch *watch = &decoder->watch;
    if (decoder->total_rows + 1 < watch->rows && decoder->total_bytes < watch->bytes) {
        return 0;
    }
    int status = rb_watch_row(watch, p, end);
    if (status == 1) {
        watch->has_value = false;
        return RB_DECODER_BOUNDARY;
    }
    return status < 0 ? no_memory(err) : 0;
}

/* Rows of [p, end) until one is not all there (SHORT), the batch is full, or the trailer. */
static int decode_rows(struct rb_decoder *decoder, const uint8_t *p, const uint8_t *end,
                       const uint8_t **ret_next, struct rb_error *err)
{
    *ret_next = p;
    if (!decoder->header_done) {
        int status = decode_header(p, end, &p, err);
        if (status != 0) {
            return status;
        }
        decoder->header_done = true;
        *ret_next = p;
    }
    while (p < end) {
        if (rb_decoder_is_full(decoder)) {
            return RB_DECODER_FULL;
        }
        if (decoder->watch.on) {
            int status = watch_row(decoder, p, end, err);
            if (status != 0) {
                return status;
            }
        }
        if (decoder->n_rows == decoder->row_cap) {
            int status = rb_decoder_grow_rows(decoder, err);
            if (status < 0) {
                return status;
            }
        }
        int status = decode_row(decoder, p, end, &p, err);
        if (status == SHORT || status < 0) {
            return status;
        }
        *ret_next = p;
        if (status == RB_DECODER_END) {
            decoder->ended = true;
            return status;
        }
    }
    return 0;
}

static int carry_over(struct rb_decoder *decoder, const uint8_t *data, size_t len,
                      struct rb_error *err)
{
    if (rb_buf_append(&decoder->carry, data, len) < 0) {
        return record_too_large(decoder, NULL, err);
    }
    return 0;
}

static void drop_front(struct rb_buf *buf, size_t len)
{
    if (len < buf->len) {
        memmove(buf->data, buf->data + len, buf->len - len);
    }
    buf->len -= len;
}

/* With a row's beginning kept: everything goes through the carry. */
static int push_carried(struct rb_decoder *decoder, const uint8_t *data, size_t len,
                        struct rb_error *err)
{
    int status = carry_over(decoder, data, len, err);
    if (status < 0) {
        return status;
    }
    const uint8_t *begin = decoder->carry.data;
    const uint8_t *next = begin;
    status = decode_rows(decoder, begin, begin + decoder->carry.len, &next, err);
    drop_front(&decoder->carry, (size_t)(next - begin));
    return status;
}

int rb_decoder_push(struct rb_decoder *decoder, const uint8_t *data, size_t len, size_t *ret_used,
                    struct rb_error *err)
{
    int status;
    if (decoder->ended && len == 0) {
        *ret_used = 0;
        return RB_DECODER_END;
    }
    if (decoder->ended) {
        return rb_error_set(err, RB_EPROTOCOL, "BAD_COPY_DATA", "COPY data after its trailer");
    }
    if (decoder->carry.len > 0) {
        status = push_carried(decoder, data, len, err);
        *ret_used = len;
    } else {
        const uint8_t *next = data;
        status = len > 0 ? decode_rows(decoder, data, data + len, &next, err) : 0;
        if (status == SHORT) {
            int carried = carry_over(decoder, next, len - (size_t)(next - data), err);
            if (carried < 0) {
                return carried;
            }
            next = data + len;
        }
        *ret_used = (size_t)(next - data);
    }
    if (status == RB_DECODER_END && (decoder->carry.len > 0 || *ret_used < len)) {
        return rb_error_set(err, RB_EPROTOCOL, "BAD_COPY_DATA", "COPY data after its trailer");
    }
    return status == SHORT ? 0 : status;
}

void rb_decoder_watch(struct rb_decoder *decoder, const struct rb_decoder_watch *watch)
{
    decoder->watch.on = true;
    decoder->watch.column = watch->column;
    decoder->watch.numeric = watch->numeric;
    decoder->watch.rows = watch->rows;
    decoder->watch.bytes = watch->bytes;
}

const struct rb_buf *rb_decoder_boundary(const struct rb_decoder *decoder)
{
    return &decoder->watch.value;
}

void rb_decoder_restart(struct rb_decoder *decoder)
{
    decoder->header_done = false;
    decoder->ended = false;
}

bool rb_decoder_is_ended(const struct rb_decoder *decoder)
{
    return decoder->ended;
}

static void finish_column(struct rb_out_column *out, size_t n_rows)
{
    out->buffers[0] = out->null_count > 0 ? out->validity : NULL;
    out->buffers[1] = rb_out_column_is_variable(out) ? (const void *)out->offsets : out->values;
    out->buffers[2] = out->values;
    out->array = (struct ArrowArray){
        .length = (int64_t)n_rows,
        .null_count = out->null_count,
        .n_buffers = rb_out_column_is_variable(out) ? 3 : 2,
        .buffers = out->buffers,
        .release = release_borrowed,
    };
}

int rb_decoder_batch(struct rb_decoder *decoder, const struct ArrowArray **ret,
                     struct rb_error *err)
{
    for (size_t i = 0; i < decoder->n_columns; i++) {
        struct rb_out_column *out = &decoder->columns[i];
        if (rb_out_column_is_variable(out) && out->values == NULL) {
            int status = rb_decoder_grow_values(out, 0, RB_CODEC_COPY_SLACK, err);
            if (status < 0) {
                return status;
            }
        }
        finish_column(out, decoder->n_rows);
    }
    decoder->array = (struct ArrowArray){
        .length = (int64_t)decoder->n_rows,
        .n_buffers = 1,
        .n_children = (int64_t)decoder->n_columns,
        .buffers = decoder->no_buffer,
        .children = decoder->children,
        .release = release_borrowed,
    };
    *ret = &decoder->array;
    return 0;
}

int64_t rb_decoder_batch_rows(const struct rb_decoder *decoder)
{
    return (int64_t)decoder->n_rows;
}

void rb_decoder_clear(struct rb_decoder *decoder)
{
    for (size_t i = 0; i < decoder->n_columns; i++) {
        struct rb_out_column *out = &decoder->columns[i];
        if (out->null_count > 0) {
            memset(out->validity, 0xff, bitmap_bytes(decoder->n_rows));
            out->null_count = 0;
        }
        if (out->column->codec == RB_CODEC_BOOL) {
            memset(out->values, 0, bitmap_bytes(decoder->n_rows));
        }
        /* One huge value must not leave its room behind in each column. */
        if (rb_out_column_is_variable(out) && out->values_cap > 2 * decoder->options.batch_bytes &&
            out->values_cap > FIRST_VALUE_BYTES) {
            free(out->values);
            out->values = NULL;
            out->values_cap = 0;
        }
    }
    decoder->n_rows = 0;
    decoder->batch_bytes = 0;
}

int64_t rb_decoder_rows(const struct rb_decoder *decoder)
{
    return decoder->total_rows;
}

int64_t rb_decoder_bytes(const struct rb_decoder *decoder)
{
    return decoder->total_bytes;
}

uint64_t rb_decoder_checksum(const struct rb_decoder *decoder)
{
    return decoder->checksum;
}
