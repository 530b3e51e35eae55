#include "host/worker/budget.h"

#include "base/arith.h"

static const uint64_t page_bytes = 64 * 1024;
static const uint64_t control_min_bytes = 2 * 1024 * 1024;
static const uint64_t lane_min_bytes = 6 * 1024 * 1024;
/* WebAssembly's 32-bit memory. */
static const uint64_t guest_max_bytes = (uint64_t)4 * 1024 * 1024 * 1024;

static uint64_t of_guest(uint64_t bytes)
{
    bytes = bytes / page_bytes * page_bytes;
    return rb_smaller_u64(bytes, guest_max_bytes);
}

/* Where channels take all of their quarter. */
static uint64_t need_mib(uint64_t n, uint64_t lanes)
{
    uint64_t least = n * (lanes * lane_min_bytes + control_min_bytes);
    return (least / 3 * 4 >> 20) + 1;
}

int rb_budget_divide(const struct rb_worker_spec *spec, struct rb_budget *ret, struct rb_error *err)
{
    uint64_t lanes = (uint64_t)spec->lanes;
    uint64_t n = spec->n_connectors;
    uint64_t n_guests = lanes * n;
    uint64_t n_channels = n > 1 ? lanes * (n - 1) : 0;
    uint64_t channel = spec->max_inflight_bytes;
    uint64_t channels_max = spec->max_memory_bytes / 4;
    if (n_channels > 0 && channel > channels_max / n_channels) {
        channel = channels_max / n_channels;
    }
    uint64_t guests = spec->max_memory_bytes - n_channels * channel;
    uint64_t least = n_guests * lane_min_bytes;
    uint64_t controls = guests > least ? rb_smaller_u64(guests / 4, guests - least) : 0;
    uint64_t control = n == 0 ? 0 : controls / n;
    uint64_t lane = n_guests == 0 ? 0 : (guests - controls) / n_guests;
    if (n > 0 && control < control_min_bytes) {
        return rb_error_set(err, RB_ECONFIG, "MAX_MEMORY",
                            "max_memory of %llu MiB is too little for %llu connectors on %llu "
                            "lanes: it takes %llu MiB, or fewer lanes (parallelism)",
                            (unsigned long long)(spec->max_memory_bytes >> 20),
                            (unsigned long long)n, (unsigned long long)lanes,
                            (unsigned long long)need_mib(n, lanes));
    }
    *ret = (struct rb_budget){.control_guest_bytes = of_guest(control),
                              .lane_guest_bytes = of_guest(lane),
                              .channel_bytes = channel};
    return 0;
}
