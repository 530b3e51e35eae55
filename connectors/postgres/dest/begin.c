/* rb_begin: the pipeline's lock, the load to use, what is loaded already. */
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "connectors/postgres/dest/dest.h"
#include "gen/connectors/postgres/dest/sql.h"

static int locked_by(struct rb_dest *dest, const char *pipeline, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    const char *pid = "unknown";
    const char *from = "";
    if (rb_dest_query(dest, rb_sql_pipeline_holder, &pipeline, 1, &r, NULL) == 0 && r.n_rows > 0) {
        pid = rb_query_text(&r, 0, 0);
        from = rb_query_text(&r, 0, 2);
    }
    int status =
        rb_error_set(err, RB_ELOCKED, "PIPELINE_LOCKED",
                     "pipeline '%s' is being loaded by another run (server process %s%s%s)",
                     pipeline, pid, from[0] != '\0' ? ", client " : "", from);
    rb_error_set_hint(err,
                      "wait for it to end; if it is dead, its lock goes with its connection: "
                      "SELECT pg_terminate_backend(%s)",
                      pid);
    return status;
}

int rb_dest_lock_pipeline(struct rb_dest *dest, const char *pipeline, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    int status = rb_dest_query(dest, rb_sql_pipeline_lock, &pipeline, 1, &r, err);
    if (status < 0 || rb_query_bool(&r, 0, 0)) {
        return status;
    }
    return locked_by(dest, pipeline, err);
}

/* Their names as a JSON array; with `tables`, objects with the names of stream and table. */
static int write_names(const struct rb_stream_context *streams, size_t n_streams, bool tables,
                       struct rb_buf *ret, struct rb_error *err)
{
    struct rb_json json;
    rb_json_init(&json, ret);
    rb_json_begin_array(&json);
    for (size_t i = 0; i < n_streams; i++) {
        if (tables) {
            rb_json_begin_object(&json);
            rb_json_member_str(&json, "stream", streams[i].stream_name);
            rb_json_member_str(&json, "table", streams[i].destination_table);
            rb_json_end_object(&json);
        } else {
            rb_json_str(&json, streams[i].stream_name);
        }
    }
    rb_json_end_array(&json);
    int status = rb_json_finish(&json);
    return status == 0 ? 0 : rb_error_set(err, status, "OUT_OF_MEMORY", "no memory for names");
}

/* Within a transaction: the load to go on with, leftovers gone. */
static int take_load(struct rb_dest *dest, const char *offered, const char *pipeline,
                     const struct rb_stream_context *streams, size_t n_streams,
                     struct rb_query_result *unfinished, size_t *ret_dropped, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf names = RB_BUF_INIT(RB_ABI_JSON_MAX);
    int status = write_names(streams, n_streams, false, &names, err);
    status = status < 0
                 ? status
                 : rb_dest_query(dest, rb_sql_load_unfinished, &pipeline, 1, unfinished, err);
    if (status == 0 && rb_query_text(unfinished, 0, 0) == NULL) {
        const char *params[] = {offered, pipeline, rb_buf_str(&names)};
        status = rb_dest_query(dest, rb_sql_load_open, params, 3, NULL, err);
    } else if (status == 0) {
        const char *load_id = rb_query_text(unfinished, 0, 0);
        const char *params[] = {load_id, rb_buf_str(&names)};
        status = rb_dest_query(dest, rb_sql_load_join, params, 2, NULL, err);
        status = status < 0 ? status
                            : rb_dest_query(dest, rb_sql_load_forget_units, &load_id, 1, NULL, err);
    }
    return status == 0 ? rb_ledger_drop_leftovers(dest, pipeline, ret_dropped, err) : status;
}

static void write_stream(const struct rb_query_result *ledger, size_t row,
                         const struct rb_stream_context *context, struct rb_json *ret)
{
    size_t len = 0;
    const char *text = rb_query_value(ledger, row, 4, &len);
    rb_json_begin_object(ret);
    rb_json_member_str(ret, "stream_name", context->stream_name);
    rb_json_member_bool(ret, "loaded", rb_query_bool(ledger, row, 0));
    rb_json_member_i64(ret, "rows", rb_query_int(ledger, row, 1, 0));
    rb_json_member_i64(ret, "bytes", rb_query_int(ledger, row, 2, 0));
    rb_json_member_i64(ret, "parts", rb_query_int(ledger, row, 3, 0));
    rb_json_member_raw(ret, "checkpoint", text, text != NULL ? len : 0);
    rb_json_member_str(ret, "checkpoint_load_id", rb_query_text(ledger, row, 5));
    rb_json_end_object(ret);
}

static bool any_incremental(const struct rb_stream_context *streams, size_t n_streams)
{
    size_t i = 0;
    while (i < n_streams && streams[i].sync_mode != RB_CONTEXT_INCREMENTAL) {
        i++;
    }
    return i < n_streams;
}

/* What the ledger has of each stream: when the load begins now, nothing but cursors. */
static int write_streams(struct rb_dest *dest, const char *load_id, bool is_new,
                         const char *pipeline, const struct rb_stream_context *streams,
                         size_t n_streams, struct rb_json *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf names = RB_BUF_INIT(RB_ABI_JSON_MAX);
    RB_CLEANUP(rb_query_result_release) struct rb_query_result ledger;
    rb_query_result_init(&ledger);
    int status = 0;
    if (!is_new || any_incremental(streams, n_streams)) {
        status = write_names(streams, n_streams, true, &names, err);
        const char *params[] = {load_id, pipeline, dest->config.schema, rb_buf_str(&names)};
        status = status < 0 ? status
                            : rb_dest_query(dest, rb_sql_ledger_streams, params, 4, &ledger, err);
        if (status == 0 && ledger.n_rows != n_streams) {
            status =
                rb_error_set(err, RB_EINTERNAL, "LEDGER", "the ledger told of %zu streams, not %zu",
                             ledger.n_rows, n_streams);
        }
    }
    rb_json_key(ret, "streams");
    rb_json_begin_array(ret);
    for (size_t i = 0; status == 0 && i < n_streams; i++) {
        write_stream(&ledger, i, &streams[i], ret);
    }
    rb_json_end_array(ret);
    return status;
}

static void write_notes(const char *resumed, size_t dropped, struct rb_json *ret)
{
    char note[256];
    rb_json_key(ret, "notes");
    rb_json_begin_array(ret);
    if (resumed != NULL) {
        snprintf(note, sizeof note, "load %.100s did not end and is resumed", resumed);
        rb_json_str(ret, note);
    }
    if (dropped > 0) {
        snprintf(note, sizeof note, "%zu staging tables of loads that did not end were dropped",
                 dropped);
        rb_json_str(ret, note);
    }
    rb_json_end_array(ret);
}

/* Within a transaction: what the ledger says of tables that are not there any more is void. A load
 * that begins now (`resumed` NULL) has no receipts yet. */
static int void_gone(struct rb_dest *dest, const char *resumed, const char *pipeline,
                     const struct rb_stream_context *streams, size_t n_streams,
                     struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf names = RB_BUF_INIT(RB_ABI_JSON_MAX);
    int status = write_names(streams, n_streams, true, &names, err);
    const char *receipts[] = {resumed, rb_buf_str(&names), dest->config.schema};
    const char *checkpoints[] = {pipeline, rb_buf_str(&names), dest->config.schema};
    if (status == 0 && resumed != NULL) {
        status = rb_dest_query(dest, rb_sql_ledger_void_receipts, receipts, 3, NULL, err);
    }
    return status < 0
               ? status
               : rb_dest_query(dest, rb_sql_ledger_void_checkpoints, checkpoints, 3, NULL, err);
}

static int begin_load(struct rb_dest *dest, const char *offered, const char *pipeline,
                      const struct rb_stream_context *streams, size_t n_streams,
                      struct rb_query_result *unfinished, size_t *ret_dropped, struct rb_error *err)
{
    int status = rb_dest_connect(dest, err);
    status = status < 0 ? status : RB_FAULT(DEST_BEGIN_CONNECTED, err);
    status = status < 0 ? status : rb_ledger_ensure(dest, err);
    status = status < 0 ? status : rb_dest_lock_pipeline(dest, pipeline, err);
    status = status < 0 ? status : RB_FAULT(DEST_PIPELINE_LOCKED, err);
    status = status < 0 ? status : rb_query_exec(dest->conn, rb_sql_load_begin, err);
    status = status < 0 ? status
                        : take_load(dest, offered, pipeline, streams, n_streams, unfinished,
                                    ret_dropped, err);
    status = status < 0 ? status : RB_FAULT(DEST_LOAD_TAKEN, err);
    if (status == 0) {
        status =
            void_gone(dest, rb_query_text(unfinished, 0, 0), pipeline, streams, n_streams, err);
    }
    status = status < 0 ? status : RB_FAULT(DEST_BEGIN_COMMIT, err);
    status = status < 0 ? status : rb_query_exec(dest->conn, "COMMIT", err);
    return status < 0 ? status : RB_FAULT(DEST_BEGIN_COMMITTED, err);
}

int rb_dest_begin(void *self, const char *load_id, const char *pipeline,
                  const struct rb_stream_context *streams, size_t n_streams, struct rb_json *ret,
                  struct rb_error *err)
{
    struct rb_dest *dest = self;
    RB_CLEANUP(rb_query_result_release) struct rb_query_result unfinished;
    rb_query_result_init(&unfinished);
    size_t dropped = 0;
    int status =
        begin_load(dest, load_id, pipeline, streams, n_streams, &unfinished, &dropped, err);
    if (status < 0) {
        rb_dest_abort(dest);
        rb_grants_hint(dest, n_streams > 0 ? &streams[0] : NULL, err);
        return status;
    }
    const char *resumed = rb_query_text(&unfinished, 0, 0);
    const char *used = resumed != NULL ? resumed : load_id;
    rb_json_member_str(ret, "load_id", used);
    rb_json_member_bool(ret, "resumed", resumed != NULL);
    if (rb_query_text(&unfinished, 0, 1) != NULL) {
        rb_json_member_i64(ret, "ended_ms_ago", rb_query_int(&unfinished, 0, 1, 0));
    }
    write_notes(resumed, dropped, ret);
    return write_streams(dest, used, resumed == NULL, pipeline, streams, n_streams, ret, err);
}
