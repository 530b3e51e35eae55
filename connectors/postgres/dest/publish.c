/* rb_publish: all units of a stream become visible with the receipt, in one transaction; or the
 * load ends. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "connectors/postgres/dest/load.h"
#include "gen/connectors/postgres/dest/sql.h"

/* Every unit must have its receipt, and what the host knows of it must be what it says. */
static int check_units(struct rb_dest *dest, const struct rb_stream_context *stream,
                       struct rb_json_value units, struct rb_receipt *total, struct rb_error *err)
{
    size_t n = rb_json_count(units);
    for (size_t i = 0; i < n; i++) {
        struct rb_json_value unit = rb_json_item(units, i);
        int64_t index = rb_json_int(rb_json_get(unit, "index"), -1);
        struct rb_receipt found = {.rows = 0};
        int status = rb_ledger_find(dest, stream, index + stream->parts, &found, err);
        if (status < 0) {
            return status;
        }
        if (status == 1 || found.rows != rb_json_int(rb_json_get(unit, "rows"), found.rows)) {
            return rb_error_set(err, RB_EDATA, "VERIFY_MISMATCH", "unit %lld has %s",
                                (long long)index,
                                status == 1 ? "no receipt" : "another number of rows");
        }
        const char *checksum = rb_json_text(rb_json_get(unit, "checksum"), NULL);
        if (checksum != NULL &&
            (!found.has_checksum || found.checksum != strtoull(checksum, NULL, 16))) {
            return rb_error_set(err, RB_EDATA, "VERIFY_MISMATCH",
                                "unit %lld has another checksum than its rows had",
                                (long long)index);
        }
        total->has_checksum = total->has_checksum && found.has_checksum;
        total->checksum += found.checksum;
        total->rows += found.rows;
        total->bytes += found.bytes;
        total->rejected += found.rejected;
    }
    return 0;
}

/* The rows that the units left out, into the stream's table of such. */
static int publish_rejected(struct rb_dest *dest, const struct rb_stream_context *stream,
                            struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result any;
    RB_CLEANUP(rb_statement_release) struct rb_statement sql;
    char table[2 * RB_CONN_TEXT_MAX];
    const char *params[] = {stream->load_id, stream->stream_name};
    rb_query_result_init(&any);
    rb_statement_init(&sql);
    int status = rb_dest_query(dest, rb_sql_rejected_any, params, 2, &any, err);
    if (status < 0 || !rb_query_bool(&any, 0, 0)) {
        return status;
    }
    status = rb_rejects_ensure_table(dest, stream->stream_name, table, err);
    if (status < 0) {
        return status;
    }
    rb_statement_begin(&sql,
                       "WITH r AS (DELETE FROM " RB_DEST_LEDGER_SCHEMA
                       ".rejected WHERE load_id = $1 AND stream = $2 RETURNING *) INSERT INTO ",
                       err);
    rb_statement_add(&sql, table);
    rb_statement_add(&sql, " (load_id, stream, unit, position, sqlstate, message, detail, \"row\", "
                           "\"values\", rejected) SELECT load_id, stream, unit, position, "
                           "sqlstate, message, detail, \"row\", \"values\", rejected FROM r");
    status = rb_statement_end(&sql);
    return status < 0 ? status
                      : rb_dest_query_once(dest, rb_buf_str(&sql.text), params, 2, NULL, err);
}

/* What keep_swap left. */
static int read_kept(const struct rb_query_result *kept, struct rb_buf *ret_before,
                     struct rb_buf *ret_carried, struct rb_error *err)
{
    const char *before = rb_query_text(kept, 0, 1);
    const char *hex = rb_query_text(kept, 0, 2);
    int status = before != NULL ? rb_buf_append_str(ret_before, before) : 0;
    for (size_t i = 0; status == 0 && hex != NULL && hex[i] != '\0' && hex[i + 1] != '\0'; i += 2) {
        const char digits[] = {hex[i], hex[i + 1], '\0'};
        const char byte = (char)strtol(digits, NULL, 16);
        status = rb_buf_append(ret_carried, &byte, 1);
    }
    return status == 0 ? 0 : rb_error_set(err, status, "OUT_OF_MEMORY", "no memory for a swap");
}

/* What keep_swap left of the source's keys, on the staging table. */
static int make_indexes(struct rb_dest *dest, const struct rb_stream_context *stream,
                        const char *staging, const char *shape, struct rb_error *err)
{
    RB_CLEANUP(rb_target_release) struct rb_target target;
    RB_CLEANUP(rb_buf_release) struct rb_buf key = RB_BUF_INIT(RB_ABI_JSON_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf indexes = RB_BUF_INIT(RB_ABI_JSON_MAX);
    struct rb_json_doc *doc = NULL;
    const char *wanted = rb_json_text(rb_json_get(stream->json, "indexes"), "none");
    rb_target_init(&target);
    if (shape == NULL || strcmp(wanted, "none") == 0) {
        return 0;
    }
    int status = rb_json_parse(shape, strlen(shape), &doc, err);
    struct rb_json_value root = rb_json_root(doc);
    size_t key_len = 0, indexes_len = 0;
    struct rb_json_value key_value = rb_json_get(root, "primary_key");
    struct rb_json_value indexes_value = rb_json_get(root, "indexes");
    if (status == 0 && !rb_json_is_absent(key_value)) {
        const char *text = rb_json_source(key_value, &key_len);
        status = rb_buf_append(&key, text, key_len);
    }
    if (status == 0 && !rb_json_is_absent(indexes_value)) {
        const char *text = rb_json_source(indexes_value, &indexes_len);
        status = rb_buf_append(&indexes, text, indexes_len);
    }
    const struct rb_keys keys = {.primary_key = key_len > 0 ? rb_buf_str(&key) : NULL,
                                 .indexes = indexes_len > 0 ? rb_buf_str(&indexes) : NULL};
    status =
        status < 0 ? status : rb_target_find(dest, RB_DEST_LEDGER_SCHEMA, staging, &target, err);
    status = status < 0 ? status : rb_indexes_make(dest, stream, &target, &keys, err);
    rb_json_free(doc);
    return status;
}

static int publish_stream(struct rb_dest *dest, const struct rb_stream_context *stream,
                          struct rb_json_value request, struct rb_receipt *receipt,
                          struct rb_error *err)
{
    char name[RB_DEST_STAGING_NAME];
    RB_CLEANUP(rb_query_result_release) struct rb_query_result kept;
    RB_CLEANUP(rb_buf_release) struct rb_buf before = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf carried = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    rb_query_result_init(&kept);
    rb_ledger_staging_name(stream, name);
    const char *staging = name;
    int64_t expected = rb_json_int(rb_json_at(request, "end", "records", NULL), -1);
    int status = rb_dest_begin_writing(dest, stream, err);
    status = status < 0 ? status : RB_FAULT(DEST_PUBLISH_BEGUN, err);
    status = status < 0 ? status
                        : check_units(dest, stream, rb_json_get(request, "units"), receipt, err);
    status = status < 0 ? status : RB_FAULT(DEST_PUBLISH_CHECKED, err);
    if (status == 0 && expected >= 0 && expected != receipt->rows + receipt->rejected) {
        return rb_error_set(err, RB_EDATA, "VERIFY_MISMATCH",
                            "the source sent %lld rows, %lld are staged", (long long)expected,
                            (long long)(receipt->rows + receipt->rejected));
    }
    status =
        status < 0 ? status : rb_dest_query(dest, rb_sql_staging_take, &staging, 1, &kept, err);
    status = status < 0 ? status : read_kept(&kept, &before, &carried, err);
    const struct rb_swap swap = {.staging = staging, .before = &before, .carried = &carried};
    receipt->shape = rb_query_text(&kept, 0, 0);
    status = status < 0 ? status : make_indexes(dest, stream, staging, receipt->shape, err);
    rb_phase("publishing");
    status = status < 0 ? status : rb_swap_publish(dest, stream, &swap, err);
    status = status < 0 ? status : RB_FAULT(DEST_PUBLISH_SWAPPED, err);
    status = status < 0 || receipt->rejected == 0 ? status : publish_rejected(dest, stream, err);
    status = status < 0 ? status : rb_ledger_record(dest, receipt, err);
    if (status == 1) {
        return rb_query_exec(dest->conn, "ROLLBACK", err); /* it has been published */
    }
    status = status < 0 ? status : rb_ledger_commit(dest, receipt, err);
    return status < 0 ? status : RB_FAULT(DEST_PUBLISHED, err);
}

static int end_load(struct rb_dest *dest, const char *load_id, const char *pipeline,
                    struct rb_json_value request, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf streams = RB_BUF_INIT(RB_ABI_JSON_MAX);
    struct rb_json_value document = rb_json_get(request, "document_streams");
    size_t len = 0;
    const char *text = rb_json_source(document, &len);
    bool has_document = rb_json_is_array(document);
    if (has_document && rb_buf_append(&streams, text, len) < 0) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for names");
    }
    const char *params[] = {load_id, pipeline, has_document ? rb_buf_str(&streams) : NULL,
                            rb_json_text(rb_json_get(request, "claim"), NULL)};
    int status = RB_FAULT(DEST_END_LOAD, err);
    status = status < 0 ? status : rb_dest_query(dest, rb_sql_load_end, params, 4, NULL, err);
    return status < 0 ? status : RB_FAULT(DEST_END_LOAD_DONE, err);
}

static int publish_once(struct rb_dest *dest, const struct rb_stream_context *stream,
                        struct rb_json_value request, struct rb_write_summary *ret,
                        struct rb_error *err)
{
    struct rb_receipt receipt = {
        .context = stream,
        .unit = RB_DEST_WHOLE_STREAM,
        .visible = true,
        .has_checksum = true,
        .checkpoint = rb_json_at(request, "end", "checkpoint", NULL),
    };
    bool whole = stream->unit_count <= 1;
    int64_t unit = whole ? rb_ledger_unit(stream) : RB_DEST_WHOLE_STREAM;
    int status = rb_ledger_find(dest, stream, unit, &receipt, err);
    bool already = status == 0;
    if (status == 1 && whole) {
        return rb_error_set(err, RB_EINTERNAL, "NOTHING_TO_PUBLISH",
                            "stream '%s' was not written in this load", stream->stream_name);
    }
    if (status == 1) {
        status = publish_stream(dest, stream, request, &receipt, err);
    }
    if (status < 0) {
        return status;
    }
    *ret = (struct rb_write_summary){
        .records_written = receipt.rows,
        .bytes_written = receipt.bytes,
        .records_failed = receipt.rejected,
        .has_checksum = receipt.has_checksum && !already,
        .checksum = receipt.checksum,
        .already_loaded = already,
    };
    return 0;
}

static int publish(struct rb_dest *dest, const char *load_id, const char *pipeline,
                   const struct rb_stream_context *stream, struct rb_json_value request,
                   struct rb_write_summary *ret, struct rb_error *err)
{
    int status = rb_ledger_ensure(dest, err);
    if (status == 0 && stream != NULL) {
        return publish_once(dest, stream, request, ret, err);
    }
    *ret = (struct rb_write_summary){.records_written = 0};
    return status < 0 ? status : end_load(dest, load_id, pipeline, request, err);
}

int rb_dest_publish(void *self, const char *load_id, const char *pipeline,
                    const struct rb_stream_context *stream, struct rb_json_value request,
                    struct rb_write_summary *ret, struct rb_error *err)
{
    struct rb_dest *dest = self;
    int status =
        dest->conn != NULL ? publish(dest, load_id, pipeline, stream, request, ret, err) : 0;
    if (dest->conn == NULL || (status < 0 && !rb_conn_is_usable(dest->conn))) {
        /* It had nothing to do for as long as the load took, and may have been cut, and the
         * pipeline's lock with it. All of this can be done again: the receipts tell. */
        status = rb_dest_connect(dest, err);
        /* Where another session has the lock already, a retry of this run took it; or another run
         * did, which the claim on the load shows. */
        (void)(status < 0 ? status : rb_dest_lock_pipeline(dest, pipeline, NULL, NULL));
        status = status < 0 ? status : publish(dest, load_id, pipeline, stream, request, ret, err);
    }
    if (status < 0) {
        rb_dest_abort(dest);
        rb_grants_hint(dest, stream, err);
    }
    return status;
}
