/*
 * The outer shape of a batch's bytes: where the messages of the stream lie (Arrow columnar format,
 * "Encapsulated message format"; FlatBuffers binary format). Every offset is checked here, because
 * the bytes come from a guest and nanoarrow's decoder takes a record batch's offsets and lengths on
 * trust.
 */
#ifndef RB_ARROW_FRAME_H
#define RB_ARROW_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
    RB_FRAME_PREFIX = 8,         /* bytes before a message: 0xffffffff and the message's length */
    RB_FRAME_NODE = 16,          /* bytes of a FieldNode: length, null count */
    RB_FRAME_BUFFER = 16,        /* bytes of a Buffer: offset, length */
    RB_FRAME_ROWS_MAX = 1 << 30, /* of a batch, and elements of any array in it */
    RB_FRAME_DEPTH_MAX = 32,     /* of types within types */
};

/* Places are offsets from the start of the stream. */
struct rb_frame {
    size_t schema_len; /* the schema message, prefix included: the stream begins with it */
    size_t header_at;  /* the record batch's message, prefix included */
    size_t header_len;
    size_t body_at;
    size_t body_len;
    int64_t n_rows;
    size_t nodes_at; /* n_nodes times RB_FRAME_NODE bytes */
    size_t n_nodes;
    size_t buffers_at; /* n_buffers times RB_FRAME_BUFFER bytes */
    size_t n_buffers;
};

/* RB_EPROTOCOL for anything but a schema, one uncompressed record batch and the end. */
int rb_frame_parse(const void *data, size_t len, struct rb_frame *ret, struct rb_error *err);

/* What nanoarrow takes for granted of a schema: each field has its type, each pair of metadata both
 * parts, nesting ends, and there are no dictionaries. `len` is rb_frame's schema_len. RB_EPROTOCOL.
 */
int rb_frame_check_schema(const void *data, size_t len, struct rb_error *err);

#endif
