#include "host/config/fields.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "host/config/pipeline.h"
#include "host/config/scalar.h"
#include "base/suggest.h"

enum { NAMES_MAX = 4096 };

static bool is_text(struct rb_doc *doc, const struct rb_yaml *node, const char *key)
{
    if (node->kind != RB_YAML_SCALAR) {
        rb_doc_mistake(doc, node, NULL, "%s: a text is expected, not %s", key,
                       rb_doc_show(doc, node));
        return false;
    }
    if (node->text[0] == '\0' || rb_yaml_is_null(node)) {
        rb_doc_mistake(doc, node, NULL, "%s is empty", key);
        return false;
    }
    return true;
}

static int read_word(struct rb_doc *doc, const struct rb_yaml *node, const struct rb_field *field)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf list = RB_BUF_INIT(1024);
    struct rb_suggest suggest;
    if (!is_text(doc, node, field->name)) {
        return -1;
    }
    rb_suggest_init(&suggest, node->text);
    for (int i = 0; field->words[i] != NULL; i++) {
        if (strcmp(field->words[i], node->text) == 0) {
            return i;
        }
        rb_suggest_offer(&suggest, field->words[i]);
        (void)rb_buf_printf(&list, "%s%s", i == 0 ? "" : ", ", field->words[i]);
    }
    rb_doc_mistake(doc, node, rb_doc_did_you_mean(doc, &suggest), "%s: %s is none of %s",
                   field->name, rb_doc_show(doc, node), rb_buf_str(&list));
    return -1;
}

static bool in_range(struct rb_doc *doc, const struct rb_yaml *node, const struct rb_field *field,
                     int64_t value, int64_t unit, const char *unit_name)
{
    if (value < field->min) {
        rb_doc_mistake(doc, node, NULL, "%s: at least %" PRId64 "%s is needed, not %s", field->name,
                       field->min / unit, unit_name, rb_doc_show(doc, node));
        return false;
    }
    if (field->max != 0 && value > field->max) {
        rb_doc_mistake(doc, node, NULL, "%s: at most %" PRId64 "%s is possible, not %s",
                       field->name, field->max / unit, unit_name, rb_doc_show(doc, node));
        return false;
    }
    return true;
}

static bool read_integer(struct rb_doc *doc, const struct rb_yaml *node,
                         const struct rb_field *field, int64_t *ret)
{
    int64_t value = 0;
    if (field->kind == RB_FIELD_AUTO && node->kind == RB_YAML_SCALAR &&
        strcmp(node->text, "auto") == 0) {
        *ret = 0;
        return true;
    }
    if (node->kind != RB_YAML_SCALAR || !rb_scalar_i64(node->text, &value)) {
        rb_doc_mistake(doc, node, NULL, "%s: %s is %s", field->name, rb_doc_show(doc, node),
                       field->kind == RB_FIELD_AUTO ? "neither an integer nor auto"
                                                    : "not an integer");
        return false;
    }
    if (!in_range(doc, node, field, value, 1, "")) {
        return false;
    }
    *ret = value;
    return true;
}

static void read_size(struct rb_doc *doc, const struct rb_yaml *node, const struct rb_field *field,
                      uint64_t *ret)
{
    uint64_t value = 0;
    if (node->kind != RB_YAML_SCALAR || !rb_scalar_size(node->text, &value)) {
        rb_doc_mistake(doc, node, "an integer, alone or with kb, mb or gb: 64mb",
                       "%s: %s is not a size", field->name, rb_doc_show(doc, node));
        return;
    }
    bool whole_mb = field->min % (1024 * 1024) == 0 && field->max % (1024 * 1024) == 0;
    if (in_range(doc, node, field, (int64_t)value, whole_mb ? 1024 * 1024 : 1024,
                 whole_mb ? "mb" : "kb")) {
        *ret = value;
    }
}

static void read_ms(struct rb_doc *doc, const struct rb_yaml *node, const struct rb_field *field,
                    int64_t *ret)
{
    int64_t micros = 0;
    if (node->kind != RB_YAML_SCALAR || !rb_scalar_micros(node->text, &micros)) {
        rb_doc_mistake(doc, node, "an integer with ms, s, m, h or d: 10s; 0 is no limit",
                       "%s: %s is not a duration", field->name, rb_doc_show(doc, node));
        return;
    }
    if (in_range(doc, node, field, micros / 1000, 86400000, "d")) {
        *ret = micros / 1000;
    }
}

static void read_bool(struct rb_doc *doc, const struct rb_yaml *node, const char *key, bool *ret)
{
    bool yes = node->kind == RB_YAML_SCALAR && strcmp(node->text, "true") == 0;
    if (!yes && (node->kind != RB_YAML_SCALAR || strcmp(node->text, "false") != 0)) {
        rb_doc_mistake(doc, node, NULL, "%s: %s is neither true nor false", key,
                       rb_doc_show(doc, node));
        return;
    }
    *ret = yes;
}

static bool stands_before(const struct rb_names *names, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(names->items[i], text) == 0) {
            return true;
        }
    }
    return false;
}

void rb_fields_names(struct rb_doc *doc, const struct rb_yaml *node, const char *key,
                     struct rb_names *ret)
{
    if (node->kind != RB_YAML_SEQUENCE || node->n_children == 0 || node->n_children > NAMES_MAX) {
        rb_doc_mistake(doc, node, NULL, "%s: a list of names is expected, not %s", key,
                       node->kind != RB_YAML_SEQUENCE ? rb_doc_show(doc, node)
                       : node->n_children == 0        ? "an empty one"
                                                      : "one of more than 4096");
        return;
    }
    struct rb_names names = {.items =
                                 rb_arena_alloc(doc->arena, node->n_children, sizeof *names.items)};
    for (const struct rb_yaml *c = node->child; c != NULL && names.items != NULL; c = c->next) {
        if (!is_text(doc, c, key)) {
            continue;
        }
        if (stands_before(&names, names.count, c->text)) {
            rb_doc_mistake(doc, c, NULL, "%s: %s stands twice", key, rb_doc_show(doc, c));
            continue;
        }
        names.items[names.count++] = c->text;
    }
    *ret = names;
}

static void read_value(struct rb_doc *doc, const struct rb_yaml *node, const struct rb_field *field,
                       void *target)
{
    int64_t integer = 0;
    int word = 0;
    switch (field->kind) {
    case RB_FIELD_TEXT:
        if (is_text(doc, node, field->name)) {
            *(const char **)target = node->text;
        }
        break;
    case RB_FIELD_WORD:
        word = read_word(doc, node, field);
        if (word >= 0) {
            *(const char **)target = field->words[word];
        }
        break;
    case RB_FIELD_CHOICE:
        word = read_word(doc, node, field);
        if (word >= 0) {
            *(int *)target = word;
        }
        break;
    case RB_FIELD_BOOL:
        read_bool(doc, node, field->name, target);
        break;
    case RB_FIELD_INT:
    case RB_FIELD_AUTO:
        if (read_integer(doc, node, field, &integer)) {
            *(int *)target = (int)integer;
        }
        break;
    case RB_FIELD_COUNT:
        if (read_integer(doc, node, field, &integer)) {
            *(uint64_t *)target = (uint64_t)integer;
        }
        break;
    case RB_FIELD_SIZE:
        read_size(doc, node, field, target);
        break;
    case RB_FIELD_MS:
        read_ms(doc, node, field, target);
        break;
    case RB_FIELD_NAMES:
        rb_fields_names(doc, node, field->name, target);
        break;
    case RB_FIELD_NODE:
    default:
        *(const struct rb_yaml **)target = node;
        break;
    }
}

static const struct rb_field *find_field(const struct rb_field *fields, size_t n, const char *name,
                                         struct rb_suggest *suggest)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return &fields[i];
        }
        rb_suggest_offer(suggest, fields[i].name);
    }
    return NULL;
}

static void read_child(struct rb_doc *doc, const struct rb_yaml *child, const char *what,
                       const struct rb_field *fields, size_t n_fields, char *out)
{
    struct rb_suggest suggest;
    rb_suggest_init(&suggest, child->key);
    const struct rb_field *field = find_field(fields, n_fields, child->key, &suggest);
    if (field == NULL) {
        rb_doc_mistake_key(doc, child, rb_doc_did_you_mean(doc, &suggest), "unknown key '%s' in %s",
                           child->key, what);
        return;
    }
    read_value(doc, child, field, out + field->offset);
}

void rb_fields_read(struct rb_doc *doc, const struct rb_yaml *node, const char *what,
                    const struct rb_field *fields, size_t n_fields, void *out)
{
    if (node->kind != RB_YAML_MAPPING && !rb_yaml_is_null(node)) {
        rb_doc_mistake(doc, node, NULL, "%s: a mapping (key: value) is expected, not %s", what,
                       rb_doc_show(doc, node));
        return;
    }
    rb_doc_check_duplicates(doc, node);
    for (const struct rb_yaml *c = node->child; c != NULL; c = c->next) {
        read_child(doc, c, what, fields, n_fields, out);
    }
    for (size_t i = 0; i < n_fields; i++) {
        if (fields[i].required && rb_yaml_get(node, fields[i].name) == NULL) {
            rb_doc_mistake(doc, node, NULL, "key '%s' is missing in %s", fields[i].name, what);
        }
    }
}
