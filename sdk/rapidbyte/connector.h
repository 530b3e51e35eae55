/*
 * What a connector is: a table of functions, and one macro that exports them.
 *
 *     static const struct rb_connector numbers = {.open = numbers_open, .read = numbers_read, …};
 *     RB_EXPORT_SOURCE(numbers)
 *
 * The SDK parses what the host sends, calls the function and writes the ConnectorResult. Contexts
 * are borrowed for the call, the configuration until close.
 */
#ifndef RB_SDK_CONNECTOR_H
#define RB_SDK_CONNECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "rapidbyte/json.h"

struct rb_open_context {
    struct rb_json_value config; /* the operator's configuration, an object; kept until close */
    const char *connector_id;
    const char *connector_version;
    const char *pipeline; /* "" when the host did not say */
    int64_t connect_timeout_ms, statement_timeout_ms, idle_timeout_ms,
        lock_timeout_ms; /* 0: none */
};

enum rb_context_sync_mode { RB_CONTEXT_FULL_REFRESH, RB_CONTEXT_INCREMENTAL, RB_CONTEXT_CDC };
enum rb_context_write_mode { RB_CONTEXT_APPEND, RB_CONTEXT_REPLACE, RB_CONTEXT_UPSERT };

/* One stream of a run, or a unit of one. Strings are "" where the host said nothing, values absent.
 */
struct rb_stream_context {
    const char *stream_name;
    enum rb_context_sync_mode sync_mode;
    enum rb_context_write_mode write_mode;
    struct rb_json_value primary_key;    /* of upsert: array of names */
    struct rb_json_value schema_columns; /* [{name,data_type,nullable}] */
    struct rb_json_value cursor_info;    /* absent unless incremental */
    struct rb_json_value policies;
    struct rb_json_value columns; /* chosen names; absent: all */
    struct rb_json_value snapshot;
    struct rb_json_value plan; /* what rb_plan said of the stream under that snapshot */
    struct rb_json_value peer_features;
    const char *where;
    const char *source_schema;
    const char *source_table;      /* stream_name when the host did not say */
    const char *destination_table; /* likewise */
    const char *replace_method;    /* "swap" when the host did not say */
    const char *load_id;
    const char *claim; /* what the load is this run's by: see BeginRequest */
    const char *pipeline;
    int64_t attempt;
    int64_t unit_index, unit_count; /* 0 and 1 when the host did not say */
    int64_t parallelism; /* units that the pipeline moves at once; 1 when the host did not say */
    int64_t parts; /* of the stream that this load has committed: the unit goes on behind them */
    const char *unit_range;   /* "": the whole stream */
    int64_t max_batch_bytes;  /* of Arrow IPC; always positive: 64 MiB when the host did not say */
    int64_t max_record_bytes; /* always positive: max_batch_bytes when the host did not say */
    int64_t
        max_retries; /* of what a connector tries again by itself; 0 when the host did not say */
    /* When to commit within the stream; all 0: it is one transaction. */
    int64_t checkpoint_interval_bytes, checkpoint_interval_rows, checkpoint_interval_seconds;
    /* `check`: as far as a run gets before its first row, with none read, and all undone. Of
     * connectors with the feature "dry_run" alone. */
    bool dry_run;
    struct rb_json_value json; /* all of it */
};

/* write_mode is replace, and the table stays and is emptied. */
bool rb_stream_context_truncates(const struct rb_stream_context *context);
bool rb_stream_context_peer_has(const struct rb_stream_context *context, const char *feature);

struct rb_read_summary {
    int64_t records_read, bytes_read, batches_emitted, checkpoint_count, records_skipped;
    bool has_checksum;
    uint64_t checksum;
    double connect_secs, query_secs, fetch_secs, encode_secs;
};

struct rb_write_summary {
    /* Of the rows that came: those that are in the table, those that were left out, and those of an
     * upsert that a later one of the same key took the place of. */
    int64_t records_written, records_failed, records_superseded;
    int64_t bytes_written, batches_written, checkpoint_count;
    bool has_checksum;
    uint64_t checksum;
    bool already_loaded; /* the unit's receipt stood in the ledger: nothing was written again */
    const char *changes; /* of a dry run: what a run would alter, a JSON array of texts; NULL: none
                            is told. Borrowed until the next call */
    double connect_secs, decode_secs, flush_secs, commit_secs;
};

struct rb_transform_summary {
    int64_t records_in, records_out, bytes_in, bytes_out, batches_processed;
};

/* Functions return 0 or a negative status with `err` set. Those that write JSON write one object's
 * members; the SDK wraps it. A function that the connector's macro does not export may be NULL, and
 * so may open, close and validate, where there is nothing to do. */
struct rb_connector {
    const char *const *features; /* NULL-ended; NULL: none */
    /* Makes the connector's own state from the configuration. Does not connect. */
    int (*open)(const struct rb_open_context *context, void **ret_self, struct rb_error *err);
    /* Called once, also after a failure of another function. */
    void (*close)(void *self);
    /* Writes "status" and "message". */
    int (*validate)(void *self, struct rb_json *ret, struct rb_error *err);
    /* request: DiscoverRequest. Writes the streams, each as an object, into the open array. 1:
     * there are more after the last one; only where the request has `in_pieces`. */
    int (*discover)(void *self, struct rb_json_value request, struct rb_json *ret,
                    struct rb_error *err);
    int (*read)(void *self, const struct rb_stream_context *context, struct rb_read_summary *ret,
                struct rb_error *err);
    int (*write)(void *self, const struct rb_stream_context *context, struct rb_write_summary *ret,
                 struct rb_error *err);
    int (*transform)(void *self, const struct rb_stream_context *context,
                     struct rb_transform_summary *ret, struct rb_error *err);
    /* `streams`: n contexts; request: PlanRequest. Writes the members of Plan. */
    int (*plan)(void *self, const char *load_id, int64_t parallelism,
                const struct rb_stream_context *streams, size_t n_streams,
                struct rb_json_value request, struct rb_json *ret, struct rb_error *err);
    /* request: BeginRequest. Writes the members of BeginInfo. */
    int (*begin)(void *self, const char *load_id, const char *pipeline,
                 const struct rb_stream_context *streams, size_t n_streams,
                 struct rb_json_value request, struct rb_json *ret, struct rb_error *err);
    /* stream NULL: the load ends. request: PublishRequest. */
    int (*publish)(void *self, const char *load_id, const char *pipeline,
                   const struct rb_stream_context *stream, struct rb_json_value request,
                   struct rb_write_summary *ret, struct rb_error *err);
    /* load_id "": none. request: AbandonRequest. Writes the members of AbandonInfo. */
    int (*abandon)(void *self, const char *load_id, const char *pipeline,
                   struct rb_json_value request, struct rb_json *ret, struct rb_error *err);
    /* What the stream's table holds now, for `rapidbyte verify`; request: HashRequest. Writes the
     * members of HashInfo. */
    int (*hash)(void *self, const struct rb_stream_context *stream, struct rb_json_value request,
                struct rb_json *ret, struct rb_error *err);
};

/* The entry points behind the exports: each takes and returns what docs/protocol.md says. Natively
 * (tests) they are called directly. */
enum rb_sdk_call {
    RB_SDK_OPEN,
    RB_SDK_VALIDATE,
    RB_SDK_DISCOVER,
    RB_SDK_READ,
    RB_SDK_WRITE,
    RB_SDK_TRANSFORM,
    RB_SDK_PLAN,
    RB_SDK_BEGIN,
    RB_SDK_PUBLISH,
    RB_SDK_ABANDON,
    RB_SDK_HASH,
};
/* Appends the ConnectorResult to `ret`; RB_ENOMEM when it does not fit RB_ABI_JSON_MAX. */
int rb_sdk_dispatch(const struct rb_connector *connector, enum rb_sdk_call call, const char *json,
                    size_t len, struct rb_buf *ret);
int rb_sdk_close(const struct rb_connector *connector);

#ifdef __wasm__
uint64_t rb_sdk_export(const struct rb_connector *connector, enum rb_sdk_call call,
                       const char *json, uint32_t len);
#define RB_SDK_EXPORT(symbol, call, connector)                                                     \
    uint64_t symbol(const char *json, uint32_t len);                                               \
    __attribute__((export_name(#symbol))) uint64_t symbol(const char *json, uint32_t len)          \
    {                                                                                              \
        return rb_sdk_export(&(connector), call, json, len);                                       \
    }
#define RB_SDK_EXPORT_COMMON(connector)                                                            \
    RB_SDK_EXPORT(rb_open, RB_SDK_OPEN, connector)                                                 \
    RB_SDK_EXPORT(rb_validate, RB_SDK_VALIDATE, connector)                                         \
    int32_t rb_close(void);                                                                        \
    __attribute__((export_name("rb_close"))) int32_t rb_close(void)                                \
    {                                                                                              \
        return rb_sdk_close(&(connector));                                                         \
    }
#define RB_EXPORT_SOURCE(connector)                                                                \
    RB_SDK_EXPORT_COMMON(connector)                                                                \
    RB_SDK_EXPORT(rb_discover, RB_SDK_DISCOVER, connector)                                         \
    RB_SDK_EXPORT(rb_run_read, RB_SDK_READ, connector)
/* Beside RB_EXPORT_SOURCE. */
#define RB_EXPORT_PLAN(connector) RB_SDK_EXPORT(rb_plan, RB_SDK_PLAN, connector)
#define RB_EXPORT_DESTINATION(connector)                                                           \
    RB_SDK_EXPORT_COMMON(connector)                                                                \
    RB_SDK_EXPORT(rb_run_write, RB_SDK_WRITE, connector)
/* Beside RB_EXPORT_DESTINATION. */
#define RB_EXPORT_LEDGER(connector)                                                                \
    RB_SDK_EXPORT(rb_begin, RB_SDK_BEGIN, connector)                                               \
    RB_SDK_EXPORT(rb_publish, RB_SDK_PUBLISH, connector)                                           \
    RB_SDK_EXPORT(rb_abandon, RB_SDK_ABANDON, connector)
/* Beside RB_EXPORT_SOURCE or RB_EXPORT_DESTINATION. */
#define RB_EXPORT_HASH(connector) RB_SDK_EXPORT(rb_hash, RB_SDK_HASH, connector)
#define RB_EXPORT_TRANSFORM(connector)                                                             \
    RB_SDK_EXPORT_COMMON(connector)                                                                \
    RB_SDK_EXPORT(rb_run_transform, RB_SDK_TRANSFORM, connector)
#else
/* Natively a connector is its table: a test reaches it as `rb_connector_<name>`. */
#define RB_SDK_NATIVE(connector)                                                                   \
    extern const struct rb_connector *const rb_connector_##connector;                              \
    const struct rb_connector *const rb_connector_##connector = &(connector);
#define RB_EXPORT_SOURCE(connector) RB_SDK_NATIVE(connector)
#define RB_EXPORT_PLAN(connector)
#define RB_EXPORT_DESTINATION(connector) RB_SDK_NATIVE(connector)
#define RB_EXPORT_LEDGER(connector)
#define RB_EXPORT_HASH(connector)
#define RB_EXPORT_TRANSFORM(connector) RB_SDK_NATIVE(connector)
#endif

#endif
