/*
 * Emitting row by row, for sources that have no columns at hand: a value is appended to each
 * column, the row ended, and batches go out as they fill.
 *
 *     RB_CLEANUP(rb_rows_release) struct rb_rows rows;
 *     int status = rb_rows_init(&rows, columns, n_columns, context, err);
 *     while (status == RB_OK && …) {
 *         ArrowArrayAppendInt(rows.array.children[0], n);
 *         status = rb_rows_end_row(&rows, err);
 *     }
 *     return status == RB_OK ? rb_rows_finish(&rows, ret, err) : status;
 */
#ifndef RB_SDK_ROWS_H
#define RB_SDK_ROWS_H

#include <nanoarrow/nanoarrow.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "rapidbyte/connector.h"
#include "rapidbyte/host.h"

struct rb_rows_column {
    const char *name;
    enum ArrowType type; /* one without parameters: numbers, text, binary, bool */
    bool is_nullable;
};

struct rb_rows {
    struct ArrowArray array; /* the batch in the making; children[i] takes column i's values, by
                                nanoarrow's ArrowArrayAppend… */
    struct ArrowSchema schema;
    struct rb_batch_writer writer;
    size_t flush_bytes; /* a batch goes out when its buffers hold that much */
    size_t row_bytes;   /* the largest row so far */
    size_t used_bytes;
};

/* RB_ENOMEM. To be released whatever it returns. */
int rb_rows_init(struct rb_rows *rows, const struct rb_rows_column *columns, size_t n_columns,
                 const struct rb_stream_context *context, struct rb_error *err);
void rb_rows_release(struct rb_rows *rows);

/* Every column has got one value, or NULL, more. RB_EINTERNAL (code INCOMPLETE_ROW) when not: one
 * was forgotten, or its append failed. Otherwise as rb_batch_writer_emit. */
int rb_rows_end_row(struct rb_rows *rows, struct rb_error *err);

/* Emits what is left, and a batch without rows if there was none, so that the schema arrives; fills
 * in the counts of `ret`. */
int rb_rows_finish(struct rb_rows *rows, struct rb_read_summary *ret, struct rb_error *err);

#endif
