#include "host/config/subst.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "host/config/doc.h"

/* U+10FF00 + c stands for the ASCII character c: F4 8F BC (80 + c) or F4 8F BD (80 + c - 64). */
static const char mask_lead[] = "\xf4\x8f";
enum { MASK_BYTES = 4, NAME_MAX_BYTES = 256 };

static bool is_masked(const char *p, const char *end)
{
    return end - p >= MASK_BYTES && memcmp(p, mask_lead, 2) == 0 &&
           ((unsigned char)p[2] == 0xbc || (unsigned char)p[2] == 0xbd);
}

static char unmasked(const char *p)
{
    return (char)((((unsigned char)p[2] & 1) << 6) | ((unsigned char)p[3] & 0x3f));
}

static int append_masked(struct rb_buf *ret, char c)
{
    unsigned char v = (unsigned char)c;
    const unsigned char bytes[MASK_BYTES] = {0xf4, 0x8f, (unsigned char)(0xbc | (v >> 6)),
                                             (unsigned char)(0x80 | (v & 0x3f))};
    return rb_buf_append(ret, bytes, sizeof bytes);
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static size_t name_length(const char *p, const char *end)
{
    size_t len = 0;
    if (p == end || !is_name_start(*p)) {
        return 0;
    }
    while (p + len < end && (is_name_start(p[len]) || (p[len] >= '0' && p[len] <= '9'))) {
        len++;
    }
    return len;
}

struct reference {
    const char *name;
    size_t name_len;
    const char *fallback; /* NULL: none */
    size_t fallback_len;
    const char *end; /* behind the closing brace */
};

/* Parses ${NAME} or ${NAME:-default} at p; the default ends with the first brace, in its line. */
static bool reference_parse(const char *p, const char *end, struct reference *ret)
{
    if (end - p < 4 || p[0] != '$' || p[1] != '{') {
        return false;
    }
    const char *name = p + 2;
    size_t name_len = name_length(name, end);
    const char *q = name + name_len;
    if (name_len == 0 || name_len > NAME_MAX_BYTES || q == end) {
        return false;
    }
    *ret = (struct reference){.name = name, .name_len = name_len, .end = q + 1};
    if (*q == '}') {
        return true;
    }
    if (end - q < 3 || q[0] != ':' || q[1] != '-') {
        return false;
    }
    ret->fallback = q + 2;
    const char *close = memchr(ret->fallback, '}', (size_t)(end - ret->fallback));
    if (close == NULL || memchr(ret->fallback, '\n', (size_t)(close - ret->fallback)) != NULL) {
        return false;
    }
    ret->fallback_len = (size_t)(close - ret->fallback);
    ret->end = close + 1;
    return true;
}

int rb_subst_mask(const char *text, size_t len, struct rb_buf *ret)
{
    const char *end = text + len;
    int status = 0;
    for (const char *p = text; p < end && status == 0;) {
        struct reference ref;
        if (is_masked(p, end)) {
            return RB_EDATA;
        }
        if (!reference_parse(p, end, &ref)) {
            status = rb_buf_append_byte(ret, (uint8_t)*p++);
            continue;
        }
        for (; p < ref.end && status == 0; p++) {
            status = *p != '\0' && strchr("{}[],:#", *p) != NULL
                         ? append_masked(ret, *p)
                         : rb_buf_append_byte(ret, (uint8_t)*p);
        }
    }
    return status;
}

int rb_subst_unmask(const char *text, size_t len, struct rb_buf *ret)
{
    const char *end = text + len;
    int status = 0;
    for (const char *p = text; p < end && status == 0;) {
        if (is_masked(p, end)) {
            status = rb_buf_append_byte(ret, (uint8_t)unmasked(p));
            p += MASK_BYTES;
        } else {
            status = rb_buf_append_byte(ret, (uint8_t)*p++);
        }
    }
    return status;
}

static int append_value(struct rb_doc *doc, const struct rb_yaml *node, const struct reference *ref,
                        bool *ret_broken, struct rb_buf *ret)
{
    char name[NAME_MAX_BYTES + 1];
    memcpy(name, ref->name, ref->name_len);
    name[ref->name_len] = '\0';
    const char *value = getenv(name);
    /* As in a shell, :- stands in for a variable that is empty, too. */
    if (ref->fallback != NULL && (value == NULL || value[0] == '\0')) {
        return rb_buf_append(ret, ref->fallback, ref->fallback_len);
    }
    if (value == NULL) {
        rb_doc_mistake(doc, node, "export it, or write ${NAME:-default}",
                       "environment variable %s is not set", name);
        *ret_broken = true;
        return 0;
    }
    return rb_buf_append_str(ret, value);
}

static int expand(struct rb_doc *doc, struct rb_yaml *node, const char *p, const char *end,
                  struct rb_buf *ret)
{
    int status = 0;
    bool broken = false;
    while (p < end && status == 0) {
        struct reference ref;
        if (end - p >= 3 && memcmp(p, "$${", 3) == 0) {
            status = rb_buf_append_str(ret, "${");
            p += 3;
        } else if (reference_parse(p, end, &ref)) {
            node->substituted = true;
            status = append_value(doc, node, &ref, &broken, ret);
            p = ref.end;
        } else if (end - p >= 2 && memcmp(p, "${", 2) == 0) {
            rb_doc_mistake(doc, node, "write ${NAME} or ${NAME:-default}, and $${ for ${ itself",
                           "'${' does not begin a variable's name here");
            broken = true;
            p += 2;
        } else {
            status = rb_buf_append_byte(ret, (uint8_t)*p++);
        }
    }
    node->broken = broken;
    return status;
}

int rb_subst_expand(struct rb_doc *doc, struct rb_yaml *node, const char *text, size_t len,
                    struct rb_buf *ret)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf plain = RB_BUF_INIT(RB_DOC_BYTES_MAX);
    int status = rb_subst_unmask(text, len, &plain);
    if (status != 0) {
        return status;
    }
    const char *p = rb_buf_str(&plain);
    return expand(doc, node, p, p + plain.len, ret);
}
