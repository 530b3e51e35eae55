/* What the files of host/sandbox share. */
#ifndef RB_HOST_SANDBOX_INTERNAL_H
#define RB_HOST_SANDBOX_INTERNAL_H

#include "host/sandbox/sandbox.h"

/* 0; 1: not in this kernel. */
int rb_sandbox_landlock(const struct rb_sandbox_rules *rules, int *ret_abi, struct rb_error *err);
int rb_sandbox_seccomp(const struct rb_sandbox_rules *rules, struct rb_error *err);

#endif
