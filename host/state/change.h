/* Where streams stand, changed by the operator: `state reset`, `set-cursor`, `import`. */
#ifndef RB_HOST_STATE_CHANGE_H
#define RB_HOST_STATE_CHANGE_H

#include <stddef.h>

#include "base/error.h"
#include "host/state/inspect.h"

struct rb_state_change {
    const char *stream;          /* NULL: every one */
    const char *checkpoint_json; /* NULL: forgotten, and the connectors' keys of the stream, too */
    const char *cursor_field, *cursor_type; /* NULL: not known */
};

/* The changes one after the other, and then the keys, in one transaction. `load_id` is the one
 * under which the destination's ledger keeps them. RB_EPROTOCOL: a checkpoint is not JSON. */
int rb_state_apply(struct rb_state *state, const char *pipeline, const char *load_id,
                   const struct rb_state_change *changes, size_t n_changes,
                   const struct rb_state_key *keys, size_t n_keys, struct rb_error *err);

#endif
