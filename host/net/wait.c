#include "host/net/wait.h"

#include <errno.h>
#include <time.h>

enum { NS_PER_MS = 1000 * 1000 };
static const int64_t NS_PER_S = 1000 * 1000 * 1000;

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t rb_wait_deadline(int64_t timeout_ms)
{
    if (timeout_ms == 0) {
        return RB_WAIT_NOT;
    }
    int64_t now = now_ns();
    if (timeout_ms < 0 || timeout_ms >= (RB_WAIT_FOREVER - now) / NS_PER_MS) {
        return RB_WAIT_FOREVER;
    }
    return now + timeout_ms * NS_PER_MS;
}

int64_t rb_wait_deadline_of_limit(int64_t limit_ms)
{
    return rb_wait_deadline(limit_ms > 0 ? limit_ms : -1);
}

static struct timespec time_until(int64_t deadline)
{
    int64_t left = deadline - now_ns();
    if (left < 0) {
        left = 0;
    }
    return (struct timespec){.tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S};
}

static int cancelled(struct rb_error *err)
{
    return rb_error_set(err, RB_ECANCELLED, "CANCELLED", "the run was cancelled");
}

int rb_wait_poll(struct pollfd *fds, size_t n, int cancel_fd, int64_t deadline,
                 struct rb_error *err)
{
    fds[0] = (struct pollfd){.fd = cancel_fd, .events = POLLIN};
    for (;;) {
        struct timespec left = {0};
        if (deadline != RB_WAIT_FOREVER) {
            left = time_until(deadline);
        }
        int r = ppoll(fds, (nfds_t)n, deadline != RB_WAIT_FOREVER ? &left : NULL, NULL);
        if (r < 0) {
            if (errno == EINTR) {
                continue;
            }
            return rb_error_set_errno(err, RB_EINTERNAL, "POLL", errno, "waiting for a socket");
        }
        if (fds[0].revents != 0) {
            return cancelled(err);
        }
        return r > 0 ? 0 : 1;
    }
}

int rb_wait_fd(int fd, short events, int cancel_fd, int64_t deadline, struct rb_error *err)
{
    struct pollfd fds[2] = {{.fd = -1}, {.fd = fd, .events = events}};
    return rb_wait_poll(fds, 2, cancel_fd, deadline, err);
}

int rb_wait_check(int cancel_fd, struct rb_error *err)
{
    struct pollfd fd = {.fd = cancel_fd, .events = POLLIN};
    return poll(&fd, 1, 0) > 0 ? cancelled(err) : 0;
}
