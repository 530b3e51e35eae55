#include "connectors/postgres/source/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/postgres/common/query.h"
#include "gen/connectors/postgres/common/sql.h"
#include "gen/connectors/postgres/source/sql.h"

/* The columns of tables.sql. */
enum {
    T_OID,
    T_NAME,
    T_KIND,
    T_USAGE,
    T_ROW_SECURITY,
    T_ROWS,
    T_BYTES,
    T_DIVISIBLE,
    T_XMIN,
    T_FILENODE,
    T_PRIMARY_KEY,
    T_COPIES,
    T_COUNT
};

/* The columns of columns.sql. */
enum {
    C_TABLE,
    C_NAME,
    C_DECLARED,
    C_TYPE_NAME,
    C_OID,
    C_TYPMOD,
    C_ELEMENT,
    C_COLLATION,
    C_NOT_NULL,
    C_SELECT,
    C_ENUM,
    C_MADE_TYPE, /* NULL: every server has the type */
    C_MADE_TYPMOD,
    C_COUNT
};

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for the catalogue");
}

static void table_release(struct rb_table *table)
{
    free(table->schema);
    free(table->name);
    free(table->primary_key_json);
    free(table->may_select);
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

static int read_table(const struct rb_query_result *rows, size_t row, const char *schema,
                      struct rb_table *ret)
{
    const char *key = rb_query_text(rows, row, T_PRIMARY_KEY);
    const char *kind = rb_query_text(rows, row, T_KIND);
    const char *name = rb_query_text(rows, row, T_NAME);
    *ret = (struct rb_table){
        .schema = strdup(schema),
        .name = strdup(name ? name : ""),
        .primary_key_json = key ? strdup(key) : NULL,
        .oid = (uint32_t)rb_query_int(rows, row, T_OID, 0),
        .kind = kind ? *kind : '?',
        .may_use_schema = rb_query_bool(rows, row, T_USAGE),
        .row_security = rb_query_bool(rows, row, T_ROW_SECURITY),
        .divisible = rb_query_bool(rows, row, T_DIVISIBLE),
        .copies = rb_query_bool(rows, row, T_COPIES),
        .has_xmin = rb_query_bool(rows, row, T_XMIN),
        .estimated_rows = rb_query_int(rows, row, T_ROWS, -1),
        .estimated_bytes = rb_query_int(rows, row, T_BYTES, -1),
        .filenode = rb_query_int(rows, row, T_FILENODE, 0),
    };
    rb_columns_init(&ret->columns);
    return ret->schema && ret->name && (!key || ret->primary_key_json) ? 0 : RB_ENOMEM;
}

/* rb_columns_add copies the strings. */
static char *borrowed(const char *text)
{
    union {
        const char *in;
        char *out;
    } u = {.in = text};
    return u.out;
}

/* Appends the value to an array in PostgreSQL's text form. */
static int put_item(struct rb_buf *array, const char *value)
{
    return rb_buf_printf(array, "%s%s", array->len > 0 ? "," : "{", value);
}

/* The descriptions of the types that not every server has; nothing when there are none. */
static int define_types(struct rb_conn *conn, const struct rb_query_result *rows,
                        struct rb_query_result *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf oids = RB_BUF_INIT(RB_QUERY_RESULT_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf typmods = RB_BUF_INIT(RB_QUERY_RESULT_MAX);
    for (size_t i = 0; i < rows->n_rows; i++) {
        const char *oid = rb_query_text(rows, i, C_MADE_TYPE);
        if (oid != NULL && (put_item(&oids, oid) < 0 ||
                            put_item(&typmods, rb_query_text(rows, i, C_MADE_TYPMOD)) < 0)) {
            return no_memory(err);
        }
    }
    if (oids.len == 0) {
        return 0;
    }
    if (rb_buf_append_byte(&oids, '}') < 0 || rb_buf_append_byte(&typmods, '}') < 0) {
        return no_memory(err);
    }
    struct rb_query_param params[] = {rb_query_text_param(rb_buf_str(&oids)),
                                      rb_query_text_param(rb_buf_str(&typmods))};
    return rb_query_run_kept(conn, rb_sql_type_definitions, params, 2, ret, err);
}

/* Of the column in that row of columns.sql; NULL: it needs none. */
static const char *find_definition(const struct rb_query_result *definitions,
                                   const struct rb_query_result *rows, size_t row)
{
    const char *oid = rb_query_text(rows, row, C_MADE_TYPE);
    for (size_t i = 0; oid != NULL && i < definitions->n_rows; i++) {
        if (strcmp(rb_query_text(definitions, i, 0), oid) == 0 &&
            strcmp(rb_query_text(definitions, i, 1), rb_query_text(rows, row, C_MADE_TYPMOD)) ==
                0) {
            return rb_query_text(definitions, i, 2);
        }
    }
    return NULL;
}

static int read_column(const struct rb_query_result *rows, size_t row,
                       const struct rb_query_result *definitions, bool peer_pg_binary,
                       struct rb_table *table, struct rb_error *err)
{
    bool *grown = realloc(table->may_select, (table->columns.n + 1) * sizeof *grown);
    if (!grown) {
        return no_memory(err);
    }
    table->may_select = grown;
    table->may_select[table->columns.n] = rb_query_bool(rows, row, C_SELECT);
    struct rb_column column = {
        .name = borrowed(rb_query_text(rows, row, C_NAME)),
        .declared = borrowed(rb_query_text(rows, row, C_DECLARED)),
        .type_name = borrowed(rb_query_text(rows, row, C_TYPE_NAME)),
        .collation = borrowed(rb_query_text(rows, row, C_COLLATION)),
        .definition = borrowed(find_definition(definitions, rows, row)),
        .typmod = (int32_t)rb_query_int(rows, row, C_TYPMOD, -1),
        .not_null = rb_query_bool(rows, row, C_NOT_NULL),
    };
    struct rb_type_facts facts = {
        .oid = (uint32_t)rb_query_int(rows, row, C_OID, 0),
        .elem_oid = (uint32_t)rb_query_int(rows, row, C_ELEMENT, 0),
        .is_enum = rb_query_bool(rows, row, C_ENUM),
    };
    rb_column_set_type(&column, facts, peer_pg_binary);
    return rb_columns_add(&table->columns, &column, err);
}

static struct rb_table *find_oid(const struct rb_tables *tables, uint32_t oid)
{
    for (size_t i = 0; i < tables->n; i++) {
        if (tables->items[i].oid == oid) {
            return &tables->items[i];
        }
    }
    return NULL;
}

static int read_columns(struct rb_conn *conn, bool peer_pg_binary, struct rb_tables *tables,
                        struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf oids = RB_BUF_INIT(RB_QUERY_RESULT_MAX);
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    RB_CLEANUP(rb_query_result_release) struct rb_query_result definitions;
    rb_query_result_init(&rows);
    rb_query_result_init(&definitions);
    int r = 0;
    for (size_t i = 0; r == 0 && i < tables->n; i++) {
        r = rb_buf_printf(&oids, "%s%lu", i ? "," : "{", (unsigned long)tables->items[i].oid);
    }
    r = r < 0 ? r : rb_buf_append_byte(&oids, '}');
    if (r < 0) {
        return no_memory(err);
    }
    struct rb_query_param param = rb_query_text_param(rb_buf_str(&oids));
    r = rb_query_run_kept(conn, rb_sql_columns, &param, 1, &rows, err);
    if (r == 0 && rows.n_rows && rows.n_columns != C_COUNT) {
        r = rb_error_set(err, RB_EPROTOCOL, "PROTOCOL_VIOLATION",
                         "the server's answer about columns has another shape than asked for");
    }
    r = r < 0 ? r : define_types(conn, &rows, &definitions, err);
    struct rb_table *table = NULL;
    for (size_t i = 0; r == 0 && i < rows.n_rows; i++) {
        uint32_t oid = (uint32_t)rb_query_int(&rows, i, C_TABLE, 0);
        if (!table || table->oid != oid) {
            table = find_oid(tables, oid);
        }
        if (table) {
            r = read_column(&rows, i, &definitions, peer_pg_binary, table, err);
        }
    }
    return r;
}

int rb_tables_list(struct rb_conn *conn, const char *schema, const char *name, bool peer_pg_binary,
                   struct rb_tables *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    rb_query_result_init(&rows);
    struct rb_query_param params[] = {rb_query_text_param(schema), rb_query_text_param(name)};
    int r = rb_query_run_kept(conn, rb_sql_tables, params, 2, &rows, err);
    if (r < 0) {
        return r;
    }
    if (rows.n_rows && rows.n_columns != T_COUNT) {
        return rb_error_set(err, RB_EPROTOCOL, "PROTOCOL_VIOLATION",
                            "the server's answer about tables has another shape than asked for");
    }
    RB_CLEANUP(rb_tables_release) struct rb_tables tables;
    rb_tables_init(&tables);
    if (rows.n_rows) {
        tables.items = calloc(rows.n_rows, sizeof *tables.items);
        if (!tables.items) {
            return no_memory(err);
        }
        for (size_t i = 0; i < rows.n_rows; i++) {
            tables.n++;
            if (read_table(&rows, i, schema, &tables.items[i]) < 0) {
                return no_memory(err);
            }
        }
        r = read_columns(conn, peer_pg_binary, &tables, err);
        if (r < 0) {
            return r;
        }
    }
    *ret = tables;
    rb_tables_init(&tables);
    return 0;
}

int rb_tables_find(struct rb_conn *conn, const char *schema, const char *name, bool peer_pg_binary,
                   bool filter_rows, struct rb_tables *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_tables_release) struct rb_tables tables;
    rb_tables_init(&tables);
    int r = rb_tables_list(conn, schema, name, peer_pg_binary, &tables, err);
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
        rb_error_set_hint(err, "GRANT USAGE ON SCHEMA \"%s\" TO the role", schema);
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

static int choose_one(const struct rb_table *table, const char *name, struct rb_columns *chosen,
                      struct rb_error *err)
{
    const struct rb_column *column = rb_columns_find(&table->columns, name);
    if (!column) {
        return rb_error_set(err, RB_ESCHEMA, "NO_SUCH_COLUMN", "\"%s\".\"%s\" has no column \"%s\"",
                            table->schema, table->name, name);
    }
    if (!table->may_select[column - table->columns.items]) {
        rb_error_set(err, RB_EPERM, "PERMISSION_DENIED",
                     "no right to read column \"%s\" of \"%s\".\"%s\"", name, table->schema,
                     table->name);
        rb_error_set_hint(err,
                          "GRANT SELECT ON \"%s\".\"%s\" TO the role, or leave the column out "
                          "by naming the others in `columns`",
                          table->schema, table->name);
        return RB_EPERM;
    }
    return rb_columns_add(chosen, column, err);
}

int rb_table_choose(const struct rb_table *table, struct rb_json_value names,
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
        int r = choose_one(table, name, &chosen, err);
        if (r < 0) {
            return r;
        }
    }
    *ret = chosen;
    rb_columns_init(&chosen);
    return 0;
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
