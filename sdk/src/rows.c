#include "rapidbyte/rows.h"

#include <string.h>

enum { FLUSH_BYTES = 1 << 20 }; /* 0.5 to 4 MiB a batch are equally fast */

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory for rows");
}

static int make_schema(struct ArrowSchema *schema, const struct rb_rows_column *columns, size_t n)
{
    ArrowSchemaInit(schema);
    if (ArrowSchemaSetTypeStruct(schema, (int64_t)n) != NANOARROW_OK) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        struct ArrowSchema *field = schema->children[i];
        if (ArrowSchemaSetType(field, columns[i].type) != NANOARROW_OK ||
            ArrowSchemaSetName(field, columns[i].name) != NANOARROW_OK) {
            return -1;
        }
        field->flags = columns[i].is_nullable ? ARROW_FLAG_NULLABLE : 0;
    }
    return 0;
}

static int begin_batch(struct rb_rows *rows, struct rb_error *err)
{
    if (rows->array.release != NULL) {
        ArrowArrayRelease(&rows->array);
    }
    rows->used_bytes = 0;
    return ArrowArrayInitFromSchema(&rows->array, &rows->schema, NULL) == NANOARROW_OK &&
                   ArrowArrayStartAppending(&rows->array) == NANOARROW_OK
               ? RB_OK
               : no_memory(err);
}

int rb_rows_init(struct rb_rows *rows, const struct rb_rows_column *columns, size_t n_columns,
                 const struct rb_stream_context *context, struct rb_error *err)
{
    memset(rows, 0, sizeof *rows);
    size_t max_bytes = (size_t)context->max_batch_bytes;
    rows->flush_bytes = max_bytes / 2 < FLUSH_BYTES ? max_bytes / 2 : FLUSH_BYTES;
    if (make_schema(&rows->schema, columns, n_columns) < 0) {
        return no_memory(err);
    }
    int status = rb_batch_writer_init(&rows->writer, &rows->schema, max_bytes, err);
    return status < 0 ? status : begin_batch(rows, err);
}

void rb_rows_release(struct rb_rows *rows)
{
    if (rows->array.release != NULL) {
        ArrowArrayRelease(&rows->array);
    }
    if (rows->schema.release != NULL) {
        ArrowSchemaRelease(&rows->schema);
    }
    rb_batch_writer_release(&rows->writer);
    memset(rows, 0, sizeof *rows);
}

static size_t used_bytes(struct rb_rows *rows)
{
    size_t used = 0;
    for (int64_t c = 0; c < rows->array.n_children; c++) {
        for (int64_t i = 0; i < NANOARROW_MAX_FIXED_BUFFERS; i++) {
            used += (size_t)ArrowArrayBuffer(rows->array.children[c], i)->size_bytes;
        }
    }
    return used;
}

static int emit(struct rb_rows *rows, struct rb_error *err)
{
    struct ArrowError error;
    ArrowErrorInit(&error);
    if (ArrowArrayFinishBuildingDefault(&rows->array, &error) != NANOARROW_OK) {
        return rb_error_set(err, RB_EINTERNAL, "BAD_ARRAY", "rows: %s", error.message);
    }
    int status = rb_batch_writer_emit(&rows->writer, &rows->array, err);
    return status < 0 ? status : begin_batch(rows, err);
}

int rb_rows_end_row(struct rb_rows *rows, struct rb_error *err)
{
    if (ArrowArrayFinishElement(&rows->array) != NANOARROW_OK) {
        return rb_error_set(err, RB_EINTERNAL, "INCOMPLETE_ROW",
                            "row %lld has not one value for each column",
                            (long long)(rows->writer.n_rows + rows->array.length + 1));
    }
    size_t used = used_bytes(rows);
    size_t row = used - rows->used_bytes;
    rows->row_bytes = row > rows->row_bytes ? row : rows->row_bytes;
    rows->used_bytes = used;
    return used + rows->row_bytes > rows->flush_bytes ? emit(rows, err) : RB_OK;
}

int rb_rows_finish(struct rb_rows *rows, struct rb_read_summary *ret, struct rb_error *err)
{
    bool is_due = rows->array.length > 0 || rows->writer.n_batches == 0;
    int status = is_due ? emit(rows, err) : RB_OK;
    ret->records_read = rows->writer.n_rows;
    ret->bytes_read = rows->writer.n_bytes;
    ret->batches_emitted = rows->writer.n_batches;
    return status;
}
