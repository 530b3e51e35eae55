/* The ledger: receipts in the transaction of the data, and what a lost COMMIT left. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/hash.h"
#include "connectors/postgres/dest/dest.h"
#include "gen/connectors/postgres/dest/sql.h"

enum {
    NUMBER_MAX = 24,
    STAGING_KEY_MAX = 64 * 1024,
};

static int read_only(const struct rb_dest *dest, bool standby, struct rb_error *err)
{
    const char *user = dest->config.user;
    const char *database = dest->config.database;
    if (standby) {
        rb_error_set(err, RB_EPERM, "READ_ONLY",
                     "the server of database \"%s\" is a standby, which can't be written",
                     database);
        rb_error_set_hint(err, "load into its primary");
        return RB_EPERM;
    }
    rb_error_set(err, RB_EPERM, "READ_ONLY",
                 "role \"%s\" may only read in database \"%s\": default_transaction_read_only is "
                 "on",
                 user, database);
    rb_error_set_hint(err,
                      "ALTER ROLE \"%s\" IN DATABASE \"%s\" SET default_transaction_read_only = "
                      "off",
                      user, database);
    return RB_EPERM;
}

int rb_ledger_check(struct rb_dest *dest, bool *ret_exists, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result found;
    rb_query_result_init(&found);
    int status = rb_dest_query(dest, rb_sql_ledger_own, NULL, 0, &found, err);
    if (status == 0 && rb_query_bool(&found, 0, 1)) {
        return read_only(dest, rb_query_bool(&found, 0, 2), err);
    }
    if (status == 0 && rb_query_bool(&found, 0, 0)) {
        *ret_exists = true;
        return 0;
    }
    status = status < 0 ? status : rb_dest_query(dest, rb_sql_ledger_exists, NULL, 0, &found, err);
    const char *foreign = status == 0 ? rb_query_text(&found, 0, 1) : NULL;
    if (foreign != NULL) {
        status = rb_error_set(err, RB_EPERM, "LEDGER_OF_ANOTHER",
                              "there is one already, and what belongs to others in it could run "
                              "as this role: %s",
                              foreign);
        rb_error_set_hint(err, "ALTER SCHEMA " RB_DEST_LEDGER_SCHEMA " and its tables OWNER TO a "
                               "role that all who load here are members of, or to a superuser");
    }
    if (status == 0) {
        *ret_exists = rb_query_bool(&found, 0, 0);
    }
    return status;
}

/* Within a transaction. */
static int create(struct rb_dest *dest, struct rb_error *err)
{
    int status = rb_dest_make_schema(dest, RB_DEST_LEDGER_SCHEMA, err);
    return status < 0 ? status : rb_query_exec(dest->conn, rb_sql_ledger_create, err);
}

static void explain(struct rb_error *err)
{
    rb_error_prefix(err, "the ledger (schema \"" RB_DEST_LEDGER_SCHEMA "\")");
}

int rb_ledger_prove(struct rb_dest *dest, struct rb_error *err)
{
    bool exists = false;
    int status = rb_ledger_check(dest, &exists, err);
    status = status < 0 || exists ? status : create(dest, err);
    if (status < 0) {
        explain(err);
    }
    return status;
}

int rb_ledger_ensure(struct rb_dest *dest, struct rb_error *err)
{
    if (dest->ledger_ready) {
        return 0;
    }
    bool exists = false;
    int status = rb_ledger_check(dest, &exists, err);
    if (status == 0 && !exists) {
        status = RB_FAULT(DEST_LEDGER_CREATE, err);
        status = status < 0 ? status : rb_query_exec(dest->conn, "BEGIN", err);
        status = status < 0 ? status : create(dest, err);
        status = status < 0 ? status : rb_query_exec(dest->conn, "COMMIT", err);
        status = status < 0 ? status : RB_FAULT(DEST_LEDGER_CREATED, err);
        if (status < 0) {
            rb_dest_abort(dest);
        }
        /* Some of its tables may have been there. */
        status = status < 0 ? status : rb_ledger_check(dest, &exists, err);
    }
    if (status < 0) {
        explain(err);
        return status;
    }
    dest->ledger_ready = true;
    return 0;
}

void rb_ledger_target(const struct rb_dest *dest, const struct rb_stream_context *context,
                      char ret[RB_DEST_TARGET_MAX])
{
    snprintf(ret, RB_DEST_TARGET_MAX, "%.500s.%.500s", dest->config.schema,
             context->destination_table);
}

static void write_key(const struct rb_stream_context *stream, struct rb_json *json)
{
    bool appends = stream->write_mode == RB_CONTEXT_APPEND;
    rb_json_begin_object(json);
    rb_json_member_str(json, "stream", stream->stream_name);
    rb_json_member_str(json, "table", stream->destination_table);
    rb_json_member_bool(json, "append", appends);
    rb_json_member_bool(json, "whole", appends && stream->sync_mode != RB_CONTEXT_INCREMENTAL);
    rb_json_end_object(json);
}

int rb_ledger_write_keys(const struct rb_stream_context *streams, size_t n_streams,
                         struct rb_buf *ret, struct rb_error *err)
{
    struct rb_json json;
    rb_json_init(&json, ret);
    rb_json_begin_array(&json);
    for (size_t i = 0; i < n_streams; i++) {
        write_key(&streams[i], &json);
    }
    rb_json_end_array(&json);
    int status = rb_json_finish(&json);
    return status == 0 ? 0 : rb_error_set(err, status, "OUT_OF_MEMORY", "no memory for names");
}

/* A JSON value's own text as a C string in `buf`; NULL when it is absent. */
static int source_text(struct rb_json_value value, struct rb_buf *buf, const char **ret)
{
    size_t len = 0;
    const char *text = rb_json_is_absent(value) ? NULL : rb_json_source(value, &len);
    *ret = NULL;
    if (text == NULL || len == 0) {
        return 0;
    }
    int status = rb_buf_append(buf, text, len);
    *ret = rb_buf_str(buf);
    return status;
}

int64_t rb_ledger_unit(const struct rb_stream_context *context)
{
    return context->unit_index + context->parts;
}

static int find(struct rb_dest *dest, const struct rb_stream_context *context, int64_t unit,
                struct rb_query_result *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf snapshot = RB_BUF_INIT(RB_ABI_JSON_MAX);
    char numbers[2][NUMBER_MAX];
    snprintf(numbers[0], NUMBER_MAX, "%" PRId64, unit);
    snprintf(numbers[1], NUMBER_MAX, "%" PRId64, context->attempt);
    char target[RB_DEST_TARGET_MAX];
    rb_ledger_target(dest, context, target);
    const char *params[] = {
        context->load_id, context->stream_name, numbers[0], target, numbers[1], NULL,
    };
    if (source_text(context->snapshot, &snapshot, &params[5]) < 0) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a receipt");
    }
    int status = rb_dest_query(dest, rb_sql_ledger_find, params, 6, ret, err);
    return status == 0 && ret->n_rows == 0 ? 1 : status;
}

int rb_ledger_find(struct rb_dest *dest, const struct rb_stream_context *context, int64_t unit,
                   struct rb_receipt *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result found;
    rb_query_result_init(&found);
    int status = find(dest, context, unit, &found, err);
    if (status != 0) {
        return status;
    }
    ret->rows = rb_query_int(&found, 0, 0, 0);
    ret->bytes = rb_query_int(&found, 0, 1, 0);
    ret->rejected = rb_query_int(&found, 0, 2, 0);
    const char *checksum = rb_query_text(&found, 0, 3);
    ret->has_checksum = checksum != NULL;
    ret->checksum = checksum != NULL ? strtoull(checksum, NULL, 16) : 0;
    ret->is_part = rb_query_bool(&found, 0, 4);
    return 0;
}

/* A member's own text, as a C string in `buf`. */
static const char *member_text(struct rb_json_value object, const char *name, struct rb_buf *buf)
{
    size_t len = 0;
    struct rb_json_value value = rb_json_get(object, name);
    const char *text = rb_json_is_absent(value) ? NULL : rb_json_source(value, &len);
    return text != NULL && rb_buf_append(buf, text, len) == 0 ? rb_buf_str(buf) : NULL;
}

int rb_ledger_tell_part(struct rb_dest *dest, const struct rb_stream_context *context, int64_t unit,
                        struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result found;
    struct rb_json_doc *doc = NULL;
    RB_CLEANUP(rb_buf_release) struct rb_buf value = RB_BUF_INIT(RB_ABI_JSON_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf resume = RB_BUF_INIT(RB_ABI_JSON_MAX);
    rb_query_result_init(&found);
    int status = find(dest, context, unit, &found, err);
    if (status < 0) {
        return status;
    }
    const char *text = rb_query_text(&found, 0, 5);
    if (text == NULL) {
        return rb_error_set(err, RB_EINTERNAL, "NO_CHECKPOINT",
                            "part %lld of the stream has no checkpoint in the ledger",
                            (long long)unit);
    }
    status = rb_json_parse(text, strlen(text), &doc, err);
    if (status < 0) {
        return status;
    }
    struct rb_json_value root = rb_json_root(doc);
    struct rb_checkpoint checkpoint = {
        .stream = context->stream_name,
        .cursor_field = rb_json_text(rb_json_get(root, "cursor_field"), NULL),
        .cursor_value_json = member_text(root, "cursor_value", &value),
        .resume_json = member_text(root, "resume", &resume),
        .records_processed = rb_query_int(&found, 0, 0, 0),
        .bytes_processed = rb_query_int(&found, 0, 1, 0),
        .parts = unit + 1,
    };
    status = rb_checkpoint(RB_CHECKPOINT_DESTINATION, &checkpoint, err);
    rb_json_free(doc);
    return status;
}

static const char *mode_name(const struct rb_stream_context *context)
{
    switch (context->write_mode) {
    case RB_CONTEXT_APPEND:
        return "append";
    case RB_CONTEXT_REPLACE:
        return "replace";
    case RB_CONTEXT_UPSERT:
        return "upsert";
    }
    return "append";
}

int rb_ledger_record(struct rb_dest *dest, const struct rb_receipt *receipt, struct rb_error *err)
{
    const struct rb_stream_context *context = receipt->context;
    if (context->load_id[0] == '\0') {
        return 0; /* a host without loads: there is nothing to remember it by */
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf checkpoint = RB_BUF_INIT(RB_ABI_JSON_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf snapshot = RB_BUF_INIT(RB_ABI_JSON_MAX);
    char numbers[5][NUMBER_MAX];
    char checksum[NUMBER_MAX];
    char target[RB_DEST_TARGET_MAX];
    snprintf(numbers[0], NUMBER_MAX, "%" PRId64, receipt->unit);
    snprintf(numbers[1], NUMBER_MAX, "%" PRId64, context->attempt);
    snprintf(numbers[2], NUMBER_MAX, "%" PRId64, receipt->rows);
    snprintf(numbers[3], NUMBER_MAX, "%" PRId64, receipt->bytes);
    snprintf(numbers[4], NUMBER_MAX, "%" PRId64, receipt->rejected);
    snprintf(checksum, sizeof checksum, "%016" PRIx64, receipt->checksum);
    rb_ledger_target(dest, context, target);
    const char *params[] = {
        context->load_id,
        context->stream_name,
        numbers[0],
        context->pipeline,
        numbers[1],
        receipt->is_part ? "checkpoint" : mode_name(context),
        receipt->visible ? "true" : "false",
        numbers[2],
        numbers[3],
        receipt->has_checksum ? checksum : NULL,
        NULL,
        NULL,
        target,
        numbers[4],
        receipt->shape,
        dest->config.schema,
        context->destination_table,
        context->sync_mode == RB_CONTEXT_INCREMENTAL ? "incremental" : "full_refresh",
        context->claim[0] != '\0' ? context->claim : NULL,
    };
    if (source_text(receipt->checkpoint, &checkpoint, &params[10]) < 0 ||
        source_text(context->snapshot, &snapshot, &params[11]) < 0) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a receipt");
    }
    RB_CLEANUP(rb_query_result_release) struct rb_query_result result;
    rb_query_result_init(&result);
    int status = rb_dest_query(dest, rb_sql_ledger_record, params, sizeof params / sizeof params[0],
                               &result, err);
    if (status < 0) {
        rb_error_prefix(err, "the receipt in the ledger");
        return status;
    }
    if (result.n_affected > 0) {
        return 0;
    }
    status = rb_dest_check_claim(dest, context, err);
    return status < 0 ? status : 1;
}

/* After COMMIT's answer was lost. */
static int ask_ledger(struct rb_dest *dest, const struct rb_receipt *receipt, int lost,
                      struct rb_error *err)
{
    struct rb_receipt standing;
    RB_FAULT_MARK(DEST_COMMIT_LOST);
    rb_conn_closep(&dest->conn);
    int found = receipt->context->load_id[0] == '\0' ? lost : rb_dest_connect(dest, NULL);
    if (found == 0) {
        found = rb_ledger_find(dest, receipt->context, receipt->unit, &standing, NULL);
    }
    if (found == 0) {
        rb_log(RB_LOG_WARN,
               "stream '%s': the answer to COMMIT was lost; the ledger says that it "
               "was done",
               receipt->context->stream_name);
        return 0;
    }
    rb_error_prefix(err, found == 1
                             ? "the answer to COMMIT was lost and the receipt is not there"
                             : "the answer to COMMIT was lost and the server can't be asked");
    if (err != NULL) {
        /* Without a receipt the old backend may still be about to commit: a retry is safe all the
         * same, because the receipt's key lets only one of them in. */
        err->commit_state = found == 1 ? RB_COMMIT_BEFORE : RB_COMMIT_AFTER_UNKNOWN;
        err->retryable = true;
        err->safe_to_retry = receipt->context->load_id[0] != '\0';
    }
    return lost;
}

int rb_ledger_commit(struct rb_dest *dest, const struct rb_receipt *receipt, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result result;
    rb_query_result_init(&result);
    int status = RB_FAULT(DEST_COMMIT, err);
    status = status < 0 ? status : rb_query_send(dest->conn, "COMMIT", NULL, 0, err);
    RB_FAULT_MARK(DEST_COMMIT_SENT);
    status = status < 0 ? status : rb_query_receive(dest->conn, &result, err);
    status = status < 0 ? status : RB_FAULT(DEST_COMMITTED, err);
    if (status == 0) {
        /* COMMIT of a failed transaction is answered by ROLLBACK, without an error. */
        if (strcmp(result.tag, "COMMIT") == 0) {
            return 0;
        }
        status = rb_error_set(err, RB_EINTERNAL, "COMMIT_REFUSED",
                              "the server answered COMMIT with %s", result.tag);
        return status;
    }
    if (rb_conn_is_usable(dest->conn)) {
        return status; /* the server said why it did not commit */
    }
    return ask_ledger(dest, receipt, status, err);
}

static bool is_staging_name(const char *name)
{
    return strlen(name) == RB_DEST_STAGING_NAME - 1 && strncmp(name, "s_", 2) == 0 &&
           strspn(name + 2, "0123456789abcdef") == RB_DEST_STAGING_NAME - 3;
}

/* The tables that were found by name. */
static int drop_staging(struct rb_dest *dest, const struct rb_query_result *found,
                        size_t *ret_dropped, struct rb_error *err)
{
    int status = 0;
    size_t dropped = 0;
    for (size_t i = 0; status == 0 && i < found->n_rows; i++) {
        const char *name = rb_query_text(found, i, 0);
        if (!is_staging_name(name)) {
            continue;
        }
        char sql[128];
        snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS " RB_DEST_LEDGER_SCHEMA ".%s", name);
        status = rb_query_exec(dest->conn, sql, err);
        if (status == 0) {
            status = rb_dest_query(dest, rb_sql_staging_forget, &name, 1, NULL, err);
            status = status < 0 ? status : RB_FAULT(DEST_LEFTOVER_DROPPED, err);
            dropped++;
        }
    }
    *ret_dropped = dropped;
    return status;
}

int rb_ledger_drop_leftovers(struct rb_dest *dest, const char *pipeline, size_t *ret_dropped,
                             struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result found;
    rb_query_result_init(&found);
    const char *params[] = {pipeline};
    int status = rb_dest_query(dest, rb_sql_staging_leftover, params, 1, &found, err);
    return status < 0 ? status : drop_staging(dest, &found, ret_dropped, err);
}

int rb_ledger_drop_earlier(struct rb_dest *dest, const struct rb_stream_context *context,
                           const char *staging, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result found;
    rb_query_result_init(&found);
    size_t dropped = 0;
    const char *params[] = {context->load_id, context->stream_name, staging};
    int status = rb_dest_query(dest, rb_sql_staging_earlier, params, 3, &found, err);
    return status < 0 ? status : drop_staging(dest, &found, &dropped, err);
}

void rb_ledger_staging_name(const struct rb_stream_context *context, char ret[RB_DEST_STAGING_NAME])
{
    size_t len = 0;
    const char *snapshot =
        rb_json_is_absent(context->snapshot) ? "" : rb_json_source(context->snapshot, &len);
    uint64_t hash = rb_hash_row(context->load_id, strlen(context->load_id) + 1);
    hash = hash * 31 + rb_hash_row(context->stream_name, strlen(context->stream_name) + 1);
    hash = hash * 31 + rb_hash_row(snapshot, len);
    hash = hash * 31 + (uint64_t)context->attempt;
    snprintf(ret, RB_DEST_STAGING_NAME, "s_%016" PRIx64, hash);
}
