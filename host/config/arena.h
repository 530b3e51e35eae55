/* Memory that is freed, and wiped, all at once: a document's or a manifest's. */
#ifndef RB_HOST_CONFIG_ARENA_H
#define RB_HOST_CONFIG_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

struct rb_arena;

enum { RB_ARENA_BYTES_MAX = 256 * 1024 * 1024 };

struct rb_arena *rb_arena_new(void); /* NULL: out of memory */
void rb_arena_free(struct rb_arena *arena);
/* Zeroed. NULL when memory or the maximum is exhausted; that sticks (rb_arena_failed). */
void *rb_arena_alloc(struct rb_arena *arena, size_t n, size_t size);
/* These return "" on failure, so that only the end has to ask. */
const char *rb_arena_strdup(struct rb_arena *arena, const char *text);
const char *rb_arena_strndup(struct rb_arena *arena, const char *text, size_t len);
const char *rb_arena_printf(struct rb_arena *arena, const char *fmt, ...) RB_PRINTF(2, 3);
bool rb_arena_failed(const struct rb_arena *arena);

#endif
