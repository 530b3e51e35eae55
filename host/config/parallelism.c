#include "host/config/parallelism.h"

#include <sched.h>

#include "base/arith.h"

enum { PROCESSORS_A_LANE = 2, LANES_A_PROCESSOR = 2, MANY_STREAMS = 16, LANES_MAX = 64 };
/* Of a check: more sessions hardly make it faster, and a server may lack them. */
enum { CHECK_LANES_MAX = 4 };
/* For each stage of a lane; where lanes are many, enough for rows of some megabytes. */
static const uint64_t stage_bytes = 16 * 1024 * 1024;
static const uint64_t stage_of_many_bytes = 32 * 1024 * 1024;

int rb_parallelism_processors(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    /* It fails where there are more than 1,024, which is enough for every lane. */
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return CPU_SETSIZE;
    }
    return CPU_COUNT(&set) > 0 ? CPU_COUNT(&set) : 1;
}

static bool may_be_divided(const struct rb_stream *stream)
{
    return stream->sync_mode == RB_SYNC_FULL_REFRESH && stream->write_mode == RB_WRITE_REPLACE &&
           stream->replace_method == RB_REPLACE_SWAP;
}

static bool is_bound_by_streams(const struct rb_pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->n_streams; i++) {
        if (may_be_divided(&pipeline->streams[i])) {
            return false;
        }
    }
    return pipeline->n_patterns == 0;
}

/* Many tables are small ones, as a rule, whose lanes wait for round trips and disks. */
static bool has_many_streams(const struct rb_pipeline *pipeline)
{
    return pipeline->n_patterns > 0 || pipeline->n_streams >= MANY_STREAMS;
}

int rb_parallelism_of_check(const struct rb_pipeline *pipeline, int lanes, int processors)
{
    if (pipeline->resources.parallelism_given || !has_many_streams(pipeline)) {
        return lanes;
    }
    int chosen = rb_parallelism_choose(pipeline, processors);
    return chosen < CHECK_LANES_MAX ? chosen : CHECK_LANES_MAX;
}

int rb_parallelism_choose(const struct rb_pipeline *pipeline, int processors)
{
    const struct rb_resources *resources = &pipeline->resources;
    uint64_t n = processors > 0 ? (uint64_t)processors : 0;
    uint64_t stages = 2 + pipeline->n_transforms;
    uint64_t many = 0;
    if (has_many_streams(pipeline)) {
        many = resources->max_memory_bytes / stage_of_many_bytes / stages;
        many = rb_smaller_u64(many, n * LANES_A_PROCESSOR);
    }
    n = rb_smaller_u64(n / PROCESSORS_A_LANE, resources->max_memory_bytes / stage_bytes / stages);
    n = n > many ? n : many;
    n = rb_smaller_u64(n, LANES_MAX);
    n = rb_smaller_u64(n, (uint64_t)resources->max_connections - 1);
    if (is_bound_by_streams(pipeline)) {
        n = rb_smaller_u64(n, pipeline->n_streams);
    }
    return n > 1 ? (int)n : 1;
}
