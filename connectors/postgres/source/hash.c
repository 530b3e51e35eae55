/* rb_hash: what the stream's table holds, or where to cut it, under one snapshot of its own. */
#include <string.h>

#include "connectors/postgres/common/content_hash.h"
#include "connectors/postgres/common/quote.h"
#include "connectors/postgres/source/catalogue.h"
#include "connectors/postgres/source/select.h"
#include "connectors/postgres/source/source.h"
#include "connectors/postgres/source/table.h"

enum { KEY_TEXT_MAX = 64 * 1024 };

/* The pipeline's key where it names one, else the table's. */
static int write_plan(struct rb_source *source, const struct rb_stream_context *context,
                      const struct rb_table *table, const struct rb_columns *columns,
                      const char *from, struct rb_json_value request, struct rb_json *ret,
                      struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(KEY_TEXT_MAX);
    struct rb_json_doc *names = NULL;
    struct rb_json_doc *key = NULL;
    struct rb_json json;
    int status = 0;
    if (table->primary_key_json != NULL) {
        status =
            rb_json_parse(table->primary_key_json, strlen(table->primary_key_json), &names, err);
    }
    bool named = rb_json_count(context->primary_key) > 0;
    rb_json_init(&json, &text);
    rb_json_begin_object(&json);
    status = status < 0
                 ? status
                 : rb_content_write_key(columns, named ? context->primary_key : rb_json_root(names),
                                        &json, err);
    rb_json_end_object(&json);
    status = status < 0 ? status : rb_json_parse(rb_buf_str(&text), text.len, &key, err);
    if (status == 0) {
        struct rb_json_value value = rb_json_get(rb_json_root(key), "key");
        size_t len = 0;
        const char *key_text = rb_json_is_absent(value) ? NULL : rb_json_source(value, &len);
        rb_json_key(ret, "columns");
        rb_json_begin_array(ret);
        for (size_t i = 0; i < columns->n; i++) {
            rb_json_str(ret, columns->items[i].name);
        }
        rb_json_end_array(ret);
        rb_json_member_raw(ret, "key", key_text, len);
        status = rb_content_split(&source->content, from, value, request, ret, err);
    }
    rb_json_free(names);
    rb_json_free(key);
    return status;
}

static int answer(struct rb_source *source, const struct rb_stream_context *context,
                  struct rb_json_value request, struct rb_json *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf from = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    RB_CLEANUP(rb_catalogue_release) struct rb_catalogue catalogue;
    RB_CLEANUP(rb_tables_release) struct rb_tables tables;
    RB_CLEANUP(rb_columns_release) struct rb_columns columns;
    struct rb_conn *conn = source->content.conns[0];
    const char *schema = rb_source_schema(source, context), *name = rb_source_table(context);
    rb_catalogue_init(&catalogue);
    rb_tables_init(&tables);
    rb_columns_init(&columns);
    int status = rb_catalogue_query(conn, schema, name, &catalogue, err);
    status = status < 0
                 ? status
                 : rb_catalogue_find_members(conn, rb_buf_str(&source->tables), &catalogue, err);
    status = status < 0 ? status
                        : rb_tables_find(&catalogue, schema, name, true, source->filter_rows,
                                         source->config.user, &tables, err);
    const struct rb_table *table = status < 0 ? NULL : &tables.items[0];
    status = status < 0
                 ? status
                 : rb_table_choose(table, context->columns, source->config.user, &columns, err);
    status = status < 0 ? status : rb_select_from(table, context->where, &from, err);
    if (status < 0) {
        return status;
    }
    source->content.runs_sql = rb_select_runs_sql(table, context->where);
    status = rb_select_check_where(conn, table, context->where, NULL, err);
    if (status < 0) {
        rb_content_release(&source->content);
        return status;
    }
    return rb_json_int(rb_json_get(request, "split"), 0) > 0
               ? write_plan(source, context, table, &columns, rb_buf_str(&from), request, ret, err)
               : rb_content_hash(&source->content, rb_buf_str(&from), request, ret, err);
}

int rb_source_hash(void *self, const struct rb_stream_context *context,
                   struct rb_json_value request, struct rb_json *ret, struct rb_error *err)
{
    struct rb_source *source = self;
    int status = rb_content_begin(&source->content, &source->config, request, err);
    status =
        status < 0 ? status : rb_source_keep_tables(source, rb_json_get(request, "tables"), err);
    return status < 0 ? status : answer(source, context, request, ret, err);
}
