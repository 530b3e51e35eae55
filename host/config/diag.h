/* Mistakes in a document, collected with their places. */
#ifndef RB_HOST_CONFIG_DIAG_H
#define RB_HOST_CONFIG_DIAG_H

#include <stddef.h>

#include "base/cleanup.h"

enum { RB_DIAGS_MAX = 100 }; /* more are counted and not kept */

struct rb_diag {
    char *path;
    int line, column; /* 1-based; 0: the whole file */
    char *message;
    char *hint; /* NULL: none */
};

struct rb_diags {
    struct rb_diag *items;
    size_t count;
    size_t dropped;
};

void rb_diags_init(struct rb_diags *diags);
void rb_diags_release(struct rb_diags *diags);
void rb_diags_add(struct rb_diags *diags, const char *path, int line, int column, const char *hint,
                  const char *fmt, ...) RB_PRINTF(6, 7);
/* By line and column. */
void rb_diags_sort(struct rb_diags *diags);

#endif
