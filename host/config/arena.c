#include "host/config/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"

/* One allocation each, so that AddressSanitizer sees every object. */
struct block {
    struct block *next;
    size_t size;
    max_align_t data[];
};

struct rb_arena {
    struct block *blocks;
    size_t bytes;
    bool failed;
};

struct rb_arena *rb_arena_new(void)
{
    return calloc(1, sizeof(struct rb_arena));
}

void rb_arena_free(struct rb_arena *arena)
{
    if (arena == NULL) {
        return;
    }
    while (arena->blocks != NULL) {
        struct block *block = arena->blocks;
        arena->blocks = block->next;
        explicit_bzero(block->data, block->size); /* there are secrets among them */
        free(block);
    }
    free(arena);
}

void *rb_arena_alloc(struct rb_arena *arena, size_t n, size_t size)
{
    size_t bytes = 0, total = 0;
    struct block *block = NULL;
    if (rb_mul_size(n, size, &bytes) && rb_add_size(arena->bytes, bytes, &total) &&
        total <= RB_ARENA_BYTES_MAX) {
        block = calloc(1, sizeof *block + bytes);
    }
    if (block == NULL) {
        arena->failed = true;
        return NULL;
    }
    block->next = arena->blocks;
    block->size = bytes;
    arena->blocks = block;
    arena->bytes = total;
    return block->data;
}

const char *rb_arena_strndup(struct rb_arena *arena, const char *text, size_t len)
{
    char *copy = rb_arena_alloc(arena, len + 1, 1);
    if (copy == NULL) {
        return "";
    }
    if (len > 0) {
        memcpy(copy, text, len);
    }
    return copy;
}

const char *rb_arena_strdup(struct rb_arena *arena, const char *text)
{
    return rb_arena_strndup(arena, text, strlen(text));
}

const char *rb_arena_printf(struct rb_arena *arena, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    char *text = len < 0 ? NULL : rb_arena_alloc(arena, (size_t)len + 1, 1);
    if (text != NULL) {
        (void)vsnprintf(text, (size_t)len + 1, fmt, again);
    }
    va_end(again);
    va_end(args);
    return text == NULL ? "" : text;
}

bool rb_arena_failed(const struct rb_arena *arena)
{
    return arena->failed;
}
