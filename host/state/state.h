/*
 * What rapidbyte remembers, in SQLite: runs, streams, cursors, connectors' own keys, and which run
 * holds a pipeline. Owned by the supervisor alone. The destination's ledger is the authority; this
 * file can be lost without losing or doubling a row.
 *
 * WAL mode; schema by migrations (sql/NNN_*.sql, PRAGMA user_version). One thread.
 */
#ifndef RB_HOST_STATE_STATE_H
#define RB_HOST_STATE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct rb_state;

/* Opens or creates the file (its folder must exist), checks its integrity and migrates it.
 * RB_ESTATE: unreadable, corrupt, read-only, disk full, or made by a newer version; the message
 * names the path and what to do. */
int rb_state_open(const char *path, struct rb_state **ret_state, struct rb_error *err);
void rb_state_close(struct rb_state *state);

/* Takes the pipeline's lock for this process. RB_ELOCKED names the holder's pid, host and start. A
 * lock whose process is gone (pid and start time, on this host) is taken over: returns 1 then, 0
 * otherwise. Released by unlock or by close. */
int rb_state_lock(struct rb_state *state, const char *pipeline, struct rb_error *err);
/* As rb_state_lock, without taking it. */
int rb_state_look_at_lock(struct rb_state *state, const char *pipeline, struct rb_error *err);
int rb_state_unlock(struct rb_state *state, const char *pipeline, struct rb_error *err);

/* A run is recorded before anything moves. Texts are copied. connectors_json: an array of {role,
 * id, version, sha256}; it, document_path and key (of the load) may be NULL. */
int rb_state_run_begin(struct rb_state *state, const char *pipeline, const char *load_id,
                       const char *document_path, const char *connectors_json, const char *key,
                       int64_t *ret_run_id, struct rb_error *err);
int rb_state_run_set_load(struct rb_state *state, int64_t run_id, const char *load_id,
                          struct rb_error *err);

struct rb_state_stream {
    const char *stream;
    const char *outcome; /* "ok", "already_loaded", "failed", "cancelled", "not_started" */
    const char *sync_mode;
    const char *write_mode;
    int64_t records_read, records_written, records_skipped, bytes_read, bytes_written;
    int64_t started_unix_us, ended_unix_us;
    const char *checksum;     /* NULL: none */
    const char *timings_json; /* NULL: none */
    const char *error_json;   /* ConnectorError; NULL: none */
    /* With outcome "ok": the new checkpoint, stored with it in one transaction; NULL: leaves what
     * is there. */
    const char *checkpoint_json;
    const char *cursor_field, *cursor_type;
};

int rb_state_stream_end(struct rb_state *state, int64_t run_id,
                        const struct rb_state_stream *stream, struct rb_error *err);
/* outcome: "ok", "partial", "failed", "cancelled", "crashed". exit_code as the process's. */
int rb_state_run_end(struct rb_state *state, int64_t run_id, const char *outcome, int exit_code,
                     const char *error_json, const char *timings_json, struct rb_error *err);
/* Marks runs of this pipeline that never ended (their process died) as "crashed". *ret_count says
 * how many. Under the lock only. */
/* Forgets runs of the pipeline that have ended and began longer ago than keep_us (0: however long),
 * and those before its newest keep_runs; the newest of all never. Some thousands at most in one
 * call, so that a run never waits long: what is left is the next call's. */
int rb_state_runs_prune(struct rb_state *state, const char *pipeline, int64_t keep_us,
                        int64_t keep_runs, struct rb_error *err);
int rb_state_runs_reap(struct rb_state *state, const char *pipeline, int64_t *ret_count,
                       struct rb_error *err);

/* The newest committed checkpoint: 0 and appended JSON, load id; 1: none. Never replaced by an
 * empty or NULL cursor. */
int rb_state_checkpoint_get(struct rb_state *state, const char *pipeline, const char *stream,
                            struct rb_buf *ret_json, struct rb_buf *ret_load_id,
                            struct rb_error *err);
/* As the destination's ledger says (reconciling), or `state set-cursor`. */
int rb_state_checkpoint_put(struct rb_state *state, const char *pipeline, const char *stream,
                            const char *load_id, const char *cursor_field, const char *cursor_type,
                            const char *checkpoint_json, struct rb_error *err);
/* stream NULL: every stream's. Also forgets the connectors' keys of that scope. */
int rb_state_reset(struct rb_state *state, const char *pipeline, const char *stream,
                   struct rb_error *err);

/* Connectors' own keys. `scope` as the contract's (0 pipeline, 1 stream, 2 connector instance);
 * `owner` is "" for 0, the stream for 1, the connector's role and id for 2. get: 0, or 1 not found;
 * cas: 0 set, 1 differs (expected NULL: insert if absent). */
struct rb_state_usage {
    int64_t keys, bytes; /* bytes of keys and values */
};
/* Of all keys of the pipeline; reads them all. */
int rb_state_kv_usage(struct rb_state *state, const char *pipeline, struct rb_state_usage *ret,
                      struct rb_error *err);
/* Bytes of one key with its value; 0 when it is not there. */
int rb_state_kv_size(struct rb_state *state, const char *pipeline, int scope, const char *owner,
                     const char *key, size_t key_len, int64_t *ret, struct rb_error *err);
int rb_state_kv_get(struct rb_state *state, const char *pipeline, int scope, const char *owner,
                    const char *key, size_t key_len, struct rb_buf *ret_value,
                    struct rb_error *err);
int rb_state_kv_put(struct rb_state *state, const char *pipeline, int scope, const char *owner,
                    const char *key, size_t key_len, const void *value, size_t value_len,
                    struct rb_error *err);
int rb_state_kv_cas(struct rb_state *state, const char *pipeline, int scope, const char *owner,
                    const char *key, size_t key_len, const void *expected, size_t expected_len,
                    const void *value, size_t value_len, struct rb_error *err);

/* Proves that state can be written: a transaction that is rolled back. */
int rb_state_probe(struct rb_state *state, struct rb_error *err);

#endif
