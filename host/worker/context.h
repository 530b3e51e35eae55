/* What every part of the worker needs. Written while the worker starts, read by all threads. */
#ifndef RB_HOST_WORKER_CONTEXT_H
#define RB_HOST_WORKER_CONTEXT_H

#include <stdatomic.h>

#include "host/link/board.h"
#include "host/link/link.h"
#include "host/link/spec.h"
#include "host/worker/budget.h"
#include "host/worker/requests.h"

enum {
    RB_WORKER_JSON_MAX = 16 * 1024 * 1024, /* bytes of any JSON that a connector gets or gives */
};

struct rb_context {
    struct rb_link *link;
    struct rb_board *board; /* NULL: none */
    const struct rb_worker_spec *spec;
    struct rb_budget budget;
    struct rb_requests requests;
    int cancel_fd; /* eventfd, readable once the run is cancelled */
    atomic_bool cancelled;
    atomic_uint next_instance; /* names cancel packets */
    bool leaves;               /* the process ends with the guests: their memory is left to it */
};

#endif
