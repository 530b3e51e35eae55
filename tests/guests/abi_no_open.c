/* Lacks rb_open. */
#include <stdint.h>

__attribute__((export_name("rb_allocate"))) int32_t rb_allocate(int32_t size);
__attribute__((export_name("rb_deallocate"))) void rb_deallocate(int32_t ptr, int32_t len);

int32_t rb_allocate(int32_t size)
{
    return size;
}

void rb_deallocate(int32_t ptr, int32_t len)
{
    (void)ptr;
    (void)len;
}
