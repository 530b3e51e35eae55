/*
 * A transform that replaces the values of some columns and lets all others pass untouched, without
 * copying them: the SDK reads batches, asks which fields change, has their columns made anew, and
 * emits the rest as it came.
 */
#ifndef RB_SDK_TRANSFORM_H
#define RB_SDK_TRANSFORM_H

#include <nanoarrow/nanoarrow.h>

#include "base/error.h"
#include "rapidbyte/connector.h"

struct rb_transform {
    /* Called for each chosen field of a schema that is new. It may change `field` (a copy): type,
     * nullability, metadata. */
    int (*field)(void *self, struct ArrowSchema *field, struct rb_error *err);
    /* Appends in->length values, or NULLs, to `out`, which is of the new field's type and empty. */
    int (*column)(void *self, const struct ArrowSchema *field, const struct ArrowArrayView *in,
                  struct ArrowArray *out, struct rb_error *err);
};

/* Runs until the stream's end; what struct rb_connector's `transform` calls. `columns`: an array of
 * the names of the columns that change; RB_ESCHEMA (code NO_COLUMN) when one isn't there.
 * RB_EABORTED and RB_ECANCELLED as rb_batch_reader_next, or what a function returned. */
int rb_transform_run(const struct rb_transform *transform, void *self, struct rb_json_value columns,
                     const struct rb_stream_context *context, struct rb_transform_summary *ret,
                     struct rb_error *err);

/* For `field`: text that stands for what was text or binary. Clears the metadata: it isn't the
 * database's type any more. RB_ESCHEMA (code NOT_TEXT) for any other type. */
int rb_transform_bytes_to_text(struct ArrowSchema *field, struct rb_error *err);

#endif
