/* Before the decoder's source: an instruction more for each length that it reads, which makes its
 * loop 3 to 5 % longer. bench-check must see that (tests/e2e/bench_check.t). */
#ifndef RB_BENCH_SLOWER_H
#define RB_BENCH_SLOWER_H

#include "base/bytes.h"

static inline void one_more(void)
{
    __asm__ volatile("nop");
}

#define rb_load_be32(p) (one_more(), rb_load_be32(p))

#endif
