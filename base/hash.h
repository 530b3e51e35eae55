/* Hashes that guests and host must agree on. Digests for security are in host/crypto. */
#ifndef RB_BASE_HASH_H
#define RB_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* SipHash-2-4 with a 16-byte key (Aumasson and Bernstein, 2012): a keyed pseudo-random function. */
uint64_t rb_hash_siphash(const uint8_t key[16], const void *data, size_t len);

#define RB_HASH_ROW_K1 UINT64_C(0x9e3779b97f4a7c15)
#define RB_HASH_ROW_K2 UINT64_C(0xc2b2ae3d27d4eb4f)

static inline uint64_t rb_hash_rotate_left(uint64_t v, unsigned n)
{
    return v << n | v >> (64 - n);
}

/* A fast 64-bit hash of a row's bytes for the stream checksum. Not keyed, not for security. The
 * value is part of the contract between source and destination (docs/protocol.md,
 * "stream_checksum"). Inline, because a guest calls it once for each row.
 *
 * All arithmetic is modulo 2^64; words are little-endian. With K1 and K2 above:
 *
 *     a = len * K1, b = K2
 *     the bytes, followed by zeros up to the next whole multiple of 16 (none when they are one
 *     already), taken as pairs of words (u, v):
 *         a = (rotl(a, 27) ^ u) * K1,  b = (rotl(b, 31) ^ v) * K2
 *     h = a + rotl(b, 32)
 *     h = (h ^ h >> 32) * K1,  h = (h ^ h >> 29) * K2,  the hash is h ^ h >> 32
 *
 * Two independent chains hide the latency of the multiplications. The product's upper half, which
 * other hashes fold in, is not used: WebAssembly has no instruction for it. */
static inline uint64_t rb_hash_row(const void *data, size_t len)
{
    const uint8_t *p = data;
    uint64_t a = (uint64_t)len * RB_HASH_ROW_K1;
    uint64_t b = RB_HASH_ROW_K2;
    size_t rest = len;
    for (; rest >= 16; rest -= 16, p += 16) {
        a = (rb_hash_rotate_left(a, 27) ^ rb_load_le64(p)) * RB_HASH_ROW_K1;
        b = (rb_hash_rotate_left(b, 31) ^ rb_load_le64(p + 8)) * RB_HASH_ROW_K2;
    }
    if (rest > 0) {
        uint64_t words[2] = {0, 0};
        unsigned word = 0;
        if (rest & 8) {
            words[0] = rb_load_le64(p);
            p += 8;
            word = 1;
        }
        unsigned shift = 0;
        uint64_t last = 0;
        if (rest & 4) {
            last = rb_load_le32(p);
            p += 4;
            shift = 32;
        }
        for (size_t i = 0; i < (rest & 3); i++, shift += 8) {
            last |= (uint64_t)p[i] << shift;
        }
        words[word] = last;
        a = (rb_hash_rotate_left(a, 27) ^ words[0]) * RB_HASH_ROW_K1;
        b = (rb_hash_rotate_left(b, 31) ^ words[1]) * RB_HASH_ROW_K2;
    }
    uint64_t h = a + rb_hash_rotate_left(b, 32);
    h = (h ^ h >> 32) * RB_HASH_ROW_K1;
    h = (h ^ h >> 29) * RB_HASH_ROW_K2;
    return h ^ h >> 32;
}

#endif
