/*
 * What the worker's threads are at, in memory that it shares with the supervisor: read when the
 * worker has died, to say whose code it was. The worker runs foreign code: nothing here is trusted.
 */
#ifndef RB_HOST_LINK_BOARD_H
#define RB_HOST_LINK_BOARD_H

#include <stdatomic.h>

#include "base/error.h"
#include "host/link/spec.h"

struct rb_board {
    /* Threads that are in a connector's code, and not in an import: by its place in the spec. */
    atomic_uint running[RB_UNIT_STAGES_MAX];
};

/* The supervisor's: zeroed, and *ret_fd to hand to the worker, the caller's to close. */
int rb_board_new(struct rb_board **ret_board, int *ret_fd, struct rb_error *err);
/* The worker's, of the descriptor it was handed; it is closed. NULL: none, or not one. */
struct rb_board *rb_board_open(int fd);
/* NULL is allowed. */
void rb_board_free(struct rb_board *board);

#endif
