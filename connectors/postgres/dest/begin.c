/* rb_begin: the pipeline's lock, the load of this run, what it has already and what earlier ones
 * left.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "connectors/postgres/dest/dest.h"
#include "gen/connectors/postgres/dest/sql.h"

enum { NUMBER_MAX = 24 };

/* What one rb_begin works on. */
struct begin {
    struct rb_dest *dest;
    const char *offered; /* the load to open */
    const char *pipeline;
    const char *key; /* NULL: the load has no name */
    const char *claim;
    struct rb_json_value request;
    const struct rb_stream_context *streams;
    size_t n_streams;
    struct rb_query_result found;   /* load_find.sql */
    struct rb_query_result active;  /* load_active.sql */
    struct rb_query_result left;    /* load_leave.sql */
    struct rb_query_result cursors; /* ledger_cursors.sql */
    struct rb_buf keys;             /* rb_ledger_write_keys */
    bool resumed;                   /* it had begun, by this run or for the key, and goes on */
    bool ended;                     /* the key's load has ended: nothing is to be done */
    bool dry;                       /* a check: all is looked at, and nothing is changed */
    bool unknown;                   /* of a check: there is no ledger yet */
    size_t dropped;                 /* staging tables */
};

static void begin_release(struct begin *begin)
{
    rb_query_result_release(&begin->found);
    rb_query_result_release(&begin->active);
    rb_query_result_release(&begin->left);
    rb_query_result_release(&begin->cursors);
    rb_buf_release(&begin->keys);
}

static const char *load_id(const struct begin *begin)
{
    return begin->resumed || begin->ended ? rb_query_text(&begin->found, 0, 0) : begin->offered;
}

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for names");
}

/* The names of the streams that the load is to bring: a key names the whole document's load,
 * whatever is chosen of it now. */
static int write_names(const struct begin *begin, struct rb_buf *ret, struct rb_error *err)
{
    size_t len = 0;
    struct rb_json_value all = rb_json_get(begin->request, "document_streams");
    const char *text = begin->key != NULL ? rb_json_source(all, &len) : NULL;
    if (text != NULL && rb_json_is_array(all)) {
        return rb_buf_append(ret, text, len) == 0 ? 0 : no_memory(err);
    }
    struct rb_json json;
    rb_json_init(&json, ret);
    rb_json_begin_array(&json);
    for (size_t i = 0; i < begin->n_streams; i++) {
        rb_json_str(&json, begin->streams[i].stream_name);
    }
    rb_json_end_array(&json);
    return rb_json_finish(&json) == 0 ? 0 : no_memory(err);
}

/* A number of milliseconds of the request as a parameter; NULL: without a limit. */
static const char *milliseconds(const struct begin *begin, const char *member, char ret[NUMBER_MAX])
{
    struct rb_json_value value = rb_json_get(begin->request, member);
    if (rb_json_is_absent(value)) {
        return NULL;
    }
    snprintf(ret, NUMBER_MAX, "%" PRId64, rb_json_int(value, -1));
    return ret;
}

static int open_load(struct begin *begin, const char *names, struct rb_error *err)
{
    size_t len = 0;
    RB_CLEANUP(rb_buf_release) struct rb_buf document = RB_BUF_INIT(RB_ABI_JSON_MAX);
    struct rb_json_value value = rb_json_get(begin->request, "document");
    const char *text = rb_json_is_absent(value) ? NULL : rb_json_source(value, &len);
    if (text != NULL && rb_buf_append(&document, text, len) < 0) {
        return no_memory(err);
    }
    const char *params[] = {begin->offered,
                            begin->pipeline,
                            names,
                            begin->dry ? NULL : begin->key, /* another run would wait for it */
                            text != NULL ? rb_buf_str(&document) : NULL,
                            begin->claim};
    return rb_dest_query(begin->dest, rb_sql_load_open, params, 6, NULL, err);
}

static int resume_load(struct begin *begin, const char *names, struct rb_error *err)
{
    const char *id = begin->dry ? NULL : load_id(begin); /* of none: it shows that it may be done */
    const char *params[] = {id, names, begin->claim};
    int status = rb_dest_query(begin->dest, rb_sql_load_resume, params, 3, NULL, err);
    return status < 0 ? status
                      : rb_dest_query(begin->dest, rb_sql_load_forget_units, &id, 1, NULL, err);
}

/* Within a transaction: this run's load, what earlier ones left, leftovers gone. */
static int take_load(struct begin *begin, struct rb_error *err)
{
    struct rb_dest *dest = begin->dest;
    RB_CLEANUP(rb_buf_release) struct rb_buf names = RB_BUF_INIT(RB_ABI_JSON_MAX);
    const char *find[] = {begin->pipeline, begin->key, begin->offered};
    int status = write_names(begin, &names, err);
    status =
        status < 0 ? status : rb_dest_query(dest, rb_sql_load_find, find, 3, &begin->found, err);
    if (status < 0) {
        return status;
    }
    begin->ended = rb_query_bool(&begin->found, 0, 1);
    begin->resumed = rb_query_text(&begin->found, 0, 0) != NULL && !begin->ended;
    if (begin->ended) {
        return 0;
    }
    char keep[NUMBER_MAX];
    const char *leave[] = {begin->pipeline, load_id(begin), milliseconds(begin, "keep_ms", keep),
                           begin->dry ? "false" : "true"};
    bool others = rb_query_bool(&begin->found, 0, 4);
    if (others || begin->resumed) {
        status = rb_dest_query(dest, rb_sql_load_active, find, 1, &begin->active, err);
    }
    /* Before this run's begins: what is given up is not of it. */
    if (status == 0 && others) {
        status = rb_dest_query(dest, rb_sql_load_leave, leave, 4, &begin->left, err);
    }
    if (status == 0) {
        status = begin->resumed ? resume_load(begin, rb_buf_str(&names), err)
                                : open_load(begin, rb_buf_str(&names), err);
    }
    if (status < 0 || begin->dry || !rb_query_bool(&begin->found, 0, 5)) {
        return status;
    }
    return rb_ledger_drop_leftovers(dest, begin->pipeline, &begin->dropped, err);
}

static int check_rows(const struct begin *begin, const struct rb_query_result *ledger,
                      struct rb_error *err)
{
    return ledger->n_rows == begin->n_streams
               ? 0
               : rb_error_set(err, RB_EINTERNAL, "LEDGER",
                              "the ledger told of %zu streams, not %zu", ledger->n_rows,
                              begin->n_streams);
}

static bool any_incremental(const struct begin *begin)
{
    size_t i = 0;
    while (i < begin->n_streams && begin->streams[i].sync_mode != RB_CONTEXT_INCREMENTAL) {
        i++;
    }
    return i < begin->n_streams;
}

/* Where the streams stand, if that matters. ret_gone: whether the table of one may not be there. */
static int read_cursors(struct begin *begin, bool *ret_gone, struct rb_error *err)
{
    const char *params[] = {begin->pipeline, rb_buf_str(&begin->keys), begin->dest->config.schema};
    struct rb_query_result *cursors = &begin->cursors;
    *ret_gone = true;
    if (!begin->resumed && !any_incremental(begin)) {
        return 0;
    }
    int status = rb_dest_query(begin->dest, rb_sql_ledger_cursors, params, 3, cursors, err);
    status = status < 0 ? status : check_rows(begin, cursors, err);
    size_t i = 0;
    while (status == 0 && i < cursors->n_rows && !rb_query_bool(cursors, i, 2)) {
        i++;
    }
    *ret_gone = i < cursors->n_rows;
    return status;
}

/* Within a transaction: what the ledger says of tables that are not there any more is void; where
 * the streams stand. */
static int void_gone(struct begin *begin, struct rb_error *err)
{
    if (begin->ended) {
        return 0;
    }
    bool gone = true;
    const char *schema = begin->dest->config.schema;
    const char *keys = rb_buf_str(&begin->keys);
    const char *receipts[] = {begin->dry ? NULL : load_id(begin), keys, schema};
    const char *checkpoints[] = {begin->dry ? NULL : begin->pipeline, keys, schema};
    int status = 0;
    /* A load that begins now has no receipts yet, or they are of this run's own. */
    if (begin->resumed) {
        status = rb_dest_query(begin->dest, rb_sql_ledger_void_receipts, receipts, 3, NULL, err);
    }
    status = status < 0 ? status : read_cursors(begin, &gone, err);
    if (status < 0 || !(gone || begin->dry)) { /* a check shows that it may be done */
        return status;
    }
    return rb_dest_query(begin->dest, rb_sql_ledger_void_checkpoints, checkpoints, 3, NULL, err);
}

static int begin_load(struct begin *begin, struct rb_error *err)
{
    struct rb_dest *dest = begin->dest;
    bool any_writer = false;
    int status = rb_dest_connect(dest, err);
    status = status < 0 ? status : RB_FAULT(DEST_BEGIN_CONNECTED, err);
    status = status < 0 ? status : rb_ledger_ensure(dest, err);
    status = status < 0 ? status : rb_dest_lock_pipeline(dest, begin->pipeline, &any_writer, err);
    status = status < 0 ? status : RB_FAULT(DEST_PIPELINE_LOCKED, err);
    status = status < 0 || !any_writer ? status : rb_dest_end_writers(dest, begin->pipeline, err);
    status = status < 0 ? status : rb_query_exec(dest->conn, rb_sql_load_begin, err);
    status = status < 0 ? status : take_load(begin, err);
    status = status < 0 ? status : RB_FAULT(DEST_LOAD_TAKEN, err);
    status = status < 0 ? status : void_gone(begin, err);
    status = status < 0 ? status : RB_FAULT(DEST_BEGIN_COMMIT, err);
    status = status < 0 ? status : rb_query_exec(dest->conn, "COMMIT", err);
    return status < 0 ? status : RB_FAULT(DEST_BEGIN_COMMITTED, err);
}

/* What begin_load would find and be refused, without its locks. Rows that others may want are not
 * touched: the statements are the same, of no load. */
static int look(struct begin *begin, struct rb_error *err)
{
    struct rb_dest *dest = begin->dest;
    bool exists = false;
    int status = rb_dest_connect(dest, err);
    status = status < 0 ? status : rb_ledger_check(dest, &exists, err);
    status = status < 0 ? status : rb_dest_look_at_lock(dest, begin->pipeline, err);
    begin->unknown = !exists;
    if (status < 0 || begin->unknown) {
        return status;
    }
    status = rb_query_exec(dest->conn, "BEGIN", err);
    status = status < 0 ? status : take_load(begin, err);
    status = status < 0 ? status : void_gone(begin, err);
    return status < 0 ? status : rb_query_exec(dest->conn, "ROLLBACK", err);
}

static void write_raw(struct rb_json *json, const char *name, const struct rb_query_result *result,
                      size_t row, size_t column)
{
    size_t len = 0;
    const char *text = rb_query_value(result, row, column, &len);
    rb_json_member_raw(json, name, text, text != NULL ? len : 0);
}

/* Of each stream a row, or no rows: there is nothing to say. */
struct past {
    struct rb_query_result receipts; /* ledger_receipts.sql */
    struct rb_query_result appended; /* ledger_appended.sql */
};

static void past_release(struct past *past)
{
    rb_query_result_release(&past->receipts);
    rb_query_result_release(&past->appended);
}

/* Only what there is: of most streams there is nothing, and there may be very many. */
static void write_stream(const struct begin *begin, const struct past *past, size_t row,
                         struct rb_json *ret)
{
    const struct rb_query_result *receipts = &past->receipts;
    const struct rb_query_result *appended = &past->appended;
    rb_json_begin_object(ret);
    rb_json_member_str(ret, "stream_name", begin->streams[row].stream_name);
    if (rb_query_text(receipts, row, 0) != NULL) {
        rb_json_member_bool(ret, "loaded", rb_query_bool(receipts, row, 0));
        rb_json_member_i64(ret, "rows", rb_query_int(receipts, row, 1, 0));
        rb_json_member_i64(ret, "bytes", rb_query_int(receipts, row, 2, 0));
        rb_json_member_i64(ret, "parts", rb_query_int(receipts, row, 3, 0));
    }
    if (rb_query_text(&begin->cursors, row, 0) != NULL) {
        write_raw(ret, "checkpoint", &begin->cursors, row, 0);
        rb_json_member_str(ret, "checkpoint_load_id", rb_query_text(&begin->cursors, row, 1));
    }
    if (rb_query_text(appended, row, 0) != NULL) {
        rb_json_key(ret, "appended_by");
        rb_json_begin_object(ret);
        rb_json_member_str(ret, "load_id", rb_query_text(appended, row, 0));
        rb_json_member_i64(ret, "started_ms", rb_query_int(appended, row, 1, 0));
        rb_json_member_i64(ret, "rows", rb_query_int(appended, row, 2, 0));
        write_raw(ret, "document", appended, row, 3);
        rb_json_end_object(ret);
    }
    rb_json_end_object(ret);
}

/* A load that begins now has no receipts; what was appended is of an unfinished one. */
static int read_past(const struct begin *begin, struct past *ret, struct rb_error *err)
{
    char skip[NUMBER_MAX];
    struct rb_dest *dest = begin->dest;
    const char *keys = rb_buf_str(&begin->keys);
    const char *schema = dest->config.schema;
    const char *receipts[] = {load_id(begin), keys, schema};
    const char *appended[] = {load_id(begin), begin->pipeline, keys, schema,
                              milliseconds(begin, "skip_ms", skip)};
    int status = 0;
    if (begin->resumed) {
        status = rb_dest_query(dest, rb_sql_ledger_receipts, receipts, 3, &ret->receipts, err);
        status = status < 0 ? status : check_rows(begin, &ret->receipts, err);
    }
    if (status == 0 && begin->left.n_rows > 0) {
        status = rb_dest_query(dest, rb_sql_ledger_appended, appended, 5, &ret->appended, err);
        status = status < 0 ? status : check_rows(begin, &ret->appended, err);
    }
    return status;
}

static int write_streams(const struct begin *begin, struct rb_json *ret, struct rb_error *err)
{
    RB_CLEANUP(past_release) struct past past;
    rb_query_result_init(&past.receipts);
    rb_query_result_init(&past.appended);
    int status = begin->ended ? 0 : read_past(begin, &past, err);
    rb_json_key(ret, "streams");
    rb_json_begin_array(ret);
    for (size_t i = 0; status == 0 && !begin->ended && i < begin->n_streams; i++) {
        write_stream(begin, &past, i, ret);
    }
    rb_json_end_array(ret);
    return status;
}

/* Which streams' tables refer to which others': these are loaded first. */
static int write_references(const struct begin *begin, struct rb_json *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    if (begin->ended || begin->n_streams < 2) {
        return 0;
    }
    const char *params[] = {begin->dest->config.schema, rb_buf_str(&begin->keys)};
    int status = rb_dest_query(begin->dest, rb_sql_target_references, params, 2, &r, err);
    if (status < 0) {
        return status;
    }
    rb_json_key(ret, "references");
    rb_json_begin_array(ret);
    for (size_t i = 0; i < r.n_rows; i++) {
        rb_json_begin_object(ret);
        rb_json_member_str(ret, "stream_name", rb_query_text(&r, i, 0));
        write_raw(ret, "after", &r, i, 1);
        rb_json_end_object(ret);
    }
    rb_json_end_array(ret);
    return 0;
}

static void write_left(const struct begin *begin, struct rb_json *ret)
{
    rb_json_key(ret, "left");
    rb_json_begin_array(ret);
    for (size_t i = 0; i < begin->left.n_rows; i++) {
        rb_json_begin_object(ret);
        rb_json_member_str(ret, "load_id", rb_query_text(&begin->left, i, 0));
        rb_json_member_i64(ret, "started_ms", rb_query_int(&begin->left, i, 1, 0));
        rb_json_member_str(ret, "streams", rb_query_text(&begin->left, i, 2));
        rb_json_member_bool(ret, "given_up", rb_query_bool(&begin->left, i, 3));
        rb_json_end_object(ret);
    }
    rb_json_end_array(ret);
}

static void write_notes(const struct begin *begin, struct rb_json *ret)
{
    char note[256];
    rb_json_key(ret, "notes");
    rb_json_begin_array(ret);
    if (begin->dropped > 0) {
        snprintf(note, sizeof note, "%zu staging tables of loads that did not end were dropped",
                 begin->dropped);
        rb_json_str(ret, note);
    }
    rb_json_end_array(ret);
}

static void write_load(const struct begin *begin, struct rb_json *ret)
{
    rb_json_member_str(ret, "load_id", load_id(begin));
    rb_json_member_bool(ret, "resumed", begin->resumed);
    rb_json_member_bool(ret, "ended", begin->ended);
    if (begin->resumed || begin->ended) {
        write_raw(ret, "document", &begin->found, 0, 2);
    }
    int64_t ended = rb_query_int(&begin->found, 0, 3, INT64_MAX);
    int64_t active = rb_query_int(&begin->active, 0, 0, INT64_MAX);
    if (ended != INT64_MAX || active != INT64_MAX) {
        rb_json_member_i64(ret, "ended_ms_ago", ended < active ? ended : active);
    }
    write_left(begin, ret);
    write_notes(begin, ret);
}

int rb_dest_begin(void *self, const char *offered, const char *pipeline,
                  const struct rb_stream_context *streams, size_t n_streams,
                  struct rb_json_value request, struct rb_json *ret, struct rb_error *err)
{
    RB_CLEANUP(begin_release)
    struct begin begin = {
        .dest = self,
        .offered = offered,
        .pipeline = pipeline,
        .key = rb_json_text(rb_json_get(request, "key"), NULL),
        .claim = rb_json_text(rb_json_get(request, "claim"), offered),
        .request = request,
        .streams = streams,
        .n_streams = n_streams,
        .dry = rb_json_truth(rb_json_get(request, "dry_run"), false),
        .keys = RB_BUF_INIT(RB_ABI_JSON_MAX),
    };
    rb_query_result_init(&begin.found);
    rb_query_result_init(&begin.active);
    rb_query_result_init(&begin.left);
    rb_query_result_init(&begin.cursors);
    int status = rb_ledger_write_keys(streams, n_streams, &begin.keys, err);
    if (status == 0) {
        status = begin.dry ? look(&begin, err) : begin_load(&begin, err);
    }
    if (status < 0) {
        rb_dest_abort(begin.dest);
        rb_grants_hint(begin.dest, n_streams > 0 ? &streams[0] : NULL, err);
        return status;
    }
    write_load(&begin, ret);
    status = write_references(&begin, ret, err);
    status = status < 0 ? status : write_streams(&begin, ret, err);
    if (status == 0 && begin.dry && !begin.ended) {
        rb_dry_look_ahead(begin.dest, streams, n_streams, ret);
    }
    return status;
}
