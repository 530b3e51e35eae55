/* A million keys (max_state_keys: 1000). */
#include "tests/hostile/hostile.h"

static uint64_t flood(void)
{
    char key[32];
    int n = 0;
    for (; n < 1000000; n++) {
        int len = snprintf(key, sizeof key, "key %d", n);
        if (rb_host_state_put(0, key, (uint32_t)len, key, (uint32_t)len) != 0) {
            break;
        }
    }
    /* One that is there can still be changed. */
    if (rb_host_state_put(0, "key 0", 5, "x", 1) != 0) {
        return verdict("nothing: a key that is there can't be changed");
    }
    return verdict(n == 1000 ? NULL : "more keys than it may make");
}

HOSTILE_SOURCE(return flood();)
