#include "host/link/decode.h"

#include <stdlib.h>
#include <string.h>

#include "host/link/text.h"

enum { TEXT_MAX = 16 * 1024 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t size; /* of bytes */
    _Alignas(max_align_t) unsigned char bytes[];
};

struct rb_link_arena {
    struct arena_block *blocks;
};

struct rb_link_arena *rb_link_arena_new(void)
{
    return calloc(1, sizeof(struct rb_link_arena));
}

void *rb_link_arena_take(struct rb_link_arena *arena, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes) ||
        __builtin_add_overflow(bytes, sizeof(struct arena_block), &bytes)) {
        return NULL;
    }
    struct arena_block *block = calloc(1, bytes);
    if (block == NULL) {
        return NULL;
    }
    block->next = arena->blocks;
    block->size = bytes - sizeof *block;
    arena->blocks = block;
    return block->bytes;
}

void rb_link_arena_free(struct rb_link_arena *arena)
{
    if (arena == NULL) {
        return;
    }
    for (struct arena_block *block = arena->blocks; block != NULL;) {
        struct arena_block *next = block->next;
        explicit_bzero(block->bytes, block->size); /* secrets are among it */
        free(block);
        block = next;
    }
    free(arena);
}

void rb_link_decode_fail(struct rb_link_decoder *decoder, int status, const char *what)
{
    if (decoder->status == 0) {
        decoder->status = status;
        decoder->what = what;
    }
}

int rb_link_decode_finish(const struct rb_link_decoder *decoder, const char *message,
                          struct rb_error *err)
{
    if (decoder->status == RB_ENOMEM) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for %s", message);
    }
    if (decoder->status != 0) {
        return rb_error_set(err, decoder->status, "LINK_MESSAGE", "%s: \"%s\" is missing or wrong",
                            message, decoder->what);
    }
    return 0;
}

static const char *keep_text(struct rb_link_decoder *decoder, const char *text, size_t len,
                             const char *what)
{
    if (memchr(text, 0, len) != NULL) {
        rb_link_decode_fail(decoder, RB_EPROTOCOL, what);
        return "";
    }
    char *kept = rb_link_arena_take(decoder->arena, len + 1, 1);
    if (kept == NULL) {
        rb_link_decode_fail(decoder, RB_ENOMEM, what);
        return "";
    }
    memcpy(kept, text, len);
    return kept;
}

const char *rb_link_decode_opt_str(struct rb_link_decoder *decoder, yyjson_val *object,
                                   const char *key)
{
    yyjson_val *v = yyjson_obj_get(object, key);
    if (v == NULL || yyjson_is_null(v)) {
        return NULL;
    }
    if (!yyjson_is_str(v)) {
        rb_link_decode_fail(decoder, RB_EPROTOCOL, key);
        return NULL;
    }
    return keep_text(decoder, yyjson_get_str(v), yyjson_get_len(v), key);
}

const char *rb_link_decode_str(struct rb_link_decoder *decoder, yyjson_val *object, const char *key)
{
    const char *text = rb_link_decode_opt_str(decoder, object, key);
    if (text == NULL) {
        rb_link_decode_fail(decoder, RB_EPROTOCOL, key);
        return "";
    }
    return text;
}

int64_t rb_link_decode_i64(struct rb_link_decoder *decoder, yyjson_val *object, const char *key,
                           int64_t min, int64_t max)
{
    yyjson_val *v = yyjson_obj_get(object, key);
    bool fits = yyjson_is_sint(v) || (yyjson_is_uint(v) && yyjson_get_uint(v) <= INT64_MAX);
    int64_t n = fits ? yyjson_get_sint(v) : 0;
    if (!fits || n < min || n > max) {
        rb_link_decode_fail(decoder, RB_EPROTOCOL, key);
        return min;
    }
    return n;
}

uint64_t rb_link_decode_u64(struct rb_link_decoder *decoder, yyjson_val *object, const char *key)
{
    yyjson_val *v = yyjson_obj_get(object, key);
    if (!yyjson_is_uint(v)) {
        rb_link_decode_fail(decoder, RB_EPROTOCOL, key);
        return 0;
    }
    return yyjson_get_uint(v);
}

double rb_link_decode_double(struct rb_link_decoder *decoder, yyjson_val *object, const char *key)
{
    yyjson_val *v = yyjson_obj_get(object, key);
    if (!yyjson_is_num(v)) {
        rb_link_decode_fail(decoder, RB_EPROTOCOL, key);
        return 0;
    }
    return yyjson_get_num(v);
}

bool rb_link_decode_bool(struct rb_link_decoder *decoder, yyjson_val *object, const char *key)
{
    yyjson_val *v = yyjson_obj_get(object, key);
    if (!yyjson_is_bool(v)) {
        rb_link_decode_fail(decoder, RB_EPROTOCOL, key);
    }
    return yyjson_get_bool(v);
}

yyjson_val *rb_link_decode_array(struct rb_link_decoder *decoder, yyjson_val *object,
                                 const char *key, size_t max)
{
    yyjson_val *v = yyjson_obj_get(object, key);
    if (!yyjson_is_arr(v) || yyjson_arr_size(v) > max) {
        rb_link_decode_fail(decoder, RB_EPROTOCOL, key);
        return NULL;
    }
    return v;
}

const char *const *rb_link_decode_secrets(struct rb_link_decoder *decoder, yyjson_val *object,
                                          const char *key, size_t max, size_t *ret_n)
{
    yyjson_val *array = rb_link_decode_array(decoder, object, key, max);
    size_t n = yyjson_arr_size(array);
    if (n == 0) {
        *ret_n = 0;
        return NULL;
    }
    const char **texts = rb_link_arena_take(decoder->arena, n, sizeof *texts);
    if (texts == NULL) {
        rb_link_decode_fail(decoder, RB_ENOMEM, key);
        *ret_n = 0;
        return NULL;
    }
    size_t i, count;
    yyjson_val *item;
    yyjson_arr_foreach(array, i, count, item)
    {
        RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(TEXT_MAX);
        text.is_secret = true;
        int r = !yyjson_is_str(item)
                    ? RB_EPROTOCOL
                    : rb_link_base64_decode(yyjson_get_str(item), yyjson_get_len(item), &text);
        if (r != 0) {
            rb_link_decode_fail(decoder, r, key);
        }
        texts[i] = keep_text(decoder, rb_buf_str(&text), text.len, key);
    }
    *ret_n = n;
    return texts;
}
