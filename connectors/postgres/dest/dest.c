/* dest-postgres: life of the connector, connection, validation. */
#include "connectors/postgres/dest/dest.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "gen/connectors/postgres/dest/sql.h"

enum { PARAMS_MAX = 20 };

static const char *const features[] = {
    "exactly_once", "schema_auto_migrate", "bulk_load_copy", "bulk_load_copy_binary",
    "pg_binary",    "checkpoints",         "dry_run",        NULL,
};

int rb_dest_connect(struct rb_dest *dest, struct rb_error *err)
{
    dest->connect_secs = 0;
    if (dest->conn != NULL && rb_conn_is_usable(dest->conn) &&
        rb_conn_transaction(dest->conn) == 'I') {
        return 0;
    }
    rb_conn_closep(&dest->conn);
    dest->ledger_asked = dest->usual_asked = dest->has_made = dest->has_staged = false;
    dest->money_asked = dest->names_asked = false;
    dest->has_lock = false;
    double start = rb_clock_secs();
    int status = rb_conn_open(&dest->config, &dest->conn, err);
    dest->connect_secs = rb_clock_secs() - start;
    return status;
}

void rb_dest_abort(struct rb_dest *dest)
{
    dest->schema_ready = false;
    if (dest->conn == NULL) {
        return;
    }
    bool clean = rb_conn_is_usable(dest->conn);
    if (clean && rb_conn_transaction(dest->conn) != 'I') {
        clean = rb_query_exec(dest->conn, "ROLLBACK", NULL) == 0;
    }
    if (!clean) {
        rb_conn_closep(&dest->conn);
    }
}

static int set_params(struct rb_query_param *typed, const char *const *params, size_t n,
                      struct rb_error *err)
{
    if (n > PARAMS_MAX) {
        return rb_error_set(err, RB_EINTERNAL, "TOO_MANY_PARAMETERS", "%zu parameters", n);
    }
    for (size_t i = 0; i < n; i++) {
        typed[i] = rb_query_text_param(params[i]);
    }
    return 0;
}

int rb_dest_query(struct rb_dest *dest, const char *sql, const char *const *params, size_t n_params,
                  struct rb_query_result *result, struct rb_error *err)
{
    struct rb_query_param typed[PARAMS_MAX];
    int status = set_params(typed, params, n_params, err);
    return status < 0 ? status : rb_query_run_kept(dest->conn, sql, typed, n_params, result, err);
}

int rb_dest_query_once(struct rb_dest *dest, const char *sql, const char *const *params,
                       size_t n_params, struct rb_query_result *result, struct rb_error *err)
{
    struct rb_query_param typed[PARAMS_MAX];
    int status = set_params(typed, params, n_params, err);
    return status < 0 ? status
                      : rb_query_run(dest->conn, sql, typed, n_params, RB_QUERY_TEXT, result, err);
}

int rb_dest_run_each(struct rb_dest *dest, const struct rb_query_result *statements,
                     struct rb_error *err)
{
    for (size_t i = 0; i < statements->n_rows; i++) {
        const char *sql = rb_query_text(statements, i, 0);
        int status = sql != NULL ? rb_query_exec(dest->conn, sql, err) : 0;
        if (status < 0) {
            rb_error_prefix(err, "%s", sql);
            return status;
        }
    }
    return 0;
}

int rb_dest_make_schema(struct rb_dest *dest, const char *schema, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result found;
    RB_CLEANUP(rb_buf_release) struct rb_buf sql = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    rb_query_result_init(&found);
    /* Two connections that make it at once would meet on the catalogue's own index. */
    int status = rb_query_exec(dest->conn, rb_sql_schema_lock, err);
    /* IF NOT EXISTS asks for the right to make it, though it is there. */
    status =
        status < 0 ? status : rb_dest_query(dest, rb_sql_schema_exists, &schema, 1, &found, err);
    if (status < 0 || rb_query_bool(&found, 0, 0)) {
        return status;
    }
    if (rb_buf_append_str(&sql, "CREATE SCHEMA ") < 0) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a statement");
    }
    status = rb_quote_ident(&sql, schema, err);
    return status < 0 ? status : rb_query_exec(dest->conn, rb_buf_str(&sql), err);
}

static void explain_schema(const struct rb_dest *dest, struct rb_error *err)
{
    rb_error_prefix(err, "schema \"%s\" does not exist and could not be made", dest->config.schema);
}

int rb_dest_ensure_schema(struct rb_dest *dest, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result found;
    rb_query_result_init(&found);
    const char *params[] = {dest->config.schema};
    if (dest->schema_ready) {
        return 0;
    }
    int status = rb_dest_query(dest, rb_sql_schema_exists, params, 1, &found, err);
    dest->schema_ready = status == 0 && rb_query_bool(&found, 0, 0);
    if (status < 0 || dest->schema_ready) {
        return status;
    }
    status = dest->dry ? 0 : rb_query_exec(dest->conn, "BEGIN", err);
    status = status < 0 ? status : rb_dest_make_schema(dest, dest->config.schema, err);
    status = status < 0 || dest->dry ? status : rb_query_exec(dest->conn, "COMMIT", err);
    if (status < 0) {
        rb_dest_abort(dest);
        explain_schema(dest, err);
    }
    return status;
}

/* A trigger that talks about each row would fill the connection back to us while we fill the one to
 * the server, and neither end would go on. */
static const char *const say_errors_only[] = {"client_min_messages", "error", NULL};

static int dest_open(const struct rb_open_context *context, void **ret_self, struct rb_error *err)
{
    struct rb_dest *dest = calloc(1, sizeof *dest);
    if (dest == NULL) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for the connector");
    }
    int status = rb_conn_config_read(context, &dest->config, err);
    dest->config.settings = say_errors_only;
    rb_buf_init(&dest->changes, RB_ABI_JSON_MAX);
    rb_query_result_init(&dest->names);
    const char *method = rb_json_text(rb_json_get(context->config, "load_method"), "insert");
    dest->insert = strcmp(method, "insert") == 0;
    if (status == 0 && !dest->insert && strcmp(method, "copy") != 0) {
        status = rb_error_set(err, RB_ECONFIG, "BAD_CONFIG",
                              "'load_method' must be copy or insert, not \"%s\"", method);
    }
    if (status < 0) {
        free(dest);
        return status;
    }
    *ret_self = dest;
    return 0;
}

static void dest_close(void *self)
{
    struct rb_dest *dest = self;
    if (dest != NULL) {
        RB_FAULT_MARK(DEST_CLOSE);
        rb_conn_closep(&dest->conn);
        rb_dest_release_pipeline(dest);
        rb_content_release(&dest->content);
        rb_buf_release(&dest->changes);
        rb_query_result_release(&dest->names);
        free(dest);
    }
}

static void say(struct rb_json *ret, const char *status, const struct rb_buf *message)
{
    rb_json_member_str(ret, "status", status);
    rb_json_member_str(ret, "message", rb_buf_str(message));
}

/* Makes what a run would make of schemas and of the ledger, and undoes it. */
static int prove_schemas(struct rb_dest *dest, struct rb_error *err)
{
    int status = rb_query_exec(dest->conn, "BEGIN", err);
    status = status < 0 ? status : rb_ledger_prove(dest, err);
    if (status == 0) {
        status = rb_dest_make_schema(dest, dest->config.schema, err);
        if (status < 0) {
            explain_schema(dest, err);
        }
    }
    return status < 0 ? status : rb_query_exec(dest->conn, "ROLLBACK", err);
}

static int dest_validate(void *self, struct rb_json *ret, struct rb_error *err)
{
    struct rb_dest *dest = self;
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    int status = rb_dest_connect(dest, err);
    if (status < 0) {
        return status;
    }
    const char *params[] = {dest->config.schema};
    status = rb_dest_query(dest, rb_sql_dest_validate, params, 1, &r, err);
    if (status < 0) {
        return status;
    }
    status = prove_schemas(dest, err);
    if (status < 0) {
        rb_dest_abort(dest);
        rb_grants_hint(dest, NULL, err);
        return status;
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf message = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    if (rb_buf_printf(&message, "PostgreSQL %s, database \"%s\", schema \"%s\"%s",
                      rb_conn_server_version_text(dest->conn), rb_query_text(&r, 0, 1),
                      dest->config.schema, rb_query_bool(&r, 0, 0) ? "" : " (will be made)") < 0) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a message");
    }
    say(ret, "success", &message);
    return 0;
}

static const struct rb_connector dest_postgres = {
    .features = features,
    .open = dest_open,
    .close = dest_close,
    .validate = dest_validate,
    .write = rb_dest_write,
    .begin = rb_dest_begin,
    .publish = rb_dest_publish,
    .abandon = rb_dest_abandon,
    .hash = rb_dest_hash,
};

RB_EXPORT_DESTINATION(dest_postgres)
RB_EXPORT_LEDGER(dest_postgres)
RB_EXPORT_HASH(dest_postgres)
