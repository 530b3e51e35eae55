/* Tables that joined a partitioned one since the last run: rows of theirs below the cursor are not
 * new by its rule, but were never read. */
#include <stdio.h>

#include "connectors/postgres/common/query.h"
#include "connectors/postgres/common/quote.h"
#include "connectors/postgres/source/cursor_sql.h"
#include "connectors/postgres/source/select.h"
#include "gen/connectors/postgres/source/sql.h"

/* The columns of leaves.sql. */
enum { L_OID = 1, L_SCHEMA, L_NAME, L_READABLE };

/* FROM the leaf; or where it can only be read through its parent, from there. */
static int put_from(const struct rb_cursor *cursor, const struct rb_query_result *leaves,
                    size_t row, struct rb_buf *sql, struct rb_error *err)
{
    if (!rb_query_bool(leaves, row, L_READABLE)) {
        int r = rb_select_from(cursor->table, cursor->where, sql, err);
        if (r == 0 &&
            rb_buf_printf(sql, " AND tableoid OPERATOR(pg_catalog.=) %lld::pg_catalog.oid",
                          (long long)rb_query_int(leaves, row, L_OID, 0)) < 0) {
            r = rb_cursor_no_memory(err);
        }
        return r;
    }
    return rb_select_from_named(rb_query_text(leaves, row, L_SCHEMA),
                                rb_query_text(leaves, row, L_NAME), cursor->where, sql, err);
}

/* Refuses a leaf with rows that the condition would leave out. */
static int check_leaf(struct rb_cursor *cursor, struct rb_conn *conn,
                      const struct rb_query_result *leaves, size_t row, const char *condition,
                      struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf sql = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    rb_query_result_init(&rows);
    cursor->touched = true;
    bool no_nulls = cursor->nulls != RB_CURSOR_NULLS_INCLUDE && cursor->may_be_null;
    int r = rb_buf_append_str(&sql, "SELECT EXISTS (SELECT");
    r = r < 0 ? rb_cursor_no_memory(err) : put_from(cursor, leaves, row, &sql, err);
    if (r == 0 &&
        rb_buf_printf(&sql, " AND (%s) IS NOT TRUE%s%s%s)", condition, no_nulls ? " AND " : "",
                      no_nulls ? rb_buf_str(&cursor->expression) : "",
                      no_nulls ? " IS NOT NULL" : "") < 0) {
        r = rb_cursor_no_memory(err);
    }
    r = r < 0 ? r : rb_cursor_query(cursor, conn, rb_buf_str(&sql), &rows, err);
    if (r < 0 || !rb_query_bool(&rows, 0, 0)) {
        return r;
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf what = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    r = rb_buf_printf(&what,
                      "its partition \"%s\".\"%s\", which was attached or rewritten since the last "
                      "run and has rows below the cursor",
                      rb_query_text(leaves, row, L_SCHEMA), rb_query_text(leaves, row, L_NAME));
    return r < 0 ? rb_cursor_no_memory(err) : rb_cursor_refuse(cursor, rb_buf_str(&what), err);
}

int rb_cursor_check_leaves(struct rb_cursor *cursor, struct rb_conn *conn, const char *condition,
                           struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result leaves;
    RB_CLEANUP(rb_buf_release) struct rb_buf known = RB_BUF_INIT(RB_CURSOR_RESUME_MAX);
    rb_query_result_init(&leaves);
    const struct rb_table *table = cursor->table;
    if (!table->has_xmin || (table->kind == 'r' && !table->has_children)) {
        return 0;
    }
    char oid[24];
    snprintf(oid, sizeof oid, "%lu", (unsigned long)table->oid);
    struct rb_json_value kept = rb_json_get(cursor->resume, "leaves");
    size_t len = 0;
    const char *text = rb_json_is_absent(kept) ? NULL : rb_json_source(kept, &len);
    if (text != NULL && rb_buf_append(&known, text, len) < 0) {
        return rb_cursor_no_memory(err);
    }
    struct rb_query_param params[] = {
        rb_query_text_param(oid), rb_query_text_param(text != NULL ? rb_buf_str(&known) : NULL)};
    int r = rb_query_run(conn, rb_sql_leaves, params, 2, RB_QUERY_TEXT, &leaves, err);
    const char *now = r < 0 ? NULL : rb_query_text(&leaves, 0, L_OID);
    if (now != NULL && rb_buf_append_str(&cursor->leaves, now) < 0) {
        return rb_cursor_no_memory(err);
    }
    for (size_t i = 1; r == 0 && i < leaves.n_rows; i++) {
        r = check_leaf(cursor, conn, &leaves, i, condition, err);
    }
    return r;
}
