/* What a cursor is, and whether the last one still holds. */
#include "connectors/postgres/source/cursor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/postgres/common/query.h"
#include "connectors/postgres/common/quote.h"
#include "connectors/postgres/source/cursor_kind.h"
#include "connectors/postgres/source/cursor_sql.h"
#include "connectors/postgres/source/select.h"
#include "gen/connectors/postgres/source/sql.h"
#include "rapidbyte/host.h"

static int choose_lookback(struct rb_cursor *cursor, struct rb_json_value lookback,
                           struct rb_error *err)
{
    const struct rb_cursor_kind *kind = cursor->kind;
    cursor->lookback = kind->lookback;
    cursor->lookback_full = kind->step == RB_CURSOR_STEP_NONE;
    if (rb_json_is_absent(lookback)) {
        return 0;
    }
    if (strcmp(rb_json_text(lookback, ""), "full") == 0) {
        cursor->lookback_full = true;
        return 0;
    }
    const char *unit = kind->step == RB_CURSOR_STEP_MICROS  ? "micros"
                       : kind->step == RB_CURSOR_STEP_COUNT ? "count"
                                                            : "";
    int64_t step = rb_json_int(rb_json_get(lookback, unit), -1);
    if (step < 0) {
        return rb_error_set(err, RB_ECONFIG, "BAD_LOOKBACK",
                            "cursor column \"%s\" is of kind %s, whose `lookback` is %s",
                            cursor->field, kind->name,
                            kind->step == RB_CURSOR_STEP_MICROS  ? "a duration (1h) or full"
                            : kind->step == RB_CURSOR_STEP_COUNT ? "a number (10000) or full"
                                                                 : "full");
    }
    cursor->lookback = step;
    return 0;
}

static int choose_field(struct rb_cursor *cursor, struct rb_error *err)
{
    const struct rb_table *table = cursor->table;
    const struct rb_column *column = rb_columns_find(&table->columns, cursor->field);
    if (!column) {
        rb_error_set(err, RB_ESCHEMA, "NO_SUCH_COLUMN",
                     "cursor column \"%s\" is not in \"%s\".\"%s\"", cursor->field, table->schema,
                     table->name);
        rb_columns_suggest(&table->columns, cursor->field, err);
        return RB_ESCHEMA;
    }
    cursor->kind = rb_cursor_kind_find(column->oid);
    if (!cursor->kind) {
        rb_error_set(err, RB_ESCHEMA, "BAD_CURSOR_TYPE",
                     "column \"%s\" of type %s can't be a cursor", cursor->field, column->declared);
        rb_error_set_hint(err,
                          "a cursor is an integer, numeric, date, timestamp, timestamptz, uuid "
                          "or text column");
        return RB_ESCHEMA;
    }
    cursor->may_be_null = !column->not_null;
    int r = rb_quote_ident(&cursor->expression, cursor->field, err);
    if (r == 0 && rb_buf_append_str(&cursor->expression, cursor->kind->suffix) < 0) {
        r = rb_cursor_no_memory(err);
    }
    return r;
}

/* The last cursor: ours, or, of a host that keeps nothing else, its value. */
static int choose_last(struct rb_cursor *cursor, struct rb_json_value info, struct rb_error *err)
{
    struct rb_json_value value = rb_json_get(cursor->resume, "last");
    if (rb_json_is_absent(cursor->resume)) {
        struct rb_json_value last = rb_json_get(info, "last_value");
        value = rb_json_get(last, "utf8");
        if (rb_json_is_absent(value)) {
            value = rb_json_at(last, "decimal", "value", NULL);
        }
        if (rb_json_is_absent(value)) {
            size_t len = 0;
            const char *number = rb_json_source(rb_json_get(last, "int64"), &len);
            cursor->has_last = len > 0;
            return rb_buf_append(&cursor->last, number, len) < 0 ? rb_cursor_no_memory(err) : 0;
        }
    }
    const char *text = rb_json_text(value, "");
    cursor->has_last = !rb_json_is_absent(value);
    return rb_buf_append_str(&cursor->last, text) < 0 ? rb_cursor_no_memory(err) : 0;
}

int rb_cursor_init(struct rb_cursor *cursor, const struct rb_stream_context *context,
                   const struct rb_table *table, struct rb_error *err)
{
    struct rb_json_value info = context->cursor_info;
    *cursor = (struct rb_cursor){
        .table = table,
        .where = context->where,
        .field = rb_json_text(rb_json_get(info, "cursor_field"), ""),
        .upsert = context->write_mode == RB_CONTEXT_UPSERT,
        .resume = rb_json_get(info, "resume"),
        .expression = RB_BUF_INIT(RB_CURSOR_SQL_MAX),
        .last = RB_BUF_INIT(RB_CURSOR_TEXT_MAX),
        .leaves = RB_BUF_INIT(RB_CURSOR_RESUME_MAX),
    };
    const char *nulls = rb_json_text(rb_json_get(info, "nulls"), "include");
    cursor->nulls = strcmp(nulls, "exclude") == 0 ? RB_CURSOR_NULLS_EXCLUDE
                    : strcmp(nulls, "fail") == 0  ? RB_CURSOR_NULLS_FAIL
                                                  : RB_CURSOR_NULLS_INCLUDE;
    if (!*cursor->field) {
        return rb_error_set(err, RB_ECONFIG, "NO_CURSOR",
                            "an incremental stream needs a `cursor_field`");
    }
    int r = choose_field(cursor, err);
    r = r < 0 ? r : choose_lookback(cursor, rb_json_get(info, "lookback"), err);
    r = r < 0 ? r : choose_last(cursor, info, err);
    if (r < 0) {
        rb_cursor_release(cursor);
    }
    return r;
}

void rb_cursor_release(struct rb_cursor *cursor)
{
    rb_buf_release(&cursor->expression);
    rb_buf_release(&cursor->last);
    rb_buf_release(&cursor->leaves);
}

int rb_cursor_no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for the cursor");
}

int rb_cursor_refuse(const struct rb_cursor *cursor, const char *what, struct rb_error *err)
{
    rb_error_set(err, RB_ESCHEMA, "CURSOR_STALE",
                 "the kept cursor of \"%s\".\"%s\" does not go with %s", cursor->table->schema,
                 cursor->table->name, what);
    rb_error_set_hint(err, "rapidbyte state reset forgets the cursor; the next run then reads all "
                           "rows");
    return RB_ESCHEMA;
}

/* 64-bit numbers of transactions: the 32-bit ones of rows can be compared over half their range. */
static int check_horizon(const struct rb_cursor *cursor, struct rb_conn *conn, struct rb_error *err)
{
    uint64_t then = 0, now = 0;
    bool quiet = false;
    int r = rb_cursor_snapshot(conn, &now, &quiet, err);
    if (r < 0) {
        return r;
    }
    if (!rb_cursor_parse_xid(rb_json_text(rb_json_get(cursor->resume, "prevxmin"), ""), &then) ||
        now < then) {
        return rb_cursor_refuse(cursor, "this server's transactions: it was restored or is another",
                                err);
    }
    if (now - then >= UINT64_C(1) << 31) {
        return rb_cursor_refuse(cursor, "the age of the last run: 2^31 transactions have passed",
                                err);
    }
    return 0;
}

/* Whether rows of `condition` exist. */
static int exists(struct rb_cursor *cursor, struct rb_conn *conn, const char *condition, bool *ret,
                  struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf sql = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    rb_query_result_init(&rows);
    cursor->touched = true;
    int r = rb_buf_append_str(&sql, "SELECT EXISTS (SELECT");
    r = r < 0 ? rb_cursor_no_memory(err) : rb_select_from(cursor->table, cursor->where, &sql, err);
    if (r == 0 && rb_buf_printf(&sql, " AND (%s))", condition) < 0) {
        r = rb_cursor_no_memory(err);
    }
    r = r < 0 ? r : rb_cursor_query(cursor, conn, rb_buf_str(&sql), &rows, err);
    if (r == 0) {
        *ret = rb_query_bool(&rows, 0, 0);
    }
    return r;
}

/* Rows that could be neither read once nor left out without a word. */
static int check_nulls(struct rb_cursor *cursor, struct rb_conn *conn, struct rb_error *err)
{
    bool resumes = !rb_json_is_absent(cursor->resume);
    bool blind = resumes && !cursor->table->has_xmin && !cursor->upsert;
    bool found = false;
    RB_CLEANUP(rb_buf_release) struct rb_buf condition = RB_BUF_INIT(RB_CURSOR_SQL_MAX);
    const char *e = rb_buf_str(&cursor->expression);
    int r = 0;
    if (cursor->may_be_null && (cursor->nulls == RB_CURSOR_NULLS_FAIL ||
                                (blind && cursor->nulls == RB_CURSOR_NULLS_INCLUDE))) {
        r = rb_buf_printf(&condition, "%s IS NULL", e);
        r = r < 0 ? rb_cursor_no_memory(err)
                  : exists(cursor, conn, rb_buf_str(&condition), &found, err);
    }
    if (r == 0 && found && cursor->nulls == RB_CURSOR_NULLS_FAIL) {
        return rb_error_set(err, RB_EDATA, "NULL_CURSOR",
                            "column \"%s\" has rows with NULL, and `nulls: fail` refuses them",
                            cursor->field);
    }
    if (r == 0 && found) {
        rb_error_set(
            err, RB_EDATA, "NULL_CURSOR",
            "column \"%s\" of a %s has rows with NULL: which of them are new can't be told",
            cursor->field, rb_table_kind_name(cursor->table));
        rb_error_set_hint(err, "use `nulls: exclude`, or write_mode upsert");
        return RB_EDATA;
    }
    return r;
}

int rb_cursor_check(struct rb_cursor *cursor, struct rb_conn *conn,
                    const struct rb_snapshot *snapshot, struct rb_error *err)
{
    struct rb_json_value resume = cursor->resume;
    if (!rb_json_is_absent(resume)) {
        const char *type = rb_json_text(rb_json_get(resume, "type"), "");
        const char *field = rb_json_text(rb_json_get(resume, "field"), "");
        const char *system = rb_json_text(rb_json_get(resume, "system_identifier"), "");
        const char *where = rb_json_text(rb_json_get(resume, "where"), cursor->where);
        bool read_nulls = rb_json_truth(rb_json_get(resume, "reads_nulls"), true);
        int64_t timeline = rb_json_int(rb_json_get(resume, "timeline"), 0);
        int64_t filenode = rb_json_int(rb_json_get(resume, "filenode"), 0);
        int64_t oid = rb_json_int(rb_json_get(resume, "table_oid"), 0);
        if (strcmp(field, cursor->field) != 0 || strcmp(type, cursor->kind->name) != 0) {
            return rb_cursor_refuse(cursor, "the cursor column or its type, which have changed",
                                    err);
        }
        /* Rows that were left out lie below the cursor: they would never be read. */
        if (strcmp(where, cursor->where) != 0) {
            return rb_cursor_refuse(cursor, "the filter `where`, which has changed", err);
        }
        if (!read_nulls && cursor->nulls == RB_CURSOR_NULLS_INCLUDE && cursor->may_be_null) {
            return rb_cursor_refuse(
                cursor, "`cursor_nulls: include`, for rows with NULL were left out", err);
        }
        if (*system && *snapshot->system_identifier &&
            strcmp(system, snapshot->system_identifier) != 0) {
            return rb_cursor_refuse(cursor, "this server, which is another database system", err);
        }
        if (timeline && snapshot->timeline && timeline != snapshot->timeline) {
            return rb_cursor_refuse(cursor, "the server's timeline: it was promoted or restored",
                                    err);
        }
        if (cursor->table->has_xmin &&
            (oid != (int64_t)cursor->table->oid || filenode != cursor->table->filenode)) {
            return rb_cursor_refuse(
                cursor,
                "the table, which was rewritten (TRUNCATE, VACUUM FULL, CLUSTER, ALTER "
                "TABLE) or made anew",
                err);
        }
        int r = cursor->table->has_xmin ? check_horizon(cursor, conn, err) : 0;
        if (r < 0) {
            return r;
        }
    }
    return check_nulls(cursor, conn, err);
}
