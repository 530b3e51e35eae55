/*
 * The supervisor: a run from the document to its outcome. It starts the worker process and never
 * loads a guest itself.
 *
 * Nothing here prints; what happens is told to an observer, and the report says what came of it.
 */
#ifndef RB_HOST_ENGINE_ENGINE_H
#define RB_HOST_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "host/config/pipeline.h"

/* Exit codes of the command line (docs/cli.md). */
enum rb_exit {
    RB_EXIT_OK = 0,
    RB_EXIT_INTERNAL = 1,
    RB_EXIT_USAGE = 2,
    RB_EXIT_SOURCE = 3,
    RB_EXIT_DESTINATION = 4,
    RB_EXIT_DATA = 5,
    RB_EXIT_CONNECTOR = 6,
    RB_EXIT_STATE = 7,
    RB_EXIT_PARTIAL = 8,
    RB_EXIT_CANCELLED = 130,
};

enum rb_outcome {
    RB_OUTCOME_NOT_STARTED,
    RB_OUTCOME_RUNNING,
    RB_OUTCOME_OK,
    RB_OUTCOME_ALREADY_LOADED, /* its receipt stood in the destination's ledger */
    RB_OUTCOME_FAILED,
    RB_OUTCOME_CANCELLED,
};

/* "not_started", "running", "ok", "already_loaded", "failed", "cancelled". */
const char *rb_outcome_name(enum rb_outcome outcome);

/* Whose fault an error is, for the exit code. */
enum rb_fault_side { RB_FAULT_ENGINE, RB_FAULT_SOURCE, RB_FAULT_TRANSFORM, RB_FAULT_DESTINATION };

struct rb_fault {
    enum rb_fault_side side;
    struct rb_error error;
};

const char *rb_fault_side_name(enum rb_fault_side side); /* "engine", "source", … */
/* A destination's: the run may not write any more, whichever stream it was that found out. */
bool rb_lock_is_lost(const struct rb_error *error);
int rb_fault_exit_code(const struct rb_fault *fault);

/* Seconds. */
struct rb_timings {
    double source_connect, source_query, source_fetch, source_encode, source_wait;
    double transform_run;
    double destination_connect, destination_decode, destination_flush, destination_commit,
        destination_wait;
    double module_load, instantiate; /* summed over instances, of which several may share a load */
    int n_instances;
    double compile; /* ahead of time, in this run */
    double total;
};

enum { RB_PHASE_MAX = 80 }; /* bytes of a phase's name, with the final 0 */

struct rb_stream_report {
    const struct rb_stream *stream; /* borrowed from the pipeline */
    const char *load_id;            /* borrowed from the run's report, and changes with it */
    enum rb_outcome outcome;
    int attempts;
    char
        phase[RB_PHASE_MAX]; /* what is done instead of moving rows ("merging rows"); "": nothing */
    int64_t phase_unix_us;   /* since when */
    int64_t estimated_rows;  /* by the source, of what is to be read; 0: not known */
    int64_t records_read, records_written, records_skipped;
    int64_t bytes_read, bytes_written; /* COPY bytes on the wire, as the connectors counted them */
    int64_t batches, batch_bytes, compressed_bytes; /* Arrow IPC between the stages */
    double secs;
    int64_t started_unix_us, ended_unix_us;
    char checksum[17];     /* 16 hex digits; "" when a side can't tell */
    struct rb_fault fault; /* with RB_OUTCOME_FAILED */
    struct rb_timings timings;
    /* With RB_OUTCOME_ALREADY_LOADED: the load that brought it, when that began. "", 0: this one.
     */
    char loaded_by[33];
    int64_t loaded_unix_ms;
};

struct rb_run_report {
    char load_id[33];
    const char *key;     /* the load's name, borrowed from the options; NULL: none */
    bool resumed;        /* the key's load had begun, and went on */
    bool already_loaded; /* the key's load had ended: nothing was done */
    bool exactly_once;   /* both connectors have what it takes: plan and ledger */
    int64_t run_id;      /* in the state */
    struct rb_stream_report *streams;
    size_t n_streams;
    struct rb_timings timings; /* of the whole run */
    int retries;
    int64_t peak_supervisor_bytes, peak_worker_bytes; /* resident */
    bool failed;                                      /* the run as a whole: `fault` says why */
    bool cancelled;
    struct rb_fault fault;
    int exit_code;
};

void rb_run_report_release(struct rb_run_report *report);

/* Told as things happen, from the engine's thread. Any member may be NULL. */
struct rb_observer {
    void (*log)(void *user, int level, const char *connector, const char *stream, const char *text);
    /* Something the operator should know that is not an error ("a load that did not end is
     * resumed"). */
    void (*note)(void *user, const char *text);
    /* A stream's report changed: started, progressed, ended. */
    void (*stream)(void *user, const struct rb_stream_report *report);
    /* The whole run waits for something that may take long ("planning"); "": it is done. `at_once`:
     * it will, and is worth a line before it has ("compiling connector 'x'"). */
    void (*busy)(void *user, const char *what, bool at_once);
    /* Nothing has happened for a second. */
    void (*tick)(void *user);
    void *user;
};

/* A worker process that was started before it was known what for: starting one takes as long as
 * reading the document, opening the state and all else that a run begins with. */
struct rb_board; /* host/link/board.h */

struct rb_early_worker {
    int pid;
    int fd;                 /* the supervisor's end of the link; -1: there is none (any more) */
    struct rb_board *board; /* owned while fd is */
};

/* Without one, in case of failure, the run starts its own. */
void rb_early_worker_start(struct rb_early_worker *ret, const char *self_path);
/* Ends it, if no run has taken it. */
void rb_early_worker_release(struct rb_early_worker *worker);

struct rb_engine_options {
    const char *self_path; /* the rapidbyte binary, for worker and compiler */
    const char *aot_dir;
    const char *llvm_stub_path; /* NULL: none */
    bool interpreter;
    bool no_os_sandbox; /* worker and compiler run without the operating system's sandbox */
    int log_level;
    struct rb_early_worker *early_worker; /* NULL: none; the first session takes it */
    int signal_fd;                        /* signalfd of SIGINT, SIGTERM and SIGHUP, or -1 */
    void (*die)(void); /* called before a second signal ends the process: async-signal-safe; NULL */
    const struct rb_names *only_streams; /* NULL: all */
    bool full_refresh; /* reads everything, forgets the cursors' last values for this run */
    const char *key;   /* the load's name; NULL: it has none */
    bool append_again; /* what an unfinished load has appended, too (--new) */
    bool append_never; /* however long ago an unfinished load has appended it (--resume) */
};

/* An array of {role, id, version, sha256}: what is loaded for this pipeline. The worker loads no
 * module of another digest. */
void rb_engine_write_connectors(struct rb_json *json, const struct rb_pipeline *pipeline);

/* The pipeline's whole life. Always fills in the report; its exit_code is the process's. */
void rb_engine_run(const struct rb_pipeline *pipeline, const struct rb_engine_options *options,
                   const struct rb_observer *observer, struct rb_run_report *ret_report);

/* One thing that check looked at. */
struct rb_check_item {
    char what[160]; /* "source connection", "stream public.users" */
    bool ok;
    bool warning; /* ok, but the operator should read the message */
    char message[RB_ERROR_MESSAGE_MAX];
    struct rb_fault fault; /* unless ok */
};

struct rb_check_report {
    struct rb_check_item *items;
    size_t n_items;
    int exit_code;
};

void rb_check_report_release(struct rb_check_report *report);
void rb_engine_check(const struct rb_pipeline *pipeline, const struct rb_engine_options *options,
                     const struct rb_observer *observer, struct rb_check_report *ret_report);

enum rb_verify_verdict { RB_VERIFY_SAME, RB_VERIFY_DIFFERS, RB_VERIFY_FAILED };

/* "same", "differs", "failed". */
const char *rb_verify_verdict_name(enum rb_verify_verdict verdict);

/* A part of a table that is not the same on both sides: keys from `from` up to and without `to`. */
struct rb_verify_range {
    char *from, *to; /* JSON arrays of the key's values as text; NULL: without a limit */
    int64_t source_rows, destination_rows;
};

struct rb_verify_stream {
    char *name;
    enum rb_verify_verdict verdict;
    int64_t source_rows, destination_rows;
    char *key; /* JSON array of names; NULL: none, the whole table is one range */
    struct rb_verify_range *ranges; /* those that differ, in the key's order */
    size_t n_ranges;
    double secs;
    struct rb_fault fault; /* with RB_VERIFY_FAILED */
};

struct rb_verify_report {
    struct rb_verify_stream *streams;
    size_t n_streams;
    bool failed; /* the whole of it: `fault` says why */
    struct rb_fault fault;
    int exit_code; /* RB_EXIT_DATA when a stream differs */
};

void rb_verify_report_release(struct rb_verify_report *report);
/* Compares what source and destination hold now, by rb_hash on both sides. */
void rb_engine_verify(const struct rb_pipeline *pipeline, const struct rb_engine_options *options,
                      const struct rb_observer *observer, struct rb_verify_report *ret_report);

/* The source's Catalog, as JSON. 0, or a failure whose side and text are in `fault`. */
int rb_engine_discover(const struct rb_pipeline *pipeline, const struct rb_engine_options *options,
                       const struct rb_observer *observer, struct rb_buf *ret_catalog,
                       struct rb_fault *fault);

struct rb_state_change;
struct rb_state_key;
/* Changes where the pipeline's streams stand (host/state/change.h): in the destination's ledger,
 * which is the authority, and then in the state. 0: both; 1: the destination keeps no ledger, and
 * the state alone was changed; a failure's side and text are in `fault`: nothing was changed then,
 * or the ledger alone, from which the next run takes the state. RB_ELOCKED while the pipeline runs.
 */
int rb_engine_change(const struct rb_pipeline *pipeline, const struct rb_engine_options *options,
                     const struct rb_observer *observer, const struct rb_state_change *changes,
                     size_t n_changes, const struct rb_state_key *keys, size_t n_keys,
                     struct rb_fault *fault);
/* Whether the source takes the Checkpoint as where its stream goes on: plans that stream alone,
 * with it, and reads nothing. A failure's side and text are in `fault`; where that may pass
 * (rb_retry_may_pass) nothing is known of the checkpoint. */
int rb_engine_try_checkpoint(const struct rb_pipeline *pipeline,
                             const struct rb_engine_options *options,
                             const struct rb_observer *observer, const char *stream,
                             const char *checkpoint_json, struct rb_fault *fault);
/* Gives up the pipeline's unfinished load with this key or load id, or, with neither, all of them:
 * nothing goes on with it any more. ret_info: AbandonInfo (docs/protocol.md), appended. 0; 1: the
 * destination keeps no ledger; a failure's side and text are in `fault`. */
int rb_engine_give_up(const struct rb_pipeline *pipeline, const struct rb_engine_options *options,
                      const struct rb_observer *observer, const char *key, const char *load_id,
                      struct rb_buf *ret_info, struct rb_fault *fault);

#endif
