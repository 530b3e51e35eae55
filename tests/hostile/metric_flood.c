/* A hundred thousand metrics, each of another name. */
#include "tests/hostile/hostile.h"

static uint64_t flood(void)
{
    static char text[128];
    for (int i = 0; i < 100000; i++) {
        int n = snprintf(text, sizeof text, "{\"name\":\"m%d\",\"value\":{\"counter\":1}}", i);
        if (rb_host_metric(text, (uint32_t)n) != 0) {
            return verdict("nothing: a metric was refused");
        }
    }
    return verdict(NULL);
}

HOSTILE_SOURCE(return flood();)
