/* The worker's sandbox of the operating system: from what the operator granted to the kernel's
 * rules. */
#ifndef RB_HOST_WORKER_CONFINE_H
#define RB_HOST_WORKER_CONFINE_H

#include "base/error.h"
#include "host/link/spec.h"
#include "host/sandbox/sandbox.h"

/* For good, before threads and guests: what the connectors of `spec` were granted, and what host
 * code reads for them, is left of the machine. Does nothing with spec->no_os_sandbox. */
int rb_worker_confine(const struct rb_worker_spec *spec, struct rb_sandbox_state *ret_state,
                      struct rb_error *err);

#endif
