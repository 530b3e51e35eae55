#include "arrow/ipc.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "arrow/frame.h"
#include "base/arith.h"
#include "base/bytes.h"

/*
 * The record batch's message has the same layout for every batch of a schema, so it is laid out
 * once, by hand, and only its numbers change: no FlatBuffers builder runs for a batch, and the
 * message's length is known before the body is, so that each buffer is copied straight to its place
 * behind it.
 *
 * Offsets in the message: two tables (Message, RecordBatch), each behind its vtable, and two
 * vectors of structs.
 */
enum {
    AT_ROOT = 0,
    AT_MESSAGE_VTABLE = 4,
    AT_MESSAGE = 16, /* vtable offset, header offset, body length, version, header type */
    AT_MESSAGE_HEADER = AT_MESSAGE + 4,
    AT_BODY_LENGTH = AT_MESSAGE + 8,
    AT_VERSION = AT_MESSAGE + 16,
    AT_HEADER_TYPE = AT_MESSAGE + 18,
    AT_BATCH_VTABLE = 40,
    AT_BATCH = 52, /* vtable offset, nodes, buffers, length */
    AT_BATCH_NODES = AT_BATCH + 4,
    AT_BATCH_BUFFERS = AT_BATCH + 8,
    AT_BATCH_LENGTH = AT_BATCH + 12,
    AT_NODES_COUNT = 76,
    AT_NODES = 80,
};

enum { VERSION_V5 = 4, HEADER_RECORD_BATCH = 3 };

static size_t padded(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

static void store_u16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

/* Of the buffers vector's first element, in the message. */
static size_t buffers_at(const struct rb_ipc_encoder *encoder)
{
    return AT_NODES + encoder->n_nodes * RB_FRAME_NODE + 8;
}

static size_t message_length(const struct rb_ipc_encoder *encoder)
{
    return buffers_at(encoder) + encoder->n_buffers * RB_FRAME_BUFFER;
}

static void lay_out_header(struct rb_ipc_encoder *encoder)
{
    uint8_t *prefix = encoder->header.data;
    uint8_t *m = prefix + RB_FRAME_PREFIX;
    size_t buffers = buffers_at(encoder);
    rb_store_le32(prefix, UINT32_C(0xffffffff));
    rb_store_le32(prefix + 4, (uint32_t)message_length(encoder));
    rb_store_le32(m + AT_ROOT, AT_MESSAGE);
    static const uint16_t message_vtable[] = {12,
                                              24,
                                              AT_VERSION - AT_MESSAGE,
                                              AT_HEADER_TYPE - AT_MESSAGE,
                                              AT_MESSAGE_HEADER - AT_MESSAGE,
                                              AT_BODY_LENGTH - AT_MESSAGE};
    memcpy(m + AT_MESSAGE_VTABLE, message_vtable, sizeof message_vtable);
    rb_store_le32(m + AT_MESSAGE, AT_MESSAGE - AT_MESSAGE_VTABLE);
    rb_store_le32(m + AT_MESSAGE_HEADER, AT_BATCH - AT_MESSAGE_HEADER);
    store_u16(m + AT_VERSION, VERSION_V5);
    m[AT_HEADER_TYPE] = HEADER_RECORD_BATCH;
    static const uint16_t batch_vtable[] = {10, 20, AT_BATCH_LENGTH - AT_BATCH,
                                            AT_BATCH_NODES - AT_BATCH, AT_BATCH_BUFFERS - AT_BATCH};
    memcpy(m + AT_BATCH_VTABLE, batch_vtable, sizeof batch_vtable);
    rb_store_le32(m + AT_BATCH, AT_BATCH - AT_BATCH_VTABLE);
    rb_store_le32(m + AT_BATCH_NODES, AT_NODES_COUNT - AT_BATCH_NODES);
    rb_store_le32(m + AT_BATCH_BUFFERS, (uint32_t)(buffers - 4 - AT_BATCH_BUFFERS));
    rb_store_le32(m + AT_NODES_COUNT, (uint32_t)encoder->n_nodes);
    rb_store_le32(m + buffers - 4, (uint32_t)encoder->n_buffers);
}

/* nanoarrow takes a name for granted. */
static bool has_names(const struct ArrowSchema *schema)
{
    for (int64_t i = 0; i < schema->n_children; i++) {
        if (schema->children[i]->name == NULL || !has_names(schema->children[i])) {
            return false;
        }
    }
    return true;
}

static bool count_parts(struct rb_ipc_encoder *encoder, const struct ArrowArrayView *view)
{
    if (view->dictionary != NULL || view->storage_type == NANOARROW_TYPE_STRING_VIEW ||
        view->storage_type == NANOARROW_TYPE_BINARY_VIEW ||
        view->storage_type == NANOARROW_TYPE_LIST_VIEW ||
        view->storage_type == NANOARROW_TYPE_LARGE_LIST_VIEW ||
        view->storage_type == NANOARROW_TYPE_RUN_END_ENCODED) {
        return false;
    }
    encoder->n_nodes++;
    for (int i = 0; i < NANOARROW_MAX_FIXED_BUFFERS; i++) {
        encoder->n_buffers += view->layout.buffer_type[i] != NANOARROW_BUFFER_TYPE_NONE;
    }
    for (int64_t i = 0; i < view->n_children; i++) {
        if (!count_parts(encoder, view->children[i])) {
            return false;
        }
    }
    return true;
}

static int encode_schema(struct rb_ipc_encoder *encoder, const struct ArrowSchema *schema,
                         struct ArrowError *error)
{
    struct ArrowIpcEncoder ipc;
    int code = ArrowIpcEncoderInit(&ipc);
    if (code != NANOARROW_OK) {
        return code;
    }
    code = ArrowIpcEncoderEncodeSchema(&ipc, schema, error);
    if (code == NANOARROW_OK) {
        code = ArrowIpcEncoderFinalizeBuffer(&ipc, 1, &encoder->schema_message);
    }
    ArrowIpcEncoderReset(&ipc);
    return code;
}

static int prepare(struct rb_ipc_encoder *encoder, const struct ArrowSchema *schema,
                   struct ArrowError *error)
{
    int code = ArrowArrayViewInitFromSchema(&encoder->view, schema, error);
    if (code != NANOARROW_OK) {
        return code;
    }
    if (encoder->view.storage_type != NANOARROW_TYPE_STRUCT || !has_names(schema) ||
        !count_parts(encoder, &encoder->view)) {
        ArrowErrorSet(error, "it is not a struct of named columns, or has a type that is no part "
                             "of the contract");
        return EINVAL;
    }
    /* The root is neither a node nor a buffer of the message. */
    encoder->n_nodes--;
    encoder->n_buffers--;
    size_t size = RB_FRAME_PREFIX + message_length(encoder);
    if (size > INT32_MAX) {
        return ENOMEM;
    }
    code = ArrowBufferAppendFill(&encoder->header, 0, (int64_t)size);
    if (code != NANOARROW_OK) {
        return code;
    }
    lay_out_header(encoder);
    return encode_schema(encoder, schema, error);
}

int rb_ipc_encoder_init(struct rb_ipc_encoder *encoder, const struct ArrowSchema *schema,
                        struct rb_error *err)
{
    memset(encoder, 0, sizeof *encoder);
    ArrowArrayViewInitFromType(&encoder->view, NANOARROW_TYPE_UNINITIALIZED);
    ArrowBufferInit(&encoder->schema_message);
    ArrowBufferInit(&encoder->header);
    struct ArrowError error;
    ArrowErrorInit(&error);
    int code = prepare(encoder, schema, &error);
    if (code == NANOARROW_OK) {
        return RB_OK;
    }
    rb_ipc_encoder_release(encoder);
    if (code == ENOMEM) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory for a schema");
    }
    return rb_error_set(err, RB_ESCHEMA, "BAD_SCHEMA", "the Arrow schema can't be encoded: %s",
                        error.message);
}

void rb_ipc_encoder_release(struct rb_ipc_encoder *encoder)
{
    ArrowArrayViewReset(&encoder->view);
    ArrowBufferReset(&encoder->schema_message);
    ArrowBufferReset(&encoder->header);
}

/* Where the next node, buffer and byte of the body belong. */
struct place {
    uint8_t *node;
    uint8_t *buffer;
    size_t body;
};

/* A validity buffer that says nothing is left out. */
static size_t encoded_size(const struct ArrowArrayView *view, int i)
{
    if (view->buffer_views[i].size_bytes <= 0 ||
        (view->layout.buffer_type[i] == NANOARROW_BUFFER_TYPE_VALIDITY && view->null_count == 0)) {
        return 0;
    }
    return (size_t)view->buffer_views[i].size_bytes;
}

/* `type` is the encoder's own view of the schema: what the header has room for. */
static bool fill_header(struct ArrowArrayView *view, const struct ArrowArrayView *type,
                        struct place *place)
{
    if (view->offset != 0 || view->storage_type != type->storage_type ||
        view->n_children != type->n_children) {
        return false;
    }
    if (view->null_count < 0) {
        view->null_count = ArrowArrayViewComputeNullCount(view);
    }
    rb_store_le64(place->node, (uint64_t)view->length);
    rb_store_le64(place->node + 8, (uint64_t)view->null_count);
    place->node += RB_FRAME_NODE;
    for (int i = 0; i < NANOARROW_MAX_FIXED_BUFFERS; i++) {
        if (type->layout.buffer_type[i] == NANOARROW_BUFFER_TYPE_NONE) {
            break;
        }
        size_t size = encoded_size(view, i);
        rb_store_le64(place->buffer, place->body);
        rb_store_le64(place->buffer + 8, size);
        place->buffer += RB_FRAME_BUFFER;
        if (size > SIZE_MAX - 7 || !rb_add_size(place->body, padded(size), &place->body)) {
            return false;
        }
    }
    for (int64_t i = 0; i < view->n_children; i++) {
        if (!fill_header(view->children[i], type->children[i], place)) {
            return false;
        }
    }
    return true;
}

static uint8_t *copy_buffers(const struct ArrowArrayView *view, uint8_t *to)
{
    for (int i = 0; i < NANOARROW_MAX_FIXED_BUFFERS; i++) {
        if (view->layout.buffer_type[i] == NANOARROW_BUFFER_TYPE_NONE) {
            break;
        }
        size_t size = encoded_size(view, i);
        if (size > 0) {
            memcpy(to, view->buffer_views[i].data.data, size);
            memset(to + size, 0, padded(size) - size);
            to += padded(size);
        }
    }
    for (int64_t i = 0; i < view->n_children; i++) {
        to = copy_buffers(view->children[i], to);
    }
    return to;
}

static int measure(struct rb_ipc_encoder *encoder, struct ArrowArrayView *view, size_t *ret_body,
                   struct rb_error *err)
{
    uint8_t *m = encoder->header.data + RB_FRAME_PREFIX;
    struct place place = {.node = m + AT_NODES, .buffer = m + buffers_at(encoder)};
    bool fits = view->offset == 0 && view->n_children == encoder->view.n_children;
    for (int64_t i = 0; fits && i < view->n_children; i++) {
        fits = view->children[i]->length == view->length &&
               fill_header(view->children[i], encoder->view.children[i], &place);
    }
    if (!fits) {
        return rb_error_set(err, RB_EINTERNAL, "BAD_ARRAY",
                            "a batch's columns do not fit its schema, differ in length or have an "
                            "offset");
    }
    rb_store_le64(m + AT_BATCH_LENGTH, (uint64_t)view->length);
    rb_store_le64(m + AT_BODY_LENGTH, place.body);
    *ret_body = place.body;
    return RB_OK;
}

int rb_ipc_encode(struct rb_ipc_encoder *encoder, const struct ArrowArray *array,
                  struct rb_buf *out, struct rb_error *err)
{
    struct ArrowError error;
    ArrowErrorInit(&error);
    if (ArrowArrayViewSetArray(&encoder->view, array, &error) != NANOARROW_OK) {
        return rb_error_set(err, RB_EINTERNAL, "BAD_ARRAY", "a batch does not fit its schema: %s",
                            error.message);
    }
    return rb_ipc_encode_view(encoder, &encoder->view, out, err);
}

int rb_ipc_encode_view(struct rb_ipc_encoder *encoder, struct ArrowArrayView *view,
                       struct rb_buf *out, struct rb_error *err)
{
    size_t body = 0;
    int status = measure(encoder, view, &body, err);
    if (status < 0) {
        return status;
    }
    size_t schema = (size_t)encoder->schema_message.size_bytes;
    size_t header = (size_t)encoder->header.size_bytes;
    size_t size;
    rb_buf_clear(out);
    bool too_large = !rb_add_size(schema + header + RB_FRAME_PREFIX, body, &size) ||
                     rb_buf_is_over_max(out, size);
    if (too_large) {
        return rb_error_set(err, RB_ENOMEM, "BATCH_TOO_LARGE",
                            "a batch of %lld rows does not fit into %zu bytes",
                            (long long)view->length, out->max);
    }
    if (rb_buf_reserve(out, size) < 0) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a batch of %zu bytes",
                            size);
    }
    uint8_t *to = out->data;
    memcpy(to, encoder->schema_message.data, schema);
    memcpy(to + schema, encoder->header.data, header);
    to += schema + header;
    for (int64_t i = 0; i < view->n_children; i++) {
        to = copy_buffers(view->children[i], to);
    }
    rb_store_le32(to, UINT32_C(0xffffffff));
    rb_store_le32(to + 4, 0);
    out->len = size;
    out->data[size] = 0;
    return RB_OK;
}
