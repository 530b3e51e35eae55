/* A line of fields that fits a terminal: what matters least is left out whole, and only the name,
 * which is the first field, is ever shortened. No number is cut. */
#ifndef RB_HOST_CLI_FIELDS_H
#define RB_HOST_CLI_FIELDS_H

#include <stddef.h>

enum { RB_FIELDS_MAX = 10, RB_FIELD_TEXT_MAX = 160 };

struct rb_field {
    char text[RB_FIELD_TEXT_MAX];
    int width; /* at least, filled from the left; < 0: from the right */
    int rank;  /* 0 stays; of the others the highest goes first */
};

struct rb_fields {
    struct rb_field items[RB_FIELDS_MAX];
    size_t n;
};

/* Nothing is added for an empty text. */
void rb_fields_add(struct rb_fields *fields, int width, int rank, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Joined by two spaces, behind two, in at most `columns` columns (as far as the fields of rank 0
 * permit). */
void rb_fields_format(const struct rb_fields *fields, size_t columns, char *out, size_t cap);

#endif
