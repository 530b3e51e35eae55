/* What is in the table already that a stream adds rows to. */
#include <stdio.h>
#include <string.h>

#include "connectors/postgres/dest/dest.h"
#include "gen/connectors/postgres/dest/sql.h"

/* Columns of ledger_past.sql. */
enum {
    IS_SET,
    WHOLE_LOAD,
    WHOLE_MODE,
    WHOLE_TIME,
    ELSEWHERE,
    OTHER_TABLE,
    OURS,
    MAY_READ,
    HAS_BYTES,
};

/* 1: it has rows; 0: none. A role that may not read it sees by its size. */
static int has_rows(struct rb_dest *dest, const struct rb_target *target,
                    const struct rb_query_result *past, struct rb_error *err)
{
    if (!rb_query_bool(past, 0, MAY_READ)) {
        return rb_query_bool(past, 0, HAS_BYTES) ? 1 : 0;
    }
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    char sql[sizeof target->relation + 32];
    rb_query_result_init(&rows);
    snprintf(sql, sizeof sql, "SELECT FROM %s LIMIT 1", target->relation);
    int status = rb_dest_query_once(dest, sql, NULL, 0, &rows, err);
    return status < 0 ? status : (rows.n_rows > 0 ? 1 : 0);
}

/* Without a cursor all rows would be added: those that are there, too? */
static int check_start(const struct rb_query_result *past, const char *target, struct rb_error *err)
{
    const char *load = rb_query_text(past, 0, WHOLE_LOAD);
    const char *elsewhere = rb_query_text(past, 0, ELSEWHERE);
    int status = 0;
    if (elsewhere != NULL) {
        status = rb_error_set(err, RB_ESCHEMA, "TABLE_MOVED",
                              "the stream's cursor was taken for table %s; %s has rows, and no "
                              "cursor",
                              elsewhere, target);
    } else if (load != NULL) {
        status = rb_error_set(err, RB_ESCHEMA, "MODE_CHANGED",
                              "%s holds what load %s put there (write_mode %s, %s), and that load "
                              "kept no cursor: an incremental append would add every row again",
                              target, load, rb_query_text(past, 0, WHOLE_MODE),
                              rb_query_text(past, 0, WHOLE_TIME));
    } else if (rb_query_bool(past, 0, OTHER_TABLE)) {
        status = rb_error_set(err, RB_ESCHEMA, "TABLE_REPLACED",
                              "%s is another table than the one that the stream's cursor was taken "
                              "for, and has rows: an incremental append would add them again",
                              target);
    }
    if (status < 0) {
        rb_error_set_hint(err,
                          "rapidbyte run --full-refresh --streams with this stream replaces the "
                          "rows and keeps a cursor; rapidbyte state set-cursor names the value to "
                          "go on after; rapidbyte state reset has all rows added; write_mode: "
                          "upsert needs none of these");
    }
    return status;
}

int rb_dest_check_past(struct rb_dest *dest, const struct rb_stream_context *context,
                       const struct rb_target *target, bool has_cursor, bool *ret_foreign_rows,
                       struct rb_error *err)
{
    *ret_foreign_rows = false;
    bool incremental = context->sync_mode == RB_CONTEXT_INCREMENTAL;
    if (context->write_mode != RB_CONTEXT_APPEND || !target->exists ||
        (incremental && has_cursor)) {
        return 0;
    }
    RB_CLEANUP(rb_query_result_release) struct rb_query_result past;
    rb_query_result_init(&past);
    char name[RB_DEST_TARGET_MAX];
    rb_ledger_target(dest, context, name);
    const char *params[] = {context->pipeline, context->stream_name, name, target->oid};
    int status = rb_dest_query(dest, rb_sql_ledger_past, params, 4, &past, err);
    if (status < 0) {
        return status;
    }
    bool known = rb_query_text(&past, 0, WHOLE_LOAD) != NULL ||
                 rb_query_text(&past, 0, ELSEWHERE) != NULL ||
                 rb_query_bool(&past, 0, OTHER_TABLE) || rb_query_bool(&past, 0, OURS);
    if (rb_query_bool(&past, 0, IS_SET) || (known && !incremental)) {
        return 0;
    }
    int filled = has_rows(dest, target, &past, err);
    if (filled <= 0) {
        return filled;
    }
    *ret_foreign_rows = !known;
    return incremental ? check_start(&past, name, err) : 0;
}
