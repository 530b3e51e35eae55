/*
 * Memory functions that take the same instructions on every machine: the C library's choose by the
 * processor. A byte copied costs an eighth of four instructions. Linked by --wrap.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

void *__wrap_memcpy(void *to, const void *from, size_t len);
void *__wrap_memmove(void *to, const void *from, size_t len);
void *__wrap_memset(void *to, int byte, size_t len);
int __wrap_memcmp(const void *a, const void *b, size_t len);
int __wrap_bcmp(const void *a, const void *b, size_t len);

/* Keeps the compiler from making a call of memcpy out of a loop. */
#define KEEP __asm__ volatile("")

void *__wrap_memcpy(void *to, const void *from, size_t len)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        uint64_t word;
        __builtin_memcpy(&word, in + i, 8);
        __builtin_memcpy(out + i, &word, 8);
        KEEP;
    }
    for (; i < len; i++) {
        out[i] = in[i];
        KEEP;
    }
    return to;
}

void *__wrap_memmove(void *to, const void *from, size_t len)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    if (out <= in || out >= in + len) {
        return __wrap_memcpy(to, from, len);
    }
    for (size_t i = len; i > 0; i--) {
        out[i - 1] = in[i - 1];
        KEEP;
    }
    return to;
}

void *__wrap_memset(void *to, int byte, size_t len)
{
    uint8_t *out = to;
    const uint64_t word = UINT64_C(0x0101010101010101) * (uint8_t)byte;
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        __builtin_memcpy(out + i, &word, 8);
        KEEP;
    }
    for (; i < len; i++) {
        out[i] = (uint8_t)byte;
        KEEP;
    }
    return to;
}

int __wrap_memcmp(const void *a, const void *b, size_t len)
{
    const uint8_t *x = a, *y = b;
    for (size_t i = 0; i < len; i++) {
        if (x[i] != y[i]) {
            return x[i] < y[i] ? -1 : 1;
        }
        KEEP;
    }
    return 0;
}

int __wrap_bcmp(const void *a, const void *b, size_t len)
{
    return __wrap_memcmp(a, b, len);
}
