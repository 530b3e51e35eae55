/* Hashes that guests and host must agree on. Digests for security are in host/crypto. */
#ifndef RB_BASE_HASH_H
#define RB_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

/* SipHash-2-4 with a 16-byte key (Aumasson and Bernstein, 2012): a keyed pseudo-random function. */
uint64_t rb_hash_siphash(const uint8_t key[16], const void *data, size_t len);

#define RB_HASH_ROW_K1 UINT64_C(0x9e3779b97f4a7c15)
#define RB_HASH_ROW_K2 UINT64_C(0xc2b2ae3d27d4eb4f)
#define RB_HASH_ROW_M1 UINT64_C(0x9e3779b1)
#define RB_HASH_ROW_M2 UINT64_C(0x85ebca77)

static inline uint64_t rb_hash_rotate_left(uint64_t v, unsigned n)
{
    return v << n | v >> (64 - n);
}

/* Two words of a row, or the two chains that take them: one register. */
typedef uint64_t rb_hash_pair __attribute__((vector_size(16)));

static inline rb_hash_pair rb_hash_row_pair(rb_hash_pair chains, const uint8_t *words, int n)
{
    rb_hash_pair w;
    memcpy(&w, words, sizeof w);
    return ((chains << n | chains >> (64 - n)) ^ w) *
           (rb_hash_pair){RB_HASH_ROW_M1, RB_HASH_ROW_M2};
}

/* The word at `at` of a row of less than 32 bytes, which zeros follow. */
static inline uint64_t rb_hash_row_word(const uint8_t *row, size_t len, size_t at)
{
    if (at + 8 <= len) {
        return rb_load_le64(row + at);
    }
    if (at >= len) {
        return 0;
    }
    if (len >= 8) {
        return rb_load_le64(row + len - 8) >> (8 * (at + 8 - len));
    }
    uint64_t word = 0;
    for (size_t i = 0; i < len; i++) {
        word |= (uint64_t)row[i] << (8 * i);
    }
    return word;
}

/* A fast 64-bit hash of a row's bytes for the stream checksum. Not keyed, not for security. The
 * value is part of the contract between source and destination (docs/protocol.md,
 * "stream_checksum"). Inline, because a guest calls it once for each row.
 *
 * All arithmetic is modulo 2^64; words are little-endian. With K1, K2, M1, M2 above:
 *
 *     a = len * K1, b = K2, c = K1, d = len ^ K2
 *     the bytes as blocks of four words (u, v, w, x): all whole ones, then, unless they were all,
 *     the last 32 bytes (of a row of less than 32: its bytes, followed by zeros):
 *         a = (rotl(a, 29) ^ u) * M1,  b = (rotl(b, 29) ^ v) * M2
 *         c = (rotl(c, 33) ^ w) * M1,  d = (rotl(d, 33) ^ x) * M2
 *     h = a + rotl(b, 32) + (c ^ rotl(d, 19)) * K1
 *     h = (h ^ h >> 32) * K1,  h = (h ^ h >> 29) * K2,  the hash is h ^ h >> 32
 *
 * Independent chains hide the latency of the multiplications; two of them rotate alike, so that
 * they share a register, and their factors have 32 bits, because few processors multiply 64 bits in
 * such a register at once. The last block overlaps the one before, because finding the end of a row
 * byte by byte takes longer than hashing it: rows have lengths that no processor predicts. The
 * product's upper half, which other hashes fold in, is not used: WebAssembly has no instruction
 * for it. */
static inline uint64_t rb_hash_row(const void *data, size_t len)
{
    const uint8_t *p = data;
    rb_hash_pair ab = {(uint64_t)len * RB_HASH_ROW_K1, RB_HASH_ROW_K2};
    rb_hash_pair cd = {RB_HASH_ROW_K1, (uint64_t)len ^ RB_HASH_ROW_K2};
    if (len >= 32) {
        const uint8_t *last = p + len - 32;
        for (; p < last; p += 32) {
            ab = rb_hash_row_pair(ab, p, 29);
            cd = rb_hash_row_pair(cd, p + 16, 33);
        }
        ab = rb_hash_row_pair(ab, last, 29);
        cd = rb_hash_row_pair(cd, last + 16, 33);
    } else if (len > 0) {
        const uint64_t words[4] = {rb_hash_row_word(p, len, 0), rb_hash_row_word(p, len, 8),
                                   rb_hash_row_word(p, len, 16), rb_hash_row_word(p, len, 24)};
        ab = rb_hash_row_pair(ab, (const uint8_t *)words, 29);
        cd = rb_hash_row_pair(cd, (const uint8_t *)(words + 2), 33);
    }
    uint64_t h = ab[0] + rb_hash_rotate_left(ab[1], 32) +
                 (cd[0] ^ rb_hash_rotate_left(cd[1], 19)) * RB_HASH_ROW_K1;
    h = (h ^ h >> 32) * RB_HASH_ROW_K1;
    h = (h ^ h >> 29) * RB_HASH_ROW_K2;
    return h ^ h >> 32;
}

#endif
