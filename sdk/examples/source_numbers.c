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

static int numbers_read(void *self, const struct rb_stream_context *context,
                        struct rb_read_summary *ret, struct rb_error *err)
{
    static const struct rb_rows_column columns[] = {{"n", NANOARROW_TYPE_INT64, false}};
    RB_CLEANUP(rb_rows_release) struct rb_rows rows;
    (void)self;
    int status = rb_rows_init(&rows, columns, 1, context, err);
    for (int64_t n = 0; status == RB_OK && n < n_rows; n++) {
        ArrowArrayAppendInt(rows.array.children[0], n);
        status = rb_rows_end_row(&rows, err);
    }
    return status == RB_OK ? rb_rows_finish(&rows, ret, err) : status;
}

static const struct rb_connector numbers = {
    .open = numbers_open, .discover = numbers_discover, .read = numbers_read};
RB_EXPORT_SOURCE(numbers)
