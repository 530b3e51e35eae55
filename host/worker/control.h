/* The control instance of a connector: validate, discover, plan, begin, publish, abandon. It stays
 * open between calls, and with it the source's snapshot and the destination's lock. */
#ifndef RB_HOST_WORKER_CONTROL_H
#define RB_HOST_WORKER_CONTROL_H

#include <yyjson.h>

#include "base/error.h"
#include "host/worker/context.h"
#include "host/worker/instance.h"

struct rb_control;
struct rb_stage;

/* `of_lane` NULL: with an instance of its own; else calls are made to that one, which the lane
 * owns. */
int rb_control_new(struct rb_context *context, const struct rb_connector_spec *spec,
                   struct rb_stage *of_lane, struct rb_control **ret_control, struct rb_error *err);
/* Starts the call of an RB_LINK_CALL message; its thread sends the RESULT. RB_EINTERNAL (code BUSY)
 * while another runs, RB_EPROTOCOL: then there is no RESULT. */
int rb_control_start(struct rb_control *control, uint64_t id, yyjson_val *message,
                     struct rb_error *err);
/* As rb_instance_overrun. */
bool rb_control_overrun(struct rb_control *control, struct rb_instance_overrun *ret);
/* As rb_instance_stop; false: the instance is the lane's to stop. */
bool rb_control_stop(struct rb_control *control, void (*ended)(void *user), void *user);
/* As rb_instance_free. */
void rb_control_free(struct rb_control *control);

#endif
