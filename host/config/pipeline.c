#include "host/config/pipeline.h"

#include <stdlib.h>
#include <string.h>

#include "host/config/connector.h"
#include "host/config/doc.h"
#include "host/config/fields.h"
#include "host/config/parallelism.h"
#include "host/config/stream.h"

enum {
    TRANSFORMS_MAX = RB_UNIT_STAGES_MAX - 2,
    NAME_BYTES_MAX = 200,
    DIRS_BYTES_MAX = 64 * 1024,
};

#define KB INT64_C(1024)
#define MB (1024 * KB)
#define GB (1024 * MB)
#define DAY_MS INT64_C(86400000)

/* The document's sections, before they are read. */
struct sections {
    const struct rb_yaml *version, *source, *transforms, *destination, *state, *resources,
        *timeouts;
    const char *name;
    int64_t resume_within_ms;
};

struct side {
    struct rb_connector_section connector;
    const struct rb_yaml *streams;          /* of the source */
    struct rb_stream_defaults defaults;     /* of the destination */
    const struct rb_yaml *schema_evolution; /* likewise */
};

struct state_section {
    int backend;
    const char *connection;
    int64_t keep_ms;
    uint64_t keep_runs;
};

#define FIELD(type, member, key, field_kind)                                                       \
    .name = key, .kind = field_kind, .offset = offsetof(type, member)

static const struct rb_field document_fields[] = {
    {FIELD(struct sections, version, "version", RB_FIELD_NODE), .required = true},
    {FIELD(struct sections, name, "pipeline", RB_FIELD_TEXT), .required = true},
    {FIELD(struct sections, source, "source", RB_FIELD_NODE), .required = true},
    {FIELD(struct sections, transforms, "transforms", RB_FIELD_NODE)},
    {FIELD(struct sections, destination, "destination", RB_FIELD_NODE), .required = true},
    {FIELD(struct sections, state, "state", RB_FIELD_NODE)},
    {FIELD(struct sections, resources, "resources", RB_FIELD_NODE)},
    {FIELD(struct sections, timeouts, "timeouts", RB_FIELD_NODE)},
    {FIELD(struct sections, resume_within_ms, "resume_within", RB_FIELD_MS), .min = 0,
     .max = 365 * DAY_MS},
};

/* The first three are every connector's. */
static const struct rb_field source_fields[] = {
    {FIELD(struct side, connector.use, "use", RB_FIELD_TEXT), .required = true},
    {FIELD(struct side, connector.config, "config", RB_FIELD_NODE)},
    {FIELD(struct side, connector.permissions, "permissions", RB_FIELD_NODE)},
    {FIELD(struct side, streams, "streams", RB_FIELD_NODE)},
};
enum { CONNECTOR_FIELDS = 3 };

static const struct rb_field destination_fields[] = {
    {FIELD(struct side, connector.use, "use", RB_FIELD_TEXT), .required = true},
    {FIELD(struct side, connector.config, "config", RB_FIELD_NODE)},
    {FIELD(struct side, connector.permissions, "permissions", RB_FIELD_NODE)},
    {FIELD(struct side, defaults.write_mode, "write_mode", RB_FIELD_CHOICE),
     .words = rb_stream_write_modes},
    {FIELD(struct side, defaults.replace_method, "replace_method", RB_FIELD_CHOICE),
     .words = rb_stream_replace_methods},
    {FIELD(struct side, defaults.primary_key, "primary_key", RB_FIELD_NAMES)},
    {FIELD(struct side, defaults.on_data_error, "on_data_error", RB_FIELD_CHOICE),
     .words = rb_stream_on_data_errors},
    {FIELD(struct side, schema_evolution, "schema_evolution", RB_FIELD_NODE)},
    {FIELD(struct side, defaults.indexes, "indexes", RB_FIELD_CHOICE), .words = rb_stream_indexes},
};

static const char *const backends[] = {"sqlite", NULL};
static const struct rb_field state_fields[] = {
    {FIELD(struct state_section, backend, "backend", RB_FIELD_CHOICE), .words = backends},
    {FIELD(struct state_section, connection, "connection", RB_FIELD_TEXT)},
    {FIELD(struct state_section, keep_ms, "keep", RB_FIELD_MS), .min = 0, .max = 36500 * DAY_MS},
    {FIELD(struct state_section, keep_runs, "keep_runs", RB_FIELD_COUNT), .min = 1,
     .max = 10000000},
};

static const char *const compressions[] = {"none", "lz4", "zstd", NULL};
#define RESOURCE(member, field_kind) FIELD(struct rb_resources, member, #member, field_kind)
static const struct rb_field resource_fields[] = {
    {FIELD(struct rb_resources, max_memory_bytes, "max_memory", RB_FIELD_SIZE), .min = 32 * MB,
     .max = 1024 * GB},
    {RESOURCE(max_batch_bytes, RB_FIELD_SIZE), .min = 4 * KB, .max = GB},
    {RESOURCE(max_inflight_batches, RB_FIELD_INT), .min = 1, .max = 1024},
    {RESOURCE(max_inflight_bytes, RB_FIELD_SIZE), .min = 4 * KB, .max = 64 * GB},
    {RESOURCE(max_record_bytes, RB_FIELD_SIZE), .min = KB, .max = GB},
    {RESOURCE(parallelism, RB_FIELD_AUTO), .min = 1, .max = 64},
    {RESOURCE(max_connections, RB_FIELD_INT), .min = 2, .max = 1000},
    {RESOURCE(compression, RB_FIELD_CHOICE), .words = compressions},
    {RESOURCE(checkpoint_interval_bytes, RB_FIELD_SIZE)},
    {RESOURCE(checkpoint_interval_rows, RB_FIELD_COUNT)},
    {RESOURCE(checkpoint_interval_seconds, RB_FIELD_COUNT)},
    {RESOURCE(max_retries, RB_FIELD_INT), .min = 0, .max = 100},
    {RESOURCE(max_sockets, RB_FIELD_COUNT), .min = 1, .max = RB_SPEC_SOCKETS_MAX},
    {RESOURCE(max_log_lines, RB_FIELD_COUNT), .min = 1, .max = 1000000},
    {RESOURCE(max_log_bytes, RB_FIELD_SIZE), .min = KB, .max = GB},
    {RESOURCE(max_state_keys, RB_FIELD_COUNT), .min = 1, .max = 1000000},
    {RESOURCE(max_state_bytes, RB_FIELD_SIZE), .min = KB, .max = 16 * GB},
    {RESOURCE(max_metric_names, RB_FIELD_COUNT), .min = 1, .max = 100000},
    {FIELD(struct rb_resources, max_stack_bytes, "max_stack", RB_FIELD_SIZE), .min = MB, .max = GB},
    {FIELD(struct rb_resources, max_call_ms, "max_call", RB_FIELD_MS), .max = 365 * DAY_MS},
    {FIELD(struct rb_resources, max_cpu_ms, "max_cpu", RB_FIELD_MS), .max = 365 * DAY_MS},
    {FIELD(struct rb_resources, compile_memory_bytes, "compile_memory", RB_FIELD_SIZE),
     .min = 64 * MB, .max = 1024 * GB},
    {FIELD(struct rb_resources, compile_cpu_ms, "compile_cpu", RB_FIELD_MS), .min = 1000,
     .max = DAY_MS},
};

static const struct rb_field timeout_fields[] = {
#define TIMEOUT(member, key)                                                                       \
    {FIELD(struct rb_timeouts, member, key, RB_FIELD_MS), .min = 0, .max = 365 * DAY_MS}
    TIMEOUT(connect_ms, "connect"), TIMEOUT(statement_ms, "statement"),
    TIMEOUT(idle_ms, "idle"),       TIMEOUT(lock_ms, "lock"),
    TIMEOUT(run_ms, "run"),
#undef TIMEOUT
};
#define N(fields) (sizeof(fields) / sizeof((fields)[0]))

enum { PARALLELISM_UNSAID = -1 };

static void settle_parallelism(struct rb_pipeline *p)
{
    struct rb_resources *resources = &p->resources;
    resources->parallelism_given = resources->parallelism != PARALLELISM_UNSAID;
    if (!resources->parallelism_given) {
        resources->parallelism = 1;
    } else if (resources->parallelism == 0) {
        resources->parallelism = rb_parallelism_choose(p, rb_parallelism_processors());
    }
}

static struct rb_pipeline *pipeline_new(const char *path)
{
    struct rb_arena *arena = rb_arena_new();
    struct rb_pipeline *p = arena == NULL ? NULL : rb_arena_alloc(arena, 1, sizeof *p);
    if (p == NULL) {
        rb_arena_free(arena);
        return NULL;
    }
    p->memory = arena;
    p->path = rb_arena_strdup(arena, path);
    p->resources = (struct rb_resources){.max_memory_bytes = 256 * MB,
                                         .max_batch_bytes = 64 * MB,
                                         .max_inflight_bytes = 16 * MB,
                                         .max_record_bytes = 16 * MB,
                                         .max_inflight_batches = 16,
                                         .parallelism = PARALLELISM_UNSAID,
                                         .max_connections = 8,
                                         .max_retries = 3,
                                         .max_sockets = RB_SPEC_SOCKETS_MAX,
                                         .compile_memory_bytes = RB_COMPILE_MEMORY_BYTES,
                                         .compile_cpu_ms = RB_COMPILE_CPU_MS,
                                         .max_log_lines = 10000,
                                         .max_log_bytes = 16 * MB,
                                         .max_state_keys = 10000,
                                         .max_state_bytes = 64 * MB,
                                         .max_metric_names = 1000,
                                         .max_stack_bytes = 8 * MB,
                                         .compression = RB_COMPRESSION_NONE};
    p->timeouts = (struct rb_timeouts){.connect_ms = 10000, .idle_ms = 60000, .lock_ms = 10000};
    return p;
}

void rb_pipeline_free(struct rb_pipeline *pipeline)
{
    if (pipeline == NULL) {
        return;
    }
    rb_manifest_free(pipeline->source.manifest);
    rb_manifest_free(pipeline->destination.manifest);
    for (size_t i = 0; i < pipeline->n_transforms; i++) {
        rb_manifest_free(pipeline->transforms[i].manifest);
    }
    rb_arena_free(pipeline->memory);
}

static void check_head(struct rb_doc *doc, const struct rb_yaml *root, const struct sections *s)
{
    const struct rb_yaml *name = rb_yaml_get(root, "pipeline");
    if (s->version != NULL &&
        (s->version->kind != RB_YAML_SCALAR || strcmp(s->version->text, "1.0") != 0)) {
        rb_doc_mistake(doc, s->version, "write version: \"1.0\"",
                       "version: this rapidbyte reads documents of version 1.0, not %s",
                       rb_doc_show(doc, s->version));
    }
    for (const char *c = s->name; c != NULL && *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20) {
            rb_doc_mistake(doc, name, NULL, "pipeline: a name has no control characters");
            break;
        }
    }
    if (s->name != NULL && strlen(s->name) > NAME_BYTES_MAX) {
        rb_doc_mistake(doc, name, NULL, "pipeline: a name has at most %d bytes",
                       (int)NAME_BYTES_MAX);
    }
}

static void read_state(struct rb_doc *doc, const struct rb_yaml *node, struct rb_pipeline *p)
{
    struct state_section state = {
        .connection = "./state.db", .keep_ms = 90 * DAY_MS, .keep_runs = 10000};
    if (node != NULL) {
        rb_fields_read(doc, node, "state", state_fields, N(state_fields), &state);
    }
    p->state_path = rb_doc_path(doc, state.connection);
    p->state_keep_ms = state.keep_ms;
    p->state_keep_runs = state.keep_runs;
}

/* A default larger than what the document sets beside it gives way; two set ones must fit. */
static void fit_resources(struct rb_doc *doc, const struct rb_yaml *node, struct rb_resources *r)
{
    if (r->max_record_bytes > r->max_batch_bytes) {
        const struct rb_yaml *record = rb_yaml_get(node, "max_record_bytes");
        if (record != NULL && rb_yaml_get(node, "max_batch_bytes") != NULL) {
            rb_doc_mistake(doc, record, NULL, "max_record_bytes is larger than max_batch_bytes");
        } else if (record != NULL) {
            r->max_batch_bytes = r->max_record_bytes;
        } else {
            r->max_record_bytes = r->max_batch_bytes;
        }
    }
    if (r->max_inflight_bytes >= r->max_memory_bytes) {
        const struct rb_yaml *inflight = rb_yaml_get(node, "max_inflight_bytes");
        rb_doc_mistake(doc, inflight == NULL ? node : inflight, NULL,
                       "max_inflight_bytes does not leave room in max_memory");
    }
}

static void read_limits(struct rb_doc *doc, const struct sections *s, struct rb_pipeline *p)
{
    if (s->resources != NULL) {
        rb_fields_read(doc, s->resources, "resources", resource_fields, N(resource_fields),
                       &p->resources);
        fit_resources(doc, s->resources, &p->resources);
    }
    if (s->timeouts != NULL) {
        rb_fields_read(doc, s->timeouts, "timeouts", timeout_fields, N(timeout_fields),
                       &p->timeouts);
    }
}

static int read_transforms(struct rb_doc *doc, const struct rb_yaml *list, const char *dirs,
                           struct rb_pipeline *p)
{
    if (rb_yaml_is_null(list)) {
        return 0;
    }
    if (list->kind != RB_YAML_SEQUENCE || list->n_children > TRANSFORMS_MAX) {
        rb_doc_mistake(doc, list, NULL,
                       "transforms: a list of at most %d transforms is expected, not %s",
                       (int)TRANSFORMS_MAX,
                       list->kind != RB_YAML_SEQUENCE ? rb_doc_show(doc, list) : "a longer one");
        return 0;
    }
    p->transforms = rb_arena_alloc(doc->arena, list->n_children, sizeof *p->transforms);
    int status = p->transforms == NULL ? RB_ENOMEM : 0;
    for (const struct rb_yaml *c = list->child; c != NULL && status == 0; c = c->next) {
        struct side side = {.connector = {.section = c}};
        rb_fields_read(doc, c, "transform", source_fields, CONNECTOR_FIELDS, &side);
        status = rb_connector_read(doc, &side.connector, RB_ROLE_TRANSFORM, dirs,
                                   &p->transforms[p->n_transforms++]);
    }
    return status;
}

static void check_mode(struct rb_doc *doc, const struct rb_pipeline *p, const struct rb_stream *s)
{
    const struct rb_manifest *from = p->source.manifest, *to = p->destination.manifest;
    const struct rb_yaml at = {.line = s->line, .column = s->column};
    const char *sync = rb_sync_mode_name(s->sync_mode);
    const char *write = rb_write_mode_name(s->write_mode);
    if (from != NULL && !rb_connector_supports(from->sync_modes, from->n_sync_modes, sync)) {
        rb_doc_mistake(doc, &at, NULL, "stream '%s': %s does not support sync_mode %s", s->name,
                       p->source.use, sync);
    }
    if (to != NULL && !rb_connector_supports(to->write_modes, to->n_write_modes, write)) {
        rb_doc_mistake(doc, &at, NULL, "stream '%s': %s does not support write_mode %s", s->name,
                       p->destination.use, write);
    }
}

static void check_modes(struct rb_doc *doc, const struct rb_pipeline *p)
{
    for (size_t i = 0; i < p->n_streams; i++) {
        check_mode(doc, p, &p->streams[i]);
    }
    for (size_t i = 0; i < p->n_patterns; i++) {
        if (!p->patterns[i].excludes) {
            check_mode(doc, p, &p->patterns[i].stream);
        }
    }
}

/* The destination first: what stands there is the default of the source's streams. */
static int read_sides(struct rb_doc *doc, const struct sections *s, const char *dirs,
                      bool without_streams, struct rb_pipeline *p)
{
    struct side source = {.connector = {.section = s->source}};
    struct side destination = {.connector = {.section = s->destination}};
    int status = 0;
    rb_stream_defaults_init(&destination.defaults);
    if (s->destination != NULL) {
        rb_fields_read(doc, s->destination, "destination", destination_fields,
                       N(destination_fields), &destination);
        rb_stream_evolution_read(doc, destination.schema_evolution,
                                 &destination.defaults.schema_evolution);
        status = rb_connector_read(doc, &destination.connector, RB_ROLE_DESTINATION, dirs,
                                   &p->destination);
    }
    if (s->source == NULL || status != 0) {
        return status;
    }
    rb_fields_read(doc, s->source, "source", source_fields, N(source_fields), &source);
    status = rb_connector_read(doc, &source.connector, RB_ROLE_SOURCE, dirs, &p->source);
    if (status == 0 && source.streams != NULL) {
        status = rb_streams_read(doc, source.streams, &destination.defaults, p);
    } else if (status == 0 && !without_streams) {
        rb_doc_mistake(doc, s->source, "`rapidbyte discover` prints a list ready to paste",
                       "key 'streams' is missing in source");
    }
    if (status == 0) {
        check_modes(doc, p);
    }
    return status;
}

/* Streams that are committed in parts: where a failure in between leaves what the next run can go
 * on behind. */
static bool has_parts(const struct rb_pipeline *p)
{
    for (size_t i = 0; i < p->n_streams; i++) {
        if (p->streams[i].sync_mode == RB_SYNC_INCREMENTAL &&
            p->streams[i].write_mode == RB_WRITE_APPEND) {
            return true;
        }
    }
    for (size_t i = 0; i < p->n_patterns; i++) {
        const struct rb_stream *stream = &p->patterns[i].stream;
        if (!p->patterns[i].excludes && stream->sync_mode == RB_SYNC_INCREMENTAL &&
            stream->write_mode == RB_WRITE_APPEND) {
            return true;
        }
    }
    return false;
}

static void check_checkpoints(struct rb_doc *doc, const struct rb_yaml *node,
                              const struct rb_pipeline *p)
{
    const struct rb_resources *r = &p->resources;
    const struct {
        const char *key;
        uint64_t value;
    } intervals[] = {{"checkpoint_interval_bytes", r->checkpoint_interval_bytes},
                     {"checkpoint_interval_rows", r->checkpoint_interval_rows},
                     {"checkpoint_interval_seconds", r->checkpoint_interval_seconds}};
    bool any_stream = p->n_streams + p->n_patterns > 0;
    for (size_t i = 0; i < N(intervals); i++) {
        const struct rb_yaml *at = rb_yaml_get(node, intervals[i].key);
        if (intervals[i].value == 0 || at == NULL) {
            continue;
        }
        if (p->n_transforms > 0) {
            rb_doc_mistake(doc, at, "write 0: each stream is one transaction",
                           "%s: streams that pass through transforms are not committed in parts",
                           intervals[i].key);
        } else if (any_stream && !has_parts(p)) {
            rb_doc_mistake(doc, at, "write 0: each stream is one transaction",
                           "%s: no stream is both sync_mode incremental and write_mode append; "
                           "others are not committed in parts",
                           intervals[i].key);
        }
    }
}

/* What lacks a variable and is needed is said here: nothing else is. */
static void check_whole(struct rb_doc *doc, const struct rb_yaml *node, const char *what)
{
    if (node != NULL && node->broken) {
        rb_diags_add(doc->diags, doc->path, node->line, node->column, NULL,
                     "%s: a variable of the environment is missing", what);
    }
}

static void read_head(struct rb_doc *doc, const struct rb_yaml *root, struct rb_pipeline *p)
{
    struct sections s = {.version = NULL};
    const struct rb_yaml *name = rb_yaml_get(root, "pipeline");
    const struct rb_yaml *state = rb_yaml_get(root, "state");
    rb_diags_release(doc->diags);
    rb_diags_init(doc->diags);
    check_whole(doc, name, "pipeline");
    check_whole(doc, rb_yaml_get(state, "connection"), "connection");
    if (name == NULL || name->kind != RB_YAML_SCALAR || name->text[0] == '\0') {
        rb_doc_mistake(doc, root, NULL, "key 'pipeline' is missing in the document");
    } else {
        s.name = name->text;
    }
    check_head(doc, root, &s);
    p->name = s.name;
    read_state(doc, state, p);
}

static int read_document(struct rb_doc *doc, const char *dirs,
                         const struct rb_pipeline_options *options, struct rb_pipeline *p)
{
    const struct rb_yaml *root = NULL;
    struct sections s = {.resume_within_ms = DAY_MS / 2};
    bool without_streams = options != NULL && options->without_streams;
    int status = rb_yaml_read(doc, &root);
    if (status != 0 || root == NULL) {
        return status;
    }
    if (options != NULL && options->head_only) {
        read_head(doc, root, p);
        settle_parallelism(p);
        return rb_arena_failed(doc->arena) ? RB_ENOMEM : 0;
    }
    rb_fields_read(doc, root, "the document", document_fields, N(document_fields), &s);
    check_head(doc, root, &s);
    p->name = s.name;
    p->resume_within_ms = s.resume_within_ms;
    read_state(doc, s.state, p);
    read_limits(doc, &s, p);
    status = read_sides(doc, &s, dirs, without_streams, p);
    if (status == 0 && s.transforms != NULL) {
        status = read_transforms(doc, s.transforms, dirs, p);
    }
    check_checkpoints(doc, s.resources, p);
    settle_parallelism(p);
    return status != 0 ? status : rb_arena_failed(doc->arena) ? RB_ENOMEM : 0;
}

/* The absolute folder of the document; "." where it does not exist, which reading it will say. */
static const char *folder_of(struct rb_arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *folder = slash == NULL   ? "."
                         : slash == path ? "/"
                                         : rb_arena_strndup(arena, path, (size_t)(slash - path));
    char *real = realpath(folder, NULL);
    folder = real == NULL ? folder : rb_arena_strdup(arena, real);
    free(real);
    return folder;
}

static int outcome(const struct rb_doc *doc, const struct rb_pipeline *p, struct rb_error *err)
{
    const struct rb_diags *diags = doc->diags;
    size_t n = diags->count + diags->dropped;
    if (n == 0) {
        return 0;
    }
    if (doc->cancelled) {
        return rb_error_set(err, RB_ECANCELLED, "CANCELLED", "cancelled");
    }
    if (doc->n_connector_mistakes == n) {
        if (err != NULL) {
            *err = doc->first_refusal;
        }
        return doc->first_refusal.status;
    }
    return n == 1 ? rb_error_set(err, RB_ECONFIG, "DOCUMENT_INVALID", "%s has a mistake", p->path)
                  : rb_error_set(err, RB_ECONFIG, "DOCUMENT_INVALID", "%s has %zu mistakes",
                                 p->path, n);
}

static int connector_dirs(const struct rb_pipeline_options *options, struct rb_buf *ret)
{
    return options != NULL && options->connector_dirs != NULL
               ? rb_buf_append_str(ret, options->connector_dirs)
               : rb_manifest_default_dirs(ret);
}

int rb_pipeline_load(const char *path, const struct rb_pipeline_options *options,
                     struct rb_pipeline **ret_pipeline, struct rb_diags *diags,
                     struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf dirs = RB_BUF_INIT(DIRS_BYTES_MAX);
    struct rb_pipeline *p = pipeline_new(path);
    int status = p == NULL ? RB_ENOMEM : connector_dirs(options, &dirs);
    if (status != 0) {
        rb_pipeline_free(p);
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory");
    }
    struct rb_doc doc = {.arena = p->memory, .diags = diags, .path = p->path};
    doc.folder = folder_of(p->memory, path);
    doc.no_commands = options != NULL && options->no_commands;
    status = read_document(&doc, rb_buf_str(&dirs), options, p);
    rb_diags_sort(diags);
    status = status == RB_ENOMEM ? rb_error_set(err, status, "OUT_OF_MEMORY", "out of memory")
                                 : outcome(&doc, p, err);
    if (status != 0) {
        rb_pipeline_free(p);
        return status;
    }
    *ret_pipeline = p;
    return 0;
}
