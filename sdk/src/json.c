#include "rapidbyte/json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#include <jsmn.h>

#include "abi/rapidbyte_abi.h"
#include "sdk/src/json_check.h"

struct node {
    int next;   /* sibling: the next item, or the next key; 0: none */
    int last;   /* child, while siblings are being linked */
    bool has_0; /* a string that holds \u0000 */
};

struct rb_json_doc {
    char *source; /* as given, and a final 0 */
    char *text;   /* a copy, in which strings are unescaped in place, each ending in 0 */
    jsmntok_t *tokens;
    struct node *nodes;
    int n_tokens;
};

static const struct rb_json_value absent = {.doc = NULL, .token = 0};

void rb_json_free(struct rb_json_doc *doc)
{
    if (doc == NULL) {
        return;
    }
    free(doc->source);
    free(doc->text);
    free(doc->tokens);
    free(doc->nodes);
    free(doc);
}

static char *copy_text(const char *text, size_t len)
{
    char *copy = malloc(len + 1);
    if (copy != NULL) {
        if (len > 0) {
            memcpy(copy, text, len);
        }
        copy[len] = 0;
    }
    return copy;
}

/* 0, RB_ENOMEM or RB_EDATA. */
static int tokenize(struct rb_json_doc *doc, size_t len)
{
    if (!rb_sdk_json_is_valid(doc->source, len)) {
        return RB_EDATA;
    }
    jsmn_parser parser;
    jsmn_init(&parser);
    size_t cap = 64 + len / 16;
    for (;;) {
        cap = cap < RB_JSON_TOKENS_MAX ? cap : RB_JSON_TOKENS_MAX;
        jsmntok_t *tokens = realloc(doc->tokens, cap * sizeof *tokens);
        if (tokens == NULL) {
            return RB_ENOMEM;
        }
        doc->tokens = tokens;
        int n = jsmn_parse(&parser, doc->source, len, tokens, (unsigned)cap);
        if (n >= 0) {
            doc->n_tokens = n;
            return n > 0 && parser.pos == len ? RB_OK : RB_EDATA;
        }
        if (n != JSMN_ERROR_NOMEM) {
            return RB_EDATA;
        }
        if (cap == RB_JSON_TOKENS_MAX) {
            return RB_ENOMEM;
        }
        cap *= 2;
    }
}

static int link_siblings(struct rb_json_doc *doc)
{
    doc->nodes = calloc((size_t)doc->n_tokens, sizeof *doc->nodes);
    if (doc->nodes == NULL) {
        return RB_ENOMEM;
    }
    for (int i = 0; i < doc->n_tokens; i++) {
        int parent = doc->tokens[i].parent;
        if (parent >= 0) {
            if (doc->nodes[parent].last != 0) {
                doc->nodes[doc->nodes[parent].last].next = i;
            }
            doc->nodes[parent].last = i;
        }
    }
    return RB_OK;
}

/* jsmn has checked the digits. */
static uint32_t hex4(const char *digits)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        char c = digits[i];
        uint32_t digit = c <= '9' ? (uint32_t)(c - '0') : (uint32_t)((c | 0x20) - 'a' + 10);
        v = v << 4 | digit;
    }
    return v;
}

static char *put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
        return to;
    }
    if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *to++ = (char)(0xe0 | c >> 12);
        } else {
            *to++ = (char)(0xf0 | c >> 18);
            *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        }
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
    }
    *to++ = (char)(0x80 | (c & 0x3f));
    return to;
}

/* The character of a \uXXXX at `from`, with its second half if it is the first of a pair. */
static uint32_t escaped_character(const char *from, const char *end, size_t *ret_len)
{
    uint32_t c = hex4(from + 2);
    *ret_len = 6;
    if (c < 0xd800 || c > 0xdfff) {
        return c;
    }
    if (c < 0xdc00 && end - from >= 12 && from[6] == '\\' && from[7] == 'u') {
        uint32_t low = hex4(from + 8);
        if (low >= 0xdc00 && low <= 0xdfff) {
            *ret_len = 12;
            return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    return 0xfffd;
}

static void unescape(struct rb_json_doc *doc, int i)
{
    char *from = doc->text + doc->tokens[i].start;
    const char *end = doc->text + doc->tokens[i].end;
    char *to = from;
    while (from < end) {
        if (*from != '\\') {
            *to++ = *from++;
            continue;
        }
        static const char letters[] = "b\bf\fn\nr\rt\t";
        char c = from[1];
        if (c == 'u') {
            size_t len;
            uint32_t character = escaped_character(from, end, &len);
            doc->nodes[i].has_0 |= character == 0;
            to = put_utf8(to, character);
            from += len;
            continue;
        }
        for (size_t k = 0; k + 1 < sizeof letters; k += 2) {
            if (letters[k] == c) {
                c = letters[k + 1];
                break;
            }
        }
        *to++ = c;
        from += 2;
    }
    *to = 0;
}

int rb_json_parse(const char *text, size_t len, struct rb_json_doc **ret_doc, struct rb_error *err)
{
    if (len > RB_ABI_JSON_MAX) {
        return rb_error_set(err, RB_ENOMEM, "JSON_TOO_LARGE", "JSON of %zu bytes", len);
    }
    struct rb_json_doc *doc = calloc(1, sizeof *doc);
    int status = doc == NULL ? RB_ENOMEM : RB_OK;
    if (status == RB_OK) {
        doc->source = copy_text(text, len);
        doc->text = copy_text(text, len);
        status = doc->source == NULL || doc->text == NULL ? RB_ENOMEM : tokenize(doc, len);
    }
    if (status == RB_OK) {
        status = link_siblings(doc);
    }
    if (status < 0) {
        rb_json_free(doc);
        if (status != RB_ENOMEM) {
            return rb_error_set(err, status, "BAD_JSON", "not a JSON object or array");
        }
        rb_error_set(err, status, "OUT_OF_MEMORY", "no memory for %zu bytes of JSON", len);
        rb_error_set_hint(err, RB_JSON_MEMORY_HINT);
        return status;
    }
    for (int i = 0; i < doc->n_tokens; i++) {
        if (doc->tokens[i].type == JSMN_STRING) {
            unescape(doc, i);
        }
    }
    *ret_doc = doc;
    return RB_OK;
}

struct rb_json_value rb_json_root(const struct rb_json_doc *doc)
{
    return (struct rb_json_value){.doc = doc, .token = 0};
}

static const jsmntok_t *token_of(struct rb_json_value value)
{
    return value.doc == NULL ? NULL : &value.doc->tokens[value.token];
}

static bool has_type(struct rb_json_value value, jsmntype_t type)
{
    const jsmntok_t *token = token_of(value);
    return token != NULL && token->type == type;
}

static const char *start_of(struct rb_json_value value)
{
    return value.doc->source + value.doc->tokens[value.token].start;
}

bool rb_json_is_absent(struct rb_json_value value)
{
    return value.doc == NULL || (has_type(value, JSMN_PRIMITIVE) && start_of(value)[0] == 'n');
}

bool rb_json_is_string(struct rb_json_value value)
{
    return has_type(value, JSMN_STRING);
}

bool rb_json_is_object(struct rb_json_value value)
{
    return has_type(value, JSMN_OBJECT);
}

bool rb_json_is_array(struct rb_json_value value)
{
    return has_type(value, JSMN_ARRAY);
}

struct rb_json_value rb_json_get(struct rb_json_value object, const char *key)
{
    if (!rb_json_is_object(object) || rb_json_count(object) == 0) {
        return absent;
    }
    const struct rb_json_doc *doc = object.doc;
    for (int i = object.token + 1; i != 0; i = doc->nodes[i].next) {
        if (!doc->nodes[i].has_0 && strcmp(doc->text + doc->tokens[i].start, key) == 0) {
            return (struct rb_json_value){.doc = doc, .token = i + 1};
        }
    }
    return absent;
}

struct rb_json_value rb_json_at(struct rb_json_value object, ...)
{
    va_list keys;
    va_start(keys, object);
    for (const char *key; (key = va_arg(keys, const char *)) != NULL;) {
        object = rb_json_get(object, key);
    }
    va_end(keys);
    return object;
}

size_t rb_json_count(struct rb_json_value array_or_object)
{
    if (!rb_json_is_array(array_or_object) && !rb_json_is_object(array_or_object)) {
        return 0;
    }
    return (size_t)token_of(array_or_object)->size;
}

/* The token of the index-th child; 0: there is none. */
static int child(struct rb_json_value value, size_t index)
{
    if (index >= rb_json_count(value)) {
        return 0;
    }
    int i = value.token + 1;
    for (size_t k = 0; k < index; k++) {
        i = value.doc->nodes[i].next;
    }
    return i;
}

struct rb_json_value rb_json_item(struct rb_json_value array, size_t index)
{
    int i = rb_json_is_array(array) ? child(array, index) : 0;
    return i == 0 ? absent : (struct rb_json_value){.doc = array.doc, .token = i};
}

struct rb_json_value rb_json_member(struct rb_json_value object, size_t index, const char **ret_key)
{
    int i = rb_json_is_object(object) ? child(object, index) : 0;
    if (i == 0) {
        return absent;
    }
    *ret_key = object.doc->text + object.doc->tokens[i].start;
    return (struct rb_json_value){.doc = object.doc, .token = i + 1};
}

const char *rb_json_text(struct rb_json_value value, const char *otherwise)
{
    if (!rb_json_is_string(value) || value.doc->nodes[value.token].has_0) {
        return otherwise;
    }
    return value.doc->text + value.doc->tokens[value.token].start;
}

/* A number's text as a C string in `out`; false: not a number, or longer than any sensible one. */
static bool number_text(struct rb_json_value value, char *out, size_t cap)
{
    size_t len;
    const char *source = rb_json_source(value, &len);
    if (!has_type(value, JSMN_PRIMITIVE) || len >= cap || strchr("tfn", source[0]) != NULL) {
        return false;
    }
    memcpy(out, source, len);
    out[len] = 0;
    return true;
}

int64_t rb_json_int(struct rb_json_value value, int64_t otherwise)
{
    char text[32];
    if (!number_text(value, text, sizeof text)) {
        return otherwise;
    }
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    return errno != 0 || *end != 0 ? otherwise : v;
}

double rb_json_number(struct rb_json_value value, double otherwise)
{
    char text[512];
    if (!number_text(value, text, sizeof text)) {
        return otherwise;
    }
    char *end;
    double v = strtod(text, &end);
    return *end != 0 ? otherwise : v;
}

bool rb_json_truth(struct rb_json_value value, bool otherwise)
{
    size_t len;
    const char *source = rb_json_source(value, &len);
    if (!has_type(value, JSMN_PRIMITIVE)) {
        return otherwise;
    }
    if (len == 4 && memcmp(source, "true", 4) == 0) {
        return true;
    }
    if (len == 5 && memcmp(source, "false", 5) == 0) {
        return false;
    }
    return otherwise;
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c == 0 ? NULL : strchr(digits, c);
    return at == NULL ? -1 : (int)((at - digits) % 16);
}

int rb_json_hex(struct rb_json_value object, const char *name, uint8_t *ret, size_t n,
                struct rb_error *err)
{
    const char *text = rb_json_text(rb_json_get(object, name), "");
    bool ok = strlen(text) == 2 * n;
    for (size_t i = 0; ok && i < 2 * n; i++) {
        ok = hex_digit(text[i]) >= 0;
    }
    if (!ok) {
        return rb_error_set(err, RB_ECONFIG, "BAD_HEX", "%s is not %zu hexadecimal digits", name,
                            2 * n);
    }
    for (size_t i = 0; i < n; i++) {
        ret[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
    }
    return RB_OK;
}

const char *rb_json_source(struct rb_json_value value, size_t *ret_len)
{
    const jsmntok_t *token = token_of(value);
    if (token == NULL) {
        *ret_len = 0;
        return "";
    }
    size_t quote = token->type == JSMN_STRING;
    *ret_len = (size_t)token->end - (size_t)token->start + 2 * quote;
    return value.doc->source + token->start - quote;
}

int rb_json_copy(struct rb_json_value value, struct rb_json_doc **ret_doc, struct rb_error *err)
{
    size_t len;
    const char *source = rb_json_source(value, &len);
    return rb_json_parse(source, len, ret_doc, err);
}
