/* What the catalogue says of tables, as the server answered: what the plan has found is handed to
 * the readers, who see the same catalogue under the same snapshot. */
#ifndef RB_CONNECTORS_POSTGRES_SOURCE_CATALOGUE_H
#define RB_CONNECTORS_POSTGRES_SOURCE_CATALOGUE_H

#include "base/json.h"
#include "connectors/postgres/common/query.h"
#include "connectors/postgres/source/table.h"

struct rb_catalogue {
    struct rb_query_result tables, columns, types; /* of sql/tables, columns, type_definitions */
    int money_digits; /* after the point of the user's money; -1: no column has any */
    char *members;    /* of a single table from which others inherit (table.h); NULL: none */
};

void rb_catalogue_init(struct rb_catalogue *catalogue);
void rb_catalogue_release(struct rb_catalogue *catalogue);

/* Asks about relation `name` of `schema`. One that is not there is not in the answer. `ret` is
 * initialised. */
int rb_catalogue_query(struct rb_conn *conn, const char *schema, const char *name,
                       struct rb_catalogue *ret, struct rb_error *err);
/* Asks about several relations at once, by the short way. `ret` is initialised; it has what
 * rb_catalogue_take takes, and serves for nothing else. */
int rb_catalogue_query_many(struct rb_conn *conn, const char *schema, const char *const *names,
                            size_t n, struct rb_catalogue *ret, struct rb_error *err);
/* What rb_catalogue_query would say of one of them. 1: rb_catalogue_query is to be asked, since the
 * relation isn't there, is partitioned, has children or a column of a domain; `ret` is as it was.
 */
int rb_catalogue_take(const struct rb_catalogue *many, struct rb_conn *conn, const char *name,
                      struct rb_catalogue *ret, struct rb_error *err);
/* All relations of `schema` but partitions, by name: those after `after` (NULL: from the first on)
 * until they and their columns are `max_columns` (0: all of them). */
int rb_catalogue_list(struct rb_conn *conn, const char *schema, const char *after,
                      int64_t max_columns, struct rb_catalogue *ret, struct rb_error *err);
/* Of a table that others inherit from: what of them is read with it. `streams`: the tables that are
 * streams themselves (sql/members.sql). */
int rb_catalogue_find_members(struct rb_conn *conn, const char *streams,
                              struct rb_catalogue *catalogue, struct rb_error *err);
/* The same, as it was found before. RB_EDATA for what is no array of OIDs. */
int rb_catalogue_take_members(struct rb_catalogue *catalogue, const char *members,
                              struct rb_error *err);
/* As text, and back. Reading: RB_EDATA for what was not written by the other. */
void rb_catalogue_write(const struct rb_catalogue *catalogue, struct rb_json *json);
int rb_catalogue_read(struct rb_json_value json, struct rb_catalogue *ret, struct rb_error *err);
/* The tables of it, with their columns as they travel to a peer with or without pg_binary. */
int rb_catalogue_tables(const struct rb_catalogue *catalogue, const char *schema,
                        bool peer_pg_binary, struct rb_tables *ret, struct rb_error *err);

#endif
