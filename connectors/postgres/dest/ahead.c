/* Of a dry run: what the catalogue says of many tables at once, for the instances that look at
 * each. The statements are those that ask about one table, each put beside a list. */
#include <string.h>

#include "connectors/postgres/dest/dest.h"
#include "gen/connectors/postgres/dest/sql.h"

enum {
    TABLES_MAX = 500,                   /* that one statement looks for by name */
    COLUMNS_MAX = 2000,                 /* of the tables that one statement looks into, or of one */
    SQL_MAX = 16 * 1024,                /* of one of our statements */
    ANSWER_MAX_BYTES = 2 * 1024 * 1024, /* of all tables; the others are asked for one by one */
    ANSWER_MIN_BYTES = 64 * 1024,
    TABLE_MAX_BYTES = 512 * 1024, /* of one, of 1,600 columns */
};

/* What is known of some tables, by OID. */
struct known {
    struct rb_query_result columns, parts, like;
};

static void known_init(struct known *known)
{
    rb_query_result_init(&known->columns);
    rb_query_result_init(&known->parts);
    rb_query_result_init(&known->like);
}

static void known_release(struct known *known)
{
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
 * parameter of the number `list`, whose item is the first column of the answer. `order`: of the
 * items, when that matters. */
static int ask(struct rb_dest *dest, const char *sql, const char *one, const char *list,
               const char *order, const char *const *params, size_t n_params,
               struct rb_query_result *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf inner = RB_BUF_INIT(SQL_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf outer = RB_BUF_INIT(SQL_MAX);
    int status = put_replaced(&inner, sql, one, "item.of");
    status = status < 0 ? status
                        : rb_buf_printf(&outer,
                                        "SELECT item.of, x.* FROM unnest(%s) WITH ORDINALITY AS "
                                        "item (of, at) CROSS JOIN LATERAL (",
                                        list);
    status = status < 0 ? status : put_replaced(&outer, rb_buf_str(&inner), "$2::oid", "NULL::oid");
    status = status < 0 ? status : rb_buf_printf(&outer, "\n) AS x%s", order);
    return status < 0 ? rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a statement")
                      : rb_dest_query_once(dest, rb_buf_str(&outer), params, n_params, ret, err);
}

/* Of the tables from `*at` on, as many as have COLUMNS_MAX columns together; `*at` is behind them
 * then. */
static int put_oids(const struct rb_query_result *tables, size_t *at, struct rb_buf *ret)
{
    int64_t columns = 0;
    int status = rb_buf_append_byte(ret, '{');
    for (size_t first = *at; status == 0 && *at < tables->n_rows; (*at)++) {
        columns += rb_query_int(tables, *at, 1 + RB_TABLE_N_COLUMNS, 0);
        if (*at > first && columns > COLUMNS_MAX) {
            break;
        }
        status = rb_buf_printf(ret, "%s%s", *at > first ? "," : "", rb_query_text(tables, *at, 1));
    }
    return status < 0 ? status : rb_buf_append_byte(ret, '}');
}

/* `names`: a JSON array. */
static int ask_tables(struct rb_dest *dest, const char *names, struct rb_query_result *ret,
                      struct rb_error *err)
{
    const char *by_name[] = {dest->config.schema, names};
    return ask(dest, rb_sql_target_table, "$2", "ARRAY(SELECT json_array_elements_text($2::json))",
               " ORDER BY item.at", by_name, 2, ret, err);
}

/* `oids`: an array. */
static int ask_all(struct rb_dest *dest, const char *oids, struct known *ret, struct rb_error *err)
{
    int status =
        ask(dest, rb_sql_target_columns, "$1::oid", "$1::oid[]", "", &oids, 1, &ret->columns, err);
    status = status < 0 ? status
                        : ask(dest, rb_sql_swap_parts, "$1::oid", "$1::oid[]", "", &oids, 1,
                              &ret->parts, err);
    return status < 0
               ? status
               : ask(dest, rb_sql_dry_like, "$1::oid", "$1::oid[]", "", &oids, 1, &ret->like, err);
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

/* Of the table in `row` of `tables`. */
static void write_known(const struct rb_query_result *tables, size_t row, const struct known *known,
                        const char *stream, struct rb_json *ret)
{
    const char *oid = rb_query_text(tables, row, 1);
    size_t i = find_row(&known->columns, oid);
    if (!is_plain(known, oid) || has_money(known, i, oid)) {
        return;
    }
    rb_json_begin_object(ret);
    rb_json_member_str(ret, "stream_name", stream);
    rb_json_key(ret, "table");
    rb_json_begin_object(ret);
    rb_json_key(ret, "found");
    rb_json_begin_array(ret);
    write_row(tables, row, ret);
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

/* The streams that are looked at in one go; `end`: the length that the answer is not to go far
 * beyond. */
struct look {
    struct rb_dest *dest;
    const struct rb_stream_context *streams;
    size_t n, end;
};

static const char *stream_of(const struct look *look, const char *table)
{
    size_t i = 0;
    while (i < look->n &&
           !(swaps(&look->streams[i]) && strcmp(look->streams[i].destination_table, table) == 0)) {
        i++;
    }
    return i < look->n ? look->streams[i].stream_name : NULL;
}

/* The next tables from `*at` on. */
static int look_into(const struct look *look, const struct rb_query_result *tables, size_t *at,
                     struct rb_json *ret)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf oids = RB_BUF_INIT(16 * TABLES_MAX);
    size_t first = *at;
    struct known known;
    known_init(&known);
    int status = put_oids(tables, at, &oids);
    status = status < 0 ? status : ask_all(look->dest, rb_buf_str(&oids), &known, NULL);
    for (size_t row = first; status == 0 && row < *at && ret->out->len < look->end; row++) {
        const char *stream = stream_of(look, rb_query_text(tables, row, 0));
        if (stream != NULL) {
            write_known(tables, row, &known, stream, ret);
        }
    }
    known_release(&known);
    return status;
}

static int look_at(const struct look *look, struct rb_json *ret)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf names = RB_BUF_INIT(RB_ABI_JSON_MAX);
    RB_CLEANUP(rb_query_result_release) struct rb_query_result tables;
    rb_query_result_init(&tables);
    struct rb_json json;
    rb_json_init(&json, &names);
    rb_json_begin_array(&json);
    for (size_t i = 0; i < look->n; i++) {
        if (swaps(&look->streams[i])) {
            rb_json_str(&json, look->streams[i].destination_table);
        }
    }
    rb_json_end_array(&json);
    int status = rb_json_finish(&json);
    status = status < 0 || names.len == strlen("[]")
                 ? status
                 : ask_tables(look->dest, rb_buf_str(&names), &tables, NULL);
    for (size_t at = 0; status == 0 && at < tables.n_rows && ret->out->len < look->end;) {
        status = look_into(look, &tables, &at, ret);
    }
    return status;
}

/* The length up to which tables may be written: what there is memory for, for the answer must not
 * fail for want of it. */
static size_t find_end(struct rb_buf *out)
{
    size_t room = ANSWER_MAX_BYTES;
    while (room >= ANSWER_MIN_BYTES && rb_buf_reserve(out, room + TABLE_MAX_BYTES) < 0) {
        room /= 2;
    }
    return room >= ANSWER_MIN_BYTES ? out->len + room : 0;
}

void rb_dry_look_ahead(struct rb_dest *dest, const struct rb_stream_context *streams,
                       size_t n_streams, struct rb_json *ret)
{
    size_t end = find_end(ret->out);
    int status = 0;
    rb_json_key(ret, "tables");
    rb_json_begin_array(ret);
    for (size_t i = 0; status == 0 && n_streams > 1 && i < n_streams && ret->out->len < end;
         i += TABLES_MAX) {
        const struct look look = {.dest = dest,
                                  .streams = &streams[i],
                                  .n = n_streams - i < TABLES_MAX ? n_streams - i : TABLES_MAX,
                                  .end = end};
        status = look_at(&look, ret);
    }
    rb_json_end_array(ret);
    if (status < 0) {
        rb_dest_abort(dest);
    }
}
