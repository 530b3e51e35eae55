/* The guest's memory as imports see it, and what they leave behind: errors and answers. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/guest/internal.h"

uint64_t rb_guest_memory_bytes(const struct rb_guest *guest)
{
    if (!guest->memory) {
        return 0;
    }
    return (uint64_t)rb_wasmedge.MemoryInstanceGetPageSize(guest->memory) * RB_GUEST_PAGE_BYTES;
}

void *rb_guest_bytes(const struct rb_guest *guest, uint64_t offset, uint64_t len)
{
    static uint8_t nothing[1];
    uint64_t size = rb_guest_memory_bytes(guest);
    if (offset > size || len > size - offset) {
        return NULL;
    }
    if (len == 0) {
        return nothing;
    }
    return rb_wasmedge.MemoryInstanceGetPointer(guest->memory, (uint32_t)offset, (uint32_t)len);
}

void *rb_guest_argument(struct rb_guest *guest, const char *import, const char *what,
                        uint64_t offset, uint64_t len)
{
    void *bytes = rb_guest_bytes(guest, offset, len);
    if (!bytes) {
        rb_guest_fail(guest, RB_EPROTOCOL, "BAD_POINTER",
                      "%s: %s (offset %llu, %llu bytes) does not lie in the connector's memory",
                      import, what, (unsigned long long)offset, (unsigned long long)len);
    }
    return bytes;
}

int32_t rb_guest_fail(struct rb_guest *guest, int status, const char *code, const char *fmt, ...)
{
    char text[RB_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    rb_error_set(&guest->last_error, status, code, "%s", text);
    return -1;
}

void rb_guest_stop(struct rb_guest *guest, const struct rb_error *why)
{
    if (guest->stop.status == 0) {
        guest->stop = *why;
    }
}

int32_t rb_guest_fail_with(struct rb_guest *guest, int status, const struct rb_error *err)
{
    struct rb_error kept = *err;
    if (kept.status == 0) {
        rb_error_set(&kept, status, "HOST_FAILED", "the host could not do it");
    }
    kept.status = status;
    if (status == RB_ECANCELLED) {
        rb_guest_stop(guest, &kept);
        return -1;
    }
    if (status == RB_EABORTED) {
        snprintf(kept.code, sizeof kept.code, "%s", RB_ABI_CODE_ABORTED);
    }
    guest->last_error = kept;
    return -1;
}

int32_t rb_guest_answer(struct rb_guest *guest, const char *import, uint64_t out, uint64_t cap,
                        const void *data, size_t len)
{
    if (len > INT32_MAX) {
        return rb_guest_fail(guest, RB_EINTERNAL, "ANSWER_TOO_LARGE", "%s: %zu bytes are too many",
                             import, len);
    }
    if (len > cap) {
        return len < 2 ? -2 : -(int32_t)len; /* -1 means an error */
    }
    void *to = rb_guest_argument(guest, import, "the output buffer", out, len);
    if (!to) {
        return -1;
    }
    if (len > 0) {
        memcpy(to, data, len);
    }
    return (int32_t)len;
}

void rb_guest_printable(char *out, size_t cap, const char *name, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len && n + 1 < cap; i++) {
        unsigned char c = (unsigned char)name[i];
        out[n++] = c < 0x20 || c >= 0x7f ? '?' : name[i];
    }
    out[n] = 0;
}
