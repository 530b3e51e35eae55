/*
 * Rows into a table, within the open transaction: by COPY or by INSERT from arrays; straight into
 * the target, or into a temporary table when rows have to be de-duplicated (upsert) or cast (types
 * that travel as text). Binary COPY into a text column and one cast there costs about what text
 * COPY would, and every other column stays binary.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/postgres/common/copy.h"
#include "connectors/postgres/dest/dest.h"
#include "gen/connectors/postgres/dest/sql.h"

#define TEMPORARY "pg_temp.rapidbyte_in"
#define RECORDS "pg_temp.rapidbyte_arrays"
#define POSITION "\"rapidbyte position\"" /* order of arrival */

enum { ARRAY_SLACK = 64 * 1024 * 1024 }; /* bytes of a column's array beyond the largest batch */

/* What a load holds while it runs. */
struct run {
    struct rb_load *load;
    struct rb_dest *dest;
    struct rb_columns columns; /* the chosen ones; their strings are the stream's */
    struct rb_encoder *encoder;
    struct ArrowArrayView **children; /* of a batch, chosen */
    struct rb_buf sql;
    bool indirect;
    int64_t sent; /* rows that the server counted as they came in */
    /* INSERT: the columns of array types, which travel as records */
    size_t *arrays;
    uint32_t *array_oids;
    size_t n_arrays;
    uint32_t record_oid;
};

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for the load");
}

static void run_release(struct run *run)
{
    free(run->columns.items);
    free(run->children);
    free(run->arrays);
    free(run->array_oids);
    rb_encoder_free(run->encoder);
    rb_buf_release(&run->sql);
}

static int run_init(struct run *run, struct rb_load *load, struct rb_error *err)
{
    size_t n = load->mapping->n;
    struct rb_encoder_options options = {
        .max_record_bytes = (size_t)load->context->max_record_bytes, .checksum = true};
    run->load = load;
    run->dest = load->dest;
    run->indirect = load->mapping->any_cast || !rb_json_is_absent(load->primary_key);
    run->columns.items = calloc(n + 1, sizeof(struct rb_column));
    run->children = calloc(n + 1, sizeof(struct ArrowArrayView *));
    run->arrays = calloc(n + 1, sizeof *run->arrays);
    run->array_oids = calloc(n + 1, sizeof *run->array_oids);
    if (run->columns.items == NULL || run->children == NULL || run->arrays == NULL ||
        run->array_oids == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < n; i++) {
        run->columns.items[i] = load->columns->items[load->mapping->from[i]];
    }
    run->columns.n = n;
    if (options.max_record_bytes == 0) {
        options.max_record_bytes = load->dest->config.max_record_bytes;
    }
    rb_conn_set_max_record(load->dest->conn, options.max_record_bytes);
    return rb_encoder_new(&run->columns, &options, &run->encoder, err);
}

/* The statement is built piece by piece; its buffer remembers whether all of them fitted. */
static void add(struct run *run, int *status, const char *text)
{
    if (*status == 0 && rb_buf_append_str(&run->sql, text) < 0) {
        *status = RB_ENOMEM;
    }
}

static void add_name(struct run *run, int *status, const char *name, struct rb_error *err)
{
    if (*status == 0) {
        *status = rb_quote_ident(&run->sql, name, err);
    }
}

static void add_names(struct run *run, int *status, struct rb_error *err)
{
    for (size_t i = 0; i < run->columns.n; i++) {
        add(run, status, i > 0 ? ", " : "");
        add_name(run, status, run->columns.items[i].name, err);
    }
}

/* The value of a column of the temporary table, as the target wants it. */
static void add_value(struct run *run, int *status, size_t i, struct rb_error *err)
{
    add_name(run, status, run->columns.items[i].name, err);
    if (run->load->mapping->cast[i]) {
        size_t at = rb_target_column(run->load->target, run->columns.items[i].name);
        add(run, status, "::");
        add(run, status, rb_query_text(&run->load->target->columns, at, 1));
    }
}

static int built(int status, struct rb_error *err)
{
    return status == RB_ENOMEM ? no_memory(err) : status;
}

static const char *relation(const struct run *run)
{
    return run->indirect ? TEMPORARY : run->load->target->relation;
}

static int create_temporary(struct run *run, struct rb_error *err)
{
    int status = 0;
    rb_buf_clear(&run->sql);
    add(run, &status, "CREATE TEMPORARY TABLE rapidbyte_in (");
    for (size_t i = 0; i < run->columns.n; i++) {
        const struct rb_column *column = &run->columns.items[i];
        add_name(run, &status, column->name, err);
        add(run, &status, " ");
        add(run, &status, column->form == RB_FORM_TEXT ? "text" : column->declared);
        add(run, &status, ", ");
    }
    add(run, &status, POSITION " bigint GENERATED ALWAYS AS IDENTITY) ON COMMIT DROP");
    status = built(status, err);
    return status < 0 ? status : rb_query_exec(run->dest->conn, rb_buf_str(&run->sql), err);
}

/* The next batch, bound. 0; 1: the stream ended. The first is in the reader already. */
static int bind_batch(struct run *run, struct rb_error *err)
{
    struct rb_batch_reader *reader = run->load->reader;
    const struct ArrowArrayView *view = reader->decoder.view;
    if ((size_t)view->n_children != run->load->columns->n) {
        return rb_error_set(err, RB_ESCHEMA, "BAD_BATCH", "a batch of %lld columns, %zu expected",
                            (long long)view->n_children, run->load->columns->n);
    }
    struct ArrowArrayView chosen = *view;
    for (size_t i = 0; i < run->columns.n; i++) {
        run->children[i] = view->children[run->load->mapping->from[i]];
    }
    chosen.children = run->children;
    chosen.n_children = (int64_t)run->columns.n;
    return rb_encoder_bind(run->encoder, &chosen, err);
}

static int next_batch(struct run *run, struct rb_error *err)
{
    struct rb_batch_reader *reader = run->load->reader;
    int status = rb_batch_reader_next(reader, err);
    if (status == 0 && reader->schema_changed) {
        return rb_error_set(err, RB_ESCHEMA, "SCHEMA_CHANGED",
                            "the columns changed within the stream");
    }
    return status;
}

static int copy_batch(struct run *run, struct rb_error *err)
{
    struct rb_buf *out = rb_copy_in_buf(run->dest->conn);
    int status = bind_batch(run, err);
    while (status == 0) {
        double start = rb_clock_secs();
        status = rb_encoder_rows(run->encoder, out, RB_CONN_COPY_MESSAGE_BYTES, err);
        double encoded = rb_clock_secs();
        run->load->decode_secs += encoded - start;
        if (status < 0) {
            return status;
        }
        int pushed = rb_copy_in_push(run->dest->conn, err);
        run->load->flush_secs += rb_clock_secs() - encoded;
        if (pushed < 0) {
            return pushed;
        }
    }
    return status < 0 ? status : 0;
}

static int copy_batches(struct run *run, struct rb_error *err)
{
    struct rb_buf *out = rb_copy_in_buf(run->dest->conn);
    if (rb_buf_append(out, rb_copy_binary_header, sizeof rb_copy_binary_header) < 0) {
        return no_memory(err);
    }
    int status;
    do {
        status = copy_batch(run, err);
        status = status < 0 ? status : next_batch(run, err);
    } while (status == 0);
    if (status < 0) {
        return status;
    }
    return rb_codec_append_trailer(out) < 0 ? no_memory(err) : 0;
}

static int load_by_copy(struct run *run, struct rb_error *err)
{
    int status = 0;
    rb_buf_clear(&run->sql);
    add(run, &status, "COPY ");
    add(run, &status, relation(run));
    if (run->columns.n > 0) {
        add(run, &status, " (");
        add_names(run, &status, err);
        add(run, &status, ")");
    }
    add(run, &status, " FROM STDIN (FORMAT binary)");
    status = built(status, err);
    rb_log(RB_LOG_DEBUG, "%s", rb_buf_str(&run->sql));
    status = status < 0 ? status : rb_copy_in_begin(run->dest->conn, rb_buf_str(&run->sql), err);
    if (status < 0) {
        return status;
    }
    status = copy_batches(run, err);
    if (status < 0) {
        if (status != RB_ECANCELLED && rb_conn_is_usable(run->dest->conn)) {
            rb_copy_in_fail(run->dest->conn, "the load was given up", NULL);
        }
        return status;
    }
    double start = rb_clock_secs();
    status = rb_copy_in_end(run->dest->conn, &run->sent, err);
    run->load->flush_secs += rb_clock_secs() - start;
    return status;
}

/* A column's type as an array's element. NULL: it is an array itself, which unnest would take
 * apart; such columns travel together, as an array of records. */
static const struct rb_type *element_type(const struct rb_column *column)
{
    bool is_text = column->form == RB_FORM_TEXT || column->form == RB_FORM_LABEL;
    return rb_type_find(is_text ? RB_TYPE_TEXT_OID : column->oid);
}

/* Finds the columns of array types, and makes the table whose row type their records have. */
static int prepare_records(struct run *run, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf oids = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    for (size_t i = 0; i < run->columns.n; i++) {
        if (element_type(&run->columns.items[i]) != NULL) {
            continue;
        }
        size_t n = run->n_arrays++;
        run->arrays[n] = i;
        run->array_oids[n] = run->columns.items[i].oid;
        if (rb_buf_printf(&oids, "%s%lu", n > 0 ? "," : "{", (unsigned long)run->array_oids[n]) <
            0) {
            return no_memory(err);
        }
    }
    if (run->n_arrays == 0) {
        return 0;
    }
    const char *text = rb_buf_append_byte(&oids, '}') < 0 ? NULL : rb_buf_str(&oids);
    int status = text == NULL ? no_memory(err)
                              : rb_dest_query(run->dest, rb_sql_insert_arrays, &text, 1, &r, err);
    if (status == 0 && rb_query_text(&r, 0, 0) == NULL) {
        status = rb_error_set(err, RB_ESCHEMA, "TYPE_MISSING",
                              "the stream has an array type that this server does not know");
    }
    status = status < 0 ? status : rb_query_exec(run->dest->conn, rb_query_text(&r, 0, 0), err);
    status = status < 0
                 ? status
                 : rb_dest_query(run->dest, "SELECT '" RECORDS "'::regtype::oid", NULL, 0, &r, err);
    if (status == 0) {
        run->record_oid = (uint32_t)rb_query_int(&r, 0, 0, 0);
    }
    return status;
}

/* unnest of a column's parameter; *param counts them. */
static void add_unnest(struct run *run, int *status, size_t i, size_t *param)
{
    if (*status == 0 && rb_buf_printf(&run->sql, "unnest($%zu::pg_catalog.\"%s\"[])", ++*param,
                                      element_type(&run->columns.items[i])->name) < 0) {
        *status = RB_ENOMEM;
    }
}

/* FROM (SELECT unnest(…) AS c0, …, unnest(…) AS r) s */
static void add_unnested(struct run *run, int *status)
{
    size_t param = 0;
    add(run, status, " FROM (SELECT ");
    for (size_t i = 0; i < run->columns.n; i++) {
        if (element_type(&run->columns.items[i]) == NULL) {
            continue;
        }
        add_unnest(run, status, i, &param);
        if (*status == 0 && rb_buf_printf(&run->sql, " AS c%zu, ", i) < 0) {
            *status = RB_ENOMEM;
        }
    }
    if (*status == 0 &&
        rb_buf_printf(&run->sql, "unnest($%zu::" RECORDS "[]) AS r) s", param + 1) < 0) {
        *status = RB_ENOMEM;
    }
}

static int build_insert(struct run *run, struct rb_error *err)
{
    int status = 0;
    size_t param = 0;
    size_t record = 0;
    rb_buf_clear(&run->sql);
    add(run, &status, "INSERT INTO ");
    add(run, &status, relation(run));
    add(run, &status, " (");
    add_names(run, &status, err);
    add(run, &status, ") OVERRIDING SYSTEM VALUE SELECT ");
    for (size_t i = 0; i < run->columns.n; i++) {
        const struct rb_column *column = &run->columns.items[i];
        add(run, &status, i > 0 ? ", " : "");
        if (run->n_arrays == 0) {
            add_unnest(run, &status, i, &param);
        } else if (status == 0) {
            bool is_array = element_type(column) == NULL;
            record += is_array ? 1 : 0;
            status = is_array ? rb_buf_printf(&run->sql, "(s.r).a%zu", record)
                              : rb_buf_printf(&run->sql, "s.c%zu", i);
        }
        if (column->form == RB_FORM_LABEL) {
            add(run, &status, "::");
            add(run, &status, column->declared);
        }
    }
    if (run->n_arrays > 0) {
        add_unnested(run, &status);
    }
    return built(status, err);
}

/* The stream's checksum is over rows in COPY's form, which INSERT does not send. */
static int hash_batch(struct run *run, struct rb_buf *scratch, struct rb_error *err)
{
    int status = bind_batch(run, err);
    while (status == 0) {
        rb_buf_clear(scratch);
        status = rb_encoder_rows(run->encoder, scratch, RB_CONN_COPY_MESSAGE_BYTES, err);
    }
    return status < 0 ? status : 0;
}

/* One parameter for each column, and a last one for those of array types. */
static int encode_params(struct run *run, struct rb_buf *arrays, struct rb_query_param *params,
                         size_t *ret_n, struct rb_error *err)
{
    size_t n = 0;
    int status = bind_batch(run, err);
    for (size_t i = 0; status == 0 && i < run->columns.n; i++) {
        const struct rb_type *type = element_type(&run->columns.items[i]);
        if (type == NULL) {
            continue;
        }
        rb_buf_clear(&arrays[n]);
        status = rb_encoder_array(run->encoder, i, type->oid, &arrays[n++], err);
    }
    if (status == 0 && run->n_arrays > 0) {
        rb_buf_clear(&arrays[n]);
        status = rb_encoder_records(run->encoder, run->arrays, run->array_oids, run->n_arrays,
                                    run->record_oid, &arrays[n++], err);
    }
    for (size_t i = 0; i < n; i++) {
        params[i] = (struct rb_query_param){
            .value = arrays[i].data, .len = arrays[i].len, .format = RB_QUERY_BINARY};
    }
    *ret_n = n;
    return status;
}

static int insert_batch(struct run *run, struct rb_buf *arrays, struct rb_query_param *params,
                        struct rb_error *err)
{
    struct rb_query_result result;
    size_t n_params = 0;
    double start = rb_clock_secs();
    int status = hash_batch(run, &arrays[0], err);
    status = status < 0 ? status : encode_params(run, arrays, params, &n_params, err);
    if (status < 0 || run->load->reader->decoder.n_rows == 0) {
        return status;
    }
    double encoded = rb_clock_secs();
    run->load->decode_secs += encoded - start;
    rb_query_result_init(&result);
    status = rb_query_run(run->dest->conn, rb_buf_str(&run->sql), params, n_params, RB_QUERY_TEXT,
                          &result, err);
    run->load->flush_secs += rb_clock_secs() - encoded;
    if (status == 0) {
        run->sent += result.n_affected;
    }
    rb_query_result_release(&result);
    return status;
}

static int load_by_insert(struct run *run, struct rb_error *err)
{
    size_t n = run->columns.n;
    struct rb_buf *arrays = calloc(n, sizeof *arrays);
    struct rb_query_param *params = calloc(n, sizeof *params);
    int status = arrays == NULL || params == NULL ? no_memory(err) : prepare_records(run, err);
    status = status < 0 ? status : build_insert(run, err);
    for (size_t i = 0; status == 0 && i < n; i++) {
        rb_buf_init(&arrays[i], (size_t)run->load->context->max_batch_bytes + ARRAY_SLACK);
    }
    while (status == 0) {
        status = insert_batch(run, arrays, params, err);
        status = status < 0 ? status : next_batch(run, err);
    }
    for (size_t i = 0; arrays != NULL && i < n; i++) {
        rb_buf_release(&arrays[i]);
    }
    free(arrays);
    free(params);
    return status < 0 ? status : 0;
}

/* The column's index among the chosen ones, or SIZE_MAX. */
static size_t chosen_column(const struct run *run, const char *name)
{
    for (size_t i = 0; i < run->columns.n; i++) {
        if (strcmp(run->columns.items[i].name, name) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

static const char *key_name(const struct run *run, size_t i)
{
    return rb_json_text(rb_json_item(run->load->primary_key, i), "");
}

static int check_key(struct run *run, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    int status = 0;
    rb_buf_clear(&run->sql);
    add(run, &status, "SELECT FROM " TEMPORARY " WHERE ");
    for (size_t i = 0; status == 0 && i < rb_json_count(run->load->primary_key); i++) {
        add(run, &status, i > 0 ? " OR " : "");
        add_name(run, &status, key_name(run, i), err);
        add(run, &status, " IS NULL");
    }
    add(run, &status, " LIMIT 1");
    status = built(status, err);
    status = status < 0 ? status
                        : rb_query_run(run->dest->conn, rb_buf_str(&run->sql), NULL, 0,
                                       RB_QUERY_TEXT, &r, err);
    if (status == 0 && r.n_rows > 0) {
        return rb_error_set(err, RB_EDATA, "NULL_IN_KEY",
                            "a row has NULL in its primary key, by which it would be upserted");
    }
    return status;
}

static void add_key_values(struct run *run, int *status, struct rb_error *err)
{
    for (size_t i = 0; i < rb_json_count(run->load->primary_key); i++) {
        add(run, status, i > 0 ? ", " : "");
        add_value(run, status, chosen_column(run, key_name(run, i)), err);
    }
}

static bool is_key(const struct run *run, const char *name)
{
    for (size_t i = 0; i < rb_json_count(run->load->primary_key); i++) {
        if (strcmp(key_name(run, i), name) == 0) {
            return true;
        }
    }
    return false;
}

static void add_conflict(struct run *run, int *status, struct rb_error *err)
{
    bool any = false;
    add(run, status, " ON CONFLICT (");
    for (size_t i = 0; i < rb_json_count(run->load->primary_key); i++) {
        add(run, status, i > 0 ? ", " : "");
        add_name(run, status, key_name(run, i), err);
    }
    for (size_t i = 0; i < run->columns.n; i++) {
        const char *name = run->columns.items[i].name;
        if (is_key(run, name)) {
            continue;
        }
        add(run, status, any ? ", " : ") DO UPDATE SET ");
        add_name(run, status, name, err);
        add(run, status, " = EXCLUDED.");
        add_name(run, status, name, err);
        any = true;
    }
    if (!any) {
        add(run, status, ") DO NOTHING");
    }
}

/* From the temporary table into the target. */
static int move_rows(struct run *run, struct rb_error *err)
{
    bool upsert = !rb_json_is_absent(run->load->primary_key);
    int status = upsert ? check_key(run, err) : 0;
    rb_buf_clear(&run->sql);
    add(run, &status, "INSERT INTO ");
    add(run, &status, run->load->target->relation);
    add(run, &status, " (");
    add_names(run, &status, err);
    add(run, &status, ") OVERRIDING SYSTEM VALUE SELECT ");
    if (upsert) {
        add(run, &status, "DISTINCT ON (");
        add_key_values(run, &status, err);
        add(run, &status, ") ");
    }
    for (size_t i = 0; status == 0 && i < run->columns.n; i++) {
        add(run, &status, i > 0 ? ", " : "");
        add_value(run, &status, i, err);
    }
    add(run, &status, " FROM " TEMPORARY " ORDER BY ");
    if (upsert) {
        add_key_values(run, &status, err);
        add(run, &status, ", " POSITION " DESC");
        add_conflict(run, &status, err);
    } else {
        add(run, &status, POSITION);
    }
    status = built(status, err);
    return status < 0 ? status
                      : rb_query_exec_count(run->dest->conn, rb_buf_str(&run->sql),
                                            &run->load->affected, err);
}

static int check_key_columns(const struct run *run, struct rb_error *err)
{
    for (size_t i = 0; i < rb_json_count(run->load->primary_key); i++) {
        if (chosen_column(run, key_name(run, i)) == SIZE_MAX) {
            return rb_error_set(err, RB_ESCHEMA, "NO_KEY_COLUMN",
                                "primary key column \"%s\" is not among the columns loaded",
                                key_name(run, i));
        }
    }
    return 0;
}

static int load_rows(struct run *run, struct rb_load *load, struct rb_error *err)
{
    int status = run_init(run, load, err);
    status = status < 0 ? status : check_key_columns(run, err);
    if (status == 0 && run->indirect) {
        status = create_temporary(run, err);
    }
    if (status < 0) {
        return status;
    }
    status = load->dest->insert && run->columns.n > 0 ? load_by_insert(run, err)
                                                      : load_by_copy(run, err);
    if (status < 0) {
        return status;
    }
    load->rows = rb_encoder_row_count(run->encoder);
    load->bytes = rb_encoder_bytes(run->encoder);
    load->affected = run->sent;
    load->has_checksum = run->columns.n == load->columns->n;
    load->checksum = rb_encoder_checksum(run->encoder);
    if (run->sent != load->rows) {
        return rb_error_set(err, RB_EDATA, "VERIFY_MISMATCH",
                            "%lld rows were sent, the server took %lld", (long long)load->rows,
                            (long long)run->sent);
    }
    double start = rb_clock_secs();
    status = run->indirect ? move_rows(run, err) : 0;
    load->flush_secs += rb_clock_secs() - start;
    if (status == 0 && rb_json_is_absent(load->primary_key) && load->affected != load->rows) {
        return rb_error_set(err, RB_EDATA, "VERIFY_MISMATCH",
                            "%lld rows were sent, %lld are in the table", (long long)load->rows,
                            (long long)load->affected);
    }
    return status;
}

int rb_load_run(struct rb_load *load, struct rb_error *err)
{
    struct run run = {.sql = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX)};
    int status = load_rows(&run, load, err);
    run_release(&run);
    return status;
}
