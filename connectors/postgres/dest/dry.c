/* Of a dry run: tables that need not be made to know that they could be. */
#include <string.h>

#include "connectors/postgres/dest/dest.h"
#include "gen/connectors/postgres/dest/sql.h"

enum {
    COLUMNS_MAX = 256, /* more are left to the server */
    NUMERIC = 1700,
    INTERVAL = 1186,
    TYPMOD_OFFSET = 4,
};

static bool is_system_name(const char *name)
{
    static const char *const names[] = {"tableoid", "cmax", "xmax", "cmin", "xmin", "ctid", "oid"};
    size_t i = 0;
    while (i < sizeof names / sizeof names[0] && strcmp(name, names[i]) != 0) {
        i++;
    }
    return i < sizeof names / sizeof names[0];
}

static bool is_name(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= RB_QUOTE_NAME_MAX;
}

/* numeric(p,s): a scale below 0 or above p older servers refuse. */
static bool is_old_numeric(int32_t typmod)
{
    int32_t both = typmod - TYPMOD_OFFSET;
    int32_t precision = (both >> 16) & 0xffff, scale = both & 0xffff;
    return typmod < 0 || scale <= precision;
}

/* Of a type that every server has, with nothing that could be missing. */
static bool is_plain(const struct rb_column *column)
{
    const struct rb_type *type = rb_type_find(column->oid);
    if (type == NULL || !column->from_postgres || column->definition != NULL ||
        column->collation != NULL || strchr(column->declared, '.') != NULL ||
        !is_name(column->name) || is_system_name(column->name)) {
        return false;
    }
    return type->form == RB_FORM_NATIVE || type->oid == INTERVAL ||
           (type->oid == NUMERIC && is_old_numeric(column->typmod));
}

static bool are_plain(const struct rb_columns *columns)
{
    bool plain = columns->n > 0 && columns->n <= COLUMNS_MAX;
    for (size_t i = 0; plain && i < columns->n; i++) {
        plain = is_plain(&columns->items[i]);
        for (size_t j = 0; plain && j < i; j++) {
            plain = strcmp(columns->items[i].name, columns->items[j].name) != 0;
        }
    }
    return plain;
}

static int is_usual(struct rb_dest *dest, bool *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    int status = 0;
    if (!dest->usual_asked) {
        status = rb_dest_query(dest, rb_sql_dry_usual, NULL, 0, &r, err);
        dest->is_usual = status == 0 && rb_query_bool(&r, 0, 0);
        dest->usual_asked = status == 0;
    }
    *ret = dest->is_usual;
    return status;
}

static bool fails_on_errors(const struct rb_stream_context *context)
{
    return strcmp(rb_json_text(rb_json_get(context->policies, "on_data_error"), "fail"), "fail") ==
           0;
}

int rb_dry_proves_staging(struct rb_dest *dest, const struct rb_stream_context *context,
                          const struct rb_columns *columns, const struct rb_target *old, bool *ret,
                          struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    *ret = false;
    if (!dest->has_staged || !fails_on_errors(context) || !are_plain(columns)) {
        return 0;
    }
    const char *oid = old->oid;
    int status = is_usual(dest, ret, err);
    status = status < 0 || !*ret ? status : rb_dest_query(dest, rb_sql_dry_like, &oid, 1, &r, err);
    *ret = *ret && status == 0 && rb_query_bool(&r, 0, 0);
    return status;
}

int rb_dry_proves_table(struct rb_dest *dest, const struct rb_stream_context *context,
                        const struct rb_columns *columns, bool *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    const char *table = context->destination_table;
    *ret = false;
    if (!dest->has_made || context->write_mode == RB_CONTEXT_UPSERT || !fails_on_errors(context) ||
        !is_name(table) || !are_plain(columns)) {
        return 0;
    }
    bool usual = false;
    int status = is_usual(dest, &usual, err);
    if (status < 0 || !usual) {
        return status;
    }
    const char *params[] = {dest->config.schema, table};
    status = rb_dest_query(dest, rb_sql_dry_free, params, 2, &r, err);
    if (status < 0 || !rb_query_bool(&r, 0, 0)) {
        return status;
    }
    status = rb_target_check_types(dest, columns, err);
    *ret = status == 0;
    return status;
}
