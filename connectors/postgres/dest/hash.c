/* rb_hash: what the stream's target holds, under one snapshot. */
#include "connectors/postgres/common/content_hash.h"
#include "connectors/postgres/dest/dest.h"

#include "gen/connectors/postgres/dest/sql.h"

/* Asked of the catalogue first, for a statement that fails would end the snapshot. */
static int check_target(struct rb_conn *conn, const char *schema, const char *table,
                        struct rb_json_value columns, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    RB_CLEANUP(rb_query_result_release) struct rb_query_result found;
    rb_query_result_init(&rows);
    rb_query_result_init(&found);
    const struct rb_query_param names[] = {rb_query_text_param(schema), rb_query_text_param(table)};
    int status = rb_query_run(conn, rb_sql_target_table, names, 2, RB_QUERY_TEXT, &rows, err);
    if (status == 0 && rows.n_rows == 0) {
        return rb_error_set(err, RB_ESCHEMA, "NO_SUCH_TABLE",
                            "the destination has no table \"%s\".\"%s\"", schema, table);
    }
    const struct rb_query_param oid = rb_query_text_param(rb_query_text(&rows, 0, 0));
    status = status < 0
                 ? status
                 : rb_query_run(conn, rb_sql_target_columns, &oid, 1, RB_QUERY_TEXT, &found, err);
    for (size_t i = 0; status == 0 && i < rb_json_count(columns); i++) {
        const char *name = rb_json_text(rb_json_item(columns, i), "");
        size_t row = 0;
        while (row < found.n_rows && strcmp(rb_query_text(&found, row, 0), name) != 0) {
            row++;
        }
        if (row == found.n_rows) {
            return rb_error_set(err, RB_ESCHEMA, "NO_SUCH_COLUMN",
                                "the destination's table \"%s\".\"%s\" has no column \"%s\"",
                                schema, table, name);
        }
    }
    return status;
}

int rb_dest_hash(void *self, const struct rb_stream_context *context, struct rb_json_value request,
                 struct rb_json *ret, struct rb_error *err)
{
    struct rb_dest *dest = self;
    RB_CLEANUP(rb_buf_release) struct rb_buf from = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    const char *schema = dest->config.schema;
    int status = rb_content_begin(&dest->content, &dest->config, request, err);
    status = status < 0 ? status
                        : check_target(dest->content.conns[0], schema, context->destination_table,
                                       rb_json_get(request, "columns"), err);
    if (status < 0) {
        return status;
    }
    status = rb_buf_append_str(&from, " FROM ");
    status = status < 0 ? rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a statement")
                        : rb_quote_qualified(&from, schema, context->destination_table, err);
    if (status == 0 && rb_buf_append_str(&from, " WHERE TRUE") < 0) {
        status = rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a statement");
    }
    return status < 0 ? status
                      : rb_content_hash(&dest->content, rb_buf_str(&from), request, ret, err);
}
