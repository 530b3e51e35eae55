/* A run in progress, as the files of the engine share it. */
#ifndef RB_HOST_ENGINE_RUN_H
#define RB_HOST_ENGINE_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yyjson.h>

#include "base/buf.h"
#include "base/error.h"
#include "host/config/pipeline.h"
#include "host/engine/context.h"
#include "host/engine/engine.h"
#include "host/engine/session.h"
#include "host/state/state.h"

enum {
    RB_RUN_JSON_MAX = 16 * 1024 * 1024,
    RB_RUN_UNITS_MAX = 4096, /* of one stream */
};

/* A stream on its way. Its report holds what is shown; this, what it takes to get there. */
struct rb_stream_run {
    const struct rb_stream *stream;
    struct rb_stream_report *report;
    bool planned;
    char *primary_key; /* JSON array; NULL: the source said none */
    char *notes;   /* of a check: JSON array of what the plan said of the stream; NULL: nothing */
    char *changes; /* of a check: JSON array of what a run would alter; NULL: it is not known */
    char **ranges; /* n_units entries, NULL: the whole stream */
    size_t n_units;
    char *snapshot;   /* JSON: the one that its units were planned under; NULL: none */
    char *plan;       /* JSON: what the plan said of it for its source; NULL: nothing */
    char *table;      /* of a check, JSON: what the begin said of it for its destination; or NULL */
    size_t next_unit; /* the first that has not been posted */
    size_t *returned; /* units that were, and came back without having begun: n_returned */
    size_t n_returned;
    size_t units_running, units_done;
    struct rb_buf units_json; /* the done units, as PublishRequest wants them, without brackets */
    /* Where the cursor stands: the destination's ledger, else the state. */
    struct rb_buf checkpoint;        /* Checkpoint JSON; empty: none */
    char *last_value;                /* CursorValue JSON */
    char *resume;                    /* JSON */
    struct rb_buf new_checkpoint;    /* the source's, of this run */
    int64_t parts;                   /* of the stream that the load has committed */
    struct rb_session_progress kept; /* what parts that an attempt committed came to */
    struct rb_session_progress done; /* what ended units came to, and these parts */
    int64_t retry_at_ms;             /* 0: now */
    int64_t locked_since_ms;         /* its table, by others; 0: it is not */
    int snapshots_lost;              /* how often its snapshot was gone when it was to be read */
    bool has_error;                  /* a unit failed; the others are awaited, not started */
    bool plan_again;                 /* the snapshot is gone */
    size_t *after; /* streams that come first, by their number: n_after, without a circle */
    size_t n_after;
};

struct rb_run {
    const struct rb_pipeline *pipeline;
    const struct rb_engine_options *options;
    const struct rb_observer *observer;
    struct rb_run_report *report;
    struct rb_state *state;
    struct rb_session *session;
    struct rb_schedule *schedule;             /* units.c's, while units run; else NULL */
    const struct rb_stream *document_streams; /* borrowed: all of the document's, chosen or not */
    size_t n_document_streams;
    struct rb_stream_run *streams;
    size_t n_streams;
    bool has_streams;                      /* patterns have become streams */
    uint64_t open_ids[RB_UNIT_STAGES_MAX]; /* of rb_open's calls that are under way */
    uint64_t plan_id;                      /* of rb_plan's call that is under way; 0: none is */
    int64_t planned_ms;                    /* rb_clock_ms() before the early plan was asked for */
    char claim[33];            /* the load that this run offers, and what a load is its own by */
    bool begun;                /* rb_begin has been answered */
    bool dry;                  /* a check: nothing is read, written or recorded */
    int lanes;                 /* units at the same time */
    bool dry_runs;             /* source and destination know how */
    bool plan_stale;           /* its cursors are not the ledger's, or a load ended since */
    bool one_source;           /* the stream is read in the session that planned it */
    bool source_plans;         /* it exports rb_plan */
    bool destination_ledgers;  /* it exports rb_begin and rb_publish */
    bool destination_abandons; /* it exports rb_abandon */
    bool source_hashes, destination_hashes;       /* it exports rb_hash */
    char *source_features, *destination_features; /* JSON arrays */
    int64_t deadline_ms;
    uint32_t random;
    bool sandbox_told; /* what the kernel can't was said once; there may be many workers */
};

/* run.c: the streams that are wanted (of a pipeline with patterns: none yet), and a load id.
 * Release in any case. */
int rb_run_init(struct rb_run *ret_run, const struct rb_pipeline *pipeline,
                const struct rb_engine_options *options, const struct rb_observer *observer,
                struct rb_run_report *report, struct rb_error *err);
void rb_run_release(struct rb_run *run);
/* Those of `streams`, which live as long as the pipeline, that are wanted. */
int rb_run_take_streams(struct rb_run *run, const struct rb_stream *streams, size_t n,
                        struct rb_error *err);
int rb_run_start_session(struct rb_run *run, struct rb_error *err);
/* folders.c: RB_ECONFIG when a connector was granted a folder that holds the state, or to write one
 * that holds compiled code or a connector. */
int rb_run_check_folders(const struct rb_pipeline *pipeline,
                         const struct rb_engine_options *options, const struct rb_worker_spec *spec,
                         struct rb_error *err);
/* again.c: a step that changes nothing by being done again (begin, plan, publish), until it does
 * not fail, or fails for good, or resources.max_retries is used up. `what` is for people. */
int rb_run_again(struct rb_run *run, const char *what,
                 int (*step)(struct rb_run *run, void *user, struct rb_error *err), void *user,
                 struct rb_error *err);
/* Adds `fault` as the run's, unless there is one already. */
void rb_run_fail(struct rb_run *run, enum rb_fault_side side, const struct rb_error *error);
void rb_run_stream_fail(struct rb_run *run, struct rb_stream_run *stream, enum rb_fault_side side,
                        const struct rb_error *error);
void rb_run_note(const struct rb_run *run, const char *fmt, ...) RB_PRINTF(2, 3);
void rb_run_tell(const struct rb_run *run, struct rb_stream_run *stream);
/* The index of the stream with that name (NULL: of none); n_streams: there is none. It is looked
 * for from `from` on, then from the start. */
size_t rb_run_find(const struct rb_run *run, const char *name, size_t from);
/* The observer's `busy`. */
void rb_run_busy(const struct rb_run *run, const char *what, bool at_once);
enum rb_fault_side rb_run_side_of(enum rb_role role);
/* The stream's context, appended to an open document. */
void rb_run_write_context(const struct rb_run *run, const struct rb_stream_run *stream,
                          struct rb_json *json, enum rb_role role, size_t unit);

/* What rb_begin is told of a stream. */
void rb_run_write_brief(const struct rb_run *run, const struct rb_stream_run *stream,
                        struct rb_json *json);

/* open.c: calls rb_open of every connector and does not wait. What can't be called now rb_run_open
 * calls again. */
void rb_run_post_open(struct rb_run *run);
/* open.c: opens each connector and learns what it can do; compiles what the AOT cache lacks. */
int rb_run_open_one(struct rb_run *run, const struct rb_connector_use *use, size_t index,
                    struct rb_error *err);
int rb_run_open(struct rb_run *run, enum rb_fault_side *ret_side, struct rb_error *err);
/* expand.c: makes streams of the pipeline's patterns, by what the open source has. Does nothing the
 * second time, and without patterns. */
int rb_run_expand(struct rb_run *run, enum rb_fault_side *ret_side, struct rb_error *err);
/* begin.c: the destination's lock, ledger and reconciliation. */
int rb_run_begin(struct rb_run *run, enum rb_fault_side *ret_side, struct rb_error *err);
/* order.c: BeginInfo's references: which streams wait until others have ended. */
void rb_run_take_order(struct rb_run *run, yyjson_val *references);
/* begin.c: each incremental stream goes on from the checkpoint that the state has, if any. */
int rb_run_adopt_state(struct rb_run *run, struct rb_error *err);
/* Takes a Checkpoint as where the cursor stands. RB_ENOMEM. */
int rb_run_adopt(struct rb_stream_run *stream, const char *json, size_t len);
/* plan.c: asks for the plan and does not wait. Cursors are those of the state: where the ledger
 * then has others, rb_run_plan asks again. What rb_begin says is loaded is planned in vain. */
int rb_run_plan_early(struct rb_run *run, enum rb_fault_side *ret_side, struct rb_error *err);
/* plan.c: appends the tables of all of the document's streams, as `tables`: rows of a table that
 * inherits from another's arrive once. */
void rb_run_write_tables(const struct rb_run *run, struct rb_json *json);
/* plan.c: snapshot and units for every stream that is not loaded. */
int rb_run_plan(struct rb_run *run, struct rb_error *err);
/* units.c: runs the units on the lanes until every stream has ended. Fails when no more can be done
 * with this session (worker gone, stopped). */
int rb_run_units(struct rb_run *run, struct rb_error *err);
/* The session's progress callback; `user` is the run. */
void rb_run_progress(void *user, uint64_t id, const struct rb_session_progress *progress);
/* The session's phase callback, and what the run itself does for a stream: NULL ends it. */
void rb_run_phase(void *user, uint64_t id, const char *what);
void rb_run_stream_phase(struct rb_run *run, struct rb_stream_run *stream, const char *what);
/* The session's checkpoint callback: a destination has committed a part. */
void rb_run_checkpoint(void *user, uint64_t id, const char *json, size_t len);
/* finish.c: a stream's units are all committed: publish, record. */
void rb_run_stream_finish(struct rb_run *run, struct rb_stream_run *stream);
/* Tells the destination that the load is over: a next run begins a new one. */
int rb_run_end_load(struct rb_run *run, struct rb_error *err);
/* A stream's end, good or bad, into the state. */
void rb_run_stream_record(struct rb_run *run, struct rb_stream_run *stream);
/* summary.c: takes a unit's result into the reports. The first failure, if any: its side and error,
 * 1; else 0. */
int rb_run_take_result(const struct rb_run *run, struct rb_stream_run *stream, size_t unit,
                       const struct rb_buf *payload, struct rb_fault *ret_fault);

#endif
