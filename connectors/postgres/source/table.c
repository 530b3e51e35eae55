#include "connectors/postgres/source/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/postgres/source/catalogue.h"

static void table_release(struct rb_table *table)
{
    free(table->schema);
    free(table->name);
    free(table->primary_key_json);
    free(table->places);
    free(table->members);
    rb_columns_release(&table->columns);
}

void rb_tables_init(struct rb_tables *tables)
{
    *tables = (struct rb_tables){0};
}

void rb_tables_release(struct rb_tables *tables)
{
    for (size_t i = 0; i < tables->n; i++) {
        table_release(&tables->items[i]);
    }
    free(tables->items);
    rb_tables_init(tables);
}

int rb_tables_list(struct rb_conn *conn, const char *schema, const char *after, int64_t max_columns,
                   struct rb_tables *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_catalogue_release) struct rb_catalogue catalogue;
    rb_catalogue_init(&catalogue);
    int r = rb_catalogue_list(conn, schema, after, max_columns, &catalogue, err);
    return r < 0 ? r : rb_catalogue_tables(&catalogue, schema, true, ret, err);
}

int rb_tables_find(const struct rb_catalogue *catalogue, const char *schema, const char *name,
                   bool peer_pg_binary, bool filter_rows, const char *role, struct rb_tables *ret,
                   struct rb_error *err)
{
    RB_CLEANUP(rb_tables_release) struct rb_tables tables;
    rb_tables_init(&tables);
    int r = rb_catalogue_tables(catalogue, schema, peer_pg_binary, &tables, err);
    if (r < 0) {
        return r;
    }
    if (tables.n != 1) {
        rb_error_set(err, RB_ESCHEMA, "NO_SUCH_TABLE", "there is no table or view \"%s\".\"%s\"",
                     schema, name);
        rb_error_set_hint(err, "rapidbyte discover lists what there is; names are case-sensitive");
        return RB_ESCHEMA;
    }
    const struct rb_table *table = &tables.items[0];
    if (!table->may_use_schema) {
        rb_error_set(err, RB_EPERM, "PERMISSION_DENIED", "no right to use the schema \"%s\"",
                     schema);
        rb_error_set_hint(err, "GRANT USAGE ON SCHEMA \"%s\" TO \"%s\"", schema, role);
        return RB_EPERM;
    }
    if (table->row_security && !filter_rows) {
        rb_error_set(err, RB_EPERM, "ROW_SECURITY",
                     "row-level security filters the rows of \"%s\".\"%s\" for this role", schema,
                     name);
        rb_error_set_hint(err,
                          "use a role with BYPASSRLS, or set row_security: filter to copy only "
                          "the rows that the role may see");
        return RB_EPERM;
    }
    *ret = tables;
    rb_tables_init(&tables);
    return 0;
}

static int choose_one(const struct rb_table *table, const char *name, const char *role,
                      struct rb_columns *chosen, struct rb_error *err)
{
    const struct rb_column *column = rb_columns_find(&table->columns, name);
    if (!column) {
        rb_error_set(err, RB_ESCHEMA, "NO_SUCH_COLUMN", "\"%s\".\"%s\" has no column \"%s\"",
                     table->schema, table->name, name);
        rb_columns_suggest(&table->columns, name, err);
        return RB_ESCHEMA;
    }
    if (!table->places[column - table->columns.items].may_select) {
        rb_error_set(err, RB_EPERM, "PERMISSION_DENIED",
                     "no right to read column \"%s\" of \"%s\".\"%s\"", name, table->schema,
                     table->name);
        rb_error_set_hint(err,
                          "GRANT SELECT ON \"%s\".\"%s\" TO \"%s\" (or leave the column out: "
                          "name the others in `columns`)",
                          table->schema, table->name, role);
        return RB_EPERM;
    }
    return rb_columns_add(chosen, column, err);
}

int rb_table_choose(const struct rb_table *table, struct rb_json_value names, const char *role,
                    struct rb_columns *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_columns_release) struct rb_columns chosen;
    rb_columns_init(&chosen);
    bool all = rb_json_is_absent(names);
    size_t n = all ? table->columns.n : rb_json_count(names);
    for (size_t i = 0; i < n; i++) {
        const char *name =
            all ? table->columns.items[i].name : rb_json_text(rb_json_item(names, i), "");
        if (rb_columns_find(&chosen, name)) {
            return rb_error_set(err, RB_ECONFIG, "BAD_CONFIG", "column \"%s\" is named twice",
                                name);
        }
        int r = choose_one(table, name, role, &chosen, err);
        if (r < 0) {
            return r;
        }
    }
    *ret = chosen;
    rb_columns_init(&chosen);
    return 0;
}

bool rb_table_runs_sql(const struct rb_table *table)
{
    return table->kind == 'v' || table->kind == 'f' || table->row_security ||
           (table->kind == 'r' && !table->copies);
}

const char *rb_table_kind_name(const struct rb_table *table)
{
    switch (table->kind) {
    case 'r':
        return "table";
    case 'p':
        return "partitioned table";
    case 'v':
        return "view";
    case 'm':
        return "materialized view";
    case 'f':
        return "foreign table";
    default:
        return "relation";
    }
}
