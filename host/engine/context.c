#include "host/engine/context.h"

#include <string.h>

#include "host/engine/engine.h"

void rb_context_write_names(struct rb_json *json, const char *key, const struct rb_names *names)
{
    rb_json_key(json, key);
    if (names->count == 0) {
        rb_json_null(json);
        return;
    }
    rb_json_begin_array(json);
    for (size_t i = 0; i < names->count; i++) {
        rb_json_str(json, names->items[i]);
    }
    rb_json_end_array(json);
}

static void write_raw(struct rb_json *json, const char *key, const char *text)
{
    rb_json_member_raw(json, key, text, text != NULL ? strlen(text) : 0);
}

static void write_lookback(struct rb_json *json, const struct rb_stream *stream)
{
    rb_json_key(json, "lookback");
    switch (stream->lookback_kind) {
    case RB_LOOKBACK_DEFAULT:
        rb_json_null(json);
        return;
    case RB_LOOKBACK_FULL:
        rb_json_str(json, "full");
        return;
    case RB_LOOKBACK_MICROS:
    case RB_LOOKBACK_COUNT:
        rb_json_begin_object(json);
        rb_json_member_i64(json, stream->lookback_kind == RB_LOOKBACK_MICROS ? "micros" : "count",
                           stream->lookback);
        rb_json_end_object(json);
        return;
    }
}

bool rb_context_keeps_cursor(const struct rb_stream *stream)
{
    return stream->sync_mode == RB_SYNC_INCREMENTAL ||
           (stream->write_mode == RB_WRITE_REPLACE && stream->cursor_field != NULL);
}

static void write_cursor(struct rb_json *json, const struct rb_stream *stream,
                         const struct rb_context_extra *extra)
{
    rb_json_key(json, "cursor_info");
    bool anew = extra->full_refresh || stream->sync_mode != RB_SYNC_INCREMENTAL;
    if (!rb_context_keeps_cursor(stream)) {
        rb_json_null(json);
        return;
    }
    rb_json_begin_object(json);
    rb_json_member_str(json, "cursor_field", stream->cursor_field);
    rb_json_member_str(json, "cursor_type",
                       extra->cursor_type != NULL ? extra->cursor_type : "utf8");
    write_raw(json, "last_value", anew ? NULL : extra->last_value);
    rb_json_member_str(json, "nulls", rb_cursor_nulls_name(stream->cursor_nulls));
    write_lookback(json, stream);
    write_raw(json, "resume", anew ? NULL : extra->resume);
    rb_json_end_object(json);
}

enum rb_write_mode rb_context_write_mode(const struct rb_stream *stream, bool full_refresh)
{
    bool again = full_refresh && stream->sync_mode == RB_SYNC_INCREMENTAL;
    return again && stream->write_mode == RB_WRITE_APPEND ? RB_WRITE_REPLACE : stream->write_mode;
}

static void write_write_mode(struct rb_json *json, const struct rb_stream *stream,
                             const struct rb_context_extra *extra)
{
    rb_json_key(json, "write_mode");
    if (stream->write_mode != RB_WRITE_UPSERT) {
        rb_json_str(json, rb_write_mode_name(rb_context_write_mode(stream, extra->full_refresh)));
        return;
    }
    rb_json_begin_object(json);
    rb_json_key(json, "upsert");
    rb_json_begin_object(json);
    if (stream->primary_key.count > 0 || extra->primary_key == NULL) {
        rb_json_key(json, "primary_key");
        rb_json_begin_array(json);
        for (size_t i = 0; i < stream->primary_key.count; i++) {
            rb_json_str(json, stream->primary_key.items[i]);
        }
        rb_json_end_array(json);
    } else {
        write_raw(json, "primary_key", extra->primary_key);
    }
    rb_json_end_object(json);
    rb_json_end_object(json);
}

bool rb_context_has_parts(const struct rb_pipeline *pipeline, const struct rb_stream *stream,
                          bool full_refresh)
{
    const struct rb_resources *resources = &pipeline->resources;
    bool any = resources->checkpoint_interval_bytes > 0 ||
               resources->checkpoint_interval_rows > 0 ||
               resources->checkpoint_interval_seconds > 0;
    return any && stream->sync_mode == RB_SYNC_INCREMENTAL && pipeline->n_transforms == 0 &&
           rb_context_write_mode(stream, full_refresh) == RB_WRITE_APPEND;
}

static void write_limits(struct rb_json *json, const struct rb_resources *resources, bool has_parts)
{
    uint64_t bytes = has_parts ? resources->checkpoint_interval_bytes : 0;
    uint64_t rows = has_parts ? resources->checkpoint_interval_rows : 0;
    uint64_t seconds = has_parts ? resources->checkpoint_interval_seconds : 0;
    rb_json_key(json, "limits");
    rb_json_begin_object(json);
    rb_json_member_u64(json, "max_batch_bytes", resources->max_batch_bytes);
    rb_json_member_u64(json, "max_record_bytes", resources->max_record_bytes);
    rb_json_member_i64(json, "max_inflight_batches", resources->max_inflight_batches);
    rb_json_member_i64(json, "max_parallel_requests", 1);
    rb_json_member_i64(json, "max_retries", resources->max_retries);
    rb_json_member_u64(json, "checkpoint_interval_bytes", bytes);
    rb_json_member_u64(json, "checkpoint_interval_rows", rows);
    rb_json_member_u64(json, "checkpoint_interval_seconds", seconds);
    rb_json_end_object(json);
}

/* What the document leaves open has the first protocol's word, and stands in `unset`: a connector
 * that knows more of its tables may decide by that. */
static void write_evolution(struct rb_json *json, const struct rb_schema_evolution *evolution)
{
    const struct {
        const char *key, *word, *otherwise;
    } policies[] = {
        {"new_column", evolution->new_column, "add"},
        {"removed_column", evolution->removed_column, "ignore"},
        {"renamed_column", evolution->renamed_column, "separate"},
        {"type_change", evolution->type_change, "fail"},
        {"nullability_change", evolution->nullability_change, "allow"},
    };
    size_t n = sizeof policies / sizeof policies[0];
    rb_json_key(json, "schema_evolution");
    rb_json_begin_object(json);
    for (size_t i = 0; i < n; i++) {
        rb_json_member_str(json, policies[i].key,
                           policies[i].word != NULL ? policies[i].word : policies[i].otherwise);
    }
    rb_json_key(json, "unset");
    rb_json_begin_array(json);
    for (size_t i = 0; i < n; i++) {
        if (policies[i].word == NULL) {
            rb_json_str(json, policies[i].key);
        }
    }
    rb_json_end_array(json);
    rb_json_end_object(json);
}

static void write_policies(struct rb_json *json, const struct rb_stream *stream)
{
    rb_json_key(json, "policies");
    rb_json_begin_object(json);
    rb_json_member_str(json, "on_data_error", rb_on_data_error_name(stream->on_data_error));
    write_evolution(json, &stream->schema_evolution);
    rb_json_end_object(json);
}

static void write_unit(struct rb_json *json, const struct rb_context_extra *extra)
{
    rb_json_key(json, "unit");
    rb_json_begin_object(json);
    rb_json_member_u64(json, "index", extra->unit_index);
    rb_json_member_u64(json, "count", extra->unit_count);
    rb_json_member_str(json, "range", extra->range);
    rb_json_end_object(json);
}

static void write_schema(struct rb_json *json)
{
    /* The schema comes with the first batch; connectors of the first protocol were always sent an
     * empty one here. */
    rb_json_key(json, "schema");
    rb_json_begin_object(json);
    write_raw(json, "columns", "[]");
    rb_json_end_object(json);
}

static const char *table_of(const struct rb_stream *stream)
{
    return stream->destination_table != NULL ? stream->destination_table : stream->name;
}

static void write_tables(struct rb_json *json, const struct rb_stream *stream)
{
    rb_json_member_str(json, "destination_table", table_of(stream));
    rb_json_member_str(json, "replace_method", rb_replace_method_name(stream->replace_method));
    rb_json_member_str(json, "indexes", rb_indexes_name(stream->indexes));
}

/* Without what a connector assumes: of many streams that is half of the request. */
static void write_unusual_tables(struct rb_json *json, const struct rb_stream *stream)
{
    if (strcmp(table_of(stream), stream->name) != 0) {
        rb_json_member_str(json, "destination_table", table_of(stream));
    }
    if (stream->replace_method != RB_REPLACE_SWAP) {
        rb_json_member_str(json, "replace_method", rb_replace_method_name(stream->replace_method));
    }
    if (stream->indexes != RB_INDEXES_NONE) {
        rb_json_member_str(json, "indexes", rb_indexes_name(stream->indexes));
    }
}

void rb_context_write_brief(struct rb_json *json, const struct rb_stream *stream,
                            const struct rb_context_extra *extra)
{
    rb_json_begin_object(json);
    rb_json_member_str(json, "stream_name", stream->name);
    rb_json_member_str(json, "sync_mode", rb_sync_mode_name(stream->sync_mode));
    if (stream->sync_mode == RB_SYNC_INCREMENTAL) {
        write_cursor(json, stream, extra);
    }
    write_write_mode(json, stream, extra);
    write_unusual_tables(json, stream);
    rb_json_end_object(json);
}

void rb_context_write_stream(struct rb_json *json, const struct rb_pipeline *pipeline,
                             const struct rb_stream *stream, const struct rb_context_extra *extra)
{
    rb_json_begin_object(json);
    rb_json_member_str(json, "stream_name", stream->name);
    write_schema(json);
    rb_json_member_str(json, "sync_mode",
                       rb_sync_mode_name(rb_context_keeps_cursor(stream) ? RB_SYNC_INCREMENTAL
                                                                         : stream->sync_mode));
    write_cursor(json, stream, extra);
    write_limits(json, &pipeline->resources,
                 rb_context_has_parts(pipeline, stream, extra->full_refresh));
    write_policies(json, stream);
    write_write_mode(json, stream, extra);
    rb_json_member_str(json, "load_id", extra->load_id);
    rb_json_member_str(json, "claim", extra->claim);
    rb_json_member_str(json, "pipeline", pipeline->name);
    rb_json_member_i64(json, "attempt", extra->attempt);
    write_unit(json, extra);
    rb_json_member_i64(json, "parallelism", rb_context_lanes(pipeline));
    rb_json_member_i64(json, "parts", extra->parts);
    write_raw(json, "snapshot", extra->snapshot);
    write_raw(json, "plan", extra->plan);
    rb_json_key(json, "source_table");
    rb_json_begin_object(json);
    rb_json_member_str(json, "schema", stream->source_schema);
    rb_json_member_str(json, "name",
                       stream->source_table != NULL ? stream->source_table : stream->name);
    rb_json_end_object(json);
    rb_context_write_names(json, "columns", &stream->columns);
    rb_json_member_str(json, "where", stream->where);
    write_tables(json, stream);
    write_raw(json, "peer_features", extra->peer_features);
    if (extra->dry_run) {
        rb_json_member_bool(json, "dry_run", true);
        write_raw(json, "table", extra->table);
    }
    rb_json_end_object(json);
}

int rb_context_lanes(const struct rb_pipeline *pipeline)
{
    const struct rb_resources *resources = &pipeline->resources;
    int most = resources->max_connections - 1;
    return resources->parallelism < most ? resources->parallelism : most;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* The manifest's limits and the pipeline's: the smaller one wins. */
static void limit(struct rb_spec_limits *limits, const struct rb_resources *resources)
{
    limits->sockets = smaller(limits->sockets, resources->max_sockets);
    limits->log_lines = smaller(limits->log_lines, resources->max_log_lines);
    limits->log_bytes = smaller(limits->log_bytes, resources->max_log_bytes);
    limits->state_keys = smaller(limits->state_keys, resources->max_state_keys);
    limits->state_bytes = smaller(limits->state_bytes, resources->max_state_bytes);
    limits->metric_names = smaller(limits->metric_names, resources->max_metric_names);
    limits->stack_bytes = smaller(limits->stack_bytes, resources->max_stack_bytes);
    limits->call_ms = smaller(limits->call_ms, (uint64_t)resources->max_call_ms);
    limits->cpu_ms = smaller(limits->cpu_ms, (uint64_t)resources->max_cpu_ms);
}

void rb_context_worker_spec(const struct rb_pipeline *pipeline,
                            const struct rb_engine_options *options, int lanes,
                            struct rb_connector_spec *ret_specs, struct rb_worker_spec *ret)
{
    size_t n = 0;
    ret_specs[n++] = pipeline->source.spec;
    for (size_t i = 0; i < pipeline->n_transforms; i++) {
        ret_specs[n++] = pipeline->transforms[i].spec;
    }
    ret_specs[n++] = pipeline->destination.spec;
    const struct rb_resources *resources = &pipeline->resources;
    for (size_t i = 0; i < n; i++) {
        limit(&ret_specs[i].limits, resources);
    }
    *ret = (struct rb_worker_spec){
        .pipeline = pipeline->name,
        .connectors = ret_specs,
        .n_connectors = n,
        .lanes = lanes,
        .max_memory_bytes = resources->max_memory_bytes,
        .max_batch_bytes = resources->max_batch_bytes,
        .max_inflight_batches = resources->max_inflight_batches,
        .max_inflight_bytes = resources->max_inflight_bytes,
        .compression = resources->compression,
        .aot_dir = options->aot_dir,
        .interpreter = options->interpreter,
        .no_os_sandbox = options->no_os_sandbox,
        .llvm_stub_path = options->llvm_stub_path,
        .log_level = options->log_level,
        .connect_timeout_ms = pipeline->timeouts.connect_ms,
        .statement_timeout_ms = pipeline->timeouts.statement_ms,
        .idle_timeout_ms = pipeline->timeouts.idle_ms,
        .lock_timeout_ms = pipeline->timeouts.lock_ms,
    };
}
