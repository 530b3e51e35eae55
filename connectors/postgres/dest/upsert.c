/* What an upsert has beyond other loads that go by a temporary table: its key. */
#include <string.h>

#include "connectors/postgres/dest/load.h"
#include "gen/connectors/postgres/dest/sql.h"

bool rb_upsert_is(const struct rb_loading *run)
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

static bool is_key(const struct rb_loading *run, const char *name)
{
    for (size_t i = 0; i < key_count(run); i++) {
        if (strcmp(key_name(run, i), name) == 0) {
            return true;
        }
    }
    return false;
}

static enum rb_cast key_cast(const struct rb_loading *run, size_t i)
{
    size_t at = rb_loading_column(run, key_name(run, i));
    return at == SIZE_MAX ? RB_CAST_NONE : run->load->mapping->cast[at];
}

/* Which values are the same key, and which comes first, is decided by the target's collation. */
static void add_collation(struct rb_loading *run, size_t i)
{
    const struct rb_target *target = run->load->target;
    const char *collation = rb_query_text(
        &target->columns, rb_target_column(target, key_name(run, i)), RB_TARGET_COLLATION);
    if (collation != NULL) {
        rb_statement_add(&run->sql, " COLLATE ");
        rb_statement_add(&run->sql, collation);
    }
}

void rb_upsert_add_key(struct rb_loading *run)
{
    for (size_t i = 0; i < key_count(run); i++) {
        rb_statement_add(&run->sql, i > 0 ? ", " : "");
        rb_cast_add(run, &run->sql, rb_loading_column(run, key_name(run, i)));
        add_collation(run, i);
    }
}

/* A key's column is set, too, where equal values of it may differ (1.0 and 1.00). */
static bool is_set(const struct rb_loading *run, const char *name)
{
    const struct rb_target *target = run->load->target;
    return !is_key(run, name) ||
           rb_query_bool(&target->columns, rb_target_column(target, name), RB_TARGET_INEXACT);
}

void rb_upsert_add_conflict(struct rb_loading *run)
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
        if (!is_set(run, name)) {
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

/* Runs run->sql, which takes rows out of the temporary table. */
static int remove_rows(struct rb_loading *run, struct rb_error *err)
{
    int64_t removed = 0;
    int status = rb_statement_exec(&run->sql, run->dest, &removed, err);
    run->staged -= status == 0 ? removed : 0;
    return status;
}

int rb_upsert_drop_row(struct rb_loading *run, int64_t position, struct rb_error *err)
{
    rb_statement_begin(&run->sql, "DELETE FROM " RB_LOAD_TEMPORARY " WHERE " RB_LOAD_POSITION " = ",
                       err);
    rb_statement_number(&run->sql, position);
    return remove_rows(run, err);
}

int rb_upsert_drop_superseded(struct rb_loading *run, struct rb_error *err)
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
        /* Not by what it is cast to: a row whose cast fails is still to be found. */
        if (key_cast(run, i) == RB_CAST_NONE) {
            add_collation(run, i);
        }
    }
    rb_statement_add(sql, " ORDER BY " RB_LOAD_POSITION ") AS later FROM " RB_LOAD_TEMPORARY
                          ") AS s WHERE later IS NOT NULL)");
    return remove_rows(run, err);
}

static void add_null_key(struct rb_loading *run)
{
    for (size_t i = 0; i < key_count(run); i++) {
        rb_statement_add(&run->sql, i > 0 ? " OR " : "");
        if (key_cast(run, i) == RB_CAST_NULL) {
            rb_cast_add(run, &run->sql, rb_loading_column(run, key_name(run, i)));
        } else {
            rb_statement_name(&run->sql, key_name(run, i));
        }
        rb_statement_add(&run->sql, " IS NULL");
    }
}

/* The positions (where there are none: something instead) of rows with NULL in their key; with
 * `first` of one alone. */
static int find_null_keys(struct rb_loading *run, bool first, struct rb_query_result *ret,
                          struct rb_error *err)
{
    rb_statement_begin(&run->sql, run->is_numbered ? "SELECT " RB_LOAD_POSITION : "SELECT 0", err);
    rb_statement_add(&run->sql, " FROM " RB_LOAD_TEMPORARY " WHERE ");
    add_null_key(run);
    rb_statement_add(&run->sql, first ? " LIMIT 1" : " ORDER BY 1");
    int status = rb_statement_end(&run->sql);
    return status < 0 ? status
                      : rb_query_run(run->dest->conn, rb_buf_str(&run->sql.text), NULL, 0,
                                     RB_QUERY_TEXT, ret, err);
}

int rb_upsert_reject_null_keys(struct rb_loading *run, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    bool fail = run->rejects.policy == RB_REJECT_FAIL;
    int status = find_null_keys(run, fail, &r, err);
    if (status == 0 && r.n_rows > 0 && !run->is_numbered) {
        status = rb_temporary_number(run, err);
        status = status < 0 ? status : find_null_keys(run, fail, &r, err);
    }
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
    return status < 0 ? status : remove_rows(run, err);
}

/* The operators by which the key's columns are equal, one a row. */
static int find_equality(struct rb_loading *run, struct rb_query_result *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf names = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    struct rb_json json;
    rb_json_init(&json, &names);
    rb_json_begin_array(&json);
    for (size_t i = 0; i < key_count(run); i++) {
        const struct rb_target *target = run->load->target;
        size_t at = rb_target_column(target, key_name(run, i));
        rb_json_str(&json, rb_query_text(&target->columns, at, RB_TARGET_BARE_TYPE));
    }
    rb_json_end_array(&json);
    if (rb_json_finish(&json) < 0) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no room for the statement's text");
    }
    const char *param = rb_buf_str(&names);
    return rb_dest_query(run->dest, rb_sql_key_equality, &param, 1, ret, err);
}

/* "t.a = s.k0 AND …": as the target's unique index compares them, whatever operator of that name
 * the search path has. */
static void add_equal_keys(struct rb_loading *run, const struct rb_query_result *equality)
{
    for (size_t i = 0; i < key_count(run); i++) {
        rb_statement_add(&run->sql, i > 0 ? " AND t." : "t.");
        rb_statement_name(&run->sql, key_name(run, i));
        rb_statement_add(&run->sql, " ");
        rb_statement_add(&run->sql, rb_query_text(equality, i, 0));
        rb_statement_add(&run->sql, " s.k");
        rb_statement_number(&run->sql, (int64_t)i);
    }
}

/* "t.a, t.b" of the target, or "s.c0, s.c1". */
static void add_columns(struct rb_loading *run, bool by_name)
{
    for (size_t i = 0; i < run->columns.n; i++) {
        rb_statement_add(&run->sql, i > 0 ? ", " : "");
        rb_statement_add(&run->sql, by_name ? "t." : "s.c");
        if (by_name) {
            rb_statement_name(&run->sql, run->columns.items[i].name);
        } else {
            rb_statement_number(&run->sql, (int64_t)i);
        }
    }
}

/* Rows whose key the table does not have, or has in a row that this transaction did not write and
 * that differs: an update of it was kept back. */
static int count_lost(struct rb_loading *run, int64_t *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    RB_CLEANUP(rb_query_result_release) struct rb_query_result equality;
    rb_query_result_init(&r);
    rb_query_result_init(&equality);
    int status = find_equality(run, &equality, err);
    if (status < 0) {
        return status;
    }
    struct rb_statement *sql = &run->sql;
    rb_statement_begin(sql, "SELECT count(*) FROM (SELECT ", err);
    for (size_t i = 0; i < key_count(run); i++) {
        rb_cast_add(run, sql, rb_loading_column(run, key_name(run, i)));
        add_collation(run, i);
        rb_statement_add(sql, " AS k");
        rb_statement_number(sql, (int64_t)i);
        rb_statement_add(sql, ", ");
    }
    for (size_t i = 0; i < run->columns.n; i++) {
        rb_statement_add(sql, i > 0 ? ", " : "");
        rb_cast_add(run, sql, i);
        rb_statement_add(sql, " AS c");
        rb_statement_number(sql, (int64_t)i);
    }
    rb_statement_add(sql, " FROM " RB_LOAD_TEMPORARY ") s WHERE NOT EXISTS (SELECT FROM ");
    rb_statement_add(sql, run->load->target->relation);
    rb_statement_add(sql, " t WHERE ");
    add_equal_keys(run, &equality);
    /* A savepoint's number is above its transaction's: its age is below 0. */
    rb_statement_add(sql, " AND (age(t.xmin) BETWEEN -1073741824 AND 0 OR ROW(");
    add_columns(run, true);
    rb_statement_add(sql, ")::record *= ROW(");
    add_columns(run, false);
    rb_statement_add(sql, ")::record))");
    status = rb_statement_end(sql);
    status = status < 0 ? status
                        : rb_dest_query_once(run->dest, rb_buf_str(&sql->text), NULL, 0, &r, err);
    if (status == 0) {
        *ret = rb_query_int(&r, 0, 0, -1);
    }
    return status;
}

/* How many keys there are in the temporary table. */
static int count_keys(struct rb_loading *run, int64_t *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    rb_statement_begin(&run->sql, "SELECT count(*) FROM (SELECT DISTINCT ", err);
    rb_upsert_add_key(run);
    rb_statement_add(&run->sql, " FROM " RB_LOAD_TEMPORARY ") k");
    int status = rb_statement_end(&run->sql);
    status = status < 0
                 ? status
                 : rb_dest_query_once(run->dest, rb_buf_str(&run->sql.text), NULL, 0, &r, err);
    if (status == 0) {
        *ret = rb_query_int(&r, 0, 0, run->staged);
    }
    return status;
}

int rb_upsert_check(struct rb_loading *run, struct rb_error *err)
{
    bool unique = run->rejects.policy != RB_REJECT_FAIL; /* each key comes once already */
    int64_t lost = 0;
    int status = 0;
    run->load->present = run->staged;
    if (run->load->affected == run->staged) {
        return 0;
    }
    if (!unique && !run->is_numbered) {
        status = count_lost(run, &lost, err);
        if (status < 0 || lost == 0) { /* nor would there be any among fewer rows */
            return status < 0 ? status : count_keys(run, &run->load->present, err);
        }
        status = rb_temporary_number(run, err);
    }
    if (status == 0 && !unique) {
        status = rb_upsert_drop_superseded(run, err);
    }
    run->load->present = run->staged;
    if (status < 0 || run->load->affected == run->staged) {
        return status;
    }
    status = count_lost(run, &lost, err);
    if (status == 0 && lost != 0) {
        status = rb_error_set(err, RB_EDATA, "VERIFY_MISMATCH",
                              "%lld of %lld rows upserted are not in the table: does a trigger of "
                              "it leave rows out?",
                              (long long)lost, (long long)run->sent);
    }
    return status;
}
