/* Of a dry run: what the catalogue says of many tables at once, for the instances that look at
 * each. The statements are those that ask about one table, each put beside a list. */
#include <string.h>

#include "connectors/postgres/dest/dest.h"
#include "gen/connectors/postgres/dest/sql.h"

enum {
    TABLES_MAX = 20,                    /* of one statement: 32,000 columns at most */
    SQL_MAX = 16 * 1024,                /* of one of our statements */
    ANSWER_MAX_BYTES = 2 * 1024 * 1024, /* of all tables; the others are asked for one by one */
};

/* What is known of some tables, by name and then by OID. */
struct known {
    struct rb_query_result tables, columns, parts, like;
};

static void known_init(struct known *known)
{
    rb_query_result_init(&known->tables);
    rb_query_result_init(&known->columns);
    rb_query_result_init(&known->parts);
    rb_query_result_init(&known->like);
}

static void known_release(struct known *known)
{
    rb_query_result_release(&known->tables);
    rb_query_result_release(&known->columns);
    rb_query_result_release(&known->parts);
    rb_query_result_release(&known->like);
}

/* Appends `sql` with each `from` replaced. */
static int put_replaced(struct rb_buf *out, const char *sql, const char *from, const char *to)
{
    const char *at;
    int status = 0;
    while (status == 0 && (at = strstr(sql, from)) != NULL) {
        status = rb_buf_append(out, sql, (size_t)(at - sql));
        status = status < 0 ? status : rb_buf_append_str(out, to);
        sql = at + strlen(from);
    }
    return status < 0 ? status : rb_buf_append_str(out, sql);
}

/* Asks `sql`, which is about the one table of the parameter `one`, about each of the list in the
 * parameter of the number `list`, whose item is the first column of the answer. */
static int ask(struct rb_dest *dest, const char *sql, const char *one, const char *list,
               const char *const *params, size_t n_params, struct rb_query_result *ret,
               struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf inner = RB_BUF_INIT(SQL_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf outer = RB_BUF_INIT(SQL_MAX);
    int status = put_replaced(&inner, sql, one, "item.of");
    status = status < 0 ? status
                        : rb_buf_printf(&outer,
                                        "SELECT item.of, x.* FROM unnest(%s) AS item (of) CROSS "
                                        "JOIN LATERAL (",
                                        list);
    status = status < 0 ? status : put_replaced(&outer, rb_buf_str(&inner), "$2::oid", "NULL::oid");
    status = status < 0 ? status : rb_buf_append_str(&outer, "\n) AS x");
    return status < 0 ? rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a statement")
                      : rb_dest_query_once(dest, rb_buf_str(&outer), params, n_params, ret, err);
}

static int put_oids(const struct rb_query_result *tables, struct rb_buf *ret)
{
    int status = rb_buf_append_byte(ret, '{');
    for (size_t i = 0; status == 0 && i < tables->n_rows; i++) {
        status = rb_buf_printf(ret, "%s%s", i > 0 ? "," : "", rb_query_text(tables, i, 1));
    }
    return status < 0 ? status : rb_buf_append_byte(ret, '}');
}

/* `names`: a JSON array. */
static int ask_all(struct rb_dest *dest, const char *names, struct known *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf oids = RB_BUF_INIT(16 * TABLES_MAX);
    const char *by_name[] = {dest->config.schema, names};
    int status =
        ask(dest, rb_sql_target_table, "$2", "ARRAY(SELECT json_array_elements_text($2::json))",
            by_name, 2, &ret->tables, err);
    if (status < 0) {
        return status;
    }
    if (put_oids(&ret->tables, &oids) < 0) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a list of tables");
    }
    const char *by_oid[] = {rb_buf_str(&oids)};
    status =
        ask(dest, rb_sql_target_columns, "$1::oid", "$1::oid[]", by_oid, 1, &ret->columns, err);
    status = status < 0 ? status
                        : ask(dest, rb_sql_swap_parts, "$1::oid", "$1::oid[]", by_oid, 1,
                              &ret->parts, err);
    return status < 0
               ? status
               : ask(dest, rb_sql_dry_like, "$1::oid", "$1::oid[]", by_oid, 1, &ret->like, err);
}

/* The first row of the item; SIZE_MAX: none. */
static size_t find_row(const struct rb_query_result *rows, const char *item)
{
    size_t i = 0;
    while (i < rows->n_rows && strcmp(rb_query_text(rows, i, 0), item) != 0) {
        i++;
    }
    return i < rows->n_rows ? i : SIZE_MAX;
}

static void write_row(const struct rb_query_result *rows, size_t row, struct rb_json *ret)
{
    rb_json_begin_array(ret);
    for (size_t i = 1; i < rows->n_columns; i++) {
        rb_json_str(ret, rb_query_text(rows, row, i));
    }
    rb_json_end_array(ret);
}

/* Nothing of the table would keep a swap from replacing it, and one like it can be made. */
static bool is_plain(const struct known *known, const char *oid)
{
    size_t parts = find_row(&known->parts, oid), like = find_row(&known->like, oid);
    return parts != SIZE_MAX && like != SIZE_MAX &&
           rb_query_text(&known->parts, parts, 1) != NULL &&
           !rb_query_bool(&known->parts, parts, 1) && rb_query_bool(&known->like, like, 1);
}

/* How the user's settings have it is asked in a transaction. */
static bool has_money(const struct known *known, size_t row, const char *oid)
{
    const struct rb_query_result *rows = &known->columns;
    bool found = false;
    for (; row < rows->n_rows && strcmp(rb_query_text(rows, row, 0), oid) == 0; row++) {
        found = found || rb_query_bool(rows, row, 1 + RB_TARGET_MONEY);
    }
    return found;
}

static void write_known(const struct known *known, const struct rb_stream_context *stream,
                        struct rb_json *ret)
{
    size_t row = find_row(&known->tables, stream->destination_table);
    const char *oid = row != SIZE_MAX ? rb_query_text(&known->tables, row, 1) : NULL;
    size_t i = oid != NULL ? find_row(&known->columns, oid) : SIZE_MAX;
    if (oid == NULL || !is_plain(known, oid) || has_money(known, i, oid)) {
        return;
    }
    rb_json_begin_object(ret);
    rb_json_member_str(ret, "stream_name", stream->stream_name);
    rb_json_key(ret, "table");
    rb_json_begin_object(ret);
    rb_json_key(ret, "found");
    rb_json_begin_array(ret);
    write_row(&known->tables, row, ret);
    rb_json_end_array(ret);
    rb_json_key(ret, "columns");
    rb_json_begin_array(ret);
    while (i < known->columns.n_rows && strcmp(rb_query_text(&known->columns, i, 0), oid) == 0) {
        write_row(&known->columns, i++, ret);
    }
    rb_json_end_array(ret);
    rb_json_end_object(ret);
    rb_json_end_object(ret);
}

static bool swaps(const struct rb_stream_context *stream)
{
    return stream->write_mode == RB_CONTEXT_REPLACE && !rb_stream_context_truncates(stream);
}

/* Of some streams; `end`: the length that the answer is not to go far beyond. */
static int look_at(struct rb_dest *dest, const struct rb_stream_context *streams, size_t n,
                   size_t end, struct rb_json *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf names = RB_BUF_INIT(RB_ABI_JSON_MAX);
    struct rb_json json;
    rb_json_init(&json, &names);
    rb_json_begin_array(&json);
    for (size_t i = 0; i < n; i++) {
        if (swaps(&streams[i])) {
            rb_json_str(&json, streams[i].destination_table);
        }
    }
    rb_json_end_array(&json);
    if (rb_json_finish(&json) < 0) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for names of tables");
    }
    struct known known;
    known_init(&known);
    int status = names.len > strlen("[]") ? ask_all(dest, rb_buf_str(&names), &known, err) : 0;
    for (size_t i = 0; status == 0 && i < n && ret->out->len < end; i++) {
        if (swaps(&streams[i])) {
            write_known(&known, &streams[i], ret);
        }
    }
    known_release(&known);
    return status;
}

void rb_dry_look_ahead(struct rb_dest *dest, const struct rb_stream_context *streams,
                       size_t n_streams, struct rb_json *ret)
{
    size_t end = ret->out->len + ANSWER_MAX_BYTES;
    int status = 0;
    rb_json_key(ret, "tables");
    rb_json_begin_array(ret);
    for (size_t i = 0; status == 0 && n_streams > 1 && i < n_streams && ret->out->len < end;
         i += TABLES_MAX) {
        size_t n = n_streams - i < TABLES_MAX ? n_streams - i : TABLES_MAX;
        status = look_at(dest, &streams[i], n, end, ret, NULL);
    }
    rb_json_end_array(ret);
    if (status < 0) {
        rb_dest_abort(dest);
    }
}
