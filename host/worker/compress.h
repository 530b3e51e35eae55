/*
 * Batches compressed between stages; guests never see it. One compressor belongs to one stage and
 * its thread and keeps its contexts.
 */
#ifndef RB_HOST_WORKER_COMPRESS_H
#define RB_HOST_WORKER_COMPRESS_H

#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "host/link/spec.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

struct rb_compressor {
    enum rb_compression codec;
    void *lz4; /* made when first used, as the others */
    struct ZSTD_CCtx_s *zstd_in;
    struct ZSTD_DCtx_s *zstd_out;
    struct rb_buf scratch; /* the last compressed batch; at most the bound of the largest batch */
};

void rb_compressor_init(struct rb_compressor *compressor, enum rb_compression codec);
void rb_compressor_release(struct rb_compressor *compressor);

/* *ret_data is borrowed until the next call, and is `data` itself with codec none, which is also
 * what incompressible bytes get. RB_ENOMEM, RB_EINTERNAL. */
int rb_compress(struct rb_compressor *compressor, const void *data, size_t len,
                const void **ret_data, size_t *ret_len, enum rb_compression *ret_codec,
                struct rb_error *err);
/* Exactly `raw_len` bytes to `out`. RB_EPROTOCOL for bytes that do not become that many;
 * RB_ENOMEM. */
int rb_decompress(struct rb_compressor *compressor, enum rb_compression codec, const void *data,
                  size_t len, void *out, size_t raw_len, struct rb_error *err);

#endif
