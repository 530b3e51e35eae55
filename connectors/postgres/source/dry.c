#include "connectors/postgres/source/dry.h"

#include <string.h>

#include "connectors/postgres/common/query.h"
#include "connectors/postgres/source/select.h"
#include "gen/connectors/postgres/source/sql.h"
#include "rapidbyte/rapidbyte.h"

/* For so long an answer about locks serves: a check of many tables would ask for each. */
static const double locks_serve_secs = 0.2;

/* Of the system's types alone, each of which has its binary form there. */
static bool are_plain(const struct rb_columns *columns)
{
    bool plain = true;
    for (size_t i = 0; plain && i < columns->n; i++) {
        const struct rb_column *column = &columns->items[i];
        plain = rb_type_find(column->oid) != NULL && column->definition == NULL &&
                column->form != RB_FORM_TEXT;
    }
    return plain;
}

static bool is_plain(const struct rb_table *table, const struct rb_stream_context *context)
{
    return table->kind == 'r' && !table->has_children && table->copies && table->divisible &&
           !table->row_security && context->sync_mode == RB_CONTEXT_FULL_REFRESH &&
           context->unit_count <= 1 && !rb_select_runs_sql(table, context->where);
}

static bool is_locked(const struct rb_source *source, uint32_t oid)
{
    for (size_t i = 0; i < source->locked.n_rows; i++) {
        int64_t locked = rb_query_int(&source->locked, i, 0, 0);
        if (locked == 0 || locked == (int64_t)oid) {
            return true;
        }
    }
    return false;
}

int rb_source_dry_proves(struct rb_source *source, struct rb_conn *conn,
                         const struct rb_stream_context *context,
                         const struct rb_source_stream *stream, bool *ret, struct rb_error *err)
{
    const struct rb_table *table = &stream->tables.items[0];
    *ret = context->dry_run && source->has_read && conn == source->reader &&
           is_plain(table, context) && are_plain(&table->columns);
    if (!*ret) {
        return 0;
    }
    double now = rb_clock_secs();
    int r = 0;
    if (now - source->locked_secs >= locks_serve_secs) {
        r = rb_query_run_kept(conn, rb_sql_dry_locked, NULL, 0, &source->locked, err);
        source->locked_secs = now;
    }
    *ret = r == 0 && !is_locked(source, table->oid);
    return r;
}
