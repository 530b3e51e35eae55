/*
 * Casts that lose nothing: a function of the session for each column, which casts there and back
 * and compares the texts. An expression could compare as well, but not refuse the row by name, nor
 * give NULL for what the cast itself refuses.
 */
#include <string.h>

#include "connectors/postgres/common/settings.h"
#include "connectors/postgres/dest/load.h"

#define QUOTE "$rapidbyte$"

static const char *source_type(const struct rb_column *column)
{
    return column->form == RB_FORM_TEXT ? "text" : column->declared;
}

static const char *target_type(const struct rb_loading *run, size_t i)
{
    size_t at = rb_target_column(run->load->target, run->columns.items[i].name);
    return rb_query_text(&run->load->target->columns, at, 1);
}

static const char *bare_type(const struct rb_loading *run, size_t i)
{
    size_t at = rb_target_column(run->load->target, run->columns.items[i].name);
    return rb_query_text(&run->load->target->columns, at, RB_TARGET_BARE_TYPE);
}

/* Of texts: read by the type's own input function, under our settings. */
static bool is_reading(const struct rb_loading *run, size_t i)
{
    const struct rb_target *target = run->load->target;
    size_t at = rb_target_column(target, run->columns.items[i].name);
    return run->load->mapping->cast[i] == RB_CAST_TEXT &&
           (run->reads_otherwise || rb_query_bool(&target->columns, at, RB_TARGET_CAST_MADE));
}

static bool is_function(const struct rb_loading *run, size_t i)
{
    enum rb_cast cast = run->load->mapping->cast[i];
    return cast == RB_CAST_EXACT || cast == RB_CAST_NULL || cast == RB_CAST_MONEY ||
           is_reading(run, i);
}

static void add_function_name(struct rb_statement *sql, size_t i)
{
    rb_statement_add(sql, "pg_temp.rapidbyte_cast_");
    rb_statement_number(sql, (int64_t)i);
}

/* A literal is read by the input function whatever casts there are. */
static int create_reading(struct rb_loading *run, size_t i, struct rb_error *err)
{
    struct rb_statement *sql = &run->sql;
    const char *to = bare_type(run, i);
    if (strstr(to, QUOTE) != NULL || strchr(to, '\'') != NULL) {
        return rb_error_set(err, RB_ESCHEMA, "TYPE_NAME", "the name of type %s has a quote in it",
                            to);
    }
    rb_statement_begin(sql, "CREATE FUNCTION ", err);
    add_function_name(sql, i);
    rb_statement_add(sql, "(v text) RETURNS ");
    rb_statement_add(sql, to);
    rb_statement_add(sql, " LANGUAGE plpgsql STRICT");
    rb_statement_add(sql, rb_settings_of_function);
    rb_statement_add(sql, "AS " QUOTE " DECLARE r record; BEGIN EXECUTE "
                          "'SELECT ' || quote_literal(v) || '::");
    rb_statement_add(sql, to);
    rb_statement_add(sql, " AS v' INTO r; RETURN r.v; END " QUOTE);
    return rb_statement_exec(sql, run->dest, NULL, err);
}

/* numeric's literal of a power of ten. */
static void add_power(struct rb_statement *sql, int exponent)
{
    rb_statement_add(sql, "1e");
    rb_statement_number(sql, exponent);
}

/* Within the function money has two digits after the point, as in C. */
static int create_converting(struct rb_loading *run, size_t i, struct rb_error *err)
{
    struct rb_statement *sql = &run->sql;
    const struct rb_column *column = &run->columns.items[i];
    const char *to = target_type(run, i);
    int ours = run->dest->money_digits;
    if (strstr(column->declared, QUOTE) != NULL || strstr(to, QUOTE) != NULL) {
        return rb_error_set(err, RB_ESCHEMA, "TYPE_NAME", "the name of type %s has %s in it", to,
                            QUOTE);
    }
    rb_statement_begin(sql, "CREATE FUNCTION ", err);
    add_function_name(sql, i);
    rb_statement_add(sql, "(v ");
    rb_statement_add(sql, column->declared);
    rb_statement_add(sql, ") RETURNS ");
    rb_statement_add(sql, to);
    rb_statement_add(sql, " LANGUAGE plpgsql STRICT");
    rb_statement_add(sql, rb_settings_of_function);
    rb_statement_add(sql, "AS " QUOTE " DECLARE n numeric := v::money::numeric * ");
    add_power(sql, ours - column->money_digits);
    rb_statement_add(sql, "; r money := n::money; BEGIN IF r::numeric <> n THEN RAISE "
                          "data_exception USING MESSAGE = format('%s has more than %s digits after "
                          "the point', round(v::money::numeric * ");
    add_power(sql, 2 - column->money_digits);
    rb_statement_add(sql, ", ");
    rb_statement_number(sql, column->money_digits);
    rb_statement_add(sql, "), ");
    rb_statement_number(sql, ours);
    rb_statement_add(sql, "); END IF; RETURN r; END " QUOTE);
    return rb_statement_exec(sql, run->dest, NULL, err);
}

static int create(struct rb_loading *run, size_t i, struct rb_error *err)
{
    if (is_reading(run, i)) {
        return create_reading(run, i, err);
    }
    if (run->load->mapping->cast[i] == RB_CAST_MONEY) {
        return create_converting(run, i, err);
    }
    struct rb_statement *sql = &run->sql;
    const char *from = source_type(&run->columns.items[i]);
    const char *to = target_type(run, i);
    bool to_null = run->load->mapping->cast[i] == RB_CAST_NULL;
    if (strstr(from, QUOTE) != NULL || strstr(to, QUOTE) != NULL) {
        return rb_error_set(err, RB_ESCHEMA, "TYPE_CHANGE", "no cast from %s to %s", from, to);
    }
    rb_statement_begin(sql, "CREATE FUNCTION ", err);
    add_function_name(sql, i);
    rb_statement_add(sql, "(v ");
    rb_statement_add(sql, from);
    rb_statement_add(sql, ") RETURNS ");
    rb_statement_add(sql, to);
    rb_statement_add(sql, " LANGUAGE plpgsql STRICT AS " QUOTE " DECLARE r ");
    rb_statement_add(sql, to);
    rb_statement_add(sql, "; BEGIN r := v::");
    rb_statement_add(sql, to);
    if (run->load->mapping->changes[i]) {
        rb_statement_add(sql, "; RETURN r; ");
    } else {
        rb_statement_add(sql, "; IF r::");
        rb_statement_add(sql, from);
        rb_statement_add(sql, "::text IS NOT DISTINCT FROM v::text THEN RETURN r; END IF; ");
    }
    rb_statement_add(sql, to_null ? "RETURN NULL; EXCEPTION WHEN data_exception OR "
                                    "integrity_constraint_violation THEN RETURN NULL; "
                                  : "RAISE data_exception USING MESSAGE = format('%s would lose "
                                    "something as %s', left(v::text, 100), pg_typeof(r)); ");
    rb_statement_add(sql, "END " QUOTE);
    return rb_statement_exec(sql, run->dest, NULL, err);
}

/* Tells how many values of a column became NULL. */
static int count_nulls(struct rb_loading *run, size_t i, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    struct rb_statement *sql = &run->sql;
    const char *name = run->columns.items[i].name;
    rb_statement_begin(sql, "SELECT count(*) FROM " RB_LOAD_TEMPORARY " WHERE ", err);
    rb_statement_name(sql, name);
    rb_statement_add(sql, " IS NOT NULL AND ");
    rb_cast_add(run, sql, i);
    rb_statement_add(sql, " IS NULL");
    int status = rb_statement_end(sql);
    status = status < 0 ? status
                        : rb_query_run(run->dest->conn, rb_buf_str(&sql->text), NULL, 0,
                                       RB_QUERY_TEXT, &r, err);
    if (status == 0 && rb_query_int(&r, 0, 0, 0) > 0) {
        rb_log(RB_LOG_WARN, "column \"%s\": %s values can't be held by type %s and became NULL",
               name, rb_query_text(&r, 0, 0), target_type(run, i));
    }
    return status;
}

void rb_cast_add(const struct rb_loading *run, struct rb_statement *sql, size_t i)
{
    const char *name = run->columns.items[i].name;
    if (is_function(run, i)) {
        add_function_name(sql, i);
        rb_statement_add(sql, "(");
        rb_statement_name(sql, name);
        rb_statement_add(sql, ")");
        return;
    }
    rb_statement_name(sql, name);
    enum rb_cast cast = run->load->mapping->cast[i];
    if (cast == RB_CAST_TEXT || cast == RB_CAST_WIDER) {
        rb_statement_add(sql, "::");
        rb_statement_add(sql, bare_type(run, i));
    }
}

/* Asked for where it matters alone: texts for a table whose rows run SQL of the user. */
static int find_reading(struct rb_loading *run, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    bool any = false;
    for (size_t i = 0; i < run->columns.n; i++) {
        any = any || run->load->mapping->cast[i] == RB_CAST_TEXT;
    }
    if (!any || !run->load->target->runs_sql) {
        return 0;
    }
    int status = rb_query_run_as_user(run->dest->conn, rb_settings_read_alike, NULL, 0, &r, err);
    run->reads_otherwise = status == 0 && !rb_query_bool(&r, 0, 0);
    return status;
}

int rb_cast_begin(struct rb_loading *run, struct rb_error *err)
{
    int status = find_reading(run, err);
    for (size_t i = 0; status == 0 && i < run->columns.n; i++) {
        status = is_function(run, i) ? create(run, i, err) : 0;
        if (status == 0 && run->load->mapping->cast[i] == RB_CAST_NULL) {
            status = count_nulls(run, i, err);
        }
    }
    return status;
}

int rb_cast_end(struct rb_loading *run, struct rb_error *err)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < run->columns.n; i++) {
        if (is_function(run, i)) {
            rb_statement_begin(&run->sql, "DROP FUNCTION ", err);
            add_function_name(&run->sql, i);
            status = rb_statement_exec(&run->sql, run->dest, NULL, err);
        }
    }
    return status;
}
