/* A hundred thousand metrics, each of another name (max_metric_names: 100). */
#include "tests/hostile/hostile.h"

static uint64_t flood(void)
{
    static const char first[] = "{\"name\":\"m0\",\"value\":{\"counter\":1}}";
    static char text[128];
    int taken = 0;
    for (int i = 0; i < 100000; i++) {
        int n = snprintf(text, sizeof text, "{\"name\":\"m%d\",\"value\":{\"counter\":1}}", i);
        taken += rb_host_metric(text, (uint32_t)n) == 0 ? 1 : 0;
    }
    /* One that is there still counts. */
    if (rb_host_metric(first, sizeof first - 1) != 0) {
        return verdict("nothing: a metric that is there was refused");
    }
    return verdict(taken == 100 ? NULL : "more metrics than it may have");
}

HOSTILE_SOURCE(return flood();)
