/*
 * One batch as bytes: a complete Arrow IPC stream of schema, one record batch and end
 * (Arrow columnar format, "IPC streaming format"), for host and guests, over nanoarrow.
 */
#ifndef RB_ARROW_IPC_H
#define RB_ARROW_IPC_H

#include <nanoarrow/nanoarrow.h>
#include <nanoarrow/nanoarrow_ipc.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

/* Encodes batches of one schema; the schema message is encoded once and copied. */
struct rb_ipc_encoder {
    struct ArrowArrayView view;
    struct ArrowBuffer schema_message;
    struct ArrowBuffer header; /* the record batch's message; each batch fills in its numbers */
    size_t n_nodes, n_buffers;
};

/* The schema's columns may be of any type but dictionaries, views and run-end encodings
 * (RB_ESCHEMA). */
int rb_ipc_encoder_init(struct rb_ipc_encoder *encoder, const struct ArrowSchema *schema,
                        struct rb_error *err);
void rb_ipc_encoder_release(struct rb_ipc_encoder *encoder);
/* Replaces the content of `out` by the stream. `array` is a struct array of the schema. RB_ENOMEM
 * when `out` may not hold it. Copies each buffer once. Offsets of arrays must be 0. */
int rb_ipc_encode(struct rb_ipc_encoder *encoder, const struct ArrowArray *array,
                  struct rb_buf *out, struct rb_error *err);
/* As rb_ipc_encode, of a view whose parts may lie anywhere, such as a decoder's view or one that is
 * put together from several. Columns must be of the encoder's types. Writes null_count where it was
 * not counted. */
int rb_ipc_encode_view(struct rb_ipc_encoder *encoder, struct ArrowArrayView *view,
                       struct rb_buf *out, struct rb_error *err);

/* Decodes streams; keeps the schema as long as the schema message's bytes stay the same. */
struct rb_ipc_decoder {
    struct ArrowIpcDecoder decoder;
    struct ArrowSchema schema; /* of the last batch */
    struct rb_buf schema_bytes;
    /* Into the bytes given to rb_ipc_decode, which must outlive it. null_count is counted, and 0
     * where there is no validity buffer; every column is n_rows long. */
    struct ArrowArrayView *view;
    int64_t n_rows;
};

void rb_ipc_decoder_init(struct rb_ipc_decoder *decoder);
void rb_ipc_decoder_release(struct rb_ipc_decoder *decoder);
/* Decodes in place, every offset checked (ArrowArrayViewValidate, full). 0: as the last batch's
 * schema; 1: a schema that is new or has changed. RB_EPROTOCOL for bytes that are not one batch, or
 * of types as above; RB_ENOMEM. `data` lies at a multiple of 8 bytes, as malloc gives it. */
int rb_ipc_decode(struct rb_ipc_decoder *decoder, const void *data, size_t len,
                  struct rb_error *err);

/* The host's look at a frame: that it is a stream of one record batch, whose lengths lie inside;
 * rows counted. Values are not looked at. */
int rb_ipc_check(const void *data, size_t len, int64_t *ret_n_rows, struct rb_error *err);

#endif
