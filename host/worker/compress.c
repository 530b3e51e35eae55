#include "host/worker/compress.h"

#include <limits.h>
#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/* Level 1: the link is memory, so that only a cheap codec can gain anything. */
enum { ZSTD_LEVEL = 1, LZ4_ACCELERATION = 1 };

void rb_compressor_init(struct rb_compressor *compressor, enum rb_compression codec)
{
    *compressor = (struct rb_compressor){.codec = codec};
    rb_buf_init(&compressor->scratch, INT_MAX);
}

void rb_compressor_release(struct rb_compressor *compressor)
{
    free(compressor->lz4);
    ZSTD_freeCCtx(compressor->zstd_in);
    ZSTD_freeDCtx(compressor->zstd_out);
    rb_buf_release(&compressor->scratch);
    *compressor = (struct rb_compressor){0};
}

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory to compress a batch");
}

static int compress_lz4(struct rb_compressor *c, const void *data, size_t len, size_t *ret_len,
                        struct rb_error *err)
{
    if (c->lz4 == NULL) {
        c->lz4 = malloc((size_t)LZ4_sizeofState());
    }
    if (c->lz4 == NULL || len > LZ4_MAX_INPUT_SIZE) {
        return no_memory(err);
    }
    int bound = LZ4_compressBound((int)len);
    if (rb_buf_reserve(&c->scratch, (size_t)bound) != 0) {
        return no_memory(err);
    }
    int n = LZ4_compress_fast_extState(c->lz4, data, (char *)c->scratch.data, (int)len, bound,
                                       LZ4_ACCELERATION);
    if (n <= 0) {
        return rb_error_set(err, RB_EINTERNAL, "COMPRESS", "lz4 could not compress %zu bytes", len);
    }
    *ret_len = (size_t)n;
    return 0;
}

static int compress_zstd(struct rb_compressor *c, const void *data, size_t len, size_t *ret_len,
                         struct rb_error *err)
{
    if (c->zstd_in == NULL) {
        c->zstd_in = ZSTD_createCCtx();
    }
    size_t bound = ZSTD_compressBound(len);
    if (c->zstd_in == NULL || ZSTD_isError(bound) || rb_buf_reserve(&c->scratch, bound) != 0) {
        return no_memory(err);
    }
    size_t n = ZSTD_compressCCtx(c->zstd_in, c->scratch.data, bound, data, len, ZSTD_LEVEL);
    if (ZSTD_isError(n)) {
        return rb_error_set(err, RB_EINTERNAL, "COMPRESS", "zstd could not compress %zu bytes: %s",
                            len, ZSTD_getErrorName(n));
    }
    *ret_len = n;
    return 0;
}

int rb_compress(struct rb_compressor *compressor, const void *data, size_t len,
                const void **ret_data, size_t *ret_len, enum rb_compression *ret_codec,
                struct rb_error *err)
{
    size_t n = len;
    int r = 0;
    rb_buf_clear(&compressor->scratch);
    switch (compressor->codec) {
    case RB_COMPRESSION_NONE:
        break;
    case RB_COMPRESSION_LZ4:
        r = compress_lz4(compressor, data, len, &n, err);
        break;
    case RB_COMPRESSION_ZSTD:
        r = compress_zstd(compressor, data, len, &n, err);
        break;
    }
    if (r != 0) {
        return r;
    }
    bool smaller = n < len;
    *ret_data = smaller ? compressor->scratch.data : data;
    *ret_len = smaller ? n : len;
    *ret_codec = smaller ? compressor->codec : RB_COMPRESSION_NONE;
    return 0;
}

static bool decompress_lz4(const void *data, size_t len, void *out, size_t raw_len)
{
    return len <= INT_MAX && raw_len <= INT_MAX &&
           LZ4_decompress_safe(data, out, (int)len, (int)raw_len) == (int)raw_len;
}

int rb_decompress(struct rb_compressor *compressor, enum rb_compression codec, const void *data,
                  size_t len, void *out, size_t raw_len, struct rb_error *err)
{
    bool good = false;
    switch (codec) {
    case RB_COMPRESSION_NONE:
        good = len == raw_len;
        if (good && len > 0) {
            memcpy(out, data, len);
        }
        break;
    case RB_COMPRESSION_LZ4:
        good = decompress_lz4(data, len, out, raw_len);
        break;
    case RB_COMPRESSION_ZSTD:
        if (compressor->zstd_out == NULL) {
            compressor->zstd_out = ZSTD_createDCtx();
        }
        if (compressor->zstd_out == NULL) {
            return no_memory(err);
        }
        good = ZSTD_decompressDCtx(compressor->zstd_out, out, raw_len, data, len) == raw_len;
        break;
    }
    if (!good) {
        return rb_error_set(err, RB_EPROTOCOL, "DECOMPRESS",
                            "%zu compressed bytes did not become a batch of %zu", len, raw_len);
    }
    return 0;
}
