/* How many different names a guest has used, for a limit on them. */
#ifndef RB_HOST_WORKER_NAMES_H
#define RB_HOST_WORKER_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Names by a keyed hash of 64 bits, whose key no guest knows: two of one hash would count as one.
 * Zeroed, it is empty. */
struct rb_names {
    uint8_t key[16];
    uint64_t *slots; /* open addressing; 0: free */
    size_t n_slots;  /* a power of two, or 0 */
    size_t n;
};

/* 0: the name is there, or was added; 1: it is not, and there are `max` (0: no limit) others.
 * RB_ENOMEM; RB_EINTERNAL when the system has no randomness. */
int rb_names_add(struct rb_names *names, const char *name, size_t len, uint64_t max,
                 struct rb_error *err);
/* Forgets the names, not the memory. */
void rb_names_clear(struct rb_names *names);
void rb_names_release(struct rb_names *names);

#endif
