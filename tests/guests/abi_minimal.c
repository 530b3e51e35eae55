/* Only what is needed; rb_close gives nothing, and nothing can be allocated once it was told so. */
#include <stdint.h>

static char block[4096];
static int32_t full;

__attribute__((export_name("rb_open"))) int64_t rb_open(const char *ptr, int32_t len);
__attribute__((export_name("rb_allocate"))) char *rb_allocate(int32_t size);
__attribute__((export_name("rb_deallocate"))) void rb_deallocate(char *ptr, int32_t len);
__attribute__((export_name("rb_close"))) void rb_close(void);

char *rb_allocate(int32_t size)
{
    return full || size > (int32_t)sizeof block ? 0 : block;
}

void rb_deallocate(char *ptr, int32_t len)
{
    (void)ptr;
    (void)len;
    if (full) {
        __builtin_trap(); /* there was one block only */
    }
    full = 1;
}

/* The input is the result. */
int64_t rb_open(const char *ptr, int32_t len)
{
    return (int64_t)((uint64_t)(uintptr_t)ptr << 32 | (uint32_t)len);
}

void rb_close(void)
{
    full = 1;
}
