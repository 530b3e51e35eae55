#include "connectors/postgres/source/stream.h"

#include <stdio.h>
#include <string.h>

#include "connectors/postgres/common/query.h"
#include "connectors/postgres/common/quote.h"
#include "connectors/postgres/source/ahead.h"
#include "connectors/postgres/source/dry.h"
#include "connectors/postgres/source/lock.h"
#include "connectors/postgres/source/lossy.h"
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
    r = r < 0 ? r
              : rb_cursor_check_leaves(&stream->cursor, conn, rb_buf_str(&stream->condition), err);
    stream->touched |= stream->cursor.touched;
    return r;
}

/* Streams in several units are divided under one snapshot: a unit waits for its lock here. The host
 * tries the others again, while other streams have their turn. Where the COPY comes next, the
 * operator's lock_timeout comes back with it. */
static int lock(const struct rb_source *source, const struct rb_stream_context *context,
                struct rb_conn *conn, struct rb_source_stream *stream, struct rb_error *err)
{
    const struct rb_table *table = &stream->tables.items[0];
    int64_t timeout_ms = source->config.lock_timeout_ms;
    int64_t all_ms = timeout_ms > 0 ? timeout_ms : -1;
    bool copy_next = !*context->where && context->sync_mode == RB_CONTEXT_FULL_REFRESH;
    char now[RB_LOCK_BACK_MAX];
    rb_lock_settings_back(timeout_ms, copy_next ? stream->lock_back : now);
    return rb_table_lock(conn, table, context->unit_count > 1 ? all_ms : 0, copy_next ? NULL : now,
                         err);
}

/* As the plan found them, where it did. */
static int find_members(const struct rb_source *source, struct rb_conn *conn,
                        const struct rb_stream_context *context, bool to_read,
                        struct rb_catalogue *catalogue, struct rb_error *err)
{
    const char *planned = rb_json_text(rb_json_get(context->plan, "members"), NULL);
    if (!to_read || planned == NULL) {
        return rb_catalogue_find_members(conn, rb_buf_str(&source->tables), catalogue, err);
    }
    return rb_catalogue_take_members(catalogue, planned, err);
}

/* Text of ours has the two digits of a dollar. */
static int check_money(const struct rb_columns *columns, struct rb_error *err)
{
    for (size_t i = 0; i < columns->n; i++) {
        const struct rb_column *column = &columns->items[i];
        if (column->has_money && column->money_digits != 2) {
            int r = rb_error_set(err, RB_ESCHEMA, "MONEY_DIGITS",
                                 "column \"%s\" has money in it with %d digits after the point "
                                 "(lc_monetary), which this destination would take for 2",
                                 column->name, column->money_digits);
            rb_error_set_hint(err, "leave the column out (columns), or read it from a view that "
                                   "casts it to numeric");
            return r;
        }
    }
    return 0;
}

/* As the plan handed it to the reader, who sees the same snapshot, or as the server has it. */
static int find_table(const struct rb_source *source, struct rb_conn *conn,
                      const struct rb_stream_context *context, bool to_read,
                      struct rb_catalogue *ret, struct rb_error *err)
{
    const char *schema = rb_source_schema(source, context), *name = rb_source_table(context);
    if (to_read && !rb_json_is_absent(rb_json_get(context->plan, "tables"))) {
        return rb_catalogue_read(context->plan, ret, err);
    }
    int r = rb_ahead_take(to_read ? NULL : source->ahead, conn, schema, name, ret, err);
    r = r != 1 ? r : rb_catalogue_query(conn, schema, name, ret, err);
    return r < 0 ? r : find_members(source, conn, context, to_read, ret, err);
}

int rb_source_stream_open(struct rb_source *source, struct rb_conn *conn,
                          const struct rb_stream_context *context,
                          const struct rb_snapshot *snapshot, bool to_read,
                          struct rb_source_stream *ret, struct rb_error *err)
{
    bool pg_binary = rb_stream_context_peer_has(context, "pg_binary");
    const char *schema = rb_source_schema(source, context), *name = rb_source_table(context);
    int r = find_table(source, conn, context, to_read, &ret->catalogue, err);
    r = r < 0 ? r
              : rb_tables_find(&ret->catalogue, schema, name, pg_binary, source->filter_rows,
                               source->config.user, &ret->tables, err);
    if (r == RB_ESCHEMA && ret->catalogue.tables.n_rows == 0) {
        rb_near_table(conn, schema, name, err);
    }
    const struct rb_table *table = r < 0 ? NULL : &ret->tables.items[0];
    r = r < 0 ? r
              : rb_table_choose(table, context->columns, source->config.user, &ret->columns, err);
    r = r < 0 ? r : rb_lossy_check(source, context->stream_name, &ret->columns, !to_read, err);
    r = r < 0 || pg_binary ? r : check_money(&ret->columns, err);
    r = r < 0 || !to_read ? r : rb_source_dry_proves(source, conn, context, ret, &ret->proved, err);
    r = r < 0 || !to_read || ret->proved ? r : lock(source, context, conn, ret, err);
    /* Parsing it locks the table. */
    const char *release = to_read ? NULL : rb_sql_rollback_to;
    r = r < 0 ? r : rb_select_check_where(conn, table, context->where, release, err);
    if (r == 0 && context->sync_mode == RB_CONTEXT_CDC) {
        r = rb_error_set(err, RB_ECONFIG, "UNSUPPORTED", "sync_mode cdc is not supported");
    }
    if (r == 0 && context->sync_mode == RB_CONTEXT_INCREMENTAL) {
        r = open_cursor(conn, context, snapshot, ret, err);
    }
    return r;
}
