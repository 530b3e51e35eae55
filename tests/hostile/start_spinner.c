/* Computes without an end before it has been opened. */
#include "tests/hostile/hostile.h"

static volatile uint32_t sink;

__attribute__((constructor)) static void spin(void)
{
    for (;;) {
        sink++;
    }
}

HOSTILE_SOURCE(return verdict("nothing: it was reached");)
