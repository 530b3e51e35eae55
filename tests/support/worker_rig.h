/* A worker in a process of its own, and its supervisor played by the test. */
#ifndef RB_TESTS_SUPPORT_WORKER_RIG_H
#define RB_TESTS_SUPPORT_WORKER_RIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "host/link/link.h"
#include "host/link/spec.h"

struct rb_rig {
    pid_t pid;
    struct rb_link link;
    uint64_t last_id;
    struct rb_buf ready;       /* READY's payload */
    struct rb_buf result;      /* of the last RESULT that was waited for */
    struct rb_buf logs;        /* "level connector text\n" for each LOG */
    struct rb_buf checkpoints; /* payloads, a line each */
    struct rb_buf progress;    /* the last one's payload */
    int n_checkpoints;
    int n_progress;
    int n_metrics;
    bool has_k; /* state: there is one value, under whatever key */
    struct rb_buf k;
    int n_unanswered; /* state requests for "never answered"; those for "new" get an error */
};

/* Starts the worker with a spec that the caller may have changed. */
void rb_rig_start(struct rb_rig *rig, const struct rb_worker_spec *spec);
uint64_t rb_rig_send(struct rb_rig *rig, enum rb_link_type type, const char *json, size_t len);
/* Serves the link until the RESULT of `id`, at most 20 s; false: it did not come. */
bool rb_rig_await(struct rb_rig *rig, uint64_t id);
/* Serves the link until a counter of the rig is at least `n`, at most 20 s. */
bool rb_rig_await_count(struct rb_rig *rig, const int *counter, int n);
/* Waits for the process, at most 20 s: its exit code, 128 + its signal, or -1. The link stays
 * served until it ends; with `hang_up` it is closed at once instead. */
int rb_rig_wait(struct rb_rig *rig, bool hang_up);
/* CLOSE, and rb_rig_wait; releases the rig. */
int rb_rig_close(struct rb_rig *rig);
void rb_rig_release(struct rb_rig *rig);

#endif
