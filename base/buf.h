/* A byte buffer that grows up to a maximum that its owner names. */
#ifndef RB_BASE_BUF_H
#define RB_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

struct rb_buf {
    uint8_t *data; /* owned; NULL while empty; always followed by a 0 byte once there is data */
    size_t len;
    size_t cap;
    size_t max;     /* bytes that len may reach; 0: nothing may be added */
    bool is_secret; /* memory that is given back is overwritten first */
};

#define RB_BUF_INIT(max_bytes)                                                                     \
    ((struct rb_buf){.data = NULL, .len = 0, .cap = 0, .max = (max_bytes)})

void rb_buf_init(struct rb_buf *buf, size_t max_bytes);
void rb_buf_release(struct rb_buf *buf);
/* Contents, memory and maxima change places. */
void rb_buf_swap(struct rb_buf *a, struct rb_buf *b);
/* len becomes 0, the memory stays. */
void rb_buf_clear(struct rb_buf *buf);

/* Makes room for `extra` more bytes. RB_ENOMEM when memory or the maximum is exhausted. */
int rb_buf_reserve(struct rb_buf *buf, size_t extra);
/* Whether a reserve that failed did so because of the buffer's maximum, and not for want of memory.
 */
bool rb_buf_is_over_max(const struct rb_buf *buf, size_t extra);
/* RB_ENOMEM as above; on failure nothing was added. */
int rb_buf_append(struct rb_buf *buf, const void *data, size_t len);
int rb_buf_append_byte(struct rb_buf *buf, uint8_t byte);
int rb_buf_append_str(struct rb_buf *buf, const char *text);
int rb_buf_append_be16(struct rb_buf *buf, uint16_t v);
int rb_buf_append_be32(struct rb_buf *buf, uint32_t v);
int rb_buf_append_be64(struct rb_buf *buf, uint64_t v);
int rb_buf_printf(struct rb_buf *buf, const char *fmt, ...) RB_PRINTF(2, 3);
int rb_buf_vprintf(struct rb_buf *buf, const char *fmt, va_list args) RB_PRINTF(2, 0);

/* The content as a C string, "" when empty. Borrowed, until the next change. */
const char *rb_buf_str(const struct rb_buf *buf);
/* Hands the memory over (free() it) and leaves `buf` empty; NULL when it was empty. */
char *rb_buf_steal(struct rb_buf *buf);

#endif
