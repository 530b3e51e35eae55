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

/* There is always more, and nothing after which to ask for it. */
#undef CATALOG
#define CATALOG "{\"status\":\"ok\",\"data\":{\"streams\":[],\"more\":true}}"

PLAIN_SOURCE(return spin();)
