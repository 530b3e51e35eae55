/* Pieces of the incremental rule. Only for cursor*.c. */
#ifndef RB_CONNECTORS_POSTGRES_SOURCE_CURSOR_SQL_H
#define RB_CONNECTORS_POSTGRES_SOURCE_CURSOR_SQL_H

#include <stdbool.h>
#include <stdint.h>

#include "connectors/postgres/common/query.h"
#include "connectors/postgres/source/cursor.h"

/* printf's format: of a row, that its transaction was still open at the 32-bit number %u. */
#define RB_CURSOR_OPEN_SINCE                                                                       \
    "pg_catalog.age(xmin) OPERATOR(pg_catalog.>=) 0 AND pg_catalog.age(xmin) "                     \
    "OPERATOR(pg_catalog.<=) pg_catalog.age('%" PRIu32 "'::pg_catalog.xid)"

int rb_cursor_no_memory(struct rb_error *err);
/* RB_ESCHEMA: the kept cursor does not go with `what`. */
int rb_cursor_refuse(const struct rb_cursor *cursor, const char *what, struct rb_error *err);
/* Runs a statement that reads the table, under the user's settings where it has SQL of the user in
 * it. */
int rb_cursor_query(const struct rb_cursor *cursor, struct rb_conn *conn, const char *sql,
                    struct rb_query_result *ret, struct rb_error *err);
/* A 64-bit decimal. */
bool rb_cursor_parse_xid(const char *text, uint64_t *ret);
/* The horizon of the transaction's snapshot, as a 64-bit number. ret_quiet: nothing at or above it
 * is visible, for no transaction was open. */
int rb_cursor_snapshot(struct rb_conn *conn, uint64_t *ret_xmin, bool *ret_quiet,
                       struct rb_error *err);
/* The same of the first row of another query, where they are two columns from `column` on, texts of
 * txid_snapshot_xmin and txid_snapshot_xmax. RB_EPROTOCOL. */
int rb_cursor_bounds(const struct rb_query_result *rows, size_t column, uint64_t *ret_xmin,
                     bool *ret_quiet, struct rb_error *err);

/* A cursor's value as SQL. */
struct rb_cursor_literal {
    struct rb_buf last; /* 'value'::type */
    struct rb_buf low;  /* where the window before it begins; empty: everywhere */
    int64_t micros;     /* since 1970, of a timestamp */
};
void rb_cursor_literal_init(struct rb_cursor_literal *literal);
void rb_cursor_literal_release(struct rb_cursor_literal *literal);
/* COPY takes no parameters, so the server itself quotes `text`, given to it as a parameter of the
 * cursor's type. lookback < 0: there is no window. */
int rb_cursor_quote(const struct rb_cursor_kind *kind, struct rb_conn *conn, const char *text,
                    int64_t lookback, struct rb_cursor_literal *ret, struct rb_error *err);
/* Appends "e < ceiling", or "e IS NOT NULL" where there is none. */
int rb_cursor_below_ceiling(const struct rb_cursor *cursor, struct rb_conn *conn,
                            struct rb_buf *ret);

/* ---- cursor_next.c */

/* Transactions that were not all over at the snapshot's horizon `xmin`, but whose rows it shows:
 * those of rows from `low` (a literal; "": all) on, and of rows with NULL. RB_EDATA (code
 * TOO_MANY_TRANSACTIONS) over RB_CURSOR_SEEN_MAX. */
int rb_cursor_find_seen(const struct rb_cursor *cursor, struct rb_conn *conn, const char *low,
                        uint64_t xmin, struct rb_query_result *ret, struct rb_error *err);

/* What a checkpoint says, once it is known. */
struct rb_cursor_point {
    const char *last; /* the cursor's text; NULL: there is none yet */
    int64_t micros;   /* since 1970, of a timestamp */
    uint64_t xmin;
    const struct rb_query_result *seen;
};
/* Writes cursor_value and resume into two empty buffers. RB_ENOMEM. */
int rb_cursor_write_point(const struct rb_cursor *cursor, const struct rb_snapshot *snapshot,
                          const struct rb_cursor_point *point, struct rb_buf *ret_value,
                          struct rb_buf *ret_resume, struct rb_error *err);

/* ---- cursor_text.c */

/* The text of a value that COPY gave (its binary form), and *ret_micros of a timestamp.
 * RB_EPROTOCOL for what is not one of the kind. */
int rb_cursor_text_of(const struct rb_cursor_kind *kind, const struct rb_buf *value,
                      struct rb_buf *ret, int64_t *ret_micros, struct rb_error *err);

#endif
