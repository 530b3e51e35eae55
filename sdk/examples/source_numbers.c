/* The smallest source: one stream, "numbers", of the integers from 0. */
#include "rapidbyte/rapidbyte.h"

static int64_t n_rows; /* of the stream; a guest is one instance */

static int numbers_open(const struct rb_open_context *context, void **ret_self,
                        struct rb_error *err)
{
    n_rows = rb_json_int(rb_json_get(context->config, "rows"), 1000);
    *ret_self = NULL;
    return n_rows >= 0 ? RB_OK : rb_error_set(err, RB_ECONFIG, "BAD_ROWS", "rows is negative");
}

static int numbers_discover(void *self, struct rb_json_value request, struct rb_json *ret,
                            struct rb_error *err)
{
    static const char stream[] =
        "{\"name\":\"numbers\",\"schema\":[{\"name\":\"n\",\"data_type\":\"int64\","
        "\"nullable\":false,\"arrow_type\":\"int64\",\"primary_key\":true}],"
        "\"supported_sync_modes\":[\"full_refresh\"],\"kind\":\"table\"}";
    (void)self, (void)request, (void)err;
    rb_json_raw(ret, stream, sizeof stream - 1);
    return RB_OK;
}

static int emit_range(struct rb_batch_writer *writer, const struct ArrowSchema *schema,
                      int64_t from, int64_t to, struct rb_error *err)
{
    struct ArrowArray array = {.release = NULL};
    bool ok = ArrowArrayInitFromSchema(&array, schema, NULL) == 0 &&
              ArrowArrayStartAppending(&array) == 0;
    for (int64_t n = from; ok && n < to; n++) {
        ok = ArrowArrayAppendInt(array.children[0], n) == 0 && ArrowArrayFinishElement(&array) == 0;
    }
    ok = ok && ArrowArrayFinishBuildingDefault(&array, NULL) == 0;
    int status = ok ? rb_batch_writer_emit(writer, &array, err)
                    : rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a batch");
    if (array.release != NULL) {
        ArrowArrayRelease(&array);
    }
    return status;
}

static int numbers_read(void *self, const struct rb_stream_context *context,
                        struct rb_read_summary *ret, struct rb_error *err)
{
    enum { BATCH_ROWS = 10000 };
    struct rb_batch_writer writer = {.n_batches = 0};
    struct ArrowSchema schema;
    (void)self;
    ArrowSchemaInit(&schema);
    bool ok = ArrowSchemaSetTypeStruct(&schema, 1) == 0 &&
              ArrowSchemaSetType(schema.children[0], NANOARROW_TYPE_INT64) == 0 &&
              ArrowSchemaSetName(schema.children[0], "n") == 0;
    int status = ok ? rb_batch_writer_init(&writer, &schema, (size_t)context->max_batch_bytes, err)
                    : rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a schema");
    /* At least one batch, if need be without rows: the schema always arrives. */
    for (int64_t from = 0; status == RB_OK && (from < n_rows || from == 0); from += BATCH_ROWS) {
        int64_t to = n_rows - from < BATCH_ROWS ? n_rows : from + BATCH_ROWS;
        status = emit_range(&writer, &schema, from, to, err);
    }
    ret->records_read = writer.n_rows;
    ret->bytes_read = writer.n_bytes;
    ret->batches_emitted = writer.n_batches;
    rb_batch_writer_release(&writer);
    ArrowSchemaRelease(&schema);
    return status;
}

static const struct rb_connector numbers = {
    .open = numbers_open, .discover = numbers_discover, .read = numbers_read};
RB_EXPORT_SOURCE(numbers)
