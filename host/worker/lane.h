/*
 * A lane: source, transforms and destination of a unit, each on its own thread, joined by channels.
 * Instances stay for the lane's next unit.
 */
#ifndef RB_HOST_WORKER_LANE_H
#define RB_HOST_WORKER_LANE_H

#include <yyjson.h>

#include "base/error.h"
#include "host/worker/context.h"
#include "host/worker/instance.h"

struct rb_lane;
struct rb_stage;

/* One thread for each connector of the run. RB_ECONFIG when they make no lane. */
int rb_lane_new(struct rb_context *context, struct rb_lane **ret_lane, struct rb_error *err);
/* The source's. Borrowed; a call may be made there while no unit runs. */
struct rb_stage *rb_lane_source(struct rb_lane *lane);
size_t rb_lane_count_stages(const struct rb_lane *lane);

/* Starts the unit of an RB_LINK_UNIT message; its RESULT is sent by the last stage to end. `unit`
 * is > 0. RB_EINTERNAL (code BUSY) when a unit runs, RB_EPROTOCOL: then there is no RESULT. */
int rb_lane_start(struct rb_lane *lane, uint64_t unit, yyjson_val *message, struct rb_error *err);
/* Wakes every stage that waits for another. */
void rb_lane_cancel(struct rb_lane *lane);
/* As rb_instance_overrun, of any of its stages. */
bool rb_lane_overrun(struct rb_lane *lane, struct rb_instance_overrun *ret);
/* As rb_instance_stop, for every stage. */
void rb_lane_stop(struct rb_lane *lane, void (*ended)(void *user), void *user);
/* After the stop. NULL is allowed. */
void rb_lane_free(struct rb_lane *lane);

#endif
