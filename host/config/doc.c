#include "host/config/doc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/suggest.h"

const struct rb_yaml *rb_yaml_get(const struct rb_yaml *mapping, const char *key)
{
    if (mapping == NULL || mapping->kind != RB_YAML_MAPPING) {
        return NULL;
    }
    for (const struct rb_yaml *c = mapping->child; c != NULL; c = c->next) {
        if (strcmp(c->key, key) == 0) {
            return c;
        }
    }
    return NULL;
}

bool rb_yaml_is_null(const struct rb_yaml *node)
{
    return node->kind == RB_YAML_SCALAR && node->plain && !node->substituted &&
           (node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
            strcmp(node->text, "null") == 0);
}

static void RB_PRINTF(5, 0) mistake_at(struct rb_doc *doc, int line, int column, const char *hint,
                                       const char *fmt, va_list args)
{
    char message[RB_ERROR_MESSAGE_MAX];
    (void)vsnprintf(message, sizeof message, fmt, args);
    rb_diags_add(doc->diags, doc->path, line, column, hint, "%s", message);
}

void rb_doc_mistake(struct rb_doc *doc, const struct rb_yaml *node, const char *hint,
                    const char *fmt, ...)
{
    va_list args;
    if (node != NULL && node->broken) {
        return;
    }
    va_start(args, fmt);
    mistake_at(doc, node == NULL ? 0 : node->line, node == NULL ? 0 : node->column, hint, fmt,
               args);
    va_end(args);
}

void rb_doc_mistake_key(struct rb_doc *doc, const struct rb_yaml *child, const char *hint,
                        const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    mistake_at(doc, child->key_line, child->key_column, hint, fmt, args);
    va_end(args);
}

const char *rb_doc_show(struct rb_doc *doc, const struct rb_yaml *node)
{
    switch (node->kind) {
    case RB_YAML_SEQUENCE:
        return "a list";
    case RB_YAML_MAPPING:
        return "a mapping";
    case RB_YAML_SCALAR:
    default:
        if (node->substituted) {
            return "the given value";
        }
        return rb_yaml_is_null(node) ? "nothing" : rb_arena_printf(doc->arena, "'%s'", node->text);
    }
}

const char *rb_doc_did_you_mean(struct rb_doc *doc, const struct rb_suggest *suggest)
{
    return suggest->best == NULL ? NULL
                                 : rb_arena_printf(doc->arena, "did you mean '%s'?", suggest->best);
}

void rb_doc_check_duplicates(struct rb_doc *doc, const struct rb_yaml *mapping)
{
    for (const struct rb_yaml *c = mapping->child; c != NULL; c = c->next) {
        for (const struct rb_yaml *first = mapping->child; first != c; first = first->next) {
            if (strcmp(first->key, c->key) == 0) {
                rb_doc_mistake_key(doc, c, NULL, "key '%s' stands twice, first in line %d", c->key,
                                   first->key_line);
                break;
            }
        }
    }
}

const char *rb_doc_path(struct rb_doc *doc, const char *path)
{
    if (path[0] == '/') {
        return path;
    }
    while (strncmp(path, "./", 2) == 0) {
        path += 2;
    }
    return rb_arena_printf(doc->arena, "%s/%s", strcmp(doc->folder, "/") == 0 ? "" : doc->folder,
                           path);
}
