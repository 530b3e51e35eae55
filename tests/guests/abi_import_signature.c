/* Imports rb_host_metric with a parameter too many. */
#include <stdint.h>

__attribute__((import_module("rapidbyte"), import_name("rb_host_metric"))) int32_t metric(int32_t,
                                                                                          int32_t,
                                                                                          int32_t);
__attribute__((export_name("rb_open"))) int64_t rb_open(int32_t ptr, int32_t len);

int64_t rb_open(int32_t ptr, int32_t len)
{
    return metric(ptr, len, 0);
}
