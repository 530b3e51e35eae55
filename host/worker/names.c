#include "host/worker/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/hash.h"

enum { SLOTS_MIN = 64 };

/* Where the hash is, or the free slot where it would be. At least one is free. */
static uint64_t *find(const struct rb_names *names, uint64_t hash)
{
    size_t i = (size_t)hash & (names->n_slots - 1);
    while (names->slots[i] != 0 && names->slots[i] != hash) {
        i = (i + 1) & (names->n_slots - 1);
    }
    return &names->slots[i];
}

/* At most half of the slots are used. */
static int grow(struct rb_names *names, struct rb_error *err)
{
    struct rb_names larger = *names;
    larger.n_slots = names->n_slots == 0 ? SLOTS_MIN : 2 * names->n_slots;
    larger.slots = calloc(larger.n_slots, sizeof *larger.slots);
    if (larger.slots == NULL) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for names");
    }
    for (size_t i = 0; i < names->n_slots; i++) {
        if (names->slots[i] != 0) {
            *find(&larger, names->slots[i]) = names->slots[i];
        }
    }
    free(names->slots);
    *names = larger;
    return 0;
}

int rb_names_add(struct rb_names *names, const char *name, size_t len, uint64_t max,
                 struct rb_error *err)
{
    if (names->n_slots == 0 &&
        getrandom(names->key, sizeof names->key, 0) != (ssize_t)sizeof names->key) {
        return rb_error_set_errno(err, RB_EINTERNAL, "RANDOM", errno, "getting random bytes");
    }
    if (2 * (names->n + 1) > names->n_slots) {
        int r = grow(names, err);
        if (r != 0) {
            return r;
        }
    }
    uint64_t hash = rb_hash_siphash(names->key, name, len);
    hash = hash == 0 ? 1 : hash;
    uint64_t *slot = find(names, hash);
    if (*slot == hash) {
        return 0;
    }
    if (max != 0 && names->n >= max) {
        return 1;
    }
    *slot = hash;
    names->n++;
    return 0;
}

void rb_names_clear(struct rb_names *names)
{
    if (names->n > 0) {
        memset(names->slots, 0, names->n_slots * sizeof *names->slots);
        names->n = 0;
    }
}

void rb_names_release(struct rb_names *names)
{
    free(names->slots);
    *names = (struct rb_names){.n = 0};
}
