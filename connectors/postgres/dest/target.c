/* The table that rows go to: looking it up, making it. */
#include <stdio.h>
#include <string.h>

#include "connectors/postgres/dest/dest.h"
#include "gen/connectors/postgres/dest/sql.h"

void rb_target_init(struct rb_target *target)
{
    target->exists = false;
    target->oid[0] = '\0';
    target->name[0] = '\0';
    target->relation[0] = '\0';
    rb_query_result_init(&target->columns);
}

void rb_target_release(struct rb_target *target)
{
    rb_query_result_release(&target->columns);
}

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a statement");
}

/* `found`: target_table.sql's row. Whether a server that crashes would lose rows, or another one
 * commits them. */
static int check_durable(struct rb_dest *dest, const struct rb_target *target,
                         const struct rb_query_result *found, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result parts;
    rb_query_result_init(&parts);
    const char *oid = rb_query_text(found, 0, 0);
    char kind = rb_query_text(found, 0, 1)[0];
    if (strchr("rpf", kind) == NULL) {
        return rb_error_set(err, RB_ESCHEMA, "NOT_A_TABLE", "%s exists and is not a table",
                            target->relation);
    }
    int status = kind == 'p' ? rb_dest_query(dest, rb_sql_target_parts, &oid, 1, &parts, err) : 0;
    if (status < 0) {
        return status;
    }
    const char *inexact = NULL;
    if (kind == 'f' || rb_query_bool(&parts, 0, 0)) {
        inexact = "a foreign table, whose rows another server commits";
    } else if (rb_query_bool(found, 0, 2) || rb_query_bool(&parts, 0, 1)) {
        inexact = "unlogged, and empty after a crash of the server";
    }
    return inexact == NULL
               ? 0
               : rb_error_set(err, RB_ESCHEMA, "NOT_DURABLE",
                              "%s is (or has a partition that is) %s: it can't be loaded exactly",
                              target->relation, inexact);
}

static int read_referenced(struct rb_dest *dest, struct rb_target *target, bool has_triggers,
                           struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    const char *oid = target->oid;
    int status = has_triggers ? rb_dest_query(dest, rb_sql_target_referenced, &oid, 1, &r, err) : 0;
    const char *referenced = status == 0 && r.n_rows > 0 ? rb_query_text(&r, 0, 0) : NULL;
    snprintf(target->referenced, sizeof target->referenced, "%s",
             referenced != NULL ? referenced : "");
    target->refers = referenced != NULL && rb_query_bool(&r, 0, 1);
    return status;
}

/* `found`: target_table.sql's answer. */
static int take_found(struct rb_dest *dest, const char *schema, const char *table,
                      const struct rb_query_result *found, struct rb_target *target,
                      struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf name = RB_BUF_INIT(sizeof target->relation - 1);
    int status = rb_quote_qualified(&name, schema, table, err);
    if (status < 0) {
        return status;
    }
    memcpy(target->relation, rb_buf_str(&name), name.len + 1);
    snprintf(target->name, sizeof target->name, "%s", table);
    target->exists = found->n_rows > 0;
    if (!target->exists) {
        return 0;
    }
    target->runs_sql = rb_query_bool(found, 0, 7);
    target->is_ours = rb_query_bool(found, 0, 3);
    target->may_truncate = rb_query_bool(found, 0, 4);
    const char *owner = rb_query_text(found, 0, 5);
    snprintf(target->owner, sizeof target->owner, "%s", owner != NULL ? owner : "");
    snprintf(target->oid, sizeof target->oid, "%s", rb_query_text(found, 0, 0));
    status = check_durable(dest, target, found, err);
    return status < 0 ? status : read_referenced(dest, target, rb_query_bool(found, 0, 6), err);
}

int rb_target_look(struct rb_dest *dest, const char *schema, const char *table,
                   struct rb_target *target, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result found;
    rb_query_result_init(&found);
    const char *params[] = {schema, table};
    int status = rb_dest_query(dest, rb_sql_target_table, params, 2, &found, err);
    return status < 0 ? status : take_found(dest, schema, table, &found, target, err);
}

/* A default, a generated value, or a type that is not of pg_catalog, which may be, or hold, a
 * domain with its checks. */
static bool column_runs_sql(const struct rb_query_result *columns, size_t i)
{
    const char *type = rb_query_text(columns, i, RB_TARGET_BARE_TYPE);
    return rb_query_bool(columns, i, RB_TARGET_HAS_DEFAULT) ||
           rb_query_bool(columns, i, RB_TARGET_GENERATED) || type == NULL || strchr(type, '.');
}

static void read_columns(struct rb_target *target)
{
    for (size_t i = 0; i < target->columns.n_rows; i++) {
        target->runs_sql = target->runs_sql || column_runs_sql(&target->columns, i);
    }
}

int rb_target_find(struct rb_dest *dest, const char *schema, const char *table,
                   struct rb_target *target, struct rb_error *err)
{
    int status = rb_target_look(dest, schema, table, target, err);
    const char *oid = target->oid;
    if (status < 0 || !target->exists) {
        return status;
    }
    status = rb_dest_query(dest, rb_sql_target_columns, &oid, 1, &target->columns, err);
    if (status == 0) {
        read_columns(target);
    }
    return status;
}

int rb_target_take(struct rb_dest *dest, const char *schema, const char *table,
                   struct rb_json_value known, struct rb_target *target, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result found;
    rb_query_result_init(&found);
    int status = rb_query_result_read(rb_json_get(known, "found"), RB_TABLE_COLUMNS, &found, err);
    status = status < 0 ? status
                        : rb_query_result_read(rb_json_get(known, "columns"), RB_TARGET_COLUMNS,
                                               &target->columns, err);
    if (status == 0 && (found.n_rows != 1 || rb_query_text(&found, 0, 0) == NULL ||
                        rb_query_text(&found, 0, 1) == NULL)) {
        status = rb_error_set(err, RB_EDATA, "BAD_RESULT", "this is no table that was found");
    }
    status = status < 0 ? status : take_found(dest, schema, table, &found, target, err);
    if (status == 0) {
        read_columns(target);
    }
    return status;
}

size_t rb_target_column(const struct rb_target *target, const char *name)
{
    for (size_t i = 0; i < target->columns.n_rows; i++) {
        if (strcmp(rb_query_text(&target->columns, i, 0), name) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* What was a type's name once is no other SQL later, and whether the type is still there the
 * statement finds out. */
static bool is_known_type(const struct rb_dest *dest, const char *name)
{
    for (size_t i = 0; i < dest->n_types && i < RB_DEST_TYPES_KEPT; i++) {
        if (strcmp(dest->types[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void remember_type(struct rb_dest *dest, const char *name)
{
    size_t len = strlen(name);
    if (len < RB_DEST_TYPE_KEPT_MAX) {
        memcpy(dest->types[dest->n_types++ % RB_DEST_TYPES_KEPT], name, len + 1);
    }
}

int rb_target_check_types(struct rb_dest *dest, const struct rb_columns *columns,
                          struct rb_error *err)
{
    for (size_t i = 0; i < columns->n; i++) {
        const struct rb_column *column = &columns->items[i];
        const struct rb_type *type = rb_type_find(column->oid);
        if (type != NULL && strcmp(type->name, column->declared) == 0) {
            continue;
        }
        RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
        rb_query_result_init(&r);
        const char *declared = column->declared;
        if (is_known_type(dest, declared)) {
            continue;
        }
        if (!rb_quote_is_type(declared)) {
            return rb_error_set(err, RB_ESCHEMA, "BAD_TYPE",
                                "column \"%s\": %.200s is not the name of a type", column->name,
                                declared);
        }
        int status = rb_dest_query(dest, rb_sql_type_exists, &declared, 1, &r, err);
        if (status < 0) {
            rb_error_prefix(err, "column \"%s\", type %s", column->name, declared);
            return status;
        }
        if (!rb_query_bool(&r, 0, 0)) {
            status = rb_error_set(err, RB_ESCHEMA, "TYPE_MISSING",
                                  "column \"%s\": type %s does not exist in the destination",
                                  column->name, declared);
            rb_error_set_hint(err, "create the type in database \"%s\" first",
                              dest->config.database);
            return status;
        }
        remember_type(dest, declared);
    }
    return 0;
}

static int append_column(struct rb_buf *sql, const struct rb_column *column, struct rb_error *err)
{
    int status = rb_quote_ident(sql, column->name, err);
    if (status < 0) {
        return status;
    }
    if (column->collation != NULL && !rb_quote_is_qualified(column->collation)) {
        return rb_error_set(err, RB_ESCHEMA, "BAD_COLLATION",
                            "column \"%s\": %s is not the name of a collation", column->name,
                            column->collation);
    }
    status = rb_buf_printf(
        sql, " %s%s%s%s", column->declared, column->collation != NULL ? " COLLATE " : "",
        column->collation != NULL ? column->collation : "", column->not_null ? " NOT NULL" : "");
    return status < 0 ? no_memory(err) : 0;
}

static int append_key(struct rb_buf *sql, struct rb_json_value key, struct rb_error *err)
{
    size_t n = rb_json_count(key);
    int status = 0;
    if (n == 0) {
        return 0;
    }
    if (rb_buf_append_str(sql, ", PRIMARY KEY (") < 0) {
        return no_memory(err);
    }
    for (size_t i = 0; status == 0 && i < n; i++) {
        if (i > 0 && rb_buf_append_str(sql, ", ") < 0) {
            return no_memory(err);
        }
        status = rb_quote_ident(sql, rb_json_text(rb_json_item(key, i), ""), err);
    }
    return status == 0 && rb_buf_append_str(sql, ")") < 0 ? no_memory(err) : status;
}

int rb_target_create(struct rb_dest *dest, const char *schema, const char *table,
                     const struct rb_columns *columns, struct rb_json_value primary_key,
                     struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf sql = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    int status = rb_target_check_types(dest, columns, err);
    if (status == 0 && rb_buf_append_str(&sql, "CREATE TABLE ") < 0) {
        return no_memory(err);
    }
    status = status < 0 ? status : rb_quote_qualified(&sql, schema, table, err);
    if (status == 0 && rb_buf_append_str(&sql, " (") < 0) {
        return no_memory(err);
    }
    for (size_t i = 0; status == 0 && i < columns->n; i++) {
        if (i > 0 && rb_buf_append_str(&sql, ", ") < 0) {
            return no_memory(err);
        }
        status = append_column(&sql, &columns->items[i], err);
    }
    status = status < 0 ? status : append_key(&sql, primary_key, err);
    if (status == 0 && rb_buf_append_str(&sql, ")") < 0) {
        return no_memory(err);
    }
    status = status < 0 ? status : rb_query_exec(dest->conn, rb_buf_str(&sql), err);
    if (status < 0) {
        rb_error_prefix(err, "creating table \"%s\".\"%s\"", schema, table);
    }
    return status;
}

static int refuse_unique(const struct rb_target *target, const char *names, const char *example,
                         struct rb_error *err)
{
    int status = rb_error_set(err, RB_ESCHEMA, "NO_UNIQUE_KEY",
                              "%s has no unique constraint on the primary key (%s), and rows that "
                              "are there do not permit one: %s",
                              target->relation, names, example);
    rb_error_set_hint(err,
                      "delete all but one of the rows of each key, or set another primary_key");
    return status;
}

/* Of a dry run, which makes no index that others would wait for. */
static int prove_unique(struct rb_dest *dest, const struct rb_target *target,
                        struct rb_json_value key, const char *names, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    RB_CLEANUP(rb_buf_release) struct rb_buf sql = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf json = RB_BUF_INIT(RB_ABI_JSON_MAX);
    rb_query_result_init(&r);
    size_t len;
    const char *text = rb_json_source(key, &len);
    if (rb_buf_append(&json, text, len) < 0 ||
        rb_buf_printf(
            &sql,
            "SELECT format('Key (%%s)=(%%s) is duplicated.', (SELECT "
            "string_agg(quote_ident(k), ', ') FROM json_array_elements_text($1::json) k), "
            "concat_ws(', ', %s)) FROM %s WHERE (%s) IS NOT NULL GROUP BY %s HAVING "
            "count(*) > 1 ORDER BY %s LIMIT 1",
            names, target->relation, names, names, names) < 0) {
        return no_memory(err);
    }
    const char *param = rb_buf_str(&json);
    int status = rb_dest_query_once(dest, rb_buf_str(&sql), &param, 1, &r, err);
    return status < 0 || r.n_rows == 0 ? status
                                       : refuse_unique(target, names, rb_query_text(&r, 0, 0), err);
}

int rb_target_make_unique(struct rb_dest *dest, const struct rb_target *target,
                          struct rb_json_value key, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf names = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf sql = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    static const char unique_violation[] = "23505";
    struct rb_error own;
    rb_error_clear(&own);
    int status = 0;
    for (size_t i = 0; status == 0 && i < rb_json_count(key); i++) {
        if (i > 0 && rb_buf_append_str(&names, ", ") < 0) {
            return no_memory(err);
        }
        status = rb_quote_ident(&names, rb_json_text(rb_json_item(key, i), ""), err);
    }
    if (status == 0 && rb_buf_printf(&sql, "CREATE UNIQUE INDEX ON %s (%s)", target->relation,
                                     rb_buf_str(&names)) < 0) {
        return no_memory(err);
    }
    if (status == 0 && !target->is_ours) {
        status = rb_error_set(err, RB_EPERM, "PERMISSION_DENIED",
                              "%s has no unique constraint on the primary key (%s), and only a "
                              "member of its owner may make one: %s",
                              target->relation, rb_buf_str(&names), target->owner);
        rb_error_set_hint(err, "GRANT \"%s\" TO \"%s\"", target->owner, dest->config.user);
        return status;
    }
    if (status == 0 && dest->dry) {
        return prove_unique(dest, target, key, rb_buf_str(&names), err);
    }
    status = status < 0 ? status : rb_query_exec(dest->conn, rb_buf_str(&sql), &own);
    if (status == 0) {
        rb_log(RB_LOG_INFO, "table %s gets a unique index on (%s), by which rows are upserted",
               target->relation, rb_buf_str(&names));
        return 0;
    }
    if (own.status == 0) {
        return status; /* a name that can't be quoted, which `err` has */
    }
    bool twice = strcmp(own.sqlstate, unique_violation) == 0;
    if (err != NULL && !twice) {
        *err = own;
    }
    if (!twice) {
        rb_error_prefix(err,
                        "%s has no unique constraint on the primary key (%s), and can't get one",
                        target->relation, rb_buf_str(&names));
        return status;
    }
    return refuse_unique(target, rb_buf_str(&names), own.detail, err);
}
