/* A source that takes memory, and writes to it, until it is refused; then it says how much it got.
 */
#include <stdio.h>

#include "tests/guests/plain.h"

enum { PAGE = 65536, PAGES_AT_ONCE = 16 };

static uint64_t take_all(void)
{
    /* Before all others: later there is none left. */
    enum { ROOM = 256 };
    char *result = malloc(ROOM);
    size_t n_pages = 0;
    if (result == NULL) {
        __builtin_trap();
    }
    for (;;) {
        size_t before = __builtin_wasm_memory_grow(0, PAGES_AT_ONCE);
        if (before == SIZE_MAX) {
            break;
        }
        memset((char *)(before * PAGE), 1, (size_t)PAGES_AT_ONCE * PAGE); // NOLINT
        n_pages += PAGES_AT_ONCE;
    }
    int len = snprintf(result, ROOM,
                       "{\"status\":\"err\",\"error\":{\"category\":\"internal\","
                       "\"scope\":\"stream\",\"code\":\"HOG\","
                       "\"message\":\"refused after %u pages\",\"retryable\":false}}",
                       (unsigned)n_pages);
    return (uint64_t)(uintptr_t)result << 32 | (uint32_t)len;
}

PLAIN_SOURCE(return take_all();)
