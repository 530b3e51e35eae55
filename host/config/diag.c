#include "host/config/diag.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void rb_diags_init(struct rb_diags *diags)
{
    *diags = (struct rb_diags){.items = NULL, .count = 0, .dropped = 0};
}

static void release_item(struct rb_diag *item)
{
    free(item->path);
    free(item->message);
    free(item->hint);
}

void rb_diags_release(struct rb_diags *diags)
{
    for (size_t i = 0; i < diags->count; i++) {
        release_item(&diags->items[i]);
    }
    free(diags->items);
    rb_diags_init(diags);
}

void rb_diags_add(struct rb_diags *diags, const char *path, int line, int column, const char *hint,
                  const char *fmt, ...)
{
    struct rb_diag item = {.line = line, .column = column};
    if (diags->items == NULL) {
        diags->items = calloc(RB_DIAGS_MAX, sizeof *diags->items);
    }
    if (diags->items == NULL || diags->count == RB_DIAGS_MAX) {
        diags->dropped++;
        return;
    }
    va_list args;
    va_start(args, fmt);
    int len = vasprintf(&item.message, fmt, args);
    va_end(args);
    if (len < 0) {
        item.message = NULL;
    }
    item.path = strdup(path);
    item.hint = hint == NULL ? NULL : strdup(hint);
    if (item.message == NULL || item.path == NULL) {
        release_item(&item);
        diags->dropped++;
        return;
    }
    diags->items[diags->count++] = item;
}

static bool goes_before(const struct rb_diag *a, const struct rb_diag *b)
{
    return a->line != b->line ? a->line < b->line : a->column < b->column;
}

/* By insertion: the order of those at one place stays, and there are at most RB_DIAGS_MAX. */
void rb_diags_sort(struct rb_diags *diags)
{
    for (size_t i = 1; i < diags->count; i++) {
        struct rb_diag item = diags->items[i];
        size_t at = i;
        for (; at > 0 && goes_before(&item, &diags->items[at - 1]); at--) {
            diags->items[at] = diags->items[at - 1];
        }
        diags->items[at] = item;
    }
}
