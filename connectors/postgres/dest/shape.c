/* What the source's table was like when it was last loaded: kept in the ledger, so that a column
 * with a new name is not taken for another one, and one that the source never had is not touched.
 */
#include <string.h>

#include "connectors/postgres/dest/dest.h"
#include "gen/connectors/postgres/dest/sql.h"

void rb_shape_release(struct rb_shape *shape)
{
    rb_json_free(shape->doc);
    *shape = (struct rb_shape){.doc = NULL};
}

static const char *system_of(const struct rb_stream_context *context)
{
    return rb_json_text(rb_json_get(context->snapshot, "system_identifier"), NULL);
}

int rb_shape_read(struct rb_dest *dest, const struct rb_stream_context *context, const char *oid,
                  struct rb_shape *shape, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    bool has_ledger = dest->ledger_ready;
    if (shape->is_read || oid[0] == '\0' || context->load_id[0] == '\0') {
        return 0;
    }
    int status = has_ledger ? 0 : rb_ledger_check(dest, &has_ledger, err);
    shape->is_read = status == 0;
    if (status < 0 || !has_ledger) {
        return status;
    }
    char target[RB_DEST_TARGET_MAX];
    rb_ledger_target(dest, context, target);
    const char *params[] = {context->pipeline, context->stream_name, target, oid};
    status = rb_dest_query(dest, rb_sql_shape_read, params, 4, &r, err);
    const char *source = status == 0 ? rb_query_text(&r, 0, 1) : NULL;
    shape->is_made = status == 0 && rb_query_bool(&r, 0, 0);
    if (source != NULL) {
        status = rb_json_parse(source, strlen(source), &shape->doc, err);
    }
    const char *then = rb_json_text(rb_json_get(rb_json_root(shape->doc), "system"), NULL);
    const char *now = system_of(context);
    shape->is_of_source = then != NULL && now != NULL && strcmp(then, now) == 0;
    return status;
}

bool rb_shape_find(const struct rb_shape *shape, const char *name, struct rb_shape_column *ret)
{
    struct rb_json_value columns = rb_json_get(rb_json_root(shape->doc), "columns");
    *ret = (struct rb_shape_column){.origin = NULL};
    for (size_t i = 0; shape->doc != NULL && i < rb_json_count(columns); i++) {
        struct rb_json_value column = rb_json_item(columns, i);
        if (strcmp(rb_json_text(rb_json_item(column, 0), ""), name) == 0) {
            ret->type = rb_json_text(rb_json_item(column, 1), "");
            ret->origin = shape->is_of_source ? rb_json_text(rb_json_item(column, 2), NULL) : NULL;
            return true;
        }
    }
    return false;
}

int rb_shape_write(const struct rb_stream_context *context, const struct rb_columns *columns,
                   const char *was, const struct rb_keys *keys, struct rb_buf *ret,
                   struct rb_error *err)
{
    struct rb_json json;
    rb_json_init(&json, ret);
    rb_json_begin_object(&json);
    rb_json_member_bool(&json, "made", was[0] == '\0');
    rb_json_member_str(&json, "was", was[0] != '\0' ? was : NULL);
    if (keys != NULL) {
        const char *key = keys->primary_key, *indexes = keys->indexes;
        rb_json_member_raw(&json, "primary_key", key, key != NULL ? strlen(key) : 0);
        rb_json_member_raw(&json, "indexes", indexes, indexes != NULL ? strlen(indexes) : 0);
    }
    rb_json_key(&json, "source");
    rb_json_begin_object(&json);
    rb_json_member_str(&json, "system", system_of(context));
    rb_json_key(&json, "columns");
    rb_json_begin_array(&json);
    for (size_t i = 0; i < columns->n; i++) {
        rb_json_begin_array(&json);
        rb_json_str(&json, columns->items[i].name);
        const struct rb_column *column = &columns->items[i];
        rb_json_str(&json, column->as_text ? column->type_name : column->declared);
        rb_json_str(&json, columns->items[i].origin);
        rb_json_end_array(&json);
    }
    rb_json_end_array(&json);
    rb_json_end_object(&json);
    rb_json_end_object(&json);
    int status = rb_json_finish(&json);
    return status == 0 ? 0 : rb_error_set(err, status, "OUT_OF_MEMORY", "no memory for a table");
}
