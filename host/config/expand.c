/* The streams that patterns stand for. */
#include <stdlib.h>
#include <string.h>

#include "host/config/arena.h"
#include "host/config/pattern.h"
#include "host/config/stream.h"

struct expansion {
    const struct rb_pipeline *pipeline;
    const struct rb_relation *relations;
    size_t n_relations;
    bool *taken; /* of each relation */
    struct rb_stream *streams;
    size_t n_streams;
    size_t n_made, capacity; /* of those, from patterns */
    struct rb_error *err;
};

static bool in_schema(const struct rb_relation *relation, const char *schema)
{
    return schema == NULL ? relation->configured
                          : relation->schema != NULL && strcmp(relation->schema, schema) == 0;
}

static bool is_matched(const struct rb_stream_pattern *pattern, const struct rb_relation *relation)
{
    return in_schema(relation, pattern->schema) &&
           rb_pattern_matches(pattern->table, relation->name);
}

static bool is_excluded(const struct rb_pipeline *pipeline, const struct rb_relation *relation)
{
    for (size_t i = 0; i < pipeline->n_patterns; i++) {
        const struct rb_stream_pattern *pattern = &pipeline->patterns[i];
        bool here =
            pattern->schema == NULL
                ? relation->configured
                : relation->schema != NULL && rb_pattern_matches(pattern->schema, relation->schema);
        if (pattern->excludes && here && rb_pattern_matches(pattern->table, relation->name)) {
            return true;
        }
    }
    return false;
}

static bool is_named(const struct rb_pipeline *pipeline, const struct rb_relation *relation)
{
    for (size_t i = 0; i < pipeline->n_streams; i++) {
        const struct rb_stream *stream = &pipeline->streams[i];
        const char *table = stream->source_table != NULL ? stream->source_table : stream->name;
        if (strcmp(table, relation->name) == 0 && in_schema(relation, stream->source_schema)) {
            return true;
        }
    }
    return false;
}

static int add_stream(struct expansion *x, const struct rb_stream_pattern *pattern,
                      const struct rb_relation *relation)
{
    const struct rb_pipeline *p = x->pipeline;
    /* The named streams that are still to come have their place. */
    if (x->n_made == x->capacity) {
        rb_error_set(x->err, RB_ECONFIG, "TOO_MANY_STREAMS",
                     "%s:%d:%d: with pattern '%s' the pipeline has more than %d streams", p->path,
                     pattern->line, pattern->column, pattern->text, (int)RB_STREAMS_MAX);
        return RB_ECONFIG;
    }
    x->n_made++;
    struct rb_stream *stream = &x->streams[x->n_streams++];
    *stream = pattern->stream;
    stream->line = stream->column = 0;
    stream->name = rb_arena_strdup(p->memory, relation->name);
    stream->source_schema =
        relation->configured ? NULL : rb_arena_strdup(p->memory, relation->schema);
    return RB_OK;
}

static int fail_empty(const struct expansion *x, const struct rb_stream_pattern *pattern,
                      size_t n_views, size_t n_excluded)
{
    rb_error_set(x->err, RB_ECONFIG, "EMPTY_MATCH",
                 "%s:%d:%d: pattern '%s' matches no table of %s%s%s%s", x->pipeline->path,
                 pattern->line, pattern->column, pattern->text,
                 pattern->schema != NULL ? "schema '" : "the configured schema",
                 pattern->schema != NULL ? pattern->schema : "", pattern->schema != NULL ? "'" : "",
                 n_excluded > 0 ? " that is not excluded" : "");
    if (n_views > 0) {
        rb_error_set_hint(x->err, "views are matched with { match: \"%s\", include_views: true }",
                          pattern->text);
    } else {
        rb_error_set_hint(x->err,
                          "`rapidbyte discover` lists what the source's role can see; names "
                          "are compared with their case");
    }
    return RB_ECONFIG;
}

static int expand_one(struct expansion *x, const struct rb_stream_pattern *pattern)
{
    size_t n_matched = 0, n_views = 0, n_excluded = 0;
    for (size_t i = 0; i < x->n_relations; i++) {
        const struct rb_relation *relation = &x->relations[i];
        if (!is_matched(pattern, relation)) {
            continue;
        }
        if (!relation->is_table && !pattern->include_views) {
            n_views++;
            continue;
        }
        if (is_named(x->pipeline, relation) || x->taken[i]) {
            n_matched++;
            continue;
        }
        if (is_excluded(x->pipeline, relation)) {
            n_excluded++;
            continue;
        }
        n_matched++;
        x->taken[i] = true;
        int status = add_stream(x, pattern, relation);
        if (status != 0) {
            return status;
        }
    }
    return n_matched > 0 ? RB_OK : fail_empty(x, pattern, n_views, n_excluded);
}

static int by_name(const void *a, const void *b)
{
    const struct rb_stream *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

static const char *schema_of(const struct rb_stream *stream)
{
    return stream->source_schema != NULL ? stream->source_schema : "the configured schema";
}

static int fail_same_name(const struct expansion *x, const struct rb_stream *a,
                          const struct rb_stream *b)
{
    rb_error_set(x->err, RB_ECONFIG, "SAME_STREAM",
                 "%s: stream '%s' would be two tables: '%s' of %s and '%s' of %s",
                 x->pipeline->path, a->name, a->source_table != NULL ? a->source_table : a->name,
                 schema_of(a), b->source_table != NULL ? b->source_table : b->name, schema_of(b));
    rb_error_set_hint(x->err,
                      "name one of them, with a destination_table of its own: { name: other_name, "
                      "schema: its_schema, table: \"%s\", destination_table: other_name }",
                      a->name);
    return RB_ECONFIG;
}

static const char *target_of(const struct rb_stream *stream)
{
    return stream->destination_table != NULL ? stream->destination_table : stream->name;
}

/* `sorted` are all streams by name, different ones. The named ones have been compared with each
 * other. */
static int check_targets(const struct expansion *x, const struct rb_stream *const *sorted)
{
    for (size_t i = 0; i < x->pipeline->n_streams; i++) {
        const struct rb_stream *named = &x->pipeline->streams[i];
        const struct rb_stream key = {.name = target_of(named)};
        const struct rb_stream *wanted = &key;
        const struct rb_stream *const *found =
            bsearch(&wanted, sorted, x->n_streams, sizeof *sorted, by_name);
        if (found == NULL || (*found)->line != 0 ||
            ((*found)->write_mode != RB_WRITE_REPLACE && named->write_mode != RB_WRITE_REPLACE)) {
            continue;
        }
        rb_error_set(x->err, RB_ECONFIG, "SAME_TARGET",
                     "%s:%d:%d: stream '%s' and stream '%s', which a pattern matches, replace the "
                     "same table '%s'",
                     x->pipeline->path, named->line, named->column, named->name, (*found)->name,
                     key.name);
        rb_error_set_hint(x->err, "give one of them another destination_table");
        return RB_ECONFIG;
    }
    return RB_OK;
}

static int check_all(const struct expansion *x)
{
    const struct rb_stream **sorted = calloc(x->n_streams + 1, sizeof *sorted);
    if (sorted == NULL) {
        return rb_error_set(x->err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory");
    }
    for (size_t i = 0; i < x->n_streams; i++) {
        sorted[i] = &x->streams[i];
    }
    qsort(sorted, x->n_streams, sizeof *sorted, by_name);
    int status = RB_OK;
    for (size_t i = 1; status == 0 && i < x->n_streams; i++) {
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0) {
            status = fail_same_name(x, sorted[i - 1], sorted[i]);
        }
    }
    status = status != 0 ? status : check_targets(x, sorted);
    free((void *)sorted);
    return status;
}

static int expand_all(struct expansion *x)
{
    const struct rb_pipeline *p = x->pipeline;
    size_t named = 0;
    for (size_t i = 0; i <= p->n_patterns; i++) {
        size_t until = i < p->n_patterns ? p->patterns[i].position : p->n_streams;
        while (named < until) {
            x->streams[x->n_streams++] = p->streams[named++];
        }
        if (i == p->n_patterns || p->patterns[i].excludes) {
            continue;
        }
        int status = expand_one(x, &p->patterns[i]);
        if (status != 0) {
            return status;
        }
    }
    return check_all(x);
}

int rb_pattern_expand(const struct rb_pipeline *pipeline, const struct rb_relation *relations,
                      size_t n_relations, struct rb_stream **ret_streams, size_t *ret_count,
                      struct rb_error *err)
{
    struct expansion x = {
        .pipeline = pipeline, .relations = relations, .n_relations = n_relations, .err = err};
    /* A relation becomes one stream at most. */
    x.capacity = n_relations < RB_STREAMS_MAX ? n_relations : RB_STREAMS_MAX;
    x.taken = calloc(n_relations + 1, sizeof *x.taken);
    x.streams =
        rb_arena_alloc(pipeline->memory, x.capacity + pipeline->n_streams + 1, sizeof *x.streams);
    int status = x.taken == NULL || x.streams == NULL
                     ? rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory")
                     : expand_all(&x);
    free(x.taken);
    if (status == 0 && rb_arena_failed(pipeline->memory)) {
        status = rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory");
    }
    if (status == 0) {
        *ret_streams = x.streams;
        *ret_count = x.n_streams;
    }
    return status;
}
