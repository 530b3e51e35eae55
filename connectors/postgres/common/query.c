#include "connectors/postgres/common/query.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "connectors/postgres/common/result.h"
#include "connectors/postgres/common/settings.h"
#include "connectors/postgres/common/wire.h"

static int too_large(struct rb_conn *conn, int status, struct rb_error *err)
{
    rb_buf_clear(&conn->tx);
    return rb_error_set(err, status, "OUT_OF_MEMORY",
                        "no memory for a statement and its parameters");
}

static int check_idle(struct rb_conn *conn, struct rb_error *err)
{
    if (conn->mode == RB_WIRE_IDLE) {
        return 0;
    }
    return rb_error_set(err, RB_EINTERNAL, "COPY_IN_PROGRESS",
                        "a statement was sent while a COPY is running");
}

/* Keeps a RowDescription for whoever asked for it. */
static int describe(struct rb_conn *conn, const struct rb_wire_message *m, struct rb_error *err)
{
    if (conn->described == NULL) {
        return 0;
    }
    rb_buf_clear(conn->described);
    return rb_buf_append(conn->described, m->body, m->len) < 0
               ? rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a description")
               : 0;
}

/* Takes the answer up to ReadyForQuery. `result` may be NULL. */
static int collect(struct rb_conn *conn, struct rb_query_result *result, int64_t *ret_affected,
                   struct rb_error *err)
{
    int status = 0;
    for (;;) {
        struct rb_wire_message m;
        int r = rb_wire_receive(conn, &m, err);
        if (r < 0) {
            return r;
        }
        switch (m.type) {
        case '1': /* ParseComplete */
            conn->n_parsed++;
            break;
        case '2': /* BindComplete */
        case '3': /* CloseComplete */
        case 'n': /* NoData */
        case 'I': /* EmptyQueryResponse */
        case 't': /* ParameterDescription */
            break;
        case 'T':
            status = result ? rb_result_describe(result, &m, err) : describe(conn, &m, err);
            break;
        case 'D':
            status = result ? rb_result_add_row(result, &m, err) : 0;
            break;
        case 'C':
            *ret_affected = rb_wire_tag_count(&m) < 0 ? *ret_affected : rb_wire_tag_count(&m);
            if (result) {
                rb_result_finish(result, &m);
            }
            break;
        case 'E':
            return rb_wire_sync(conn, rb_wire_error(conn, &m, err), err);
        case 'Z':
            return rb_wire_ready(conn, &m, err);
        default:
            return rb_wire_unexpected(conn, &m, "in answer to a statement", err);
        }
        if (status < 0) {
            return rb_wire_sync(conn, status, err);
        }
    }
}

/* Sends what is in conn->tx, if putting it together went well. */
static int send_statement(struct rb_conn *conn, int status, struct rb_error *err)
{
    if (status < 0) {
        return too_large(conn, status, err);
    }
    status = RB_FAULT(STATEMENT, err);
    status = status < 0 ? status : rb_wire_flush(conn, err);
    RB_FAULT_MARK(STATEMENT_SENT);
    return status;
}

/* Behind the comments before it. */
static const char *first_statement(const char *sql)
{
    while (strncmp(sql, "--", 2) == 0) {
        sql += strcspn(sql, "\n");
        sql += *sql == '\n';
    }
    return sql;
}

/* Whether the text begins a transaction, which its first statement does. */
static bool begins(const char *sql)
{
    return strncmp(first_statement(sql), "BEGIN", strlen("BEGIN")) == 0;
}

/* A transaction of a pooled session has our settings from its first statement on. */
static int put_text(struct rb_conn *conn, const char *sql)
{
    if (!conn->pooled || conn->transaction != 'I' || !begins(sql)) {
        return rb_wire_put_str(conn, sql);
    }
    const char *first = first_statement(sql);
    size_t len = strcspn(first, ";");
    int r = rb_buf_append(&conn->tx, first, len);
    r = r < 0 ? r : rb_buf_append_str(&conn->tx, "; ");
    r = r < 0 ? r : rb_buf_append_str(&conn->tx, rb_buf_str(&conn->own_settings));
    return r < 0 ? r : rb_wire_put_str(conn, first + len);
}

static int put_simple(struct rb_conn *conn, const char *sql)
{
    int r = rb_wire_begin(conn, 'Q');
    r = r < 0 ? r : put_text(conn, sql);
    return r < 0 ? r : rb_wire_end(conn);
}

/* Begins a message. `first`: the text that it starts with; NULL: one that begins no transaction.
 * What would be a transaction of its own anyway becomes one with our settings. */
static int open_message(struct rb_conn *conn, const char *first)
{
    rb_buf_clear(&conn->tx);
    conn->wrapped = conn->pooled && conn->transaction == 'I' && (first == NULL || !begins(first));
    return conn->wrapped ? put_simple(conn, "BEGIN") : 0;
}

static int close_message(struct rb_conn *conn)
{
    return conn->wrapped ? put_simple(conn, "COMMIT") : 0;
}

/* The answers to a message of `n` statements, or texts, of which `at` (from 0) is the one whose
 * rows and count are wanted. ret_described (NULL: not wanted): the last RowDescription of the
 * first. */
static int collect_all(struct rb_conn *conn, int n, int at, struct rb_buf *ret_described,
                       struct rb_query_result *result, int64_t *ret_affected, struct rb_error *err)
{
    int around = conn->wrapped ? 1 : 0; /* what open_message and close_message put */
    int first = 0;
    for (int i = -around; i < n + around; i++) {
        int64_t ignored = -1;
        bool wanted = i == at;
        conn->described = i == 0 ? ret_described : NULL;
        /* After a failure of one, those behind it fail for that alone. */
        int r = collect(conn, wanted ? result : NULL, wanted ? ret_affected : &ignored,
                        first < 0 ? NULL : err);
        conn->described = NULL;
        first = first < 0 ? first : r;
        if (r < 0 && !rb_conn_is_usable(conn)) {
            return first;
        }
    }
    return first;
}

int rb_query_exec_count(struct rb_conn *conn, const char *sql, int64_t *ret_affected,
                        struct rb_error *err)
{
    int r = check_idle(conn, err);
    if (r < 0) {
        return r;
    }
    r = open_message(conn, sql);
    r = r < 0 ? r : put_simple(conn, sql);
    r = r < 0 ? r : close_message(conn);
    r = send_statement(conn, r, err);
    int64_t affected = -1;
    r = r < 0 ? r : collect_all(conn, 1, 0, NULL, NULL, &affected, err);
    r = r < 0 ? r : RB_FAULT(STATEMENT_ANSWERED, err);
    if (r == 0) {
        *ret_affected = affected;
    }
    return r;
}

int rb_query_exec(struct rb_conn *conn, const char *sql, struct rb_error *err)
{
    int64_t affected;
    return rb_query_exec_count(conn, sql, &affected, err);
}

static int put_parse(struct rb_conn *conn, const char *name, const char *sql,
                     const struct rb_query_param *params, size_t n)
{
    int r = rb_wire_begin(conn, 'P');
    r = r < 0 ? r : rb_wire_put_str(conn, name);
    r = r < 0 ? r : rb_wire_put_str(conn, sql);
    r = r < 0 ? r : rb_buf_append_be16(&conn->tx, (uint16_t)n);
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = rb_buf_append_be32(&conn->tx, params[i].type_oid);
    }
    return r < 0 ? r : rb_wire_end(conn);
}

static int put_value(struct rb_conn *conn, const struct rb_query_param *param)
{
    if (!param->value) {
        return rb_buf_append_be32(&conn->tx, UINT32_MAX);
    }
    if (param->len > INT32_MAX) {
        return RB_ENOMEM;
    }
    int r = rb_buf_append_be32(&conn->tx, (uint32_t)param->len);
    return r < 0 ? r : rb_buf_append(&conn->tx, param->value, param->len);
}

static int put_bind(struct rb_conn *conn, const char *name, const struct rb_query_param *params,
                    size_t n, enum rb_query_format format)
{
    int r = rb_wire_begin(conn, 'B');
    r = r < 0 ? r : rb_wire_put_str(conn, "");
    r = r < 0 ? r : rb_wire_put_str(conn, name);
    r = r < 0 ? r : rb_buf_append_be16(&conn->tx, (uint16_t)n);
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = rb_buf_append_be16(&conn->tx, (uint16_t)params[i].format);
    }
    r = r < 0 ? r : rb_buf_append_be16(&conn->tx, (uint16_t)n);
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = put_value(conn, &params[i]);
    }
    r = r < 0 ? r : rb_buf_append_be16(&conn->tx, 1);
    r = r < 0 ? r : rb_buf_append_be16(&conn->tx, (uint16_t)format);
    return r < 0 ? r : rb_wire_end(conn);
}

/* Describe and Execute of the unnamed portal. */
static int put_execute(struct rb_conn *conn)
{
    int r = rb_wire_begin(conn, 'D');
    r = r < 0 ? r : rb_buf_append_byte(&conn->tx, 'P');
    r = r < 0 ? r : rb_wire_put_str(conn, "");
    r = r < 0 ? r : rb_wire_end(conn);
    r = r < 0 ? r : rb_wire_begin(conn, 'E');
    r = r < 0 ? r : rb_wire_put_str(conn, "");
    r = r < 0 ? r : rb_buf_append_be32(&conn->tx, 0);
    return r < 0 ? r : rb_wire_end(conn);
}

/* Of a prepared statement, which need not be there. */
static int put_close(struct rb_conn *conn, const char *name)
{
    int r = rb_wire_begin(conn, 'C');
    r = r < 0 ? r : rb_buf_append_byte(&conn->tx, 'S');
    r = r < 0 ? r : rb_wire_put_str(conn, name);
    return r < 0 ? r : rb_wire_end(conn);
}

static int put_sync(struct rb_conn *conn)
{
    int r = rb_wire_begin(conn, 'S');
    return r < 0 ? r : rb_wire_end(conn);
}

/* Sends what is in conn->tx, if putting it together went well, and takes the answer. */
static int run(struct rb_conn *conn, int status, struct rb_query_result *result,
               struct rb_error *err)
{
    int64_t affected = -1;
    if (status >= 0 && result) {
        rb_result_clear(result);
    }
    int r = send_statement(conn, status, err);
    r = r < 0 ? r : collect_all(conn, 1, 0, NULL, result, &affected, err);
    return r < 0 ? r : RB_FAULT(STATEMENT_ANSWERED, err);
}

int rb_query_prepare(struct rb_conn *conn, const char *name, const char *sql, struct rb_error *err)
{
    int r = check_idle(conn, err);
    if (r < 0) {
        return r;
    }
    const char *own = conn->pooled ? "" : name;
    rb_buf_clear(&conn->prepared);
    r = conn->pooled ? rb_buf_append_str(&conn->prepared, sql) : 0;
    r = r < 0 ? r : open_message(conn, NULL);
    r = r < 0 ? r : put_close(conn, own);
    r = r < 0 ? r : put_parse(conn, own, sql, NULL, 0);
    r = r < 0 ? r : put_sync(conn);
    r = r < 0 ? r : close_message(conn);
    return run(conn, r, NULL, err);
}

/* The answers to the `n` statements of one message; `result` (NULL: not wanted): the second one's.
 */
static int collect_between(struct rb_conn *conn, int n, struct rb_buf *ret_described,
                           struct rb_query_result *result, struct rb_error *err)
{
    int64_t affected = -1;
    if (ret_described) {
        rb_buf_clear(ret_described);
    }
    if (result) {
        rb_result_clear(result);
    }
    int r = collect_all(conn, n, 1, ret_described, result, &affected, err);
    return r < 0 ? r : RB_FAULT(STATEMENT_ANSWERED, err);
}

int rb_query_parse(struct rb_conn *conn, const char *before, const char *const *sqls, size_t n,
                   const char *after, struct rb_error *err)
{
    int r = check_idle(conn, err);
    if (r < 0) {
        return r;
    }
    r = open_message(conn, before);
    r = r < 0 ? r : put_simple(conn, before);
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = put_parse(conn, "", sqls[i], NULL, 0);
    }
    r = r < 0 ? r : put_sync(conn);
    r = r < 0 ? r : put_simple(conn, after);
    r = r < 0 ? r : close_message(conn);
    r = send_statement(conn, r, err);
    return r < 0 ? r : collect_between(conn, 3, NULL, NULL, err);
}

/* The statement `name` ("": unnamed), which is parsed first unless `sql` is NULL. */
static int put_extended(struct rb_conn *conn, const char *name, const char *sql,
                        const struct rb_query_param *params, size_t n_params,
                        enum rb_query_format format)
{
    int r = sql ? put_parse(conn, name, sql, params, n_params) : 0;
    r = r < 0 ? r : put_bind(conn, name, params, n_params, format);
    r = r < 0 ? r : put_execute(conn);
    return r < 0 ? r : put_sync(conn);
}

/* Puts the whole of an extended query together. A failure's `err` is set. */
static int put_query(struct rb_conn *conn, const char *name, const char *sql,
                     const struct rb_query_param *params, size_t n_params,
                     enum rb_query_format format, struct rb_error *err)
{
    int r = check_idle(conn, err);
    if (r < 0 || n_params > RB_QUERY_PARAMS_MAX) {
        return r < 0 ? r : too_large(conn, RB_EINTERNAL, err);
    }
    conn->n_parsed = 0;
    r = open_message(conn, NULL);
    r = r < 0 ? r : put_extended(conn, name, sql, params, n_params, format);
    r = r < 0 ? r : close_message(conn);
    return r < 0 ? too_large(conn, r, err) : 0;
}

int rb_query_run(struct rb_conn *conn, const char *sql, const struct rb_query_param *params,
                 size_t n_params, enum rb_query_format format, struct rb_query_result *result,
                 struct rb_error *err)
{
    int r = put_query(conn, "", sql, params, n_params, format, err);
    return r < 0 ? r : run(conn, 0, result, err);
}

int rb_query_send(struct rb_conn *conn, const char *sql, const struct rb_query_param *params,
                  size_t n_params, struct rb_error *err)
{
    int r = put_query(conn, "", sql, params, n_params, RB_QUERY_TEXT, err);
    return r < 0 ? r : rb_wire_flush(conn, err);
}

int rb_query_receive(struct rb_conn *conn, struct rb_query_result *result, struct rb_error *err)
{
    int64_t affected = -1;
    rb_result_clear(result);
    return collect_all(conn, 1, 0, NULL, result, &affected, err);
}

int rb_query_push(struct rb_conn *conn, const char *before, const char *name,
                  const struct rb_query_param *params, size_t n_params, struct rb_error *err)
{
    int r = check_idle(conn, err);
    if (r < 0 || n_params > RB_QUERY_PARAMS_MAX) {
        return r < 0 ? r : too_large(conn, RB_EINTERNAL, err);
    }
    r = open_message(conn, before);
    r = r < 0 ? r : put_simple(conn, before);
    r = r < 0 ? r
              : put_extended(conn, conn->pooled ? "" : name,
                             conn->pooled ? rb_buf_str(&conn->prepared) : NULL, params, n_params,
                             RB_QUERY_TEXT);
    r = r < 0 ? r : close_message(conn);
    return send_statement(conn, r, err);
}

int rb_query_pull(struct rb_conn *conn, int64_t *ret_affected, struct rb_error *err)
{
    int64_t affected = -1;
    int r = collect_all(conn, 2, 1, NULL, NULL, &affected, err);
    r = r < 0 ? r : RB_FAULT(STATEMENT_ANSWERED, err);
    if (r == 0) {
        *ret_affected = affected;
    }
    return r;
}

/* The place of a text that is kept, and its name there ("": there is no place left). */
static size_t find_kept(const struct rb_conn *conn, const char *sql, char *name, size_t cap)
{
    size_t i = conn->pooled ? RB_WIRE_KEPT_MAX : 0;
    name[0] = '\0';
    while (i < RB_WIRE_KEPT_MAX && conn->kept[i] && conn->kept[i] != sql) {
        i++;
    }
    if (i < RB_WIRE_KEPT_MAX) {
        snprintf(name, cap, "rb%zu", i);
    }
    return i;
}

/* It is prepared also when running it failed, and stays so when the transaction is undone. */
static void note_kept(struct rb_conn *conn, size_t i, const char *sql)
{
    if (i < RB_WIRE_KEPT_MAX && conn->n_parsed == 1) {
        conn->kept[i] = sql;
    }
}

int rb_query_run_kept(struct rb_conn *conn, const char *sql, const struct rb_query_param *params,
                      size_t n_params, struct rb_query_result *result, struct rb_error *err)
{
    char name[16];
    size_t i = find_kept(conn, sql, name, sizeof name);
    bool is_kept = i < RB_WIRE_KEPT_MAX && conn->kept[i];
    conn->n_parsed = 0; /* the last query's, if this one is not even sent */
    int r = put_query(conn, name, is_kept ? NULL : sql, params, n_params, RB_QUERY_TEXT, err);
    r = r < 0 ? r : run(conn, 0, result, err);
    note_kept(conn, i, sql);
    return r;
}

int rb_query_run_as_user(struct rb_conn *conn, const char *sql, const struct rb_query_param *params,
                         size_t n_params, struct rb_query_result *result, struct rb_error *err)
{
    int r = check_idle(conn, err);
    if (r < 0 || n_params > RB_QUERY_PARAMS_MAX) {
        return r < 0 ? r : too_large(conn, RB_EINTERNAL, err);
    }
    r = open_message(conn, NULL);
    r = r < 0 ? r : put_simple(conn, rb_settings_users);
    r = r < 0 ? r : put_extended(conn, "", sql, params, n_params, RB_QUERY_TEXT);
    r = r < 0 ? r : put_simple(conn, rb_settings_own);
    r = r < 0 ? r : close_message(conn);
    r = send_statement(conn, r, err);
    return r < 0 ? r : collect_between(conn, 3, NULL, result, err);
}

int rb_query_run_kept_between(struct rb_conn *conn, const char *before,
                              struct rb_buf *ret_described, const char *sql,
                              const struct rb_query_param *params, size_t n_params,
                              const char *after, struct rb_query_result *result,
                              struct rb_error *err)
{
    char name[16];
    int r = check_idle(conn, err);
    if (r < 0) {
        return r;
    }
    size_t i = find_kept(conn, sql, name, sizeof name);
    bool is_kept = i < RB_WIRE_KEPT_MAX && conn->kept[i];
    conn->n_parsed = 0;
    r = open_message(conn, before);
    r = r < 0 ? r : put_simple(conn, before);
    r = r < 0 ? r : put_extended(conn, name, is_kept ? NULL : sql, params, n_params, RB_QUERY_TEXT);
    r = r < 0 || !after ? r : put_simple(conn, after);
    r = r < 0 ? r : close_message(conn);
    r = send_statement(conn, r, err);
    r = r < 0 ? r : collect_between(conn, after ? 3 : 2, ret_described, result, err);
    note_kept(conn, i, sql);
    return r;
}

struct rb_query_param rb_query_text_param(const char *text)
{
    return (struct rb_query_param){
        .value = text, .len = text ? strlen(text) : 0, .type_oid = 0, .format = RB_QUERY_TEXT};
}
