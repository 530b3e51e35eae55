/* What `parallelism: auto` means for a pipeline on a machine. */
#ifndef RB_HOST_CONFIG_PARALLELISM_H
#define RB_HOST_CONFIG_PARALLELISM_H

#include "host/config/pipeline.h"

/* Processors that this process may run on; at least 1. */
int rb_parallelism_processors(void);

/* The number of lanes: one for every two processors, for a lane keeps a server's process busy at
 * both its ends, and these may run here; with a pattern or 16 streams and more, two for every
 * processor, for the lane of a small table mostly waits; at most max_connections - 1, and one for
 * each 16 MiB of max_memory a stage, of the many one for each 32; not more than there are streams,
 * unless a stream is a pattern or may be divided (a full_refresh that replaces by swap: into how
 * many units is the source's to say, by the table's size). At least 1. */
int rb_parallelism_choose(const struct rb_pipeline *pipeline, int processors);

/* The lanes of a check, whose run has `lanes` (at least 1): as many, unless the document does not
 * say how many and has a pattern or 16 streams and more; then what `auto` would be, at most 4, for
 * a check mostly waits for round trips. */
int rb_parallelism_of_check(const struct rb_pipeline *pipeline, int lanes, int processors);

#endif
