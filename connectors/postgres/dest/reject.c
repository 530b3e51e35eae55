/* Rows that are left out: counted, and for dlq kept in a table beside the target. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "connectors/postgres/dest/load.h"
#include "gen/connectors/postgres/dest/sql.h"

#define ROW "\"rapidbyte row\"" /* names no column of a stream by accident */

enum {
    NUMBER_MAX = 24,
    FIXED_PARAMS = 8,
    LOGGED_MAX = 10, /* rows of a unit that the log tells about one by one */
    STREAM_KEPT = RB_QUOTE_NAME_MAX - 1 - 16 - (int)sizeof "__rejected" + 1,
};

int rb_rejects_init(struct rb_rejects *rejects, struct rb_dest *dest,
                    const struct rb_stream_context *context, const struct rb_columns *columns,
                    struct rb_error *err)
{
    static const char *const words[] = {"fail", "skip", "dlq"};
    const char *policy = rb_json_text(rb_json_get(context->policies, "on_data_error"), "fail");
    *rejects = (struct rb_rejects){.dest = dest, .context = context, .columns = columns};
    rb_statement_init(&rejects->sql);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(policy, words[i]) == 0) {
            rejects->policy = (enum rb_reject_policy)i;
            return 0;
        }
    }
    return rb_error_set(err, RB_ECONFIG, "BAD_CONFIG",
                        "on_data_error must be fail, skip or dlq, not \"%s\"", policy);
}

void rb_rejects_release(struct rb_rejects *rejects)
{
    rb_statement_release(&rejects->sql);
}

void rb_rejects_table_name(const char *stream, char ret[RB_QUOTE_NAME_MAX + 1])
{
    size_t len = strlen(stream);
    if (len + sizeof "__rejected" - 1 <= RB_QUOTE_NAME_MAX) {
        snprintf(ret, RB_QUOTE_NAME_MAX + 1, "%s__rejected", stream);
        return;
    }
    size_t kept = (size_t)STREAM_KEPT;
    while (kept > 0 && ((unsigned char)stream[kept] & 0xc0) == 0x80) {
        kept--; /* not within a character */
    }
    snprintf(ret, RB_QUOTE_NAME_MAX + 1, "%.*s_%016" PRIx64 "__rejected", (int)kept, stream,
             rb_hash_row(stream, len));
}

int rb_rejects_ensure_table(struct rb_dest *dest, const char *stream,
                            char ret[2 * RB_CONN_TEXT_MAX], struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result found;
    RB_CLEANUP(rb_buf_release) struct rb_buf sql = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    char name[RB_QUOTE_NAME_MAX + 1];
    rb_query_result_init(&found);
    rb_rejects_table_name(stream, name);
    int status = rb_quote_qualified(&sql, dest->config.schema, name, err);
    if (status < 0) {
        return status;
    }
    snprintf(ret, 2 * RB_CONN_TEXT_MAX, "%s", rb_buf_str(&sql));
    const char *params[] = {dest->config.schema, name};
    status = rb_dest_query(dest, rb_sql_target_table, params, 2, &found, err);
    if (status < 0 || found.n_rows > 0) {
        return status;
    }
    rb_buf_clear(&sql);
    if (rb_buf_printf(&sql,
                      "CREATE TABLE %s (LIKE " RB_DEST_LEDGER_SCHEMA ".rejected "
                      "INCLUDING ALL)",
                      ret) < 0) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a statement");
    }
    status = rb_query_exec(dest->conn, rb_buf_str(&sql), err);
    if (status < 0) {
        rb_error_prefix(err, "the table of rejected rows %s", ret);
    }
    return status;
}

/* Where a unit's rejected rows go: with those of other units they become visible by publish. */
static int ensure_table(struct rb_rejects *rejects, struct rb_error *err)
{
    if (rejects->has_table) {
        return 0;
    }
    rejects->has_table = true;
    if (rejects->context->unit_count > 1) {
        snprintf(rejects->table, sizeof rejects->table, RB_DEST_LEDGER_SCHEMA ".rejected");
        return 0;
    }
    return rb_rejects_ensure_table(rejects->dest, rejects->context->stream_name, rejects->table,
                                   err);
}

/* Where the row to keep is taken from. */
enum form {
    STAGED, /* it stands in RB_LOAD_TEMPORARY */
    TYPED,  /* from parameters of the columns' types */
    RAW,    /* from parameters that are the values' bytes: their types refuse them */
    NOTHING /* it can't be sent at all */
};

/* Each value's text, by name. */
static void add_values(struct rb_rejects *rejects)
{
    struct rb_statement *sql = &rejects->sql;
    rb_statement_add(sql, "jsonb_object(ARRAY(SELECT jsonb_array_elements_text($8::jsonb)), "
                          "ARRAY[");
    for (size_t i = 0; i < rejects->columns->n; i++) {
        rb_statement_add(sql, i > 0 ? ", " ROW "." : ROW ".");
        rb_statement_name(sql, rejects->columns->items[i].name);
        rb_statement_add(sql, "::text");
    }
    rb_statement_add(sql, "]::text[])");
}

static void add_parameters(struct rb_rejects *rejects, enum form form)
{
    struct rb_statement *sql = &rejects->sql;
    for (size_t i = 0; i < rejects->columns->n; i++) {
        const struct rb_column *column = &rejects->columns->items[i];
        bool text = column->form == RB_FORM_TEXT;
        rb_statement_add(sql, i > 0 ? ", $" : "$");
        rb_statement_number(sql, (int64_t)i + FIXED_PARAMS + 1);
        rb_statement_add(sql, "::");
        rb_statement_add(sql, form == RAW ? "bytea" : text ? "text" : column->declared);
        rb_statement_add(sql, " AS ");
        rb_statement_name(sql, column->name);
    }
}

/* as_json false: the values' texts serve as the row, too. */
static int build_record(struct rb_rejects *rejects, enum form form, bool as_json,
                        struct rb_error *err)
{
    struct rb_statement *sql = &rejects->sql;
    rb_statement_begin(sql, "INSERT INTO ", err);
    rb_statement_add(sql, rejects->table);
    rb_statement_add(sql, " (load_id, stream, unit, position, sqlstate, message, detail, \"row\", "
                          "\"values\") SELECT $1, $2, $3::int8, $4::int8, $5, $6, $7, ");
    if (form == NOTHING) {
        rb_statement_add(sql, "NULL::jsonb, NULL::jsonb WHERE $8 IS NOT NULL");
        return rb_statement_end(sql);
    }
    if (as_json) {
        rb_statement_add(sql, "to_jsonb(" ROW ") - " RB_LOAD_POSITION_TEXT);
    } else {
        add_values(rejects);
    }
    rb_statement_add(sql, ", ");
    add_values(rejects);
    rb_statement_add(sql, " FROM ");
    if (form == STAGED) {
        rb_statement_add(sql, RB_LOAD_TEMPORARY " AS " ROW " WHERE " ROW "." RB_LOAD_POSITION
                                                " = $4::int8");
        return rb_statement_end(sql);
    }
    rb_statement_add(sql, "(SELECT ");
    add_parameters(rejects, form);
    rb_statement_add(sql, ") AS " ROW);
    return rb_statement_end(sql);
}

/* The fields of a row in COPY form, as parameters. */
static void take_fields(const struct rb_buf *row, size_t n, struct rb_query_param *params)
{
    const uint8_t *p = row->data + 2;
    for (size_t i = 0; i < n; i++) {
        uint32_t len = rb_load_be32(p);
        p += 4;
        bool null = len == UINT32_MAX;
        params[i] = (struct rb_query_param){
            .value = null ? NULL : p, .len = null ? 0 : len, .format = RB_QUERY_BINARY};
        p += null ? 0 : len;
    }
}

/* One try under a savepoint. 0; 1: the row can't be kept so; negative. */
static int try_record(struct rb_rejects *rejects, enum form form, bool as_json,
                      const struct rb_query_param *params, struct rb_error *err)
{
    struct rb_conn *conn = rejects->dest->conn;
    size_t n = FIXED_PARAMS + (form == TYPED || form == RAW ? rejects->columns->n : 0);
    int status = build_record(rejects, form, as_json, err);
    status = status < 0 ? status : rb_query_exec(conn, "SAVEPOINT rapidbyte_reject", err);
    if (status < 0) {
        return status;
    }
    status =
        rb_query_run(conn, rb_buf_str(&rejects->sql.text), params, n, RB_QUERY_TEXT, NULL, err);
    if (status == 0) {
        return rb_query_exec(conn, "RELEASE SAVEPOINT rapidbyte_reject", err);
    }
    if (status != RB_EDATA || !rb_conn_is_usable(conn)) {
        return status;
    }
    status = rb_query_exec(conn,
                           "ROLLBACK TO SAVEPOINT rapidbyte_reject; "
                           "RELEASE SAVEPOINT rapidbyte_reject",
                           err);
    return status < 0 ? status : 1;
}

/* JSON does not take every value as it is (a json with \u0000), and a type here not every value of
 * the source's type of that name: then the values' texts are kept, or their bytes. */
static int record(struct rb_rejects *rejects, enum form form, const struct rb_query_param *params,
                  struct rb_error *err)
{
    struct rb_error own;
    rb_error_clear(&own);
    int status = try_record(rejects, form, true, params, &own);
    if (status == 1) {
        status = try_record(rejects, form, false, params, &own);
    }
    if (status == 1 && form == TYPED) {
        status = try_record(rejects, RAW, true, params, &own);
    }
    if (status == 1) {
        status = own.status;
    }
    if (status < 0 && err != NULL) {
        *err = own;
        rb_error_prefix(err, "keeping a rejected row in %s", rejects->table);
    }
    return status;
}

/* `row`: in COPY form; NULL with STAGED and NOTHING. */
static int keep(struct rb_rejects *rejects, enum form form, const struct rb_buf *row,
                int64_t position, const struct rb_error *why, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf names = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    char unit[NUMBER_MAX];
    char number[NUMBER_MAX];
    size_t n = rejects->columns->n;
    struct rb_query_param *params = calloc(FIXED_PARAMS + n, sizeof *params);
    if (params == NULL || rb_columns_put_names(rejects->columns, &names) < 0) {
        free(params);
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a rejected row");
    }
    snprintf(unit, sizeof unit, "%" PRId64, rejects->context->unit_index);
    snprintf(number, sizeof number, "%" PRId64, position);
    const char *const fixed[FIXED_PARAMS] = {
        rejects->context->load_id,
        rejects->context->stream_name,
        unit,
        number,
        why->sqlstate[0] != '\0' ? why->sqlstate : NULL,
        why->message,
        why->detail[0] != '\0' ? why->detail : NULL,
        rb_buf_str(&names),
    };
    for (size_t i = 0; i < FIXED_PARAMS; i++) {
        params[i] = rb_query_text_param(fixed[i]);
    }
    if (row != NULL) {
        take_fields(row, n, params + FIXED_PARAMS);
    }
    int status = ensure_table(rejects, err);
    status = status < 0 ? status : record(rejects, form, params, err);
    free(params);
    return status;
}

static int keep_encoded(struct rb_rejects *rejects, struct rb_encoder *encoder, int64_t row,
                        int64_t position, const struct rb_error *why, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release)
    struct rb_buf bytes =
        RB_BUF_INIT(rejects->dest->config.max_record_bytes + RB_CONN_MESSAGE_SLACK_BYTES);
    if (why->sqlstate[0] == '\0') {
        return keep(rejects, NOTHING, NULL, position, why, err);
    }
    rb_encoder_seek(encoder, row, row + 1);
    int status = rb_encoder_rows(encoder, &bytes, SIZE_MAX, err);
    return status < 0 ? status : keep(rejects, TYPED, &bytes, position, why, err);
}

static void tell(struct rb_rejects *rejects, int64_t position, const struct rb_error *why)
{
    rejects->n++;
    if (rejects->n <= LOGGED_MAX) {
        rb_log(RB_LOG_WARN, "row %" PRId64 " is left out: %s%s%s%s", position, why->message,
               why->detail[0] != '\0' ? " (" : "", why->detail, why->detail[0] != '\0' ? ")" : "");
    }
}

int rb_rejects_encoded(struct rb_rejects *rejects, struct rb_encoder *encoder, int64_t row,
                       int64_t position, const struct rb_error *why, struct rb_error *err)
{
    int status = 0;
    if (why->sqlstate[0] == '\0') {
        rb_encoder_discard(encoder, row);
        rejects->n_unsent++;
    }
    if (rejects->policy == RB_REJECT_DLQ) {
        status = keep_encoded(rejects, encoder, row, position, why, err);
    }
    if (status == 0) {
        tell(rejects, position, why);
    }
    return status;
}

int rb_rejects_staged(struct rb_rejects *rejects, int64_t position, const struct rb_error *why,
                      struct rb_error *err)
{
    int status = 0;
    if (rejects->policy == RB_REJECT_DLQ) {
        status = keep(rejects, STAGED, NULL, position, why, err);
    }
    if (status == 0) {
        tell(rejects, position, why);
    }
    return status;
}
