/* What a unit has moved so far, told to the supervisor at most every 100 ms. */
#ifndef RB_HOST_WORKER_PROGRESS_H
#define RB_HOST_WORKER_PROGRESS_H

#include <stdatomic.h>
#include <stdint.h>

#include "host/link/link.h"

struct rb_count {
    atomic_uint_least64_t records;
    atomic_uint_least64_t bytes;
    atomic_uint_least64_t batches;
};

struct rb_progress {
    struct rb_link *link;
    uint64_t unit;
    struct rb_count read;    /* entered the first channel */
    struct rb_count written; /* taken by the destination */
    atomic_int_least64_t told_ns;
};

/* For a new unit, while no stage runs. */
void rb_progress_reset(struct rb_progress *progress, uint64_t unit);
/* Adds a batch, and tells when it is time. From any thread. */
void rb_progress_add(struct rb_progress *progress, struct rb_count *count, uint64_t records,
                     uint64_t bytes);

#endif
