/* Imports what no host provides. */
#include <stdint.h>

__attribute__((import_module("env"), import_name("launch_rockets"))) int32_t launch(void);
__attribute__((export_name("rb_open"))) int64_t rb_open(int32_t ptr, int32_t len);
__attribute__((export_name("rb_allocate"))) int32_t rb_allocate(int32_t size);
__attribute__((export_name("rb_deallocate"))) void rb_deallocate(int32_t ptr, int32_t len);

int32_t rb_allocate(int32_t size)
{
    return size + launch();
}

void rb_deallocate(int32_t ptr, int32_t len)
{
    (void)ptr;
    (void)len;
}

int64_t rb_open(int32_t ptr, int32_t len)
{
    return ptr + len;
}
