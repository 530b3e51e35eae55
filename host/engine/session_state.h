/* A worker's requests for connectors' keys in the state, answered from SQLite. */
#ifndef RB_HOST_ENGINE_SESSION_STATE_H
#define RB_HOST_ENGINE_SESSION_STATE_H

#include "base/error.h"
#include "host/link/link.h"
#include "host/state/state.h"

/* Answers STATE_GET, STATE_PUT or STATE_CAS with a STATE_REPLY; a failure of the state is part of
 * the answer. Fails only when the link does. `state` NULL: every request is refused. */
int rb_session_state_answer(struct rb_link *link, struct rb_state *state, const char *pipeline,
                            const struct rb_link_frame *frame, struct rb_error *err);

#endif
