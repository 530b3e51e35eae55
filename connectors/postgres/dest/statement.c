#include <inttypes.h>

#include "connectors/postgres/common/settings.h"
#include "connectors/postgres/dest/load.h"

void rb_statement_init(struct rb_statement *statement)
{
    rb_buf_init(&statement->text, RB_QUOTE_STATEMENT_MAX);
    statement->status = 0;
    statement->err = NULL;
}

void rb_statement_release(struct rb_statement *statement)
{
    rb_buf_release(&statement->text);
}

void rb_statement_begin(struct rb_statement *statement, const char *text, struct rb_error *err)
{
    rb_buf_clear(&statement->text);
    statement->status = 0;
    statement->err = err;
    rb_statement_add(statement, text);
}

static void check(struct rb_statement *statement, int status)
{
    if (status < 0) {
        statement->status =
            rb_error_set(statement->err, status, "OUT_OF_MEMORY", "no memory for a statement");
    }
}

void rb_statement_add(struct rb_statement *statement, const char *text)
{
    if (statement->status == 0) {
        check(statement, rb_buf_append_str(&statement->text, text));
    }
}

void rb_statement_as_user(struct rb_statement *statement, bool runs_sql)
{
    if (runs_sql) {
        rb_statement_add(statement, rb_settings_users);
        rb_statement_add(statement, "; ");
    }
}

void rb_statement_as_ours(struct rb_statement *statement, bool runs_sql)
{
    if (runs_sql) {
        rb_statement_add(statement, "; ");
        rb_statement_add(statement, rb_settings_own);
    }
}

void rb_statement_name(struct rb_statement *statement, const char *name)
{
    if (statement->status == 0) {
        statement->status = rb_quote_ident(&statement->text, name, statement->err);
    }
}

void rb_statement_names(struct rb_statement *statement, const struct rb_columns *columns)
{
    for (size_t i = 0; i < columns->n; i++) {
        rb_statement_add(statement, i > 0 ? ", " : "");
        rb_statement_name(statement, columns->items[i].name);
    }
}

void rb_statement_number(struct rb_statement *statement, int64_t number)
{
    if (statement->status == 0) {
        check(statement, rb_buf_printf(&statement->text, "%" PRId64, number));
    }
}

int rb_statement_end(struct rb_statement *statement)
{
    statement->err = NULL;
    return statement->status;
}

int rb_statement_exec(struct rb_statement *statement, struct rb_dest *dest, int64_t *ret_affected,
                      struct rb_error *err)
{
    int status = rb_statement_end(statement);
    int64_t affected;
    status = status < 0
                 ? status
                 : rb_query_exec_count(dest->conn, rb_buf_str(&statement->text), &affected, err);
    if (status == 0 && ret_affected != NULL) {
        *ret_affected = affected;
    }
    return status;
}
