/* An error of a megabyte that steers terminals. */
#include "tests/hostile/hostile.h"

static uint64_t fail(void)
{
    static const char head[] =
        "{\"status\":\"err\",\"error\":{\"category\":\"internal\",\"code\":\"X\","
        "\"message\":\"long \\u001b[31m\\r\\n";
    enum { ROOM = 1 << 20 };
    static char result[ROOM];
    memset(result, 'e', ROOM);
    memcpy(result, head, sizeof head - 1);
    memcpy(result + ROOM - 3, "\"}}", 3);
    char *copy = malloc(ROOM);
    memcpy(copy, result, ROOM);
    return (uint64_t)(uintptr_t)copy << 32 | ROOM;
}

HOSTILE_SOURCE(return fail();)
