/* Rows that take their way by a temporary table, because they have to be de-duplicated (upsert) or
 * cast (types that travel as text): COPY and INSERT fill it, one INSERT … SELECT empties it. */
#include <string.h>

#include "connectors/postgres/dest/load.h"
#include "gen/connectors/postgres/dest/sql.h"

#define POSITION RB_LOAD_POSITION " bigint GENERATED ALWAYS AS IDENTITY"
#define SAVE_MOVE "SAVEPOINT rapidbyte_move; "
#define UNDO_MOVE "ROLLBACK TO SAVEPOINT rapidbyte_move; "

enum { WINDOW_ROWS = 4 * 1024 }; /* of one INSERT … SELECT where rows may be refused */

/* Nobody asks for the positions of an upsert's rows by the source's own key, unless something is
 * wrong: they cost a tenth of it. */
static bool is_numbered_late(const struct rb_loading *run)
{
    return rb_upsert_is(run) && run->load->key_comes_once &&
           run->rejects.policy == RB_REJECT_FAIL && !run->dest->insert;
}

int rb_temporary_create(struct rb_loading *run, struct rb_error *err)
{
    struct rb_statement *sql = &run->sql;
    run->dest->wants_temporary = true;
    run->is_numbered = !is_numbered_late(run);
    rb_statement_begin(sql, "CREATE TEMPORARY TABLE rapidbyte_in (", err);
    for (size_t i = 0; i < run->columns.n; i++) {
        const struct rb_column *column = &run->columns.items[i];
        rb_statement_add(sql, i > 0 ? ", " : "");
        rb_statement_name(sql, column->name);
        rb_statement_add(sql, " ");
        rb_statement_add(sql, column->form == RB_FORM_TEXT ? "text" : column->declared);
    }
    if (run->is_numbered) {
        rb_statement_add(sql, run->columns.n > 0 ? ", " POSITION : POSITION);
    }
    rb_statement_add(sql, ") ON COMMIT DROP");
    return rb_statement_exec(sql, run->dest, NULL, err);
}

/* In the order in which they lie (by ctid), which is that of their arrival: COPY fills a table that
 * its own transaction has made page by page, and a temporary one is always read from its beginning
 * (PostgreSQL, TABLE_INSERT_SKIP_FSM, synchronize_seqscans). */
int rb_temporary_number(struct rb_loading *run, struct rb_error *err)
{
    if (run->is_numbered) {
        return 0;
    }
    int status = rb_query_exec(run->dest->conn,
                               "ALTER TABLE " RB_LOAD_TEMPORARY " ADD COLUMN " POSITION, err);
    run->is_numbered = status == 0;
    return status;
}

void rb_temporary_add_position(struct rb_statement *sql, int64_t position)
{
    /* A sequence does not go back with what is rolled back. */
    rb_statement_add(
        sql, "SELECT pg_catalog.setval(pg_catalog.pg_get_serial_sequence('" RB_LOAD_TEMPORARY
             "', " RB_LOAD_POSITION_TEXT "), ");
    rb_statement_number(sql, position);
    rb_statement_add(sql, ", false); ");
}

/* Rows of the temporary table that are numbered from `first` + 1 to `end`, into the target. */
static int move_rows(void *self, const char *before, int64_t first, int64_t end,
                     int64_t *ret_suspect, struct rb_error *err)
{
    struct rb_loading *run = self;
    struct rb_statement *sql = &run->sql;
    bool upsert = rb_upsert_is(run);
    (void)ret_suspect;
    rb_statement_begin(sql, before, err);
    rb_statement_as_user(sql, run->load->target->runs_sql);
    rb_statement_add(sql, "INSERT INTO ");
    rb_statement_add(sql, run->load->target->relation);
    rb_statement_add(sql, " (");
    rb_statement_names(sql, &run->columns);
    rb_statement_add(sql, ") OVERRIDING SYSTEM VALUE SELECT ");
    if (upsert && !run->is_plain) {
        rb_statement_add(sql, "DISTINCT ON (");
        rb_upsert_add_key(run);
        rb_statement_add(sql, ") ");
    }
    for (size_t i = 0; i < run->columns.n; i++) {
        rb_statement_add(sql, i > 0 ? ", " : "");
        rb_cast_add(run, sql, i);
    }
    rb_statement_add(sql, " FROM " RB_LOAD_TEMPORARY);
    if (first > 0 || end < INT64_MAX) {
        rb_statement_add(sql, " WHERE " RB_LOAD_POSITION " OPERATOR(pg_catalog.>) ");
        rb_statement_number(sql, first);
        rb_statement_add(sql, " AND " RB_LOAD_POSITION " OPERATOR(pg_catalog.<=) ");
        rb_statement_number(sql, end);
    }
    if (upsert && !run->is_plain) {
        rb_statement_add(sql, " ORDER BY ");
        rb_upsert_add_key(run);
        rb_statement_add(sql, run->is_numbered ? ", " RB_LOAD_POSITION " DESC" : ", ctid DESC");
    } else if (!upsert) {
        rb_statement_add(sql, " ORDER BY " RB_LOAD_POSITION);
    }
    if (upsert) {
        rb_upsert_add_conflict(run);
    }
    rb_statement_as_ours(sql, run->load->target->runs_sql);
    int64_t affected = 0;
    int status = rb_statement_exec(sql, run->dest, &affected, err);
    run->load->affected += status == 0 ? affected : 0;
    return status;
}

/* One cast of one row; 1: it is refused. */
static int try_cast(struct rb_loading *run, size_t column, int64_t position, struct rb_error *err)
{
    struct rb_conn *conn = run->dest->conn;
    struct rb_error own;
    rb_error_clear(&own);
    int status = rb_query_exec(conn, "SAVEPOINT rapidbyte_cast", err);
    if (status < 0) {
        return status;
    }
    rb_statement_begin(&run->sql, "SELECT ", &own);
    rb_cast_add(run, &run->sql, column);
    rb_statement_add(&run->sql, " FROM " RB_LOAD_TEMPORARY " WHERE " RB_LOAD_POSITION " = ");
    rb_statement_number(&run->sql, position);
    int tried = rb_statement_exec(&run->sql, run->dest, NULL, &own);
    if (tried < 0 && !rb_conn_is_usable(conn)) {
        if (err != NULL) {
            *err = own;
        }
        return tried;
    }
    status = rb_query_exec(conn,
                           "ROLLBACK TO SAVEPOINT rapidbyte_cast; "
                           "RELEASE SAVEPOINT rapidbyte_cast",
                           err);
    return status < 0 ? status : tried < 0;
}

/* The server does not say which of the casts of an INSERT … SELECT failed. */
static int name_column(struct rb_loading *run, int64_t position, struct rb_error *why,
                       struct rb_error *err)
{
    for (size_t i = 0; i < run->columns.n; i++) {
        int status = run->load->mapping->cast[i] ? try_cast(run, i, position, err) : 0;
        if (status < 0) {
            return status;
        }
        if (status > 0) {
            rb_error_prefix(why, "column \"%s\"", run->columns.items[i].name);
            return 0;
        }
    }
    return 0;
}

/* " (a = 1)": of the row's key, or the first words of it. */
static int describe_key(struct rb_loading *run, int64_t position, struct rb_buf *ret,
                        struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    size_t n = rb_json_count(run->load->row_key);
    rb_statement_begin(&run->sql, "SELECT ", err);
    for (size_t i = 0; i < n; i++) {
        const char *name = rb_json_text(rb_json_item(run->load->row_key, i), "");
        if (rb_loading_column(run, name) == SIZE_MAX) {
            return 0;
        }
        rb_statement_add(&run->sql, i > 0 ? ", left(" : "left(");
        rb_statement_name(&run->sql, name);
        rb_statement_add(&run->sql, "::text, 64)");
    }
    rb_statement_add(&run->sql, " FROM " RB_LOAD_TEMPORARY " WHERE " RB_LOAD_POSITION " = ");
    rb_statement_number(&run->sql, position);
    int status = rb_statement_end(&run->sql);
    status = n == 0 || status < 0 ? status
                                  : rb_query_run(run->dest->conn, rb_buf_str(&run->sql.text), NULL,
                                                 0, RB_QUERY_TEXT, &r, err);
    for (size_t i = 0; status == 0 && i < n && r.n_rows > 0; i++) {
        const char *value = rb_query_text(&r, 0, i);
        status = rb_buf_printf(ret, "%s%s = %s%s", i > 0 ? ", " : " (",
                               rb_json_text(rb_json_item(run->load->row_key, i), ""),
                               value != NULL ? value : "NULL", i + 1 == n ? ")" : "");
    }
    return status;
}

static int reject_row(void *self, int64_t row, const struct rb_error *why, struct rb_error *err)
{
    struct rb_loading *run = self;
    struct rb_error named = *why;
    RB_CLEANUP(rb_buf_release) struct rb_buf key = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    int status = name_column(run, row + 1, &named, err);
    if (status < 0) {
        return status;
    }
    if (run->rejects.policy != RB_REJECT_FAIL) {
        status = rb_rejects_staged(&run->rejects, row + 1, &named, err);
        return status < 0 || !rb_upsert_is(run) ? status : rb_upsert_drop_row(run, row + 1, err);
    }
    status = describe_key(run, row + 1, &key, err);
    if (status < 0) {
        return status;
    }
    rb_error_prefix(&named, "row %lld%s", (long long)row + 1, rb_buf_str(&key));
    if (err != NULL) {
        *err = named;
    }
    return named.status;
}

/* In windows under savepoints. The rows lie in order of their positions, which is what this index
 * takes; the planner has to be told so. */
static int move_by_range(struct rb_loading *run, struct rb_error *err)
{
    const struct rb_range range = {
        .dest = run->dest,
        .self = run,
        .window = WINDOW_ROWS,
        .load = move_rows,
        .reject = reject_row,
    };
    /* Before any row is refused: which ones are left out must not depend on how they are divided.
     */
    int status = rb_upsert_is(run) ? rb_upsert_drop_superseded(run, err) : 0;
    status = status < 0
                 ? status
                 : rb_query_exec(run->dest->conn,
                                 "CREATE INDEX ON " RB_LOAD_TEMPORARY
                                 " USING brin (" RB_LOAD_POSITION ") WITH (pages_per_range = 16); "
                                 "ANALYZE " RB_LOAD_TEMPORARY " (" RB_LOAD_POSITION ")",
                                 err);
    return status < 0 ? status : rb_range_load(&range, 0, rb_encoder_row_count(run->encoder), err);
}

/* All rows at once, behind a savepoint. An upsert sorts them to leave out those that a later one
 * with the same key supersedes; not where the source's own key says that there are none, and the
 * server does not say otherwise. */
static int move_at_once(struct rb_loading *run, struct rb_error *err)
{
    static const char same_key_twice[] = "21000"; /* cardinality_violation */
    struct rb_error own;
    rb_error_clear(&own);
    int64_t suspect;
    run->is_plain = run->load->key_comes_once;
    int status = move_rows(run, "", 0, INT64_MAX, &suspect, &own);
    if (status < 0 && run->is_plain && strcmp(own.sqlstate, same_key_twice) == 0 &&
        rb_query_exec(run->dest->conn, UNDO_MOVE, NULL) == 0) {
        run->is_plain = false;
        return move_rows(run, "", 0, INT64_MAX, &suspect, err);
    }
    run->is_plain = false;
    if (status < 0 && err != NULL) {
        *err = own;
    }
    return status;
}

static int move_all(struct rb_loading *run, struct rb_error *err)
{
    struct rb_conn *conn = run->dest->conn;
    int status = rb_upsert_is(run) ? rb_upsert_reject_null_keys(run, err) : 0;
    if (status < 0) {
        return status;
    }
    if (run->rejects.policy != RB_REJECT_FAIL) {
        return move_by_range(run, err);
    }
    struct rb_error own;
    rb_error_clear(&own);
    status = rb_query_exec(conn, SAVE_MOVE, err);
    if (status < 0) {
        return status;
    }
    status = move_at_once(run, &own);
    if (status == RB_EDATA && rb_conn_is_usable(conn) &&
        rb_query_exec(conn, UNDO_MOVE, NULL) == 0 && rb_temporary_number(run, NULL) == 0) {
        /* Once more, to name the row; where it is one that a later one supersedes, all are in. */
        return move_by_range(run, err);
    }
    if (status < 0 && err != NULL) {
        *err = own;
    }
    return status;
}

int rb_temporary_move(struct rb_loading *run, struct rb_error *err)
{
    int status = rb_cast_begin(run, err);
    run->staged = run->sent;
    status = status < 0 ? status : move_all(run, err);
    status = status < 0 || !rb_upsert_is(run) ? status : rb_upsert_check(run, err);
    return status < 0 ? status : rb_cast_end(run, err);
}
