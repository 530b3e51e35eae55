#include "host/state/inspect.h"

#include "gen/host/state/sql.h"
#include "host/state/db.h"

static const char *text(const struct rb_state_query *query, int column)
{
    return (const char *)sqlite3_column_text(query->stmt, column);
}

static int64_t integer(const struct rb_state_query *query, int column)
{
    return sqlite3_column_int64(query->stmt, column);
}

int rb_state_each_cursor(struct rb_state *state, const char *pipeline,
                         int (*visit)(void *user, const struct rb_state_cursor *cursor), void *user,
                         struct rb_error *err)
{
    RB_CLEANUP(rb_state_query_release) struct rb_state_query query;
    rb_state_query_init(&query, state, rb_sql_checkpoints_list);
    rb_state_query_text(&query, ":pipeline", pipeline);
    int status;
    while ((status = rb_state_query_step(&query, err)) == 1) {
        const struct rb_state_cursor cursor = {.stream = text(&query, 0),
                                               .load_id = text(&query, 1),
                                               .cursor_field = text(&query, 2),
                                               .cursor_type = text(&query, 3),
                                               .checkpoint_json = text(&query, 4),
                                               .updated_unix_us = integer(&query, 5)};
        int end = visit(user, &cursor);
        if (end != 0) {
            return end;
        }
    }
    return status;
}

int rb_state_each_key(struct rb_state *state, const char *pipeline,
                      int (*visit)(void *user, const struct rb_state_key *key), void *user,
                      struct rb_error *err)
{
    RB_CLEANUP(rb_state_query_release) struct rb_state_query query;
    rb_state_query_init(&query, state, rb_sql_kv_list);
    rb_state_query_text(&query, ":pipeline", pipeline);
    int status;
    while ((status = rb_state_query_step(&query, err)) == 1) {
        /* The text or blob first, its size afterwards: asking converts. */
        const char *key = text(&query, 2);
        const void *value = sqlite3_column_blob(query.stmt, 3);
        const struct rb_state_key row = {
            .scope = sqlite3_column_int(query.stmt, 0),
            .owner = text(&query, 1),
            .key = key,
            .key_len = (size_t)sqlite3_column_bytes(query.stmt, 2),
            .value = value,
            .value_len = (size_t)sqlite3_column_bytes(query.stmt, 3),
        };
        int end = visit(user, &row);
        if (end != 0) {
            return end;
        }
    }
    return status;
}

int rb_state_each_run(struct rb_state *state, const char *pipeline, int64_t run_id, int64_t limit,
                      int (*visit)(void *user, const struct rb_state_run *run), void *user,
                      struct rb_error *err)
{
    RB_CLEANUP(rb_state_query_release) struct rb_state_query query;
    rb_state_query_init(&query, state, rb_sql_runs_list);
    rb_state_query_text(&query, ":pipeline", pipeline);
    rb_state_query_i64(&query, ":run", run_id);
    rb_state_query_i64(&query, ":limit", limit);
    int status;
    while ((status = rb_state_query_step(&query, err)) == 1) {
        const struct rb_state_run run = {
            .id = integer(&query, 0),
            .pipeline = text(&query, 1),
            .load_id = text(&query, 2),
            .document_path = text(&query, 3),
            .host = text(&query, 4),
            .pid = integer(&query, 5),
            .started_unix_us = integer(&query, 6),
            .ended_unix_us = integer(&query, 7),
            .outcome = text(&query, 8),
            .exit_code = sqlite3_column_int(query.stmt, 9),
            .error_json = text(&query, 10),
            .n_streams = integer(&query, 11),
            .records_written = integer(&query, 12),
            .connectors_json = text(&query, 13),
            .key = text(&query, 14),
        };
        int end = visit(user, &run);
        if (end != 0) {
            return end;
        }
    }
    return status;
}

int rb_state_each_stream(struct rb_state *state, int64_t run_id,
                         int (*visit)(void *user, const struct rb_state_stream *stream), void *user,
                         struct rb_error *err)
{
    RB_CLEANUP(rb_state_query_release) struct rb_state_query query;
    rb_state_query_init(&query, state, rb_sql_run_streams);
    rb_state_query_i64(&query, ":run", run_id);
    int status;
    while ((status = rb_state_query_step(&query, err)) == 1) {
        const struct rb_state_stream stream = {
            .stream = text(&query, 0),
            .outcome = text(&query, 1),
            .sync_mode = text(&query, 2),
            .write_mode = text(&query, 3),
            .records_read = integer(&query, 4),
            .records_written = integer(&query, 5),
            .records_skipped = integer(&query, 6),
            .bytes_read = integer(&query, 7),
            .bytes_written = integer(&query, 8),
            .started_unix_us = integer(&query, 9),
            .ended_unix_us = integer(&query, 10),
            .checksum = text(&query, 11),
            .timings_json = text(&query, 12),
            .error_json = text(&query, 13),
        };
        int end = visit(user, &stream);
        if (end != 0) {
            return end;
        }
    }
    return status;
}
