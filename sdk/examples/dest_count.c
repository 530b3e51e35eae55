/* The smallest destination: counts the rows of each stream, over all runs, in the host's state. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "rapidbyte/rapidbyte.h"

/* Adds to the stream's total; another instance may do the same at the same time. */
static int add_rows(int64_t n_rows, int64_t *ret_total, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf before = RB_BUF_INIT(RB_ABI_STATE_VALUE_MAX);
    for (;;) {
        rb_buf_clear(&before);
        int found = rb_state_get(RB_STATE_STREAM, "rows", &before, err);
        if (found < 0) {
            return found;
        }
        char after[32];
        int64_t total = (found == 0 ? strtoll(rb_buf_str(&before), NULL, 10) : 0) + n_rows;
        int len = snprintf(after, sizeof after, "%" PRId64, total);
        int outcome = rb_state_cas(RB_STATE_STREAM, "rows", found == 0 ? before.data : NULL,
                                   before.len, after, (size_t)len, err);
        if (outcome <= 0) {
            *ret_total = total;
            return outcome;
        }
    }
}

static int count_write(void *self, const struct rb_stream_context *context,
                       struct rb_write_summary *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_batch_reader_release) struct rb_batch_reader reader;
    int64_t total = 0;
    int status;
    (void)self;
    rb_batch_reader_init(&reader, (size_t)context->max_batch_bytes);
    while ((status = rb_batch_reader_next(&reader, err)) == 0) {
        rb_log(RB_LOG_DEBUG, "a batch of %" PRId64 " rows", reader.decoder.n_rows);
    }
    if (status == 1) { /* The stream ended well: only now does it count. */
        status = add_rows(reader.n_rows, &total, err);
    }
    if (status == RB_OK) {
        status = rb_metric_counter("rows_total", total, err);
        rb_log(RB_LOG_INFO, "%s: %" PRId64 " rows, %" PRId64 " in all", context->stream_name,
               reader.n_rows, total);
    }
    ret->records_written = reader.n_rows;
    ret->bytes_written = reader.n_bytes;
    ret->batches_written = reader.n_batches;
    return status;
}

static const struct rb_connector count = {.write = count_write};
RB_EXPORT_DESTINATION(count)
