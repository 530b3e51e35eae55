#include "host/worker/stage.h"

#include <stdlib.h>

#include "arrow/ipc.h"
#include "base/json.h"

enum { STREAM_NAME_MAX = 4096 };

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a batch");
}

static int send_batch(struct rb_stage *stage, const void *data, size_t len, struct rb_error *err)
{
    int64_t n_rows = 0;
    int r = rb_ipc_check(data, len, &n_rows, err);
    if (r != 0) {
        rb_error_prefix(err, "rb_host_emit_batch");
        return r;
    }
    const void *packed = data;
    size_t packed_len = len;
    enum rb_compression codec = RB_COMPRESSION_NONE;
    r = rb_compress(&stage->compressor, data, len, &packed, &packed_len, &codec, err);
    if (r != 0) {
        return r;
    }
    struct rb_frame *frame = rb_frame_new(RB_FRAME_DATA, packed, packed_len);
    if (frame == NULL) {
        return no_memory(err);
    }
    frame->unit = stage->unit;
    frame->seq = stage->sent.batches;
    frame->codec = codec;
    frame->raw_size = len;
    frame->n_rows = n_rows;
    r = rb_channel_send(stage->out, frame, err);
    if (r != 0) {
        return r;
    }
    stage->sent.rows += (uint64_t)n_rows;
    stage->sent.batches++;
    stage->sent.bytes += len;
    stage->sent.compressed_bytes += packed_len;
    if (stage->in == NULL) {
        rb_progress_add(stage->progress, &stage->progress->read, (uint64_t)n_rows, len);
    }
    return 0;
}

static int emit_batch(void *user, const void *data, size_t len, struct rb_error *err)
{
    struct rb_stage *stage = user;
    if (stage->out == NULL || !stage->running) {
        return rb_error_set(err, RB_ECONNECTOR, "NO_OUTPUT",
                            "rb_host_emit_batch: there is nowhere to send a batch to here");
    }
    if (stage->send_status == 0) {
        stage->send_status = send_batch(stage, data, len, &stage->send_err);
    }
    /* What failed once stays failed: a batch after a lost one must not arrive. */
    if (stage->send_status != 0 && err != NULL) {
        *err = stage->send_err;
    }
    return stage->send_status;
}

static int keep_end(struct rb_stage *stage, struct rb_frame *frame, struct rb_error *err)
{
    stage->ended = frame->kind == RB_FRAME_END;
    stage->at_part = !stage->ended;
    rb_buf_clear(&stage->end_json);
    int r = rb_buf_append(&stage->end_json, frame->bytes, frame->size);
    rb_channel_drop(stage->in, frame);
    return r == 0 ? 1 : no_memory(err);
}

static int receive_next(struct rb_stage *stage, struct rb_error *err)
{
    struct rb_frame *frame = NULL;
    int r = rb_channel_recv(stage->in, stage->unit, stage->received.batches, &frame, err);
    if (r > 0) {
        return keep_end(stage, frame, err);
    }
    if (r == 0 && frame->raw_size > stage->context->spec->max_batch_bytes) {
        rb_channel_drop(stage->in, frame);
        return rb_error_set(err, RB_EINTERNAL, "BATCH_SIZE", "a batch is over max_batch_bytes");
    }
    stage->next = frame;
    return r;
}

static int peek_batch(void *user, size_t *ret_len, struct rb_error *err)
{
    struct rb_stage *stage = user;
    if (stage->in == NULL || !stage->running) {
        return rb_error_set(err, RB_ECONNECTOR, "NO_INPUT",
                            "rb_host_next_batch: no batches come here");
    }
    if (stage->ended) {
        return 1;
    }
    stage->at_part = false;
    if (stage->next == NULL && stage->recv_status == 0) {
        int r = receive_next(stage, &stage->recv_err);
        if (r == 1) {
            return 1;
        }
        stage->recv_status = r;
    }
    if (stage->recv_status != 0) {
        if (err != NULL) {
            *err = stage->recv_err;
        }
        return stage->recv_status;
    }
    *ret_len = stage->next->raw_size;
    return 0;
}

static int take_batch(void *user, void *out, size_t len, struct rb_error *err)
{
    struct rb_stage *stage = user;
    struct rb_frame *frame = stage->next;
    if (frame == NULL || len < frame->raw_size) {
        return rb_error_set(err, RB_EINTERNAL, "TAKE_BATCH", "no batch of %zu bytes is there", len);
    }
    int r = rb_decompress(&stage->compressor, frame->codec, frame->bytes, frame->size, out,
                          frame->raw_size, err);
    if (r != 0) {
        return r;
    }
    stage->received.rows += (uint64_t)frame->n_rows;
    stage->received.batches++;
    stage->received.bytes += frame->raw_size;
    stage->received.compressed_bytes += frame->size;
    if (stage->out == NULL) {
        rb_progress_add(stage->progress, &stage->progress->written, (uint64_t)frame->n_rows,
                        frame->raw_size);
    }
    stage->next = NULL;
    rb_channel_drop(stage->in, frame);
    return 0;
}

static int stream_end(void *user, struct rb_buf *ret, struct rb_error *err)
{
    struct rb_stage *stage = user;
    if (!stage->ended && !stage->at_part) {
        return 1;
    }
    return rb_buf_append(ret, stage->end_json.data, stage->end_json.len) == 0 ? 0 : no_memory(err);
}

static const struct rb_guest_ops stage_ops = {
    .log = rb_stage_log,
    .emit_batch = emit_batch,
    .peek_batch = peek_batch,
    .take_batch = take_batch,
    .stream_end = stream_end,
    .state_get = rb_stage_state_get,
    .state_put = rb_stage_state_put,
    .state_cas = rb_stage_state_cas,
    .checkpoint = rb_stage_checkpoint,
    .metric = rb_stage_metric,
};

int rb_stage_init(struct rb_stage *stage, struct rb_context *context,
                  const struct rb_connector_spec *spec, uint64_t memory_max_bytes,
                  struct rb_error *err)
{
    *stage = (struct rb_stage){.context = context, .spec = spec};
    rb_compressor_init(&stage->compressor, context->spec->compression);
    rb_buf_init(&stage->stream_name, STREAM_NAME_MAX);
    rb_buf_init(&stage->end_json, 2 * RB_WORKER_JSON_MAX);
    rb_buf_init(&stage->checkpoint, RB_WORKER_JSON_MAX);
    return rb_instance_new(context, spec, memory_max_bytes, &stage_ops, stage, &stage->instance,
                           err);
}

void rb_stage_release(struct rb_stage *stage)
{
    rb_instance_free(stage->instance);
    rb_channel_drop(stage->in, stage->next);
    free(stage->abort);
    rb_compressor_release(&stage->compressor);
    rb_buf_release(&stage->stream_name);
    rb_buf_release(&stage->end_json);
    rb_buf_release(&stage->checkpoint);
    rb_names_release(&stage->metrics);
    *stage = (struct rb_stage){0};
}

int rb_stage_reset(struct rb_stage *stage, uint64_t unit, const char *stream_name, size_t len,
                   struct rb_error *err)
{
    rb_channel_drop(stage->in, stage->next);
    stage->next = NULL;
    stage->unit = unit;
    stage->sent = (struct rb_flow){0};
    stage->received = (struct rb_flow){0};
    stage->send_status = 0;
    stage->ended = false;
    stage->at_part = false;
    stage->recv_status = 0;
    stage->log_lines = 0;
    stage->log_bytes = 0;
    stage->log_full = false;
    rb_names_clear(&stage->metrics);
    rb_buf_clear(&stage->end_json);
    rb_buf_clear(&stage->checkpoint);
    rb_buf_clear(&stage->stream_name);
    if (len > 0 && rb_buf_append(&stage->stream_name, stream_name, len) != 0) {
        return rb_error_set(err, RB_EPROTOCOL, "STREAM_NAME", "a stream's name has %zu bytes", len);
    }
    if (stage->out != NULL && stage->abort == NULL) {
        stage->abort = rb_frame_new_abort();
        if (stage->abort == NULL) {
            return no_memory(err);
        }
    }
    return 0;
}

static int send_end(struct rb_stage *stage, enum rb_frame_kind kind, const char *checksum,
                    const char *checkpoint, size_t len, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(2 * RB_WORKER_JSON_MAX);
    struct rb_json json;
    rb_json_init(&json, &text);
    rb_json_begin_object(&json);
    rb_json_member_u64(&json, "records", stage->sent.rows);
    rb_json_member_u64(&json, "bytes", stage->sent.bytes);
    rb_json_member_u64(&json, "batches", stage->sent.batches);
    rb_json_member_str(&json, "checksum", checksum);
    rb_json_member_raw(&json, "checkpoint", checkpoint, len);
    rb_json_member_bool(&json, "ended", kind == RB_FRAME_END);
    rb_json_end_object(&json);
    int r = rb_json_finish(&json);
    struct rb_frame *frame = r == 0 ? rb_frame_new(kind, text.data, text.len) : NULL;
    if (frame == NULL) {
        return no_memory(err);
    }
    frame->unit = stage->unit;
    frame->seq = stage->sent.batches;
    return rb_channel_send(stage->out, frame, err);
}

int rb_stage_send_end(struct rb_stage *stage, const char *checksum, const struct rb_buf *checkpoint,
                      struct rb_error *err)
{
    return send_end(stage, RB_FRAME_END, checksum, rb_buf_str(checkpoint), checkpoint->len, err);
}

int rb_stage_send_part(struct rb_stage *stage, const char *checksum, const char *checkpoint,
                       size_t len, struct rb_error *err)
{
    if (!stage->may_part || !stage->running || stage->out == NULL) {
        return rb_error_set(err, RB_ECONNECTOR, "CONTRACT",
                            "connector '%s' broke the contract: it ended a part of a stream that "
                            "is one transaction",
                            stage->spec->id);
    }
    if (stage->send_status == 0) {
        stage->send_status =
            send_end(stage, RB_FRAME_PART, checksum, checkpoint, len, &stage->send_err);
    }
    if (stage->send_status != 0 && err != NULL) {
        *err = stage->send_err;
    }
    return stage->send_status;
}

void rb_stage_send_abort(struct rb_stage *stage, const struct rb_error *why)
{
    struct rb_frame *frame = stage->abort;
    if (frame == NULL) {
        return;
    }
    stage->abort = NULL;
    rb_frame_set_abort(frame, why);
    frame->unit = stage->unit;
    (void)rb_channel_send(stage->out, frame, NULL);
}
