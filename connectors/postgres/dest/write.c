/* rb_run_write: one unit, in one transaction with its receipt. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/metadata.h"
#include "base/fault.h"
#include "connectors/postgres/dest/dest.h"
#include "connectors/postgres/dest/load.h"
#include "gen/connectors/postgres/dest/sql.h"

enum { DEFAULT_BATCH_BYTES = 64 * 1024 * 1024 };

/* What one unit holds while it is written. */
struct unit {
    struct rb_dest *dest;
    const struct rb_stream_context *context;
    struct rb_batch_reader reader;
    struct rb_columns columns;
    struct rb_json_doc *source_key_doc; /* the source's primary key, from the schema */
    struct rb_json_value primary_key;   /* that which a new table gets; may be absent */
    struct rb_json_value row_key;       /* that which tells a row in errors; may be absent */
    bool key_comes_once;                /* the source's primary key is among primary_key */
    struct rb_target target;
    struct rb_evolution evolution;
    struct rb_mapping mapping;
    struct rb_buf before;    /* of a swap: what the old table is like */
    struct rb_buf shape;     /* for the receipt */
    struct rb_json_doc *end; /* StreamEnd */
    char staging[RB_DEST_STAGING_NAME];
    struct rb_json changes; /* of a dry run: into dest->changes */
    bool pending;           /* of a dry run: the table would be altered before rows come */
    bool proved;            /* of a dry run: the staging table is not made, since it could be */
    bool swap;      /* the rows go into staging, which takes the table's place before COMMIT */
    bool staged;    /* the rows go into staging, which rb_publish puts in place */
    int64_t number; /* of what is committed next, in the ledger */
    struct totals { /* of all parts */
        int64_t rows, bytes, rejected, present, parts;
        bool has_checksum;
        uint64_t checksum;
        double decode_secs, flush_secs, commit_secs;
    } total;
};

static void unit_init(struct unit *unit, struct rb_dest *dest,
                      const struct rb_stream_context *context)
{
    int64_t max = context->max_batch_bytes > 0 ? context->max_batch_bytes : DEFAULT_BATCH_BYTES;
    unit->dest = dest;
    unit->context = context;
    unit->number = rb_ledger_unit(context);
    unit->total.has_checksum = true;
    rb_buf_clear(&dest->changes);
    rb_json_init(&unit->changes, &dest->changes);
    rb_json_begin_array(&unit->changes);
    rb_batch_reader_init(&unit->reader, (size_t)max + RB_DEST_BATCH_SLACK);
    rb_columns_init(&unit->columns);
    rb_target_init(&unit->target);
    rb_evolution_init(&unit->evolution, dest, context);
    rb_buf_init(&unit->before, RB_QUOTE_STATEMENT_MAX);
    rb_buf_init(&unit->shape, RB_ABI_JSON_MAX);
}

static void unit_release(struct unit *unit)
{
    rb_batch_reader_release(&unit->reader);
    rb_columns_release(&unit->columns);
    rb_target_release(&unit->target);
    rb_evolution_release(&unit->evolution);
    rb_buf_release(&unit->before);
    rb_buf_release(&unit->shape);
    rb_json_free(unit->source_key_doc);
    rb_json_free(unit->end);
}

/* The source's primary key; absent when it has none, or when a column of it was left out of the
 * stream. */
static int read_source_key(struct unit *unit, struct rb_json_value *ret, struct rb_error *err)
{
    struct ArrowStringView text;
    if (rb_meta_get(&unit->reader.decoder.schema, RB_META_PRIMARY_KEY, &text) != 0) {
        return 0;
    }
    int status = rb_json_parse(text.data, (size_t)text.size_bytes, &unit->source_key_doc, err);
    if (status < 0) {
        return status;
    }
    struct rb_json_value key = rb_json_root(unit->source_key_doc);
    for (size_t i = 0; i < rb_json_count(key); i++) {
        const char *name = rb_json_text(rb_json_item(key, i), "");
        if (rb_columns_find(&unit->columns, name) == NULL) {
            return 0;
        }
    }
    *ret = key;
    return 0;
}

static bool is_in(struct rb_json_value names, const char *name)
{
    bool found = false;
    for (size_t i = 0; !found && i < rb_json_count(names); i++) {
        found = strcmp(name, rb_json_text(rb_json_item(names, i), "")) == 0;
    }
    return found;
}

/* Every name of `key`, of which there is one, is in `names`. */
static bool covers(struct rb_json_value names, struct rb_json_value key)
{
    for (size_t i = 0; i < rb_json_count(key); i++) {
        if (!is_in(names, rb_json_text(rb_json_item(key, i), ""))) {
            return false;
        }
    }
    return rb_json_count(key) > 0;
}

/* The key that rows are upserted by, and that a new table gets for it: what the operator chose,
 * else the source's own. Other modes need none, and a key that appended loads would violate is not
 * theirs to make. */
static int read_key(struct unit *unit, struct rb_error *err)
{
    struct rb_json_value key = {0};
    bool upsert = unit->context->write_mode == RB_CONTEXT_UPSERT;
    int status = read_source_key(unit, &key, err);
    if (status < 0) {
        return status;
    }
    unit->row_key = key;
    if (upsert && rb_json_count(unit->context->primary_key) > 0) {
        unit->row_key = unit->context->primary_key;
    }
    if (upsert) {
        unit->primary_key = unit->row_key;
        unit->key_comes_once = covers(unit->primary_key, key);
    }
    return 0;
}

/* The first batch brings the schema; there is always one. */
static int read_schema(struct unit *unit, struct rb_error *err)
{
    int status = rb_batch_reader_next(&unit->reader, err);
    if (status > 0) {
        return rb_error_set(err, RB_EPROTOCOL, "NO_SCHEMA",
                            "the source ended without a batch, so the columns are not known");
    }
    status = status < 0 ? status
                        : rb_columns_from_schema(&unit->reader.decoder.schema, &unit->columns, err);
    status = status < 0 ? status : RB_FAULT(DEST_SCHEMA_READ, err);
    return status < 0 ? status : read_key(unit, err);
}

/* Before the server is asked, which would say it otherwise of a new table, of an old one, and of
 * one that `check` does not touch. */
static int refuse_key_column(const struct unit *unit, const char *name, struct rb_error *err)
{
    int status = rb_error_set(err, RB_ESCHEMA, "NO_KEY_COLUMN",
                              "primary key column \"%s\" is not among the stream's columns", name);
    rb_error_set_hint(err, "name columns of the stream in primary_key");
    rb_columns_suggest(&unit->columns, name, err);
    return status;
}

static int check_key(const struct unit *unit, struct rb_error *err)
{
    if (unit->context->write_mode != RB_CONTEXT_UPSERT) {
        return 0;
    }
    for (size_t i = 0; i < rb_json_count(unit->primary_key); i++) {
        const char *name = rb_json_text(rb_json_item(unit->primary_key, i), "");
        if (rb_columns_find(&unit->columns, name) == NULL) {
            return refuse_key_column(unit, name, err);
        }
    }
    if (rb_json_count(unit->primary_key) > 0) {
        return 0;
    }
    int status = rb_error_set(err, RB_ECONFIG, "NO_PRIMARY_KEY",
                              "upsert needs a primary key, and the source has none");
    rb_error_set_hint(err, "set primary_key on the stream or the destination");
    return status;
}

/* An index beside it would take the rows one by one, and the key then refuse those that overlap
 * with what the source has changed since. */
static int refuse_ranges(const struct unit *unit, struct rb_error *err)
{
    int status = rb_error_set(err, RB_ESCHEMA, "NO_UNIQUE_KEY",
                              "the key of %s on these columns is WITHOUT OVERLAPS, by which rows "
                              "can't be upserted",
                              unit->target.relation);
    rb_error_set_hint(err, "set another primary_key, or write_mode: replace");
    return status;
}

/* The server sets such a column by itself alone once a row is there. */
static int check_identity(const struct unit *unit, struct rb_error *err)
{
    for (size_t i = 0; rb_json_count(unit->primary_key) > 0 && i < unit->mapping.n; i++) {
        const char *name = unit->columns.items[unit->mapping.from[i]].name;
        size_t at = rb_target_column(&unit->target, name);
        if (at != SIZE_MAX && rb_query_bool(&unit->target.columns, at, RB_TARGET_NOT_UPDATED) &&
            !is_in(unit->primary_key, name)) {
            int status = rb_error_set(err, RB_ESCHEMA, "IDENTITY_COLUMN",
                                      "column \"%s\" of %s is GENERATED ALWAYS AS IDENTITY: an "
                                      "upsert can't set it in rows that are there",
                                      name, unit->target.relation);
            rb_error_set_hint(err,
                              "ALTER TABLE %s ALTER COLUMN \"%s\" SET GENERATED BY DEFAULT, or "
                              "leave the column out (columns)",
                              unit->target.relation, name);
            return status;
        }
    }
    return 0;
}

/* Of a table that was there: in its new shape, which may call the key's columns otherwise. */
static int check_unique(struct unit *unit, struct rb_error *err)
{
    if (unit->context->write_mode != RB_CONTEXT_UPSERT || unit->evolution.original[0] == '\0') {
        return 0;
    }
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    RB_CLEANUP(rb_buf_release) struct rb_buf key = RB_BUF_INIT(RB_ABI_JSON_MAX);
    rb_query_result_init(&r);
    size_t len;
    const char *text = rb_json_source(unit->primary_key, &len);
    if (rb_buf_append(&key, text, len) < 0) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a key");
    }
    const char *params[] = {unit->target.oid, rb_buf_str(&key)};
    int status = rb_dest_query(unit->dest, rb_sql_target_unique, params, 2, &r, err);
    if (status < 0 || rb_query_bool(&r, 0, 0)) {
        return status;
    }
    if (rb_query_bool(&r, 0, 1)) {
        return refuse_ranges(unit, err);
    }
    if (unit->dest->dry) {
        rb_json_str(&unit->changes, "CREATE UNIQUE INDEX");
        unit->pending = true;
    }
    return rb_target_make_unique(unit->dest, &unit->target, unit->primary_key, err);
}

/* The table has the key's columns by the names that the stream has for them. */
static bool has_key(const struct unit *unit)
{
    for (size_t i = 0; i < rb_json_count(unit->primary_key); i++) {
        const char *name = rb_json_text(rb_json_item(unit->primary_key, i), "");
        if (rb_target_column(&unit->target, name) == SIZE_MAX) {
            return false;
        }
    }
    return true;
}

/* The table that rows go to: made, or altered as the policies say. */
static int settle_target(struct unit *unit, const char *schema, const char *table,
                         struct rb_error *err)
{
    int status = 0;
    struct rb_json *changes = unit->dest->dry && !unit->swap ? &unit->changes : NULL;
    bool existed = unit->target.exists;
    if (!unit->target.exists) {
        if (changes != NULL) {
            rb_json_str(changes, "CREATE TABLE");
        }
        status = RB_FAULT(DEST_TABLE_CREATE, err);
        status = status < 0 ? status
                            : rb_target_create(unit->dest, schema, table, &unit->columns,
                                               unit->primary_key, err);
        status = status < 0 ? status : RB_FAULT(DEST_TABLE_CREATED, err);
        status =
            status < 0 ? status : rb_target_find(unit->dest, schema, table, &unit->target, err);
    }
    size_t told = unit->dest->changes.len;
    status = status < 0 ? status
                        : rb_evolve(&unit->evolution, schema, table, &unit->columns, &unit->target,
                                    existed ? changes : NULL, &unit->mapping, err);
    unit->pending = unit->dest->changes.len > told;
    status = status < 0 ? status : check_identity(unit, err);
    return status < 0 || (unit->pending && !has_key(unit)) ? status : check_unique(unit, err);
}

/* Of a dry run: what the staging table gets is said of the one whose place it would take. */
static int tell_swap(struct unit *unit, struct rb_error *err)
{
    struct rb_dest *dest = unit->dest;
    struct rb_mapping mapping = {.n = 0};
    int status = rb_dry_proves_staging(dest, unit->context, &unit->columns, &unit->target,
                                       &unit->proved, err);
    if (status == 0 && !unit->proved && !dest->ledger_ready) {
        status = rb_dest_make_schema(dest, RB_DEST_LEDGER_SCHEMA, err);
    }
    size_t told = dest->changes.len;
    status = status < 0 ? status
                        : rb_evolve(&unit->evolution, dest->config.schema,
                                    unit->context->destination_table, &unit->columns, &unit->target,
                                    &unit->changes, &mapping, err);
    unit->proved = unit->proved && dest->changes.len == told && !mapping.any_cast;
    return status;
}

/* In the open transaction: a staging table for the swap at its end. */
static int stage_for_swap(struct unit *unit, struct rb_error *err)
{
    struct rb_dest *dest = unit->dest;
    int status = rb_swap_check(dest, &unit->target, unit->context->destination_table, err);
    if (status == 0 && dest->dry) {
        status = tell_swap(unit, err);
    }
    if (status < 0 || unit->proved) {
        return status;
    }
    status = rb_swap_stage(dest, &unit->target, &unit->columns, unit->primary_key, unit->staging,
                           &unit->before, err);
    status = status < 0 ? status : RB_FAULT(DEST_STAGING_CREATED, err);
    return status < 0
               ? status
               : rb_target_find(dest, RB_DEST_LEDGER_SCHEMA, unit->staging, &unit->target, err);
}

/* The schema's metadata as it stands; NULL: it has none. */
static int read_metadata(const struct unit *unit, const char *key, struct rb_buf *buf,
                         const char **ret, struct rb_error *err)
{
    struct ArrowStringView text;
    *ret = NULL;
    if (rb_meta_get(&unit->reader.decoder.schema, key, &text) != 0) {
        return 0;
    }
    if (rb_buf_append(buf, text.data, (size_t)text.size_bytes) < 0) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a key");
    }
    *ret = rb_buf_str(buf);
    return 0;
}

/* What the document wants of the source's keys; the texts are kept in `bufs`. */
static int read_keys(const struct unit *unit, struct rb_buf bufs[2], struct rb_keys *ret,
                     struct rb_error *err)
{
    const char *wanted = rb_json_text(rb_json_get(unit->context->json, "indexes"), "none");
    int status = 0;
    rb_buf_init(&bufs[0], RB_ABI_JSON_MAX);
    rb_buf_init(&bufs[1], RB_ABI_JSON_MAX);
    *ret = (struct rb_keys){.indexes = NULL};
    if (strcmp(wanted, "none") != 0) {
        status = read_metadata(unit, RB_META_PRIMARY_KEY, &bufs[0], &ret->primary_key, err);
    }
    if (status == 0 && strcmp(wanted, "all") == 0) {
        status = read_metadata(unit, RB_META_INDEXES, &bufs[1], &ret->indexes, err);
    }
    return status;
}

/* What publishing, which knows nothing of columns, is to know of the swap. */
static int keep_swap(struct unit *unit, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf hex = RB_BUF_INIT(2 * RB_QUOTE_STATEMENT_MAX);
    const struct rb_buf *carried = &unit->evolution.carried;
    struct rb_buf texts[2];
    struct rb_keys keys;
    int status = read_keys(unit, texts, &keys, err);
    status = status < 0 ? status
                        : rb_shape_write(unit->context, &unit->columns, unit->evolution.original,
                                         &keys, &unit->shape, err);
    rb_buf_release(&texts[0]);
    rb_buf_release(&texts[1]);
    int appended = rb_buf_append_str(&hex, "\\x");
    for (size_t i = 0; appended == 0 && i < carried->len; i++) {
        appended = rb_buf_printf(&hex, "%02x", (unsigned char)rb_buf_str(carried)[i]);
    }
    if (appended < 0) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a swap");
    }
    const char *params[] = {unit->staging, rb_buf_str(&unit->shape),
                            unit->before.len > 0 ? rb_buf_str(&unit->before) : NULL,
                            rb_buf_str(&hex)};
    return status < 0 ? status
                      : rb_dest_query(unit->dest, rb_sql_staging_keep, params, 4, NULL, err);
}

/* The staging table that the stream's units share: named in the ledger and made by whichever
 * connection comes first, in a transaction of its own. */
static int stage_shared(struct unit *unit, struct rb_error *err)
{
    struct rb_dest *dest = unit->dest;
    const struct rb_stream_context *context = unit->context;
    const char *name = unit->staging;
    const char *params[] = {name, context->load_id, context->pipeline, context->stream_name};
    RB_CLEANUP(rb_target_release) struct rb_target staging;
    rb_target_init(&staging);
    int status = rb_dest_begin_writing(dest, context, err);
    status = status < 0
                 ? status
                 : rb_query_exec(dest->conn, "SELECT pg_advisory_xact_lock(5931742210746714)", err);
    status = status < 0 ? status : rb_target_find(dest, RB_DEST_LEDGER_SCHEMA, name, &staging, err);
    status = status < 0 ? status : RB_FAULT(DEST_SHARED_BEGUN, err);
    if (status == 0 && !staging.exists) {
        status = rb_ledger_drop_earlier(dest, context, name, err);
        status =
            status < 0 ? status : rb_dest_query(dest, rb_sql_staging_record, params, 4, NULL, err);
        status = status < 0 ? status : RB_FAULT(DEST_SHARED_RECORDED, err);
        if (status == 0 && unit->target.exists) {
            status = rb_swap_check(dest, &unit->target, context->destination_table, err);
        }
        status = status < 0 ? status
                            : rb_swap_stage(dest, &unit->target, &unit->columns, unit->primary_key,
                                            name, &unit->before, err);
        status = status < 0 ? status : RB_FAULT(DEST_SHARED_CREATED, err);
        status =
            status < 0 ? status : rb_target_find(dest, RB_DEST_LEDGER_SCHEMA, name, &staging, err);
        /* Here, where one connection comes first: two could not add the same column. */
        status = status < 0 ? status
                            : rb_evolve(&unit->evolution, RB_DEST_LEDGER_SCHEMA, name,
                                        &unit->columns, &staging, NULL, &unit->mapping, err);
        status = status < 0 ? status : keep_swap(unit, err);
    }
    status = status < 0 ? status : rb_query_exec(dest->conn, "COMMIT", err);
    status = status < 0 ? status : RB_FAULT(DEST_SHARED_COMMITTED, err);
    return status < 0 ? status
                      : rb_target_find(dest, RB_DEST_LEDGER_SCHEMA, name, &unit->target, err);
}

/* Rows that are in the table already, and would be added again. */
static int check_past(struct unit *unit, struct rb_error *err)
{
    const struct rb_stream_context *context = unit->context;
    bool foreign = false;
    bool unknown = unit->dest->dry && !unit->dest->ledger_ready;
    if (context->load_id[0] == '\0' || context->parts > 0 || unknown) {
        return 0;
    }
    bool has_cursor = !rb_json_is_absent(rb_json_get(context->cursor_info, "last_value"));
    int status = rb_dest_check_past(unit->dest, context, &unit->target, has_cursor, &foreign, err);
    if (status == 0 && foreign && unit->dest->dry) {
        rb_json_str(&unit->changes,
                    "rows are added to rows that no load of this pipeline put there");
        return 0;
    }
    if (status == 0 && foreign) {
        rb_log(RB_LOG_WARN, RB_DEST_FOREIGN_ROWS, context->stream_name, unit->target.relation);
    }
    return status;
}

/* Tables that refer to each other in a circle. */
static int check_references(struct unit *unit, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf note = RB_BUF_INIT(RB_DEST_NOTE_MAX);
    int status = rb_references_check(unit->dest, &unit->target, &unit->columns, &note, err);
    if (status == 0 && note.len > 0 && unit->dest->dry) {
        rb_json_str(&unit->changes, rb_buf_str(&note));
    } else if (status == 0 && note.len > 0) {
        rb_log(RB_LOG_WARN, RB_DEST_CIRCLE, unit->context->stream_name, rb_buf_str(&note));
    }
    return status;
}

/* Begins the transaction and settles where rows go. */
static int prepare(struct unit *unit, struct rb_error *err)
{
    struct rb_dest *dest = unit->dest;
    const char *schema = dest->config.schema;
    const char *table = unit->context->destination_table;
    bool replace = unit->context->write_mode == RB_CONTEXT_REPLACE;
    bool keeps = rb_stream_context_truncates(unit->context);
    int status = dest->dry ? rb_query_exec(dest->conn, "BEGIN", err) : 0;
    status = status < 0 ? status : rb_target_find(dest, schema, table, &unit->target, err);
    memcpy(unit->evolution.original, unit->target.oid, sizeof unit->evolution.original);
    status = status < 0 ? status : check_key(unit, err);
    status = status < 0 ? status : check_references(unit, err);
    if (status == 0 && !unit->target.exists) {
        status = rb_dest_ensure_schema(dest, err);
        status = status < 0 ? status : RB_FAULT(DEST_SCHEMA_CREATED, err);
    }
    status = status < 0 ? status
                        : rb_evolve_as_text(&unit->evolution, &unit->target, &unit->columns, err);
    status =
        status < 0 ? status : rb_dest_settle_types(dest, &unit->evolution, &unit->columns, err);
    status = status < 0 ? status : check_past(unit, err);
    if (status < 0) {
        return status;
    }
    rb_ledger_staging_name(unit->context, unit->staging);
    unit->staged = unit->context->unit_count > 1;
    unit->swap = replace && !keeps && unit->target.exists && !unit->staged;
    if (unit->staged && (keeps || (!replace && unit->target.exists))) {
        return rb_error_set(err, RB_EINTERNAL, "UNITS_NOT_SUPPORTED",
                            "a stream in several units goes into a new table or by swap alone");
    }
    if (unit->staged) {
        status = stage_shared(unit, err);
    }
    status = status < 0 || dest->dry ? status : rb_dest_begin_writing(dest, unit->context, err);
    status = status < 0 ? status : RB_FAULT(DEST_TRANSACTION_BEGUN, err);
    if (status == 0 && unit->swap) {
        status = stage_for_swap(unit, err);
    }
    if (unit->swap || unit->staged) {
        schema = RB_DEST_LEDGER_SCHEMA;
        table = unit->staging;
    }
    if (status == 0 && keeps && unit->target.exists) {
        status = rb_truncate(dest, &unit->target, &unit->reader.decoder.schema, err);
    }
    return status < 0 || unit->proved ? status : settle_target(unit, schema, table, err);
}

/* In the transaction of the next part: the table as it is now. */
static int prepare_next(struct unit *unit, struct rb_error *err)
{
    struct rb_dest *dest = unit->dest;
    const char *schema = dest->config.schema;
    const char *table = unit->context->destination_table;
    rb_target_release(&unit->target);
    rb_target_init(&unit->target);
    int status = rb_target_find(dest, schema, table, &unit->target, err);
    if (status == 0 && !unit->target.exists) {
        return rb_error_set(err, RB_ESCHEMA, "TABLE_GONE",
                            "table \"%s\".\"%s\" was dropped while it was loaded", schema, table);
    }
    status = status < 0 ? status : rb_dest_begin_writing(dest, unit->context, err);
    return status < 0 ? status : settle_target(unit, schema, table, err);
}

static bool may_part(const struct rb_stream_context *context)
{
    return context->checkpoint_interval_bytes > 0 || context->checkpoint_interval_rows > 0 ||
           context->checkpoint_interval_seconds > 0;
}

/* What the source says it sent, from the stream's beginning, against what is in the table. */
static int verify(struct unit *unit, bool *ret_ended, struct rb_error *err)
{
    const struct totals *total = &unit->total;
    rb_json_free(unit->end);
    unit->end = NULL;
    int status = rb_stream_end(&unit->end, err);
    if (status < 0) {
        return status;
    }
    struct rb_json_value end = rb_json_root(unit->end);
    *ret_ended = rb_json_truth(rb_json_get(end, "ended"), true);
    if (!*ret_ended && !may_part(unit->context)) {
        return rb_error_set(err, RB_EPROTOCOL, "CONTRACT",
                            "a part of a stream that is one transaction");
    }
    int64_t records = rb_json_int(rb_json_get(end, "records"), -1);
    if (records != total->rows) {
        return rb_error_set(err, RB_EDATA, "VERIFY_MISMATCH",
                            "the source sent %lld rows, %lld arrived", (long long)records,
                            (long long)total->rows);
    }
    const char *theirs = rb_json_text(rb_json_get(end, "checksum"), "");
    char ours[17];
    snprintf(ours, sizeof ours, "%016" PRIx64, total->checksum);
    if (theirs[0] != '\0' && total->has_checksum && strcmp(theirs, ours) != 0) {
        return rb_error_set(err, RB_EDATA, "VERIFY_MISMATCH",
                            "the rows sent and the rows written differ: checksum %s, here %s",
                            theirs, ours);
    }
    return 0;
}

static int make_indexes(struct unit *unit, struct rb_error *err)
{
    struct rb_buf texts[2];
    struct rb_keys keys;
    int status = read_keys(unit, texts, &keys, err);
    status =
        status < 0 ? status : rb_indexes_make(unit->dest, unit->context, &unit->target, &keys, err);
    rb_buf_release(&texts[0]);
    rb_buf_release(&texts[1]);
    return status;
}

/* 1: what has this number is in the ledger already, so this transaction must not be committed. */
static int finish(struct unit *unit, const struct rb_load *load, bool ended, struct rb_error *err)
{
    if (unit->dest->dry) {
        unit->dest->has_made |= unit->evolution.original[0] == '\0';
        unit->dest->has_staged |= unit->swap && !unit->pending;
        return rb_query_exec(unit->dest->conn, "ROLLBACK", err);
    }
    struct rb_receipt receipt = {
        .context = unit->context,
        .unit = unit->number,
        .visible = !unit->staged,
        .is_part = !ended,
        .rows = load->present,
        .bytes = load->bytes,
        .rejected = load->rejected,
        .has_checksum = load->has_checksum,
        .checksum = load->checksum,
        .checkpoint = rb_json_get(rb_json_root(unit->end), "checkpoint"),
    };
    const struct rb_swap swap = {
        .staging = unit->staging, .before = &unit->before, .carried = &unit->evolution.carried};
    int status = ended && !unit->staged ? make_indexes(unit, err) : 0;
    if (status == 0 && unit->swap) {
        rb_phase("publishing");
        status = rb_swap_publish(unit->dest, unit->context, &swap, err);
    }
    rb_buf_clear(&unit->shape);
    if (status == 0 && !unit->staged) {
        status = rb_shape_write(unit->context, &unit->columns, unit->evolution.original, NULL,
                                &unit->shape, err);
        receipt.shape = rb_buf_str(&unit->shape);
    }
    status = status < 0 ? status : rb_ledger_record(unit->dest, &receipt, err);
    status = status != 0 ? status : RB_FAULT(DEST_RECEIPT_WRITTEN, err);
    if (status != 0) {
        return status;
    }
    rb_phase("committing");
    double start = rb_clock_secs();
    status = rb_ledger_commit(unit->dest, &receipt, err);
    unit->total.commit_secs += rb_clock_secs() - start;
    return status;
}

static void add_up(struct totals *total, const struct rb_load *load)
{
    total->rows += load->rows;
    total->bytes += load->bytes;
    total->rejected += load->rejected;
    total->present += load->present;
    total->has_checksum = total->has_checksum && load->has_checksum;
    total->checksum += load->checksum;
    total->decode_secs += load->decode_secs;
    total->flush_secs += load->flush_secs;
}

static void summarize(const struct unit *unit, struct rb_write_summary *ret)
{
    const struct totals *total = &unit->total;
    *ret = (struct rb_write_summary){
        .records_written = total->present,
        .records_failed = total->rejected,
        .records_superseded = total->rows - total->rejected - total->present,
        .bytes_written = total->bytes,
        .batches_written = unit->reader.n_batches,
        .checkpoint_count = total->parts,
        .has_checksum = total->has_checksum,
        .checksum = total->checksum,
        .connect_secs = unit->dest->connect_secs,
        .decode_secs = total->decode_secs,
        .flush_secs = total->flush_secs,
        .commit_secs = total->commit_secs,
    };
}

/* In place of the load, for which the table lacks the shape that a dry run does not give it. */
static int pass_batches(struct unit *unit, struct rb_load *load, struct rb_error *err)
{
    int status = 0;
    load->has_checksum = false;
    if (unit->mapping.any_cast || unit->context->write_mode == RB_CONTEXT_UPSERT) {
        unit->dest->wants_temporary = true;
        status = rb_query_exec(unit->dest->conn,
                               "CREATE TEMPORARY TABLE rapidbyte_in () ON COMMIT DROP", err);
    }
    while (status == 0) {
        status = rb_batch_reader_next(&unit->reader, err);
    }
    return status < 0 ? status : 0;
}

/* Of a dry run: whether the table that a swap would replace, as rb_begin has found it, stays as it
 * is, so that nothing is left to prove. What is to be told of it is told when it is looked at. */
static int stays(struct unit *unit, bool *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(RB_ABI_JSON_MAX);
    RB_CLEANUP(rb_target_release) struct rb_target old;
    struct rb_evolution *evolution = &unit->evolution;
    struct rb_json changes;
    rb_json_init(&changes, &text);
    rb_json_begin_array(&changes);
    rb_target_init(&old);
    int status = rb_dry_take(unit->dest, unit->context, &unit->columns, &old, ret, err);
    if (status < 0 || !*ret) {
        return status;
    }
    memcpy(evolution->original, old.oid, sizeof evolution->original);
    size_t told = text.len;
    struct rb_error own;
    rb_error_clear(&own);
    status = rb_evolve(evolution, unit->dest->config.schema, unit->context->destination_table,
                       &unit->columns, &old, &changes, &unit->mapping, &own);
    *ret = status == 0 && text.len == told && !unit->mapping.any_cast;
    if (!*ret) {
        rb_evolution_release(evolution);
        rb_evolution_init(evolution, unit->dest, unit->context);
    }
    return 0;
}

/* Of a dry run: a new table that can be made for certain is not, nor one in place of another. 1: it
 * was passed by. */
static int pass_by(struct unit *unit, struct rb_error *err)
{
    struct rb_load load = {.has_checksum = false};
    bool proved = false, replaced = false, ended = false;
    int status = unit->dest->dry ? stays(unit, &replaced, err) : 0;
    if (status == 0 && unit->dest->dry && !replaced) {
        status = rb_dry_proves_table(unit->dest, unit->context, &unit->columns, &proved, err);
    }
    if (status < 0 || (!proved && !replaced)) {
        return status;
    }
    if (proved) {
        rb_json_str(&unit->changes, "CREATE TABLE");
    }
    status = pass_batches(unit, &load, err);
    add_up(&unit->total, &load);
    status = status < 0 ? status : verify(unit, &ended, err);
    return status < 0 ? status : 1;
}

/* What one transaction brings: all of the unit, or the part that begins with the reader's batch;
 * with none, the end alone. 1 as of finish. */
static int write_part(struct unit *unit, bool has_batch, bool *ret_ended, struct rb_error *err)
{
    struct rb_load load = {
        .dest = unit->dest,
        .context = unit->context,
        .columns = &unit->columns,
        .target = &unit->target,
        .mapping = &unit->mapping,
        .row_key = unit->row_key,
        .reader = &unit->reader,
        .has_checksum = true,
    };
    if (unit->context->write_mode == RB_CONTEXT_UPSERT) {
        load.primary_key = unit->primary_key;
        load.key_comes_once = unit->key_comes_once;
    }
    int status = unit->total.parts == 0 ? prepare(unit, err) : prepare_next(unit, err);
    if (has_batch && status == 0) {
        status = unit->pending || unit->proved ? pass_batches(unit, &load, err)
                                               : rb_load_run(&load, err);
    }
    if (status == 0) {
        add_up(&unit->total, &load);
        status = verify(unit, ret_ended, err);
    }
    status = status < 0 ? status : RB_FAULT(DEST_VERIFIED, err);
    return status < 0 ? status : finish(unit, &load, *ret_ended, err);
}

static int tell_changes(struct unit *unit, struct rb_write_summary *ret, struct rb_error *err)
{
    rb_json_end_array(&unit->changes);
    if (rb_json_finish(&unit->changes) < 0) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for the changes");
    }
    ret->changes = rb_buf_str(&unit->dest->changes);
    return 0;
}

static int write_unit(struct unit *unit, struct rb_write_summary *ret, struct rb_error *err)
{
    double connect_secs = unit->dest->connect_secs;
    bool has_batch = true, ended = false;
    int status = read_schema(unit, err);
    int passed = status < 0 ? status : pass_by(unit, err);
    status = passed < 0 ? passed : status;
    while (status == 0 && passed == 0) {
        status = write_part(unit, has_batch, &ended, err);
        if (status != 0 || ended) {
            break;
        }
        status = RB_FAULT(DEST_PART_COMMITTED, err);
        status =
            status < 0 ? status : rb_ledger_tell_part(unit->dest, unit->context, unit->number, err);
        unit->number++;
        unit->total.parts++;
        int next = status < 0 ? status : rb_batch_reader_next(&unit->reader, err);
        has_batch = next == 0;
        status = next < 0 ? next : 0;
    }
    if (status != 0) {
        return status;
    }
    unit->dest->connect_secs = connect_secs;
    summarize(unit, ret);
    return unit->dest->dry ? tell_changes(unit, ret, err) : 0;
}

/* Another session, whose COMMIT was under way when the host asked, has committed what comes next.
 * The host is told, and has the stream read again behind it. */
static int go_behind(struct rb_dest *dest, const struct rb_stream_context *context, int64_t number,
                     struct rb_error *err)
{
    int status = rb_ledger_tell_part(dest, context, number, err);
    if (status < 0) {
        return status;
    }
    status = rb_error_set(err, RB_EDB, "PART_STANDS",
                          "an earlier attempt's session has committed the next part since");
    if (err != NULL) {
        err->retryable = err->safe_to_retry = true;
        err->backoff = RB_BACKOFF_FAST;
    }
    return status;
}

/* 0: what has this number in the ledger ends the unit; 1: there is nothing. */
static int look_up(struct rb_dest *dest, const struct rb_stream_context *context, int64_t number,
                   struct rb_write_summary *ret, struct rb_error *err)
{
    struct rb_receipt receipt = {.rows = 0};
    if (context->load_id[0] == '\0') {
        return 1;
    }
    int status = rb_ledger_find(dest, context, number, &receipt, err);
    if (status == 0 && receipt.is_part) {
        return go_behind(dest, context, number, err);
    }
    if (status == 0) {
        *ret = (struct rb_write_summary){.records_written = receipt.rows,
                                         .records_failed = receipt.rejected,
                                         .bytes_written = receipt.bytes,
                                         .already_loaded = true};
    }
    return status;
}

static int check_policies(const struct rb_stream_context *context, struct rb_error *err)
{
    if (may_part(context) && context->load_id[0] == '\0') {
        return rb_error_set(err, RB_ECONFIG, "NOT_SUPPORTED",
                            "checkpoint_interval_* needs a host that keeps loads");
    }
    return 0;
}

/* The table of rejected rows is made like the ledger's. */
static bool keeps_rejected(const struct rb_stream_context *context)
{
    return strcmp(rb_json_text(rb_json_get(context->policies, "on_data_error"), ""), "dlq") == 0;
}

int rb_dest_write(void *self, const struct rb_stream_context *context, struct rb_write_summary *ret,
                  struct rb_error *err)
{
    struct rb_dest *dest = self;
    int status = check_policies(context, err);
    status = status < 0 ? status : rb_dest_connect(dest, err);
    status = status < 0 ? status : RB_FAULT(DEST_WRITE_CONNECTED, err);
    dest->dry = context->dry_run;
    if (status == 0 && dest->dry && !dest->ledger_ready && !dest->ledger_asked) {
        status = rb_ledger_check(dest, &dest->ledger_ready, err);
        dest->ledger_asked = status == 0;
    }
    /* Of a load rb_begin has seen to it. */
    if (status == 0 && !dest->dry && context->load_id[0] == '\0' && keeps_rejected(context)) {
        status = rb_ledger_ensure(dest, err);
    }
    if (status == 0) {
        status = dest->dry ? 1 : look_up(dest, context, rb_ledger_unit(context), ret, err);
    }
    if (status <= 0) {
        return status;
    }
    RB_CLEANUP(unit_release) struct unit unit = {.dest = NULL};
    unit_init(&unit, dest, context);
    status = write_unit(&unit, ret, err);
    if (status == 1) {
        rb_dest_abort(dest);
        status = rb_dest_connect(dest, err);
        status = status < 0 ? status : look_up(dest, context, unit.number, ret, err);
    }
    if (status == 1) {
        return rb_error_set(err, RB_EINTERNAL, "RECEIPT_GONE",
                            "the receipt that kept this unit from being loaded is gone, or of "
                            "another attempt");
    }
    if (status < 0) {
        if (err != NULL && err->commit_state == RB_COMMIT_NONE) {
            err->commit_state = RB_COMMIT_BEFORE;
            err->safe_to_retry = context->load_id[0] != '\0';
        }
        rb_dest_abort(dest);
        rb_references_hint(dest, err);
        rb_locks_hint(dest, context, err);
        rb_grants_hint(dest, context, err);
    }
    return status;
}
