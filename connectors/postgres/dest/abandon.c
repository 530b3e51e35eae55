/* rb_abandon: forgets a load, and sets where streams stand. */
#include "connectors/postgres/dest/dest.h"
#include "gen/connectors/postgres/dest/sql.h"

static int forget_load(struct rb_dest *dest, const char *load_id, const char *pipeline,
                       struct rb_error *err)
{
    const char *params[] = {load_id, pipeline};
    size_t dropped = 0;
    int status = rb_ledger_drop_leftovers(dest, pipeline, &dropped, err);
    status =
        status < 0 ? status : rb_dest_query(dest, rb_sql_load_forget_units, params, 1, NULL, err);
    return status < 0 ? status : rb_dest_query(dest, rb_sql_load_forget, params, 2, NULL, err);
}

/* A receipt of a load that is not over would keep the stream from being read. */
static int set_checkpoint(struct rb_dest *dest, const char *load_id, const char *pipeline,
                          struct rb_json_value item, struct rb_error *err)
{
    size_t len = 0;
    struct rb_json_value checkpoint = rb_json_get(item, "checkpoint");
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(RB_ABI_JSON_MAX);
    const char *source = rb_json_is_absent(checkpoint) ? NULL : rb_json_source(checkpoint, &len);
    int status =
        source != NULL ? rb_buf_append(&text, source, len) : rb_buf_append_str(&text, "null");
    if (status < 0) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a checkpoint");
    }
    const char *stream = rb_json_text(rb_json_get(item, "stream_name"), NULL);
    const char *receipts[] = {pipeline, stream};
    const char *set[] = {pipeline, stream, load_id, rb_buf_str(&text)};
    status = rb_dest_query(dest, rb_sql_ledger_forget_receipts, receipts, 2, NULL, err);
    return status < 0 ? status : rb_dest_query(dest, rb_sql_ledger_set, set, 4, NULL, err);
}

static int set_checkpoints(struct rb_dest *dest, const char *pipeline, struct rb_json_value request,
                           struct rb_error *err)
{
    struct rb_json_value items = rb_json_get(request, "checkpoints");
    const char *load_id = rb_json_text(rb_json_get(request, "checkpoint_load_id"), "");
    size_t n = rb_json_count(items);
    if (n > 0 && load_id[0] == '\0') {
        return rb_error_set(err, RB_EPROTOCOL, "CONTRACT", "checkpoints need a checkpoint_load_id");
    }
    int status = 0;
    for (size_t i = 0; status == 0 && i < n; i++) {
        status = set_checkpoint(dest, load_id, pipeline, rb_json_item(items, i), err);
    }
    return status;
}

int rb_dest_abandon(void *self, const char *load_id, const char *pipeline,
                    struct rb_json_value request, struct rb_error *err)
{
    struct rb_dest *dest = self;
    int status = rb_dest_connect(dest, err);
    status = status < 0 ? status : rb_ledger_ensure(dest, err);
    status = status < 0 ? status : rb_dest_lock_pipeline(dest, pipeline, err);
    status = status < 0 ? status : rb_query_exec(dest->conn, "BEGIN", err);
    if (status == 0 && load_id[0] != '\0') {
        status = forget_load(dest, load_id, pipeline, err);
    }
    status = status < 0 ? status : set_checkpoints(dest, pipeline, request, err);
    status = status < 0 ? status : rb_query_exec(dest->conn, "COMMIT", err);
    if (status < 0) {
        rb_dest_abort(dest);
        rb_grants_hint(dest, NULL, err);
    }
    return status;
}
