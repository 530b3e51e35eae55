/* Sleeps for a hundred years. */
#include <time.h>

#include "tests/hostile/hostile.h"

static uint64_t sleep_long(void)
{
    const struct timespec century = {.tv_sec = 3000000000LL};
    nanosleep(&century, NULL);
    return verdict("nothing: it woke");
}

HOSTILE_SOURCE(return sleep_long();)
