/* One snapshot for the whole run, and what each stream divides into. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "connectors/postgres/common/query.h"
#include "connectors/postgres/source/ahead.h"
#include "connectors/postgres/source/divide.h"
#include "connectors/postgres/source/lock.h"
#include "connectors/postgres/source/source.h"
#include "connectors/postgres/source/stream.h"
#include "gen/connectors/postgres/source/sql.h"
#include "rapidbyte/host.h"

enum {
    SETTINGS_MAX = 1024,
    PLAN_MAX_BYTES = 4 * 1024 * 1024,   /* of one stream, for its readers */
    ANSWER_BYTES = 512 * 1024,          /* at which the answer ends; the host asks again */
    PLANS_MAX_BYTES = 48 * 1024 * 1024, /* of all streams: the host keeps them */
};

/* Ranges of blocks, where lanes would be idle otherwise, the server can scan a range (14), and they
 * can come together in a table of their own. A filter may name what only the parent of partitions
 * has: its own name, its row. */
static bool may_divide(const struct rb_conn *conn, const struct rb_table *table,
                       const struct rb_stream_context *context, int64_t parallelism,
                       size_t n_streams)
{
    return parallelism > (int64_t)n_streams && context->write_mode == RB_CONTEXT_REPLACE &&
           !rb_stream_context_truncates(context) && context->sync_mode == RB_CONTEXT_FULL_REFRESH &&
           (table->divisible || (table->kind == 'p' && !table->row_security && !*context->where)) &&
           rb_conn_server_version(conn) >= 140000;
}

static void write_estimate(struct rb_json *ret, const char *key, int64_t estimate)
{
    rb_json_key(ret, key);
    if (estimate >= 0) {
        rb_json_i64(ret, estimate);
    } else {
        rb_json_null(ret);
    }
}

static void write_columns(const struct rb_columns *columns, struct rb_json *ret)
{
    rb_json_key(ret, "columns");
    rb_json_begin_array(ret);
    for (size_t i = 0; i < columns->n; i++) {
        const struct rb_column *column = &columns->items[i];
        rb_json_begin_object(ret);
        rb_json_member_str(ret, "name", column->name);
        rb_json_member_str(ret, "data_type", column->declared);
        rb_json_member_bool(ret, "nullable", !column->not_null);
        rb_json_member_bool(ret, "user_defined", column->definition != NULL);
        rb_json_member_str(ret, "origin", column->origin);
        rb_json_end_object(ret);
    }
    rb_json_end_array(ret);
}

/* What of the stream stays behind: the large objects that its columns may name. */
static void write_notes(const struct rb_columns *columns, struct rb_json *ret)
{
    rb_json_key(ret, "notes");
    rb_json_begin_array(ret);
    for (size_t i = 0; i < columns->n; i++) {
        const char *declared = columns->items[i].declared;
        const char *dot = strrchr(declared, '.');
        if (strcmp(declared, "oid") == 0 || strcmp(dot ? dot + 1 : declared, "lo") == 0) {
            char note[RB_CONN_TEXT_MAX];
            snprintf(note, sizeof note,
                     "column \"%s\" (%s) moves as a number: a large object of that number does not",
                     columns->items[i].name, declared);
            rb_json_str(ret, note);
        }
    }
    rb_json_end_array(ret);
}

/* For the readers, who ask again where there is nothing: when it would be too much, and when names
 * are not UTF-8 (of a database in SQL_ASCII), which JSON can't hold. They can't ask which members
 * are other streams'. */
static void write_plan(struct rb_source *source, const struct rb_catalogue *catalogue,
                       struct rb_json *ret)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(PLAN_MAX_BYTES);
    struct rb_json json;
    rb_json_init(&json, &text);
    rb_catalogue_write(catalogue, &json);
    bool fits = rb_json_finish(&json) == 0 && source->plan_bytes + text.len < PLANS_MAX_BYTES &&
                strstr(rb_buf_str(&text), "\xef\xbf\xbd") == NULL;
    if (fits) {
        source->plan_bytes += text.len;
        rb_json_member_raw(ret, "plan", rb_buf_str(&text), text.len);
        return;
    }
    rb_json_key(ret, "plan");
    rb_json_begin_object(ret);
    rb_json_member_str(ret, "members", catalogue->members);
    rb_json_end_object(ret);
}

static int write_stream(struct rb_source *source, const struct rb_source_stream *stream,
                        const struct rb_stream_context *context, const struct rb_division *division,
                        struct rb_json *ret, struct rb_error *err)
{
    const struct rb_table *table = &stream->tables.items[0];
    rb_json_begin_object(ret);
    rb_json_member_str(ret, "stream_name", context->stream_name);
    rb_json_member_raw(ret, "primary_key", table->primary_key_json,
                       table->primary_key_json ? strlen(table->primary_key_json) : 0);
    write_estimate(ret, "estimated_rows", table->estimated_rows);
    write_estimate(ret, "estimated_bytes", table->estimated_bytes);
    write_columns(&stream->columns, ret);
    write_notes(&stream->columns, ret);
    int r = rb_division_write(division, table, ret, err);
    write_plan(source, &stream->catalogue, ret);
    rb_json_key(ret, "error");
    rb_json_null(ret);
    rb_json_end_object(ret);
    return r;
}

static void write_failed(const struct rb_stream_context *context, const struct rb_error *error,
                         struct rb_json *ret)
{
    rb_json_begin_object(ret);
    rb_json_member_str(ret, "stream_name", context->stream_name);
    rb_json_key(ret, "units");
    rb_json_begin_array(ret);
    rb_json_end_array(ret);
    rb_json_key(ret, "error");
    rb_json_error(ret, error);
    rb_json_end_object(ret);
}

/* Back to where no table is locked. */
static int undo(struct rb_source *source, struct rb_error *err)
{
    return rb_query_exec(source->planner, rb_sql_rollback_to, err);
}

/* Somebody has locked the table: what is left to check is checked when it is read, which may be
 * long from now. */
static int note_locked(struct rb_source *source, const struct rb_stream_context *context,
                       const struct rb_table *table, struct rb_error *err)
{
    struct rb_error why;
    rb_error_clear(&why);
    int r = undo(source, err);
    if (r == 0) {
        (void)rb_table_locked(source->planner, table, &why);
    }
    if (r == 0 && strcmp(why.code, "TABLE_LOCKED") == 0) {
        rb_log(RB_LOG_WARN, "stream '%s': %s; it is looked at when its turn comes",
               context->stream_name, why.message);
    }
    return r;
}

/* Sizes as they are now, which the catalogue's, of the last VACUUM or ANALYZE, need not be.
 * Somebody who has locked the table keeps us from them: then it is not divided. */
static int divide(struct rb_source *source, struct rb_table *table, int64_t parallelism,
                  struct rb_division *ret, struct rb_error *err)
{
    struct rb_error own;
    rb_error_clear(&own);
    int r = rb_division_measure(source->planner, table, parallelism, ret, &own);
    if (r < 0 && rb_conn_is_usable(source->planner)) {
        return undo(source, err);
    }
    if (r < 0 && err) {
        *err = own;
    }
    return r;
}

/* A stream that can't be read does not stop the others; its failed statement is undone, for it must
 * not end the transaction that keeps the snapshot. Only a lost connection is a failure of the plan.
 */
static int plan_stream(struct rb_source *source, const struct rb_stream_context *context,
                       const struct rb_snapshot *snapshot, int64_t parallelism, size_t n_streams,
                       struct rb_json *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_source_stream_release) struct rb_source_stream stream;
    RB_CLEANUP(rb_division_release) struct rb_division division = {0};
    rb_source_stream_init(&stream);
    struct rb_error own;
    rb_error_clear(&own);
    int r = rb_source_stream_open(source, source->planner, context, snapshot, false, &stream, &own);
    bool usable = rb_conn_is_usable(source->planner);
    bool locked = r < 0 && usable && strcmp(own.sqlstate, "55P03") == 0 && stream.tables.n == 1;
    if (locked) {
        r = note_locked(source, context, stream.tables.items, err);
    } else if (r < 0 && usable) {
        write_failed(context, &own, ret);
        return undo(source, err);
    } else if (r < 0 && err) {
        *err = own;
    } else if (r == 0 && stream.touched) {
        r = undo(source, err);
    }
    struct rb_table *table = stream.tables.items;
    if (r == 0 && may_divide(source->planner, table, context, parallelism, n_streams)) {
        r = divide(source, table, parallelism, &division, err);
    }
    return r < 0 ? r : write_stream(source, &stream, context, &division, ret, err);
}

static int begin(struct rb_source *source, struct rb_snapshot *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf settings = RB_BUF_INIT(SETTINGS_MAX);
    int r = rb_source_await_release(source, err);
    if (!source->planner) {
        r = rb_conn_open(&source->config, &source->planner, err);
    } else if (r == 0 && rb_conn_transaction(source->planner) != 'I') {
        r = rb_query_exec(source->planner, rb_sql_rollback, err);
    }
    r = r < 0 ? r : RB_FAULT(SOURCE_PLAN_CONNECTED, err);
    r = r < 0 ? r : rb_snapshot_identify(source->planner, ret, err);
    r = r < 0 ? r : rb_query_exec(source->planner, rb_sql_begin, err);
    r = r < 0 ? r : RB_FAULT(SOURCE_PLAN_BEGUN, err);
    r = r < 0 ? r : rb_snapshot_export(source->planner, ret, err);
    r = r < 0 ? r : RB_FAULT(SOURCE_SNAPSHOT_EXPORTED, err);
    r = r < 0 ? r : rb_lock_settings(source->config.lock_timeout_ms, &settings, err);
    return r < 0 ? r : rb_query_exec(source->planner, rb_buf_str(&settings), err);
}

/* Under the snapshot that the plan was begun with. */
static int go_on(struct rb_source *source, struct rb_error *err)
{
    int r = rb_source_await_release(source, err);
    if (r < 0) {
        return r;
    }
    if (!source->planner || !rb_conn_is_usable(source->planner) ||
        rb_conn_transaction(source->planner) != 'T') {
        rb_error_set(err, RB_EDB, "SNAPSHOT_GONE", "the plan's session was lost");
        if (err) {
            err->retryable = err->safe_to_retry = true;
        }
        return RB_EDB;
    }
    return 0;
}

static int start(struct rb_source *source, size_t total, struct rb_json_value request,
                 struct rb_error *err)
{
    struct rb_snapshot snapshot = {0};
    int r = begin(source, &snapshot, err);
    r = r < 0 ? r : rb_source_keep_tables(source, rb_json_get(request, "tables"), err);
    source->planned = snapshot;
    source->n_planned = total;
    source->plan_bytes = 0;
    return r;
}

static int plan_streams(struct rb_source *source, int64_t parallelism,
                        const struct rb_stream_context *streams, size_t n_streams, size_t total,
                        struct rb_json *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_ahead_release) struct rb_ahead ahead;
    rb_ahead_init(&ahead);
    source->ahead = &ahead;
    size_t begun = ret->out->len;
    int r = 0;
    for (size_t i = 0; r == 0 && i < n_streams && ret->out->len - begun < ANSWER_BYTES; i++) {
        r = rb_ahead_look(&ahead, source, source->planner, streams, n_streams, i, err);
        r = r < 0
                ? r
                : plan_stream(source, &streams[i], &source->planned, parallelism, total, ret, err);
    }
    source->ahead = NULL;
    return r;
}

int rb_source_plan(void *self, const char *load_id, int64_t parallelism,
                   const struct rb_stream_context *streams, size_t n_streams,
                   struct rb_json_value request, struct rb_json *ret, struct rb_error *err)
{
    struct rb_source *source = self;
    (void)load_id;
    size_t total = (size_t)rb_json_int(rb_json_get(request, "total"), (int64_t)n_streams);
    bool continues = rb_json_truth(rb_json_get(request, "continues"), false);
    int r = continues ? go_on(source, err) : start(source, total, request, err);
    if (r == 0) {
        rb_json_key(ret, "snapshot");
        rb_snapshot_write(&source->planned, ret);
        rb_json_key(ret, "streams");
        rb_json_begin_array(ret);
    }
    r = r < 0 ? r : plan_streams(source, parallelism, streams, n_streams, total, ret, err);
    r = r < 0 ? r : RB_FAULT(SOURCE_PLANNED, err);
    if (r < 0) {
        rb_conn_closep(&source->planner);
        return r;
    }
    rb_json_end_array(ret);
    return 0;
}
