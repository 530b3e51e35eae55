/* A result of 2 GiB. */
#include "tests/hostile/hostile.h"

HOSTILE_SOURCE(return (uint64_t)64 << 32 | 0x7fffffff;)
