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

static inline uint64_t rb_hash_rotate_left(uint64_t v, unsigned n)
{
    return v << n | v >> (64 - n);
}

/* One block of a row: four words, each into a chain of its own. */
static inline void rb_hash_row_block(uint64_t chains[4], const uint8_t block[32])
{
    chains[0] = (rb_hash_rotate_left(chains[0], 27) ^ rb_load_le64(block)) * RB_HASH_ROW_K1;
    chains[1] = (rb_hash_rotate_left(chains[1], 31) ^ rb_load_le64(block + 8)) * RB_HASH_ROW_K2;
    chains[2] = (rb_hash_rotate_left(chains[2], 29) ^ rb_load_le64(block + 16)) * RB_HASH_ROW_K1;
    chains[3] = (rb_hash_rotate_left(chains[3], 33) ^ rb_load_le64(block + 24)) * RB_HASH_ROW_K2;
}

/* A fast 64-bit hash of a row's bytes for the stream checksum. Not keyed, not for security. The
 * value is part of the contract between source and destination (docs/protocol.md,
 * "stream_checksum"). Inline, because a guest calls it once for each row.
 *
 * All arithmetic is modulo 2^64; words are little-endian. With K1 and K2 above:
 *
 *     a = len * K1, b = K2, c = K1, d = len ^ K2
 *     the bytes as blocks of four words (u, v, w, x): all whole ones, then, unless they were all,
 *     the last 32 bytes (of a row of less than 32: its bytes, followed by zeros):
 *         a = (rotl(a, 27) ^ u) * K1,  b = (rotl(b, 31) ^ v) * K2
 *         c = (rotl(c, 29) ^ w) * K1,  d = (rotl(d, 33) ^ x) * K2
 *     h = a + rotl(b, 32) + (c ^ rotl(d, 19)) * K1
 *     h = (h ^ h >> 32) * K1,  h = (h ^ h >> 29) * K2,  the hash is h ^ h >> 32
 *
 * Independent chains hide the latency of the multiplications. The last block overlaps the one
 * before, because finding the end of a row byte by byte takes longer than hashing it: rows have
 * lengths that no processor predicts. The product's upper half, which other hashes fold in, is not
 * used: WebAssembly has no instruction for it. */
static inline uint64_t rb_hash_row(const void *data, size_t len)
{
    const uint8_t *p = data;
    uint64_t chains[4] = {(uint64_t)len * RB_HASH_ROW_K1, RB_HASH_ROW_K2, RB_HASH_ROW_K1,
                          (uint64_t)len ^ RB_HASH_ROW_K2};
    size_t rest = len;
    for (; rest >= 32; rest -= 32, p += 32) {
        rb_hash_row_block(chains, p);
    }
    if (rest > 0 && len >= 32) {
        rb_hash_row_block(chains, p + rest - 32);
    } else if (rest > 0) {
        uint8_t block[32] = {0};
        memcpy(block, p, rest);
        rb_hash_row_block(chains, block);
    }
    uint64_t h = chains[0] + rb_hash_rotate_left(chains[1], 32) +
                 (chains[2] ^ rb_hash_rotate_left(chains[3], 19)) * RB_HASH_ROW_K1;
    h = (h ^ h >> 32) * RB_HASH_ROW_K1;
    h = (h ^ h >> 29) * RB_HASH_ROW_K2;
    return h ^ h >> 32;
}

#endif
