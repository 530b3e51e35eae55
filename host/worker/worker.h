/*
 * The worker process: instances, stages, lanes, channels. Started by the supervisor with one end of
 * the link.
 */
#ifndef RB_HOST_WORKER_WORKER_H
#define RB_HOST_WORKER_WORKER_H

/* Serves the link until CLOSE, a lost supervisor or a fault; returns the process's exit code. Takes
 * over `link_fd`. */
int rb_worker_main(int link_fd);

#endif
