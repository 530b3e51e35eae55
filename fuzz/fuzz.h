/*
 * What the fuzzers share. Each is one file with libFuzzer's entry point; it gets bytes as they may
 * come from a guest, a socket or a file, and aborts when what it knows of the result does not hold.
 */
#ifndef RB_FUZZ_FUZZ_H
#define RB_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert: that is gone with NDEBUG. */
#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* A copy of exactly that size, at a multiple of 8 bytes: reading over its end is found. free() it.
 */
static inline void *fuzz_copy(const uint8_t *data, size_t size)
{
    void *copy = malloc(size > 0 ? size : 1);
    FUZZ_CHECK(copy != NULL);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    return copy;
}

#endif
