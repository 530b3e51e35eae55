/*
 * COPY's binary form <-> Arrow columns (PostgreSQL, "COPY", "Binary Format"): a header, tuples of
 * int16 field count and fields of int32 length (-1: NULL) and bytes, a trailer of -1.
 *
 * A decoded field is a value, NULL, or an error that names the column; a length that is not the
 * type's is an error. Timestamps move from 2000-01-01 to 1970-01-01 as docs/protocol.md,
 * "Infinities and limits", says.
 */
#ifndef RB_CONNECTORS_POSTGRES_COMMON_CODEC_H
#define RB_CONNECTORS_POSTGRES_COMMON_CODEC_H

#include <nanoarrow/nanoarrow.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "connectors/postgres/common/type.h"

enum {
    RB_CODEC_BATCH_ROWS_MAX = 64 * 1024, /* a batch is bounded by bytes first */
    RB_CODEC_HEADER_BYTES = 19,          /* of the COPY header without extension */
    RB_CODEC_HEADER_EXTENSION_MAX = 64 * 1024,
};

/* Bytes of a value as it is sent, without its length; 0: they vary. */
static inline uint32_t rb_codec_value_bytes(enum rb_type_codec codec)
{
    switch (codec) {
    case RB_CODEC_BOOL:
        return 1;
    case RB_CODEC_INT16:
        return 2;
    case RB_CODEC_INT32:
    case RB_CODEC_DATE:
        return 4;
    case RB_CODEC_INT64:
    case RB_CODEC_TIME:
    case RB_CODEC_TIMESTAMP:
        return 8;
    case RB_CODEC_UUID:
        return 16;
    case RB_CODEC_BYTES:
    case RB_CODEC_JSONB:
        break;
    }
    return 0;
}

struct rb_decoder_options {
    size_t batch_bytes;      /* a batch is full once it holds this much; about 1 MiB is best */
    size_t max_record_bytes; /* a larger row is refused */
    bool checksum;
    bool refuse_special; /* infinite or out-of-range dates, times and timestamps are errors: the
                            peer does not announce pg_binary */
};

/* Outcomes of rb_decoder_push. */
enum {
    RB_DECODER_FULL = 1,     /* the batch is full: take it, clear, and push the rest */
    RB_DECODER_END = 2,      /* the trailer came */
    RB_DECODER_BOUNDARY = 3, /* a watched stream may be cut here: as with a full batch, but the
                                batch may have no rows */
};

/* When to stop between two rows whose values of a column differ. Not once the column was NULL. */
struct rb_decoder_watch {
    size_t column;
    bool numeric;        /* values that differ in their display scale alone are the same */
    int64_t rows, bytes; /* the stream has as many of one of them, from its beginning */
};

struct rb_decoder;

/* `columns` are borrowed and must outlive the decoder. RB_ENOMEM. */
int rb_decoder_new(const struct rb_columns *columns, const struct rb_decoder_options *options,
                   struct rb_decoder **ret, struct rb_error *err);
void rb_decoder_free(struct rb_decoder *decoder);
void rb_decoder_freep(struct rb_decoder **decoder);

/* Takes bytes of the COPY stream, cut anywhere. *ret_used of them were taken: all of them when it
 * returns 0. RB_EPROTOCOL (not COPY's form), RB_EDATA (a value or row that is refused), RB_ENOMEM.
 */
int rb_decoder_push(struct rb_decoder *decoder, const uint8_t *data, size_t len, size_t *ret_used,
                    struct rb_error *err);
/* The fast way for what a connection has received: `data` begins with a message of the protocol.
 * Takes CopyData messages that are whole and hold one row each, as servers send them. *ret_used
 * bytes were taken, messages with their headers; 0: the next message is for rb_decoder_push.
 * RB_DECODER_FULL as there. Fails only for want of memory. */
int rb_decoder_push_messages(struct rb_decoder *decoder, const uint8_t *data, size_t len,
                             size_t *ret_used, struct rb_error *err);
/* From now on, in rb_decoder_push, until it is called again. */
void rb_decoder_watch(struct rb_decoder *decoder, const struct rb_decoder_watch *watch);
/* At a boundary: the value before it, as COPY has it. Borrowed, until the next push. */
const struct rb_buf *rb_decoder_boundary(const struct rb_decoder *decoder);
/* After the trailer: another COPY of the same columns follows. Rows and sums go on. */
void rb_decoder_restart(struct rb_decoder *decoder);
/* Whether the stream ended well, with its trailer. */
bool rb_decoder_is_ended(const struct rb_decoder *decoder);

/* The rows since the last clear as a struct array of rb_columns_to_schema's schema. Borrowed, until
 * the next push, clear or free; its buffers are the decoder's and must not be released. */
int rb_decoder_batch(struct rb_decoder *decoder, const struct ArrowArray **ret,
                     struct rb_error *err);
/* Rows in the batch. */
int64_t rb_decoder_batch_rows(const struct rb_decoder *decoder);
void rb_decoder_clear(struct rb_decoder *decoder);

/* Since the beginning: rows, their bytes in COPY form (header and trailer not counted), and the
 * stream_checksum of docs/protocol.md (0 unless asked for). */
int64_t rb_decoder_rows(const struct rb_decoder *decoder);
int64_t rb_decoder_bytes(const struct rb_decoder *decoder);
uint64_t rb_decoder_checksum(const struct rb_decoder *decoder);

/* Arrow -> COPY. */
struct rb_encoder_options {
    size_t max_record_bytes;
    bool checksum;
};

struct rb_encoder;

/* `columns` as of rb_columns_from_schema; borrowed, must outlive the encoder. */
int rb_encoder_new(const struct rb_columns *columns, const struct rb_encoder_options *options,
                   struct rb_encoder **ret, struct rb_error *err);
void rb_encoder_free(struct rb_encoder *encoder);
void rb_encoder_freep(struct rb_encoder **encoder);
/* Begins a batch: a struct view whose children are the columns, in order; borrowed until the next
 * bind. RB_ESCHEMA when it does not fit the columns. */
int rb_encoder_bind(struct rb_encoder *encoder, const struct ArrowArrayView *view,
                    struct rb_error *err);
/* Appends rows in COPY form to `out` until it holds `fill_bytes` or more. 0: it does, there may be
 * more rows; 1: the batch is through. RB_EDATA by column and row for a value that PostgreSQL cannot
 * hold and for a row larger than max_record_bytes; RB_ENOMEM. Only whole rows are appended. */
int rb_encoder_rows(struct rb_encoder *encoder, struct rb_buf *out, size_t fill_bytes,
                    struct rb_error *err);
/* Narrows the bound batch to its rows from `first` (0: the batch's first) to before `end`, which
 * rb_encoder_rows and rb_encoder_array then give. Rows that rb_encoder_rows has given before are
 * not counted and hashed again. */
void rb_encoder_seek(struct rb_encoder *encoder, int64_t first, int64_t end);
/* How many of the bound batch's rows are in the totals already; and the same told of a batch that
 * is bound once more. */
int64_t rb_encoder_counted(const struct rb_encoder *encoder);
void rb_encoder_set_counted(struct rb_encoder *encoder, int64_t rows);
/* Counts a row of the batch that rb_encoder_rows refused, the next after those that it gave, so
 * that the rows behind it keep their positions. It is in no checksum. */
void rb_encoder_discard(struct rb_encoder *encoder, int64_t row);
/* Appends the bound batch's column, as far as it was sought, as the binary form of a
 * one-dimensional array of `elem_oid` (array_recv). */
int rb_encoder_array(struct rb_encoder *encoder, size_t column, uint32_t elem_oid,
                     struct rb_buf *out, struct rb_error *err);

/* Likewise an array of records (record_recv) of `n` of the columns, whose types are `oids`; the
 * record's own type is `record_oid`. */
int rb_encoder_records(struct rb_encoder *encoder, const size_t *columns, const uint32_t *oids,
                       size_t n, uint32_t record_oid, struct rb_buf *out, struct rb_error *err);

int64_t rb_encoder_row_count(const struct rb_encoder *encoder);
int64_t rb_encoder_bytes(const struct rb_encoder *encoder);
uint64_t rb_encoder_checksum(const struct rb_encoder *encoder);

/* An int16 -1, after the last row. */
int rb_codec_append_trailer(struct rb_buf *out);

#endif
