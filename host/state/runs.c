/* Runs and their streams. */
#include <string.h>
#include <unistd.h>

#include "gen/host/state/sql.h"
#include "host/state/checkpoint.h"
#include "host/state/db.h"
#include "host/state/state.h"

enum { PRUNED_AT_ONCE = 100, PRUNED_TIMES_MAX = 30 };

int rb_state_run_begin(struct rb_state *state, const char *pipeline, const char *load_id,
                       const char *document_path, const char *connectors_json, const char *key,
                       int64_t *ret_run_id, struct rb_error *err)
{
    char host[256] = "";
    (void)gethostname(host, sizeof host - 1);
    RB_CLEANUP(rb_state_query_release) struct rb_state_query query;
    rb_state_query_init(&query, state, rb_sql_run_begin);
    rb_state_query_text(&query, ":pipeline", pipeline);
    rb_state_query_text(&query, ":load_id", load_id);
    rb_state_query_text(&query, ":document_path", document_path);
    rb_state_query_text(&query, ":connectors", connectors_json);
    rb_state_query_text(&query, ":key", key);
    rb_state_query_text(&query, ":host", host);
    rb_state_query_i64(&query, ":pid", getpid());
    rb_state_query_i64(&query, ":now", rb_state_now_us());
    int status = rb_state_query_run(&query, err);
    if (status == 0) {
        *ret_run_id = sqlite3_last_insert_rowid(state->db);
    }
    return status;
}

/* What an UPDATE of one run came to. */
static int one_run(struct rb_state *state, int64_t run_id, int status, struct rb_error *err)
{
    if (status == 0 && sqlite3_changes(state->db) != 1) {
        return rb_error_set(err, RB_EINTERNAL, "NO_SUCH_RUN", "state file %s has no run %lld",
                            state->path, (long long)run_id);
    }
    return status;
}

int rb_state_run_set_load(struct rb_state *state, int64_t run_id, const char *load_id,
                          struct rb_error *err)
{
    RB_CLEANUP(rb_state_query_release) struct rb_state_query query;
    rb_state_query_init(&query, state, rb_sql_run_set_load);
    rb_state_query_i64(&query, ":run", run_id);
    rb_state_query_text(&query, ":load_id", load_id);
    return one_run(state, run_id, rb_state_query_run(&query, err), err);
}

int rb_state_run_end(struct rb_state *state, int64_t run_id, const char *outcome, int exit_code,
                     const char *error_json, const char *timings_json, struct rb_error *err)
{
    RB_CLEANUP(rb_state_query_release) struct rb_state_query query;
    rb_state_query_init(&query, state, rb_sql_run_end);
    rb_state_query_i64(&query, ":run", run_id);
    rb_state_query_text(&query, ":outcome", outcome);
    rb_state_query_i64(&query, ":exit_code", exit_code);
    rb_state_query_text(&query, ":error", error_json);
    rb_state_query_text(&query, ":timings", timings_json);
    rb_state_query_i64(&query, ":now", rb_state_now_us());
    return one_run(state, run_id, rb_state_query_run(&query, err), err);
}

int rb_state_runs_reap(struct rb_state *state, const char *pipeline, int64_t *ret_count,
                       struct rb_error *err)
{
    RB_CLEANUP(rb_state_query_release) struct rb_state_query query;
    rb_state_query_init(&query, state, rb_sql_runs_reap);
    rb_state_query_text(&query, ":pipeline", pipeline);
    int status = rb_state_query_run(&query, err);
    if (status == 0) {
        *ret_count = sqlite3_changes64(state->db);
    }
    return status;
}

int rb_state_runs_prune(struct rb_state *state, const char *pipeline, int64_t keep_us,
                        int64_t keep_runs, struct rb_error *err)
{
    int64_t deleted = PRUNED_AT_ONCE;
    int status = 0;
    for (int i = 0; i < PRUNED_TIMES_MAX && status == 0 && deleted == PRUNED_AT_ONCE; i++) {
        RB_CLEANUP(rb_state_query_release) struct rb_state_query query;
        rb_state_query_init(&query, state, rb_sql_runs_prune);
        rb_state_query_text(&query, ":pipeline", pipeline);
        rb_state_query_i64(&query, ":before", keep_us > 0 ? rb_state_now_us() - keep_us : 0);
        rb_state_query_i64(&query, ":keep", keep_runs);
        rb_state_query_i64(&query, ":at_once", PRUNED_AT_ONCE);
        status = rb_state_query_run(&query, err);
        deleted = status == 0 ? sqlite3_changes64(state->db) : 0;
    }
    return status;
}

static int stream_insert(struct rb_state *state, int64_t run_id,
                         const struct rb_state_stream *stream, struct rb_error *err)
{
    RB_CLEANUP(rb_state_query_release) struct rb_state_query query;
    rb_state_query_init(&query, state, rb_sql_stream_end);
    rb_state_query_i64(&query, ":run", run_id);
    rb_state_query_text(&query, ":stream", stream->stream);
    rb_state_query_text(&query, ":outcome", stream->outcome);
    rb_state_query_text(&query, ":sync_mode", stream->sync_mode);
    rb_state_query_text(&query, ":write_mode", stream->write_mode);
    rb_state_query_i64(&query, ":records_read", stream->records_read);
    rb_state_query_i64(&query, ":records_written", stream->records_written);
    rb_state_query_i64(&query, ":records_skipped", stream->records_skipped);
    rb_state_query_i64(&query, ":bytes_read", stream->bytes_read);
    rb_state_query_i64(&query, ":bytes_written", stream->bytes_written);
    rb_state_query_i64(&query, ":started", stream->started_unix_us);
    rb_state_query_i64(&query, ":ended", stream->ended_unix_us);
    rb_state_query_text(&query, ":checksum", stream->checksum);
    rb_state_query_text(&query, ":timings", stream->timings_json);
    rb_state_query_text(&query, ":error", stream->error_json);
    return rb_state_query_run(&query, err);
}

/* The pipeline and the load of a checkpoint are its run's. */
static int stream_checkpoint(struct rb_state *state, int64_t run_id,
                             const struct rb_state_stream *stream, struct rb_error *err)
{
    RB_CLEANUP(rb_state_query_release) struct rb_state_query query;
    rb_state_query_init(&query, state, rb_sql_run_get);
    rb_state_query_i64(&query, ":run", run_id);
    int status = rb_state_query_step(&query, err);
    if (status <= 0) {
        return status;
    }
    struct rb_state_checkpoint checkpoint = {
        .pipeline = (const char *)sqlite3_column_text(query.stmt, 0),
        .stream = stream->stream,
        .load_id = (const char *)sqlite3_column_text(query.stmt, 1),
        .cursor_field = stream->cursor_field,
        .cursor_type = stream->cursor_type,
        .json = stream->checkpoint_json,
    };
    return rb_state_checkpoint_write(state, &checkpoint, err);
}

int rb_state_stream_end(struct rb_state *state, int64_t run_id,
                        const struct rb_state_stream *stream, struct rb_error *err)
{
    int status = rb_state_tx_begin(state, err);
    if (status != 0) {
        return status;
    }
    status = stream_insert(state, run_id, stream, err);
    if (status == 0 && stream->checkpoint_json != NULL && strcmp(stream->outcome, "ok") == 0) {
        status = stream_checkpoint(state, run_id, stream, err);
    }
    return rb_state_tx_end(state, status, err);
}
