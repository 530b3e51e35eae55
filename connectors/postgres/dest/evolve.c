/* The stream's columns against the target's, under the schema_evolution policies. */
#include <string.h>

#include "connectors/postgres/dest/dest.h"

static bool policy_is(const struct rb_stream_context *context, const char *policy,
                      const char *otherwise, const char *word)
{
    struct rb_json_value value = rb_json_at(context->policies, "schema_evolution", policy, NULL);
    return strcmp(rb_json_text(value, otherwise), word) == 0;
}

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a statement");
}

static int add_column(struct rb_dest *dest, const struct rb_target *target,
                      const struct rb_column *column, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf sql = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    if (rb_buf_printf(&sql, "ALTER TABLE %s ADD COLUMN ", target->relation) < 0) {
        return no_memory(err);
    }
    int status = rb_quote_ident(&sql, column->name, err);
    /* Rows that are there already have no value for it: it can't be NOT NULL. */
    if (status == 0 && rb_buf_printf(&sql, " %s", column->declared) < 0) {
        status = no_memory(err);
    }
    return status < 0 ? status : rb_query_exec(dest->conn, rb_buf_str(&sql), err);
}

/* Adds the columns that the target lacks. *ret_added counts them. */
static int add_new(struct rb_dest *dest, const struct rb_stream_context *context,
                   const struct rb_columns *columns, const struct rb_target *target,
                   size_t *ret_added, struct rb_error *err)
{
    *ret_added = 0;
    for (size_t i = 0; i < columns->n; i++) {
        const struct rb_column *column = &columns->items[i];
        if (rb_target_column(target, column->name) != SIZE_MAX ||
            policy_is(context, "new_column", "add", "ignore")) {
            continue;
        }
        if (!policy_is(context, "new_column", "add", "add")) {
            return rb_error_set(err, RB_ESCHEMA, "NEW_COLUMN",
                                "%s has no column \"%s\" (schema_evolution.new_column: fail)",
                                target->relation, column->name);
        }
        int status = add_column(dest, target, column, err);
        if (status < 0) {
            return status;
        }
        *ret_added += 1;
    }
    return 0;
}

static int check_removed(const struct rb_stream_context *context, const struct rb_columns *columns,
                         const struct rb_target *target, struct rb_error *err)
{
    if (!policy_is(context, "removed_column", "ignore", "fail")) {
        return 0;
    }
    for (size_t i = 0; i < target->columns.n_rows; i++) {
        const char *name = rb_query_text(&target->columns, i, 0);
        if (rb_columns_find(columns, name) == NULL) {
            return rb_error_set(err, RB_ESCHEMA, "REMOVED_COLUMN",
                                "column \"%s\" of %s is not in the stream "
                                "(schema_evolution.removed_column: fail)",
                                name, target->relation);
        }
    }
    return 0;
}

static int check_column(const struct rb_stream_context *context, const struct rb_column *column,
                        const struct rb_target *target, size_t at, bool *ret_cast,
                        struct rb_error *err)
{
    const char *type = rb_query_text(&target->columns, at, 1);
    *ret_cast = false;
    if (strcmp(type, column->declared) != 0) {
        if (policy_is(context, "type_change", "fail", "null")) {
            return rb_error_set(err, RB_ECONFIG, "NOT_SUPPORTED",
                                "schema_evolution.type_change: null is not supported yet");
        }
        if (!policy_is(context, "type_change", "fail", "coerce")) {
            int status = rb_error_set(err, RB_ESCHEMA, "TYPE_CHANGE",
                                      "column \"%s\" of %s is of type %s, in the stream of %s",
                                      column->name, target->relation, type, column->declared);
            rb_error_set_hint(err, "change the column's type, or set "
                                   "schema_evolution.type_change: coerce");
            return status;
        }
        *ret_cast = true;
    }
    if (!column->not_null && rb_query_bool(&target->columns, at, 2) &&
        policy_is(context, "nullability_change", "allow", "fail")) {
        return rb_error_set(err, RB_ESCHEMA, "NULLABILITY_CHANGE",
                            "column \"%s\" of %s is NOT NULL, in the stream it may be NULL "
                            "(schema_evolution.nullability_change: fail)",
                            column->name, target->relation);
    }
    return 0;
}

static int map_columns(const struct rb_stream_context *context, const struct rb_columns *columns,
                       const struct rb_target *target, struct rb_mapping *ret, struct rb_error *err)
{
    ret->n = 0;
    ret->any_cast = false;
    for (size_t i = 0; i < columns->n; i++) {
        size_t at = rb_target_column(target, columns->items[i].name);
        if (at == SIZE_MAX || rb_query_bool(&target->columns, at, 3)) {
            continue; /* ignored by policy, or the server generates it */
        }
        bool cast;
        int status = check_column(context, &columns->items[i], target, at, &cast, err);
        if (status < 0) {
            return status;
        }
        ret->from[ret->n] = i;
        ret->cast[ret->n] = cast || columns->items[i].form == RB_FORM_TEXT;
        ret->any_cast = ret->any_cast || ret->cast[ret->n];
        ret->n++;
    }
    return 0;
}

int rb_evolve(struct rb_dest *dest, const struct rb_stream_context *context, const char *schema,
              const char *table, const struct rb_columns *columns, struct rb_target *target,
              struct rb_mapping *ret, struct rb_error *err)
{
    /* Types stand in statements further on, of new columns and of staging. */
    int status = rb_target_check_types(dest, columns, err);
    size_t added = 0;
    status = status < 0 ? status : check_removed(context, columns, target, err);
    status = status < 0 ? status : add_new(dest, context, columns, target, &added, err);
    if (status == 0 && added > 0) {
        status = rb_target_find(dest, schema, table, target, err);
    }
    return status < 0 ? status : map_columns(context, columns, target, ret, err);
}
