/* A table gets another shape, and a table that takes its place is to be told of it. */
#include <string.h>

#include "connectors/postgres/dest/load.h"

/* "ALTER TABLE <relation> <actions>" */
static int alter(struct rb_dest *dest, const char *relation, const char *actions,
                 struct rb_error *err)
{
    RB_CLEANUP(rb_statement_release) struct rb_statement sql;
    rb_statement_init(&sql);
    rb_statement_begin(&sql, "ALTER TABLE ", err);
    rb_statement_add(&sql, relation);
    rb_statement_add(&sql, " ");
    rb_statement_add(&sql, actions);
    int status = rb_statement_exec(&sql, dest, NULL, err);
    if (status < 0) {
        rb_error_prefix(err, "ALTER TABLE %s %s", relation, actions);
    }
    return status;
}

/* As alter, and kept for rb_alter_carried. */
static int alter_both(struct rb_dest *dest, const char *relation, const char *actions,
                      struct rb_buf *carried, struct rb_error *err)
{
    int status = actions[0] != '\0' ? alter(dest, relation, actions, err) : 0;
    if (status == 0 && actions[0] != '\0' &&
        rb_buf_append(carried, actions, strlen(actions) + 1) < 0) {
        status = rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a statement");
    }
    return status;
}

static void add_between(struct rb_statement *sql, size_t i)
{
    rb_statement_add(sql, "\"rapidbyte ");
    rb_statement_number(sql, (int64_t)i);
    rb_statement_add(sql, "\"");
}

/* `to_between`: to its new name, or, where that may still be another's, to one in between; else
 * from there to its new name. */
static int rename_column(struct rb_dest *dest, const struct rb_target *target, const char *name,
                         size_t i, bool to_between, struct rb_buf *carried, struct rb_error *err)
{
    RB_CLEANUP(rb_statement_release) struct rb_statement action;
    const char *old = rb_query_text(&target->columns, i, 0);
    rb_statement_init(&action);
    if (name == NULL || strcmp(name, old) == 0) {
        return 0;
    }
    bool taken = rb_target_column(target, name) != SIZE_MAX;
    if (!to_between && !taken) {
        return 0;
    }
    rb_statement_begin(&action, "RENAME COLUMN ", err);
    if (to_between) {
        rb_statement_name(&action, old);
    } else {
        add_between(&action, i);
    }
    rb_statement_add(&action, " TO ");
    if (to_between && taken) {
        add_between(&action, i);
    } else {
        rb_statement_name(&action, name);
    }
    int status = rb_statement_end(&action);
    return status < 0 ? status
                      : alter_both(dest, target->relation, rb_buf_str(&action.text), carried, err);
}

int rb_alter(struct rb_dest *dest, const struct rb_target *target,
             const struct rb_alteration *alteration, struct rb_buf *carried, struct rb_error *err)
{
    int status = alter_both(dest, target->relation, alteration->drops, carried, err);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; status == 0 && i < target->columns.n_rows; i++) {
            status = rename_column(dest, target, alteration->names[i], i, pass == 0, carried, err);
        }
    }
    return status < 0 || alteration->others[0] == '\0'
               ? status
               : alter(dest, target->relation, alteration->others, err);
}

int rb_alter_carried(struct rb_dest *dest, const char *relation, const struct rb_buf *carried,
                     struct rb_error *err)
{
    int status = 0;
    for (size_t at = 0; status == 0 && at < carried->len;) {
        const char *actions = rb_buf_str(carried) + at;
        status = alter(dest, relation, actions, err);
        at += strlen(actions) + 1;
    }
    return status;
}
