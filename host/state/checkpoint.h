/* Writing checkpoints within host/state. */
#ifndef RB_HOST_STATE_CHECKPOINT_H
#define RB_HOST_STATE_CHECKPOINT_H

#include "base/error.h"

struct rb_state;

struct rb_state_checkpoint {
    const char *pipeline, *stream, *load_id;
    const char *cursor_field, *cursor_type; /* NULL: none */
    const char *json;
};

/* One statement, in the caller's transaction if there is one. Leaves a good cursor where `json`
 * has none. RB_EPROTOCOL: `json` is not JSON. */
int rb_state_checkpoint_write(struct rb_state *state, const struct rb_state_checkpoint *checkpoint,
                              struct rb_error *err);

#endif
