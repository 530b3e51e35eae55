#include "connectors/postgres/common/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "connectors/postgres/common/query.h"
#include "connectors/postgres/common/settings.h"
#include "connectors/postgres/common/wire.h"
#include "gen/connectors/postgres/common/sql.h"

/* "15.4 (Debian …)" is 150004, "9.6.3" 90603, "18devel" 180000. */
static int parse_version(const char *text)
{
    int part[3] = {0, 0, 0};
    const char *p = text;
    for (size_t i = 0; i < 3; i++) {
        while (*p >= '0' && *p <= '9' && part[i] < 10000) {
            part[i] = part[i] * 10 + (*p++ - '0');
        }
        if (*p != '.') {
            break;
        }
        p++;
    }
    return part[0] >= 10 ? part[0] * 10000 + part[1] : part[0] * 10000 + part[1] * 100 + part[2];
}

/* Fails where another process than the one that the connection was told of runs it: then a pooler
 * is in between, and what is set for the session may be another client's. The message is one
 * transaction: what it has set is undone then. */
static int put_guard(const struct rb_conn *conn, struct rb_buf *sql)
{
    return rb_buf_printf(sql,
                         "; SELECT pg_catalog.int4div(1, CASE WHEN pg_catalog.int4eq("
                         "pg_catalog.pg_backend_pid(), %" PRId32 ") THEN 1 ELSE 0 END)",
                         (int32_t)conn->backend_pid);
}

/* `set`: SET or SET LOCAL. */
static int put_operators(const struct rb_conn *conn, const struct rb_conn_config *config,
                         const char *set, struct rb_buf *sql)
{
    int r = rb_buf_printf(sql, "; %s statement_timeout = %" PRId64 "; %s lock_timeout = %" PRId64,
                          set, config->statement_timeout_ms, set, config->lock_timeout_ms);
    for (const char *const *s = config->settings; r == 0 && s && *s; s += 2) {
        r = rb_buf_printf(sql, "; %s %s = %s", set, s[0], s[1]);
    }
    /* A database in SQL_ASCII knows no characters: it gives and takes bytes, which need not be
     * UTF-8. Under another client_encoding it would refuse those that are not. */
    if (r == 0 && strcmp(conn->server_encoding, "SQL_ASCII") == 0) {
        r = rb_buf_printf(sql, "; %s client_encoding = 'SQL_ASCII'", set);
    }
    /* A limit of the whole transaction would end the one that keeps the snapshot. */
    if (r == 0 && conn->server_version >= 170000) {
        r = rb_buf_printf(sql, "; %s transaction_timeout = 0", set);
    }
    return r;
}

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for the session's settings");
}

/* ret_pooled: a pooler is in between, and nothing was set. */
static int set_session(struct rb_conn *conn, const struct rb_conn_config *config, bool *ret_pooled,
                       struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf sql = RB_BUF_INIT(RB_SESSION_SETTINGS_MAX);
    bool guard = config->pooling == RB_POOLING_UNKNOWN && conn->backend_pid != 0;
    int r = rb_buf_append_str(&sql, rb_settings_session);
    r = r < 0 || !guard ? r : put_guard(conn, &sql);
    r = r < 0 ? r : put_operators(conn, config, "SET", &sql);
    if (r == 0 && conn->server_version >= 140000) {
        r = rb_buf_printf(&sql, "; %s", rb_sql_session_14);
    }
    if (r < 0) {
        return no_memory(err);
    }
    struct rb_error own;
    rb_error_clear(&own);
    r = rb_query_exec(conn, rb_buf_str(&sql), &own);
    /* division_by_zero is the guard's. */
    *ret_pooled = guard && r < 0 && strcmp(own.sqlstate, "22012") == 0;
    if (r < 0 && !*ret_pooled && err) {
        *err = own;
    }
    return *ret_pooled ? 0 : r;
}

/* By statement, a transaction is ended by the pooler, with an error of its own and the connection.
 */
static int refuse_statements(int status, struct rb_error *err)
{
    if (!err || strstr(err->message, "statement pooling") == NULL) {
        return status;
    }
    char said[RB_CONN_TEXT_MAX];
    (void)snprintf(said, sizeof said, "%s", err->message);
    rb_error_set(err, RB_ECONFIG, "POOLER",
                 "a pooler (PgBouncer or its like) is between here and the server, and does not "
                 "take a transaction: %s",
                 said);
    rb_error_set_hint(err, "pool by transaction or by session (PgBouncer: pool_mode), or connect "
                           "to the server itself");
    return RB_ECONFIG;
}

/* Where the server can't tell that a client is gone, it would refuse to be set to. A query whose
 * client is gone then ends within a second, though it has no rows to send. */
static int add_connection_check(struct rb_conn *conn, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    rb_query_result_init(&rows);
    int r = rb_query_run(conn, rb_sql_is_linux, NULL, 0, RB_QUERY_TEXT, &rows, err);
    if (r < 0 || conn->server_version < 140000 || !rb_query_bool(&rows, 0, 0)) {
        return r < 0 ? refuse_statements(r, err) : 0;
    }
    return rb_buf_append_str(&conn->own_settings,
                             "; SET LOCAL client_connection_check_interval = 1000") < 0
               ? no_memory(err)
               : 0;
}

static int set_transactions(struct rb_conn *conn, const struct rb_conn_config *config,
                            struct rb_error *err)
{
    struct rb_buf *sql = &conn->own_settings;
    rb_buf_clear(sql);
    int r = rb_buf_printf(sql, "%s; SET LOCAL idle_in_transaction_session_timeout = 0",
                          rb_settings_own);
    r = r < 0 ? r : put_operators(conn, config, "SET LOCAL", sql);
    if (r < 0) {
        return no_memory(err);
    }
    conn->pooled = true;
    return add_connection_check(conn, err);
}

int rb_session_prepare(struct rb_conn *conn, const struct rb_conn_config *config,
                       struct rb_error *err)
{
    conn->pooled = false;
    conn->server_version = parse_version(conn->server_version_text);
    if (conn->server_version < RB_CONN_SERVER_VERSION_MIN) {
        return rb_error_set(
            err, RB_ECONFIG, "SERVER_TOO_OLD", "the server is PostgreSQL %s; 12 or newer is needed",
            *conn->server_version_text ? conn->server_version_text : "of an unknown version");
    }
    bool pooled = config->pooling == RB_POOLING_TRANSACTION;
    int r = pooled ? 0 : set_session(conn, config, &pooled, err);
    return r < 0 || !pooled ? r : set_transactions(conn, config, err);
}
