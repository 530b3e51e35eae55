/* Calls itself on the machine's stack, to a depth that is fine where there are 8 MiB of it. */
#include "tests/hostile/hostile.h"

enum { DEPTH = 70000 };

static volatile uint64_t seed = 1;

/* Nothing has an address, so that nothing lies in the module's own memory. */
__attribute__((noinline)) static uint64_t go(uint32_t n, uint64_t a, uint64_t b, uint64_t c,
                                             uint64_t d) /* NOLINT(misc-no-recursion) */
{
    if (n == 0) {
        return a ^ b ^ c ^ d ^ seed;
    }
    uint64_t below = go(n - 1, b * seed, c + seed, d ^ seed, a - seed);
    return below * a + b * n + (c ^ d);
}

static uint64_t dive(void)
{
    return verdict(go(DEPTH, 1, 2, 3, 4) == 0 ? "nothing" : NULL);
}

HOSTILE_SOURCE(return dive();)
