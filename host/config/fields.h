/* A mapping of the document by a table: which keys there are, what each may hold, where it goes. */
#ifndef RB_HOST_CONFIG_FIELDS_H
#define RB_HOST_CONFIG_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/config/doc.h"

enum rb_field_kind {
    RB_FIELD_TEXT,   /* const char *; not empty */
    RB_FIELD_WORD,   /* const char *: one of `words` */
    RB_FIELD_CHOICE, /* int: index into `words` */
    RB_FIELD_BOOL,   /* bool */
    RB_FIELD_INT,    /* int */
    RB_FIELD_AUTO,   /* int; 0: the word auto */
    RB_FIELD_COUNT,  /* uint64_t */
    RB_FIELD_SIZE,   /* uint64_t, bytes */
    RB_FIELD_MS,     /* int64_t, milliseconds */
    RB_FIELD_NAMES,  /* struct rb_names: a list of different texts */
    RB_FIELD_NODE,   /* const struct rb_yaml *: whatever it is, the caller reads it */
};

struct rb_field {
    const char *name;
    enum rb_field_kind kind;
    size_t offset; /* into the struct that rb_fields_read fills */
    bool required;
    int64_t min, max;         /* INT, AUTO, COUNT, SIZE, MS; max 0: what the target holds */
    const char *const *words; /* WORD, CHOICE; NULL-ended */
};

struct rb_names;

/*
 * Reads a mapping into the struct at `out`, whose fields keep what they hold where the document is
 * silent. Reports what is not a mapping (`what` names it; nothing at all counts as an empty one),
 * unknown keys with the nearest known one, keys that stand twice or are missing, and values that
 * are not what they should be.
 */
void rb_fields_read(struct rb_doc *doc, const struct rb_yaml *node, const char *what,
                    const struct rb_field *fields, size_t n_fields, void *out);
void rb_fields_names(struct rb_doc *doc, const struct rb_yaml *node, const char *key,
                     struct rb_names *ret);

#endif
