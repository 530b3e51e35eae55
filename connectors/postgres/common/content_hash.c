#include "connectors/postgres/common/content_hash.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/postgres/common/query.h"
#include "connectors/postgres/common/quote.h"
#include "connectors/postgres/common/settings.h"
#include "gen/connectors/postgres/common/sql.h"

/* Types of a key whose values every server orders alike. Texts are compared byte by byte. */
static const struct {
    const char *name;
    bool is_text;
} key_types[] = {
    {"int2", false}, {"int4", false},      {"int8", false},        {"oid", false},
    {"date", false}, {"timestamp", false}, {"timestamptz", false}, {"numeric", false},
    {"uuid", false}, {"bytea", false},     {"text", true},         {"varchar", true},
};
enum { N_KEY_TYPES = sizeof key_types / sizeof key_types[0] };

static int no_memory(int status, struct rb_error *err)
{
    return status < 0 ? rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a hash") : 0;
}

static size_t find_type(const char *name)
{
    size_t i = 0;
    while (i < N_KEY_TYPES && strcmp(key_types[i].name, name) != 0) {
        i++;
    }
    return i;
}

void rb_content_release(struct rb_content *content)
{
    for (size_t i = 0; i < content->n; i++) {
        rb_conn_close(content->conns[i]);
    }
    *content = (struct rb_content){.n = 0};
}

/* Another connection, in a transaction: the first exports its snapshot, the others take it over. */
static int add_connection(struct rb_content *content, const struct rb_conn_config *config,
                          struct rb_error *err)
{
    struct rb_conn *conn = NULL;
    int status = rb_conn_open(config, &conn, err);
    if (status < 0) {
        return status;
    }
    content->conns[content->n++] = conn;
    status = rb_query_exec(conn, rb_sql_hash_begin, err);
    if (status == 0 && content->n > 1) {
        char sql[128];
        (void)snprintf(sql, sizeof sql, "SET TRANSACTION SNAPSHOT '%s'", content->snapshot);
        return rb_query_exec(conn, sql, err);
    }
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    rb_query_result_init(&rows);
    status = status < 0
                 ? status
                 : rb_query_run(conn, rb_sql_hash_snapshot, NULL, 0, RB_QUERY_TEXT, &rows, err);
    if (status < 0) {
        return status;
    }
    const char *id = rb_query_text(&rows, 0, 0);
    const char *encoding = rb_query_text(&rows, 0, 1);
    if (id == NULL || encoding == NULL || strspn(id, "0123456789ABCDEF-") != strlen(id)) {
        return rb_error_set(err, RB_EPROTOCOL, "PROTOCOL_VIOLATION",
                            "the server's snapshot has no name");
    }
    (void)snprintf(content->snapshot, sizeof content->snapshot, "%s", id);
    (void)snprintf(content->encoding, sizeof content->encoding, "%s", encoding);
    return 0;
}

int rb_content_begin(struct rb_content *content, const struct rb_conn_config *config,
                     struct rb_json_value request, struct rb_error *err)
{
    int64_t wanted = rb_json_int(rb_json_get(request, "connections"), 1);
    wanted = wanted < 1 ? 1 : wanted;
    wanted = wanted > RB_CONTENT_CONNECTIONS_MAX ? RB_CONTENT_CONNECTIONS_MAX : wanted;
    int status = 0;
    if (content->n > 0 && rb_conn_transaction(content->conns[0]) != 'T') {
        rb_content_release(content); /* a question of the caller's failed */
    }
    while (status == 0 && content->n < (size_t)wanted) {
        status = add_connection(content, config, err);
    }
    if (status < 0) {
        rb_content_release(content);
    }
    return status;
}

/* The key's type of a column; N_KEY_TYPES: none. */
static size_t type_of(const struct rb_columns *columns, const char *name)
{
    const struct rb_column *column = rb_columns_find(columns, name);
    const struct rb_type *type = column == NULL ? NULL : rb_type_find(column->oid);
    return type == NULL ? N_KEY_TYPES : find_type(type->name);
}

int rb_content_write_key(const struct rb_columns *columns, struct rb_json_value names,
                         struct rb_json *ret, struct rb_error *err)
{
    size_t n = rb_json_count(names);
    bool usable = n > 0 && n <= RB_CONTENT_KEY_MAX;
    for (size_t i = 0; usable && i < n; i++) {
        usable = type_of(columns, rb_json_text(rb_json_item(names, i), "")) < N_KEY_TYPES;
    }
    rb_json_key(ret, "key");
    if (!usable) {
        rb_json_null(ret);
        return no_memory(ret->status, err);
    }
    rb_json_begin_array(ret);
    for (size_t i = 0; i < n; i++) {
        const char *name = rb_json_text(rb_json_item(names, i), "");
        rb_json_begin_object(ret);
        rb_json_member_str(ret, "name", name);
        rb_json_member_str(ret, "type", key_types[type_of(columns, name)].name);
        rb_json_end_object(ret);
    }
    rb_json_end_array(ret);
    return no_memory(ret->status, err);
}

/* ---- the statements' text */

struct key {
    size_t n;
    const char *names[RB_CONTENT_KEY_MAX];
    size_t types[RB_CONTENT_KEY_MAX];
};

static int read_key(struct rb_json_value json, struct key *ret, struct rb_error *err)
{
    ret->n = rb_json_count(json);
    for (size_t i = 0; i < ret->n && i < RB_CONTENT_KEY_MAX; i++) {
        struct rb_json_value part = rb_json_item(json, i);
        ret->names[i] = rb_json_text(rb_json_get(part, "name"), "");
        ret->types[i] = find_type(rb_json_text(rb_json_get(part, "type"), ""));
        if (ret->types[i] == N_KEY_TYPES) {
            return rb_error_set(err, RB_EPROTOCOL, "CONTRACT", "a key of an unknown type");
        }
    }
    return ret->n <= RB_CONTENT_KEY_MAX
               ? 0
               : rb_error_set(err, RB_EPROTOCOL, "CONTRACT", "a key of %zu columns", ret->n);
}

static int append_part(struct rb_buf *sql, const struct key *key, size_t i, struct rb_error *err)
{
    int status = rb_quote_ident(sql, key->names[i], err);
    if (status == 0 && key_types[key->types[i]].is_text) {
        status = no_memory(rb_buf_append_str(sql, " COLLATE pg_catalog.\"C\""), err);
    }
    return status;
}

static int append_parts(struct rb_buf *sql, const struct key *key, struct rb_error *err)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < key->n; i++) {
        status = i > 0 ? no_memory(rb_buf_append_str(sql, ", "), err) : 0;
        status = status < 0 ? status : append_part(sql, key, i, err);
    }
    return status;
}

/* " AND " and, for each part of the key, " IS NULL" or " IS NOT NULL", joined by `joint`. */
static int append_nulls(struct rb_buf *sql, const struct key *key, const char *joint,
                        const char *test, struct rb_error *err)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < key->n; i++) {
        status = no_memory(rb_buf_append_str(sql, joint), err);
        status = status < 0 ? status : rb_quote_ident(sql, key->names[i], err);
        status = status < 0 ? status : no_memory(rb_buf_append_str(sql, test), err);
    }
    return status;
}

/* The statement's parameters, borrowed from the request. */
struct params {
    struct rb_query_param items[2 * RB_CONTENT_KEY_MAX];
    size_t n;
};

/* (key) < ($1::int8, …) */
static int append_bound(struct rb_buf *sql, const struct key *key, const char *operator_text,
                        struct rb_json_value bound, struct params *params, struct rb_error *err)
{
    if (rb_json_count(bound) != key->n) {
        return rb_error_set(err, RB_EPROTOCOL, "CONTRACT", "a bound that does not fit the key");
    }
    int status = no_memory(rb_buf_append_str(sql, "("), err);
    status = status < 0 ? status : append_parts(sql, key, err);
    status = status < 0 ? status : no_memory(rb_buf_printf(sql, ") %s (", operator_text), err);
    for (size_t i = 0; status == 0 && i < key->n; i++) {
        params->items[params->n++] = rb_query_text_param(rb_json_text(rb_json_item(bound, i), ""));
        status = no_memory(rb_buf_printf(sql, "%s$%zu::pg_catalog.%s", i > 0 ? ", " : "", params->n,
                                         key_types[key->types[i]].name),
                           err);
    }
    return status < 0 ? status : no_memory(rb_buf_append_str(sql, ")"), err);
}

/* A row whose key has a NULL in it, which a destination may have, belongs to the first range. */
static int append_range(struct rb_buf *sql, const struct key *key, struct rb_json_value range,
                        struct params *params, struct rb_error *err)
{
    struct rb_json_value from = rb_json_get(range, "from");
    struct rb_json_value to = rb_json_get(range, "to");
    bool has_from = rb_json_is_array(from), has_to = rb_json_is_array(to);
    int status = 0;
    params->n = 0;
    if (has_from) {
        status = no_memory(rb_buf_append_str(sql, " AND "), err);
        status = status < 0 ? status
                            : append_bound(sql, key, "OPERATOR(pg_catalog.>=)", from, params, err);
        status = status < 0 ? status : append_nulls(sql, key, " AND ", " IS NOT NULL", err);
    }
    if (status == 0 && has_to) {
        status = no_memory(rb_buf_append_str(sql, " AND ("), err);
        status =
            status < 0 ? status : append_bound(sql, key, "OPERATOR(pg_catalog.<)", to, params, err);
        if (status == 0 && !has_from) {
            status = append_nulls(sql, key, " OR ", " IS NULL", err);
        }
        status = status < 0 ? status : no_memory(rb_buf_append_str(sql, ")"), err);
    }
    return status;
}

static int append_names(struct rb_buf *sql, struct rb_json_value columns, struct rb_error *err)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < rb_json_count(columns); i++) {
        status = i > 0 ? no_memory(rb_buf_append_str(sql, ", "), err) : 0;
        status = status < 0 ? status
                            : rb_quote_ident(sql, rb_json_text(rb_json_item(columns, i), ""), err);
    }
    return status;
}

/* ROW(…)::text is the row as record_out prints it, whatever the columns are called. Beside SQL of
 * the user it is written under our settings, from a subquery that is evaluated under the user's. */
static int append_hash(struct rb_buf *sql, struct rb_json_value columns, const char *from,
                       bool runs_sql, struct rb_error *err)
{
    int status = no_memory(
        rb_buf_append_str(sql, "SELECT pg_catalog.count(*), "
                               "COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(r, 0)), 0), "
                               "COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(r, 7)), 0) "
                               "FROM (SELECT "),
        err);
    status = status < 0 || !runs_sql ? status : no_memory(rb_settings_begin_text(sql), err);
    status = status < 0 ? status : no_memory(rb_buf_append_str(sql, "ROW("), err);
    status = status < 0 ? status : append_names(sql, columns, err);
    status = status < 0 ? status : no_memory(rb_buf_append_str(sql, ")::pg_catalog.text"), err);
    status = status < 0 || !runs_sql ? status : no_memory(rb_settings_end_text(sql), err);
    status = status < 0 ? status
                        : no_memory(rb_buf_append_str(sql, " COLLATE pg_catalog.\"C\" AS r"), err);
    if (status == 0 && runs_sql) {
        status = no_memory(rb_buf_printf(sql, " FROM %s, (SELECT ", rb_settings_from), err);
        status = status < 0 ? status : append_names(sql, columns, err);
    }
    return status < 0 ? status : no_memory(rb_buf_append_str(sql, from), err);
}

/* ---- asking */

/* The key's values at the first row of each part but the first. */
static int split_sql(const struct key *key, const char *from, bool runs_sql,
                     struct rb_json_value range, int64_t split, struct rb_buf *sql,
                     struct params *params, struct rb_error *err)
{
    int status = no_memory(rb_buf_append_str(sql, "SELECT "), err);
    for (size_t i = 0; status == 0 && i < key->n; i++) {
        status = i > 0 ? no_memory(rb_buf_append_str(sql, ", "), err) : 0;
        status = status < 0 || !runs_sql ? status : no_memory(rb_settings_begin_text(sql), err);
        status =
            status < 0 ? status : no_memory(rb_buf_printf(sql, "k%zu::pg_catalog.text", i), err);
        status = status < 0 || !runs_sql ? status : no_memory(rb_settings_end_text(sql), err);
    }
    status = status < 0
                 ? status
                 : no_memory(rb_buf_printf(sql, " FROM %s%s(SELECT ",
                                           runs_sql ? rb_settings_from : "", runs_sql ? ", " : ""),
                             err);
    for (size_t i = 0; status == 0 && i < key->n; i++) {
        status = rb_quote_ident(sql, key->names[i], err);
        status = status < 0 ? status : no_memory(rb_buf_printf(sql, " AS k%zu, ", i), err);
    }
    status =
        status < 0
            ? status
            : no_memory(rb_buf_append_str(sql, "pg_catalog.row_number() OVER (ORDER BY "), err);
    status = status < 0 ? status : append_parts(sql, key, err);
    status =
        status < 0
            ? status
            : no_memory(rb_buf_printf(sql, ") AS n, pg_catalog.count(*) OVER () AS total%s", from),
                        err);
    status = status < 0 ? status : append_range(sql, key, range, params, err);
    status = status < 0 ? status : append_nulls(sql, key, " AND ", " IS NOT NULL", err);
    return status < 0
               ? status
               : no_memory(rb_buf_printf(sql,
                                         ") AS keys WHERE n OPERATOR(pg_catalog.>) 1 AND "
                                         "pg_catalog.mod(pg_catalog.int8mi(n, 1), "
                                         "pg_catalog.int8div(pg_catalog.int8pl(total, %lld), "
                                         "%lld)) OPERATOR(pg_catalog.=) 0 ORDER BY n",
                                         (long long)split - 1, (long long)split),
                           err);
}

/* Of all sessions, where SQL of the user runs in them. */
static int set_settings(const struct rb_content *content, const char *settings,
                        struct rb_error *err)
{
    int status = 0;
    for (size_t i = 0; status == 0 && content->runs_sql && i < content->n; i++) {
        status = rb_query_exec(content->conns[i], settings, err);
    }
    return status;
}

int rb_content_split(struct rb_content *content, const char *from, struct rb_json_value key_json,
                     struct rb_json_value request, struct rb_json *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf sql = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    struct key key;
    struct params params;
    int64_t split = rb_json_int(rb_json_get(request, "split"), 0);
    rb_query_result_init(&rows);
    int status = read_key(key_json, &key, err);
    if (status == 0 && key.n > 0 && split > 1 && split <= RB_CONTENT_RANGES_MAX) {
        struct rb_json_value range = rb_json_item(rb_json_get(request, "ranges"), 0);
        status = split_sql(&key, from, content->runs_sql, range, split, &sql, &params, err);
        status = status < 0 ? status
                 : content->runs_sql
                     ? rb_query_run_as_user(content->conns[0], rb_buf_str(&sql), params.items,
                                            params.n, &rows, err)
                     : rb_query_run(content->conns[0], rb_buf_str(&sql), params.items, params.n,
                                    RB_QUERY_TEXT, &rows, err);
    }
    if (status < 0) {
        rb_content_release(content);
        return status;
    }
    rb_json_key(ret, "bounds");
    rb_json_begin_array(ret);
    for (size_t row = 0; row < rows.n_rows; row++) {
        rb_json_begin_array(ret);
        for (size_t i = 0; i < key.n; i++) {
            rb_json_str(ret, rb_query_text(&rows, row, i));
        }
        rb_json_end_array(ret);
    }
    rb_json_end_array(ret);
    return no_memory(ret->status, err);
}

/* What a range came to, as text. */
struct sums {
    int64_t n_rows;
    char a[48], b[48];
};

static int send_range(struct rb_conn *conn, const char *from, bool runs_sql,
                      struct rb_json_value request, size_t index, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf sql = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    struct key key;
    struct params params;
    struct rb_json_value range = rb_json_item(rb_json_get(request, "ranges"), index);
    int status = read_key(rb_json_get(request, "key"), &key, err);
    status = status < 0 ? status
                        : append_hash(&sql, rb_json_get(request, "columns"), from, runs_sql, err);
    status = status < 0 ? status : append_range(&sql, &key, range, &params, err);
    status = status < 0 ? status
                        : no_memory(rb_buf_append_str(&sql, runs_sql ? " OFFSET 0) AS q) AS hashed"
                                                                     : ") AS hashed"),
                                    err);
    return status < 0 ? status : rb_query_send(conn, rb_buf_str(&sql), params.items, params.n, err);
}

static int receive_range(struct rb_conn *conn, struct sums *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    rb_query_result_init(&rows);
    int status = rb_query_receive(conn, &rows, err);
    if (status < 0) {
        return status;
    }
    const char *a = rb_query_text(&rows, 0, 1);
    const char *b = rb_query_text(&rows, 0, 2);
    if (a == NULL || b == NULL) {
        return rb_error_set(err, RB_EPROTOCOL, "PROTOCOL_VIOLATION", "no sum where there must be");
    }
    ret->n_rows = rb_query_int(&rows, 0, 0, -1);
    (void)snprintf(ret->a, sizeof ret->a, "%s", a);
    (void)snprintf(ret->b, sizeof ret->b, "%s", b);
    return 0;
}

/* Range i is connection i % n's: each has one statement under way while the others are waited for.
 */
static int hash_ranges(const struct rb_content *content, const char *from,
                       struct rb_json_value request, struct sums *sums, size_t n_ranges,
                       struct rb_error *err)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < n_ranges + content->n; i++) {
        struct rb_conn *conn = content->conns[i % content->n];
        if (i >= content->n && i - content->n < n_ranges) {
            status = receive_range(conn, &sums[i - content->n], err);
        }
        if (status == 0 && i < n_ranges) {
            status = send_range(conn, from, content->runs_sql, request, i, err);
        }
    }
    return status;
}

int rb_content_hash(struct rb_content *content, const char *from, struct rb_json_value request,
                    struct rb_json *ret, struct rb_error *err)
{
    size_t n = rb_json_count(rb_json_get(request, "ranges"));
    if (n == 0 || n > RB_CONTENT_RANGES_MAX) {
        return rb_error_set(err, RB_EPROTOCOL, "CONTRACT", "a hash of %zu ranges", n);
    }
    struct sums *sums = calloc(n, sizeof *sums);
    if (sums == NULL) {
        return no_memory(RB_ENOMEM, err);
    }
    int status = set_settings(content, rb_settings_users, err);
    status = status < 0 ? status : hash_ranges(content, from, request, sums, n, err);
    status = status < 0 ? status : set_settings(content, rb_settings_own, err);
    if (status < 0) {
        rb_content_release(content);
        free(sums);
        return status;
    }
    rb_json_member_str(ret, "encoding", content->encoding);
    rb_json_key(ret, "ranges");
    rb_json_begin_array(ret);
    for (size_t i = 0; i < n; i++) {
        rb_json_begin_object(ret);
        rb_json_member_i64(ret, "rows", sums[i].n_rows);
        rb_json_member_str(ret, "hash_a", sums[i].a);
        rb_json_member_str(ret, "hash_b", sums[i].b);
        rb_json_end_object(ret);
    }
    rb_json_end_array(ret);
    free(sums);
    return no_memory(ret->status, err);
}
