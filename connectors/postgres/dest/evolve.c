/* The stream's columns against the target's, under the schema_evolution policies: what is altered
 * is decided as a whole, then told or done. */
#include <stdlib.h>
#include <string.h>

#include "connectors/postgres/dest/load.h"
#include "gen/connectors/postgres/dest/sql.h"

static const char *policy_word(const struct rb_stream_context *context, const char *policy)
{
    struct rb_json_value evolution = rb_json_get(context->policies, "schema_evolution");
    struct rb_json_value unset = rb_json_get(evolution, "unset");
    for (size_t i = 0; i < rb_json_count(unset); i++) {
        if (strcmp(rb_json_text(rb_json_item(unset, i), ""), policy) == 0) {
            return "";
        }
    }
    return rb_json_text(rb_json_get(evolution, policy), "");
}

/* What is compared, and what came of it. */
struct plan {
    struct rb_evolution *evolution;
    const struct rb_columns *columns;
    const struct rb_target *target;
    const char **names;      /* of the target's columns when all is done; NULL: dropped */
    struct rb_json *changes; /* NULL: make them; else an open array that they are written to */
    bool replaces;           /* there is no row that the old shape is for */
    struct rb_statement one, drops, alters;
};

static bool is_policy(const struct plan *plan, const char *policy, const char *word)
{
    return strcmp(policy_word(plan->evolution->context, policy), word) == 0;
}

static const char *table_name(const struct plan *plan)
{
    return plan->evolution->context->destination_table;
}

static const char *old_name(const struct plan *plan, size_t at)
{
    return rb_query_text(&plan->target->columns, at, 0);
}

static int read_shape(struct plan *plan, struct rb_error *err)
{
    struct rb_evolution *evolution = plan->evolution;
    return rb_shape_read(evolution->dest, evolution->context, evolution->original,
                         &evolution->shape, err);
}

/* The row of the target's column that will have the name, or SIZE_MAX. */
static size_t find_named(const struct plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->target->columns.n_rows; i++) {
        if (plan->names[i] != NULL && strcmp(plan->names[i], name) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* "<action> <column>", to be added to. */
static void begin_action(struct plan *plan, const char *action, const char *column,
                         struct rb_error *err)
{
    rb_statement_begin(&plan->one, action, err);
    rb_statement_name(&plan->one, column);
}

/* Tells what was begun, or adds it to the statement. */
static int end_action(struct plan *plan, struct rb_statement *list)
{
    int status = rb_statement_end(&plan->one);
    const char *action = rb_buf_str(&plan->one.text);
    if (status < 0) {
        return status;
    }
    if (plan->changes != NULL || list == NULL) {
        rb_json_str(plan->changes, action);
        return 0;
    }
    rb_statement_add(list, list->text.len > 0 ? ", " : "");
    rb_statement_add(list, action);
    return list->status;
}

/* Refuses to drop a column, or to give it the other `type` (NULL: drop), while others depend on it.
 */
static int check_dependents(const struct plan *plan, const char *column, const char *type,
                            struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    const struct rb_evolution *evolution = plan->evolution;
    const char *oid = evolution->original[0] != '\0' ? evolution->original : plan->target->oid;
    const char *params[] = {oid, column, type == NULL ? "true" : "false"};
    int status = rb_dest_query(evolution->dest, rb_sql_evolve_blockers, params, 3, &r, err);
    const char *blockers = status == 0 ? rb_query_text(&r, 0, 0) : NULL;
    if (blockers == NULL) {
        return status;
    }
    status = rb_error_set(
        err, RB_ESCHEMA, "COLUMN_IN_USE",
        "column \"%s\" of table \"%s\" %s%s, and can't follow while %s depends on it", column,
        table_name(plan), type != NULL ? "has at the source the type " : "is not in the stream",
        type != NULL ? type : "", blockers);
    rb_error_set_hint(err, "drop what depends on the column, or set schema_evolution.%s",
                      type != NULL ? "type_change: coerce" : "removed_column: ignore");
    return status;
}

/* ---- columns that got another name */

/* The stream's column with that number at the source; NULL: none, or more than one (a transform).
 */
static const struct rb_column *find_origin(const struct rb_columns *columns, const char *origin)
{
    const struct rb_column *found = NULL;
    for (size_t i = 0; origin != NULL && i < columns->n; i++) {
        if (columns->items[i].origin != NULL && strcmp(columns->items[i].origin, origin) == 0) {
            if (found != NULL) {
                return NULL;
            }
            found = &columns->items[i];
        }
    }
    return found;
}

static int refuse_rename(const struct plan *plan, const char *from, const char *to,
                         struct rb_error *err)
{
    bool fail = is_policy(plan, "renamed_column", "fail");
    int status =
        rb_error_set(err, RB_ESCHEMA, "RENAMED_COLUMN",
                     "column \"%s\" of table \"%s\" was renamed to \"%s\" at the source%s", from,
                     table_name(plan), to, fail ? " (schema_evolution.renamed_column: fail)" : "");
    rb_error_set_hint(err, "set schema_evolution.renamed_column: rename, which renames it here; or "
                           "separate, which keeps it and treats the other as a new one");
    return status;
}

/* The name that the column will have is that of another one, which the source had and has no more.
 */
static int free_name(struct plan *plan, size_t taken, const char *from, struct rb_error *err)
{
    const char *name = old_name(plan, taken);
    if (!is_policy(plan, "removed_column", "drop") &&
        !(plan->replaces && is_policy(plan, "removed_column", ""))) {
        int status = rb_error_set(
            err, RB_ESCHEMA, "RENAMED_COLUMN",
            "column \"%s\" of table \"%s\" was renamed to \"%s\" at the source, which has dropped "
            "the column that was called so",
            from, table_name(plan), name);
        rb_error_set_hint(err, "set schema_evolution.removed_column: drop, or rename column \"%s\"",
                          name);
        return status;
    }
    int status = check_dependents(plan, name, NULL, err);
    begin_action(plan, "DROP COLUMN ", name, err);
    plan->names[taken] = NULL;
    return status < 0 ? status : end_action(plan, &plan->drops);
}

/* By the source's numbers of columns: what they were called at the last load, and are called now.
 */
static int plan_renames(struct plan *plan, struct rb_error *err)
{
    const struct rb_evolution *evolution = plan->evolution;
    bool separate = is_policy(plan, "renamed_column", "separate");
    bool renames =
        is_policy(plan, "renamed_column", "rename") ||
        (is_policy(plan, "renamed_column", "") && (plan->replaces || evolution->shape.is_made));
    int status = 0;
    for (size_t i = 0; !separate && status == 0 && i < plan->target->columns.n_rows; i++) {
        struct rb_shape_column was;
        const struct rb_column *now = NULL;
        if (plan->names[i] != NULL && rb_shape_find(&evolution->shape, old_name(plan, i), &was)) {
            now = find_origin(plan->columns, was.origin);
        }
        if (now == NULL || strcmp(now->name, old_name(plan, i)) == 0) {
            continue;
        }
        size_t taken = rb_target_column(plan->target, now->name);
        if (taken != SIZE_MAX && !rb_shape_find(&evolution->shape, now->name, &was)) {
            continue; /* somebody has made a column for it */
        }
        if (!renames) {
            return refuse_rename(plan, old_name(plan, i), now->name, err);
        }
        /* Else it gets another name itself. */
        if (taken != SIZE_MAX && find_origin(plan->columns, was.origin) == NULL) {
            status = free_name(plan, taken, old_name(plan, i), err);
        }
        begin_action(plan, "RENAME COLUMN ", old_name(plan, i), err);
        rb_statement_add(&plan->one, " TO ");
        rb_statement_name(&plan->one, now->name);
        plan->names[i] = now->name;
        if (status == 0 && plan->changes != NULL) {
            status = end_action(plan, NULL);
        }
    }
    return status;
}

/* ---- columns that the stream has no more */

/* The table fills it by itself. */
static bool fills_itself(const struct plan *plan, size_t at)
{
    return rb_query_bool(&plan->target->columns, at, 3) ||
           rb_query_bool(&plan->target->columns, at, 4);
}

static int keep_removed(struct plan *plan, size_t at, struct rb_error *err)
{
    const struct rb_query_result *r = &plan->target->columns;
    const char *name = old_name(plan, at);
    if (!rb_query_bool(r, at, 2) || fills_itself(plan, at)) {
        return 0;
    }
    /* Its NOT NULL was the source's, as the column was. */
    if (plan->evolution->shape.is_made && is_policy(plan, "removed_column", "") &&
        !is_policy(plan, "nullability_change", "fail") &&
        !rb_query_bool(r, at, RB_TARGET_KEEPS_NOT_NULL)) {
        begin_action(plan, "ALTER COLUMN ", name, err);
        rb_statement_add(&plan->one, " DROP NOT NULL");
        return end_action(plan, &plan->alters);
    }
    int status = rb_error_set(err, RB_ESCHEMA, "REMOVED_COLUMN",
                              "column \"%s\" of table \"%s\" is not in the stream, is NOT NULL and "
                              "has no default",
                              name, table_name(plan));
    rb_error_set_hint(err, "give the column a default, drop its NOT NULL, or set "
                           "schema_evolution.removed_column: drop");
    return status;
}

static int plan_removed(struct plan *plan, struct rb_error *err)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < plan->target->columns.n_rows; i++) {
        struct rb_shape_column was;
        const char *name = plan->names[i];
        if (name == NULL || rb_columns_find(plan->columns, name) != NULL) {
            continue;
        }
        if (is_policy(plan, "removed_column", "fail")) {
            return rb_error_set(err, RB_ESCHEMA, "REMOVED_COLUMN",
                                "column \"%s\" of table \"%s\" is not in the stream "
                                "(schema_evolution.removed_column: fail)",
                                name, table_name(plan));
        }
        bool was_there = rb_shape_find(&plan->evolution->shape, name, &was);
        bool drop = is_policy(plan, "removed_column", "drop")
                        ? was_there || !fills_itself(plan, i)
                        : was_there && plan->replaces && is_policy(plan, "removed_column", "");
        if (!drop) {
            status = keep_removed(plan, i, err);
            continue;
        }
        status = check_dependents(plan, name, NULL, err);
        begin_action(plan, "DROP COLUMN ", name, err);
        status = status < 0 ? status : end_action(plan, &plan->drops);
        plan->names[i] = NULL;
    }
    return status;
}

/* ---- columns that the table lacks */

static int add_type(struct plan *plan, const char *type, const char *collation)
{
    if (collation != NULL && !rb_quote_is_qualified(collation)) {
        return rb_error_set(plan->one.err, RB_ESCHEMA, "BAD_COLLATION",
                            "%s is not the name of a collation", collation);
    }
    rb_statement_add(&plan->one, type);
    rb_statement_add(&plan->one, collation != NULL ? " COLLATE " : "");
    rb_statement_add(&plan->one, collation != NULL ? collation : "");
    return 0;
}

static int plan_new(struct plan *plan, struct rb_error *err)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < plan->columns->n; i++) {
        const struct rb_column *column = &plan->columns->items[i];
        if (find_named(plan, column->name) != SIZE_MAX || is_policy(plan, "new_column", "ignore")) {
            continue;
        }
        if (is_policy(plan, "new_column", "fail")) {
            return rb_error_set(err, RB_ESCHEMA, "NEW_COLUMN",
                                "table \"%s\" has no column \"%s\" "
                                "(schema_evolution.new_column: fail)",
                                table_name(plan), column->name);
        }
        /* Rows that are there already have no value for it: it can't be NOT NULL. */
        begin_action(plan, "ADD COLUMN ", column->name, err);
        rb_statement_add(&plan->one, " ");
        status = add_type(plan, column->declared, column->collation);
        status = status < 0 ? status : end_action(plan, &plan->alters);
    }
    return status;
}

/* ---- columns of another type */

/* A type for the column that holds what the stream brings, and what there is already. */
static int change_type(struct plan *plan, size_t at, const struct rb_column *column, bool no_rows,
                       struct rb_error *err)
{
    const char *ours = rb_query_text(&plan->target->columns, at, RB_TARGET_COLLATION);
    bool is_text = ours != NULL && strcmp(ours, "pg_catalog.\"default\"") != 0 &&
                   rb_query_text(&plan->target->columns, at, 1) != NULL && !no_rows;
    int status = check_dependents(plan, old_name(plan, at), column->declared, err);
    begin_action(plan, "ALTER COLUMN ", column->name, err);
    rb_statement_add(&plan->one, " TYPE ");
    status =
        status < 0 ? status : add_type(plan, column->declared, is_text ? ours : column->collation);
    if (no_rows && plan->changes == NULL) {
        rb_statement_add(&plan->one, " USING NULL");
    }
    return status < 0 ? status : end_action(plan, &plan->alters);
}

static int refuse_type(const struct plan *plan, const struct rb_column *column, const char *type,
                       bool widens, struct rb_error *err)
{
    bool coerce = is_policy(plan, "type_change", "coerce");
    bool to_null = is_policy(plan, "type_change", "null");
    bool widen = is_policy(plan, "type_change", "widen");
    int status = rb_error_set(err, RB_ESCHEMA, "TYPE_CHANGE",
                              "column \"%s\" of table \"%s\" is of type %s, in the stream of %s%s",
                              column->name, table_name(plan), type, column->declared,
                              coerce    ? ", which can't be assigned to it without loss"
                              : to_null ? ", which can't be cast to it"
                              : widen   ? ", which does not hold every value of it"
                                        : "");
    rb_error_set_hint(err, "change the column's type%s",
                      coerce || to_null || widen ? ""
                      : widens                   ? ", or set schema_evolution.type_change: widen"
                                                 : ", or set schema_evolution.type_change: coerce");
    return status;
}

/* coerce and null: rows are cast as they come. 1: no cast will do. */
static int find_cast(const struct plan *plan, const struct rb_column *column, const char *type,
                     enum rb_cast *ret, bool *ret_changes, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    const char *params[] = {column->declared, type};
    bool coerce = is_policy(plan, "type_change", "coerce");
    bool to_null = is_policy(plan, "type_change", "null");
    if (!coerce && !to_null) {
        return 1;
    }
    int status = rb_dest_query(plan->evolution->dest, rb_sql_type_casts, params, 2, &r, err);
    bool back = status == 0 && rb_query_bool(&r, 0, 2);
    if (status < 0) {
        return status;
    }
    *ret = to_null ? RB_CAST_NULL : RB_CAST_EXACT;
    *ret_changes = rb_query_bool(&r, 0, 3);
    return back && ((coerce && rb_query_bool(&r, 0, 0)) || (to_null && rb_query_bool(&r, 0, 1)))
               ? 0
               : 1;
}

/* The table's type was the source's when it was last loaded: it is the source that has changed. */
static bool followed(const struct plan *plan, size_t at, const char *type)
{
    struct rb_shape_column was;
    return plan->evolution->shape.is_made ||
           (rb_shape_find(&plan->evolution->shape, old_name(plan, at), &was) &&
            strcmp(was.type, type) == 0);
}

/* Types differ: what is done about it, or an error. */
static int settle_type(struct plan *plan, size_t at, const struct rb_column *column,
                       enum rb_cast *ret, bool *ret_changes, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    const char *type = rb_query_text(&plan->target->columns, at, 1);
    bool unset = is_policy(plan, "type_change", "");
    bool widen = is_policy(plan, "type_change", "widen");
    const char *params[] = {type, column->declared};
    int status = find_cast(plan, column, type, ret, ret_changes, err);
    if (status <= 0) {
        return status;
    }
    status = rb_dest_query(plan->evolution->dest, rb_sql_type_widens, params, 2, &r, err);
    if (status < 0) {
        return status;
    }
    bool widens = rb_query_bool(&r, 0, 0);
    if (plan->replaces && (unset || widen) && followed(plan, at, type)) {
        return change_type(plan, at, column, !widens, err);
    }
    if (widens && (widen || (unset && plan->evolution->shape.is_made))) {
        return change_type(plan, at, column, false, err);
    }
    if (rb_query_bool(&r, 0, 1) && (widen || (unset && plan->evolution->shape.is_made))) {
        *ret = *ret == RB_CAST_TEXT ? RB_CAST_TEXT : RB_CAST_WIDER;
        return 0;
    }
    return refuse_type(plan, column, type, widens, err);
}

static int settle_null(struct plan *plan, const struct rb_column *column, size_t at,
                       struct rb_error *err)
{
    const struct rb_query_result *r = &plan->target->columns;
    if (column->not_null || !rb_query_bool(r, at, 2)) {
        return 0;
    }
    if (is_policy(plan, "nullability_change", "fail")) {
        return rb_error_set(err, RB_ESCHEMA, "NULLABILITY_CHANGE",
                            "column \"%s\" of table \"%s\" is NOT NULL, in the stream it may be "
                            "NULL (schema_evolution.nullability_change: fail)",
                            column->name, table_name(plan));
    }
    /* A key stays NOT NULL: rows without it are refused. */
    if (rb_query_bool(r, at, RB_TARGET_KEEPS_NOT_NULL)) {
        return 0;
    }
    begin_action(plan, "ALTER COLUMN ", column->name, err);
    rb_statement_add(&plan->one, " DROP NOT NULL");
    return end_action(plan, &plan->alters);
}

/* The destination computes the column. It may for one that the source computes, too: what is
 * computed from the same values is the same where the expressions are. */
static int settle_generated(const struct plan *plan, const struct rb_column *column,
                            struct rb_error *err)
{
    if (column->generated) {
        rb_log(RB_LOG_INFO,
               "column \"%s\" of table \"%s\" is generated at both sides: the destination "
               "computes it by its own expression",
               column->name, table_name(plan));
        return 0;
    }
    int status = rb_error_set(err, RB_ESCHEMA, "GENERATED_COLUMN",
                              "column \"%s\" of table \"%s\" is generated, and the stream has "
                              "values for it that the destination would not keep",
                              column->name, table_name(plan));
    rb_error_set_hint(err, "leave the column out of the stream (columns), or make it a plain one "
                           "(ALTER COLUMN ... DROP EXPRESSION; a virtual one has to be dropped)");
    return status;
}

static int plan_columns(struct plan *plan, struct rb_mapping *ret, struct rb_error *err)
{
    const struct rb_query_result *r = &plan->target->columns;
    ret->n = 0;
    ret->any_cast = false;
    for (size_t i = 0; i < plan->columns->n; i++) {
        const struct rb_column *column = &plan->columns->items[i];
        size_t at = find_named(plan, column->name);
        enum rb_cast cast = column->form == RB_FORM_TEXT ? RB_CAST_TEXT : RB_CAST_NONE;
        /* Not what the policy leaves out, nor what the server generates. */
        bool changes = false;
        bool computed = at != SIZE_MAX && rb_query_bool(r, at, 3);
        bool loaded = at == SIZE_MAX ? !is_policy(plan, "new_column", "ignore") : !computed;
        int status = computed ? settle_generated(plan, column, err) : 0;
        if (at != SIZE_MAX && loaded) {
            bool same = strcmp(rb_query_text(r, at, 1), column->declared) == 0;
            /* Of the source's own type. */
            bool alike = same && !column->as_text;
            status = same ? 0 : settle_type(plan, at, column, &cast, &changes, err);
            status = status < 0 ? status : settle_null(plan, column, at, err);
            status = status < 0
                         ? status
                         : rb_money_settle(plan->evolution->dest, column, alike,
                                           rb_query_bool(r, at, RB_TARGET_MONEY), &cast, err);
        }
        if (status < 0) {
            return status;
        }
        if (loaded) {
            ret->from[ret->n] = i;
            ret->cast[ret->n] = cast;
            ret->changes[ret->n] = changes;
            ret->any_cast = ret->any_cast || cast != RB_CAST_NONE;
            ret->n++;
        }
    }
    return 0;
}

static bool alters(const struct plan *plan)
{
    bool any = plan->drops.text.len > 0 || plan->alters.text.len > 0;
    for (size_t i = 0; !any && i < plan->target->columns.n_rows; i++) {
        any = plan->names[i] != NULL && strcmp(plan->names[i], old_name(plan, i)) != 0;
    }
    return any;
}

/* What the server would say, who is not asked in a dry run: others would wait for the lock. */
static int refuse_owner(const struct plan *plan, struct rb_error *err)
{
    const char *owner = plan->target->owner;
    int status = rb_error_set(err, RB_EPERM, "PERMISSION_DENIED",
                              "table \"%s\" is to be altered as the source is, which only a member "
                              "of its owner may do: %s",
                              table_name(plan), owner);
    rb_error_set_hint(err, "GRANT \"%s\" TO \"%s\"", owner, plan->evolution->dest->config.user);
    return status;
}

static int apply(struct plan *plan, const char *schema, const char *table, struct rb_target *target,
                 struct rb_error *err)
{
    struct rb_evolution *evolution = plan->evolution;
    if (!alters(plan)) {
        return 0;
    }
    const struct rb_alteration alteration = {
        .drops = rb_buf_str(&plan->drops.text),
        .names = plan->names,
        .others = rb_buf_str(&plan->alters.text),
    };
    int status = rb_alter(evolution->dest, target, &alteration, &evolution->carried, err);
    return status < 0 ? status : rb_target_find(evolution->dest, schema, table, target, err);
}

static int make_plan(struct plan *plan, struct rb_mapping *ret, struct rb_error *err)
{
    const struct rb_query_result *r = &plan->target->columns;
    bool differs = false;
    size_t known = 0;
    for (size_t i = 0; i < r->n_rows; i++) {
        const struct rb_column *column = rb_columns_find(plan->columns, old_name(plan, i));
        plan->names[i] = old_name(plan, i);
        known += column != NULL ? 1 : 0;
        differs =
            differs || column == NULL || strcmp(rb_query_text(r, i, 1), column->declared) != 0;
    }
    int status = differs || known < plan->columns->n ? read_shape(plan, err) : 0;
    status = status < 0 ? status : plan_renames(plan, err);
    status = status < 0 ? status : plan_removed(plan, err);
    status = status < 0 ? status : plan_new(plan, err);
    return status < 0 ? status : plan_columns(plan, ret, err);
}

void rb_evolution_init(struct rb_evolution *evolution, struct rb_dest *dest,
                       const struct rb_stream_context *context)
{
    *evolution = (struct rb_evolution){
        .dest = dest, .context = context, .carried = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX)};
}

void rb_evolution_release(struct rb_evolution *evolution)
{
    rb_shape_release(&evolution->shape);
    rb_buf_release(&evolution->carried);
}

int rb_evolve(struct rb_evolution *evolution, const char *schema, const char *table,
              const struct rb_columns *columns, struct rb_target *target, struct rb_json *changes,
              struct rb_mapping *ret, struct rb_error *err)
{
    struct plan plan = {
        .evolution = evolution,
        .columns = columns,
        .target = target,
        .changes = changes,
        .replaces = evolution->context->write_mode == RB_CONTEXT_REPLACE,
        .names = calloc(target->columns.n_rows + 1, sizeof(char *)),
    };
    rb_statement_init(&plan.one);
    rb_statement_init(&plan.drops);
    rb_statement_init(&plan.alters);
    /* Types stand in statements further on, of new columns and of staging. */
    int status = plan.names == NULL
                     ? rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for columns")
                     : rb_target_check_types(evolution->dest, columns, err);
    size_t told = changes != NULL ? changes->out->len : 0;
    status = status < 0 ? status : make_plan(&plan, ret, err);
    if (status == 0 && !target->is_ours &&
        (changes != NULL ? changes->out->len > told : alters(&plan))) {
        status = refuse_owner(&plan, err);
    }
    status = status < 0 || changes != NULL ? status : apply(&plan, schema, table, target, err);
    rb_statement_release(&plan.one);
    rb_statement_release(&plan.drops);
    rb_statement_release(&plan.alters);
    free(plan.names);
    return status;
}

static bool is_text(const struct rb_target *target, const char *name)
{
    static const char *const types[] = {"text", "character varying", "character"};
    size_t at = rb_target_column(target, name);
    const char *type =
        at == SIZE_MAX ? "" : rb_query_text(&target->columns, at, RB_TARGET_BARE_TYPE);
    bool found = false;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        found = found || strcmp(type, types[i]) == 0;
    }
    return found;
}

/* What a domain is made of every server has, or else the value comes as text already. */
static int take_as_text(struct rb_column *column, struct rb_error *err)
{
    bool builtin = column->form == RB_FORM_NATIVE || column->form == RB_FORM_BINARY;
    char *declared = strdup(builtin && column->type_name != NULL ? column->type_name : "text");
    if (declared == NULL) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a column");
    }
    free(column->declared);
    free(column->definition);
    column->declared = declared;
    column->definition = NULL;
    column->as_text = column->type_name != NULL;
    if (column->form == RB_FORM_LABEL) {
        column->form = RB_FORM_NATIVE;
        column->oid = RB_TYPE_TEXT_OID;
    }
    return 0;
}

int rb_evolve_as_text(const struct rb_evolution *evolution, const struct rb_target *target,
                      struct rb_columns *columns, struct rb_error *err)
{
    const char *word = policy_word(evolution->context, "type_change");
    bool casts = strcmp(word, "coerce") == 0 || strcmp(word, "null") == 0;
    int status = 0;
    for (size_t i = 0; casts && status == 0 && i < columns->n; i++) {
        struct rb_column *column = &columns->items[i];
        if (column->definition != NULL && is_text(target, column->name)) {
            status = take_as_text(column, err);
        }
    }
    return status;
}

int rb_evolve_may_widen(struct rb_evolution *evolution, struct rb_error *err)
{
    const char *word = policy_word(evolution->context, "type_change");
    if (strcmp(word, "widen") == 0) {
        return 1;
    }
    if (word[0] != '\0') {
        return 0;
    }
    if (evolution->context->write_mode == RB_CONTEXT_REPLACE || evolution->original[0] == '\0') {
        return 1;
    }
    int status = rb_shape_read(evolution->dest, evolution->context, evolution->original,
                               &evolution->shape, err);
    return status < 0 ? status : evolution->shape.is_made;
}
