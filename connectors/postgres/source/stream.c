#include "connectors/postgres/source/stream.h"

#include <stdio.h>

#include "connectors/postgres/common/query.h"
#include "connectors/postgres/common/quote.h"
#include "connectors/postgres/source/near.h"
#include "connectors/postgres/source/select.h"
#include "gen/connectors/postgres/source/sql.h"
#include "rapidbyte/host.h"

void rb_source_stream_init(struct rb_source_stream *stream)
{
    *stream = (struct rb_source_stream){.condition = RB_BUF_INIT(RB_CURSOR_SQL_MAX),
                                        .above = RB_BUF_INIT(RB_CURSOR_SQL_MAX)};
    rb_catalogue_init(&stream->catalogue);
    rb_tables_init(&stream->tables);
    rb_columns_init(&stream->columns);
}

void rb_source_stream_release(struct rb_source_stream *stream)
{
    if (stream->has_cursor) {
        rb_cursor_release(&stream->cursor);
    }
    rb_columns_release(&stream->columns);
    rb_tables_release(&stream->tables);
    rb_catalogue_release(&stream->catalogue);
    rb_buf_release(&stream->condition);
    rb_buf_release(&stream->above);
    stream->has_cursor = false;
}

static int build_lock(const struct rb_source *source, const struct rb_stream_context *streams,
                      size_t n_streams, struct rb_buf *sql, struct rb_error *err)
{
    int r = rb_buf_append_str(sql, "SAVEPOINT rapidbyte; LOCK TABLE ");
    for (size_t i = 0; r == 0 && i < n_streams; i++) {
        r = i == 0 ? 0 : rb_buf_append_str(sql, ", ");
        r = r < 0 ? r
                  : rb_quote_qualified(sql, rb_source_schema(source, &streams[i]),
                                       rb_source_table(&streams[i]), err);
    }
    if (r == 0 &&
        rb_buf_append_str(sql, " IN ACCESS SHARE MODE; RELEASE SAVEPOINT rapidbyte") < 0) {
        r = rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no room for the statement's text");
    }
    return r;
}

int rb_source_streams_lock(const struct rb_source *source, struct rb_conn *conn,
                           const struct rb_stream_context *streams, size_t n_streams,
                           struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf sql = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    struct rb_error own;
    int r = build_lock(source, streams, n_streams, &sql, NULL);
    if (r < 0) {
        return 1; /* of one of them the statement can be built */
    }
    r = rb_query_exec(conn, rb_buf_str(&sql), &own);
    if (r < 0 && rb_conn_is_usable(conn) && rb_query_exec(conn, rb_sql_rollback_to, NULL) == 0) {
        return 1;
    }
    if (r < 0 && err) {
        *err = own;
    }
    return r;
}

int rb_source_stream_lock(const struct rb_source *source, struct rb_conn *conn,
                          const struct rb_stream_context *context, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf sql = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    const char *schema = rb_source_schema(source, context), *table = rb_source_table(context);
    int r = build_lock(source, context, 1, &sql, err);
    if (r < 0) {
        return r;
    }
    struct rb_error own;
    r = rb_query_exec(conn, rb_buf_str(&sql), &own);
    if (r == 0) {
        return 0;
    }
    bool undone = rb_conn_is_usable(conn) && rb_query_exec(conn, rb_sql_rollback_to, NULL) == 0;
    if (undone && (r == RB_EPERM || r == RB_ESCHEMA)) {
        return 1;
    }
    rb_error_prefix(&own, "locking \"%s\".\"%s\" against changes", schema, table);
    if (err) {
        *err = own;
    }
    return r;
}

static int open_cursor(struct rb_conn *conn, const struct rb_stream_context *context,
                       const struct rb_snapshot *snapshot, struct rb_source_stream *stream,
                       struct rb_error *err)
{
    const struct rb_table *table = &stream->tables.items[0];
    int r = rb_cursor_init(&stream->cursor, context, table, err);
    if (r < 0) {
        return r;
    }
    stream->has_cursor = true;
    if (!table->has_xmin) {
        rb_log(RB_LOG_WARN,
               "stream '%s': rows of a %s do not say which transaction wrote them: rows that tie "
               "with the last cursor, or are committed late, %s",
               context->stream_name, rb_table_kind_name(table),
               stream->cursor.upsert ? "are found only within `lookback`" : "are not found");
    }
    r = rb_cursor_check(&stream->cursor, conn, snapshot, err);
    r = r < 0 ? r
              : rb_cursor_condition(&stream->cursor, conn, &stream->condition, &stream->above, err);
    return r < 0
               ? r
               : rb_cursor_check_leaves(&stream->cursor, conn, rb_buf_str(&stream->condition), err);
}

/* SELECT may be allowed where LOCK is not, and takes the same lock on all that it would read. */
static int build_select(const struct rb_table *table, struct rb_buf *sql, struct rb_error *err)
{
    int r = rb_buf_append_str(sql, "SELECT");
    r = r < 0 ? r : rb_select_from(table, "", sql, err);
    if (r == 0 && rb_buf_append_str(sql, " LIMIT 0") < 0) {
        r = rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no room for the statement's text");
    }
    return r;
}

/* Whatever was not locked before the snapshot was taken may have changed until now. */
static int check_rewritten(const struct rb_table *table, struct rb_conn *conn, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf lock = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf name = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    rb_query_result_init(&rows);
    char oid[24];
    snprintf(oid, sizeof oid, "%lu", (unsigned long)table->oid);
    int r = build_select(table, &lock, err);
    r = r < 0 ? r : rb_quote_qualified(&name, table->schema, table->name, err);
    struct rb_query_param params[] = {rb_query_text_param(oid),
                                      rb_query_text_param(rb_buf_str(&name))};
    const char *sql = table->divisible ? rb_sql_rewritten_plain : rb_sql_rewritten;
    r = r < 0 ? r : rb_query_run_kept_after(conn, rb_buf_str(&lock), sql, params, 2, &rows, err);
    const char *changed = r == 0 ? rb_query_text(&rows, 0, 0) : NULL;
    if (!changed) {
        return r;
    }
    r = rb_error_set(err, RB_EDB, "SNAPSHOT_GONE",
                     "%s: rewritten or replaced (TRUNCATE, ALTER TABLE, DROP) since the run's "
                     "snapshot was taken, which does not show the rows any more",
                     changed);
    if (err) {
        err->backoff = RB_BACKOFF_FAST;
        err->retryable = err->safe_to_retry = true;
    }
    return r;
}

/* By this session, since before its snapshot. To a partitioned table partitions may come and go in
 * spite of it. */
static bool is_locked(const struct rb_source *source, const struct rb_conn *conn,
                      const struct rb_table *table)
{
    return conn == source->planner && source->planned_locked && table->divisible;
}

int rb_source_stream_open(const struct rb_source *source, struct rb_conn *conn,
                          const struct rb_stream_context *context,
                          const struct rb_snapshot *snapshot, bool to_read,
                          struct rb_source_stream *ret, struct rb_error *err)
{
    bool pg_binary = rb_stream_context_peer_has(context, "pg_binary");
    const char *schema = rb_source_schema(source, context), *name = rb_source_table(context);
    /* The plan looked at the same snapshot. */
    bool is_known = to_read && !rb_json_is_absent(context->plan);
    int r = is_known ? rb_catalogue_read(context->plan, &ret->catalogue, err)
                     : rb_catalogue_query(conn, schema, name, &ret->catalogue, err);
    r = r < 0 ? r
              : rb_tables_find(&ret->catalogue, schema, name, pg_binary, source->filter_rows,
                               source->config.user, &ret->tables, err);
    if (r == RB_ESCHEMA && ret->catalogue.tables.n_rows == 0) {
        rb_near_table(conn, schema, name, err);
    }
    const struct rb_table *table = r < 0 ? NULL : &ret->tables.items[0];
    r = r < 0 || !to_read || is_locked(source, conn, table) ? r : check_rewritten(table, conn, err);
    r = r < 0 ? r
              : rb_table_choose(table, context->columns, source->config.user, &ret->columns, err);
    r = r < 0 ? r : rb_select_check_where(conn, table, context->where, err);
    if (r == 0 && context->sync_mode == RB_CONTEXT_CDC) {
        r = rb_error_set(err, RB_ECONFIG, "UNSUPPORTED", "sync_mode cdc is not supported");
    }
    if (r == 0 && context->sync_mode == RB_CONTEXT_INCREMENTAL) {
        r = open_cursor(conn, context, snapshot, ret, err);
    }
    return r;
}
