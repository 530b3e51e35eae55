/* Before the decoder's source: four instructions more for each length that it reads, which makes
 * its loop 2 to 6 % longer. bench-check must see that (tests/e2e/bench_check.t). */
#ifndef RB_BENCH_SLOWER_H
#define RB_BENCH_SLOWER_H

#include "base/bytes.h"

static inline void four_more(void)
{
    __asm__ volatile("nop; nop; nop; nop");
}

#define rb_load_be32(p) (four_more(), rb_load_be32(p))

#endif
