/* The new cursor, and what the next run needs to know. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/postgres/common/query.h"
#include "connectors/postgres/common/quote.h"
#include "connectors/postgres/common/settings.h"
#include "connectors/postgres/source/cursor_kind.h"
#include "connectors/postgres/source/cursor_sql.h"
#include "connectors/postgres/source/select.h"
#include "rapidbyte/host.h"

struct next {
    bool has_newest, has_bounds;
    uint64_t xmin;        /* of the snapshot */
    bool quiet;           /* it shows all that ever began */
    struct rb_buf newest; /* text */
    struct rb_cursor_literal literal;
    struct rb_query_result seen;
    struct rb_buf value_json, resume_json;
};

static void next_init(struct next *next)
{
    *next = (struct next){0};
    next->newest = RB_BUF_INIT(RB_CURSOR_TEXT_MAX);
    next->value_json = RB_BUF_INIT(RB_CURSOR_RESUME_MAX);
    next->resume_json = RB_BUF_INIT(RB_CURSOR_RESUME_MAX);
    rb_cursor_literal_init(&next->literal);
    rb_query_result_init(&next->seen);
}

static void next_release(struct next *next)
{
    rb_buf_release(&next->newest);
    rb_buf_release(&next->value_json);
    rb_buf_release(&next->resume_json);
    rb_cursor_literal_release(&next->literal);
    rb_query_result_release(&next->seen);
}

/* Replaces the newest by the text of the largest cursor above the last one, if there is one; with
 * it come the bounds of the snapshot, which are asked for alone otherwise. */
static int find_newest(const struct rb_cursor *cursor, struct rb_conn *conn, const char *above,
                       struct next *next, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf sql = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    rb_query_result_init(&rows);
    const char *e = rb_buf_str(&cursor->expression);
    /* The cast stands outside: ORDER BY would take it for the column otherwise. */
    bool runs_sql = rb_select_runs_sql(cursor->table, cursor->where);
    int r = rb_buf_append_str(&sql, "SELECT ");
    r = r < 0 || !runs_sql ? r : rb_settings_begin_text(&sql);
    r = r < 0 ? r : rb_buf_append_str(&sql, "newest::pg_catalog.text");
    r = r < 0 || !runs_sql ? r : rb_settings_end_text(&sql);
    r = r < 0
            ? r
            : rb_buf_printf(&sql,
                            ", pg_catalog.txid_snapshot_xmin(pg_catalog.txid_current_snapshot()), "
                            "pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()) "
                            "FROM %s%s(SELECT %s AS newest",
                            runs_sql ? rb_settings_from : "", runs_sql ? ", " : "", e);
    r = r < 0 ? rb_cursor_no_memory(err) : rb_select_from(cursor->table, cursor->where, &sql, err);
    if (r < 0) {
        return r;
    }
    /* Not max(): uuid has none, and an index serves this as well. */
    if (rb_buf_printf(&sql, " AND %s ORDER BY %s DESC LIMIT 1) t", above, e) < 0) {
        return rb_cursor_no_memory(err);
    }
    r = rb_cursor_query(cursor, conn, rb_buf_str(&sql), &rows, err);
    const char *found = r < 0 ? NULL : rb_query_text(&rows, 0, 0);
    if (found && cursor->table->has_xmin) {
        next->has_bounds = true;
        r = rb_cursor_bounds(&rows, 1, &next->xmin, &next->quiet, err);
    }
    if (r == 0 && found) {
        next->has_newest = true;
        rb_buf_clear(&next->newest);
        r = rb_buf_append_str(&next->newest, found);
        if (r < 0) {
            return rb_error_set(err, RB_EDATA, "CURSOR_TOO_LONG",
                                "a value of cursor column \"%s\" is longer than %d bytes",
                                cursor->field, RB_CURSOR_TEXT_MAX);
        }
    }
    return r;
}

int rb_cursor_find_seen(const struct rb_cursor *cursor, struct rb_conn *conn, const char *low,
                        uint64_t xmin, struct rb_query_result *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf sql = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    const char *e = rb_buf_str(&cursor->expression);
    int r = rb_buf_append_str(&sql, "SELECT DISTINCT xmin::pg_catalog.text");
    r = r < 0 ? rb_cursor_no_memory(err) : rb_select_from(cursor->table, "", &sql, err);
    if (r == 0 && *low) {
        r = cursor->may_be_null
                ? rb_buf_printf(&sql, " AND (%s OPERATOR(pg_catalog.>=) %s OR %s IS NULL)", e, low,
                                e)
                : rb_buf_printf(&sql, " AND %s OPERATOR(pg_catalog.>=) %s", e, low);
    }
    if (r == 0) {
        r = rb_buf_printf(&sql, " AND " RB_CURSOR_OPEN_SINCE " LIMIT %d", (uint32_t)xmin,
                          RB_CURSOR_SEEN_MAX + 1);
    }
    if (r < 0) {
        return rb_cursor_no_memory(err);
    }
    r = rb_cursor_query(cursor, conn, rb_buf_str(&sql), ret, err);
    if (r == 0 && ret->n_rows > RB_CURSOR_SEEN_MAX) {
        rb_error_set(
            err, RB_EDATA, "TOO_MANY_TRANSACTIONS",
            "more than %d transactions lie in the look-back window above the server's oldest "
            "open one",
            RB_CURSOR_SEEN_MAX);
        rb_error_set_hint(err, "end transactions that stay open (pg_stat_activity.xact_start), or "
                               "make `lookback` smaller");
        return RB_EDATA;
    }
    return r;
}

static void write_resume(struct rb_json *json, const struct rb_cursor *cursor,
                         const struct rb_snapshot *snapshot, const struct rb_cursor_point *point)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, point->xmin);
    rb_json_begin_object(json);
    rb_json_member_str(json, "field", cursor->field);
    rb_json_member_str(json, "type", cursor->kind->name);
    rb_json_member_str(json, "where", cursor->where);
    rb_json_member_bool(json, "reads_nulls", cursor->nulls == RB_CURSOR_NULLS_INCLUDE);
    rb_json_member_str(json, "last", point->last);
    rb_json_key(json, "lookback");
    if (cursor->lookback_full) {
        rb_json_str(json, "full");
    } else {
        rb_json_i64(json, cursor->lookback);
    }
    rb_json_member_str(json, "system_identifier",
                       *snapshot->system_identifier ? snapshot->system_identifier : NULL);
    rb_json_member_i64(json, "timeline", snapshot->timeline);
    if (cursor->table->has_xmin) {
        rb_json_member_i64(json, "table_oid", (int64_t)cursor->table->oid);
        rb_json_member_i64(json, "filenode", cursor->table->filenode);
        if (cursor->leaves.len > 0) {
            rb_json_member_raw(json, "leaves", rb_buf_str(&cursor->leaves), cursor->leaves.len);
        }
        rb_json_member_str(json, "prevxmin", text);
        rb_json_key(json, "seen");
        rb_json_begin_array(json);
        for (size_t i = 0; i < point->seen->n_rows; i++) {
            rb_json_str(json, rb_query_text(point->seen, i, 0));
        }
        rb_json_end_array(json);
    }
    rb_json_end_object(json);
}

/* A CursorValue of docs/protocol.md. */
static void write_value(struct rb_json *json, const struct rb_cursor *cursor, const char *last,
                        int64_t micros)
{
    const char *name = cursor->kind->name;
    if (!last) {
        rb_json_str(json, "null");
        return;
    }
    rb_json_begin_object(json);
    if (strcmp(name, "integer") == 0) {
        rb_json_member_i64(json, "int64", strtoll(last, NULL, 10));
    } else if (strncmp(name, "timestamp", 9) == 0) {
        rb_json_member_i64(json, "timestamp_micros", micros);
    } else if (strcmp(name, "numeric") == 0) {
        const char *point = strchr(last, '.');
        rb_json_key(json, "decimal");
        rb_json_begin_object(json);
        rb_json_member_str(json, "value", last);
        rb_json_member_i64(json, "scale", point ? (int64_t)strlen(point + 1) : 0);
        rb_json_end_object(json);
    } else {
        rb_json_member_str(json, "utf8", last);
    }
    rb_json_end_object(json);
}

int rb_cursor_write_point(const struct rb_cursor *cursor, const struct rb_snapshot *snapshot,
                          const struct rb_cursor_point *point, struct rb_buf *ret_value,
                          struct rb_buf *ret_resume, struct rb_error *err)
{
    struct rb_json value, resume;
    rb_json_init(&value, ret_value);
    write_value(&value, cursor, point->last, point->micros);
    rb_json_init(&resume, ret_resume);
    write_resume(&resume, cursor, snapshot, point);
    if (rb_json_finish(&value) < 0 || rb_json_finish(&resume) < 0) {
        return rb_cursor_no_memory(err);
    }
    return 0;
}

static int find_next(const struct rb_cursor *cursor, struct rb_conn *conn, const char *above,
                     struct next *next, struct rb_error *err)
{
    if (rb_buf_append(&next->newest, cursor->last.data, cursor->last.len) < 0) {
        return rb_cursor_no_memory(err);
    }
    next->has_newest = cursor->has_last;
    int r = find_newest(cursor, conn, above, next, err);
    if (r == 0 && next->has_newest) {
        r = rb_cursor_quote(cursor->kind, conn, rb_buf_str(&next->newest),
                            cursor->lookback_full ? -1 : cursor->lookback, &next->literal, err);
    }
    if (r < 0 || !cursor->table->has_xmin) {
        return r;
    }
    r = next->has_bounds ? 0 : rb_cursor_snapshot(conn, &next->xmin, &next->quiet, err);
    return r < 0 || next->quiet ? r
                                : rb_cursor_find_seen(cursor, conn, rb_buf_str(&next->literal.low),
                                                      next->xmin, &next->seen, err);
}

int rb_cursor_checkpoint(const struct rb_cursor *cursor, struct rb_conn *conn,
                         const struct rb_snapshot *snapshot, const char *above, const char *stream,
                         int64_t n_records, int64_t n_bytes, struct rb_error *err)
{
    RB_CLEANUP(next_release) struct next next;
    next_init(&next);
    int r = find_next(cursor, conn, above, &next, err);
    if (r < 0) {
        return r;
    }
    struct rb_cursor_point point = {
        .last = next.has_newest ? rb_buf_str(&next.newest) : NULL,
        .micros = next.literal.micros,
        .xmin = next.xmin,
        .seen = &next.seen,
    };
    r = rb_cursor_write_point(cursor, snapshot, &point, &next.value_json, &next.resume_json, err);
    if (r < 0) {
        return r;
    }
    struct rb_checkpoint checkpoint = {
        .stream = stream,
        .cursor_field = cursor->field,
        .cursor_value_json = rb_buf_str(&next.value_json),
        .cursor_type = cursor->kind->name,
        .cursor_text = point.last,
        .resume_json = rb_buf_str(&next.resume_json),
        .records_processed = n_records,
        .bytes_processed = n_bytes,
    };
    return rb_checkpoint(RB_CHECKPOINT_SOURCE, &checkpoint, err);
}
