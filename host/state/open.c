/* Opening: the file, its integrity, its version. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "gen/host/state/sql.h"
#include "host/state/db.h"
#include "host/state/file.h"
#include "host/state/state.h"

enum {
    APPLICATION_ID = 0x52425354, /* "RBST": tells our file from other SQLite databases */
    BUSY_TIMEOUT_MS = 1500,
};

/* migrations[i] makes version i + 1 of version i. */
static const char *const migrations[] = {rb_sql_001_init, rb_sql_002_run_connectors,
                                         rb_sql_003_run_key, rb_sql_004_runs_left};
enum { LATEST_VERSION = sizeof migrations / sizeof migrations[0] };

static int query_i64(struct rb_state *state, const char *sql, int64_t *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_state_query_release) struct rb_state_query query;
    rb_state_query_init(&query, state, sql);
    int status = rb_state_query_step(&query, err);
    if (status < 0) {
        return status;
    }
    *ret = status == 1 ? sqlite3_column_int64(query.stmt, 0) : 0;
    return 0;
}

/* Before anything is written: a file of someone else's, or of a newer version, stays untouched. */
static int check_owner(struct rb_state *state, int64_t *ret_version, struct rb_error *err)
{
    int64_t version = 0, application = 0, objects = 0;
    int status = query_i64(state, "PRAGMA user_version", &version, err);
    if (status == 0) {
        status = query_i64(state, "PRAGMA application_id", &application, err);
    }
    if (status == 0) {
        status = query_i64(state, "SELECT count(*) FROM sqlite_schema", &objects, err);
    }
    if (status != 0) {
        return status;
    }
    if (application != APPLICATION_ID && (version != 0 || application != 0 || objects != 0)) {
        (void)rb_error_set(err, RB_ESTATE, "STATE_FOREIGN",
                           "%s is an SQLite database, but not a state file of rapidbyte",
                           state->path);
        rb_error_set_hint(err, "name another file in state.connection; a missing one is created");
        return RB_ESTATE;
    }
    if (version > LATEST_VERSION) {
        (void)rb_error_set(err, RB_ESTATE, "STATE_NEWER",
                           "state file %s was made by a newer rapidbyte (version %lld, this one "
                           "knows up to %d)",
                           state->path, (long long)version, (int)LATEST_VERSION);
        rb_error_set_hint(err, "use the newer rapidbyte, or another file (state.connection)");
        return RB_ESTATE;
    }
    *ret_version = version;
    return 0;
}

static int check_table(struct rb_state *state, const char *sql, struct rb_error *err)
{
    RB_CLEANUP(rb_state_query_release) struct rb_state_query query;
    rb_state_query_init(&query, state, sql);
    int status = rb_state_query_step(&query, err);
    if (status < 0) {
        return status;
    }
    const char *answer =
        status == 1 ? (const char *)sqlite3_column_text(query.stmt, 0) : "no answer";
    if (answer != NULL && strcmp(answer, "ok") == 0) {
        return 0;
    }
    (void)rb_error_set(err, RB_ESTATE, "STATE_CORRUPT", "state file %s is damaged: %s", state->path,
                       answer != NULL ? answer : "no answer");
    rb_error_set_hint(err,
                      "move it away: a new one is made, and the destination's ledger says what "
                      "is loaded");
    return RB_ESTATE;
}

/* Of what a run goes by. History is as long as it was kept: to look through all of it at each
 * start would take longer than many runs, and a damaged page of it is an error when it is read. */
static int check_integrity(struct rb_state *state, struct rb_error *err)
{
    static const char *const checks[] = {"PRAGMA quick_check('checkpoints')",
                                         "PRAGMA quick_check('kv')", "PRAGMA quick_check('locks')"};
    int status = 0;
    for (size_t i = 0; status == 0 && i < sizeof checks / sizeof checks[0]; i++) {
        status = check_table(state, checks[i], err);
    }
    return status;
}

static int set_modes(struct rb_state *state, struct rb_error *err)
{
    if (sqlite3_db_readonly(state->db, "main") == 1) {
        return rb_state_fail(state, SQLITE_READONLY, err);
    }
    RB_CLEANUP(rb_state_query_release) struct rb_state_query query;
    rb_state_query_init(&query, state, "PRAGMA journal_mode = WAL");
    int status = rb_state_query_step(&query, err);
    if (status < 0) {
        return status;
    }
    const char *mode = status == 1 ? (const char *)sqlite3_column_text(query.stmt, 0) : NULL;
    if (mode == NULL || strcmp(mode, "wal") != 0) {
        (void)rb_error_set(err, RB_ESTATE, "STATE_NO_WAL",
                           "the file system of state file %s has no shared memory for SQLite's "
                           "WAL mode",
                           state->path);
        rb_error_set_hint(err, "put the file on a local disk (state.connection)");
        return RB_ESTATE;
    }
    /* In WAL mode a process that dies loses nothing by NORMAL, and closing the file waits for the
     * disk. A machine that dies may lose the end of a run that was under way, which the
     * destination's ledger knows. FULL costs every run nine waits, 20 to 40 ms on a plain disk. */
    return rb_state_exec(state, "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON", err);
}

static int apply_migrations(struct rb_state *state, struct rb_error *err)
{
    int64_t version = 0;
    /* Another process may have migrated since we looked. */
    int status = check_owner(state, &version, err);
    for (; status == 0 && version < LATEST_VERSION; version++) {
        status = rb_state_exec(state, migrations[version], err);
    }
    if (status == 0) {
        char pragmas[96];
        (void)snprintf(pragmas, sizeof pragmas,
                       "PRAGMA application_id = %d; PRAGMA user_version = %d", (int)APPLICATION_ID,
                       (int)LATEST_VERSION);
        status = rb_state_exec(state, pragmas, err);
    }
    return status;
}

static int open_db(struct rb_state *state, struct rb_error *err)
{
    int64_t version = 0;
    int rc =
        sqlite3_open_v2(state->path, &state->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (rc != SQLITE_OK) {
        return rb_state_fail(state, rc, err);
    }
    (void)sqlite3_extended_result_codes(state->db, 1);
    (void)sqlite3_busy_timeout(state->db, BUSY_TIMEOUT_MS);
    sqlite3_randomness(sizeof(uint64_t), state->token);
    uint64_t random;
    memcpy(&random, state->token, sizeof random);
    (void)snprintf(state->token, sizeof state->token, "%016llx", (unsigned long long)random);
    int status = rb_state_file_check(state->path, err);
    status = status != 0 ? status : check_owner(state, &version, err);
    if (status == 0) {
        status = set_modes(state, err);
    }
    if (status == 0 && version > 0) {
        status = check_integrity(state, err);
    }
    if (status != 0 || version == LATEST_VERSION) {
        return status;
    }
    status = rb_state_tx_begin(state, err);
    if (status == 0) {
        status = rb_state_tx_end(state, apply_migrations(state, err), err);
    }
    return status;
}

int rb_state_open(const char *path, struct rb_state **ret_state, struct rb_error *err)
{
    int status = rb_state_file_claim(path, err);
    status = status != 0 ? status : RB_FAULT(STATE_OPEN, err);
    if (status != 0) {
        return status;
    }
    struct rb_state *state = calloc(1, sizeof *state);
    if (state != NULL) {
        state->path = strdup(path);
    }
    if (state == NULL || state->path == NULL) {
        free(state);
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory");
    }
    status = open_db(state, err);
    status = status != 0 ? status : RB_FAULT(STATE_OPENED, err);
    if (status != 0) {
        rb_state_close(state);
        return status;
    }
    *ret_state = state;
    return 0;
}

void rb_state_close(struct rb_state *state)
{
    if (state == NULL) {
        return;
    }
    if (state->token[0] != '\0') {
        (void)rb_state_unlock(state, NULL, NULL);
    }
    (void)sqlite3_close(state->db);
    free(state->path);
    free(state);
}
