#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/bytes.h"

enum { SMALLEST = 64 }; /* bytes of the first allocation */

void rb_buf_init(struct rb_buf *buf, size_t max_bytes)
{
    *buf = RB_BUF_INIT(max_bytes);
}

static void overwrite(void *data, size_t len)
{
    volatile uint8_t *at = data; /* there is no explicit_bzero in a guest */
    for (size_t i = 0; i < len; i++) {
        at[i] = 0;
    }
}

/* realloc, which leaves no copy behind of what is secret. */
static uint8_t *resize(const struct rb_buf *buf, size_t cap)
{
    if (!buf->is_secret) {
        return realloc(buf->data, cap);
    }
    uint8_t *data = malloc(cap);
    if (data != NULL && buf->data != NULL) {
        memcpy(data, buf->data, buf->len);
        overwrite(buf->data, buf->cap);
        free(buf->data);
    }
    return data;
}

void rb_buf_release(struct rb_buf *buf)
{
    if (buf->is_secret && buf->data != NULL) {
        overwrite(buf->data, buf->cap);
    }
    free(buf->data);
    buf->data = NULL;
    buf->len = 0;
    buf->cap = 0;
}

void rb_buf_swap(struct rb_buf *a, struct rb_buf *b)
{
    struct rb_buf other = *a;
    *a = *b;
    *b = other;
}

void rb_buf_clear(struct rb_buf *buf)
{
    buf->len = 0;
    if (buf->data != NULL) {
        buf->data[0] = 0;
    }
}

int rb_buf_reserve(struct rb_buf *buf, size_t extra)
{
    size_t need;
    if (!rb_add_size(buf->len, extra, &need) || need > buf->max) {
        return RB_ENOMEM;
    }
    if (need < buf->cap) {
        return RB_OK;
    }
    /* One byte more for the final 0. */
    size_t cap = buf->cap < SMALLEST ? SMALLEST : buf->cap;
    while (cap <= need && rb_mul_size(cap, 2, &cap)) {
    }
    if ((cap <= need || cap > buf->max) && !rb_add_size(buf->max, 1, &cap)) {
        return RB_ENOMEM;
    }
    uint8_t *data = resize(buf, cap);
    if (data == NULL && cap - 1 > need) { /* a guest's memory ends early: less may do */
        cap = need + 1;
        data = resize(buf, cap);
    }
    if (data == NULL) {
        return RB_ENOMEM;
    }
    buf->data = data;
    buf->cap = cap;
    buf->data[buf->len] = 0;
    return RB_OK;
}

bool rb_buf_is_over_max(const struct rb_buf *buf, size_t extra)
{
    return buf->len > buf->max || extra > buf->max - buf->len;
}

int rb_buf_append(struct rb_buf *buf, const void *data, size_t len)
{
    if (len >= buf->cap || buf->cap - len <= buf->len || buf->len + len > buf->max) {
        int status = rb_buf_reserve(buf, len);
        if (status < 0) {
            return status;
        }
    }
    if (len > 0) {
        memcpy(buf->data + buf->len, data, len);
        buf->len += len;
    }
    buf->data[buf->len] = 0;
    return RB_OK;
}

int rb_buf_append_byte(struct rb_buf *buf, uint8_t byte)
{
    return rb_buf_append(buf, &byte, 1);
}

int rb_buf_append_str(struct rb_buf *buf, const char *text)
{
    return rb_buf_append(buf, text, strlen(text));
}

int rb_buf_append_be16(struct rb_buf *buf, uint16_t v)
{
    uint8_t bytes[sizeof v];
    rb_store_be16(bytes, v);
    return rb_buf_append(buf, bytes, sizeof bytes);
}

int rb_buf_append_be32(struct rb_buf *buf, uint32_t v)
{
    uint8_t bytes[sizeof v];
    rb_store_be32(bytes, v);
    return rb_buf_append(buf, bytes, sizeof bytes);
}

int rb_buf_append_be64(struct rb_buf *buf, uint64_t v)
{
    uint8_t bytes[sizeof v];
    rb_store_be64(bytes, v);
    return rb_buf_append(buf, bytes, sizeof bytes);
}

int rb_buf_printf(struct rb_buf *buf, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int status = rb_buf_vprintf(buf, fmt, args);
    va_end(args);
    return status;
}

int rb_buf_vprintf(struct rb_buf *buf, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0) {
        return RB_EINTERNAL;
    }
    int status = rb_buf_reserve(buf, (size_t)n);
    if (status < 0) {
        return status;
    }
    vsnprintf((char *)buf->data + buf->len, (size_t)n + 1, fmt, args);
    buf->len += (size_t)n;
    return RB_OK;
}

const char *rb_buf_str(const struct rb_buf *buf)
{
    return buf->data == NULL ? "" : (const char *)buf->data;
}

char *rb_buf_steal(struct rb_buf *buf)
{
    char *data = (char *)buf->data;
    if (buf->len == 0) {
        free(data);
        data = NULL;
    }
    buf->data = NULL;
    buf->len = 0;
    buf->cap = 0;
    return data;
}
