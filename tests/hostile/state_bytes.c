/* Values of 100 KiB (max_state_bytes: 1mb). */
#include "tests/hostile/hostile.h"

static uint64_t flood(void)
{
    static char value[100 * 1024];
    char key = 'a';
    int n = 0;
    for (; n < 26; n++, key++) {
        if (rb_host_state_put(0, &key, 1, value, sizeof value) != 0) {
            break;
        }
    }
    return verdict(n == 10 ? NULL : "more bytes than it may keep");
}

HOSTILE_SOURCE(return flood();)
