/* A source that calls itself until its stack is used up. */
#include "tests/guests/plain.h"

static volatile uint32_t depth;

__attribute__((noinline)) static uint32_t recurse(uint32_t n) /* NOLINT(misc-no-recursion) */
{
    volatile uint32_t local[64];
    local[n % 64] = n;
    depth = n;
    return n == UINT32_MAX ? 0 : recurse(n + 1) + local[n % 64];
}

PLAIN_SOURCE(return answer(recurse(0) == 7 ? "{}" : "[]");)
