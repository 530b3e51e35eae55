/* Rows by INSERT: one array a column, taken apart by unnest; a piece of a batch a statement. */
#include <stdlib.h>
#include <string.h>

#include "connectors/postgres/dest/load.h"
#include "gen/connectors/postgres/dest/sql.h"

#define RECORDS "pg_temp.rapidbyte_arrays"
#define STATEMENT "rapidbyte_insert"

enum {
    ARRAY_SLACK = 64 * 1024 * 1024, /* bytes of a column's array beyond the largest batch */
    PIECE_BYTES = 128 * 1024,       /* of a batch, about; the server is slower with twice of it */
    PIECES_MAX = 3,                 /* sent before the first one's answer is there */
    KEPT_MAX = 2 * 1024 * 1024,     /* room for a batch; nothing is sent ahead of a larger one */
};

static const double soon_secs = 0.5;

/* Rows of a batch that go in one statement. */
struct piece {
    int64_t first;
    bool of_kept; /* of the kept batch, else of the bound one */
};

struct insert {
    struct rb_loading *run;
    struct rb_buf *bytes; /* of each parameter */
    struct rb_query_param *params;
    /* the columns of array types, which travel as records */
    size_t *arrays;
    uint32_t *array_oids;
    size_t n_arrays;
    uint32_t record_oid;
    struct rb_buf kept;            /* the batch before the bound one */
    struct piece sent[PIECES_MAX]; /* whose answers are still to come */
    size_t n_sent;
    bool is_saved; /* there is a savepoint */
    bool in_step;  /* nothing is sent ahead: answers do not come soon, or notices come with them */
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
    rb_buf_release(&insert->kept);
}

static int insert_init(struct insert *insert, struct rb_loading *run, struct rb_error *err)
{
    size_t n = run->columns.n;
    rb_buf_init(&insert->kept, run->load->reader->bytes.max);
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
    dest->wants_temporary = true;
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

/* Sends the rows, behind `before`. */
static int push(struct insert *insert, const char *before, int64_t first, int64_t end,
                struct rb_error *err)
{
    struct rb_loading *run = insert->run;
    size_t n_params = 0;
    double start = rb_clock_secs();
    rb_loading_begin_try(run, before, first, err);
    int status = rb_statement_end(&run->tried);
    status = status < 0 ? status : encode(insert, first, end, &n_params, err);
    double encoded = rb_clock_secs();
    run->load->decode_secs += encoded - start;
    if (status == 0) {
        status = rb_query_push(run->dest->conn, rb_buf_str(&run->tried.text), STATEMENT,
                               insert->params, n_params, err);
        run->load->flush_secs += rb_clock_secs() - encoded;
    }
    return status;
}

/* The server names the parameter that it can't take, "$3" at the end whatever its language; which
 * column that is, we know. Arrays share the last one. */
static void name_parameter(const struct insert *insert, struct rb_error *err)
{
    const char *at = err != NULL ? strrchr(err->detail, '$') : NULL;
    unsigned long number = at != NULL ? strtoul(at + 1, NULL, 10) : 0;
    const struct rb_columns *columns = &insert->run->columns;
    for (size_t i = 0; number > 0 && i < columns->n; i++) {
        number -= element_type(&columns->items[i]) != NULL;
        if (number == 0) {
            rb_error_prefix(err, "column \"%s\"", columns->items[i].name);
        }
    }
}

static int pull(struct insert *insert, struct rb_error *err)
{
    struct rb_loading *run = insert->run;
    struct rb_conn *conn = run->dest->conn;
    unsigned notices = rb_conn_notices(conn);
    int64_t rows = 0;
    double start = rb_clock_secs();
    int status = rb_query_pull(conn, &rows, err);
    if (status < 0) {
        name_parameter(insert, err);
    }
    double secs = rb_clock_secs() - start;
    insert->in_step = secs > soon_secs || rb_conn_notices(conn) != notices;
    run->load->flush_secs += secs;
    run->sent += status == 0 ? rows : 0;
    return status;
}

static int insert_range(void *self, const char *before, int64_t first, int64_t end,
                        int64_t *ret_suspect, struct rb_error *err)
{
    struct rb_loading *run = self;
    (void)ret_suspect; /* INSERT does not say which row it was */
    /* Even if nothing can be sent: the caller goes back to the savepoint in `before`. */
    int status = rb_query_exec(run->dest->conn, before, err);
    status = status < 0 ? status : push(run->insert, "", first, end, err);
    return status < 0 ? status : pull(run->insert, err);
}

/* With nothing under way: the bound batch from `first` on, its refused rows looked for. */
static int insert_slowly(struct insert *insert, int64_t first, struct rb_error *err)
{
    return rb_loading_range(insert->run, first, insert_range, err);
}

/* The same of the batch before the bound one, which is bound again afterwards. */
static int insert_kept_slowly(struct insert *insert, int64_t first, struct rb_error *err)
{
    struct rb_loading *run = insert->run;
    struct rb_encoder *encoder = run->encoder;
    int64_t counted = rb_encoder_counted(encoder);
    int64_t batch_first = run->batch_first;
    int status = rb_batch_reader_swap(run->load->reader, &insert->kept, err);
    status = status < 0 ? status : rb_loading_bind(run, err);
    if (status == 0) {
        run->batch_first -= rb_loading_rows(run);
        rb_encoder_set_counted(encoder, rb_loading_rows(run));
        status = insert_slowly(insert, first, err);
    }
    if (status == 0) {
        run->batch_first = batch_first;
        status = rb_batch_reader_swap(run->load->reader, &insert->kept, err);
    }
    status = status < 0 ? status : rb_loading_bind(run, err);
    if (status == 0) {
        rb_encoder_set_counted(encoder, counted);
    }
    return status;
}

/* Answers that say no more than the one before them: the transaction is aborted. */
static void drop_answers(struct insert *insert)
{
    struct rb_conn *conn = insert->run->dest->conn;
    for (size_t i = 0; i < insert->n_sent && rb_conn_is_usable(conn); i++) {
        int64_t none;
        (void)rb_query_pull(conn, &none, NULL);
    }
    insert->n_sent = 0;
}

static int release_savepoint(struct insert *insert, const char *how, struct rb_error *err)
{
    insert->is_saved = false;
    return rb_query_exec(insert->run->dest->conn, how, err);
}

/* Takes the answer for what was sent first. Where that was refused, what was sent behind it was in
 * vain; its batch is completed the slow way, and *ret_next is then the row of the bound batch to go
 * on with. */
static int settle(struct insert *insert, int64_t *ret_next, struct rb_error *err)
{
    const struct piece piece = insert->sent[0];
    struct rb_error why;
    rb_error_clear(&why);
    int status = pull(insert, &why);
    insert->n_sent--;
    memmove(insert->sent, insert->sent + 1, insert->n_sent * sizeof *insert->sent);
    if (status == 0) {
        return 0;
    }
    if (status != RB_ECANCELLED) {
        drop_answers(insert);
    }
    if (status != RB_EDATA || !rb_conn_is_usable(insert->run->dest->conn)) {
        if (err != NULL) {
            *err = why;
        }
        return status;
    }
    status = release_savepoint(insert, RB_RANGE_UNDO RB_RANGE_KEEP, err);
    if (status < 0) {
        return status;
    }
    *ret_next = piece.of_kept ? 0 : rb_loading_rows(insert->run);
    return piece.of_kept ? insert_kept_slowly(insert, piece.first, err)
                         : insert_slowly(insert, piece.first, err);
}

/* Of what is under way no more than `n`, or no more than the bound batch's. */
static int settle_down_to(struct insert *insert, size_t n, bool of_kept, int64_t *ret_next,
                          struct rb_error *err)
{
    int status = 0;
    while (status == 0 && insert->n_sent > n && (!of_kept || insert->sent[0].of_kept)) {
        status = settle(insert, ret_next, err);
    }
    return status;
}

/* Row `first` of the bound batch, or one behind it, can't be sent. */
static int insert_unsendable(struct insert *insert, int64_t first, struct rb_error *err)
{
    int status = settle_down_to(insert, 0, false, &first, err);
    if (status == 0 && insert->is_saved) {
        status = release_savepoint(insert, RB_RANGE_KEEP, err);
    }
    return status < 0 ? status : insert_slowly(insert, first, err);
}

/* Sends the bound batch from `first` on, piece by piece, before the answers for the pieces before
 * are there, so that the server has always something to do. */
static int insert_batch(struct insert *insert, int64_t first, struct rb_error *err)
{
    struct rb_loading *run = insert->run;
    int64_t rows = rb_loading_rows(run);
    int64_t n = rows / (int64_t)(run->load->reader->bytes.len / PIECE_BYTES + 1) + 1;
    int status = 0;
    while (status == 0 && first < rows) {
        struct rb_error why;
        rb_error_clear(&why);
        int64_t end = first + n < rows ? first + n : rows;
        const char *before = insert->is_saved ? RB_RANGE_KEEP RB_RANGE_SAVE : RB_RANGE_SAVE;
        status = push(insert, before, first, end, &why);
        if (status == RB_EDATA) {
            return insert_unsendable(insert, first, err);
        }
        if (status < 0) {
            if (err != NULL) {
                *err = why;
            }
            return status;
        }
        insert->is_saved = true;
        insert->sent[insert->n_sent++] = (struct piece){.first = first};
        first = end;
        size_t ahead = insert->in_step ? 0 : PIECES_MAX - 1;
        status = settle_down_to(insert, ahead, false, &first, err);
    }
    return status;
}

/* Before the next batch takes the kept one's place, none of that may be under way; and nothing of a
 * batch that is too large to be kept. */
static int next_batch(struct insert *insert, struct rb_error *err)
{
    int64_t rows = rb_loading_rows(insert->run);
    int64_t next = rows;
    int status = settle_down_to(insert, 0, true, &next, err);
    if (status == 0 && next < rows) {
        status = insert_batch(insert, next, err);
    }
    bool keeps = insert->run->load->reader->bytes.cap <= KEPT_MAX;
    if (status == 0 && !keeps) {
        status = settle_down_to(insert, 0, false, &next, err);
    }
    status = status < 0 ? status : rb_loading_next(insert->run, keeps ? &insert->kept : NULL, err);
    for (size_t i = 0; status == 0 && i < insert->n_sent; i++) {
        insert->sent[i].of_kept = true;
    }
    return status;
}

static int insert_all(struct insert *insert, struct rb_error *err)
{
    struct rb_loading *run = insert->run;
    int64_t next;
    int status = 0;
    while (status == 0) {
        status = rb_loading_bind(run, err);
        if (status == 0 && run->dest->dry) {
            status = push(insert, "", 0, 0, err);
            status = status < 0 ? status : pull(insert, err);
        }
        status = status < 0 ? status : insert_batch(insert, 0, err);
        status = status < 0 ? status : next_batch(insert, err);
    }
    status = status < 0 ? status : settle_down_to(insert, 0, false, &next, err);
    if (status < 0 && status != RB_ECANCELLED) {
        drop_answers(insert);
    }
    return status == 0 && insert->is_saved ? release_savepoint(insert, RB_RANGE_KEEP, err) : status;
}

int rb_loading_insert(struct rb_loading *run, struct rb_error *err)
{
    RB_CLEANUP(insert_release) struct insert insert = {.run = run, .in_step = true};
    int status = insert_init(&insert, run, err);
    status = status < 0 ? status : prepare_records(&insert, err);
    status = status < 0 ? status : build(&insert, err);
    status = status < 0
                 ? status
                 : rb_query_prepare(run->dest->conn, STATEMENT, rb_buf_str(&run->sql.text), err);
    status = status < 0 ? status : rb_loading_as_user(run, true, err);
    run->insert = &insert;
    status = status < 0 ? status : insert_all(&insert, err);
    run->insert = NULL;
    return status < 0 ? status : rb_loading_as_user(run, false, err);
}
