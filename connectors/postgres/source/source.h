/* The source connector's own state. */
#ifndef RB_CONNECTORS_POSTGRES_SOURCE_SOURCE_H
#define RB_CONNECTORS_POSTGRES_SOURCE_SOURCE_H

#include <stdbool.h>

#include "connectors/postgres/common/conn.h"
#include "connectors/postgres/common/content_hash.h"
#include "connectors/postgres/common/query.h"
#include "connectors/postgres/source/snapshot.h"
#include "rapidbyte/connector.h"

struct rb_ahead;

struct rb_source {
    struct rb_conn_config config;
    bool filter_rows;                   /* row_security: filter */
    bool allow_lossy;                   /* on_lossy_type: warn */
    struct rb_conn *planner;            /* keeps the exported snapshot until the run ends */
    struct rb_snapshot planned;         /* that snapshot */
    size_t n_planned;                   /* streams under it */
    struct rb_conn *reader;             /* reused by the next unit */
    struct rb_snapshot reader_snapshot; /* of the reader's open transaction; id "": none is open */
    bool has_read;                      /* of dry runs: a whole table, in the reader's session */
    struct rb_query_result locked;      /* dry_locked.sql, as of locked_secs (rb_clock_secs) */
    double locked_secs;
    struct rb_conn *releasing;    /* of these: was told to release its locks; NULL: none */
    struct rb_buf tables;         /* JSON: the tables that are streams of the pipeline */
    const struct rb_ahead *ahead; /* of the plan that is being made; NULL: of none */
    size_t plan_bytes;            /* of what the plan has said for the readers */
    double connect_secs;          /* of the last rb_source_reader */
    struct rb_content content;    /* of rb_source_hash */
};

int rb_source_discover(void *self, struct rb_json_value request, struct rb_json *ret,
                       struct rb_error *err);
int rb_source_plan(void *self, const char *load_id, int64_t parallelism,
                   const struct rb_stream_context *streams, size_t n_streams,
                   struct rb_json_value request, struct rb_json *ret, struct rb_error *err);
int rb_source_read(void *self, const struct rb_stream_context *context, struct rb_read_summary *ret,
                   struct rb_error *err);
int rb_source_hash(void *self, const struct rb_stream_context *context,
                   struct rb_json_value request, struct rb_json *ret, struct rb_error *err);

/* source.c: waits for the answer that `releasing` has outstanding. */
int rb_source_await_release(struct rb_source *source, struct rb_error *err);

/* source.c: keeps `tables` of a request (docs/protocol.md, PlanRequest), unless it is absent. */
int rb_source_keep_tables(struct rb_source *source, struct rb_json_value tables,
                          struct rb_error *err);

/* The stream's schema and table, the configuration's where the pipeline does not say. */
const char *rb_source_schema(const struct rb_source *source,
                             const struct rb_stream_context *context);
const char *rb_source_table(const struct rb_stream_context *context);

#endif
