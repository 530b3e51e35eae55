/* A result that lies outside of its memory. */
#include "tests/hostile/hostile.h"

HOSTILE_SOURCE(return (uint64_t)0xfffffff0U << 32 | 256;)
