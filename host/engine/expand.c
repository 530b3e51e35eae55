/* Patterns become streams, by the source's catalogue. */
#include <stdlib.h>
#include <string.h>

#include "host/config/pattern.h"
#include "host/config/stream.h"
#include "host/engine/run.h"
#include "host/engine/view.h"

enum { CATALOGS_MAX = 64 }; /* schemas that a document's patterns can name */

/* What the source has said; relations borrow from the documents. */
struct catalogs {
    yyjson_doc *docs[CATALOGS_MAX];
    size_t n_docs;
    struct rb_relation *relations;
    size_t n_relations;
};

static void catalogs_release(struct catalogs *catalogs)
{
    for (size_t i = 0; i < catalogs->n_docs; i++) {
        yyjson_doc_free(catalogs->docs[i]);
    }
    free(catalogs->relations);
}

/* docs/protocol.md, Catalog.kind. A source that does not tell has tables. */
static bool is_table(const char *kind)
{
    return kind == NULL || strcmp(kind, "table") == 0 || strcmp(kind, "partitioned table") == 0;
}

static int add_relations(struct catalogs *catalogs, yyjson_val *streams, const char *schema,
                         struct rb_error *err)
{
    size_t total = catalogs->n_relations + yyjson_arr_size(streams);
    struct rb_relation *grown = realloc(catalogs->relations, (total + 1) * sizeof *grown);
    if (grown == NULL) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory");
    }
    catalogs->relations = grown;
    size_t i, n;
    yyjson_val *item;
    yyjson_arr_foreach(streams, i, n, item)
    {
        struct rb_relation relation = {.schema = rb_view_str(item, "namespace"),
                                       .name = rb_view_str(item, "name"),
                                       .configured = schema == NULL,
                                       .is_table = is_table(rb_view_str(item, "kind"))};
        if (relation.name == NULL) {
            return rb_error_set(err, RB_ECONNECTOR, "CONTRACT",
                                "rb_discover has a stream without a name");
        }
        if (schema != NULL && (relation.schema == NULL || strcmp(relation.schema, schema) != 0)) {
            return rb_error_set(err, RB_ECONNECTOR, "NO_SCHEMAS",
                                "the source connector lists the configured schema alone, not '%s'",
                                schema);
        }
        grown[catalogs->n_relations++] = relation;
    }
    return RB_OK;
}

/* `schema` NULL: the configuration's. */
static int discover(struct rb_run *run, const char *schema, struct catalogs *catalogs,
                    struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf request = RB_BUF_INIT(RB_RUN_JSON_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf data = RB_BUF_INIT(RB_RUN_JSON_MAX);
    struct rb_json json;
    rb_json_init(&json, &request);
    rb_json_begin_object(&json);
    rb_json_member_bool(&json, "names_only", true);
    if (schema != NULL) {
        rb_json_member_str(&json, "schema", schema);
    }
    rb_json_end_object(&json);
    int status = rb_json_finish(&json);
    if (status != 0) {
        return rb_error_set(err, status, "DISCOVER", "writing the request of rb_discover");
    }
    status = rb_session_call(run->session, RB_ROLE_SOURCE, 0, "rb_discover", rb_buf_str(&request),
                             request.len, &data, err);
    if (status != 0) {
        return status;
    }
    if (catalogs->n_docs == CATALOGS_MAX) {
        return rb_error_set(err, RB_ECONFIG, "TOO_MANY_SCHEMAS",
                            "patterns name more than %d schemas", CATALOGS_MAX - 1);
    }
    yyjson_doc *doc = rb_view_parse(&data);
    catalogs->docs[catalogs->n_docs++] = doc;
    return add_relations(catalogs, yyjson_obj_get(yyjson_doc_get_root(doc), "streams"), schema,
                         err);
}

static bool is_known(const struct catalogs *catalogs, const char *schema)
{
    for (size_t i = 0; i < catalogs->n_relations; i++) {
        const char *known = catalogs->relations[i].schema;
        if (known != NULL && strcmp(known, schema) == 0) {
            return true;
        }
    }
    return false;
}

/* The configured schema in any case: named streams read from there, too. */
static int discover_all(struct rb_run *run, struct catalogs *catalogs, struct rb_error *err)
{
    int status = discover(run, NULL, catalogs, err);
    for (size_t i = 0; status == 0 && i < run->pipeline->n_patterns; i++) {
        const struct rb_stream_pattern *pattern = &run->pipeline->patterns[i];
        if (!pattern->excludes && pattern->schema != NULL && !is_known(catalogs, pattern->schema)) {
            status = discover(run, pattern->schema, catalogs, err);
        }
    }
    return status;
}

/* `--streams` names what there is. */
static int check_chosen(const struct rb_run *run, const struct rb_stream *streams, size_t n,
                        struct rb_error *err)
{
    const struct rb_names *only = run->options->only_streams;
    for (size_t i = 0; only != NULL && i < only->count; i++) {
        bool found = false;
        for (size_t k = 0; k < n && !found; k++) {
            found = strcmp(streams[k].name, only->items[i]) == 0;
        }
        if (!found) {
            int status = rb_error_set(err, RB_ECONFIG, "UNKNOWN_STREAM",
                                      "--streams: the pipeline has no stream '%s', and its "
                                      "patterns match none",
                                      only->items[i]);
            rb_streams_suggest(streams, n, only->items[i], err);
            return status;
        }
    }
    return RB_OK;
}

int rb_run_expand(struct rb_run *run, enum rb_fault_side *ret_side, struct rb_error *err)
{
    if (run->has_streams) {
        return RB_OK;
    }
    RB_CLEANUP(catalogs_release) struct catalogs catalogs = {.n_docs = 0};
    *ret_side = RB_FAULT_SOURCE;
    int status = discover_all(run, &catalogs, err);
    struct rb_stream *streams = NULL;
    size_t n = 0;
    if (status == 0) {
        *ret_side = RB_FAULT_ENGINE;
        status = rb_pattern_expand(run->pipeline, catalogs.relations, catalogs.n_relations,
                                   &streams, &n, err);
    }
    status = status != 0 ? status : check_chosen(run, streams, n, err);
    return status != 0 ? status : rb_run_take_streams(run, streams, n, err);
}
