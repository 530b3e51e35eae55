/* The JSON that connectors are sent (docs/protocol.md, "JSON"). */
#ifndef RB_HOST_ENGINE_CONTEXT_H
#define RB_HOST_ENGINE_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "host/config/pipeline.h"
#include "host/link/spec.h"

/* What a StreamContext says beyond the document. Texts are JSON unless said otherwise, NULL: null.
 */
struct rb_context_extra {
    enum rb_role role;
    const char *load_id; /* plain */
    const char *claim;   /* plain: what the load is this run's by */
    const char *snapshot;
    const char *plan;          /* what rb_plan said of the stream, for a source's unit */
    const char *table;         /* what rb_begin said of it, for a destination's dry run */
    const char *peer_features; /* array */
    const char *primary_key;   /* array: the source's, where the document names none */
    const char *last_value;    /* CursorValue */
    const char *cursor_type;   /* plain */
    const char *resume;
    const char *range; /* plain; NULL: the whole stream */
    size_t unit_index, unit_count;
    int64_t parts; /* of the stream that the load has committed */
    int attempt;
    bool dry_run;      /* of a check */
    bool full_refresh; /* whatever the document says: `run --full-refresh` */
};

/* The member `key`: an array of the names, or null where there are none. */
void rb_context_write_names(struct rb_json *json, const char *key, const struct rb_names *names);

/* How the stream is written: as the document says, but an incremental stream that appends and is
 * read anew from its start replaces what it appended before, or each row would be there twice. */
enum rb_write_mode rb_context_write_mode(const struct rb_stream *stream, bool full_refresh);

/* Whether the stream's load leaves a cursor: incremental ones, and such that are replaced and name
 * a cursor_field, which are read as the former are from their start. */
bool rb_context_keeps_cursor(const struct rb_stream *stream);

/* Whether the stream is committed in parts, as checkpoint_interval_* say: of streams that are both
 * incremental and appended, and not through transforms, which may keep rows back. */
bool rb_context_has_parts(const struct rb_pipeline *pipeline, const struct rb_stream *stream,
                          bool full_refresh);

/* One StreamContext object into an open document. */
void rb_context_write_stream(struct rb_json *json, const struct rb_pipeline *pipeline,
                             const struct rb_stream *stream, const struct rb_context_extra *extra);

/* The members that say which stream it is and how it is read and written, and not what a unit
 * needs: of thousands of streams, which one call names, the rest would be most of it. */
void rb_context_write_brief(struct rb_json *json, const struct rb_stream *stream,
                            const struct rb_context_extra *extra);

/* How many lanes a run has: parallelism, within max_connections. On each server one connection is
 * the run's own, the source's for the snapshot and the destination's for the lock. */
int rb_context_lanes(const struct rb_pipeline *pipeline);

/* What the worker is started with. `ret_specs` is an array of RB_UNIT_STAGES_MAX for the
 * connectors, borrowed by `ret`. */
struct rb_engine_options;
void rb_context_worker_spec(const struct rb_pipeline *pipeline,
                            const struct rb_engine_options *options, int lanes,
                            struct rb_connector_spec *ret_specs, struct rb_worker_spec *ret);

#endif
