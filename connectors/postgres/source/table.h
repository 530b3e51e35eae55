/* What the catalogue says of tables, views and their columns. */
#ifndef RB_CONNECTORS_POSTGRES_SOURCE_TABLE_H
#define RB_CONNECTORS_POSTGRES_SOURCE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "connectors/postgres/common/conn.h"
#include "connectors/postgres/common/type.h"
#include "rapidbyte/json.h"

/* Of a column. */
struct rb_table_place {
    int number; /* pg_attribute.attnum */
    bool may_select;
};

struct rb_table {
    char *schema;
    char *name;
    char *primary_key_json; /* array of names; NULL: none */
    uint32_t oid;
    char kind;               /* pg_class.relkind: r, p, v, m, f */
    bool may_use_schema;     /* the role has USAGE */
    bool row_security;       /* rows are filtered for this role */
    bool divisible;          /* one heap: TID ranges are possible */
    bool copies;             /* COPY takes it by name, not only as a query */
    bool has_xmin;           /* every row has its transaction's number */
    bool has_children;       /* tables inherit from it; partitions don't count */
    bool key_of_ranges;      /* its primary key is WITHOUT OVERLAPS */
    char *members;           /* of those: the tables whose rows are this one's, an array of OIDs as
                                PostgreSQL writes it; NULL: all descendants */
    int64_t estimated_rows;  /* -1: not known */
    int64_t estimated_bytes; /* likewise */
    int64_t filenode;        /* 0: none */
    struct rb_columns columns;
    struct rb_table_place *places; /* one a column */
};

struct rb_tables {
    struct rb_table *items;
    size_t n;
};

void rb_tables_init(struct rb_tables *tables);
void rb_tables_release(struct rb_tables *tables);

/* The relations of `schema` that rb_catalogue_list finds, with their columns as they travel to a
 * peer with pg_binary. */
int rb_tables_list(struct rb_conn *conn, const char *schema, const char *after, int64_t max_columns,
                   struct rb_tables *ret, struct rb_error *err);
/* The one that was asked for, which must be there and be readable; ret->items[0] is it. RB_ESCHEMA,
 * RB_EPERM. `filter_rows`: filtered rows are what the operator wants. `role`: ours, for hints. */
struct rb_catalogue;
int rb_tables_find(const struct rb_catalogue *catalogue, const char *schema, const char *name,
                   bool peer_pg_binary, bool filter_rows, const char *role, struct rb_tables *ret,
                   struct rb_error *err);
/* The columns named in `names` (an array; absent: all), in its order. RB_ESCHEMA for one that is
 * not there, RB_EPERM for one that the role may not read, RB_ECONFIG for one named twice. */
int rb_table_choose(const struct rb_table *table, struct rb_json_value names, const char *role,
                    struct rb_columns *ret, struct rb_error *err);
/* Reading it runs SQL of the user: a view's, a row policy's, a generated column's, or what a
 * foreign server's wrapper reads its values by. */
bool rb_table_runs_sql(const struct rb_table *table);
/* "table", "view", … */
const char *rb_table_kind_name(const struct rb_table *table);

#endif
