#ifndef RB_HOST_WORKER_CLOCK_H
#define RB_HOST_WORKER_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Monotonic, never 0. */
static inline int64_t rb_clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec + 1;
}

static inline double rb_clock_secs(int64_t ns)
{
    return (double)ns / 1e9;
}

#endif
