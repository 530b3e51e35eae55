/*
 * A connector's place in the worker: what its imports end in. On a lane a stage has a channel
 * before it (but the source), one after it (but the destination), or both; a control instance has
 * neither. Everything here runs on the instance's thread, where nothing else is said.
 */
#ifndef RB_HOST_WORKER_STAGE_H
#define RB_HOST_WORKER_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "host/link/spec.h"
#include "host/worker/channel.h"
#include "host/worker/compress.h"
#include "host/worker/context.h"
#include "host/worker/instance.h"
#include "host/worker/names.h"
#include "host/worker/progress.h"

/* What went one way through a stage in this unit. */
struct rb_flow {
    uint64_t rows;
    uint64_t batches;
    uint64_t bytes;            /* Arrow IPC */
    uint64_t compressed_bytes; /* as they lie in the channel */
};

struct rb_stage {
    struct rb_context *context;
    const struct rb_connector_spec *spec;
    struct rb_instance *instance;
    struct rb_channel *in;        /* borrowed; NULL: none */
    struct rb_channel *out;       /* borrowed; NULL: none */
    struct rb_progress *progress; /* the lane's; NULL: none */
    struct rb_compressor compressor;

    /* Of the unit or call that runs. */
    uint64_t unit; /* 0: a call */
    bool running;  /* the run_* export is being called */
    bool may_part; /* the operator lets this unit be committed in parts */
    struct rb_buf stream_name;
    struct rb_flow sent;
    struct rb_flow received;
    struct rb_frame *abort;   /* in reserve */
    int send_status;          /* of the first batch that could not be sent */
    struct rb_error send_err; /* why */
    struct rb_frame *next;    /* announced, not yet taken */
    bool ended;               /* End was received */
    bool at_part;             /* Part was, and nothing since */
    struct rb_buf end_json;   /* what it said */
    int recv_status;          /* why there is no next batch; 0: there may be one */
    struct rb_error recv_err;
    struct rb_buf checkpoint; /* the last Checkpoint of kind source */
    uint64_t log_lines;       /* over a limit they are dropped, and that is said once */
    uint64_t log_bytes;
    bool log_full;
    struct rb_names metrics; /* over a limit they are refused */
};

/* Its instance is made with it. All borrowed but the stage itself, which must not move. */
int rb_stage_init(struct rb_stage *stage, struct rb_context *context,
                  const struct rb_connector_spec *spec, uint64_t memory_max_bytes,
                  struct rb_error *err);
/* The instance must have been stopped. A zeroed stage may be released. */
void rb_stage_release(struct rb_stage *stage);

/* For a new unit or call, from any thread while the stage is idle. */
int rb_stage_reset(struct rb_stage *stage, uint64_t unit, const char *stream_name, size_t len,
                   struct rb_error *err);

/* Sends End: the rows of this stage are all there. `checksum` NULL: not known; `checkpoint` is the
 * source's, empty: none. RB_ENOMEM, or what rb_channel_send gives. */
int rb_stage_send_end(struct rb_stage *stage, const char *checksum, const struct rb_buf *checkpoint,
                      struct rb_error *err);
/* Sends Part: the rows so far may be committed. `checkpoint` is a source's, whose `checksum` is of
 * these rows. RB_ECONNECTOR where the unit is not to be committed in parts; else as above. */
int rb_stage_send_part(struct rb_stage *stage, const char *checksum, const char *checkpoint,
                       size_t len, struct rb_error *err);
/* Sends Abort, once. Can't fail but when the receiver has closed or was cancelled. */
void rb_stage_send_abort(struct rb_stage *stage, const struct rb_error *why);

/* The guest's imports (struct rb_guest_ops); `user` is the stage. */
void rb_stage_log(void *user, int level, const char *text, size_t len);
int rb_stage_state_get(void *user, int scope, const char *key, size_t key_len, struct rb_buf *ret,
                       struct rb_error *err);
int rb_stage_state_put(void *user, int scope, const char *key, size_t key_len, const void *val,
                       size_t val_len, struct rb_error *err);
int rb_stage_state_cas(void *user, int scope, const char *key, size_t key_len, const void *expected,
                       size_t expected_len, const void *val, size_t val_len, struct rb_error *err);
int rb_stage_checkpoint(void *user, int kind, const char *json, size_t len, struct rb_error *err);
int rb_stage_metric(void *user, const char *json, size_t len, struct rb_error *err);

#endif
