/* Reading JSON in a guest (over jsmn). Writing is base/json.h. */
#ifndef RB_SDK_JSON_H
#define RB_SDK_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum { RB_JSON_TOKENS_MAX = 1024 * 1024 };

struct rb_json_doc; /* the parsed text; owns a copy of it */

/* A place in a document; `doc` NULL: absent. Every getter accepts an absent value and one of
 * another type. */
struct rb_json_value {
    const struct rb_json_doc *doc;
    int token;
};

/* Of errors for want of memory for what the host asked and is told. */
#define RB_JSON_MEMORY_HINT                                                                        \
    "raise resources.max_memory, of which each connector has a share, or load fewer streams at "   \
    "once"

/* An object or an array. RB_EDATA (code BAD_JSON), RB_ENOMEM. Halves of surrogate pairs become
 * U+FFFD. */
int rb_json_parse(const char *text, size_t len, struct rb_json_doc **ret_doc, struct rb_error *err);
/* A document of its own from an object or array of another one. */
int rb_json_copy(struct rb_json_value value, struct rb_json_doc **ret_doc, struct rb_error *err);
void rb_json_free(struct rb_json_doc *doc);
struct rb_json_value rb_json_root(const struct rb_json_doc *doc);

/* Absent, also when it is null. */
bool rb_json_is_absent(struct rb_json_value value);
bool rb_json_is_string(struct rb_json_value value);
bool rb_json_is_object(struct rb_json_value value);
bool rb_json_is_array(struct rb_json_value value);
struct rb_json_value rb_json_get(struct rb_json_value object, const char *key);
/* Path of keys: rb_json_at(v, "policies", "on_data_error", NULL). */
struct rb_json_value rb_json_at(struct rb_json_value object, ...) __attribute__((sentinel));
size_t rb_json_count(struct rb_json_value array_or_object);
struct rb_json_value rb_json_item(struct rb_json_value array, size_t index);
/* Key and value of an object's member; the key is unescaped, borrowed from the document. */
struct rb_json_value rb_json_member(struct rb_json_value object, size_t index,
                                    const char **ret_key);

/* Unescaped, ends in 0, borrowed from the document; `otherwise` when absent or not a string. An
 * embedded \u0000 makes it absent. */
const char *rb_json_text(struct rb_json_value value, const char *otherwise);
/* A JSON integer within int64 (a number with a fraction is not one). */
int64_t rb_json_int(struct rb_json_value value, int64_t otherwise);
double rb_json_number(struct rb_json_value value, double otherwise);
bool rb_json_truth(struct rb_json_value value, bool otherwise);
/* The bytes that the string at `name` writes as 2 * n hexadecimal digits. RB_ECONFIG (code
 * BAD_HEX), naming it. */
int rb_json_hex(struct rb_json_value object, const char *name, uint8_t *ret, size_t n,
                struct rb_error *err);
/* The value's own text in the document; *ret_len 0 when absent. */
const char *rb_json_source(struct rb_json_value value, size_t *ret_len);

#endif
