/* How the codecs copy values of variable width. */
#ifndef RB_CONNECTORS_POSTGRES_COMMON_CODEC_COPY_H
#define RB_CONNECTORS_POSTGRES_COMMON_CODEC_COPY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    RB_CODEC_COPY_SLACK = 64, /* what rb_codec_copy may write beyond a value, and then some */
};

/* 16 bytes at any address, by one instruction. A guest's memcpy of 16 would be two words. */
typedef unsigned char rb_codec_16 __attribute__((vector_size(16), aligned(1), may_alias));

static inline void rb_codec_copy_16(uint8_t *dst, const uint8_t *src)
{
    *(rb_codec_16 *)dst = *(const rb_codec_16 *)src;
}

/* Copies a value. Reads and writes up to 32 bytes beyond it, which the caller knows to be there;
 * what is written there is overwritten by the next value. */
static inline void rb_codec_copy_loose(uint8_t *dst, const uint8_t *src, size_t len)
{
    if (len <= 16) {
        rb_codec_copy_16(dst, src);
    } else if (len <= 256) {
        for (size_t i = 0; i < len; i += 32) {
            rb_codec_copy_16(dst + i, src + i);
            rb_codec_copy_16(dst + i + 16, src + i + 16);
        }
    } else {
        memcpy(dst, src, len);
    }
}

/* Copies a value; what it writes beyond `len`, less than RB_CODEC_COPY_SLACK, is overwritten by the
 * next value. Reads within [src, src_end). Short values go by a fixed number of words: a memcpy
 * call costs a guest more than such a value's whole decoding, and a loop whose length changes from
 * value to value is predicted badly. */
static inline void rb_codec_copy(uint8_t *dst, const uint8_t *src, size_t len,
                                 const uint8_t *src_end)
{
    size_t readable = (size_t)(src_end - src);
    if (len <= 16 && readable >= 16) {
        memcpy(dst, src, 8);
        memcpy(dst + 8, src + 8, 8);
    } else if (len <= 64 && readable >= 64) {
        for (size_t i = 0; i < 32; i += 8) {
            memcpy(dst + i, src + i, 8);
        }
        if (len > 32) {
            for (size_t i = 32; i < 64; i += 8) {
                memcpy(dst + i, src + i, 8);
            }
        }
    } else {
        memcpy(dst, src, len);
    }
}

/* Copies a value and writes nothing beyond it: its beginning and its end, which may overlap. */
static inline void rb_codec_copy_exact(uint8_t *dst, const uint8_t *src, size_t len)
{
    if (len > 64) {
        memcpy(dst, src, len);
    } else if (len > 32) {
        memcpy(dst, src, 32);
        memcpy(dst + len - 32, src + len - 32, 32);
    } else if (len >= 16) {
        memcpy(dst, src, 16);
        memcpy(dst + len - 16, src + len - 16, 16);
    } else if (len >= 8) {
        memcpy(dst, src, 8);
        memcpy(dst + len - 8, src + len - 8, 8);
    } else if (len >= 4) {
        memcpy(dst, src, 4);
        memcpy(dst + len - 4, src + len - 4, 4);
    } else if (len > 0) {
        dst[0] = src[0];
        dst[len / 2] = src[len / 2];
        dst[len - 1] = src[len - 1];
    }
}

#endif
