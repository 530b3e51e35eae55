/* The import by which guests of the test variant reach their fault points. */
#include "host/guest/internal.h"
#include "tests/faults/fault_host.h"

static int32_t host_fault(struct rb_guest *guest, const uint64_t *args)
{
    (void)guest;
    return rb_fault_answer_of((int)(uint32_t)args[0]);
}

const struct rb_guest_import rb_guest_fault_imports[] = {
    {"rb_host_fault", "i", true, true, host_fault},
    {0},
};
