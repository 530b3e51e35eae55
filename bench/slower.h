/* Before the decoder's source: three instructions more for each length that it reads, which makes
 * its loop 3 to 5 % longer. bench-check must see that (tests/e2e/bench_check.t). */
#ifndef RB_BENCH_SLOWER_H
#define RB_BENCH_SLOWER_H

#include "base/bytes.h"

static inline void three_more(void)
{
    __asm__ volatile("nop; nop; nop");
}

#define rb_load_be32(p) (three_more(), rb_load_be32(p))

#endif
