/* The condition for new rows. */
#include "connectors/postgres/source/cursor_sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/postgres/common/query.h"
#include "connectors/postgres/source/cursor_kind.h"
#include "connectors/postgres/source/select.h"
#include "gen/connectors/postgres/source/sql.h"
#include "rapidbyte/host.h"

enum { EPOCH_2000_SECS = 946684800 };

int rb_cursor_query(const struct rb_cursor *cursor, struct rb_conn *conn, const char *sql,
                    struct rb_query_result *ret, struct rb_error *err)
{
    return rb_select_runs_sql(cursor->table, cursor->where)
               ? rb_query_run_as_user(conn, sql, NULL, 0, ret, err)
               : rb_query_run(conn, sql, NULL, 0, RB_QUERY_TEXT, ret, err);
}

bool rb_cursor_parse_xid(const char *text, uint64_t *ret)
{
    size_t n = strlen(text);
    if (n == 0 || n > 19 || strspn(text, "0123456789") != n) {
        return false;
    }
    *ret = strtoull(text, NULL, 10);
    return true;
}

int rb_cursor_snapshot(struct rb_conn *conn, uint64_t *ret_xmin, bool *ret_quiet,
                       struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    rb_query_result_init(&rows);
    int r = rb_query_run(conn, rb_sql_snapshot_bounds, NULL, 0, RB_QUERY_TEXT, &rows, err);
    if (r < 0) {
        return r;
    }
    return rb_cursor_bounds(&rows, 0, ret_xmin, ret_quiet, err);
}

int rb_cursor_bounds(const struct rb_query_result *rows, size_t column, uint64_t *ret_xmin,
                     bool *ret_quiet, struct rb_error *err)
{
    const char *xmin = rb_query_text(rows, 0, column), *xmax = rb_query_text(rows, 0, column + 1);
    if (!xmin || !xmax || !rb_cursor_parse_xid(xmin, ret_xmin)) {
        return rb_error_set(err, RB_EPROTOCOL, "PROTOCOL_VIOLATION",
                            "the server gave no number for its oldest transaction");
    }
    *ret_quiet = strcmp(xmin, xmax) == 0;
    return 0;
}

void rb_cursor_literal_init(struct rb_cursor_literal *literal)
{
    *literal = (struct rb_cursor_literal){
        .last = RB_BUF_INIT(RB_CURSOR_SQL_MAX),
        .low = RB_BUF_INIT(RB_CURSOR_SQL_MAX),
    };
}

void rb_cursor_literal_release(struct rb_cursor_literal *literal)
{
    rb_buf_release(&literal->last);
    rb_buf_release(&literal->low);
}

int rb_cursor_quote(const struct rb_cursor_kind *kind, struct rb_conn *conn, const char *text,
                    int64_t lookback, struct rb_cursor_literal *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    rb_query_result_init(&rows);
    char step[24];
    snprintf(step, sizeof step, "%" PRId64, lookback > 0 ? lookback : 0);
    struct rb_query_param params[] = {rb_query_text_param(text), rb_query_text_param(step)};
    int r = rb_query_run(conn, kind->literal_sql, params, 2, RB_QUERY_TEXT, &rows, err);
    if (r < 0) {
        rb_error_prefix(err, "the last cursor as %s", kind->name);
        return r;
    }
    const char *last = rb_query_text(&rows, 0, 0);
    const char *low = lookback < 0 ? NULL : rb_query_text(&rows, 0, 1);
    const char *wire = rb_query_text(&rows, 0, 2);
    rb_buf_clear(&ret->last);
    rb_buf_clear(&ret->low);
    r = rb_buf_printf(&ret->last, "%s::pg_catalog.%s", last ? last : "NULL", kind->type);
    if (r == 0 && low) {
        r = rb_buf_printf(&ret->low, "%s::pg_catalog.%s", low, kind->type);
    }
    /* A negative int64 fills all 16 digits; strtoull takes them as they are. */
    ret->micros = wire ? (int64_t)strtoull(wire, NULL, 16) : 0;
    if (wire &&
        __builtin_add_overflow(ret->micros, EPOCH_2000_SECS * INT64_C(1000000), &ret->micros)) {
        ret->micros = INT64_MAX;
    }
    return r < 0 ? rb_cursor_no_memory(err) : 0;
}

int rb_cursor_below_ceiling(const struct rb_cursor *cursor, struct rb_conn *conn,
                            struct rb_buf *ret)
{
    const struct rb_cursor_kind *kind = cursor->kind;
    const char *e = rb_buf_str(&cursor->expression);
    if (!kind->ceiling) {
        return rb_buf_printf(ret, "%s IS NOT NULL", e);
    }
    bool old = rb_conn_server_version(conn) < 140000 && kind->ceiling12;
    return rb_buf_printf(ret, "%s OPERATOR(pg_catalog.<) %s::pg_catalog.%s", e,
                         old ? kind->ceiling12 : kind->ceiling, kind->type);
}

/* Appends "age(xmin) BETWEEN 0 AND age(prevxmin) AND xmin <> ALL (seen)". A frozen row keeps its
 * number, whose age is negative once 2^31 transactions have passed. */
static int put_late(const struct rb_cursor *cursor, struct rb_buf *ret, struct rb_error *err)
{
    uint64_t prev = 0;
    struct rb_json_value seen = rb_json_get(cursor->resume, "seen");
    size_t n = rb_json_count(seen);
    bool ok =
        rb_cursor_parse_xid(rb_json_text(rb_json_get(cursor->resume, "prevxmin"), ""), &prev) &&
        n <= RB_CURSOR_SEEN_MAX;
    int r = rb_buf_printf(ret, RB_CURSOR_OPEN_SINCE " AND xmin OPERATOR(pg_catalog.<>) ALL ('{",
                          (uint32_t)prev);
    for (size_t i = 0; ok && r == 0 && i < n; i++) {
        uint64_t xid = 0;
        ok =
            rb_cursor_parse_xid(rb_json_text(rb_json_item(seen, i), ""), &xid) && xid <= UINT32_MAX;
        r = rb_buf_printf(ret, "%s%" PRIu32, i ? "," : "", (uint32_t)xid);
    }
    if (!ok) {
        return rb_error_set(err, RB_ECONNECTOR, "BAD_CURSOR",
                            "the kept cursor is not one this connector wrote");
    }
    r = r < 0 ? r : rb_buf_append_str(ret, "}'::pg_catalog.xid[])");
    return r < 0 ? rb_cursor_no_memory(err) : 0;
}

/* A table: what lies above, and what came late within the window. */
static int condition_table(const struct rb_cursor *cursor, const char *above, const char *low,
                           struct rb_buf *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf late = RB_BUF_INIT(RB_CURSOR_SQL_MAX);
    const char *e = rb_buf_str(&cursor->expression);
    int r = put_late(cursor, &late, err);
    if (r < 0) {
        return r;
    }
    const char *l = rb_buf_str(&late);
    r = *low ? rb_buf_printf(ret, "%s OPERATOR(pg_catalog.>=) %s AND (%s OR %s)", e, low, above, l)
             : rb_buf_printf(ret, "(%s OR %s IS NOT NULL AND %s)", above, e, l);
    if (r == 0 && cursor->may_be_null && cursor->nulls == RB_CURSOR_NULLS_INCLUDE) {
        r = rb_buf_printf(ret, " OR %s IS NULL AND %s", e, l);
    }
    return r < 0 ? rb_cursor_no_memory(err) : 0;
}

/* No transaction's number: an upsert may read rows again, an append may not. */
static int condition_view(const struct rb_cursor *cursor, const char *above, const char *low,
                          struct rb_buf *ret, struct rb_error *err)
{
    const char *e = rb_buf_str(&cursor->expression);
    int r;
    if (!cursor->upsert) {
        r = rb_buf_append_str(ret, above);
    } else {
        r = *low ? rb_buf_printf(ret, "%s OPERATOR(pg_catalog.>=) %s", e, low)
                 : rb_buf_printf(ret, "%s IS NOT NULL", e);
        if (r == 0 && cursor->may_be_null && cursor->nulls == RB_CURSOR_NULLS_INCLUDE) {
            r = rb_buf_printf(ret, " OR %s IS NULL", e);
        }
    }
    return r < 0 ? rb_cursor_no_memory(err) : 0;
}

/* The window that was promised when the last cursor was taken: what it has seen covers no more. A
 * cursor that is a value alone (the operator's, another host's) has the stream's own. */
static int64_t kept_lookback(const struct rb_cursor *cursor, bool resumes)
{
    if (!resumes) {
        return cursor->lookback_full ? -1 : cursor->lookback;
    }
    return rb_json_int(rb_json_get(cursor->resume, "lookback"), -1);
}

int rb_cursor_condition(const struct rb_cursor *cursor, struct rb_conn *conn, struct rb_buf *ret,
                        struct rb_buf *ret_above, struct rb_error *err)
{
    bool resumes = !rb_json_is_absent(cursor->resume);
    const char *e = rb_buf_str(&cursor->expression);
    RB_CLEANUP(rb_cursor_literal_release) struct rb_cursor_literal literal;
    rb_cursor_literal_init(&literal);
    if (cursor->has_last) {
        int r = rb_cursor_quote(cursor->kind, conn, rb_buf_str(&cursor->last),
                                kept_lookback(cursor, resumes), &literal, err);
        if (r < 0) {
            return r;
        }
        if (rb_buf_printf(ret_above, "%s OPERATOR(pg_catalog.>) %s AND ", e,
                          rb_buf_str(&literal.last)) < 0) {
            return rb_cursor_no_memory(err);
        }
    }
    if (rb_cursor_below_ceiling(cursor, conn, ret_above) < 0) {
        return rb_cursor_no_memory(err);
    }
    if (!resumes && !cursor->has_last) {
        bool left_out = cursor->nulls == RB_CURSOR_NULLS_EXCLUDE && cursor->may_be_null;
        int r = left_out ? rb_buf_printf(ret, "%s IS NOT NULL", e) : 0;
        return r < 0 ? rb_cursor_no_memory(err) : 0;
    }
    const char *above = rb_buf_str(ret_above), *low = rb_buf_str(&literal.low);
    return resumes && cursor->table->has_xmin ? condition_table(cursor, above, low, ret, err)
                                              : condition_view(cursor, above, low, ret, err);
}
