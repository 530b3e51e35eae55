/* Pieces of the incremental rule. Only for cursor*.c. */
#ifndef RB_CONNECTORS_POSTGRES_SOURCE_CURSOR_SQL_H
#define RB_CONNECTORS_POSTGRES_SOURCE_CURSOR_SQL_H

#include <stdbool.h>
#include <stdint.h>

#include "connectors/postgres/source/cursor.h"

int rb_cursor_no_memory(struct rb_error *err);
/* A 64-bit decimal. */
bool rb_cursor_parse_xid(const char *text, uint64_t *ret);
/* The horizon of the transaction's snapshot, as a 64-bit number. */
int rb_cursor_snapshot_xmin(struct rb_conn *conn, uint64_t *ret, struct rb_error *err);

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

#endif
