/*
 * What joins two stages of a lane: a queue of frames from one thread to one other, bounded in
 * batches and in bytes. A stream ends by an End frame or by an Abort frame, never by silence, so
 * that a sender that died is not mistaken for one that finished.
 */
#ifndef RB_HOST_WORKER_CHANNEL_H
#define RB_HOST_WORKER_CHANNEL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "host/link/spec.h"

enum rb_frame_kind {
    RB_FRAME_DATA,  /* a batch */
    RB_FRAME_PART,  /* StreamEnd JSON: the rows before it may be committed by themselves */
    RB_FRAME_END,   /* StreamEnd JSON: all rows were sent */
    RB_FRAME_ABORT, /* a struct rb_error: they were not, and never will be */
};

struct rb_frame {
    struct rb_frame *next; /* the channel's */
    enum rb_frame_kind kind;
    uint64_t unit;             /* whose rows these are */
    uint64_t seq;              /* 0, 1, 2 …; of Part and End: the number of batches before it */
    enum rb_compression codec; /* of bytes */
    size_t raw_size;           /* bytes before compression */
    int64_t n_rows;
    size_t size;
    uint8_t bytes[];
};

/* NULL when there is no memory. `bytes` is `data`, copied. */
struct rb_frame *rb_frame_new(enum rb_frame_kind kind, const void *data, size_t size);
/* An Abort frame, whose reason is written later: so that memory is there when all else fails. */
struct rb_frame *rb_frame_new_abort(void);
void rb_frame_set_abort(struct rb_frame *frame, const struct rb_error *why);

struct rb_channel {
    pthread_mutex_t lock;
    pthread_cond_t room;
    pthread_cond_t data;
    size_t max_batches;
    size_t max_bytes;
    struct rb_frame *head;
    struct rb_frame *tail;
    size_t n_batches; /* sent and not yet dropped, as n_bytes */
    size_t n_bytes;
    bool cancelled;
    bool closed; /* by the receiver */
    struct rb_error closed_why;
    int64_t send_wait_ns; /* what the sender waited for room, since the last reset */
    int64_t recv_wait_ns; /* what the receiver waited for a frame */
};

int rb_channel_init(struct rb_channel *channel, size_t max_batches, size_t max_bytes,
                    struct rb_error *err);
void rb_channel_release(struct rb_channel *channel);
/* For another unit, while no thread uses it: what was left is dropped. It stays cancelled. */
void rb_channel_reset(struct rb_channel *channel);

/* Takes the frame over, whatever happens. Data and Part wait for room; one larger than all of
 * max_bytes passes when the channel is empty. End and Abort never wait. RB_ECANCELLED; RB_EABORTED
 * (code RECEIVER_ENDED) when the receiver has closed. */
int rb_channel_send(struct rb_channel *channel, struct rb_frame *frame, struct rb_error *err);

/* Waits for a frame, which must bear this unit and number: 0: Data, 1: End, 2: Part, each the
 * caller's until rb_channel_drop. RB_EABORTED (code ABORTED) for Abort, RB_ECANCELLED (code
 * CANCELLED), RB_EINTERNAL (code FRAME_ORDER) for a foreign unit or a gap. */
int rb_channel_recv(struct rb_channel *channel, uint64_t unit, uint64_t seq,
                    struct rb_frame **ret_frame, struct rb_error *err);
/* Frees a received frame and makes its room free. NULL is allowed. */
void rb_channel_drop(struct rb_channel *channel, struct rb_frame *frame);

/* The receiver wants no more; `why` is what a sender gets to know. The first call counts. */
void rb_channel_close(struct rb_channel *channel, const struct rb_error *why);
/* From any thread: wakes both sides. */
void rb_channel_cancel(struct rb_channel *channel);

#endif
