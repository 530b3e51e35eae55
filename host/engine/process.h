/* The worker and compiler processes. */
#ifndef RB_HOST_ENGINE_PROCESS_H
#define RB_HOST_ENGINE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "host/link/board.h"

/* Both get what of the environment concerns their libraries (LD_*, SSL_CERT_*, RES_OPTIONS, …), not
 * the operator's other variables. */

/* Starts `<self> worker --link-fd <n> --board-fd <m>` with a board, which is the caller's, too
 * (rb_board_free), and one end of a socket pair; *ret_fd is the other, the caller's. Its standard
 * input and output are /dev/null: a guest has no say there. */
int rb_process_start_worker(const char *self_path, pid_t *ret_pid, int *ret_fd,
                            struct rb_board **ret_board, struct rb_error *err);

/* What ends a compilation before its end. */
struct rb_compile_limits {
    int signal_fd;                      /* a signal that waits there, where it is left; -1: none */
    int64_t deadline_ms;                /* of rb_clock_ms(); 0: none */
    const struct rb_observer *observer; /* is told that time passes; NULL */
    uint64_t memory_bytes;              /* of its process */
    int64_t cpu_ms;                     /* of each module */
};

/* Runs `<self> compile --aot-dir DIR -- <wasm>…` to its end. RB_ECANCELLED: a signal; RB_ETIMEOUT,
 * final: the deadline; RB_ECONNECTOR with what it wrote to standard error. */
int rb_process_compile(const char *self_path, const char *aot_dir, bool no_os_sandbox,
                       const char *const *wasm_paths, size_t n_paths,
                       const struct rb_compile_limits *limits, struct rb_error *err);

#define RB_RUN_TIMEOUT "RUN_TIMEOUT"
/* RB_ETIMEOUT, final, with that code: the run's deadline has passed. */
int rb_process_run_timeout(struct rb_error *err);

/* Waits up to timeout_ms for the end: 0, with the wait status and peak resident bytes; 1: still
 * running. */
int rb_process_wait(pid_t pid, int64_t timeout_ms, int *ret_status, int64_t *ret_peak_bytes);
/* SIGKILL, and waits. */
void rb_process_kill(pid_t pid, int *ret_status, int64_t *ret_peak_bytes);
/* "exited with 3", "was killed by signal 11 (Segmentation fault)". */
void rb_process_describe(int wait_status, char *out, size_t cap);

#endif
