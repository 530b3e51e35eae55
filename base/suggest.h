/* The known word that a wrong one is nearest to. */
#ifndef RB_BASE_SUGGEST_H
#define RB_BASE_SUGGEST_H

#include <stddef.h>

#include "base/error.h"

/* Collects the best of the words offered to it. */
struct rb_suggest {
    const char *wrong;
    const char *best; /* NULL: none is near; borrowed from rb_suggest_offer's caller */
    size_t best_distance;
};

void rb_suggest_init(struct rb_suggest *suggest, const char *wrong);
void rb_suggest_offer(struct rb_suggest *suggest, const char *word);
/* The hint of `err` (NULL: nobody wants it) asks whether the best word was meant; unchanged where
 * none is near. */
void rb_suggest_hint(const struct rb_suggest *suggest, struct rb_error *err);
/* Insertions, deletions, substitutions and transpositions of neighbours (optimal string
 * alignment), case ignored. Of longer words only the first 63 bytes count. */
size_t rb_suggest_distance(const char *a, const char *b);

#endif
