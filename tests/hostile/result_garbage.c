/* A result that is not JSON. */
#include "tests/hostile/hostile.h"

HOSTILE_SOURCE(return answer("\xff\xfe{{{{[[[[\"");)
