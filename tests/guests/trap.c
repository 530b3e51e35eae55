/* A source that traps. */
#include "tests/guests/plain.h"

PLAIN_SOURCE(__builtin_trap();)
