/* Fault points in a guest: the host knows which one is armed. */
#include "abi/rapidbyte_abi.h"
#include "base/fault.h"
#include "tests/faults/fault_error.h"

__attribute__((import_module(RB_ABI_MODULE), import_name("rb_host_fault"))) int32_t
rb_host_fault(int32_t point);

int rb_fault_reach(enum rb_fault_point point, struct rb_error *err)
{
    return rb_fault_fail((enum rb_fault_answer)rb_host_fault((int32_t)point), err);
}
