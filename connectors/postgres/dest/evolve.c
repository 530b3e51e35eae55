/* The stream's columns against the target's, under the schema_evolution policies. */
#include <string.h>

#include "connectors/postgres/dest/load.h"
#include "gen/connectors/postgres/dest/sql.h"

bool rb_evolve_policy_is(const struct rb_stream_context *context, const char *policy,
                         const char *otherwise, const char *word)
{
    struct rb_json_value value = rb_json_at(context->policies, "schema_evolution", policy, NULL);
    return strcmp(rb_json_text(value, otherwise), word) == 0;
}

/* What is compared, and what came of it. */
struct evolution {
    struct rb_dest *dest;
    const struct rb_stream_context *context;
    const struct rb_columns *columns;
    const struct rb_target *target;
    struct rb_json *changes; /* NULL: make them; else an open array that they are written to */
    size_t n_changes;
    struct rb_statement sql;
};

static const char *table_name(const struct evolution *evolution)
{
    return evolution->context->destination_table;
}

/* "ALTER TABLE <target> <action> <column><rest>": run, or told. */
static int change(struct evolution *evolution, const char *action, const char *column,
                  const char *rest, const char *type, struct rb_error *err)
{
    struct rb_statement *sql = &evolution->sql;
    evolution->n_changes++;
    rb_statement_begin(sql, evolution->changes == NULL ? "ALTER TABLE " : "", err);
    rb_statement_add(sql, evolution->changes == NULL ? evolution->target->relation : "");
    rb_statement_add(sql, evolution->changes == NULL ? " " : "");
    rb_statement_add(sql, action);
    rb_statement_name(sql, column);
    rb_statement_add(sql, rest);
    rb_statement_add(sql, type);
    if (evolution->changes == NULL) {
        return rb_statement_exec(sql, evolution->dest, NULL, err);
    }
    int status = rb_statement_end(sql);
    if (status == 0) {
        rb_json_str(evolution->changes, rb_buf_str(&sql->text));
    }
    return status;
}

/* Adds the columns that the target lacks. */
static int add_new(struct evolution *evolution, struct rb_error *err)
{
    const struct rb_stream_context *context = evolution->context;
    for (size_t i = 0; i < evolution->columns->n; i++) {
        const struct rb_column *column = &evolution->columns->items[i];
        if (rb_target_column(evolution->target, column->name) != SIZE_MAX ||
            rb_evolve_policy_is(context, "new_column", "add", "ignore")) {
            continue;
        }
        if (!rb_evolve_policy_is(context, "new_column", "add", "add")) {
            return rb_error_set(err, RB_ESCHEMA, "NEW_COLUMN",
                                "table \"%s\" has no column \"%s\" "
                                "(schema_evolution.new_column: fail)",
                                table_name(evolution), column->name);
        }
        /* Rows that are there already have no value for it: it can't be NOT NULL. */
        int status = change(evolution, "ADD COLUMN ", column->name, " ", column->declared, err);
        if (status < 0) {
            return status;
        }
    }
    return 0;
}

static int check_removed(const struct evolution *evolution, struct rb_error *err)
{
    const struct rb_query_result *r = &evolution->target->columns;
    bool fail = rb_evolve_policy_is(evolution->context, "removed_column", "ignore", "fail");
    for (size_t i = 0; i < r->n_rows; i++) {
        const char *name = rb_query_text(r, i, 0);
        if (rb_columns_find(evolution->columns, name) != NULL) {
            continue;
        }
        if (fail) {
            return rb_error_set(err, RB_ESCHEMA, "REMOVED_COLUMN",
                                "column \"%s\" of table \"%s\" is not in the stream "
                                "(schema_evolution.removed_column: fail)",
                                name, table_name(evolution));
        }
        bool generated = rb_query_bool(r, i, 3);
        bool has_default = rb_query_bool(r, i, 4);
        if (rb_query_bool(r, i, 2) && !generated && !has_default) {
            int status = rb_error_set(err, RB_ESCHEMA, "REMOVED_COLUMN",
                                      "column \"%s\" of table \"%s\" is not in the stream, is "
                                      "NOT NULL and has no default",
                                      name, table_name(evolution));
            rb_error_set_hint(err, "give the column a default, or drop its NOT NULL");
            return status;
        }
    }
    return 0;
}

/* Types differ: what is done about it, or an error. */
static int settle_type(const struct evolution *evolution, const struct rb_column *column,
                       const char *type, enum rb_cast *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    const char *params[] = {column->declared, type};
    bool coerce = rb_evolve_policy_is(evolution->context, "type_change", "fail", "coerce");
    bool to_null = rb_evolve_policy_is(evolution->context, "type_change", "fail", "null");
    int status = rb_dest_query(evolution->dest, rb_sql_type_casts, params, 2, &r, err);
    if (status < 0) {
        return status;
    }
    bool back = rb_query_bool(&r, 0, 2);
    *ret = to_null ? RB_CAST_NULL : RB_CAST_EXACT;
    if (back && ((coerce && rb_query_bool(&r, 0, 0)) || (to_null && rb_query_bool(&r, 0, 1)))) {
        return 0;
    }
    status = rb_error_set(err, RB_ESCHEMA, "TYPE_CHANGE",
                          "column \"%s\" of table \"%s\" is of type %s, in the stream of %s%s",
                          column->name, table_name(evolution), type, column->declared,
                          coerce    ? ", which can't be assigned to it without loss"
                          : to_null ? ", which can't be cast to it"
                                    : "");
    rb_error_set_hint(err, "change the column's type%s",
                      coerce || to_null ? "" : ", or set schema_evolution.type_change: coerce");
    return status;
}

static int settle_null(struct evolution *evolution, const struct rb_column *column, size_t at,
                       struct rb_error *err)
{
    const struct rb_query_result *r = &evolution->target->columns;
    if (column->not_null || !rb_query_bool(r, at, 2)) {
        return 0;
    }
    if (rb_evolve_policy_is(evolution->context, "nullability_change", "allow", "fail")) {
        return rb_error_set(err, RB_ESCHEMA, "NULLABILITY_CHANGE",
                            "column \"%s\" of table \"%s\" is NOT NULL, in the stream it may be "
                            "NULL (schema_evolution.nullability_change: fail)",
                            column->name, table_name(evolution));
    }
    /* A key stays NOT NULL: rows without it are refused. */
    return rb_query_bool(r, at, RB_TARGET_KEEPS_NOT_NULL)
               ? 0
               : change(evolution, "ALTER COLUMN ", column->name, " DROP NOT NULL", "", err);
}

static int map_columns(struct evolution *evolution, struct rb_mapping *ret, struct rb_error *err)
{
    const struct rb_target *target = evolution->target;
    ret->n = 0;
    ret->any_cast = false;
    for (size_t i = 0; i < evolution->columns->n; i++) {
        const struct rb_column *column = &evolution->columns->items[i];
        size_t at = rb_target_column(target, column->name);
        if (at == SIZE_MAX || rb_query_bool(&target->columns, at, 3)) {
            continue; /* ignored by policy, or the server generates it */
        }
        enum rb_cast cast = column->form == RB_FORM_TEXT ? RB_CAST_TEXT : RB_CAST_NONE;
        const char *type = rb_query_text(&target->columns, at, 1);
        int status = strcmp(type, column->declared) == 0
                         ? 0
                         : settle_type(evolution, column, type, &cast, err);
        status = status < 0 ? status : settle_null(evolution, column, at, err);
        if (status < 0) {
            return status;
        }
        ret->from[ret->n] = i;
        ret->cast[ret->n] = cast;
        ret->any_cast = ret->any_cast || cast != RB_CAST_NONE;
        ret->n++;
    }
    return 0;
}

static int evolve(struct evolution *evolution, struct rb_target *target, const char *schema,
                  const char *table, struct rb_mapping *ret, struct rb_error *err)
{
    /* Types stand in statements further on, of new columns and of staging. */
    int status = evolution->changes != NULL
                     ? 0
                     : rb_target_check_types(evolution->dest, evolution->columns, err);
    status = status < 0 ? status : check_removed(evolution, err);
    status = status < 0 ? status : add_new(evolution, err);
    if (status == 0 && evolution->n_changes > 0 && evolution->changes == NULL) {
        status = rb_target_find(evolution->dest, schema, table, target, err);
    }
    return status < 0 ? status : map_columns(evolution, ret, err);
}

int rb_evolve(struct rb_dest *dest, const struct rb_stream_context *context, const char *schema,
              const char *table, const struct rb_columns *columns, struct rb_target *target,
              struct rb_json *changes, struct rb_mapping *ret, struct rb_error *err)
{
    struct evolution evolution = {
        .dest = dest, .context = context, .columns = columns, .target = target, .changes = changes};
    rb_statement_init(&evolution.sql);
    int status = evolve(&evolution, target, schema, table, ret, err);
    rb_statement_release(&evolution.sql);
    return status;
}
