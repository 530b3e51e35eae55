/* Computes without an end. */
#include "tests/hostile/hostile.h"

static volatile uint32_t sink;

static uint64_t spin(void)
{
    for (;;) {
        sink++;
    }
}

HOSTILE_SOURCE(return spin();)
