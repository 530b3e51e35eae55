#include "arrow/ipc.h"

#include <errno.h>
#include <string.h>

#include "arrow/frame.h"

enum {
    SCHEMA_MAX = 16 * 1024 * 1024, /* bytes of a schema message */
    ELEMENT_BITS_MAX = 1 << 28,    /* of one value, so that no product with a length overflows */
};

void rb_ipc_decoder_init(struct rb_ipc_decoder *decoder)
{
    memset(decoder, 0, sizeof *decoder);
    rb_buf_init(&decoder->schema_bytes, SCHEMA_MAX);
}

static void forget_schema(struct rb_ipc_decoder *decoder)
{
    if (decoder->decoder.private_data != NULL) {
        ArrowIpcDecoderReset(&decoder->decoder);
    }
    if (decoder->schema.release != NULL) {
        ArrowSchemaRelease(&decoder->schema);
    }
    rb_buf_clear(&decoder->schema_bytes);
    decoder->view = NULL;
}

void rb_ipc_decoder_release(struct rb_ipc_decoder *decoder)
{
    forget_schema(decoder);
    rb_buf_release(&decoder->schema_bytes);
}

static int fail(int code, const struct ArrowError *error, struct rb_error *err)
{
    if (code == ENOMEM) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory for a batch");
    }
    return rb_error_set(err, RB_EPROTOCOL, "BAD_BATCH", "a batch can't be decoded: %s",
                        error->message);
}

/* Types that nanoarrow understands, of sizes that can be computed with. */
static int check_type(const struct ArrowSchema *schema)
{
    struct ArrowSchemaView view;
    memset(&view, 0, sizeof view);
    if (ArrowSchemaViewInit(&view, schema, NULL) != NANOARROW_OK) {
        return RB_EPROTOCOL;
    }
    if (view.fixed_size < 0 || view.fixed_size > ELEMENT_BITS_MAX / 8) {
        return RB_EPROTOCOL;
    }
    for (int64_t i = 0; i < schema->n_children; i++) {
        if (check_type(schema->children[i]) < 0) {
            return RB_EPROTOCOL;
        }
    }
    return RB_OK;
}

static int decode_schema(struct rb_ipc_decoder *decoder, struct ArrowBufferView message,
                         struct rb_error *err)
{
    struct ArrowError error;
    ArrowErrorInit(&error);
    /* A decoder whose schema could not be set is left with a dangling pointer by nanoarrow 0.9: so
     * each schema has a decoder of its own. */
    int code = ArrowIpcDecoderInit(&decoder->decoder);
    if (code == NANOARROW_OK) {
        code = ArrowIpcDecoderVerifyHeader(&decoder->decoder, message, &error);
    }
    if (code != NANOARROW_OK) {
        return fail(code, &error, err);
    }
    int status = rb_frame_check_schema(message.data.data, (size_t)message.size_bytes, err);
    if (status < 0) {
        return status;
    }
    code = ArrowIpcDecoderDecodeHeader(&decoder->decoder, message, &error);
    if (code == NANOARROW_OK) {
        code = ArrowIpcDecoderDecodeSchema(&decoder->decoder, &decoder->schema, &error);
    }
    if (code != NANOARROW_OK) {
        return fail(code, &error, err);
    }
    if (check_type(&decoder->schema) < 0) {
        return rb_error_set(err, RB_EPROTOCOL, "BAD_BATCH",
                            "a batch's schema has a type that the contract does not have");
    }
    code = ArrowIpcDecoderSetSchema(&decoder->decoder, &decoder->schema, &error);
    return code == NANOARROW_OK ? RB_OK : fail(code, &error, err);
}

static int new_schema(struct rb_ipc_decoder *decoder, const uint8_t *data, size_t len,
                      struct rb_error *err)
{
    forget_schema(decoder);
    struct ArrowBufferView message = {.data = {.as_uint8 = data}, .size_bytes = (int64_t)len};
    int status = decode_schema(decoder, message, err);
    if (status == RB_OK && rb_buf_append(&decoder->schema_bytes, data, len) < 0) {
        status = rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "a schema of %zu bytes", len);
    }
    if (status < 0) {
        forget_schema(decoder);
    }
    return status;
}

static int count_nulls(struct ArrowArrayView *view)
{
    if (view->layout.buffer_type[0] == NANOARROW_BUFFER_TYPE_VALIDITY) {
        if (view->buffer_views[0].size_bytes == 0 && view->null_count > 0) {
            return RB_EPROTOCOL;
        }
        view->null_count =
            view->buffer_views[0].size_bytes == 0
                ? 0
                : view->length -
                      ArrowBitCountSet(view->buffer_views[0].data.as_uint8, 0, view->length);
    }
    for (int64_t i = 0; i < view->n_children; i++) {
        if (count_nulls(view->children[i]) < 0) {
            return RB_EPROTOCOL;
        }
    }
    return RB_OK;
}

static int decode_batch(struct rb_ipc_decoder *decoder, const uint8_t *data,
                        const struct rb_frame *frame, struct rb_error *err)
{
    struct ArrowBufferView header = {.data = {.as_uint8 = data + frame->header_at},
                                     .size_bytes = (int64_t)frame->header_len};
    struct ArrowBufferView body = {.data = {.as_uint8 = data + frame->body_at},
                                   .size_bytes = (int64_t)frame->body_len};
    struct ArrowArrayView *view = NULL;
    struct ArrowError error;
    ArrowErrorInit(&error);
    int code = ArrowIpcDecoderVerifyHeader(&decoder->decoder, header, &error);
    if (code == NANOARROW_OK) {
        code = ArrowIpcDecoderDecodeHeader(&decoder->decoder, header, &error);
    }
    if (code == NANOARROW_OK) {
        code = ArrowIpcDecoderDecodeArrayView(&decoder->decoder, body, -1, &view, &error);
    }
    if (code == NANOARROW_OK) {
        code = ArrowArrayViewValidate(view, NANOARROW_VALIDATION_LEVEL_FULL, &error);
    }
    if (code != NANOARROW_OK) {
        return fail(code, &error, err);
    }
    for (int64_t i = 0; i < view->n_children; i++) {
        if (view->children[i]->length != frame->n_rows || count_nulls(view->children[i]) < 0) {
            return rb_error_set(err, RB_EPROTOCOL, "BAD_BATCH",
                                "a batch's columns differ in length, or lack their NULLs");
        }
    }
    decoder->view = view;
    decoder->n_rows = frame->n_rows;
    return RB_OK;
}

int rb_ipc_decode(struct rb_ipc_decoder *decoder, const void *data, size_t len,
                  struct rb_error *err)
{
    struct rb_frame frame;
    int status = rb_frame_parse(data, len, &frame, err);
    if (status < 0) {
        return status;
    }
    const uint8_t *bytes = data;
    int outcome = 0;
    if (decoder->schema.release == NULL || decoder->schema_bytes.len != frame.schema_len ||
        memcmp(decoder->schema_bytes.data, bytes, frame.schema_len) != 0) {
        status = new_schema(decoder, bytes, frame.schema_len, err);
        if (status < 0) {
            return status;
        }
        outcome = 1;
    }
    status = decode_batch(decoder, bytes, &frame, err);
    return status < 0 ? status : outcome;
}

int rb_ipc_check(const void *data, size_t len, int64_t *ret_n_rows, struct rb_error *err)
{
    struct rb_frame frame;
    int status = rb_frame_parse(data, len, &frame, err);
    if (status < 0) {
        return status;
    }
    *ret_n_rows = frame.n_rows;
    return RB_OK;
}
