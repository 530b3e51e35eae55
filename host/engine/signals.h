/* What a second signal does, wherever the process is by then. */
#ifndef RB_HOST_ENGINE_SIGNALS_H
#define RB_HOST_ENGINE_SIGNALS_H

enum { RB_SIGNALS_SAME_MS = 1000 };

/* A first SIGINT, SIGTERM or SIGHUP was taken from the signalfd. One that comes within
 * RB_SIGNALS_SAME_MS of it is the same: `timeout` sends two, schedulers send two kinds. A later one
 * calls `die` (async-signal-safe; NULL: nothing) and ends the process at once: the servers roll
 * back, the kernel ends the worker with its parent, the next run cleans up. */
void rb_signals_arm(void (*die)(void));

#endif
