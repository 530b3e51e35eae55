/* A source that never comes back and calls no import. */
#include "tests/guests/plain.h"

static volatile uint32_t turns;

static uint64_t spin(void)
{
    while (turns != UINT32_MAX) {
        turns = (turns + 1) & 0xffff;
    }
    return answer("{}");
}

PLAIN_SOURCE(return spin();)
