/* The text of the statements that read a table. */
#ifndef RB_CONNECTORS_POSTGRES_SOURCE_SELECT_H
#define RB_CONNECTORS_POSTGRES_SOURCE_SELECT_H

#include "base/buf.h"
#include "base/error.h"
#include "connectors/postgres/common/conn.h"
#include "connectors/postgres/source/table.h"

/* What to read. "" stands for no condition. */
struct rb_select {
    const struct rb_table *table;
    const struct rb_columns *columns;
    const char *where;  /* the operator's, which has passed rb_select_check_where */
    const char *range;  /* "from,to": heap blocks [from, to); "from,": to the end */
    const char *cursor; /* condition of the incremental rule: SQL of ours */
    const char *order;  /* expression to sort by, likewise; NULL: as the rows come */
    bool alike;         /* texts are written under the user's settings as they are under ours, but
                           for the names that they may hold */
    bool none;          /* no row, of all that would be read: the server says what it would say */
};

/* COPY (SELECT columns FROM table WHERE …) TO STDOUT (FORMAT binary); or, for all rows of a table
 * as they are, COPY table (columns) TO …, which spares the server an executor: 3 to 8 % of its
 * time. RB_ECONNECTOR for a range that is not one. */
int rb_select_copy(const struct rb_select *select, struct rb_buf *ret, struct rb_error *err);
/* Whether what is selected has SQL of the user in it, and so runs under the user's settings. */
bool rb_select_runs_sql(const struct rb_table *table, const char *where);
/* Appends "FROM table WHERE (where)"; with an empty `where` there is TRUE in its place. */
int rb_select_from(const struct rb_table *table, const char *where, struct rb_buf *ret,
                   struct rb_error *err);
/* The same of another relation. */
int rb_select_from_named(const char *schema, const char *name, const char *where,
                         struct rb_buf *ret, struct rb_error *err);
/* The same of one block range. */
int rb_select_range(const char *range, struct rb_buf *ret, struct rb_error *err);

/*
 * Has the server parse `where` as one boolean expression over the table, without running it.
 *
 * It is pasted in two places: `WHERE (where)` and `ARRAY[where]`, each by itself through the
 * extended protocol, which takes one statement only. PostgreSQL's grammar nests brackets in pairs,
 * so text that closes the round bracket it stands in can't also be valid in a square one: what
 * passes both can't leave its place in the COPY. A new line before the closing bracket ends a `--`
 * comment. `after`: statements that run in any case, in the same message; NULL: none.
 */
int rb_select_check_where(struct rb_conn *conn, const struct rb_table *table, const char *where,
                          const char *after, struct rb_error *err);

#endif
