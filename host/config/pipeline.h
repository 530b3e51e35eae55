/*
 * The pipeline document (docs/pipeline.md) as structs. All mistakes of a document are found in one
 * reading.
 */
#ifndef RB_HOST_CONFIG_PIPELINE_H
#define RB_HOST_CONFIG_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "host/config/diag.h"
#include "host/config/manifest.h"
#include "host/link/spec.h"

enum rb_sync_mode { RB_SYNC_FULL_REFRESH, RB_SYNC_INCREMENTAL };
enum rb_write_mode { RB_WRITE_APPEND, RB_WRITE_REPLACE, RB_WRITE_UPSERT };
/* Of the compiler, where nobody says otherwise: our largest connector takes 150 MiB and 15 s, a
 * module of 5 MiB 1.2 GiB and 35 s. */
#define RB_COMPILE_MEMORY_BYTES (UINT64_C(3) << 30)
#define RB_COMPILE_CPU_MS INT64_C(600000)

enum rb_replace_method { RB_REPLACE_SWAP, RB_REPLACE_TRUNCATE };
enum rb_indexes { RB_INDEXES_NONE, RB_INDEXES_PRIMARY_KEY, RB_INDEXES_ALL };
enum rb_on_data_error { RB_ON_DATA_ERROR_FAIL, RB_ON_DATA_ERROR_SKIP, RB_ON_DATA_ERROR_DLQ };
enum rb_cursor_nulls { RB_NULLS_INCLUDE, RB_NULLS_EXCLUDE, RB_NULLS_FAIL };
enum rb_lookback_kind {
    RB_LOOKBACK_DEFAULT,
    RB_LOOKBACK_MICROS,
    RB_LOOKBACK_COUNT,
    RB_LOOKBACK_FULL
};

const char *rb_sync_mode_name(enum rb_sync_mode mode); /* "full_refresh", … as in the contract */
const char *rb_write_mode_name(enum rb_write_mode mode);
const char *rb_replace_method_name(enum rb_replace_method method);
const char *rb_on_data_error_name(enum rb_on_data_error policy);
const char *rb_indexes_name(enum rb_indexes indexes);
const char *rb_cursor_nulls_name(enum rb_cursor_nulls nulls);

struct rb_names {
    const char **items;
    size_t count;
};

/* Values are the contract's words, checked. NULL: the document leaves it to the connector. */
struct rb_schema_evolution {
    const char *new_column;         /* add ignore fail */
    const char *removed_column;     /* ignore drop fail */
    const char *renamed_column;     /* rename separate fail */
    const char *type_change;        /* widen coerce fail null */
    const char *nullability_change; /* allow fail */
};

/* A stream with the pipeline's defaults filled in. */
struct rb_stream {
    const char *name;
    int line, column; /* in the document; 0: made from a pattern */
    enum rb_sync_mode sync_mode;
    const char *cursor_field; /* NULL: none */
    enum rb_cursor_nulls cursor_nulls;
    enum rb_lookback_kind lookback_kind;
    int64_t lookback; /* microseconds or count */
    enum rb_write_mode write_mode;
    enum rb_replace_method replace_method;
    struct rb_names primary_key; /* empty: the source's */
    enum rb_on_data_error on_data_error;
    enum rb_indexes indexes; /* of the source's table that this one gets */
    struct rb_schema_evolution schema_evolution;
    const char *source_schema;     /* NULL: the configuration's */
    const char *source_table;      /* NULL: name */
    const char *destination_table; /* NULL: name */
    struct rb_names columns;       /* empty: all */
    const char *where;             /* NULL: all rows */
};

/* An entry that stands for every table it matches, or that takes tables out of what others match.
 */
struct rb_stream_pattern {
    const char *text; /* as written, "sales.log_*" */
    int line, column;
    size_t position; /* how many of the pipeline's named streams stand before it */
    bool excludes;
    bool include_views;      /* and materialized views and foreign tables */
    const char *schema;      /* NULL: the configuration's; of an exclusion itself a pattern */
    const char *table;       /* `*` any characters, `?` one */
    struct rb_stream stream; /* what the streams made from it have in common */
};

/* One side of the pipeline, or one transform. */
struct rb_connector_use {
    enum rb_role role;
    const char *use; /* "source-postgres" */
    int line, column;
    struct rb_manifest *manifest; /* resolved */
    const char *config_json; /* checked against config_schema, defaults and environment filled in,
                                secrets as {"$secret": id} or, where granted, plain */
    struct rb_connector_spec spec; /* what the worker gets: all of the above and the grants */
};

struct rb_resources {
    uint64_t max_memory_bytes, max_batch_bytes, max_inflight_bytes, max_record_bytes;
    int max_inflight_batches, parallelism, max_connections, max_retries;
    bool parallelism_given; /* by the document */
    enum rb_compression compression;
    uint64_t checkpoint_interval_bytes, checkpoint_interval_rows, checkpoint_interval_seconds;
    /* Of each connector, whose manifest may set smaller ones. */
    uint64_t max_sockets, max_log_lines, max_log_bytes, max_state_keys, max_state_bytes;
    uint64_t max_metric_names, max_stack_bytes;
    int64_t max_call_ms, max_cpu_ms; /* 0: none */
    uint64_t compile_memory_bytes;   /* of the compiler's process */
    int64_t compile_cpu_ms;          /* of each module */
};

/* Milliseconds; 0: none. */
struct rb_timeouts {
    int64_t connect_ms, statement_ms, idle_ms, lock_ms, run_ms;
};

struct rb_pipeline {
    const char *path; /* of the document */
    const char *name;
    struct rb_connector_use source;
    struct rb_connector_use *transforms;
    size_t n_transforms;
    struct rb_connector_use destination;
    struct rb_stream *streams; /* those that the document names */
    size_t n_streams;
    struct rb_stream_pattern *patterns; /* host/config/pattern.h makes streams of them */
    size_t n_patterns;
    const char *state_path; /* absolute */
    int64_t state_keep_ms;  /* of runs that have ended; 0: for ever */
    uint64_t state_keep_runs;
    struct rb_resources resources;
    struct rb_timeouts timeouts;
    int64_t
        resume_within_ms; /* from a load's beginning: what it has appended is not appended again */
    void *memory;         /* everything above lives here */
};

struct rb_pipeline_options {
    const char *connector_dirs; /* NULL: $RAPIDBYTE_CONNECTOR_DIR, the folder beside the binary,
                                   ~/.rapidbyte/plugins; else ':'-separated */
    bool without_streams;       /* discover: streams may be missing */
    bool head_only;   /* the name and the state's path alone; variables of other sections may be
                         missing */
    bool no_commands; /* a secret's { command: … } is refused: nothing that the document names runs
                       */
};

/* Reads the file, substitutes ${NAME}, checks every key, resolves connectors and checks their
 * configuration. 0, or RB_ECONFIG with every mistake in `diags` (or RB_ECONNECTOR when all that is
 * wrong is a connector that is missing or refused; or RB_ECANCELLED when a signal was pending while
 * a secret's command ran). No value of a variable or secret is ever in a message. Unless refused,
 * the programs run that the secrets' commands name. */
int rb_pipeline_load(const char *path, const struct rb_pipeline_options *options,
                     struct rb_pipeline **ret_pipeline, struct rb_diags *diags,
                     struct rb_error *err);
void rb_pipeline_free(struct rb_pipeline *pipeline);

#endif
