/* A hundred thousand messages that steer terminals, each of 200 bytes. */
#include "tests/hostile/hostile.h"

static uint64_t flood(void)
{
    static char text[200];
    memset(text, 'f', sizeof text);
    memcpy(text, "\x1b[2J\x1b]0;flood\x07\r\nerror: ", 23);
    for (int i = 0; i < 100000; i++) {
        (void)rb_host_log(1, text, sizeof text);
    }
    return verdict(NULL);
}

HOSTILE_SOURCE(return flood();)
