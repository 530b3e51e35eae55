/* Deadlines, and the one way to wait: for a descriptor, a deadline or the run's cancellation. */
#ifndef RB_HOST_NET_WAIT_H
#define RB_HOST_NET_WAIT_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Nanoseconds of CLOCK_MONOTONIC. */
#define RB_WAIT_FOREVER INT64_MAX
#define RB_WAIT_NOT INT64_C(0) /* long past */

/* timeout_ms < 0: RB_WAIT_FOREVER; 0: RB_WAIT_NOT. */
int64_t rb_wait_deadline(int64_t timeout_ms);
/* Of the operator's limits, where 0 means none. */
int64_t rb_wait_deadline_of_limit(int64_t limit_ms);

/* poll(2) on `fds`, whose first entry is the caller's to leave free: the cancel descriptor is put
 * there (< 0: none). 0: one of the others is ready; 1: the deadline passed; RB_ECANCELLED. */
int rb_wait_poll(struct pollfd *fds, size_t n, int cancel_fd, int64_t deadline,
                 struct rb_error *err);
/* The same for one descriptor. */
int rb_wait_fd(int fd, short events, int cancel_fd, int64_t deadline, struct rb_error *err);
/* 0, or RB_ECANCELLED; does not wait. */
int rb_wait_check(int cancel_fd, struct rb_error *err);

#endif
