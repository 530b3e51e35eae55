/* The worker's READY: whether it started, and what the operating system keeps from it. */
#ifndef RB_HOST_ENGINE_READY_H
#define RB_HOST_ENGINE_READY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum { RB_READY_TEXT_MAX = 512 };

struct rb_ready {
    bool is_whole; /* the sandbox is on, and the kernel has all of it */
    char sandbox[RB_READY_TEXT_MAX];
};

/* 0; the worker's own error; RB_EPROTOCOL for what is not a READY. */
int rb_ready_decode(const char *json, size_t len, struct rb_ready *ret, struct rb_error *err);

#endif
