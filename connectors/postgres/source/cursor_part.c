#include "connectors/postgres/source/cursor_part.h"

#include <string.h>

#include "connectors/postgres/source/cursor_kind.h"
#include "connectors/postgres/source/cursor_sql.h"
#include "rapidbyte/host.h"

void rb_cursor_parts_init(struct rb_cursor_parts *parts)
{
    *parts = (struct rb_cursor_parts){.rest = RB_BUF_INIT(RB_CURSOR_SQL_MAX)};
    rb_query_result_init(&parts->seen);
}

void rb_cursor_parts_release(struct rb_cursor_parts *parts)
{
    rb_buf_release(&parts->rest);
    rb_query_result_release(&parts->seen);
}

static int find_column(const struct rb_cursor *cursor, const struct rb_columns *columns,
                       struct rb_cursor_parts *ret, struct rb_error *err)
{
    for (size_t i = 0; i < columns->n; i++) {
        if (strcmp(columns->items[i].name, cursor->field) == 0 &&
            columns->items[i].form != RB_FORM_TEXT) {
            ret->column = i;
            ret->numeric = strcmp(cursor->kind->name, "numeric") == 0;
            return 0;
        }
    }
    rb_error_set(err, RB_ECONFIG, "CURSOR_NOT_READ",
                 "checkpoint_interval_*: cursor column \"%s\" is not among the columns that are "
                 "read",
                 cursor->field);
    rb_error_set_hint(err, "add it to the stream's `columns`");
    return RB_ECONFIG;
}

/* Every part ends above the last cursor, so its window begins at or after that one's. */
static int find_seen(const struct rb_cursor *cursor, struct rb_conn *conn,
                     struct rb_cursor_parts *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_cursor_literal_release) struct rb_cursor_literal literal;
    rb_cursor_literal_init(&literal);
    bool quiet = false;
    int r = rb_cursor_snapshot(conn, &ret->xmin, &quiet, err);
    if (r < 0 || quiet) {
        return r;
    }
    if (cursor->has_last) {
        r = rb_cursor_quote(cursor->kind, conn, rb_buf_str(&cursor->last),
                            cursor->lookback_full ? -1 : cursor->lookback, &literal, err);
    }
    return r < 0 ? r
                 : rb_cursor_find_seen(cursor, conn, rb_buf_str(&literal.low), ret->xmin,
                                       &ret->seen, err);
}

int rb_cursor_parts_open(const struct rb_cursor *cursor, struct rb_conn *conn,
                         const struct rb_columns *columns, const char *condition, const char *above,
                         struct rb_cursor_parts *ret, struct rb_error *err)
{
    struct rb_error own;
    rb_error_clear(&own);
    int r = find_column(cursor, columns, ret, err);
    if (r == 0 && conn != NULL && cursor->table->has_xmin) {
        r = find_seen(cursor, conn, ret, &own);
        if (r < 0 && strcmp(own.code, "TOO_MANY_TRANSACTIONS") == 0) {
            rb_log(RB_LOG_WARN, "%s: the stream is read as one transaction", own.message);
            return 1;
        }
        if (r < 0 && err != NULL) {
            *err = own;
        }
    }
    if (r < 0) {
        return r;
    }
    r = *condition ? rb_buf_printf(&ret->rest, "(%s) AND (%s) IS NOT TRUE", condition, above)
                   : rb_buf_printf(&ret->rest, "(%s) IS NOT TRUE", above);
    return r < 0 ? rb_cursor_no_memory(err) : 0;
}

int rb_cursor_part_end(const struct rb_cursor *cursor, const struct rb_cursor_parts *parts,
                       const struct rb_snapshot *snapshot, const struct rb_cursor_read *read,
                       struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf last = RB_BUF_INIT(RB_CURSOR_TEXT_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf value = RB_BUF_INIT(RB_CURSOR_RESUME_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf resume = RB_BUF_INIT(RB_CURSOR_RESUME_MAX);
    struct rb_cursor_point point = {.xmin = parts->xmin, .seen = &parts->seen};
    int r = rb_cursor_text_of(cursor->kind, read->value, &last, &point.micros, err);
    point.last = rb_buf_str(&last);
    r = r < 0 ? r : rb_cursor_write_point(cursor, snapshot, &point, &value, &resume, err);
    if (r < 0) {
        return r;
    }
    struct rb_checkpoint checkpoint = {
        .stream = read->stream,
        .cursor_field = cursor->field,
        .cursor_value_json = rb_buf_str(&value),
        .cursor_type = cursor->kind->name,
        .cursor_text = point.last,
        .resume_json = rb_buf_str(&resume),
        .records_processed = read->n_records,
        .bytes_processed = read->n_bytes,
        .ends_part = true,
        .has_checksum = read->has_checksum,
        .checksum = read->checksum,
    };
    return rb_checkpoint(RB_CHECKPOINT_SOURCE, &checkpoint, err);
}
