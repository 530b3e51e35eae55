/*
 * The worker process: instances, stages, lanes, channels. Started by the supervisor with one end of
 * the link.
 */
#ifndef RB_HOST_WORKER_WORKER_H
#define RB_HOST_WORKER_WORKER_H

#include "host/link/link.h"

/* The process's exit codes. */
enum {
    RB_WORKER_EXIT_CLOSED = 0,   /* asked to, after rb_close everywhere */
    RB_WORKER_EXIT_FAULT = 1,    /* it could not start (READY said why), or the link was broken */
    RB_WORKER_EXIT_ORPHANED = 2, /* the supervisor is gone, or cannot be told a result */
    RB_WORKER_EXIT_LIMIT = 3,    /* a call was over its time; LIMIT said which */
};

/* Serves the link until CLOSE or a fault; returns the process's exit code. Takes over `link_fd`,
 * `board_fd` (host/link/board.h; -1: none), and the process: its signals, its memory allocator, and
 * its life, which ends at once (_exit) when the supervisor is gone. Writes nothing to standard
 * output and error. `leaves`: it does not return; to take guests apart whose memory goes with the
 * process takes 3 ms, which the supervisor would wait for. */
int rb_worker_main(int link_fd, int board_fd, const char *llvm_stub_path, bool leaves);

/* Answers CALL or UNIT `id`, from any thread. Ends the process when that can't be done. */
void rb_worker_send_result(struct rb_link *link, uint64_t id, const struct rb_buf *text);

#endif
