/* WASI: poll_oneoff, for clocks and sockets; whatever else is asked for is ready. */
#include <poll.h>
#include <string.h>
#include <time.h>

#include "host/guest/wasi.h"

enum {
    SUBSCRIPTION_BYTES = 48,
    EVENT_BYTES = 32,
    KIND_CLOCK = 0,
    KIND_READ = 1,
    KIND_WRITE = 2,
    CLOCK_ABSOLUTE = 1,
    EVENT_HANGUP = 1,
};

struct subscription {
    uint64_t user_data;
    uint8_t kind;
    uint16_t error; /* of the event */
    bool ready;
    bool hangup;
    uint64_t deadline_ns; /* clocks: on the monotonic clock */
    int socket;           /* its place among the sockets waited for; -1: none */
};

struct wait {
    struct subscription subs[RB_WASI_SUBSCRIPTIONS_MAX];
    size_t n;
    int handles[RB_WASI_SUBSCRIPTIONS_MAX];
    short events[RB_WASI_SUBSCRIPTIONS_MAX];
    short revents[RB_WASI_SUBSCRIPTIONS_MAX];
    size_t n_sockets;
};

static uint64_t now_on(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* Layout: u64 user data, u8 kind at 8; a clock: u32 id at 16, u64 time at 24, u16 flags at 40; a
 * descriptor: u32 at 16. */
static void decode_clock(const uint8_t *from, struct subscription *sub)
{
    uint32_t id;
    uint64_t time;
    uint16_t flags;
    memcpy(&id, from + 16, sizeof id);
    memcpy(&time, from + 24, sizeof time);
    memcpy(&flags, from + 40, sizeof flags);
    if (id > 1) {
        sub->error = RB_WASI_INVAL;
        return;
    }
    uint64_t now = now_on(CLOCK_MONOTONIC);
    if (flags & CLOCK_ABSOLUTE) {
        uint64_t there = id == 0 ? now_on(CLOCK_REALTIME) : now;
        time = time > there ? time - there : 0;
    }
    sub->deadline_ns = add(now, time);
}

static void decode_fd(struct rb_guest *guest, const uint8_t *from, struct wait *wait,
                      struct subscription *sub)
{
    uint32_t fd;
    memcpy(&fd, from + 16, sizeof fd);
    const struct rb_wasi_fd *entry = rb_wasi_get(guest, fd);
    if (!entry) {
        sub->error = RB_WASI_BADF;
    } else if (entry->kind == RB_WASI_SOCKET) {
        wait->handles[wait->n_sockets] = entry->handle;
        wait->events[wait->n_sockets] = sub->kind == KIND_READ ? POLLIN : POLLOUT;
        sub->socket = (int)wait->n_sockets++;
    } else {
        sub->ready = true;
    }
}

static void decode(struct rb_guest *guest, const uint8_t *from, struct wait *wait)
{
    struct subscription *sub = &wait->subs[wait->n++];
    *sub = (struct subscription){.kind = from[8], .socket = -1};
    memcpy(&sub->user_data, from, sizeof sub->user_data);
    if (sub->kind == KIND_CLOCK) {
        decode_clock(from, sub);
    } else if (sub->kind == KIND_READ || sub->kind == KIND_WRITE) {
        decode_fd(guest, from, wait, sub);
    } else {
        sub->error = RB_WASI_INVAL;
    }
}

/* Nanoseconds until something is due; UINT64_MAX: never. */
static uint64_t longest_wait(const struct wait *wait)
{
    uint64_t until = UINT64_MAX, now = now_on(CLOCK_MONOTONIC);
    for (size_t i = 0; i < wait->n; i++) {
        const struct subscription *sub = &wait->subs[i];
        if (sub->ready || sub->error != 0) {
            return 0;
        }
        if (sub->kind == KIND_CLOCK && sub->deadline_ns < until) {
            until = sub->deadline_ns;
        }
    }
    return until == UINT64_MAX ? until : until > now ? until - now : 0;
}

static int cancelled(struct rb_error *err)
{
    return rb_error_set(err, RB_ECANCELLED, RB_ABI_CODE_CANCELLED, "the run was cancelled");
}

/* Clocks alone: to the nanosecond, awake for the cancellation. */
static int sleep_for(const struct rb_guest *guest, uint64_t ns, struct rb_error *err)
{
    struct pollfd cancel = {.fd = guest->options.cancel_fd, .events = POLLIN};
    struct timespec t = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
    int n = ppoll(&cancel, 1, ns == UINT64_MAX ? NULL : &t, NULL);
    return n > 0 && (cancel.revents & POLLIN) ? cancelled(err) : 0;
}

static int wait_for(const struct rb_guest *guest, struct wait *wait, struct rb_error *err)
{
    uint64_t ns = longest_wait(wait);
    if (wait->n_sockets == 0) {
        return sleep_for(guest, ns, err);
    }
    int64_t ms = ns / 1000000u > INT32_MAX ? -1 : (int64_t)((ns + 999999) / 1000000u);
    return rb_broker_poll(guest->options.broker, wait->handles, wait->events, wait->revents,
                          wait->n_sockets, ms, err);
}

static void settle(struct wait *wait)
{
    uint64_t now = now_on(CLOCK_MONOTONIC);
    for (size_t i = 0; i < wait->n; i++) {
        struct subscription *sub = &wait->subs[i];
        if (sub->kind == KIND_CLOCK && sub->deadline_ns <= now) {
            sub->ready = true;
        }
        if (sub->socket < 0) {
            continue;
        }
        short got = wait->revents[sub->socket];
        sub->ready = got != 0;
        sub->hangup = (got & POLLHUP) != 0;
        if (got & POLLNVAL) {
            sub->error = RB_WASI_BADF;
        }
    }
}

/* Layout: u64 user data, u16 error at 8, u8 kind at 10, u64 bytes at 16, u16 flags at 24. */
static uint32_t give_events(const struct wait *wait, uint8_t *out)
{
    uint32_t n = 0;
    for (size_t i = 0; i < wait->n; i++) {
        const struct subscription *sub = &wait->subs[i];
        if (!sub->ready && sub->error == 0) {
            continue;
        }
        uint8_t *to = out + (size_t)n++ * EVENT_BYTES;
        uint64_t bytes = sub->kind == KIND_CLOCK ? 0 : 1; /* some; how many is not known */
        uint16_t flags = sub->hangup ? EVENT_HANGUP : 0;
        memset(to, 0, EVENT_BYTES);
        memcpy(to, &sub->user_data, sizeof sub->user_data);
        memcpy(to + 8, &sub->error, sizeof sub->error);
        to[10] = sub->kind;
        memcpy(to + 16, &bytes, sizeof bytes);
        memcpy(to + 24, &flags, sizeof flags);
    }
    return n;
}

/* subscriptions, events, how many, where the number of events goes */
static int32_t poll_oneoff(struct rb_guest *guest, const uint64_t *args)
{
    if (args[2] == 0 || args[2] > RB_WASI_SUBSCRIPTIONS_MAX) {
        return RB_WASI_INVAL;
    }
    const uint8_t *in = rb_guest_bytes(guest, args[0], args[2] * SUBSCRIPTION_BYTES);
    uint8_t *out = rb_guest_bytes(guest, args[1], args[2] * EVENT_BYTES);
    if (!in || !out || !rb_guest_bytes(guest, args[3], 4)) {
        return RB_WASI_FAULT;
    }
    struct wait wait = {0};
    for (size_t i = 0; i < args[2]; i++) {
        decode(guest, in + i * SUBSCRIPTION_BYTES, &wait);
    }
    uint32_t n = 0;
    while (n == 0) { /* a wait may end a little early */
        struct rb_error err = {0};
        int status = wait_for(guest, &wait, &err);
        if (status == RB_ECANCELLED) {
            rb_guest_stop(guest, &err);
        }
        if (status < 0) {
            return RB_WASI_IO;
        }
        settle(&wait);
        n = give_events(&wait, out);
    }
    rb_wasi_put_u32(guest, args[3], n);
    return RB_WASI_SUCCESS;
}

const struct rb_guest_import rb_wasi_poll_imports[] = {
    {"poll_oneoff", "iiii", true, true, poll_oneoff},
    {0},
};
