#include "connectors/postgres/source/select.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/postgres/common/query.h"
#include "connectors/postgres/common/quote.h"
#include "connectors/postgres/common/settings.h"

static const unsigned long long block_max = 0xfffffffe;

static int no_memory(int r, struct rb_error *err)
{
    return r < 0 ? rb_error_set(err, r, "OUT_OF_MEMORY", "no room for the statement's text") : 0;
}

static int put_where(const char *where, struct rb_buf *ret, struct rb_error *err)
{
    int r =
        *where ? rb_buf_printf(ret, " WHERE (%s\n)", where) : rb_buf_append_str(ret, " WHERE TRUE");
    return no_memory(r, err);
}

int rb_select_from(const struct rb_table *table, const char *where, struct rb_buf *ret,
                   struct rb_error *err)
{
    int r = no_memory(rb_buf_append_str(ret, " FROM "), err);
    /* A table's own rows, whoever has begun to inherit from it since the snapshot. */
    if (r == 0 && table->kind == 'r' && !table->has_children) {
        r = no_memory(rb_buf_append_str(ret, "ONLY "), err);
    }
    r = r < 0 ? r : rb_quote_qualified(ret, table->schema, table->name, err);
    r = r < 0 ? r : put_where(where, ret, err);
    if (r == 0 && table->members != NULL) {
        r = no_memory(
            rb_buf_printf(ret, " AND tableoid OPERATOR(pg_catalog.=) ANY ('%s'::pg_catalog.oid[])",
                          table->members),
            err);
    }
    return r;
}

int rb_select_from_named(const char *schema, const char *name, const char *where,
                         struct rb_buf *ret, struct rb_error *err)
{
    int r = no_memory(rb_buf_append_str(ret, " FROM "), err);
    r = r < 0 ? r : rb_quote_qualified(ret, schema, name, err);
    return r < 0 ? r : put_where(where, ret, err);
}

/* Decimal digits up to `end`. */
static bool parse_block(const char *text, const char *end, unsigned long long *ret)
{
    unsigned long long v = 0;
    if (text == end || end - text > 10) {
        return false;
    }
    for (const char *p = text; p < end; p++) {
        if (*p < '0' || *p > '9') {
            return false;
        }
        v = v * 10 + (unsigned long long)(*p - '0');
    }
    *ret = v;
    return v <= block_max;
}

int rb_select_range(const char *range, struct rb_buf *ret, struct rb_error *err)
{
    const char *comma = strchr(range, ',');
    unsigned long long from = 0, to = 0;
    if (!comma || !parse_block(range, comma, &from) ||
        (comma[1] && !parse_block(comma + 1, comma + strlen(comma), &to))) {
        return rb_error_set(err, RB_ECONNECTOR, "BAD_RANGE", "'%.80s' is not a range of blocks",
                            range);
    }
    int r =
        rb_buf_printf(ret, " AND ctid OPERATOR(pg_catalog.>=) '(%llu,0)'::pg_catalog.tid", from);
    if (r == 0 && comma[1]) {
        r = rb_buf_printf(ret, " AND ctid OPERATOR(pg_catalog.<) '(%llu,0)'::pg_catalog.tid", to);
    }
    return no_memory(r, err);
}

static int put_names(const struct rb_columns *columns, struct rb_buf *ret, struct rb_error *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < columns->n; i++) {
        r = no_memory(rb_buf_append_str(ret, i ? ", " : " "), err);
        r = r < 0 ? r : rb_quote_ident(ret, columns->items[i].name, err);
    }
    return r;
}

/* By the type's own output function, as format() calls it: somebody may have made a cast to text
 * that says something else. The types that every server has are cast, as PostgreSQL does it. NULL
 * is no text; a composite of NULLs is one. */
static int put_text(const struct rb_column *column, bool ours, struct rb_buf *ret,
                    struct rb_error *err)
{
    bool builtin = column->oid < RB_TYPE_BUILTIN_OID_END;
    int r = ours ? rb_settings_begin_text(ret) : 0;
    r = r < 0 || builtin ? r : rb_buf_append_str(ret, "CASE WHEN pg_catalog.num_nulls(");
    r = r < 0 || builtin ? r : rb_quote_ident(ret, column->name, err);
    r = r < 0 || builtin
            ? r
            : rb_buf_append_str(ret, ") OPERATOR(pg_catalog.=) 0 THEN pg_catalog.format('%s', ");
    r = r < 0 ? r : rb_quote_ident(ret, column->name, err);
    r = r < 0 ? r : rb_buf_append_str(ret, builtin ? "::pg_catalog.text" : ") END");
    r = r < 0 || !ours ? r : rb_settings_end_text(ret);
    return no_memory(r, err);
}

bool rb_select_runs_sql(const struct rb_table *table, const char *where)
{
    return *where || rb_table_runs_sql(table);
}

/* Texts that hold names of the catalogue (regclass and its kin, also as parts of what users made):
 * they lack their schemas where the search path has them. */
static bool may_hold_names(const struct rb_column *column)
{
    return column->oid < RB_TYPE_BUILTIN_OID_END ||
           (column->definition != NULL && strstr(column->definition, "\"reg") != NULL);
}

/* The statement runs under the user's settings, and this text is to be written under ours. */
static bool is_ours(const struct rb_select *select, const struct rb_column *column)
{
    return column->form == RB_FORM_TEXT && rb_select_runs_sql(select->table, select->where) &&
           (!select->alike || may_hold_names(column));
}

static bool any_is_ours(const struct rb_select *select)
{
    bool any = false;
    for (size_t i = 0; i < select->columns->n; i++) {
        any = any || is_ours(select, &select->columns->items[i]);
    }
    return any;
}

static int put_columns(const struct rb_select *select, struct rb_buf *ret, struct rb_error *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < select->columns->n; i++) {
        const struct rb_column *column = &select->columns->items[i];
        r = no_memory(rb_buf_append_str(ret, i ? ", " : " "), err);
        if (r == 0) {
            r = column->form == RB_FORM_TEXT ? put_text(column, is_ours(select, column), ret, err)
                                             : rb_quote_ident(ret, column->name, err);
        }
    }
    return r;
}

static bool has_texts(const struct rb_columns *columns)
{
    for (size_t i = 0; i < columns->n; i++) {
        if (columns->items[i].form == RB_FORM_TEXT) {
            return true;
        }
    }
    return false;
}

static bool is_whole_table(const struct rb_select *select)
{
    /* Under row security COPY would become a query by itself; so it is one that says so. */
    return select->table->copies && !select->table->row_security && select->columns->n > 0 &&
           !has_texts(select->columns) && !*select->where && !*select->range && !*select->cursor &&
           !select->order && !select->none;
}

static int copy_table(const struct rb_select *select, struct rb_buf *ret, struct rb_error *err)
{
    int r = no_memory(rb_buf_append_str(ret, "COPY "), err);
    r = r < 0 ? r : rb_quote_qualified(ret, select->table->schema, select->table->name, err);
    r = r < 0 ? r : no_memory(rb_buf_append_str(ret, " ("), err);
    r = r < 0 ? r : put_names(select->columns, ret, err);
    return r < 0 ? r : no_memory(rb_buf_append_str(ret, ") TO STDOUT (FORMAT binary)"), err);
}

/* Everything behind the columns. */
static int put_rows(const struct rb_select *select, struct rb_buf *ret, struct rb_error *err)
{
    int r = rb_select_from(select->table, select->where, ret, err);
    if (r == 0 && *select->range) {
        r = rb_select_range(select->range, ret, err);
    }
    if (r == 0 && *select->cursor) {
        r = no_memory(rb_buf_printf(ret, " AND (%s)", select->cursor), err);
    }
    if (r == 0 && select->order) {
        r = no_memory(rb_buf_printf(ret, " ORDER BY %s", select->order), err);
    }
    return r < 0 || !select->none ? r : no_memory(rb_buf_append_str(ret, " LIMIT 0"), err);
}

/* Where texts have to be written under our settings, the user's SQL is in a subquery that the
 * planner can't take apart. */
static int put_subquery(const struct rb_select *select, struct rb_buf *ret, struct rb_error *err)
{
    int r = no_memory(rb_buf_printf(ret, " FROM %s, (SELECT", rb_settings_from), err);
    r = r < 0 ? r : put_names(select->columns, ret, err);
    r = r < 0 ? r : put_rows(select, ret, err);
    return r < 0 ? r : no_memory(rb_buf_append_str(ret, " OFFSET 0) AS q"), err);
}

int rb_select_copy(const struct rb_select *select, struct rb_buf *ret, struct rb_error *err)
{
    if (is_whole_table(select)) {
        return copy_table(select, ret, err);
    }
    int r = no_memory(rb_buf_append_str(ret, "COPY (SELECT"), err);
    r = r < 0 ? r : put_columns(select, ret, err);
    r = r < 0                 ? r
        : any_is_ours(select) ? put_subquery(select, ret, err)
                              : put_rows(select, ret, err);
    return r < 0 ? r : no_memory(rb_buf_append_str(ret, ") TO STDOUT (FORMAT binary)"), err);
}

static int build_alone(const struct rb_table *table, const char *before, const char *where,
                       const char *after, struct rb_buf *ret, struct rb_error *err)
{
    int r = no_memory(rb_buf_append_str(ret, "SELECT"), err);
    r = r < 0 ? r : rb_select_from(table, "", ret, err);
    return r < 0 ? r : no_memory(rb_buf_printf(ret, " AND %s%s\n%s", before, where, after), err);
}

int rb_select_check_where(struct rb_conn *conn, const struct rb_table *table, const char *where,
                          const char *after, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf round = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf square = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    if (!*where) {
        return 0;
    }
    int r = build_alone(table, "(", where, ")", &round, err);
    r = r < 0 ? r : build_alone(table, "(ARRAY[", where, "])[1]", &square, err);
    if (r < 0) {
        return r;
    }
    const char *sqls[] = {rb_buf_str(&round), rb_buf_str(&square)};
    r = rb_query_parse(conn, rb_settings_users, sqls, 2, after ? after : rb_settings_own, err);
    if (r < 0) {
        if (err && err->category == RB_CATEGORY_SCHEMA) {
            err->status = r = RB_ECONFIG;
            err->category = RB_CATEGORY_CONFIG;
        }
        rb_error_prefix(err, "the filter `where: %.200s` is not one condition", where);
    }
    return r;
}
