#include "host/config/stream.h"

#include <string.h>

#include "base/suggest.h"
#include "host/config/pattern.h"
#include "host/config/scalar.h"

const char *const rb_stream_sync_modes[] = {"full_refresh", "incremental", NULL};
const char *const rb_stream_write_modes[] = {"append", "replace", "upsert", NULL};
const char *const rb_stream_replace_methods[] = {"swap", "truncate", NULL};
const char *const rb_stream_on_data_errors[] = {"fail", "skip", "dlq", NULL};
const char *const rb_stream_indexes[] = {"none", "primary_key", "all", NULL};
static const char *const cursor_nulls[] = {"include", "exclude", "fail", NULL};

const char *rb_sync_mode_name(enum rb_sync_mode mode)
{
    return rb_stream_sync_modes[mode];
}

const char *rb_write_mode_name(enum rb_write_mode mode)
{
    return rb_stream_write_modes[mode];
}

const char *rb_replace_method_name(enum rb_replace_method method)
{
    return rb_stream_replace_methods[method];
}

const char *rb_on_data_error_name(enum rb_on_data_error policy)
{
    return rb_stream_on_data_errors[policy];
}

const char *rb_indexes_name(enum rb_indexes indexes)
{
    return rb_stream_indexes[indexes];
}

const char *rb_cursor_nulls_name(enum rb_cursor_nulls nulls)
{
    return cursor_nulls[nulls];
}

void rb_stream_defaults_init(struct rb_stream_defaults *defaults)
{
    *defaults = (struct rb_stream_defaults){
        .write_mode = RB_WRITE_APPEND,
        .replace_method = RB_REPLACE_SWAP,
        .on_data_error = RB_ON_DATA_ERROR_FAIL,
    };
}

void rb_stream_evolution_read(struct rb_doc *doc, const struct rb_yaml *node,
                              struct rb_schema_evolution *ret)
{
    static const char *const new_column[] = {"add", "ignore", "fail", NULL};
    static const char *const removed_column[] = {"ignore", "drop", "fail", NULL};
    static const char *const renamed_column[] = {"rename", "separate", "fail", NULL};
    static const char *const type_change[] = {"widen", "coerce", "fail", "null", NULL};
    static const char *const nullability_change[] = {"allow", "fail", NULL};
#define WORD(key)                                                                                  \
    {.name = #key,                                                                                 \
     .kind = RB_FIELD_WORD,                                                                        \
     .offset = offsetof(struct rb_schema_evolution, key),                                          \
     .words = key}
    static const struct rb_field fields[] = {WORD(new_column), WORD(removed_column),
                                             WORD(renamed_column), WORD(type_change),
                                             WORD(nullability_change)};
#undef WORD
    if (node != NULL) {
        rb_fields_read(doc, node, "schema_evolution", fields, sizeof fields / sizeof fields[0],
                       ret);
    }
}

/* A stream as it is read: what needs more than the table is a node. */
struct reading {
    struct rb_stream stream;
    const struct rb_yaml *sync_mode, *lookback, *schema_evolution;
    const char *match; /* of a pattern */
    bool include_views;
};

#define FIELD(key, field_kind, member)                                                             \
    .name = key, .kind = field_kind, .offset = offsetof(struct reading, member)
/* What both a stream and a pattern may say. */
#define COMMON_FIELDS                                                                              \
    {FIELD("sync_mode", RB_FIELD_NODE, sync_mode)},                                                \
        {FIELD("cursor_field", RB_FIELD_TEXT, stream.cursor_field)},                               \
        {FIELD("cursor_nulls", RB_FIELD_CHOICE, stream.cursor_nulls), .words = cursor_nulls},      \
        {FIELD("lookback", RB_FIELD_NODE, lookback)},                                              \
        {FIELD("write_mode", RB_FIELD_CHOICE, stream.write_mode), .words = rb_stream_write_modes}, \
        {FIELD("replace_method", RB_FIELD_CHOICE, stream.replace_method),                          \
         .words = rb_stream_replace_methods},                                                      \
        {FIELD("primary_key", RB_FIELD_NAMES, stream.primary_key)},                                \
        {FIELD("on_data_error", RB_FIELD_CHOICE, stream.on_data_error),                            \
         .words = rb_stream_on_data_errors},                                                       \
        {FIELD("schema_evolution", RB_FIELD_NODE, schema_evolution)},                              \
        {FIELD("indexes", RB_FIELD_CHOICE, stream.indexes), .words = rb_stream_indexes},           \
        {FIELD("columns", RB_FIELD_NAMES, stream.columns)},                                        \
    {                                                                                              \
        FIELD("where", RB_FIELD_TEXT, stream.where)                                                \
    }
static const struct rb_field stream_fields[] = {
    {FIELD("name", RB_FIELD_TEXT, stream.name), .required = true},
    COMMON_FIELDS,
    {FIELD("schema", RB_FIELD_TEXT, stream.source_schema)},
    {FIELD("table", RB_FIELD_TEXT, stream.source_table)},
    {FIELD("destination_table", RB_FIELD_TEXT, stream.destination_table)},
};
static const struct rb_field pattern_fields[] = {
    {FIELD("match", RB_FIELD_TEXT, match), .required = true},
    COMMON_FIELDS,
    {FIELD("include_views", RB_FIELD_BOOL, include_views)},
};
#undef COMMON_FIELDS
#undef FIELD

static void read_sync_mode(struct rb_doc *doc, const struct rb_yaml *node, struct rb_stream *stream)
{
    static const struct rb_field field[] = {{.name = "sync_mode",
                                             .kind = RB_FIELD_CHOICE,
                                             .offset = offsetof(struct rb_stream, sync_mode),
                                             .words = rb_stream_sync_modes}};
    if (node->kind == RB_YAML_SCALAR && strcmp(node->text, "cdc") == 0) {
        rb_doc_mistake(doc, node, "incremental reads new and changed rows by a cursor column",
                       "sync_mode: 'cdc' is not supported: no connector reads changes from the "
                       "server's log yet");
        return;
    }
    struct rb_yaml child = *node;
    child.next = NULL;
    const struct rb_yaml parent = {.kind = RB_YAML_MAPPING, .child = &child, .n_children = 1};
    rb_fields_read(doc, &parent, "stream", field, 1, stream);
}

static void read_lookback(struct rb_doc *doc, const struct rb_yaml *node, struct rb_stream *stream)
{
    int64_t n = 0;
    const char *text = node->kind == RB_YAML_SCALAR ? node->text : "";
    if (strcmp(text, "full") == 0) {
        stream->lookback_kind = RB_LOOKBACK_FULL;
    } else if (rb_scalar_i64(text, &n) && n >= 0) {
        stream->lookback_kind = RB_LOOKBACK_COUNT;
        stream->lookback = n;
    } else if (rb_scalar_micros(text, &n)) {
        stream->lookback_kind = RB_LOOKBACK_MICROS;
        stream->lookback = n;
    } else {
        rb_doc_mistake(doc, node, "1h for a time, 10000 for an integer, or full",
                       "lookback: %s is neither a duration, a number nor full",
                       rb_doc_show(doc, node));
    }
}

static bool contains(const struct rb_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* A key that has no effect is a mistake: it would be ignored. */
static void check_effect(struct rb_doc *doc, const struct rb_yaml *node, const char *key,
                         bool has_effect, const char *needs)
{
    const struct rb_yaml *child = rb_yaml_get(node, key);
    if (child != NULL && !has_effect) {
        rb_doc_mistake_key(doc, child, NULL, "%s has an effect with %s alone", key, needs);
    }
}

static void check_stream(struct rb_doc *doc, const struct rb_yaml *node, const struct rb_stream *s)
{
    bool incremental = s->sync_mode == RB_SYNC_INCREMENTAL;
    if (incremental && s->cursor_field == NULL && rb_yaml_get(node, "cursor_field") == NULL) {
        rb_doc_mistake(doc, node, "name the column that grows with each change: cursor_field",
                       "stream '%s': incremental needs a cursor_field", s->name);
    }
    if (incremental && s->write_mode == RB_WRITE_REPLACE) {
        rb_doc_mistake(doc, node, "use append or upsert, or sync_mode full_refresh",
                       "stream '%s': incremental with write_mode replace would keep the new rows "
                       "alone",
                       s->name);
    }
    const struct rb_yaml *mode = rb_yaml_get(node, "sync_mode");
    bool cdc = mode != NULL && mode->kind == RB_YAML_SCALAR && strcmp(mode->text, "cdc") == 0;
    /* A replaced table has a cursor for the day when the stream becomes incremental. */
    bool keeps = incremental || cdc || s->write_mode == RB_WRITE_REPLACE;
    static const char *const cursor_keys[] = {"cursor_field", "cursor_nulls", "lookback"};
    for (size_t i = 0; i < sizeof cursor_keys / sizeof cursor_keys[0]; i++) {
        check_effect(doc, node, cursor_keys[i], keeps,
                     "sync_mode incremental or write_mode replace");
    }
    check_effect(doc, node, "primary_key", s->write_mode == RB_WRITE_UPSERT, "write_mode upsert");
    check_effect(doc, node, "replace_method", s->write_mode == RB_WRITE_REPLACE,
                 "write_mode replace");
    for (size_t i = 0;
         s->write_mode == RB_WRITE_UPSERT && s->columns.count > 0 && i < s->primary_key.count;
         i++) {
        if (!contains(&s->columns, s->primary_key.items[i])) {
            rb_doc_mistake(doc, node, NULL,
                           "stream '%s': the primary key's column '%s' is not among its columns",
                           s->name, s->primary_key.items[i]);
        }
    }
}

/* What the mapping says beyond its names; `name` is what mistakes call it. */
static void read_settings(struct rb_doc *doc, const struct rb_yaml *node, struct reading *r)
{
    if (r->sync_mode != NULL) {
        read_sync_mode(doc, r->sync_mode, &r->stream);
    }
    if (r->lookback != NULL) {
        read_lookback(doc, r->lookback, &r->stream);
    }
    rb_stream_evolution_read(doc, r->schema_evolution, &r->stream.schema_evolution);
    check_stream(doc, node, &r->stream);
}

static bool is_text(const struct rb_yaml *node)
{
    return node->kind == RB_YAML_SCALAR && !rb_yaml_is_null(node) && node->text[0] != '\0';
}

/* True when the entry is a stream. */
static bool read_stream(struct rb_doc *doc, const struct rb_yaml *node, struct reading *r,
                        struct rb_stream *ret)
{
    if (is_text(node)) {
        r->stream.name = node->text;
    } else {
        rb_fields_read(doc, node, "stream", stream_fields,
                       sizeof stream_fields / sizeof stream_fields[0], r);
    }
    if (r->stream.name == NULL) {
        return false;
    }
    if (rb_pattern_is(r->stream.name)) {
        rb_doc_mistake(doc, node,
                       "a pattern is written as match:; for a table that is called so, give the "
                       "stream another name, and table:",
                       "stream '%s': a name has neither * nor ?, and no ! at its beginning",
                       r->stream.name);
        return false;
    }
    read_settings(doc, node, r);
    *ret = r->stream;
    return true;
}

/* True when the entry is a pattern that can be used. */
static bool read_pattern(struct rb_doc *doc, const struct rb_yaml *node, struct reading *r,
                         struct rb_stream_pattern *ret)
{
    if (is_text(node)) {
        r->match = node->text;
    } else {
        rb_fields_read(doc, node, "pattern", pattern_fields,
                       sizeof pattern_fields / sizeof pattern_fields[0], r);
    }
    if (r->match == NULL || !rb_pattern_parse(doc, node, r->match, ret)) {
        return false;
    }
    r->stream.name = r->match;
    if (!ret->excludes) {
        read_settings(doc, node, r);
    }
    ret->include_views = r->include_views;
    ret->stream = r->stream;
    return true;
}

static const char *target(const struct rb_stream *stream)
{
    return stream->destination_table != NULL ? stream->destination_table : stream->name;
}

static void check_against(struct rb_doc *doc, const struct rb_stream *streams, size_t n,
                          const struct rb_yaml *node)
{
    const struct rb_stream *s = &streams[n];
    for (size_t i = 0; i < n; i++) {
        if (strcmp(streams[i].name, s->name) == 0) {
            rb_doc_mistake(doc, node,
                           "a second reading of a table needs a name of its own, and "
                           "table: for what it reads",
                           "stream '%s' stands twice, first in line %d", s->name, streams[i].line);
            return;
        }
        if (strcmp(target(&streams[i]), target(s)) == 0 &&
            (s->write_mode == RB_WRITE_REPLACE || streams[i].write_mode == RB_WRITE_REPLACE)) {
            rb_doc_mistake(doc, node, "give one of them another destination_table",
                           "stream '%s' and stream '%s' replace the same table '%s'",
                           streams[i].name, s->name, target(s));
            return;
        }
    }
}

static void check_patterns(struct rb_doc *doc, const struct rb_pipeline *p)
{
    bool any = false;
    for (size_t i = 0; i < p->n_patterns; i++) {
        const struct rb_stream_pattern *pattern = &p->patterns[i];
        const struct rb_yaml at = {.line = pattern->line, .column = pattern->column};
        any |= !pattern->excludes;
        for (size_t k = 0; k < i; k++) {
            if (strcmp(p->patterns[k].text, pattern->text) == 0) {
                rb_doc_mistake(doc, &at, NULL, "pattern '%s' stands twice, first in line %d",
                               pattern->text, p->patterns[k].line);
            }
        }
    }
    if (p->n_patterns > 0 && !any) {
        const struct rb_yaml at = {.line = p->patterns[0].line, .column = p->patterns[0].column};
        rb_doc_mistake(doc, &at, "\"*\" is every table of the schema",
                       "'%s' takes tables out of what patterns match, and there is no pattern",
                       p->patterns[0].text);
    }
}

static void read_entry(struct rb_doc *doc, const struct rb_yaml *node,
                       const struct rb_stream_defaults *defaults, struct rb_pipeline *p)
{
    struct reading r = {.stream = {.line = node->line,
                                   .column = node->column,
                                   .write_mode = defaults->write_mode,
                                   .replace_method = defaults->replace_method,
                                   .primary_key = defaults->primary_key,
                                   .on_data_error = defaults->on_data_error,
                                   .indexes = defaults->indexes,
                                   .schema_evolution = defaults->schema_evolution}};
    bool is_pattern =
        is_text(node) ? rb_pattern_is(node->text) : rb_yaml_get(node, "match") != NULL;
    if (is_pattern && read_pattern(doc, node, &r, &p->patterns[p->n_patterns])) {
        p->patterns[p->n_patterns++].position = p->n_streams;
    } else if (!is_pattern && read_stream(doc, node, &r, &p->streams[p->n_streams])) {
        check_against(doc, p->streams, p->n_streams++, node);
    }
}

int rb_streams_read(struct rb_doc *doc, const struct rb_yaml *list,
                    const struct rb_stream_defaults *defaults, struct rb_pipeline *ret)
{
    if (list->kind != RB_YAML_SEQUENCE || list->n_children == 0 ||
        list->n_children > RB_STREAMS_MAX) {
        rb_doc_mistake(doc, list, NULL, "streams: a list of 1 to %d streams is expected, not %s",
                       (int)RB_STREAMS_MAX,
                       list->kind != RB_YAML_SEQUENCE ? rb_doc_show(doc, list)
                       : list->n_children == 0        ? "an empty one"
                                                      : "a longer one");
        return 0;
    }
    ret->streams = rb_arena_alloc(doc->arena, list->n_children, sizeof *ret->streams);
    ret->patterns = rb_arena_alloc(doc->arena, list->n_children, sizeof *ret->patterns);
    if (ret->streams == NULL || ret->patterns == NULL) {
        return RB_ENOMEM;
    }
    for (const struct rb_yaml *c = list->child; c != NULL; c = c->next) {
        read_entry(doc, c, defaults, ret);
    }
    check_patterns(doc, ret);
    return 0;
}

void rb_streams_suggest(const struct rb_stream *streams, size_t n, const char *name,
                        struct rb_error *err)
{
    struct rb_suggest suggest;
    rb_suggest_init(&suggest, name);
    for (size_t i = 0; i < n; i++) {
        rb_suggest_offer(&suggest, streams[i].name);
    }
    rb_suggest_hint(&suggest, err);
}
