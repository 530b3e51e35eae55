/* `max_memory` divided among guests and channels. */
#ifndef RB_HOST_WORKER_BUDGET_H
#define RB_HOST_WORKER_BUDGET_H

#include <stdint.h>

#include "base/error.h"
#include "host/link/spec.h"

struct rb_budget {
    uint64_t control_guest_bytes; /* linear memory of a control instance, at most */
    uint64_t lane_guest_bytes;    /* of an instance on a lane */
    uint64_t channel_bytes;       /* of each channel */
};

/*
 * There are one control instance for each connector, one instance of each on every lane, and a
 * channel between two neighbours on a lane. Each channel gets max_inflight_bytes, but all of them
 * together at most a quarter of max_memory. What they leave is the guests': a quarter of it the
 * control instances', which hold plans and catalogues of all streams and no rows (less where those
 * on lanes would have less than 6 MiB each), the rest that of those on lanes, rounded down to
 * WebAssembly's pages of 64 KiB. With 256 MiB, one lane, two connectors and 16 MiB in flight: (256
 * - 16) / 4 / 2 = 30 MiB and (256 - 16) * 3 / 4 / 2 = 90 MiB.
 *
 * RB_ECONFIG (code MAX_MEMORY) when that leaves a control instance less than 2 MiB or one on a lane
 * less than 6; the message says how much would do.
 */
int rb_budget_divide(const struct rb_worker_spec *spec, struct rb_budget *ret,
                     struct rb_error *err);

#endif
