#include "host/guest/cpu.h"

#include <stddef.h>
#include <stdio.h>
#include <sys/auxv.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

/* The leaves that LLVM's host detection reads (llvm/lib/TargetParser/Host.cpp). */
static const struct {
    unsigned leaf, subleaf;
    unsigned masks[4]; /* of eax, ebx, ecx, edx: which bits count */
} leaves[] = {
    {0x0, 0, {0, ~0u, ~0u, ~0u}}, /* vendor */
    {0x1, 0, {~0u, 0, ~0u, ~0u}}, /* model and features; ebx holds the core's own number */
    {0x7, 0, {0, ~0u, ~0u, ~0u}},      {0x7, 1, {~0u, ~0u, ~0u, ~0u}},  {0xd, 1, {~0u, 0, 0, 0}},
    {0x14, 0, {0, ~0u, 0, 0}},         {0x19, 0, {0, ~0u, 0, 0}},       {0x24, 0, {0, ~0u, 0, 0}},
    {0x80000001, 0, {0, 0, ~0u, ~0u}}, {0x80000008, 0, {0, ~0u, 0, 0}},
};

/* OSXSAVE and the state the kernel saves decide whether wide registers may be used. */
static unsigned saved_state(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_OSXSAVE) == 0) {
        return 0;
    }
    unsigned lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return lo;
}

static size_t describe(char *out, size_t cap)
{
    size_t n = (size_t)snprintf(out, cap, "x86 %x", saved_state());
    for (size_t i = 0; i < sizeof leaves / sizeof leaves[0] && n < cap; i++) {
        unsigned r[4] = {0};
        if (!__get_cpuid_count(leaves[i].leaf, leaves[i].subleaf, &r[0], &r[1], &r[2], &r[3])) {
            r[0] = r[1] = r[2] = r[3] = 0;
        }
        n += (size_t)snprintf(out + n, cap - n, " %x.%x:%x,%x,%x,%x", leaves[i].leaf,
                              leaves[i].subleaf, r[0] & leaves[i].masks[0],
                              r[1] & leaves[i].masks[1], r[2] & leaves[i].masks[2],
                              r[3] & leaves[i].masks[3]);
    }
    return n;
}
#else
static size_t describe(char *out, size_t cap)
{
    return (size_t)snprintf(out, cap, "other");
}
#endif

void rb_guest_cpu_id(char ret_id[RB_CPU_ID_MAX])
{
    size_t n = describe(ret_id, RB_CPU_ID_MAX);
    if (n < RB_CPU_ID_MAX) {
        snprintf(ret_id + n, RB_CPU_ID_MAX - n, " hwcap %lx %lx", getauxval(AT_HWCAP),
                 getauxval(AT_HWCAP2));
    }
}
