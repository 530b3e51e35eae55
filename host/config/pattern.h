/* Streams by pattern: "*", "sales.*", "!audit_*". */
#ifndef RB_HOST_CONFIG_PATTERN_H
#define RB_HOST_CONFIG_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "host/config/doc.h"
#include "host/config/pipeline.h"

/* Whether an entry is a pattern: it has a * or ?, or begins with !. */
bool rb_pattern_is(const char *text);
/* Takes the text apart: text, line, column, excludes, schema and table of *ret. Mistakes go to doc,
 * at `node`; false then. */
bool rb_pattern_parse(struct rb_doc *doc, const struct rb_yaml *node, const char *text,
                      struct rb_stream_pattern *ret);
/* `*` stands for any characters, also none, `?` for one (of UTF-8); everything else for itself. */
bool rb_pattern_matches(const char *pattern, const char *text);

/* A table or view that the source has. */
struct rb_relation {
    const char *schema; /* NULL: the source does not tell */
    const char *name;
    bool configured; /* of the configuration's schema */
    bool is_table;   /* also a partitioned one; no view, no foreign table */
};

/*
 * All streams of the pipeline in the order of the document, those of a pattern in the order of
 * `relations` in its place. What is made belongs to the pipeline.
 *
 * A table that a named stream reads is that stream's alone, one that several patterns match the
 * first one's. RB_ECONFIG: a pattern that matches nothing, two tables that would be one stream or
 * replace one table; the message begins with the document's path and line.
 */
int rb_pattern_expand(const struct rb_pipeline *pipeline, const struct rb_relation *relations,
                      size_t n_relations, struct rb_stream **ret_streams, size_t *ret_count,
                      struct rb_error *err);

#endif
