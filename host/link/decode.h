/*
 * Reading the link's JSON. Everything that is read goes to an arena; the first thing that is wrong
 * sticks in `decoder`, and what is read after it is a harmless default.
 */
#ifndef RB_HOST_LINK_DECODE_H
#define RB_HOST_LINK_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yyjson.h>

#include "base/error.h"

/* Words for enum rb_role and enum rb_compression, in their order. */
extern const char *const rb_link_role_names[3];
extern const char *const rb_link_compression_names[3];

struct rb_link_arena;

struct rb_link_arena *rb_link_arena_new(void);
/* Zeroed memory that lives as long as the arena; NULL when there is none. */
void *rb_link_arena_take(struct rb_link_arena *arena, size_t n, size_t size);
void rb_link_arena_free(struct rb_link_arena *arena);

struct rb_link_decoder {
    struct rb_link_arena *arena; /* NULL: strings are not needed */
    int status;
    const char *what; /* the member that was wrong */
};

void rb_link_decode_fail(struct rb_link_decoder *decoder, int status, const char *what);
/* `err` from the decoder's status, 0 when all was well. */
int rb_link_decode_finish(const struct rb_link_decoder *decoder, const char *message,
                          struct rb_error *err);

/* NULL where JSON has null; missing counts as null. */
const char *rb_link_decode_opt_str(struct rb_link_decoder *decoder, yyjson_val *object,
                                   const char *key);
const char *rb_link_decode_str(struct rb_link_decoder *decoder, yyjson_val *object,
                               const char *key);
int64_t rb_link_decode_i64(struct rb_link_decoder *decoder, yyjson_val *object, const char *key,
                           int64_t min, int64_t max);
uint64_t rb_link_decode_u64(struct rb_link_decoder *decoder, yyjson_val *object, const char *key);
double rb_link_decode_double(struct rb_link_decoder *decoder, yyjson_val *object, const char *key);
bool rb_link_decode_bool(struct rb_link_decoder *decoder, yyjson_val *object, const char *key);
/* An array of at most `max` items; NULL, and failed, when it is none. */
yyjson_val *rb_link_decode_array(struct rb_link_decoder *decoder, yyjson_val *object,
                                 const char *key, size_t max);
/* An array of base64 texts as strings without an inner 0. */
const char *const *rb_link_decode_secrets(struct rb_link_decoder *decoder, yyjson_val *object,
                                          const char *key, size_t max, size_t *ret_n);

#endif
