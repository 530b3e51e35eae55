/*
 * What the host offers a connector: batches, state, checkpoints, metrics, log. Each is one import
 * (docs/protocol.md); errors are fetched through rb_host_last_error and come back in `err`.
 */
#ifndef RB_SDK_HOST_H
#define RB_SDK_HOST_H

#include <nanoarrow/nanoarrow.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/rapidbyte_abi.h"
#include "arrow/ipc.h"
#include "base/buf.h"
#include "base/error.h"
#include "rapidbyte/json.h"

void rb_log(enum rb_log_level level, const char *fmt, ...) RB_PRINTF(2, 3);

/* Batches out. One writer per stream and schema. */
struct rb_batch_writer {
    struct rb_ipc_encoder encoder;
    struct rb_buf bytes;
    int64_t n_batches, n_rows;
    int64_t n_bytes; /* Arrow IPC bytes emitted */
};

int rb_batch_writer_init(struct rb_batch_writer *writer, const struct ArrowSchema *schema,
                         size_t max_batch_bytes, struct rb_error *err);
void rb_batch_writer_release(struct rb_batch_writer *writer);
/* Encodes and emits; blocks while the channel is full. RB_ECANCELLED, RB_ENOMEM (the batch is
 * larger than max_batch_bytes). */
int rb_batch_writer_emit(struct rb_batch_writer *writer, const struct ArrowArray *array,
                         struct rb_error *err);
/* The same of a view (rb_ipc_encode_view). */
int rb_batch_writer_emit_view(struct rb_batch_writer *writer, struct ArrowArrayView *view,
                              struct rb_error *err);

/* Batches in. */
struct rb_batch_reader {
    struct rb_ipc_decoder decoder; /* .schema, .view and .n_rows are the batch: borrowed until the
                                      next call that does not return 1 */
    struct rb_buf bytes;
    int64_t n_batches, n_rows, n_bytes;
    bool schema_changed; /* the batch's schema differs from the one before, or it is the first */
};

void rb_batch_reader_init(struct rb_batch_reader *reader, size_t max_batch_bytes);
void rb_batch_reader_release(struct rb_batch_reader *reader);
/* 0: a batch; 1: the stream ended well, or a part of it (rb_stream_end says which), after which the
 * next call goes on. RB_EABORTED (the source failed: do not commit), RB_ECANCELLED. */
int rb_batch_reader_next(struct rb_batch_reader *reader, struct rb_error *err);
/* Decodes the bytes of an earlier batch, which `other` has, in place of the reader's, which `other`
 * has then: RB_EPROTOCOL, RB_ENOMEM as before. Its schema must be the reader's. */
int rb_batch_reader_swap(struct rb_batch_reader *reader, struct rb_buf *other,
                         struct rb_error *err);

/* What the source said of the whole stream, or of what came up to the end of a part, which has
 * `ended` false. Only after rb_batch_reader_next returned 1; free with rb_json_free. */
int rb_stream_end(struct rb_json_doc **ret_doc, struct rb_error *err);

/* 0: value appended; 1: not found. */
int rb_state_get(enum rb_state_scope scope, const char *key, struct rb_buf *ret,
                 struct rb_error *err);
int rb_state_put(enum rb_state_scope scope, const char *key, const void *value, size_t len,
                 struct rb_error *err);
/* expected NULL: insert if absent. 0: set; 1: differs. */
int rb_state_cas(enum rb_state_scope scope, const char *key, const void *expected,
                 size_t expected_len, const void *value, size_t len, struct rb_error *err);

struct rb_checkpoint {
    const char *stream;
    const char *cursor_field;      /* NULL: none */
    const char *cursor_value_json; /* a CursorValue; NULL: "null" */
    /* For people: the type's name, and the value as the type is written; NULL: not told. */
    const char *cursor_type, *cursor_text;
    const char *resume_json; /* NULL: null */
    int64_t records_processed, bytes_processed;
    /* A source's, in a unit with a checkpoint_interval_*: what was emitted so far, and no more, may
     * be committed with this checkpoint. `checksum` is the stream_checksum of all of it. */
    bool ends_part;
    bool has_checksum;
    uint64_t checksum;
    int64_t parts; /* a destination's: parts of the stream that the load has committed; 0: none */
};
int rb_checkpoint(enum rb_checkpoint_kind kind, const struct rb_checkpoint *checkpoint,
                  struct rb_error *err);

int rb_metric_counter(const char *name, int64_t value, struct rb_error *err);
int rb_metric_gauge(const char *name, double value, struct rb_error *err);
/* What is done from now on may take long ("merging rows"): the run's progress shows it, until the
 * next batch, the next phase or the end. */
void rb_phase(const char *label);

/* Seconds since some fixed moment; never goes back. */
double rb_clock_secs(void);

#endif
