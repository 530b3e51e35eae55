/* Statements: simple and extended query. Results are small and held in memory; tables go by COPY.
 */
#ifndef RB_CONNECTORS_POSTGRES_COMMON_QUERY_H
#define RB_CONNECTORS_POSTGRES_COMMON_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "connectors/postgres/common/conn.h"
#include "rapidbyte/json.h"

enum {
    RB_QUERY_RESULT_MAX = 64 * 1024 * 1024, /* bytes of one result's values */
    RB_QUERY_COLUMNS_MAX = 1664,            /* PostgreSQL's own limit of a target list */
    RB_QUERY_ROWS_MAX = 4 * 1024 * 1024,
    RB_QUERY_PARAMS_MAX = 65535,
};

enum rb_query_format { RB_QUERY_TEXT = 0, RB_QUERY_BINARY = 1 };

/* A parameter of the extended protocol. */
struct rb_query_param {
    const void *value; /* NULL: SQL's NULL */
    size_t len;
    uint32_t type_oid; /* 0: the server infers it */
    enum rb_query_format format;
};

/* A parameter in text form; NULL is SQL's NULL. */
struct rb_query_param rb_query_text_param(const char *text);

/* The rows of one statement. */
struct rb_query_result {
    struct rb_buf values; /* internal: lengths and bytes */
    struct rb_buf cells;  /* internal: where each value is */
    size_t n_rows;
    size_t n_columns;
    int64_t n_affected; /* of the command tag; -1: it has no number */
    char tag[64];       /* "INSERT 0 5" */
};

void rb_query_result_init(struct rb_query_result *result);
void rb_query_result_release(struct rb_query_result *result);
/* NULL for SQL's NULL or a place outside of the result. Ends in 0; an empty value is "". Borrowed.
 */
const char *rb_query_value(const struct rb_query_result *result, size_t row, size_t column,
                           size_t *ret_len);
const char *rb_query_text(const struct rb_query_result *result, size_t row, size_t column);
/* Of a value in text form; `otherwise` for NULL or what is not an int64. */
int64_t rb_query_int(const struct rb_query_result *result, size_t row, size_t column,
                     int64_t otherwise);
bool rb_query_bool(const struct rb_query_result *result, size_t row, size_t column);

/* Appends a row of a result to one with as many columns, or to one that is empty. */
int rb_query_result_copy(const struct rb_query_result *result, size_t row,
                         struct rb_query_result *ret, struct rb_error *err);
/* The rows of a result in text form as JSON, an array of arrays of texts or null; and back, where
 * each row must have `n_columns`: RB_EDATA. */
void rb_query_result_write(const struct rb_query_result *result, struct rb_json *json);
int rb_query_result_read(struct rb_json_value json, size_t n_columns, struct rb_query_result *ret,
                         struct rb_error *err);

/* Simple query: one or several statements without parameters; rows are thrown away. The server's
 * error comes back in `err` with its SQLSTATE (pgerror.h), after the session is in sync again. */
int rb_query_exec(struct rb_conn *conn, const char *sql, struct rb_error *err);
/* As rb_query_exec, and hands over the last command's tag count (-1: none). */
int rb_query_exec_count(struct rb_conn *conn, const char *sql, int64_t *ret_affected,
                        struct rb_error *err);

/* Extended query: exactly one statement, $1…$n from `params` (NULL, 0: none), result values in
 * `format`. `result` (initialised; replaced) may be NULL: rows are thrown away. */
int rb_query_run(struct rb_conn *conn, const char *sql, const struct rb_query_param *params,
                 size_t n_params, enum rb_query_format format, struct rb_query_result *result,
                 struct rb_error *err);

/* rb_query_run in two halves, so that several connections work at once: what the first was given,
 * the second waits for; nothing else is done with the connection in between. Results are in text
 * form. */
int rb_query_send(struct rb_conn *conn, const char *sql, const struct rb_query_param *params,
                  size_t n_params, struct rb_error *err);
int rb_query_receive(struct rb_conn *conn, struct rb_query_result *result, struct rb_error *err);

/* Parses `sql` as the session's prepared statement `name`, in place of one of that name. A pooled
 * session keeps no names: the connection keeps the text, of the last one alone. */
int rb_query_prepare(struct rb_conn *conn, const char *name, const char *sql, struct rb_error *err);
/* Whether the server takes each of `n` texts as one statement: all in one message, each parsed
 * without being run, up to the first that fails. `before` and `after` (statements without
 * parameters) go with them, and `after` runs in any case. */
int rb_query_parse(struct rb_conn *conn, const char *before, const char *const *sqls, size_t n,
                   const char *after, struct rb_error *err);
/* In a transaction: as rb_query_run with results in text form, of a statement that has SQL of the
 * user in it, under the user's settings (settings.h), which go with it in one message. */
int rb_query_run_as_user(struct rb_conn *conn, const char *sql, const struct rb_query_param *params,
                         size_t n_params, struct rb_query_result *result, struct rb_error *err);
/* In transactions: statements that go to the server before the answers to those before them came,
 * so that it never waits. Each push, in one message, is of `before` (statements without parameters,
 * whose rows are thrown away) and of a prepared statement without rows, and has its pull, in the
 * same order; nothing else is done with the connection in between. After one that failed the others
 * do, too: the transaction is aborted. While answers are outstanding they must be small and come
 * soon: a push waits for a server that can't send or does not read, and not for ever. */
int rb_query_push(struct rb_conn *conn, const char *before, const char *name,
                  const struct rb_query_param *params, size_t n_params, struct rb_error *err);
/* Of the prepared statement: its command tag's count. */
int rb_query_pull(struct rb_conn *conn, int64_t *ret_affected, struct rb_error *err);
/* As rb_query_run with results in text form, for a text that is used again and again: it is
 * prepared once a session and recognised by its address, so `sql` must live as long as the
 * connection. */
int rb_query_run_kept(struct rb_conn *conn, const char *sql, const struct rb_query_param *params,
                      size_t n_params, struct rb_query_result *result, struct rb_error *err);
/* As rb_query_run_kept, in one message with two others: `before` and `after` it (NULL: none), each
 * one or several statements without parameters, whose rows are thrown away. When one fails within a
 * transaction those behind it don't run. ret_described (initialised; replaced; NULL: not wanted):
 * the last RowDescription of `before`, as the protocol has it. */
int rb_query_run_kept_between(struct rb_conn *conn, const char *before,
                              struct rb_buf *ret_described, const char *sql,
                              const struct rb_query_param *params, size_t n_params,
                              const char *after, struct rb_query_result *result,
                              struct rb_error *err);

#endif
