/* Rows that take their way by a temporary table, because they have to be de-duplicated (upsert) or
 * cast (types that travel as text): COPY and INSERT fill it, one INSERT … SELECT empties it. */
#include <string.h>

#include "connectors/postgres/dest/load.h"
#include "gen/connectors/postgres/dest/sql.h"

enum { WINDOW_ROWS = 4 * 1024 }; /* of one INSERT … SELECT where rows may be refused */

int rb_temporary_create(struct rb_loading *run, struct rb_error *err)
{
    struct rb_statement *sql = &run->sql;
    rb_statement_begin(sql, "CREATE TEMPORARY TABLE rapidbyte_in (", err);
    for (size_t i = 0; i < run->columns.n; i++) {
        const struct rb_column *column = &run->columns.items[i];
        rb_statement_name(sql, column->name);
        rb_statement_add(sql, " ");
        rb_statement_add(sql, column->form == RB_FORM_TEXT ? "text" : column->declared);
        rb_statement_add(sql, ", ");
    }
    rb_statement_add(sql, RB_LOAD_POSITION " bigint GENERATED ALWAYS AS IDENTITY) ON COMMIT DROP");
    return rb_statement_exec(sql, run->dest, NULL, err);
}

void rb_temporary_add_position(struct rb_statement *sql, int64_t position)
{
    /* A sequence does not go back with what is rolled back. */
    rb_statement_add(sql, "SELECT setval(pg_get_serial_sequence('" RB_LOAD_TEMPORARY
                          "', " RB_LOAD_POSITION_TEXT "), ");
    rb_statement_number(sql, position);
    rb_statement_add(sql, ", false); ");
}

static bool is_upsert(const struct rb_loading *run)
{
    return !rb_json_is_absent(run->load->primary_key);
}

static const char *key_name(const struct rb_loading *run, size_t i)
{
    return rb_json_text(rb_json_item(run->load->primary_key, i), "");
}

static size_t key_count(const struct rb_loading *run)
{
    return rb_json_count(run->load->primary_key);
}

static void add_key_values(struct rb_loading *run)
{
    for (size_t i = 0; i < key_count(run); i++) {
        rb_statement_add(&run->sql, i > 0 ? ", " : "");
        rb_cast_add(run, &run->sql, rb_loading_column(run, key_name(run, i)));
    }
}

static void add_null_key(struct rb_loading *run)
{
    for (size_t i = 0; i < key_count(run); i++) {
        rb_statement_add(&run->sql, i > 0 ? " OR " : "");
        rb_statement_name(&run->sql, key_name(run, i));
        rb_statement_add(&run->sql, " IS NULL");
    }
}

static bool is_key(const struct rb_loading *run, const char *name)
{
    for (size_t i = 0; i < key_count(run); i++) {
        if (strcmp(key_name(run, i), name) == 0) {
            return true;
        }
    }
    return false;
}

static void add_conflict(struct rb_loading *run)
{
    struct rb_statement *sql = &run->sql;
    bool any = false;
    rb_statement_add(sql, " ON CONFLICT (");
    for (size_t i = 0; i < key_count(run); i++) {
        rb_statement_add(sql, i > 0 ? ", " : "");
        rb_statement_name(sql, key_name(run, i));
    }
    for (size_t i = 0; i < run->columns.n; i++) {
        const char *name = run->columns.items[i].name;
        if (is_key(run, name)) {
            continue;
        }
        rb_statement_add(sql, any ? ", " : ") DO UPDATE SET ");
        rb_statement_name(sql, name);
        rb_statement_add(sql, " = EXCLUDED.");
        rb_statement_name(sql, name);
        any = true;
    }
    if (!any) {
        rb_statement_add(sql, ") DO NOTHING");
    }
}

/* Rows of the temporary table that are numbered from `first` + 1 to `end`, into the target. */
static int move_rows(void *self, const char *before, int64_t first, int64_t end,
                     int64_t *ret_suspect, struct rb_error *err)
{
    struct rb_loading *run = self;
    struct rb_statement *sql = &run->sql;
    bool upsert = is_upsert(run);
    (void)ret_suspect;
    rb_statement_begin(sql, before, err);
    rb_statement_add(sql, "INSERT INTO ");
    rb_statement_add(sql, run->load->target->relation);
    rb_statement_add(sql, " (");
    rb_statement_names(sql, &run->columns);
    rb_statement_add(sql, ") OVERRIDING SYSTEM VALUE SELECT ");
    if (upsert) {
        rb_statement_add(sql, "DISTINCT ON (");
        add_key_values(run);
        rb_statement_add(sql, ") ");
    }
    for (size_t i = 0; i < run->columns.n; i++) {
        rb_statement_add(sql, i > 0 ? ", " : "");
        rb_cast_add(run, sql, i);
    }
    rb_statement_add(sql, " FROM " RB_LOAD_TEMPORARY);
    if (first > 0 || end < INT64_MAX) {
        rb_statement_add(sql, " WHERE " RB_LOAD_POSITION " > ");
        rb_statement_number(sql, first);
        rb_statement_add(sql, " AND " RB_LOAD_POSITION " <= ");
        rb_statement_number(sql, end);
    }
    rb_statement_add(sql, " ORDER BY ");
    if (upsert) {
        add_key_values(run);
        rb_statement_add(sql, ", " RB_LOAD_POSITION " DESC");
        add_conflict(run);
    } else {
        rb_statement_add(sql, RB_LOAD_POSITION);
    }
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
        return rb_rejects_staged(&run->rejects, row + 1, &named, err);
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

/* Of rows with the same key the last one counts; the others are gone before any is refused, so that
 * which rows are left out does not depend on how they were divided. */
static int drop_superseded(struct rb_loading *run, struct rb_error *err)
{
    struct rb_statement *sql = &run->sql;
    rb_statement_begin(sql,
                       "DELETE FROM " RB_LOAD_TEMPORARY " WHERE " RB_LOAD_POSITION
                       " IN (SELECT p FROM (SELECT " RB_LOAD_POSITION " AS p, "
                       "lead(1) OVER (PARTITION BY ",
                       err);
    for (size_t i = 0; i < key_count(run); i++) {
        rb_statement_add(sql, i > 0 ? ", " : "");
        rb_statement_name(sql, key_name(run, i));
    }
    rb_statement_add(sql, " ORDER BY " RB_LOAD_POSITION ") AS later FROM " RB_LOAD_TEMPORARY
                          ") AS s WHERE later IS NOT NULL)");
    return rb_statement_exec(sql, run->dest, NULL, err);
}

static int reject_null_keys(struct rb_loading *run, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    bool fail = run->rejects.policy == RB_REJECT_FAIL;
    rb_statement_begin(&run->sql, "SELECT " RB_LOAD_POSITION " FROM " RB_LOAD_TEMPORARY " WHERE ",
                       err);
    add_null_key(run);
    rb_statement_add(&run->sql, fail ? " LIMIT 1" : " ORDER BY 1");
    int status = rb_statement_end(&run->sql);
    status = status < 0 ? status
                        : rb_query_run(run->dest->conn, rb_buf_str(&run->sql.text), NULL, 0,
                                       RB_QUERY_TEXT, &r, err);
    if (status < 0 || r.n_rows == 0) {
        return status;
    }
    if (fail) {
        return rb_error_set(err, RB_EDATA, "NULL_IN_KEY",
                            "row %s has NULL in its primary key, by which it would be upserted",
                            rb_query_text(&r, 0, 0));
    }
    struct rb_error why;
    rb_error_set(&why, RB_EDATA, "NULL_IN_KEY",
                 "NULL in the primary key, by which the row would be upserted");
    memcpy(why.sqlstate, "23502", sizeof "23502");
    for (size_t i = 0; status == 0 && i < r.n_rows; i++) {
        status = rb_rejects_staged(&run->rejects, rb_query_int(&r, i, 0, 0), &why, err);
    }
    rb_statement_begin(&run->sql, "DELETE FROM " RB_LOAD_TEMPORARY " WHERE ", err);
    add_null_key(run);
    return status < 0 ? status : rb_statement_exec(&run->sql, run->dest, NULL, err);
}

/* The key's columns, of the target or as numbered ones of a subquery. */
static void add_key_columns(struct rb_loading *run, const char *prefix, bool by_name)
{
    for (size_t i = 0; i < key_count(run); i++) {
        rb_statement_add(&run->sql, i > 0 ? ", " : "");
        rb_statement_add(&run->sql, prefix);
        if (by_name) {
            rb_statement_name(&run->sql, key_name(run, i));
        } else {
            rb_statement_number(&run->sql, (int64_t)i);
        }
    }
}

/* Each key must be in the table: a trigger may have left rows out. Where the server counts as many
 * rows as were sent it is certain; where it counts fewer, keys came twice, or a trigger keeps
 * updates from being made that change nothing. */
static int check_upserted(struct rb_loading *run, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    struct rb_statement *sql = &run->sql;
    if (run->load->affected == run->sent) {
        return 0;
    }
    rb_statement_begin(sql, "SELECT count(*) FROM (SELECT ", err);
    add_key_values(run);
    rb_statement_add(sql, " FROM " RB_LOAD_TEMPORARY ") s (");
    add_key_columns(run, "k", false);
    rb_statement_add(sql, ") WHERE NOT EXISTS (SELECT FROM ");
    rb_statement_add(sql, run->load->target->relation);
    rb_statement_add(sql, " t WHERE (");
    add_key_columns(run, "t.", true);
    rb_statement_add(sql, ") = (");
    add_key_columns(run, "s.k", false);
    rb_statement_add(sql, "))");
    int status = rb_statement_end(sql);
    status =
        status < 0 ? status : rb_dest_query(run->dest, rb_buf_str(&sql->text), NULL, 0, &r, err);
    int64_t lost = rb_query_int(&r, 0, 0, -1);
    if (status == 0 && lost != 0) {
        status = rb_error_set(err, RB_EDATA, "VERIFY_MISMATCH",
                              "%lld of %lld rows upserted are not in the table: does a trigger of "
                              "it leave rows out?",
                              (long long)lost, (long long)run->sent);
    }
    return status;
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
    int status = is_upsert(run) ? drop_superseded(run, err) : 0;
    status = status < 0
                 ? status
                 : rb_query_exec(run->dest->conn,
                                 "CREATE INDEX ON " RB_LOAD_TEMPORARY
                                 " USING brin (" RB_LOAD_POSITION ") WITH (pages_per_range = 16); "
                                 "ANALYZE " RB_LOAD_TEMPORARY " (" RB_LOAD_POSITION ")",
                                 err);
    return status < 0 ? status : rb_range_load(&range, 0, rb_encoder_row_count(run->encoder), err);
}

static int move_all(struct rb_loading *run, struct rb_error *err)
{
    struct rb_conn *conn = run->dest->conn;
    int status = is_upsert(run) ? reject_null_keys(run, err) : 0;
    if (status < 0) {
        return status;
    }
    if (run->rejects.policy != RB_REJECT_FAIL) {
        return move_by_range(run, err);
    }
    struct rb_error own;
    rb_error_clear(&own);
    int64_t suspect;
    status = rb_query_exec(conn, "SAVEPOINT rapidbyte_move", err);
    if (status < 0) {
        return status;
    }
    status = move_rows(run, "", 0, INT64_MAX, &suspect, &own);
    if (status == RB_EDATA && rb_conn_is_usable(conn) &&
        rb_query_exec(conn, "ROLLBACK TO SAVEPOINT rapidbyte_move", NULL) == 0) {
        /* Once more, to name the row. */
        int found = move_by_range(run, err);
        if (found < 0) {
            return found;
        }
    }
    if (status < 0 && err != NULL) {
        *err = own;
    }
    return status < 0 || !is_upsert(run) ? status : check_upserted(run, err);
}

int rb_temporary_move(struct rb_loading *run, struct rb_error *err)
{
    int status = rb_cast_begin(run, err);
    status = status < 0 ? status : move_all(run, err);
    return status < 0 ? status : rb_cast_end(run, err);
}
