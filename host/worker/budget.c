#include "host/worker/budget.h"

enum { CONTROL_PARTS = 1, LANE_PARTS = 3 };

static const uint64_t page_bytes = 64 * 1024;
static const uint64_t part_min_bytes = 2 * 1024 * 1024;
/* WebAssembly's 32-bit memory. */
static const uint64_t guest_max_bytes = (uint64_t)4 * 1024 * 1024 * 1024;

static uint64_t of_guest(uint64_t part_bytes, uint64_t parts)
{
    uint64_t bytes = part_bytes * parts / page_bytes * page_bytes;
    return bytes > guest_max_bytes ? guest_max_bytes : bytes;
}

int rb_budget_divide(const struct rb_worker_spec *spec, struct rb_budget *ret, struct rb_error *err)
{
    uint64_t lanes = (uint64_t)spec->lanes;
    uint64_t n = spec->n_connectors;
    uint64_t n_channels = n > 1 ? lanes * (n - 1) : 0;
    uint64_t channel = spec->max_inflight_bytes;
    uint64_t channels_max = spec->max_memory_bytes / 4;
    if (n_channels > 0 && channel > channels_max / n_channels) {
        channel = channels_max / n_channels;
    }
    uint64_t parts = n * CONTROL_PARTS + lanes * n * LANE_PARTS;
    uint64_t part = parts == 0 ? 0 : (spec->max_memory_bytes - n_channels * channel) / parts;
    if (parts > 0 && part < part_min_bytes) {
        uint64_t need_mib = (parts * part_min_bytes / 3 * 4 >> 20) + 1;
        return rb_error_set(err, RB_ECONFIG, "MAX_MEMORY",
                            "max_memory of %llu MiB is too little for %llu connectors on %llu "
                            "lanes: it takes %llu MiB, or fewer lanes (parallelism)",
                            (unsigned long long)(spec->max_memory_bytes >> 20),
                            (unsigned long long)n, (unsigned long long)lanes,
                            (unsigned long long)need_mib);
    }
    *ret = (struct rb_budget){.control_guest_bytes = of_guest(part, CONTROL_PARTS),
                              .lane_guest_bytes = of_guest(part, LANE_PARTS),
                              .channel_bytes = channel};
    return 0;
}
