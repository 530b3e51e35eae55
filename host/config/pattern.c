#include "host/config/pattern.h"

#include <string.h>

#define WILDCARDS "*?"

bool rb_pattern_is(const char *text)
{
    return text[0] == '!' || strpbrk(text, WILDCARDS) != NULL;
}

bool rb_pattern_parse(struct rb_doc *doc, const struct rb_yaml *node, const char *text,
                      struct rb_stream_pattern *ret)
{
    bool excludes = text[0] == '!';
    if (excludes && node->kind == RB_YAML_MAPPING) {
        rb_doc_mistake(doc, node, "write it as an entry of its own, without keys",
                       "match: '%s' takes tables out, and so has no settings", text);
        return false;
    }
    const char *rest = excludes ? text + 1 : text;
    const char *dot = strchr(rest, '.');
    const char *schema =
        dot == NULL ? NULL : rb_arena_strndup(doc->arena, rest, (size_t)(dot - rest));
    const char *table = dot == NULL ? rest : dot + 1;
    if (table[0] == '\0' || (schema != NULL && schema[0] == '\0')) {
        rb_doc_mistake(doc, node, "\"*\", \"schema.*\", \"!table\"",
                       "pattern '%s': a table, or schema.table, is expected", text);
        return false;
    }
    if (!excludes && schema != NULL && strpbrk(schema, WILDCARDS) != NULL) {
        rb_doc_mistake(doc, node, "write one pattern for each schema",
                       "pattern '%s': its schema must be a name", text);
        return false;
    }
    *ret = (struct rb_stream_pattern){.text = text,
                                      .line = node->line,
                                      .column = node->column,
                                      .excludes = excludes,
                                      .schema = schema,
                                      .table = table};
    return true;
}

/* The next character's first byte. */
static const char *skip_character(const char *p)
{
    p++;
    while (((unsigned char)*p & 0xc0U) == 0x80U) {
        p++;
    }
    return p;
}

/* Goes back to the last * alone: what an earlier one took can stay as it is. */
bool rb_pattern_matches(const char *pattern, const char *text)
{
    const char *star = NULL, *retry = NULL;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = ++pattern;
            retry = text;
        } else if (*pattern == '?') {
            pattern++;
            text = skip_character(text);
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star;
            text = ++retry;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}
