/* Clocks that are not there, randomness and waits of sizes that are not. */
#include <errno.h>
#include <time.h>
#include <wasi/api.h>

#include "tests/hostile/hostile.h"

static uint64_t try_all(void)
{
    __wasi_timestamp_t now;
    __wasi_size_t n;
    static uint8_t bytes[16];
    static __wasi_subscription_t wait;
    static __wasi_event_t event;
    for (uint32_t clock = 4; clock < 64; clock++) {
        if (__wasi_clock_time_get((__wasi_clockid_t)clock, 1, &now) == 0) {
            return verdict("a clock that is not there");
        }
    }
    if (__wasi_random_get(bytes, UINT32_MAX) == 0 ||
        __wasi_random_get((uint8_t *)0xfffffff0, 64) == 0) {
        return verdict("random bytes outside of its memory");
    }
    if (__wasi_poll_oneoff(&wait, &event, UINT32_MAX, &n) == 0 ||
        __wasi_poll_oneoff(&wait, &event, 0x08000000, &n) == 0) {
        return verdict("a wait for more than it has");
    }
    if (__wasi_fd_close(77) == 0 || __wasi_fd_read(77, NULL, 0, &n) == 0) {
        return verdict("a descriptor that is not there");
    }
    return verdict(NULL);
}

HOSTILE_SOURCE(return try_all();)
