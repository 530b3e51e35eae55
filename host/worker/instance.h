/*
 * One connector instance with its thread, its broker and its guest. The guest is loaded and opened
 * when first used and kept for the next use; after a trap or a cancellation it is dropped and made
 * anew.
 */
#ifndef RB_HOST_WORKER_INSTANCE_H
#define RB_HOST_WORKER_INSTANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "host/guest/guest.h"
#include "host/link/spec.h"
#include "host/worker/context.h"

struct rb_instance;

/* Starts the thread; `ops` and `user` are what the guest's imports end in, on that thread. All
 * borrowed. */
int rb_instance_new(struct rb_context *context, const struct rb_connector_spec *spec,
                    uint64_t memory_max_bytes, const struct rb_guest_ops *ops, void *user,
                    struct rb_instance **ret_instance, struct rb_error *err);
/* Asks the thread to end after its job, with rb_close; does not wait. `ended` is called on the
 * thread as the last thing. */
void rb_instance_stop(struct rb_instance *instance, void (*ended)(void *user), void *ended_user);
/* Joins the thread, which must have been stopped. NULL is allowed. */
void rb_instance_free(struct rb_instance *instance);

/* Has the thread run `job`. RB_EINTERNAL (code BUSY) when it has one already. */
int rb_instance_submit(struct rb_instance *instance, void (*job)(void *user), void *job_user,
                       struct rb_error *err);

/* A call that takes longer than the operator or the manifest lets it. */
struct rb_instance_overrun {
    const char *connector;
    const char *export;
    const char *limit; /* "max_call", "max_cpu" */
    uint64_t limit_ms;
};

/* From any thread, while the instance is not freed: whether the call that runs is over a limit. */
bool rb_instance_overrun(struct rb_instance *instance, struct rb_instance_overrun *ret);

/* What making an instance took; zero when it was there. */
struct rb_instance_timings {
    double open_secs; /* load, instantiate and rb_open */
    double load_secs; /* of its module, for the first instance of those that share it */
    double instantiate_secs;
};

/* On the instance's thread only. */
int rb_instance_open(struct rb_instance *instance, struct rb_instance_timings *ret_timings,
                     struct rb_error *err);
/* The opened guest's OpenInfo. */
const struct rb_buf *rb_instance_info(const struct rb_instance *instance);
bool rb_instance_has(const struct rb_instance *instance, enum rb_guest_export which);
bool rb_instance_is_aot(const struct rb_instance *instance);
/* 0 when there is none. */
uint64_t rb_instance_memory_bytes(const struct rb_instance *instance);
/* As rb_guest_call, of an opened instance; RB_ECONNECTOR (code EXPORT_MISSING) when the module
 * lacks it. rb_validate and rb_discover are given an OpenContext with the members of `json`, an
 * object, beside its own. */
int rb_instance_call(struct rb_instance *instance, enum rb_guest_export which, const char *json,
                     size_t len, struct rb_buf *ret_data, struct rb_error *err);
/* rb_close, unless it trapped or was cancelled, and drops the guest; the next open makes another.
 */
int rb_instance_close(struct rb_instance *instance, struct rb_error *err);

#endif
