/* Connectors' own keys. */
#include "gen/host/state/sql.h"
#include "host/state/db.h"
#include "host/state/state.h"

enum { KEY_MAX = 1024, VALUE_MAX = 1024 * 1024 }; /* bytes; docs/protocol.md */

struct key {
    const char *pipeline;
    int scope;
    const char *owner;
    const char *key;
    size_t key_len;
};

static int check_limits(const struct key *key, size_t value_len, struct rb_error *err)
{
    if (key->scope < 0 || key->scope > 2) {
        return rb_error_set(err, RB_EPROTOCOL, "STATE_SCOPE", "there is no state scope %d",
                            key->scope);
    }
    if (key->key_len == 0 || key->key_len > KEY_MAX) {
        return rb_error_set(err, RB_EPROTOCOL, "STATE_KEY",
                            "a state key has 1 to %d bytes, not %zu", (int)KEY_MAX, key->key_len);
    }
    if (value_len > VALUE_MAX) {
        return rb_error_set(err, RB_EPROTOCOL, "STATE_VALUE",
                            "a state value has at most %d bytes, not %zu", (int)VALUE_MAX,
                            value_len);
    }
    return 0;
}

static void query_key(struct rb_state_query *query, struct rb_state *state, const char *sql,
                      const struct key *key)
{
    rb_state_query_init(query, state, sql);
    rb_state_query_text(query, ":pipeline", key->pipeline);
    rb_state_query_i64(query, ":scope", key->scope);
    rb_state_query_text(query, ":owner", key->owner);
    rb_state_query_textn(query, ":key", key->key, key->key_len);
}

int rb_state_kv_get(struct rb_state *state, const char *pipeline, int scope, const char *owner,
                    const char *key, size_t key_len, struct rb_buf *ret_value, struct rb_error *err)
{
    struct key k = {pipeline, scope, owner, key, key_len};
    int status = check_limits(&k, 0, err);
    if (status != 0) {
        return status;
    }
    RB_CLEANUP(rb_state_query_release) struct rb_state_query query;
    query_key(&query, state, rb_sql_kv_get, &k);
    status = rb_state_query_step(&query, err);
    if (status <= 0) {
        return status == 0 ? 1 : status;
    }
    const void *data = sqlite3_column_blob(query.stmt, 0);
    int len = sqlite3_column_bytes(query.stmt, 0);
    if (len == 0) {
        return 0;
    }
    status = rb_buf_append(ret_value, data, (size_t)len);
    return status == 0
               ? 0
               : rb_error_set(err, status, "TOO_LARGE", "%d bytes of state do not fit", len);
}

int rb_state_kv_usage(struct rb_state *state, const char *pipeline, struct rb_state_usage *ret,
                      struct rb_error *err)
{
    RB_CLEANUP(rb_state_query_release) struct rb_state_query query;
    rb_state_query_init(&query, state, rb_sql_kv_usage);
    rb_state_query_text(&query, ":pipeline", pipeline);
    int status = rb_state_query_step(&query, err);
    if (status <= 0) {
        return status;
    }
    *ret = (struct rb_state_usage){.keys = sqlite3_column_int64(query.stmt, 0),
                                   .bytes = sqlite3_column_int64(query.stmt, 1)};
    return 0;
}

int rb_state_kv_size(struct rb_state *state, const char *pipeline, int scope, const char *owner,
                     const char *key, size_t key_len, int64_t *ret, struct rb_error *err)
{
    struct key k = {pipeline, scope, owner, key, key_len};
    int status = check_limits(&k, 0, err);
    if (status != 0) {
        return status;
    }
    RB_CLEANUP(rb_state_query_release) struct rb_state_query query;
    query_key(&query, state, rb_sql_kv_size, &k);
    status = rb_state_query_step(&query, err);
    if (status < 0) {
        return status;
    }
    *ret = status == 0 ? 0 : sqlite3_column_int64(query.stmt, 0);
    return 0;
}

int rb_state_kv_put(struct rb_state *state, const char *pipeline, int scope, const char *owner,
                    const char *key, size_t key_len, const void *value, size_t value_len,
                    struct rb_error *err)
{
    struct key k = {pipeline, scope, owner, key, key_len};
    int status = check_limits(&k, value_len, err);
    if (status != 0) {
        return status;
    }
    RB_CLEANUP(rb_state_query_release) struct rb_state_query query;
    query_key(&query, state, rb_sql_kv_put, &k);
    rb_state_query_bytes(&query, ":value", value, value_len);
    rb_state_query_i64(&query, ":now", rb_state_now_us());
    return rb_state_query_run(&query, err);
}

int rb_state_kv_cas(struct rb_state *state, const char *pipeline, int scope, const char *owner,
                    const char *key, size_t key_len, const void *expected, size_t expected_len,
                    const void *value, size_t value_len, struct rb_error *err)
{
    struct key k = {pipeline, scope, owner, key, key_len};
    int status = check_limits(&k, value_len, err);
    if (status != 0) {
        return status;
    }
    RB_CLEANUP(rb_state_query_release) struct rb_state_query query;
    query_key(&query, state, expected == NULL ? rb_sql_kv_insert : rb_sql_kv_swap, &k);
    if (expected != NULL) {
        rb_state_query_bytes(&query, ":expected", expected, expected_len);
    }
    rb_state_query_bytes(&query, ":value", value, value_len);
    rb_state_query_i64(&query, ":now", rb_state_now_us());
    status = rb_state_query_run(&query, err);
    if (status != 0) {
        return status;
    }
    return sqlite3_changes(state->db) == 1 ? 0 : 1;
}

/* What a run writes first, too, to the table that opening the file does not look through. The
 * transaction around it is rolled back. */
static int probe_write(struct rb_state *state, struct rb_error *err)
{
    int64_t run_id = 0;
    RB_CLEANUP(rb_state_query_release) struct rb_state_query query;
    rb_state_query_init(&query, state, rb_sql_state_probe);
    int status = rb_state_query_run(&query, err);
    return status != 0 ? status : rb_state_run_begin(state, "", "", "", "[]", NULL, &run_id, err);
}

int rb_state_probe(struct rb_state *state, struct rb_error *err)
{
    int status = rb_state_tx_begin(state, err);
    if (status != 0) {
        return status;
    }
    status = probe_write(state, err);
    int rollback = rb_state_exec(state, "ROLLBACK", status == 0 ? err : NULL);
    return status != 0 ? status : rollback;
}
