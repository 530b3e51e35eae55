/* source-postgres: reads PostgreSQL by binary COPY under one snapshot. */
#include "connectors/postgres/source/source.h"

#include <stdlib.h>
#include <string.h>

#include "connectors/postgres/common/query.h"
#include "gen/connectors/postgres/source/sql.h"
#include "rapidbyte/rapidbyte.h"

enum { TABLES_MAX_BYTES = 16 * 1024 * 1024 }; /* of names; any JSON of a host has no more */

/* With row_security off the server itself refuses a query whose rows would be filtered, also where
 * the policy is on a table behind a view. */
static const char *const refuse_filtered[] = {"row_security", "off", NULL};
static const char *const allow_filtered[] = {"row_security", "on", NULL};

static int source_open(const struct rb_open_context *context, void **ret_self, struct rb_error *err)
{
    struct rb_source *source = calloc(1, sizeof *source);
    if (!source) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for the connector");
    }
    rb_buf_init(&source->tables, TABLES_MAX_BYTES);
    rb_query_result_init(&source->locked);
    int r = rb_conn_config_read(context, &source->config, err);
    if (r < 0) {
        free(source);
        return r;
    }
    const char *rows = rb_json_text(rb_json_get(context->config, "row_security"), "error");
    source->filter_rows = strcmp(rows, "filter") == 0;
    const char *on_lossy = rb_json_text(rb_json_get(context->config, "on_lossy_type"), "fail");
    source->allow_lossy = strcmp(on_lossy, "warn") == 0;
    source->config.settings = source->filter_rows ? allow_filtered : refuse_filtered;
    *ret_self = source;
    return 0;
}

static void source_close(void *self)
{
    struct rb_source *source = self;
    rb_conn_close(source->reader);
    rb_conn_close(source->planner);
    rb_content_release(&source->content);
    rb_query_result_release(&source->locked);
    rb_buf_release(&source->tables);
    free(source);
}

int rb_source_await_release(struct rb_source *source, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    rb_query_result_init(&rows);
    struct rb_conn *conn = source->releasing;
    source->releasing = NULL;
    return conn == NULL ? 0 : rb_query_receive(conn, &rows, err);
}

int rb_source_keep_tables(struct rb_source *source, struct rb_json_value tables,
                          struct rb_error *err)
{
    if (rb_json_is_absent(tables)) {
        return 0;
    }
    struct rb_json json;
    rb_buf_clear(&source->tables);
    rb_json_init(&json, &source->tables);
    rb_json_begin_array(&json);
    size_t n = rb_json_count(tables);
    for (size_t i = 0; i < n; i++) {
        struct rb_json_value table = rb_json_item(tables, i);
        rb_json_begin_object(&json);
        rb_json_member_str(&json, "schema",
                           rb_json_text(rb_json_get(table, "schema"), source->config.schema));
        rb_json_member_str(&json, "name", rb_json_text(rb_json_get(table, "name"), ""));
        rb_json_end_object(&json);
    }
    rb_json_end_array(&json);
    return rb_json_finish(&json) == 0
               ? 0
               : rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for names of tables");
}

static void report(struct rb_json *ret, const char *status, const char *message)
{
    rb_json_member_str(ret, "status", status);
    rb_json_member_str(ret, "message", message);
}

static int source_validate(void *self, struct rb_json *ret, struct rb_error *err)
{
    struct rb_source *source = self;
    RB_CLEANUP(rb_conn_closep) struct rb_conn *conn = NULL;
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    RB_CLEANUP(rb_buf_release) struct rb_buf message = RB_BUF_INIT(8 * RB_CONN_TEXT_MAX);
    rb_query_result_init(&rows);
    const struct rb_conn_config *c = &source->config;
    int r = rb_conn_open(c, &conn, err);
    struct rb_query_param schema = rb_query_text_param(c->schema);
    r = r < 0 ? r : rb_query_run(conn, rb_sql_validate, &schema, 1, RB_QUERY_TEXT, &rows, err);
    if (r < 0) {
        return r;
    }
    r = rb_buf_printf(&message, "PostgreSQL %s at %s port %d, database '%s', as '%s', %s",
                      rb_conn_server_version_text(conn), c->host, c->port, c->database, c->user,
                      rb_conn_is_encrypted(conn) ? "encrypted" : "not encrypted");
    /* A stream may be of another schema: the plan refuses those that are of this one. */
    const char *status = "success";
    if (r == 0 && !rows.n_rows) {
        status = "warning";
        r = rb_buf_printf(&message, "; there is no schema '%s'", c->schema);
    } else if (r == 0 && !rb_query_bool(&rows, 0, 0)) {
        status = "warning";
        r = rb_buf_printf(&message, "; no right to use the schema '%s' (GRANT USAGE ON SCHEMA)",
                          c->schema);
    } else if (r == 0) {
        int64_t readable = rb_query_int(&rows, 0, 1, 0);
        status = readable ? "success" : "warning";
        r = rb_buf_printf(&message, "; %lld of %lld tables and views of schema '%s' can be read",
                          (long long)readable, (long long)rb_query_int(&rows, 0, 2, 0), c->schema);
    }
    if (r < 0) {
        return rb_error_set(err, r, "OUT_OF_MEMORY", "no memory for the answer");
    }
    report(ret, status, rb_buf_str(&message));
    return 0;
}

const char *rb_source_schema(const struct rb_source *source,
                             const struct rb_stream_context *context)
{
    return *context->source_schema ? context->source_schema : source->config.schema;
}

const char *rb_source_table(const struct rb_stream_context *context)
{
    return *context->source_table ? context->source_table : context->stream_name;
}

static const char *const features[] = {"pg_binary", "checkpoints", "plan_continues", "dry_run",
                                       NULL};

static const struct rb_connector source_postgres = {
    .features = features,
    .open = source_open,
    .close = source_close,
    .validate = source_validate,
    .discover = rb_source_discover,
    .read = rb_source_read,
    .plan = rb_source_plan,
    .hash = rb_source_hash,
};

RB_EXPORT_SOURCE(source_postgres)
RB_EXPORT_PLAN(source_postgres)
RB_EXPORT_HASH(source_postgres)
