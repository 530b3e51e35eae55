#include "sdk/src/context.h"

#include <string.h>

static int unknown_word(const char *what, const char *word, struct rb_error *err)
{
    return rb_error_set(err, RB_ECONFIG, "BAD_CONTEXT", "%s '%s' is unknown", what, word);
}

static int parse_sync_mode(struct rb_json_value json, enum rb_context_sync_mode *ret,
                           struct rb_error *err)
{
    static const char *const words[] = {
        [RB_CONTEXT_FULL_REFRESH] = "full_refresh",
        [RB_CONTEXT_INCREMENTAL] = "incremental",
        [RB_CONTEXT_CDC] = "cdc",
    };
    const char *word = rb_json_text(json, words[RB_CONTEXT_FULL_REFRESH]);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(word, words[i]) == 0) {
            *ret = (enum rb_context_sync_mode)i;
            return RB_OK;
        }
    }
    return unknown_word("sync_mode", word, err);
}

static int parse_write_mode(struct rb_json_value json, struct rb_stream_context *ret,
                            struct rb_error *err)
{
    if (rb_json_is_object(json)) {
        struct rb_json_value upsert = rb_json_get(json, "upsert");
        if (!rb_json_is_object(upsert)) {
            return unknown_word("write_mode", "object", err);
        }
        ret->write_mode = RB_CONTEXT_UPSERT;
        ret->primary_key = rb_json_get(upsert, "primary_key");
        return RB_OK;
    }
    const char *word = rb_json_text(json, "append");
    if (strcmp(word, "append") == 0) {
        ret->write_mode = RB_CONTEXT_APPEND;
    } else if (strcmp(word, "replace") == 0) {
        ret->write_mode = RB_CONTEXT_REPLACE;
    } else {
        return unknown_word("write_mode", word, err);
    }
    return RB_OK;
}

static void parse_limits(struct rb_json_value limits, struct rb_stream_context *ret)
{
    ret->max_batch_bytes = rb_json_int(rb_json_get(limits, "max_batch_bytes"), 0);
    if (ret->max_batch_bytes <= 0) {
        ret->max_batch_bytes = RB_SDK_BATCH_BYTES_DEFAULT;
    }
    ret->max_record_bytes = rb_json_int(rb_json_get(limits, "max_record_bytes"), 0);
    if (ret->max_record_bytes <= 0) {
        ret->max_record_bytes = ret->max_batch_bytes;
    }
    ret->max_retries = rb_json_int(rb_json_get(limits, "max_retries"), 0);
    ret->checkpoint_interval_bytes =
        rb_json_int(rb_json_get(limits, "checkpoint_interval_bytes"), 0);
    ret->checkpoint_interval_rows = rb_json_int(rb_json_get(limits, "checkpoint_interval_rows"), 0);
    ret->checkpoint_interval_seconds =
        rb_json_int(rb_json_get(limits, "checkpoint_interval_seconds"), 0);
}

static void parse_tables(struct rb_json_value json, struct rb_stream_context *ret)
{
    ret->source_schema = rb_json_text(rb_json_at(json, "source_table", "schema", NULL), "");
    ret->source_table =
        rb_json_text(rb_json_at(json, "source_table", "name", NULL), ret->stream_name);
    ret->destination_table = rb_json_text(rb_json_get(json, "destination_table"), ret->stream_name);
    ret->replace_method = rb_json_text(rb_json_get(json, "replace_method"), "swap");
}

int rb_sdk_context_parse(struct rb_json_value json, struct rb_stream_context *ret,
                         struct rb_error *err)
{
    struct rb_stream_context c = {.json = json};
    c.stream_name = rb_json_text(rb_json_get(json, "stream_name"), "");
    if (c.stream_name[0] == 0) {
        return rb_error_set(err, RB_ECONFIG, "BAD_CONTEXT", "a stream context without stream_name");
    }
    int status = parse_sync_mode(rb_json_get(json, "sync_mode"), &c.sync_mode, err);
    if (status == RB_OK) {
        status = parse_write_mode(rb_json_get(json, "write_mode"), &c, err);
    }
    if (status < 0) {
        return status;
    }
    c.schema_columns = rb_json_at(json, "schema", "columns", NULL);
    c.cursor_info = rb_json_get(json, "cursor_info");
    c.policies = rb_json_get(json, "policies");
    c.columns = rb_json_get(json, "columns");
    c.snapshot = rb_json_get(json, "snapshot");
    c.plan = rb_json_get(json, "plan");
    c.peer_features = rb_json_get(json, "peer_features");
    c.where = rb_json_text(rb_json_get(json, "where"), "");
    c.load_id = rb_json_text(rb_json_get(json, "load_id"), "");
    c.claim = rb_json_text(rb_json_get(json, "claim"), "");
    c.pipeline = rb_json_text(rb_json_get(json, "pipeline"), "");
    c.attempt = rb_json_int(rb_json_get(json, "attempt"), 0);
    c.unit_index = rb_json_int(rb_json_at(json, "unit", "index", NULL), 0);
    c.unit_count = rb_json_int(rb_json_at(json, "unit", "count", NULL), 1);
    c.parallelism = rb_json_int(rb_json_get(json, "parallelism"), 1);
    c.parts = rb_json_int(rb_json_get(json, "parts"), 0);
    c.dry_run = rb_json_truth(rb_json_get(json, "dry_run"), false);
    c.unit_range = rb_json_text(rb_json_at(json, "unit", "range", NULL), "");
    parse_limits(rb_json_get(json, "limits"), &c);
    parse_tables(json, &c);
    *ret = c;
    return RB_OK;
}

bool rb_stream_context_truncates(const struct rb_stream_context *context)
{
    return context->write_mode == RB_CONTEXT_REPLACE &&
           strcmp(context->replace_method, "truncate") == 0;
}

bool rb_stream_context_peer_has(const struct rb_stream_context *context, const char *feature)
{
    size_t n = rb_json_count(context->peer_features);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(rb_json_text(rb_json_item(context->peer_features, i), ""), feature) == 0) {
            return true;
        }
    }
    return false;
}
