/* A worker's requests for connectors' keys in the state, answered from SQLite. */
#ifndef RB_HOST_ENGINE_SESSION_STATE_H
#define RB_HOST_ENGINE_SESSION_STATE_H

#include "base/error.h"
#include "host/link/link.h"
#include "host/link/spec.h"
#include "host/state/state.h"

/* The pipeline's keys, and how many each connector may make of them. */
struct rb_session_store {
    struct rb_state *state; /* NULL: every request is refused */
    bool dry;               /* of a check: what is put is forgotten */
    const char *pipeline;
    struct {
        const char *connector;
        uint64_t keys, bytes; /* 0: no limit */
    } quotas[RB_UNIT_STAGES_MAX];
    size_t n_quotas;
    bool has_usage; /* what is there has been counted */
    struct rb_state_usage usage;
};

/* Answers STATE_GET, STATE_PUT or STATE_CAS with a STATE_REPLY; a failure of the state is part of
 * the answer. Fails only when the link does. */
int rb_session_state_answer(struct rb_link *link, struct rb_session_store *store,
                            const struct rb_link_frame *frame, struct rb_error *err);

#endif
