/* The catalogue of the configured schema, or of the one asked for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/postgres/common/query.h"
#include "connectors/postgres/source/cursor.h"
#include "connectors/postgres/source/source.h"
#include "connectors/postgres/source/table.h"
#include "gen/connectors/postgres/source/sql.h"

enum { PIECE_COLUMNS = 8000 }; /* after so many an answer ends: 20 MB of the guest's memory */

/* The words by which a column says when its row last changed, best first. */
static const char *const change_words[] = {"updat", "modif", "chang", "creat", "insert", "_at", ""};

static bool is_named(const struct rb_column *column, const char *word)
{
    return strcasestr(column->name, word) != NULL;
}

static const struct rb_column *propose_time(const struct rb_table *table)
{
    for (size_t w = 0; w < sizeof change_words / sizeof *change_words - 1; w++) {
        for (size_t i = 0; i < table->columns.n; i++) {
            const struct rb_column *column = &table->columns.items[i];
            const struct rb_cursor_kind *kind = rb_cursor_kind_find(column->oid);
            if (kind && strncmp(rb_cursor_kind_name(kind), "timestamp", 9) == 0 &&
                is_named(column, change_words[w])) {
                return column;
            }
        }
    }
    return NULL;
}

/* A key of one integer grows with new rows, though it does not show changes. */
static const struct rb_column *propose_key(const struct rb_table *table)
{
    for (size_t i = 0; table->primary_key_json && i < table->columns.n; i++) {
        const struct rb_column *column = &table->columns.items[i];
        const struct rb_cursor_kind *kind = rb_cursor_kind_find(column->oid);
        size_t n = strlen(column->name);
        bool is_key = strlen(table->primary_key_json) == n + 4 &&
                      strncmp(table->primary_key_json + 2, column->name, n) == 0;
        if (is_key && kind && strcmp(rb_cursor_kind_name(kind), "integer") == 0) {
            return column;
        }
    }
    return NULL;
}

static bool has_cursor(const struct rb_table *table)
{
    for (size_t i = 0; i < table->columns.n; i++) {
        if (rb_cursor_kind_find(table->columns.items[i].oid)) {
            return true;
        }
    }
    return false;
}

/* How the column travels to a destination that takes PostgreSQL's binary form. */
static void arrow_name(const struct rb_column *column, char *out, size_t cap)
{
    if (column->form == RB_FORM_BINARY) {
        snprintf(out, cap, "opaque[%s]", column->type_name);
    } else if (column->extension) {
        snprintf(out, cap, "%s", column->extension);
    } else if (column->arrow == NANOARROW_TYPE_TIMESTAMP) {
        snprintf(out, cap, "timestamp[us%s]", column->utc ? ", UTC" : "");
    } else if (column->arrow == NANOARROW_TYPE_TIME64) {
        snprintf(out, cap, "time64[us]");
    } else {
        snprintf(out, cap, "%s", ArrowTypeString(column->arrow));
    }
}

/* The key's columns are found in its JSON text as they stand there. */
static bool is_key_column(const struct rb_table *table, const struct rb_column *column)
{
    if (!table->primary_key_json) {
        return false;
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf name = RB_BUF_INIT(1024);
    struct rb_json json;
    rb_json_init(&json, &name);
    rb_json_str(&json, column->name);
    return rb_json_finish(&json) == 0 && strstr(table->primary_key_json, rb_buf_str(&name));
}

static void write_columns(const struct rb_table *table, struct rb_json *ret)
{
    rb_json_key(ret, "schema");
    rb_json_begin_array(ret);
    for (size_t i = 0; i < table->columns.n; i++) {
        const struct rb_column *column = &table->columns.items[i];
        char arrow[160];
        arrow_name(column, arrow, sizeof arrow);
        rb_json_begin_object(ret);
        rb_json_member_str(ret, "name", column->name);
        rb_json_member_str(ret, "data_type", column->declared);
        rb_json_member_bool(ret, "nullable", !column->not_null);
        rb_json_member_str(ret, "arrow_type", arrow);
        rb_json_member_bool(ret, "primary_key", is_key_column(table, column));
        rb_json_end_object(ret);
    }
    rb_json_end_array(ret);
}

static void write_table(const struct rb_table *table, struct rb_json *ret)
{
    const struct rb_column *cursor = propose_time(table);
    cursor = cursor ? cursor : propose_key(table);
    rb_json_begin_object(ret);
    rb_json_member_str(ret, "name", table->name);
    rb_json_member_str(ret, "namespace", table->schema);
    write_columns(table, ret);
    rb_json_key(ret, "supported_sync_modes");
    rb_json_begin_array(ret);
    rb_json_str(ret, "full_refresh");
    if (has_cursor(table)) {
        rb_json_str(ret, "incremental");
    }
    rb_json_end_array(ret);
    rb_json_key(ret, "source_defined_cursor");
    rb_json_null(ret);
    rb_json_key(ret, "source_defined_primary_key");
    rb_json_raw(ret, table->primary_key_json,
                table->primary_key_json ? strlen(table->primary_key_json) : 0);
    rb_json_key(ret, "estimated_rows");
    if (table->estimated_rows >= 0) {
        rb_json_i64(ret, table->estimated_rows);
    } else {
        rb_json_null(ret);
    }
    rb_json_member_str(ret, "proposed_cursor", cursor ? cursor->name : NULL);
    rb_json_member_str(ret, "kind", rb_table_kind_name(table));
    rb_json_end_object(ret);
}

/* Who asks for names alone gets no more: columns would be most of it. */
static int write_names(struct rb_conn *conn, const char *schema, struct rb_json *ret,
                       struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    rb_query_result_init(&rows);
    struct rb_query_param param = rb_query_text_param(schema);
    int r = rb_query_run(conn, rb_sql_names, &param, 1, RB_QUERY_TEXT, &rows, err);
    for (size_t i = 0; r == 0 && i < rows.n_rows; i++) {
        struct rb_table table = {.kind = *rb_query_text(&rows, i, 1)};
        rb_json_begin_object(ret);
        rb_json_member_str(ret, "name", rb_query_text(&rows, i, 0));
        rb_json_member_str(ret, "namespace", schema);
        rb_json_member_str(ret, "kind", rb_table_kind_name(&table));
        rb_json_end_object(ret);
    }
    return r;
}

/* Of all that the request asks for, or of a piece of it. 1: there is more. */
static int write_tables(struct rb_conn *conn, const char *schema, struct rb_json_value request,
                        struct rb_json *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result more;
    rb_query_result_init(&more);
    RB_CLEANUP(rb_tables_release) struct rb_tables tables;
    rb_tables_init(&tables);
    bool in_pieces = rb_json_truth(rb_json_get(request, "in_pieces"), false);
    const char *after = rb_json_text(rb_json_get(request, "after"), NULL);
    int r = rb_tables_list(conn, schema, after, in_pieces ? PIECE_COLUMNS : 0, &tables, err);
    for (size_t i = 0; r == 0 && i < tables.n; i++) {
        write_table(&tables.items[i], ret);
    }
    if (r < 0 || !in_pieces || tables.n == 0) {
        return r;
    }
    struct rb_query_param params[] = {rb_query_text_param(schema),
                                      rb_query_text_param(tables.items[tables.n - 1].name)};
    r = rb_query_run(conn, rb_sql_more_tables, params, 2, RB_QUERY_TEXT, &more, err);
    return r < 0 ? r : rb_query_bool(&more, 0, 0);
}

int rb_source_discover(void *self, struct rb_json_value request, struct rb_json *ret,
                       struct rb_error *err)
{
    struct rb_source *source = self;
    const char *schema = rb_json_text(rb_json_get(request, "schema"), source->config.schema);
    RB_CLEANUP(rb_conn_closep) struct rb_conn *conn = NULL;
    int r = rb_conn_open(&source->config, &conn, err);
    if (r == 0 && rb_json_truth(rb_json_get(request, "names_only"), false)) {
        return write_names(conn, schema, ret, err);
    }
    return r < 0 ? r : write_tables(conn, schema, request, ret, err);
}
