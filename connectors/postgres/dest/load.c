/*
 * Rows into a table, within the open transaction: by COPY or by INSERT from arrays; straight into
 * the target, or into a temporary table when rows have to be de-duplicated (upsert) or cast (types
 * that travel as text). Binary COPY into a text column and one cast there costs about what text
 * COPY would, and every other column stays binary.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "connectors/postgres/common/copy.h"
#include "connectors/postgres/common/settings.h"
#include "connectors/postgres/dest/load.h"

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for the load");
}

static void run_release(struct rb_loading *run)
{
    free(run->columns.items);
    free(run->children);
    rb_encoder_free(run->encoder);
    rb_statement_release(&run->sql);
    rb_statement_release(&run->tried);
    rb_rejects_release(&run->rejects);
}

static int run_init(struct rb_loading *run, struct rb_load *load, struct rb_error *err)
{
    size_t n = load->mapping->n;
    struct rb_encoder_options options = {
        .max_record_bytes = (size_t)load->context->max_record_bytes, .checksum = true};
    run->load = load;
    run->dest = load->dest;
    run->indirect = load->mapping->any_cast || !rb_json_is_absent(load->primary_key);
    run->columns.items = calloc(n + 1, sizeof(struct rb_column));
    run->children = calloc(n + 1, sizeof(struct ArrowArrayView *));
    if (run->columns.items == NULL || run->children == NULL) {
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
    int status = rb_rejects_init(&run->rejects, load->dest, load->context, &run->columns, err);
    return status < 0 ? status : rb_encoder_new(&run->columns, &options, &run->encoder, err);
}

const char *rb_loading_relation(const struct rb_loading *run)
{
    return run->indirect ? RB_LOAD_TEMPORARY : run->load->target->relation;
}

int rb_loading_bind(struct rb_loading *run, struct rb_error *err)
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
    int status = rb_encoder_bind(run->encoder, &chosen, err);
    run->bound = status == 0;
    return status;
}

int64_t rb_loading_rows(const struct rb_loading *run)
{
    return run->load->reader->decoder.n_rows;
}

int rb_loading_next(struct rb_loading *run, struct rb_buf *kept, struct rb_error *err)
{
    struct rb_batch_reader *reader = run->load->reader;
    int64_t rows = rb_loading_rows(run);
    if (kept != NULL) {
        rb_buf_swap(&reader->bytes, kept);
    }
    int status = rb_batch_reader_next(reader, err);
    if (status == 1) {
        if (kept != NULL) {
            rb_buf_swap(&reader->bytes, kept);
        }
        return 1; /* the last batch stays at hand */
    }
    run->batch_first += rows;
    run->bound = false;
    if (status == 0 && reader->schema_changed) {
        return rb_error_set(err, RB_ESCHEMA, "SCHEMA_CHANGED",
                            "the columns changed within the stream");
    }
    return status;
}

/* The name by which the server speaks of the table that rows come into. */
static const char *copy_table(const struct rb_loading *run)
{
    return run->indirect ? RB_LOAD_TEMPORARY_NAME : run->load->target->name;
}

/* Says which row of the stream an error is about, as far as that is known. */
static void explain(const struct rb_loading *run, int64_t position, struct rb_error *err)
{
    int64_t row = position - run->batch_first - 1;
    bool at_hand = run->bound && row >= 0 && row < rb_loading_rows(run);
    rb_locate_prefix(err, copy_table(run), position, run->load,
                     at_hand ? run->load->reader->decoder.view : NULL, row);
}

/* What the encoder has sought, as CopyData. */
static int copy_rows(struct rb_loading *run, struct rb_error *err)
{
    struct rb_buf *out = rb_copy_in_buf(run->dest->conn);
    int status = 0;
    while (status == 0) {
        double start = rb_clock_secs();
        status = rb_encoder_rows(run->encoder, out, RB_CONN_COPY_MESSAGE_BYTES, err);
        double encoded = rb_clock_secs();
        run->load->decode_secs += encoded - start;
        if (status < 0) {
            return status;
        }
        int pushed = RB_FAULT(DEST_COPY_DATA, err);
        pushed = pushed < 0 ? pushed : rb_copy_in_push(run->dest->conn, err);
        pushed = pushed < 0 ? pushed : RB_FAULT(DEST_COPY_DATA_SENT, err);
        run->load->flush_secs += rb_clock_secs() - encoded;
        if (pushed < 0) {
            return pushed;
        }
    }
    return status < 0 ? status : 0;
}

static int copy_begin(struct rb_loading *run, const struct rb_statement *sql, struct rb_error *err)
{
    int status = rb_copy_in_begin(run->dest->conn, rb_buf_str(&sql->text), err);
    struct rb_buf *out = rb_copy_in_buf(run->dest->conn);
    if (status == 0 &&
        rb_buf_append(out, rb_copy_binary_header, sizeof rb_copy_binary_header) < 0) {
        status = no_memory(err);
    }
    return status < 0 ? status : RB_FAULT(DEST_COPY_BEGUN, err);
}

/* status: of the rows; 0 when all of them are in the COPY. */
static int copy_end(struct rb_loading *run, int status, int64_t *ret_rows, struct rb_error *err)
{
    struct rb_conn *conn = run->dest->conn;
    status = status < 0 ? status : RB_FAULT(DEST_COPY_DONE, err);
    if (status == 0 && rb_codec_append_trailer(rb_copy_in_buf(conn)) < 0) {
        status = no_memory(err);
    }
    if (status < 0) {
        if (status != RB_ECANCELLED && rb_conn_is_usable(conn)) {
            rb_copy_in_fail(conn, "the load was given up", NULL);
        }
        return status;
    }
    double start = rb_clock_secs();
    status = rb_copy_in_end(conn, ret_rows, err);
    status = status < 0 ? status : RB_FAULT(DEST_COPY_ENDED, err);
    run->load->flush_secs += rb_clock_secs() - start;
    return status;
}

/* Of a temporary table nothing of the user's is run. */
static bool runs_sql(const struct rb_loading *run)
{
    return !run->indirect && run->load->target->runs_sql;
}

int rb_loading_as_user(struct rb_loading *run, bool user, struct rb_error *err)
{
    return !runs_sql(run)
               ? 0
               : rb_query_exec(run->dest->conn, user ? rb_settings_users : rb_settings_own, err);
}

/* With its settings: the user's for the rows, and ours after them. */
static int build_copy(struct rb_loading *run, struct rb_error *err)
{
    struct rb_statement *sql = &run->sql;
    rb_statement_begin(sql, "", err);
    rb_statement_as_user(sql, runs_sql(run));
    rb_statement_add(sql, "COPY ");
    rb_statement_add(sql, rb_loading_relation(run));
    if (run->columns.n > 0) {
        rb_statement_add(sql, " (");
        rb_statement_names(sql, &run->columns);
        rb_statement_add(sql, ")");
    }
    rb_statement_add(sql, " FROM STDIN (FORMAT binary)");
    rb_statement_as_ours(sql, runs_sql(run));
    return rb_statement_end(sql);
}

/* on_data_error: fail: all batches in one COPY. */
static int copy_all(struct rb_loading *run, struct rb_error *err)
{
    int status = build_copy(run, err);
    status = status < 0 ? status : copy_begin(run, &run->sql, err);
    while (status == 0) {
        status = rb_loading_bind(run, err);
        status = status < 0 ? status : copy_rows(run, err);
        status = status < 0 ? status : rb_loading_next(run, NULL, err);
    }
    status = copy_end(run, status < 0 ? status : 0, &run->sent, err);
    if (status == RB_EDATA && err != NULL && err->sqlstate[0] != '\0') {
        explain(run, rb_locate_line(err, copy_table(run)), err);
    }
    return status;
}

void rb_loading_begin_try(struct rb_loading *run, const char *before, int64_t first,
                          struct rb_error *err)
{
    rb_statement_begin(&run->tried, before, err);
    if (run->indirect) {
        rb_temporary_add_position(&run->tried, run->batch_first + first + 1);
    }
}

/* A COPY of its own for some rows of the batch. */
static int copy_range(void *self, const char *before, int64_t first, int64_t end,
                      int64_t *ret_suspect, struct rb_error *err)
{
    struct rb_loading *run = self;
    int64_t rows = 0;
    rb_loading_begin_try(run, before, first, err);
    rb_statement_add(&run->tried, rb_buf_str(&run->sql.text));
    int status = rb_statement_end(&run->tried);
    status = status < 0 ? status : copy_begin(run, &run->tried, err);
    if (status < 0) {
        return status;
    }
    rb_encoder_seek(run->encoder, first, end);
    status = copy_end(run, copy_rows(run, err), &rows, err);
    if (status == RB_EDATA && err != NULL) {
        *ret_suspect = first + rb_locate_line(err, copy_table(run)) - 1;
    }
    run->sent += status == 0 ? rows : 0;
    return status;
}

static int reject_row(void *self, int64_t row, const struct rb_error *why, struct rb_error *err)
{
    struct rb_loading *run = self;
    int64_t position = run->batch_first + row + 1;
    if (run->rejects.policy != RB_REJECT_FAIL) {
        return rb_rejects_encoded(&run->rejects, run->encoder, row, position, why, err);
    }
    if (err != NULL) {
        *err = *why;
        if (why->sqlstate[0] != '\0') { /* else it is the encoder's, which says the row itself */
            explain(run, position, err);
        }
    }
    return why->status;
}

int rb_loading_range(struct rb_loading *run, int64_t first,
                     int (*load)(void *self, const char *before, int64_t first, int64_t end,
                                 int64_t *ret_suspect, struct rb_error *err),
                     struct rb_error *err)
{
    int64_t rows = rb_loading_rows(run);
    const struct rb_range range = {
        .dest = run->dest, .self = run, .window = rows, .load = load, .reject = reject_row};
    return rb_range_load(&range, first, rows, err);
}

/* Batch by batch. */
static int copy_ranges(struct rb_loading *run, struct rb_error *err)
{
    int status = build_copy(run, err);
    while (status == 0) {
        status = rb_loading_bind(run, err);
        if (status == 0 && rb_loading_rows(run) > 0) {
            status = rb_loading_range(run, 0, copy_range, err);
        }
        status = status < 0 ? status : rb_loading_next(run, NULL, err);
    }
    return status < 0 ? status : 0;
}

static int load_by_copy(struct rb_loading *run, struct rb_error *err)
{
    return run->rejects.policy == RB_REJECT_FAIL || run->dest->dry ? copy_all(run, err)
                                                                   : copy_ranges(run, err);
}

size_t rb_loading_column(const struct rb_loading *run, const char *name)
{
    for (size_t i = 0; i < run->columns.n; i++) {
        if (strcmp(run->columns.items[i].name, name) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

static int check_key_columns(const struct rb_loading *run, struct rb_error *err)
{
    for (size_t i = 0; i < rb_json_count(run->load->primary_key); i++) {
        const char *name = rb_json_text(rb_json_item(run->load->primary_key, i), "");
        if (rb_loading_column(run, name) == SIZE_MAX) {
            return rb_error_set(err, RB_ESCHEMA, "NO_KEY_COLUMN",
                                "primary key column \"%s\" is not among the columns loaded", name);
        }
    }
    return 0;
}

/* Rows that came in, were left out, and are in the table must add up. */
static int check_count(int64_t expected, int64_t counted, const char *where, struct rb_error *err)
{
    if (counted == expected) {
        return 0;
    }
    return rb_error_set(err, RB_EDATA, "VERIFY_MISMATCH", "%lld rows were sent, %lld are %s",
                        (long long)expected, (long long)counted, where);
}

static int move_rows(struct rb_loading *run, struct rb_error *err)
{
    struct rb_load *load = run->load;
    int64_t rejected_before = run->rejects.n;
    double start = rb_clock_secs();
    load->affected = 0;
    rb_phase(rb_upsert_is(run) ? "merging rows" : "casting rows");
    int status = rb_temporary_move(run, err);
    load->flush_secs += rb_clock_secs() - start;
    if (status < 0 || !rb_json_is_absent(load->primary_key)) {
        return status; /* an upsert counts a key once */
    }
    return check_count(run->sent, load->affected + run->rejects.n - rejected_before,
                       "in the table or left out", err);
}

static int load_rows(struct rb_loading *run, struct rb_load *load, struct rb_error *err)
{
    int status = run_init(run, load, err);
    status = status < 0 ? status : check_key_columns(run, err);
    if (status == 0 && run->indirect) {
        status = rb_temporary_create(run, err);
        status = status < 0 ? status : RB_FAULT(DEST_TEMPORARY_CREATED, err);
    }
    if (status < 0) {
        return status;
    }
    status = load->dest->insert && run->columns.n > 0 ? rb_loading_insert(run, err)
                                                      : load_by_copy(run, err);
    if (status < 0) {
        return status;
    }
    load->rows = rb_encoder_row_count(run->encoder);
    load->bytes = rb_encoder_bytes(run->encoder);
    load->affected = run->sent;
    load->has_checksum = run->columns.n == load->columns->n && run->rejects.n_unsent == 0;
    load->checksum = rb_encoder_checksum(run->encoder);
    status =
        check_count(load->rows, run->sent + run->rejects.n, "with the server or left out", err);
    if (status == 0 && run->indirect) {
        status = move_rows(run, err);
        status = status < 0 ? status : RB_FAULT(DEST_MOVED, err);
    }
    load->rejected = run->rejects.n;
    if (!rb_upsert_is(run)) {
        load->present = load->rows - load->rejected;
    }
    return status;
}

int rb_load_run(struct rb_load *load, struct rb_error *err)
{
    struct rb_loading run = {.load = load};
    rb_statement_init(&run.sql);
    rb_statement_init(&run.tried);
    rb_statement_init(&run.rejects.sql);
    int status = load_rows(&run, load, err);
    run_release(&run);
    return status;
}
