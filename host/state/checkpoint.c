/* Checkpoints, and forgetting them. */
#include "host/state/checkpoint.h"

#include "gen/host/state/sql.h"
#include "host/state/change.h"
#include "host/state/db.h"
#include "host/state/state.h"

int rb_state_checkpoint_write(struct rb_state *state, const struct rb_state_checkpoint *checkpoint,
                              struct rb_error *err)
{
    RB_CLEANUP(rb_state_query_release) struct rb_state_query query;
    rb_state_query_init(&query, state, rb_sql_checkpoint_put);
    rb_state_query_text(&query, ":pipeline", checkpoint->pipeline);
    rb_state_query_text(&query, ":stream", checkpoint->stream);
    rb_state_query_text(&query, ":load_id", checkpoint->load_id);
    rb_state_query_text(&query, ":cursor_field", checkpoint->cursor_field);
    rb_state_query_text(&query, ":cursor_type", checkpoint->cursor_type);
    rb_state_query_text(&query, ":checkpoint", checkpoint->json);
    rb_state_query_i64(&query, ":now", rb_state_now_us());
    int status = rb_state_query_run(&query, err);
    if (status != 0 && query.rc == SQLITE_CONSTRAINT_CHECK) {
        return rb_error_set(err, RB_EPROTOCOL, "CHECKPOINT_NOT_JSON",
                            "the checkpoint of stream '%s' is not JSON", checkpoint->stream);
    }
    return status;
}

int rb_state_checkpoint_put(struct rb_state *state, const char *pipeline, const char *stream,
                            const char *load_id, const char *cursor_field, const char *cursor_type,
                            const char *checkpoint_json, struct rb_error *err)
{
    struct rb_state_checkpoint checkpoint = {.pipeline = pipeline,
                                             .stream = stream,
                                             .load_id = load_id,
                                             .cursor_field = cursor_field,
                                             .cursor_type = cursor_type,
                                             .json = checkpoint_json};
    return rb_state_checkpoint_write(state, &checkpoint, err);
}

static int append_column(sqlite3_stmt *stmt, int column, struct rb_buf *ret, struct rb_error *err)
{
    const void *data = sqlite3_column_blob(stmt, column);
    int len = sqlite3_column_bytes(stmt, column);
    int status = rb_buf_append(ret, data, (size_t)len);
    return status == 0
               ? 0
               : rb_error_set(err, status, "TOO_LARGE", "%d bytes of state do not fit", len);
}

int rb_state_checkpoint_get(struct rb_state *state, const char *pipeline, const char *stream,
                            struct rb_buf *ret_json, struct rb_buf *ret_load_id,
                            struct rb_error *err)
{
    RB_CLEANUP(rb_state_query_release) struct rb_state_query query;
    rb_state_query_init(&query, state, rb_sql_checkpoint_get);
    rb_state_query_text(&query, ":pipeline", pipeline);
    rb_state_query_text(&query, ":stream", stream);
    int status = rb_state_query_step(&query, err);
    if (status <= 0) {
        return status == 0 ? 1 : status;
    }
    status = append_column(query.stmt, 0, ret_json, err);
    return status != 0 ? status : append_column(query.stmt, 1, ret_load_id, err);
}

static int reset_table(struct rb_state *state, const char *sql, const char *pipeline,
                       const char *stream, struct rb_error *err)
{
    RB_CLEANUP(rb_state_query_release) struct rb_state_query query;
    rb_state_query_init(&query, state, sql);
    rb_state_query_text(&query, ":pipeline", pipeline);
    rb_state_query_text(&query, ":stream", stream);
    return rb_state_query_run(&query, err);
}

static int reset_in_tx(struct rb_state *state, const char *pipeline, const char *stream,
                       struct rb_error *err)
{
    int status = reset_table(state, rb_sql_checkpoint_reset, pipeline, stream, err);
    return status != 0 ? status : reset_table(state, rb_sql_kv_reset, pipeline, stream, err);
}

int rb_state_reset(struct rb_state *state, const char *pipeline, const char *stream,
                   struct rb_error *err)
{
    int status = rb_state_tx_begin(state, err);
    return status != 0 ? status
                       : rb_state_tx_end(state, reset_in_tx(state, pipeline, stream, err), err);
}

static int apply_one(struct rb_state *state, const char *pipeline, const char *load_id,
                     const struct rb_state_change *change, struct rb_error *err)
{
    if (change->checkpoint_json == NULL) {
        return reset_in_tx(state, pipeline, change->stream, err);
    }
    return rb_state_checkpoint_put(state, pipeline, change->stream, load_id, change->cursor_field,
                                   change->cursor_type, change->checkpoint_json, err);
}

int rb_state_apply(struct rb_state *state, const char *pipeline, const char *load_id,
                   const struct rb_state_change *changes, size_t n_changes,
                   const struct rb_state_key *keys, size_t n_keys, struct rb_error *err)
{
    int status = rb_state_tx_begin(state, err);
    if (status != 0) {
        return status;
    }
    for (size_t i = 0; status == 0 && i < n_changes; i++) {
        status = apply_one(state, pipeline, load_id, &changes[i], err);
    }
    for (size_t i = 0; status == 0 && i < n_keys; i++) {
        status = rb_state_kv_put(state, pipeline, keys[i].scope, keys[i].owner, keys[i].key,
                                 keys[i].key_len, keys[i].value, keys[i].value_len, err);
    }
    return rb_state_tx_end(state, status, err);
}
