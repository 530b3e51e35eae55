#include <string.h>

#include "rapidbyte/host.h"
#include "sdk/src/imports.h"

enum { FIRST_READ = 256 * 1024 }; /* bytes offered to the first rb_host_next_batch */

int rb_batch_writer_init(struct rb_batch_writer *writer, const struct ArrowSchema *schema,
                         size_t max_batch_bytes, struct rb_error *err)
{
    memset(writer, 0, sizeof *writer);
    rb_buf_init(&writer->bytes, max_batch_bytes < INT32_MAX ? max_batch_bytes : INT32_MAX);
    return rb_ipc_encoder_init(&writer->encoder, schema, err);
}

void rb_batch_writer_release(struct rb_batch_writer *writer)
{
    rb_ipc_encoder_release(&writer->encoder);
    rb_buf_release(&writer->bytes);
}

static int emit(struct rb_batch_writer *writer, int64_t n_rows, struct rb_error *err)
{
    if (rb_host_emit_batch(writer->bytes.data, (uint32_t)writer->bytes.len) < 0) {
        return rb_sdk_import_error("rb_host_emit_batch", err);
    }
    writer->n_batches++;
    writer->n_rows += n_rows;
    writer->n_bytes += (int64_t)writer->bytes.len;
    return RB_OK;
}

int rb_batch_writer_emit(struct rb_batch_writer *writer, const struct ArrowArray *array,
                         struct rb_error *err)
{
    int status = rb_ipc_encode(&writer->encoder, array, &writer->bytes, err);
    return status < 0 ? status : emit(writer, array->length, err);
}

int rb_batch_writer_emit_view(struct rb_batch_writer *writer, struct ArrowArrayView *view,
                              struct rb_error *err)
{
    int status = rb_ipc_encode_view(&writer->encoder, view, &writer->bytes, err);
    return status < 0 ? status : emit(writer, view->length, err);
}

void rb_batch_reader_init(struct rb_batch_reader *reader, size_t max_batch_bytes)
{
    memset(reader, 0, sizeof *reader);
    rb_ipc_decoder_init(&reader->decoder);
    rb_buf_init(&reader->bytes, max_batch_bytes < INT32_MAX ? max_batch_bytes : INT32_MAX);
}

void rb_batch_reader_release(struct rb_batch_reader *reader)
{
    rb_ipc_decoder_release(&reader->decoder);
    rb_buf_release(&reader->bytes);
}

static int make_room(struct rb_batch_reader *reader, size_t size, struct rb_error *err)
{
    rb_buf_clear(&reader->bytes);
    if (rb_buf_reserve(&reader->bytes, size) == 0) {
        return RB_OK;
    }
    if (!rb_buf_is_over_max(&reader->bytes, size)) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a batch of %zu bytes",
                            size);
    }
    return rb_error_set(err, RB_ENOMEM, "BATCH_TOO_LARGE",
                        "a batch of %zu bytes, where %zu are allowed", size, reader->bytes.max);
}

/* 0: a batch's bytes; 1: the end. */
static int fetch(struct rb_batch_reader *reader, struct rb_error *err)
{
    size_t first = reader->bytes.max < FIRST_READ ? reader->bytes.max : FIRST_READ;
    int status = make_room(reader, first, err);
    while (status == RB_OK) {
        /* The byte beyond is rb_buf's own. */
        uint32_t cap = (uint32_t)(reader->bytes.cap - 1);
        int32_t n = rb_host_next_batch(reader->bytes.data, cap);
        if (n > 0) {
            reader->bytes.len = (size_t)n;
            return RB_OK;
        }
        if (n == 0) {
            return 1;
        }
        if (n == -1) {
            return rb_sdk_import_error("rb_host_next_batch", err);
        }
        size_t need = (size_t)-(int64_t)n;
        if (need <= cap) {
            return rb_error_set(err, RB_EPROTOCOL, "HOST_ERROR",
                                "rb_host_next_batch asked for %zu bytes and had %u", need, cap);
        }
        status = make_room(reader, need, err);
    }
    return status;
}

int rb_batch_reader_next(struct rb_batch_reader *reader, struct rb_error *err)
{
    int status = fetch(reader, err);
    if (status != 0) {
        return status;
    }
    status = rb_ipc_decode(&reader->decoder, reader->bytes.data, reader->bytes.len, err);
    if (status < 0) {
        return status;
    }
    reader->schema_changed = status == 1;
    reader->n_batches++;
    reader->n_rows += reader->decoder.n_rows;
    reader->n_bytes += (int64_t)reader->bytes.len;
    return RB_OK;
}

int rb_batch_reader_swap(struct rb_batch_reader *reader, struct rb_buf *other, struct rb_error *err)
{
    rb_buf_swap(&reader->bytes, other);
    int status = rb_ipc_decode(&reader->decoder, reader->bytes.data, reader->bytes.len, err);
    return status < 0 ? status : RB_OK;
}
