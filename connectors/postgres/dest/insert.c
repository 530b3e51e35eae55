/* Rows by INSERT: one array a column, taken apart by unnest. */
#include <stdlib.h>

#include "connectors/postgres/dest/load.h"
#include "gen/connectors/postgres/dest/sql.h"

#define RECORDS "pg_temp.rapidbyte_arrays"

enum { ARRAY_SLACK = 64 * 1024 * 1024 }; /* bytes of a column's array beyond the largest batch */

struct insert {
    struct rb_loading *run;
    struct rb_buf *bytes; /* of each parameter */
    struct rb_query_param *params;
    /* the columns of array types, which travel as records */
    size_t *arrays;
    uint32_t *array_oids;
    size_t n_arrays;
    uint32_t record_oid;
};

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for the load");
}

static void insert_release(struct insert *insert)
{
    for (size_t i = 0; insert->bytes != NULL && i < insert->run->columns.n; i++) {
        rb_buf_release(&insert->bytes[i]);
    }
    free(insert->bytes);
    free(insert->params);
    free(insert->arrays);
    free(insert->array_oids);
}

static int insert_init(struct insert *insert, struct rb_loading *run, struct rb_error *err)
{
    size_t n = run->columns.n;
    insert->run = run;
    insert->bytes = calloc(n, sizeof *insert->bytes);
    insert->params = calloc(n, sizeof *insert->params);
    insert->arrays = calloc(n, sizeof *insert->arrays);
    insert->array_oids = calloc(n, sizeof *insert->array_oids);
    if (insert->bytes == NULL || insert->params == NULL || insert->arrays == NULL ||
        insert->array_oids == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < n; i++) {
        rb_buf_init(&insert->bytes[i], (size_t)run->load->context->max_batch_bytes + ARRAY_SLACK);
    }
    return 0;
}

/* A column's type as an array's element. NULL: it is an array itself, which unnest would take
 * apart; such columns travel together, as an array of records. */
static const struct rb_type *element_type(const struct rb_column *column)
{
    bool is_text = column->form == RB_FORM_TEXT || column->form == RB_FORM_LABEL;
    return rb_type_find(is_text ? RB_TYPE_TEXT_OID : column->oid);
}

/* Finds the columns of array types, and makes the table whose row type their records have. */
static int prepare_records(struct insert *insert, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf oids = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    struct rb_dest *dest = insert->run->dest;
    rb_query_result_init(&r);
    for (size_t i = 0; i < insert->run->columns.n; i++) {
        const struct rb_column *column = &insert->run->columns.items[i];
        if (element_type(column) != NULL) {
            continue;
        }
        size_t n = insert->n_arrays++;
        insert->arrays[n] = i;
        insert->array_oids[n] = column->oid;
        if (rb_buf_printf(&oids, "%s%lu", n > 0 ? "," : "{", (unsigned long)column->oid) < 0) {
            return no_memory(err);
        }
    }
    if (insert->n_arrays == 0) {
        return 0;
    }
    const char *text = rb_buf_append_byte(&oids, '}') < 0 ? NULL : rb_buf_str(&oids);
    int status = text == NULL ? no_memory(err)
                              : rb_dest_query(dest, rb_sql_insert_arrays, &text, 1, &r, err);
    if (status == 0 && rb_query_text(&r, 0, 0) == NULL) {
        status = rb_error_set(err, RB_ESCHEMA, "TYPE_MISSING",
                              "the stream has an array type that this server does not know");
    }
    status = status < 0 ? status : rb_query_exec(dest->conn, rb_query_text(&r, 0, 0), err);
    status = status < 0
                 ? status
                 : rb_dest_query_once(dest, "SELECT '" RECORDS "'::regtype::oid", NULL, 0, &r, err);
    if (status == 0) {
        insert->record_oid = (uint32_t)rb_query_int(&r, 0, 0, 0);
    }
    return status;
}

/* unnest of a column's parameter; *param counts them. */
static void add_unnest(struct insert *insert, size_t i, size_t *param)
{
    struct rb_statement *sql = &insert->run->sql;
    rb_statement_add(sql, "unnest($");
    rb_statement_number(sql, (int64_t)++*param);
    rb_statement_add(sql, "::pg_catalog.");
    rb_statement_name(sql, element_type(&insert->run->columns.items[i])->name);
    rb_statement_add(sql, "[])");
}

/* FROM (SELECT unnest(…) AS c0, …, unnest(…) AS r) s */
static void add_unnested(struct insert *insert)
{
    struct rb_statement *sql = &insert->run->sql;
    size_t param = 0;
    rb_statement_add(sql, " FROM (SELECT ");
    for (size_t i = 0; i < insert->run->columns.n; i++) {
        if (element_type(&insert->run->columns.items[i]) != NULL) {
            add_unnest(insert, i, &param);
            rb_statement_add(sql, " AS c");
            rb_statement_number(sql, (int64_t)i);
            rb_statement_add(sql, ", ");
        }
    }
    rb_statement_add(sql, "unnest($");
    rb_statement_number(sql, (int64_t)param + 1);
    rb_statement_add(sql, "::" RECORDS "[]) AS r) s");
}

static int build(struct insert *insert, struct rb_error *err)
{
    struct rb_loading *run = insert->run;
    struct rb_statement *sql = &run->sql;
    size_t param = 0;
    size_t record = 0;
    rb_statement_begin(sql, "INSERT INTO ", err);
    rb_statement_add(sql, rb_loading_relation(run));
    rb_statement_add(sql, " (");
    rb_statement_names(sql, &run->columns);
    rb_statement_add(sql, ") OVERRIDING SYSTEM VALUE SELECT ");
    for (size_t i = 0; i < run->columns.n; i++) {
        const struct rb_column *column = &run->columns.items[i];
        rb_statement_add(sql, i > 0 ? ", " : "");
        if (insert->n_arrays == 0) {
            add_unnest(insert, i, &param);
        } else {
            bool is_array = element_type(column) == NULL;
            record += is_array ? 1 : 0;
            rb_statement_add(sql, is_array ? "(s.r).a" : "s.c");
            rb_statement_number(sql, (int64_t)(is_array ? record : i));
        }
        if (column->form == RB_FORM_LABEL) {
            rb_statement_add(sql, "::");
            rb_statement_add(sql, column->declared);
        }
    }
    if (insert->n_arrays > 0) {
        add_unnested(insert);
    }
    return rb_statement_end(sql);
}

/* The stream's checksum is over rows in COPY's form, which INSERT does not send. */
static int hash_rows(struct rb_encoder *encoder, struct rb_buf *scratch, struct rb_error *err)
{
    int status = 0;
    while (status == 0) {
        rb_buf_clear(scratch);
        status = rb_encoder_rows(encoder, scratch, RB_CONN_COPY_MESSAGE_BYTES, err);
    }
    return status < 0 ? status : 0;
}

/* Some rows of the batch: one parameter for each column, and a last one for those of array types.
 */
static int encode(struct insert *insert, int64_t first, int64_t end, size_t *ret_n,
                  struct rb_error *err)
{
    struct rb_loading *run = insert->run;
    struct rb_buf *bytes = insert->bytes;
    size_t n = 0;
    rb_encoder_seek(run->encoder, first, end);
    int status = hash_rows(run->encoder, &bytes[0], err);
    rb_encoder_seek(run->encoder, first, end);
    for (size_t i = 0; status == 0 && i < run->columns.n; i++) {
        const struct rb_type *type = element_type(&run->columns.items[i]);
        if (type != NULL) {
            rb_buf_clear(&bytes[n]);
            status = rb_encoder_array(run->encoder, i, type->oid, &bytes[n++], err);
        }
    }
    if (status == 0 && insert->n_arrays > 0) {
        rb_buf_clear(&bytes[n]);
        status = rb_encoder_records(run->encoder, insert->arrays, insert->array_oids,
                                    insert->n_arrays, insert->record_oid, &bytes[n++], err);
    }
    for (size_t i = 0; i < n; i++) {
        insert->params[i] = (struct rb_query_param){
            .value = bytes[i].data, .len = bytes[i].len, .format = RB_QUERY_BINARY};
    }
    *ret_n = n;
    return status;
}

static int insert_range(void *self, const char *before, int64_t first, int64_t end,
                        int64_t *ret_suspect, struct rb_error *err)
{
    struct rb_loading *run = self;
    struct rb_query_result result;
    size_t n_params = 0;
    (void)ret_suspect; /* INSERT does not say which row it was */
    double start = rb_clock_secs();
    rb_loading_begin_try(run, before, first, err);
    int status = rb_statement_exec(&run->tried, run->dest, NULL, err);
    double begun = rb_clock_secs();
    status = status < 0 ? status : encode(run->insert, first, end, &n_params, err);
    double encoded = rb_clock_secs();
    run->load->flush_secs += begun - start;
    run->load->decode_secs += encoded - begun;
    if (status < 0) {
        return status;
    }
    rb_query_result_init(&result);
    status = rb_query_run(run->dest->conn, rb_buf_str(&run->sql.text), run->insert->params,
                          n_params, RB_QUERY_TEXT, &result, err);
    run->load->flush_secs += rb_clock_secs() - encoded;
    run->sent += status == 0 ? result.n_affected : 0;
    rb_query_result_release(&result);
    return status;
}

int rb_loading_insert(struct rb_loading *run, struct rb_error *err)
{
    RB_CLEANUP(insert_release) struct insert insert = {.run = run};
    int status = insert_init(&insert, run, err);
    status = status < 0 ? status : prepare_records(&insert, err);
    status = status < 0 ? status : build(&insert, err);
    run->insert = &insert;
    status = status < 0 ? status : rb_loading_ranges(run, insert_range, err);
    run->insert = NULL;
    return status;
}
