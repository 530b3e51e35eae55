#include "rapidbyte/transform.h"

#include <stdlib.h>
#include <string.h>

#include "arrow/metadata.h"
#include "base/suggest.h"
#include "rapidbyte/host.h"

struct column {
    bool is_replaced;
    struct ArrowArray array; /* of this batch; released before the next */
    struct ArrowArrayView view;
};

struct run {
    const struct rb_transform *transform;
    void *self;
    struct rb_json_value names; /* of the columns that change */
    struct rb_batch_reader reader;
    struct rb_batch_writer writer;
    struct ArrowSchema schema; /* of what is emitted */
    struct column *columns;
    size_t n_columns;
    struct ArrowArrayView **children; /* of what is emitted: borrowed from reader and columns */
    size_t max_batch_bytes;
    int64_t bytes_out; /* of writers that are gone */
    bool has_writer;
};

static void release_column(struct column *column)
{
    if (column->array.release != NULL) {
        ArrowArrayRelease(&column->array);
    }
    if (column->is_replaced) {
        ArrowArrayViewReset(&column->view);
    }
}

static void forget_schema(struct run *run)
{
    for (size_t i = 0; i < run->n_columns; i++) {
        release_column(&run->columns[i]);
    }
    free(run->columns);
    free(run->children);
    run->columns = NULL;
    run->children = NULL;
    run->n_columns = 0;
    if (run->schema.release != NULL) {
        ArrowSchemaRelease(&run->schema);
    }
    if (run->has_writer) {
        run->bytes_out += run->writer.n_bytes;
        rb_batch_writer_release(&run->writer);
        run->has_writer = false;
    }
}

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory for a batch");
}

static int refuse_column(const struct run *run, const char *name, struct rb_error *err)
{
    struct rb_suggest suggest;
    rb_suggest_init(&suggest, name);
    for (size_t i = 0; i < run->n_columns; i++) {
        rb_suggest_offer(&suggest, run->schema.children[i]->name);
    }
    int status = rb_error_set(err, RB_ESCHEMA, "NO_COLUMN", "there is no column '%s'", name);
    rb_suggest_hint(&suggest, err);
    return status;
}

static int choose_column(struct run *run, const char *name, struct rb_error *err)
{
    bool is_found = false;
    for (size_t i = 0; i < run->n_columns; i++) {
        struct ArrowSchema *field = run->schema.children[i];
        if (strcmp(field->name, name) != 0 || run->columns[i].is_replaced) {
            is_found = is_found || strcmp(field->name, name) == 0;
            continue;
        }
        is_found = true;
        int status = run->transform->field(run->self, field, err);
        if (status < 0) {
            return status;
        }
        if (ArrowArrayViewInitFromSchema(&run->columns[i].view, field, NULL) != NANOARROW_OK) {
            return no_memory(err);
        }
        run->columns[i].is_replaced = true;
    }
    return is_found ? RB_OK : refuse_column(run, name, err);
}

static int new_columns(struct run *run, struct rb_error *err)
{
    size_t n = (size_t)run->schema.n_children;
    run->columns = calloc(n > 0 ? n : 1, sizeof *run->columns);
    run->children = calloc(n > 0 ? n : 1, sizeof(struct ArrowArrayView *));
    if (run->columns == NULL || run->children == NULL) {
        return no_memory(err);
    }
    run->n_columns = n;
    size_t n_names = rb_json_count(run->names);
    int status = RB_OK;
    for (size_t i = 0; status == RB_OK && i < n_names; i++) {
        status = choose_column(run, rb_json_text(rb_json_item(run->names, i), ""), err);
    }
    return status;
}

static int new_schema(struct run *run, struct rb_error *err)
{
    forget_schema(run);
    if (ArrowSchemaDeepCopy(&run->reader.decoder.schema, &run->schema) != NANOARROW_OK) {
        return no_memory(err);
    }
    int status = new_columns(run, err);
    if (status == RB_OK) {
        status = rb_batch_writer_init(&run->writer, &run->schema, run->max_batch_bytes, err);
        run->has_writer = status == RB_OK;
    }
    return status;
}

static int replace_column(struct run *run, size_t i, const struct ArrowArrayView *in,
                          struct rb_error *err)
{
    struct column *column = &run->columns[i];
    const struct ArrowSchema *field = run->schema.children[i];
    if (column->array.release != NULL) {
        ArrowArrayRelease(&column->array);
    }
    if (ArrowArrayInitFromSchema(&column->array, field, NULL) != NANOARROW_OK ||
        ArrowArrayStartAppending(&column->array) != NANOARROW_OK) {
        return no_memory(err);
    }
    int status = run->transform->column(run->self, field, in, &column->array, err);
    if (status < 0) {
        return status;
    }
    struct ArrowError error;
    ArrowErrorInit(&error);
    if (ArrowArrayFinishBuildingDefault(&column->array, &error) != NANOARROW_OK ||
        ArrowArrayViewSetArray(&column->view, &column->array, &error) != NANOARROW_OK) {
        return rb_error_set(err, RB_EINTERNAL, "BAD_ARRAY", "column '%s': %s", field->name,
                            error.message);
    }
    run->children[i] = &column->view;
    return RB_OK;
}

static int transform_batch(struct run *run, struct rb_error *err)
{
    struct ArrowArrayView *in = run->reader.decoder.view;
    for (size_t i = 0; i < run->n_columns; i++) {
        run->children[i] = in->children[i];
        if (run->columns[i].is_replaced) {
            int status = replace_column(run, i, in->children[i], err);
            if (status < 0) {
                return status;
            }
        }
    }
    struct ArrowArrayView out = *in;
    out.children = run->children;
    return rb_batch_writer_emit_view(&run->writer, &out, err);
}

int rb_transform_run(const struct rb_transform *transform, void *self, struct rb_json_value columns,
                     const struct rb_stream_context *context, struct rb_transform_summary *ret,
                     struct rb_error *err)
{
    struct run run = {
        .transform = transform,
        .self = self,
        .names = columns,
        .max_batch_bytes = (size_t)context->max_batch_bytes,
    };
    rb_batch_reader_init(&run.reader, run.max_batch_bytes);
    int status;
    while ((status = rb_batch_reader_next(&run.reader, err)) == 0) {
        if (run.reader.schema_changed) {
            status = new_schema(&run, err);
        }
        if (status == RB_OK) {
            status = transform_batch(&run, err);
        }
        if (status < 0) {
            break;
        }
    }
    forget_schema(&run);
    if (status == 1) {
        *ret = (struct rb_transform_summary){
            .records_in = run.reader.n_rows,
            .records_out = run.reader.n_rows,
            .bytes_in = run.reader.n_bytes,
            .bytes_out = run.bytes_out,
            .batches_processed = run.reader.n_batches,
        };
        status = RB_OK;
    }
    rb_batch_reader_release(&run.reader);
    return status;
}

int rb_transform_bytes_to_text(struct ArrowSchema *field, struct rb_error *err)
{
    if (strchr("uUzZ", field->format[0]) == NULL) { /* Arrow's letters for text and binary */
        return rb_error_set(err, RB_ESCHEMA, "NOT_TEXT", "column '%s' is neither text nor binary",
                            field->name);
    }
    int status = rb_meta_set(field, NULL, 0, err);
    return status == RB_OK && ArrowSchemaSetFormat(field, "u") != NANOARROW_OK ? no_memory(err)
                                                                               : status;
}
