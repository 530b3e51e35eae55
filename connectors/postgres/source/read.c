/* One unit: rows come by COPY, are decoded into Arrow columns, and leave in batches. */
#include <stdio.h>
#include <string.h>

#include "arrow/metadata.h"
#include "base/fault.h"
#include "connectors/postgres/common/codec.h"
#include "connectors/postgres/common/copy.h"
#include "connectors/postgres/common/query.h"
#include "connectors/postgres/common/quote.h"
#include "connectors/postgres/common/settings.h"
#include "connectors/postgres/source/cursor_part.h"
#include "connectors/postgres/source/divide.h"
#include "connectors/postgres/source/select.h"
#include "connectors/postgres/source/source.h"
#include "connectors/postgres/source/stream.h"
#include "gen/connectors/postgres/source/sql.h"
#include "rapidbyte/rapidbyte.h"

enum {
    /* What is at work of one fits a processor's second-level cache: up to 2 MiB takes as long, but
     * a tenth more of our own time, and memory. */
    BATCH_BYTES = 256 * 1024,
    /* Where the destination ends a COPY with each batch, to leave out rows that are refused. */
    TRIED_BATCH_BYTES = 1024 * 1024,
    LARGEST_BYTES = 1024 * 1024 * 1024, /* that the document permits for a batch and for a row */
};

/* All that one unit needs; released together. */
struct reading {
    struct rb_source_stream stream;
    struct ArrowSchema schema;
    struct rb_batch_writer writer;
    bool has_writer;
    struct rb_decoder *decoder;
    struct rb_conn *conn; /* borrowed */
    const struct rb_stream_context *context;
    struct rb_snapshot snapshot;
    bool has_parts, sorted; /* sorted: the rows that come now may end a part */
    struct rb_cursor_parts parts;
    int64_t n_parts;               /* that were ended */
    int64_t part_rows, part_bytes; /* of the stream, where this one began */
    double part_ends_secs;         /* when it is due; 0: by rows or bytes alone */
    double emit_secs;
    bool runs_sql;       /* of the user, under the user's settings */
    bool alike;          /* under which texts are written as under ours */
    const char *release; /* SQL that gives the table's lock back */
    bool released;       /* the table's lock, by the message that had the COPY */
    bool is_text;        /* a column is cast: the bytes are not those the destination sends */
};

static void reading_release(struct reading *reading)
{
    rb_decoder_free(reading->decoder);
    if (reading->has_writer) {
        rb_batch_writer_release(&reading->writer);
    }
    if (reading->schema.release) {
        reading->schema.release(&reading->schema);
    }
    rb_cursor_parts_release(&reading->parts);
    rb_source_stream_release(&reading->stream);
}

/* This very session has exported the snapshot, for this stream alone: should reading fail, no other
 * needs it. */
static bool is_planners(const struct rb_source *source, const struct rb_snapshot *snapshot)
{
    return source->planner && source->n_planned == 1 && *snapshot->id &&
           strcmp(snapshot->id, source->planned.id) == 0 && rb_conn_is_usable(source->planner) &&
           rb_conn_transaction(source->planner) == 'T';
}

/* A connection in a transaction under the unit's snapshot. Without one the unit has its own. */
static int prepare_reader(struct rb_source *source, const struct rb_stream_context *context,
                          struct rb_snapshot *ret, struct rb_conn **ret_conn, struct rb_error *err)
{
    rb_snapshot_read(context->snapshot, ret);
    double start = rb_clock_secs();
    source->config.max_record_bytes = (size_t)context->max_record_bytes;
    int r = rb_source_await_release(source, err);
    if (r < 0) {
        return r;
    }
    if (is_planners(source, ret)) {
        rb_conn_set_max_record(source->planner, source->config.max_record_bytes);
        *ret_conn = source->planner;
        source->connect_secs = 0;
        return 0;
    }
    if (!source->reader) {
        source->has_read = false;
        source->locked_secs = 0;
        r = rb_conn_open(&source->config, &source->reader, err);
    } else {
        rb_conn_set_max_record(source->reader, source->config.max_record_bytes);
    }
    source->connect_secs = rb_clock_secs() - start;
    r = r < 0 ? r : RB_FAULT(SOURCE_CONNECTED, err);
    if (r < 0) {
        return r;
    }
    *ret_conn = source->reader;
    bool is_open = rb_conn_transaction(source->reader) == 'T';
    if (is_open && *ret->id && strcmp(ret->id, source->reader_snapshot.id) == 0) {
        return 0;
    }
    if (rb_conn_transaction(source->reader) != 'I') {
        r = rb_query_exec(source->reader, rb_sql_rollback, err);
    }
    if (r == 0 && !*ret->id) {
        r = rb_snapshot_identify(source->reader, ret, err);
    }
    r = r < 0 ? r : RB_FAULT(SOURCE_SNAPSHOT_IMPORT, err);
    r = r < 0 ? r : rb_snapshot_begin(source->reader, ret->id, source->config.lock_timeout_ms, err);
    r = r < 0 ? r : RB_FAULT(SOURCE_SNAPSHOT_IMPORTED, err);
    if (r == 0) {
        source->reader_snapshot = *ret;
    }
    return r;
}

/* The next unit of this instance may be long from now: whoever waits for the table must not, nor
 * the destination, when it is the one that waits. A snapshot of its own ends with the unit. */
static const char *release_sql(const struct rb_source *source, const struct rb_conn *conn)
{
    bool keeps = conn != source->reader || *source->reader_snapshot.id != '\0';
    return keeps ? rb_sql_rollback_to : rb_sql_rollback;
}

static void release_locks(struct rb_source *source, struct rb_conn *conn)
{
    int r = rb_query_send(conn, release_sql(source, conn), NULL, 0, NULL);
    if (r == 0) {
        source->releasing = conn;
    } else {
        rb_conn_closep(conn == source->planner ? &source->planner : &source->reader);
    }
}

/* Of a stream whose table is emptied by TRUNCATE before its rows come: which tables that would wait
 * for this very reader. Small views are read before anybody would notice, so this is not left to
 * chance. */
static int find_reads(struct reading *reading, struct rb_query_result *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf what = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    const struct rb_stream_context *context = reading->context;
    const struct rb_table *table = &reading->stream.tables.items[0];
    if (!rb_stream_context_truncates(context)) {
        return 0;
    }
    int r = rb_buf_printf(&what, "%s ", rb_table_kind_name(table));
    r = r < 0 ? rb_error_set(err, r, "OUT_OF_MEMORY", "no room for a table's name")
              : rb_quote_qualified(&what, table->schema, table->name, err);
    const struct rb_query_param params[] = {rb_query_text_param(context->destination_table),
                                            rb_query_text_param(rb_buf_str(&what))};
    return r < 0 ? r : rb_query_run_kept(reading->conn, rb_sql_reads, params, 2, ret, err);
}

/* With the schema: the keys that a table made of it is to get, and what can't be truncated
 * meanwhile. */
static int describe_table(struct reading *reading, bool all_columns, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    RB_CLEANUP(rb_query_result_release) struct rb_query_result reads;
    rb_query_result_init(&rows);
    rb_query_result_init(&reads);
    const struct rb_table *table = &reading->stream.tables.items[0];
    const char *wanted = rb_json_text(rb_json_get(reading->context->json, "indexes"), "none");
    char oid[16];
    snprintf(oid, sizeof oid, "%u", (unsigned)table->oid);
    struct rb_query_param param = rb_query_text_param(oid);
    if (all_columns && table->key_of_ranges && strcmp(wanted, "none") != 0) {
        rb_log(RB_LOG_WARN,
               "table \"%s\": its primary key is WITHOUT OVERLAPS: one that the destination gets "
               "has the same columns, and does not keep ranges from overlapping",
               table->name);
    }
    int r = find_reads(reading, &reads, err);
    if (r == 0 && strcmp(wanted, "all") == 0) {
        r = rb_query_run_kept(reading->conn, rb_sql_indexes, &param, 1, &rows, err);
    }
    const struct rb_meta_pair pairs[] = {
        {RB_META_PRIMARY_KEY, all_columns ? table->primary_key_json : NULL},
        {RB_META_INDEXES, rb_query_text(&rows, 0, 0)},
        {RB_META_READS, rb_query_text(&reads, 0, 0)},
    };
    return r < 0 ? r : rb_meta_set(&reading->schema, pairs, 3, err);
}

static int prepare_arrow(struct reading *reading, const struct rb_stream_context *context,
                         struct rb_error *err)
{
    const struct rb_columns *columns = &reading->stream.columns;
    bool all = columns->n == reading->stream.tables.items[0].columns.n;
    for (size_t i = 0; i < columns->n; i++) {
        reading->is_text = reading->is_text || columns->items[i].form == RB_FORM_TEXT;
    }
    int r = rb_columns_to_schema(columns, NULL, &reading->schema, err);
    r = r < 0 ? r : describe_table(reading, all, err);
    size_t max_batch = (size_t)context->max_batch_bytes;
    /* Schema, offsets and validity come on top of the rows. */
    size_t target = max_batch / 2;
    const char *on_error = rb_json_text(rb_json_get(context->policies, "on_data_error"), "fail");
    size_t usual = strcmp(on_error, "fail") == 0 ? BATCH_BYTES : TRIED_BATCH_BYTES;
    r = r < 0 ? r : rb_batch_writer_init(&reading->writer, &reading->schema, max_batch, err);
    if (r < 0) {
        return r;
    }
    reading->has_writer = true;
    struct rb_decoder_options options = {
        .batch_bytes = target < usual ? target : usual,
        .max_record_bytes = (size_t)context->max_record_bytes,
        .checksum = !reading->is_text,
        .refuse_special = !rb_stream_context_peer_has(context, "pg_binary"),
    };
    return rb_decoder_new(columns, &options, &reading->decoder, err);
}

static int emit(struct reading *reading, struct rb_error *err)
{
    const struct ArrowArray *batch = NULL;
    int r = rb_decoder_batch(reading->decoder, &batch, err);
    double start = rb_clock_secs();
    r = r < 0 ? r : RB_FAULT(SOURCE_EMIT, err);
    r = r < 0 ? r : rb_batch_writer_emit(&reading->writer, batch, err);
    r = r < 0 ? r : RB_FAULT(SOURCE_EMITTED, err);
    if (r < 0 && err && strcmp(err->code, "BATCH_TOO_LARGE") == 0) {
        rb_error_set_hint(err, reading->context->max_batch_bytes < LARGEST_BYTES
                                   ? "raise resources.max_batch_bytes"
                                   : "resources.max_batch_bytes is at its maximum: leave the "
                                     "column out (columns)");
    }
    reading->emit_secs += rb_clock_secs() - start;
    rb_decoder_clear(reading->decoder);
    return r;
}

static int64_t due_at(int64_t now, int64_t interval)
{
    int64_t at;
    return interval <= 0 || __builtin_add_overflow(now, interval, &at) ? INT64_MAX : at;
}

/* Looks for the end of a part, from where the intervals say; with `now`, from the next row on. */
static void watch(struct reading *reading, bool now)
{
    const struct rb_stream_context *context = reading->context;
    struct rb_decoder_watch watch = {
        .column = reading->parts.column,
        .numeric = reading->parts.numeric,
        .rows = now ? 0 : due_at(reading->part_rows, context->checkpoint_interval_rows),
        .bytes = now ? 0 : due_at(reading->part_bytes, context->checkpoint_interval_bytes),
    };
    rb_decoder_watch(reading->decoder, &watch);
    if (now) {
        reading->part_ends_secs = 0;
    }
}

static void begin_part(struct reading *reading)
{
    int64_t secs = reading->context->checkpoint_interval_seconds;
    reading->part_rows = rb_decoder_rows(reading->decoder);
    reading->part_bytes = rb_decoder_bytes(reading->decoder);
    reading->part_ends_secs = secs <= 0 ? 0 : rb_clock_secs() + (double)secs;
}

/* What was emitted may be committed. */
static int end_part(struct reading *reading, struct rb_error *err)
{
    struct rb_cursor_read read = {
        .stream = reading->context->stream_name,
        .value = rb_decoder_boundary(reading->decoder),
        .n_records = rb_decoder_rows(reading->decoder),
        .n_bytes = rb_decoder_bytes(reading->decoder),
        .has_checksum = !reading->is_text,
        .checksum = rb_decoder_checksum(reading->decoder),
    };
    int r = rb_cursor_part_end(&reading->stream.cursor, &reading->parts, &reading->snapshot, &read,
                               err);
    r = r < 0 ? r : RB_FAULT(SOURCE_PART_ENDED, err);
    reading->n_parts++;
    begin_part(reading);
    watch(reading, false);
    return r;
}

/* Gives the bytes of one message to the decoder, and each batch that becomes full to the host. */
static int decode(struct reading *reading, const uint8_t *data, size_t len, struct rb_error *err)
{
    bool sorted = reading->sorted && reading->part_ends_secs > 0;
    if (sorted && rb_clock_secs() >= reading->part_ends_secs) {
        watch(reading, true);
    }
    for (;;) {
        size_t used = 0;
        int r = rb_decoder_push(reading->decoder, data, len, &used, err);
        bool ends_part = r == RB_DECODER_BOUNDARY;
        if (r != RB_DECODER_FULL && !ends_part) {
            return r < 0 ? r : 0;
        }
        r = rb_decoder_batch_rows(reading->decoder) > 0 ? emit(reading, err) : 0;
        r = r == 0 && ends_part ? end_part(reading, err) : r;
        if (r < 0) {
            return r;
        }
        data += used;
        len -= used;
    }
}

/* Rows as the server counted them, and ended as its form ends: nothing was cut. */
static int check_end(const struct reading *reading, int64_t rows_before, struct rb_error *err)
{
    int64_t sent = rb_copy_out_rows(reading->conn);
    int64_t got = rb_decoder_rows(reading->decoder) - rows_before;
    if (!rb_decoder_is_ended(reading->decoder) || (sent >= 0 && sent != got)) {
        return rb_error_set(err, RB_EPROTOCOL, "PROTOCOL_VIOLATION",
                            "the server says that it sent %lld rows, %lld arrived", (long long)sent,
                            (long long)got);
    }
    return 0;
}

/* The connection refuses a row's message before the decoder sees it, and does not know its number.
 */
static int name_row(const struct reading *reading, int status, struct rb_error *err)
{
    if (!err || strcmp(err->code, "MESSAGE_TOO_LARGE") != 0) {
        return status;
    }
    status =
        rb_error_set(err, RB_EDATA, "RECORD_TOO_LARGE", "row %lld is larger than max_record_bytes",
                     (long long)rb_decoder_rows(reading->decoder) + 1);
    rb_error_set_hint(err, reading->context->max_record_bytes < LARGEST_BYTES
                               ? "raise resources.max_record_bytes"
                               : "resources.max_record_bytes is at its maximum: leave the column "
                                 "out (columns)");
    return status;
}

/* The rows that the connection holds already, as far as they are plain. Where a part may end is
 * looked for row by row. */
static int decode_received(struct reading *reading, struct rb_error *err)
{
    while (!reading->sorted) {
        const uint8_t *data = NULL;
        size_t used = 0;
        size_t len = rb_copy_out_received(reading->conn, &data);
        int r = rb_decoder_push_messages(reading->decoder, data, len, &used, err);
        rb_copy_out_skip(reading->conn, used);
        if (r != RB_DECODER_FULL) {
            return r;
        }
        r = emit(reading, err);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int receive_rows(struct reading *reading, struct rb_error *err)
{
    int64_t rows_before = rb_decoder_rows(reading->decoder);
    for (;;) {
        const uint8_t *data = NULL;
        size_t len = 0;
        int r = decode_received(reading, err);
        if (r < 0) {
            return r;
        }
        r = rb_copy_out_next(reading->conn, &data, &len, err);
        if (r == 1) {
            r = check_end(reading, rows_before, err);
            return r < 0 ? r : RB_FAULT(SOURCE_COPY_ENDED, err);
        }
        r = r < 0 ? name_row(reading, r, err) : decode(reading, data, len, err);
        r = r < 0 ? r : RB_FAULT(SOURCE_COPY_DATA, err);
        if (r < 0) {
            return r;
        }
    }
}

/* Puts the COPY together with what costs no message of its own: settings before it, and the release
 * of the lock where nothing else is read of the table. */
static int build_copy(struct reading *reading, const struct rb_select *select, struct rb_buf *ret,
                      struct rb_error *err)
{
    char *back = reading->stream.lock_back;
    int room = *back ? rb_buf_printf(ret, "%s; ", back) : 0;
    *back = '\0';
    if (room == 0 && reading->runs_sql) {
        room = rb_buf_printf(ret, "%s; ", rb_settings_users);
    }
    int r = room < 0 ? 0 : rb_select_copy(select, ret, err);
    /* Going back to the savepoint brings our settings, too. */
    const char *after = reading->released   ? reading->release
                        : reading->runs_sql ? rb_settings_own
                                            : NULL;
    if (room == 0 && r == 0 && after) {
        room = rb_buf_printf(ret, "; %s", after);
    }
    return room < 0 ? rb_error_set(err, room, "OUT_OF_MEMORY", "no room for the statement's text")
                    : r;
}

/* The rows of one COPY. */
static int copy(struct reading *reading, const struct rb_select *select, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf sql = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    int r = build_copy(reading, select, &sql, err);
    if (r < 0) {
        return r;
    }
    rb_log(RB_LOG_DEBUG, "%s", rb_buf_str(&sql));
    r = RB_FAULT(SOURCE_COPY, err);
    r = r < 0 ? r : rb_copy_out_begin(reading->conn, rb_buf_str(&sql), err);
    r = r < 0 ? r : RB_FAULT(SOURCE_COPY_BEGUN, err);
    return r < 0 ? r : receive_rows(reading, err);
}

/* All that the unit is to read of the table. */
static struct rb_select whole_unit(const struct reading *reading)
{
    return (struct rb_select){
        .table = &reading->stream.tables.items[0],
        .columns = &reading->stream.columns,
        .where = reading->context->where,
        .range = reading->context->unit_range,
        .cursor = "",
        .alike = reading->alike,
        .none = reading->context->dry_run,
    };
}

/* The rows of the table. `order` NULL: as they come. */
static int copy_rows(struct reading *reading, const char *condition, const char *order,
                     struct rb_error *err)
{
    struct rb_select select = whole_unit(reading);
    select.cursor = condition;
    select.order = order;
    reading->released = !reading->stream.has_cursor;
    return copy(reading, &select, err);
}

/* What of each partition is this unit's, one after the other. They are locked. */
static int copy_pieces(struct reading *reading, struct rb_error *err)
{
    RB_CLEANUP(rb_pieces_release) struct rb_pieces pieces;
    rb_pieces_init(&pieces);
    int r = rb_pieces_find(reading->conn, reading->context->unit_range, &pieces, err);
    for (size_t i = 0; r == 0 && i < pieces.n; i++) {
        struct rb_table part = reading->stream.tables.items[0]; /* of the same columns */
        part.kind = 'r';
        part.schema = pieces.items[i].schema;
        part.name = pieces.items[i].name;
        struct rb_select select = whole_unit(reading);
        select.table = &part;
        select.range = pieces.items[i].range;
        if (i > 0) {
            rb_decoder_restart(reading->decoder);
        }
        reading->released = i + 1 == pieces.n;
        r = copy(reading, &select, err);
    }
    return r;
}

/* What is left in the decoder; at least one batch, for the schema. */
static int emit_rest(struct reading *reading, struct rb_error *err)
{
    bool any = rb_decoder_batch_rows(reading->decoder) > 0 || reading->writer.n_batches == 0;
    int r = any ? emit(reading, err) : 0;
    return r < 0 ? r : RB_FAULT(SOURCE_LAST_EMITTED, err);
}

static bool wants_parts(const struct rb_stream_context *context)
{
    return context->sync_mode == RB_CONTEXT_INCREMENTAL &&
           context->write_mode == RB_CONTEXT_APPEND && context->unit_count <= 1 &&
           (context->checkpoint_interval_rows > 0 || context->checkpoint_interval_bytes > 0 ||
            context->checkpoint_interval_seconds > 0);
}

/* Asked for where it matters alone: texts beside SQL of the user. */
static int find_alike(struct reading *reading, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    rb_query_result_init(&rows);
    reading->runs_sql =
        rb_select_runs_sql(&reading->stream.tables.items[0], reading->context->where);
    reading->alike = !reading->runs_sql;
    if (reading->alike || !reading->is_text) {
        return 0;
    }
    int r = rb_query_run_as_user(reading->conn, rb_settings_write_alike, NULL, 0, &rows, err);
    reading->alike = r == 0 && rb_query_bool(&rows, 0, 0);
    return r;
}

static int prepare_parts(struct reading *reading, struct rb_error *err)
{
    struct rb_source_stream *stream = &reading->stream;
    rb_cursor_parts_init(&reading->parts);
    if (!wants_parts(reading->context)) {
        return 0;
    }
    int r = rb_cursor_parts_open(&stream->cursor, reading->context->dry_run ? NULL : reading->conn,
                                 &stream->columns, rb_buf_str(&stream->condition),
                                 rb_buf_str(&stream->above), &reading->parts, err);
    reading->has_parts = r == 0;
    return r < 0 ? r : 0;
}

static int read_rows(struct reading *reading, struct rb_error *err)
{
    const struct rb_source_stream *stream = &reading->stream;
    int r = 0;
    if (stream->proved) {
        reading->released = true; /* nothing was locked */
    } else if (rb_range_has_pieces(reading->context->unit_range)) {
        r = copy_pieces(reading, err);
    } else if (!reading->has_parts) {
        r = copy_rows(reading, rb_buf_str(&stream->condition), NULL, err);
    } else {
        begin_part(reading);
        r = copy_rows(reading, rb_buf_str(&reading->parts.rest), NULL, err);
        rb_decoder_restart(reading->decoder);
        reading->sorted = true;
        watch(reading, false);
        r = r < 0 ? r
                  : copy_rows(reading, rb_buf_str(&stream->above),
                              rb_buf_str(&stream->cursor.expression), err);
    }
    return r < 0 ? r : emit_rest(reading, err);
}

static int read_unit(struct rb_source *source, const struct rb_stream_context *context,
                     struct reading *reading, struct rb_read_summary *ret, struct rb_error *err)
{
    struct rb_snapshot *snapshot = &reading->snapshot;
    double start = rb_clock_secs();
    reading->context = context;
    struct rb_conn *conn = NULL;
    int r = prepare_reader(source, context, snapshot, &conn, err);
    if (r < 0) {
        return r;
    }
    reading->conn = conn;
    reading->release = release_sql(source, conn);
    r = rb_source_stream_open(source, conn, context, snapshot, true, &reading->stream, err);
    r = r < 0 ? r : prepare_arrow(reading, context, err);
    r = r < 0 ? r : find_alike(reading, err);
    r = r < 0 ? r : prepare_parts(reading, err);
    double rows_start = rb_clock_secs();
    double waited = rb_conn_receive_secs(conn);
    r = r < 0 ? r : read_rows(reading, err);
    double rows_end = rb_clock_secs();
    waited = rb_conn_receive_secs(conn) - waited;
    bool keeps_cursor = reading->stream.has_cursor && !context->dry_run;
    if (r == 0 && keeps_cursor) {
        r = rb_cursor_checkpoint(&reading->stream.cursor, conn, snapshot,
                                 rb_buf_str(&reading->stream.above), context->stream_name,
                                 rb_decoder_rows(reading->decoder),
                                 rb_decoder_bytes(reading->decoder), err);
        r = r < 0 ? r : RB_FAULT(SOURCE_CHECKPOINTED, err);
    }
    if (r < 0) {
        return r;
    }
    source->has_read |= context->dry_run && conn == source->reader;
    double query = rows_start - start - source->connect_secs + rb_clock_secs() - rows_end;
    *ret = (struct rb_read_summary){
        .records_read = rb_decoder_rows(reading->decoder),
        .bytes_read = rb_decoder_bytes(reading->decoder),
        .batches_emitted = reading->writer.n_batches,
        .checkpoint_count = reading->n_parts + (keeps_cursor ? 1 : 0),
        .has_checksum = !reading->is_text,
        .checksum = rb_decoder_checksum(reading->decoder),
        .connect_secs = source->connect_secs,
        .query_secs = query,
        .fetch_secs = waited,
        .encode_secs = rows_end - rows_start - waited - reading->emit_secs,
    };
    return 0;
}

int rb_source_read(void *self, const struct rb_stream_context *context, struct rb_read_summary *ret,
                   struct rb_error *err)
{
    struct rb_source *source = self;
    RB_CLEANUP(reading_release) struct reading reading = {0};
    rb_source_stream_init(&reading.stream);
    int r = read_unit(source, context, &reading, ret, err);
    if (r < 0) {
        rb_error_prefix(err, "stream '%s'", context->stream_name);
        if (err) {
            err->safe_to_retry = err->retryable; /* reading changes nothing */
        }
        /* A COPY may be under way, and the transaction has failed: the next unit connects anew. */
        rb_conn_closep(reading.conn && reading.conn == source->planner ? &source->planner
                                                                       : &source->reader);
        return r;
    }
    if (!reading.released) {
        release_locks(source, reading.conn);
    }
    return 0;
}
