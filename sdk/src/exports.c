/* The exports that every connector has alike. */
#include "rapidbyte/connector.h"

#ifdef __wasm__

#include <stdlib.h>
#include <string.h>

#include "abi/rapidbyte_abi.h"

void *rb_allocate(uint32_t size);
void rb_deallocate(void *data, uint32_t capacity);

__attribute__((export_name("rb_allocate"))) void *rb_allocate(uint32_t size)
{
    return malloc(size > 0 ? size : 1);
}

__attribute__((export_name("rb_deallocate"))) void rb_deallocate(void *data, uint32_t capacity)
{
    (void)capacity;
    free(data);
}

uint64_t rb_sdk_export(const struct rb_connector *connector, enum rb_sdk_call call,
                       const char *json, uint32_t len)
{
    struct rb_buf result = RB_BUF_INIT(RB_ABI_JSON_MAX);
    if (rb_sdk_dispatch(connector, call, json, len, &result) < 0) {
        /* Not even the error could be written. */
        static const char text[] =
            "{\"status\":\"err\",\"error\":{\"category\":\"internal\",\"scope\":\"stream\","
            "\"code\":\"OUT_OF_MEMORY\",\"message\":\"out of memory for the result\","
            "\"retryable\":false}}";
        rb_buf_release(&result);
        if (rb_buf_append(&result, text, sizeof text - 1) < 0) {
            __builtin_trap();
        }
    }
    uint64_t size = result.len;
    return (uint64_t)(uintptr_t)rb_buf_steal(&result) << 32 | size;
}

#endif
