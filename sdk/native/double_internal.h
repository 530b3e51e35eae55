/* Between the host double's parts. */
#ifndef RB_SDK_NATIVE_DOUBLE_INTERNAL_H
#define RB_SDK_NATIVE_DOUBLE_INTERNAL_H

#include "sdk/native/host_double.h"

/* The scripted network; one without functions when there is none. */
const struct rb_double_net *rb_double_internal_net(void **ret_self);
/* Keeps `err` for rb_host_last_error; -1. */
int32_t rb_double_internal_fail(const struct rb_error *err);
/* What every import does first: clears the last error. */
void rb_double_internal_enter(void);

#endif
