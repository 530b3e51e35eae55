/* Of a dry run: tables that need not be made to know that they could be. */
#include <string.h>

#include "connectors/postgres/dest/dest.h"
#include "gen/connectors/postgres/dest/sql.h"

enum {
    COLUMNS_MAX = 256, /* more are left to the server */
    NAMES_MAX = 20000, /* of a schema, which a session keeps: 2 MB; of more it asks one by one */
    NUMERIC = 1700,
    INTERVAL = 1186,
    TYPMOD_OFFSET = 4,
};

#define NAMES_MAX_TEXT "20000"

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

/* As far as it does not depend on the table that would be replaced. */
static int proves_any_staging(struct rb_dest *dest, const struct rb_stream_context *context,
                              const struct rb_columns *columns, bool *ret, struct rb_error *err)
{
    *ret = false;
    return !dest->has_staged || !fails_on_errors(context) || !are_plain(columns)
               ? 0
               : is_usual(dest, ret, err);
}

int rb_dry_take(struct rb_dest *dest, const struct rb_stream_context *context,
                const struct rb_columns *columns, struct rb_target *target, bool *ret,
                struct rb_error *err)
{
    struct rb_json_value known = rb_json_get(context->json, "table");
    *ret = false;
    if (rb_json_is_absent(known) || context->write_mode != RB_CONTEXT_REPLACE ||
        rb_stream_context_truncates(context) || context->unit_count > 1) {
        return 0;
    }
    int status = proves_any_staging(dest, context, columns, ret, err);
    return status < 0 || !*ret ? status
                               : rb_target_take(dest, dest->config.schema,
                                                context->destination_table, known, target, err);
}

int rb_dry_proves_staging(struct rb_dest *dest, const struct rb_stream_context *context,
                          const struct rb_columns *columns, const struct rb_target *old, bool *ret,
                          struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    const char *oid = old->oid;
    int status = proves_any_staging(dest, context, columns, ret, err);
    status = status < 0 || !*ret ? status : rb_dest_query(dest, rb_sql_dry_like, &oid, 1, &r, err);
    *ret = *ret && status == 0 && rb_query_bool(&r, 0, 0);
    return status;
}

/* The names are in the order of their bytes. */
static bool has_name(const struct rb_query_result *names, const char *name)
{
    size_t low = 0, high = names->n_rows;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(rb_query_text(names, middle, 0), name);
        if (order == 0) {
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

/* Asks for all names of the schema before the first table, and for one where there are too many. */
static int is_free(struct rb_dest *dest, const char *table, bool *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    const char *params[] = {dest->config.schema, table};
    const char *all[] = {dest->config.schema, NAMES_MAX_TEXT};
    int status =
        dest->names_asked ? 0 : rb_dest_query(dest, rb_sql_dry_names, all, 2, &dest->names, err);
    dest->names_asked = status == 0;
    if (status == 0 && dest->names.n_rows == NAMES_MAX) {
        status = rb_dest_query(dest, rb_sql_dry_free, params, 2, &r, err);
        *ret = status == 0 && rb_query_bool(&r, 0, 0);
        return status;
    }
    *ret = status == 0 && !has_name(&dest->names, table);
    return status;
}

int rb_dry_proves_table(struct rb_dest *dest, const struct rb_stream_context *context,
                        const struct rb_columns *columns, bool *ret, struct rb_error *err)
{
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
    bool free_name = false;
    status = is_free(dest, table, &free_name, err);
    if (status < 0 || !free_name) {
        return status;
    }
    status = rb_target_check_types(dest, columns, err);
    *ret = status == 0;
    return status;
}
