/* A source that imports a function that no host has. */
#include "tests/guests/plain.h"

IMPORT(rb_host_format_disk)(int32_t disk);

PLAIN_SOURCE(return answer(rb_host_format_disk(0) == 0 ? "{}" : "[]");)
