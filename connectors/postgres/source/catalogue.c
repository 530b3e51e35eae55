#include "connectors/postgres/source/catalogue.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    T_CHILDREN,
    T_KEY_OF_RANGES,
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
    C_ORIGIN,
    C_NUMBER,
    C_GENERATED,
    C_COUNT
};

/* Those of type_definitions.sql. */
enum { D_COUNT = 3 };

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for the catalogue");
}

void rb_catalogue_init(struct rb_catalogue *catalogue)
{
    rb_query_result_init(&catalogue->tables);
    rb_query_result_init(&catalogue->columns);
    rb_query_result_init(&catalogue->types);
    catalogue->members = NULL;
    catalogue->money_digits = -1;
}

void rb_catalogue_release(struct rb_catalogue *catalogue)
{
    rb_query_result_release(&catalogue->tables);
    rb_query_result_release(&catalogue->columns);
    rb_query_result_release(&catalogue->types);
    free(catalogue->members);
    catalogue->members = NULL;
}

/* Appends the value to an array in PostgreSQL's text form. */
static int put_item(struct rb_buf *array, const char *value)
{
    return rb_buf_printf(array, "%s%s", array->len > 0 ? "," : "{", value);
}

/* The descriptions of the types that not every server has; nothing when there are none. */
static int query_types(struct rb_conn *conn, const struct rb_query_result *rows,
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

/* The OIDs of the relations, as an array. */
static int put_oids(const struct rb_query_result *tables, struct rb_buf *ret, struct rb_error *err)
{
    int r = tables->n_rows > 0 ? 0 : rb_buf_append_byte(ret, '{');
    for (size_t i = 0; r == 0 && i < tables->n_rows; i++) {
        r = put_item(ret, rb_query_text(tables, i, T_OID));
    }
    return r < 0 || rb_buf_append_byte(ret, '}') < 0 ? no_memory(err) : 0;
}

static int query_columns_by(struct rb_conn *conn, const char *sql,
                            const struct rb_query_result *tables, struct rb_query_result *ret,
                            struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf oids = RB_BUF_INIT(RB_QUERY_RESULT_MAX);
    int r = put_oids(tables, &oids, err);
    struct rb_query_param param = rb_query_text_param(rb_buf_str(&oids));
    return r < 0 ? r : rb_query_run_kept(conn, sql, &param, 1, ret, err);
}

/* The columns of one relation by the short way. 1: they need the long one. */
static int query_plain_columns(struct rb_conn *conn, const struct rb_query_result *tables,
                               struct rb_query_result *ret, struct rb_error *err)
{
    int r = query_columns_by(conn, rb_sql_columns_plain, tables, ret, err);
    for (size_t i = 0; r == 0 && i < ret->n_rows; i++) {
        r = rb_query_text(ret, i, C_ENUM) ? 0 : 1;
    }
    return r;
}

static int query_columns(struct rb_conn *conn, const struct rb_query_result *tables,
                         struct rb_query_result *ret, struct rb_error *err)
{
    int r = tables->n_rows == 1 ? query_plain_columns(conn, tables, ret, err) : 1;
    return r == 1 ? query_columns_by(conn, rb_sql_columns, tables, ret, err) : r;
}

/* A name in an array's text form. */
static int put_name(struct rb_buf *array, const char *name)
{
    int r = rb_buf_append_str(array, array->len > 0 ? ",\"" : "{\"");
    for (const char *p = name; r == 0 && *p; p++) {
        r = *p == '"' || *p == '\\' ? rb_buf_append_byte(array, '\\') : 0;
        r = r < 0 ? r : rb_buf_append_byte(array, (uint8_t)*p);
    }
    return r < 0 ? r : rb_buf_append_byte(array, '"');
}

static int query_named(struct rb_conn *conn, const char *schema, const char *const *names, size_t n,
                       struct rb_query_result *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf array = RB_BUF_INIT(RB_QUERY_RESULT_MAX);
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = put_name(&array, names[i]);
    }
    if (r < 0 || rb_buf_append_byte(&array, '}') < 0) {
        return no_memory(err);
    }
    struct rb_query_param params[] = {rb_query_text_param(schema),
                                      rb_query_text_param(rb_buf_str(&array))};
    return rb_query_run_kept(conn, rb_sql_table, params, 2, ret, err);
}

/* One relation by the short way, unless it is partitioned or has children. */
static int query_tables(struct rb_conn *conn, const char *schema, const char *name,
                        struct rb_query_result *ret, struct rb_error *err)
{
    struct rb_query_param params[] = {rb_query_text_param(schema), rb_query_text_param(name),
                                      rb_query_text_param(NULL), rb_query_text_param(NULL)};
    int r = query_named(conn, schema, &name, 1, ret, err);
    const char *kind = r == 0 ? rb_query_text(ret, 0, T_KIND) : NULL;
    return r == 0 && ret->n_rows > 0 && (!kind || *kind == 'p')
               ? rb_query_run_kept(conn, rb_sql_tables, params, 4, ret, err)
               : r;
}

static int check_shape(const struct rb_query_result *rows, size_t n_columns, const char *what,
                       struct rb_error *err)
{
    return !rows->n_rows || rows->n_columns == n_columns
               ? 0
               : rb_error_set(err, RB_EPROTOCOL, "PROTOCOL_VIOLATION",
                              "the server's answer about %s has another shape than asked for",
                              what);
}

/* With what the tables in it are made of. */
static int complete(struct rb_conn *conn, struct rb_catalogue *ret, struct rb_error *err)
{
    int r = check_shape(&ret->tables, T_COUNT, "tables", err);
    if (r < 0 || !ret->tables.n_rows) {
        return r;
    }
    r = query_columns(conn, &ret->tables, &ret->columns, err);
    r = r < 0 ? r : check_shape(&ret->columns, C_COUNT, "columns", err);
    r = r < 0 ? r : query_types(conn, &ret->columns, &ret->types, err);
    return r < 0 ? r : check_shape(&ret->types, D_COUNT, "types", err);
}

/* `definition` (type_definitions.sql) NULL: every server has the type. */
static bool has_money(uint32_t oid, const char *definition)
{
    return oid == RB_TYPE_MONEY_OID || oid == RB_TYPE_MONEYS_OID ||
           (definition != NULL && strstr(definition, "\"builtin\": \"money\"") != NULL);
}

/* Its fractions are those of the locale that the user reads it by. In a transaction. */
static int query_money(struct rb_conn *conn, struct rb_catalogue *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    rb_query_result_init(&rows);
    bool any = false;
    for (size_t i = 0; i < ret->columns.n_rows; i++) {
        any = any || has_money((uint32_t)rb_query_int(&ret->columns, i, C_OID, 0), NULL);
    }
    for (size_t i = 0; i < ret->types.n_rows; i++) {
        any = any || has_money(0, rb_query_text(&ret->types, i, 2));
    }
    if (!any) {
        return 0;
    }
    int r = rb_query_run_as_user(conn, rb_sql_money_digits, NULL, 0, &rows, err);
    ret->money_digits = (int)rb_query_int(&rows, 0, 0, 2);
    return r;
}

int rb_catalogue_query(struct rb_conn *conn, const char *schema, const char *name,
                       struct rb_catalogue *ret, struct rb_error *err)
{
    int r = query_tables(conn, schema, name, &ret->tables, err);
    r = r < 0 ? r : complete(conn, ret, err);
    return r < 0 ? r : query_money(conn, ret, err);
}

int rb_catalogue_query_many(struct rb_conn *conn, const char *schema, const char *const *names,
                            size_t n, struct rb_catalogue *ret, struct rb_error *err)
{
    int r = query_named(conn, schema, names, n, &ret->tables, err);
    r = r < 0 ? r : check_shape(&ret->tables, T_COUNT, "tables", err);
    r = r < 0 ? r : query_columns_by(conn, rb_sql_columns_plain, &ret->tables, &ret->columns, err);
    return r < 0 ? r : check_shape(&ret->columns, C_COUNT, "columns", err);
}

/* The rows of the relation `oid` among those of columns.sql, which has them by OID. 1: its columns
 * need the long way. */
static int take_columns(const struct rb_query_result *many, int64_t oid,
                        struct rb_query_result *ret, struct rb_error *err)
{
    size_t low = 0, high = many->n_rows;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rb_query_int(many, middle, C_TABLE, 0) < oid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    int r = 0;
    while (r == 0 && low < many->n_rows && rb_query_int(many, low, C_TABLE, 0) == oid) {
        r = rb_query_text(many, low, C_ENUM) ? rb_query_result_copy(many, low, ret, err) : 1;
        low++;
    }
    return r;
}

int rb_catalogue_take(const struct rb_catalogue *many, struct rb_conn *conn, const char *name,
                      struct rb_catalogue *ret, struct rb_error *err)
{
    size_t at = 0;
    while (at < many->tables.n_rows &&
           strcmp(rb_query_text(&many->tables, at, T_NAME), name) != 0) {
        at++;
    }
    const char *kind = rb_query_text(&many->tables, at, T_KIND);
    if (!kind || *kind == 'p') {
        return 1;
    }
    int64_t oid = rb_query_int(&many->tables, at, T_OID, 0);
    int r = take_columns(&many->columns, oid, &ret->columns, err);
    r = r != 0 ? r : rb_query_result_copy(&many->tables, at, &ret->tables, err);
    r = r != 0 ? r : query_types(conn, &ret->columns, &ret->types, err);
    r = r != 0 ? r : check_shape(&ret->types, D_COUNT, "types", err);
    if (r == 1) {
        rb_catalogue_release(ret);
        rb_catalogue_init(ret);
    }
    return r;
}

int rb_catalogue_list(struct rb_conn *conn, const char *schema, const char *after,
                      int64_t max_columns, struct rb_catalogue *ret, struct rb_error *err)
{
    char max[24];
    snprintf(max, sizeof max, "%" PRId64, max_columns);
    struct rb_query_param params[] = {rb_query_text_param(schema), rb_query_text_param(NULL),
                                      rb_query_text_param(after),
                                      rb_query_text_param(max_columns > 0 ? max : NULL)};
    int r = rb_query_run(conn, rb_sql_tables, params, 4, RB_QUERY_TEXT, &ret->tables, err);
    return r < 0 ? r : complete(conn, ret, err);
}

int rb_catalogue_find_members(struct rb_conn *conn, const char *streams,
                              struct rb_catalogue *catalogue, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    rb_query_result_init(&rows);
    if (!rb_query_bool(&catalogue->tables, 0, T_CHILDREN)) {
        return 0;
    }
    struct rb_query_param params[] = {
        rb_query_text_param(rb_query_text(&catalogue->tables, 0, T_OID)),
        rb_query_text_param(*streams ? streams : "[]")};
    int r = rb_query_run_kept(conn, rb_sql_members, params, 2, &rows, err);
    const char *members = r < 0 ? NULL : rb_query_text(&rows, 0, 0);
    if (members != NULL) {
        catalogue->members = strdup(members);
        r = catalogue->members ? 0 : no_memory(err);
    }
    return r;
}

void rb_catalogue_write(const struct rb_catalogue *catalogue, struct rb_json *json)
{
    rb_json_begin_object(json);
    rb_json_key(json, "tables");
    rb_query_result_write(&catalogue->tables, json);
    rb_json_key(json, "columns");
    rb_query_result_write(&catalogue->columns, json);
    rb_json_key(json, "types");
    rb_query_result_write(&catalogue->types, json);
    rb_json_member_i64(json, "money_digits", catalogue->money_digits);
    rb_json_member_str(json, "members", catalogue->members);
    rb_json_end_object(json);
}

/* As PostgreSQL writes an array of OIDs: it is pasted into statements. */
static bool is_oids(const char *text)
{
    size_t n = strlen(text);
    return n >= 2 && text[0] == '{' && text[n - 1] == '}' &&
           strspn(text + 1, "0123456789,") == n - 2;
}

int rb_catalogue_take_members(struct rb_catalogue *catalogue, const char *members,
                              struct rb_error *err)
{
    if (!is_oids(members)) {
        return rb_error_set(err, RB_EDATA, "BAD_RESULT", "this is no array of OIDs");
    }
    free(catalogue->members);
    catalogue->members = strdup(members);
    return catalogue->members ? 0 : no_memory(err);
}

int rb_catalogue_read(struct rb_json_value json, struct rb_catalogue *ret, struct rb_error *err)
{
    int r = rb_query_result_read(rb_json_get(json, "tables"), T_COUNT, &ret->tables, err);
    r = r < 0 ? r : rb_query_result_read(rb_json_get(json, "columns"), C_COUNT, &ret->columns, err);
    r = r < 0 ? r : rb_query_result_read(rb_json_get(json, "types"), D_COUNT, &ret->types, err);
    ret->money_digits = (int)rb_json_int(rb_json_get(json, "money_digits"), -1);
    const char *members = rb_json_text(rb_json_get(json, "members"), NULL);
    return r < 0 || members == NULL ? r : rb_catalogue_take_members(ret, members, err);
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
        .has_children = rb_query_bool(rows, row, T_CHILDREN),
        .key_of_ranges = rb_query_bool(rows, row, T_KEY_OF_RANGES),
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

static int read_column(const struct rb_catalogue *catalogue, size_t row, bool peer_pg_binary,
                       struct rb_table *table, struct rb_error *err)
{
    const struct rb_query_result *rows = &catalogue->columns;
    struct rb_table_place *grown = realloc(table->places, (table->columns.n + 1) * sizeof *grown);
    if (!grown) {
        return no_memory(err);
    }
    table->places = grown;
    grown[table->columns.n] = (struct rb_table_place){
        .number = (int)rb_query_int(rows, row, C_NUMBER, 0),
        .may_select = rb_query_bool(rows, row, C_SELECT),
    };
    struct rb_column column = {
        .name = borrowed(rb_query_text(rows, row, C_NAME)),
        .declared = borrowed(rb_query_text(rows, row, C_DECLARED)),
        .type_name = borrowed(rb_query_text(rows, row, C_TYPE_NAME)),
        .collation = borrowed(rb_query_text(rows, row, C_COLLATION)),
        .definition = borrowed(find_definition(&catalogue->types, rows, row)),
        .origin = borrowed(rb_query_text(rows, row, C_ORIGIN)),
        .typmod = (int32_t)rb_query_int(rows, row, C_TYPMOD, -1),
        .not_null = rb_query_bool(rows, row, C_NOT_NULL),
        .generated = rb_query_bool(rows, row, C_GENERATED),
    };
    struct rb_type_facts facts = {
        .oid = (uint32_t)rb_query_int(rows, row, C_OID, 0),
        .elem_oid = (uint32_t)rb_query_int(rows, row, C_ELEMENT, 0),
        .is_enum = rb_query_bool(rows, row, C_ENUM),
    };
    column.has_money = catalogue->money_digits >= 0 && has_money(facts.oid, column.definition);
    column.money_digits = column.has_money ? catalogue->money_digits : 0;
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

static int read_columns(const struct rb_catalogue *catalogue, bool peer_pg_binary,
                        struct rb_tables *tables, struct rb_error *err)
{
    const struct rb_query_result *rows = &catalogue->columns;
    struct rb_table *table = NULL;
    int r = 0;
    for (size_t i = 0; r == 0 && i < rows->n_rows; i++) {
        uint32_t oid = (uint32_t)rb_query_int(rows, i, C_TABLE, 0);
        if (!table || table->oid != oid) {
            table = find_oid(tables, oid);
        }
        if (table) {
            r = read_column(catalogue, i, peer_pg_binary, table, err);
        }
    }
    return r;
}

int rb_catalogue_tables(const struct rb_catalogue *catalogue, const char *schema,
                        bool peer_pg_binary, struct rb_tables *ret, struct rb_error *err)
{
    const struct rb_query_result *rows = &catalogue->tables;
    RB_CLEANUP(rb_tables_release) struct rb_tables tables;
    rb_tables_init(&tables);
    if (rows->n_rows) {
        tables.items = calloc(rows->n_rows, sizeof *tables.items);
        if (!tables.items) {
            return no_memory(err);
        }
    }
    for (size_t i = 0; i < rows->n_rows; i++) {
        tables.n++;
        if (read_table(rows, i, schema, &tables.items[i]) < 0) {
            return no_memory(err);
        }
    }
    if (tables.n == 1 && catalogue->members) {
        tables.items[0].members = strdup(catalogue->members);
        if (!tables.items[0].members) {
            return no_memory(err);
        }
    }
    int r = read_columns(catalogue, peer_pg_binary, &tables, err);
    if (r < 0) {
        return r;
    }
    *ret = tables;
    rb_tables_init(&tables);
    return 0;
}
