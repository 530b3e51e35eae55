/*
 * Incremental reading: which rows are new since the last committed run.
 *
 * A row is new when its cursor lies above the last one; or, within the look-back window, when its
 * transaction (xmin) was not yet over at the last snapshot and is not among those whose rows that
 * snapshot already showed. So ties and late commits are read once. Relations without xmin (views,
 * foreign tables) have no such promise: with upsert the window is read again, with append only what
 * lies above the last cursor is read.
 *
 * Infinite and NaN cursors never become the last one, or nothing would ever be above it.
 */
#ifndef RB_CONNECTORS_POSTGRES_SOURCE_CURSOR_H
#define RB_CONNECTORS_POSTGRES_SOURCE_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "connectors/postgres/common/conn.h"
#include "connectors/postgres/source/snapshot.h"
#include "connectors/postgres/source/table.h"
#include "rapidbyte/connector.h"

enum {
    RB_CURSOR_SEEN_MAX = 50000,            /* transactions kept with a cursor */
    RB_CURSOR_TEXT_MAX = 256 * 1024,       /* bytes of a cursor's value, as text */
    RB_CURSOR_SQL_MAX = 4 * 1024 * 1024,   /* bytes of a condition */
    RB_CURSOR_RESUME_MAX = 2 * 1024 * 1024 /* bytes of what is kept */
};

struct rb_cursor_kind;

/* The kind of cursor that a column of this base type can be; NULL: none. */
const struct rb_cursor_kind *rb_cursor_kind_find(uint32_t type_oid);
const char *rb_cursor_kind_name(const struct rb_cursor_kind *kind);
bool rb_cursor_kind_is_time(const struct rb_cursor_kind *kind);

enum rb_cursor_nulls { RB_CURSOR_NULLS_INCLUDE, RB_CURSOR_NULLS_EXCLUDE, RB_CURSOR_NULLS_FAIL };

struct rb_cursor {
    const struct rb_table *table; /* borrowed */
    const char *where;            /* borrowed */
    const char *field;            /* borrowed */
    const struct rb_cursor_kind *kind;
    enum rb_cursor_nulls nulls;
    bool may_be_null;
    bool upsert;
    bool lookback_full;
    bool touched;     /* the table was, to check the cursor */
    int64_t lookback; /* microseconds, or a count */
    struct rb_json_value resume;
    struct rb_buf expression; /* SQL of the cursor's value */
    bool has_last;
    struct rb_buf last; /* its text */
    struct rb_buf
        leaves; /* JSON: tables that are parts of this one, and their file nodes; empty: none */
};

/* Checks what the pipeline asks against the table. RB_ESCHEMA (no such column, or one that can't be
 * a cursor), RB_ECONFIG (a look-back of the wrong unit). */
int rb_cursor_init(struct rb_cursor *cursor, const struct rb_stream_context *context,
                   const struct rb_table *table, struct rb_error *err);
void rb_cursor_release(struct rb_cursor *cursor);

/* Whether the last cursor still goes with this cluster, history and table, within the transaction
 * that reads. RB_ESCHEMA says what has changed; RB_EDATA: NULL cursors, where they are refused. */
int rb_cursor_check(struct rb_cursor *cursor, struct rb_conn *conn,
                    const struct rb_snapshot *snapshot, struct rb_error *err);
/* Appends the condition for the rows that are new; nothing on a first run that reads all. And the
 * narrower one for those of them that move the cursor: they lie above the last one. */
int rb_cursor_condition(const struct rb_cursor *cursor, struct rb_conn *conn, struct rb_buf *ret,
                        struct rb_buf *ret_above, struct rb_error *err);
/* Of a table that consists of others: notes them for the next run. RB_ESCHEMA for one that was none
 * of them at the last run and has rows that `condition` leaves out. */
int rb_cursor_check_leaves(struct rb_cursor *cursor, struct rb_conn *conn, const char *condition,
                           struct rb_error *err);
/* Under the same snapshot: finds the new cursor and puts it, with what the next run needs, into a
 * source checkpoint. It never goes back, nor to NULL. `above`: as rb_cursor_condition wrote it. */
int rb_cursor_checkpoint(const struct rb_cursor *cursor, struct rb_conn *conn,
                         const struct rb_snapshot *snapshot, const char *above, const char *stream,
                         int64_t n_records, int64_t n_bytes, struct rb_error *err);

#endif
