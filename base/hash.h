/* Hashes that guests and host must agree on. Digests for security are in host/crypto. */
#ifndef RB_BASE_HASH_H
#define RB_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* SipHash-2-4 with a 16-byte key (Aumasson and Bernstein, 2012): a keyed pseudo-random function. */
uint64_t rb_hash_siphash(const uint8_t key[16], const void *data, size_t len);

/* A fast 64-bit hash of a row's bytes for the stream checksum. Not keyed, not for security. The
 * value is part of the contract between source and destination (docs/protocol.md,
 * "stream_checksum"). */
uint64_t rb_hash_row(const void *data, size_t len);

#endif
