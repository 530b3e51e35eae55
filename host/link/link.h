/*
 * Framed messages between supervisor and worker, over a socket pair. Frame: u32 payload length, u16
 * type, u16 zero, u64 id, all little-endian, then the payload: JSON, UTF-8. What a frame's payload
 * holds stands beside its type.
 */
#ifndef RB_HOST_LINK_LINK_H
#define RB_HOST_LINK_LINK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum { RB_LINK_PAYLOAD_MAX = 32 * 1024 * 1024 };

enum rb_link_type {
    /* Supervisor to worker. */
    RB_LINK_INIT =
        1, /* struct rb_worker_spec (host/link/spec.h); first of all; answered by READY */
    RB_LINK_CALL =
        2, /* {role,index,export,input}: on the control instance of that connector, opened (rb_open)
            * when first used and kept; answered by RESULT: {data} or {error}, and {timings}:
            * {open_secs,load_secs,instantiate_secs,run_secs,memory_bytes,aot}. `index` counts
            * transforms from 0, `export` is the contract's name ("rb_plan"), `input` an object.
            * "rb_open" opens the instance if need be and answers with its OpenInfo and, beside
            * data, {exports:["rb_plan",…]}: the optional ones it has. "rb_close" closes and drops
            * it; the next CALL makes another. One CALL at a time for each connector. */
    RB_LINK_UNIT = 3, /* {lane,source,transforms:[…],destination}: StreamContexts; runs a unit on a
                       * lane, whose instances are opened when first used and kept; answered by
                       * RESULT (struct rb_unit_result) */
    RB_LINK_CANCEL = 4,      /* {}: sets the cancel eventfd */
    RB_LINK_STATE_REPLY = 5, /* {found,value} | {set} | {error}; id is the request's */
    RB_LINK_CLOSE = 6,       /* {}: rb_close everywhere, then the worker exits with 0 */
    /* Worker to supervisor. */
    RB_LINK_READY = 32,    /* {sandbox:{seccomp,landlock,missing}} (null: not wanted) or {error} */
    RB_LINK_RESULT = 33,   /* id is the CALL's or UNIT's */
    RB_LINK_LOG = 34,      /* {level,connector,stream,text} */
    RB_LINK_PROGRESS = 35, /* id is the UNIT's; {read:{records,bytes,batches},written:{…}} since its
                              start, at most every 100 ms */
    RB_LINK_CHECKPOINT = 36, /* id is the UNIT's; {kind,connector,stream,checkpoint} */
    RB_LINK_METRIC = 37,     /* {connector,stream,metric} */
    RB_LINK_STATE_GET = 38,  /* {scope,connector,stream,key} */
    RB_LINK_STATE_PUT = 39,  /* {scope,connector,stream,key,value}; value base64 */
    RB_LINK_STATE_CAS =
        40, /* {scope,connector,stream,key,expected,value}; expected null: insert if absent */
    RB_LINK_CANCEL_PACKET = 41, /* {key,address,packet}: hex; packet "" takes key's back */
    RB_LINK_LIMIT =
        42, /* {connector,export,limit,ms}: a call took more than "max_call" or "max_cpu"
               lets it; the worker's last message, for only its end stops a guest */
};

struct rb_link {
    int fd; /* owned */
    pthread_mutex_t send_lock;
    int64_t send_limit_ms; /* for one message; < 0, as rb_link_init sets it: none */
    int send_wake_fd;      /* a message that waits is given up when this is readable; -1: none */
    struct rb_buf in; /* the frame that is being received; never a byte of the next, so that poll(2)
                         on fd says whether there is another */
    bool in_whole;    /* it was handed out and is dropped by the next rb_link_recv */
};

struct rb_link_frame {
    enum rb_link_type type;
    uint64_t id;
    const char *json; /* borrowed until the next rb_link_recv; ends in 0 */
    size_t len;
};

/* Takes over `fd`, a connected stream socket. */
int rb_link_init(struct rb_link *link, int fd, struct rb_error *err);
void rb_link_release(struct rb_link *link);
/* From any thread; frames are never mixed. RB_EIO when the other side is gone; RB_ETIMEOUT when it
 * did not take the message in time, of which a part may be on its way: nothing can follow it. */
int rb_link_send(struct rb_link *link, enum rb_link_type type, uint64_t id, const char *json,
                 size_t len, struct rb_error *err);
/* One thread only. 0: a frame; 1: timeout_ms (< 0: none) passed; 2: the other side closed, or died
 * in the middle of a frame. RB_EPROTOCOL for a malformed frame, RB_ENOMEM, RB_EIO. */
int rb_link_recv(struct rb_link *link, int64_t timeout_ms, struct rb_link_frame *ret_frame,
                 struct rb_error *err);

#endif
