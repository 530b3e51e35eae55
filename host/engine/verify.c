/* `verify`: what source and destination hold, hashed by their servers, table by table. */
#include <stdlib.h>
#include <string.h>

#include "host/engine/run.h"
#include "host/engine/view.h"

enum {
    CONNECTIONS_MAX = 16,
    PARTS_PER_CONNECTION = 8, /* so that one slow part does not keep the others waiting for long */
    NARROW_PARTS = 16,        /* what a part that differs is cut into */
    NARROW_ROUNDS = 8,
    NARROW_MAX = 64,    /* more parts that differ than this are told as they are */
    PARTS_MAX = 4096,   /* of one question */
    RANGES_MAX = 65536, /* of a report */
};

/* A part of a table; `same` and `whole` are known once it was hashed. */
struct part {
    struct rb_verify_range range;
    bool same;
    bool whole; /* can't be cut any further */
};

struct parts {
    struct part *items;
    size_t n;
};

/* One stream's comparison. */
struct comparison {
    struct rb_run *run;
    const struct rb_stream_run *stream;
    int connections;
    char *columns; /* JSON array of names */
    char *key;     /* JSON array of {name,type}; NULL: none */
    enum rb_fault_side side;
};

const char *rb_verify_verdict_name(enum rb_verify_verdict verdict)
{
    static const char *const names[] = {
        [RB_VERIFY_SAME] = "same", [RB_VERIFY_DIFFERS] = "differs", [RB_VERIFY_FAILED] = "failed"};
    return names[verdict];
}

static void free_range(struct rb_verify_range *range)
{
    free(range->from);
    free(range->to);
}

static void parts_release(struct parts *parts)
{
    for (size_t i = 0; i < parts->n; i++) {
        free_range(&parts->items[i].range);
    }
    free(parts->items);
    *parts = (struct parts){.items = NULL};
}

void rb_verify_report_release(struct rb_verify_report *report)
{
    for (size_t i = 0; i < report->n_streams; i++) {
        struct rb_verify_stream *stream = &report->streams[i];
        for (size_t k = 0; k < stream->n_ranges; k++) {
            free_range(&stream->ranges[k]);
        }
        free(stream->ranges);
        free(stream->name);
        free(stream->key);
    }
    free(report->streams);
    memset(report, 0, sizeof *report);
}

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory");
}

/* Takes `from` and `to` over, also on failure. */
static int add_part(struct parts *parts, char *from, char *to, struct rb_error *err)
{
    struct part *grown =
        parts->n < RANGES_MAX ? realloc(parts->items, (parts->n + 1) * sizeof *grown) : NULL;
    if (grown == NULL) {
        free(from);
        free(to);
        return parts->n < RANGES_MAX
                   ? no_memory(err)
                   : rb_error_set(err, RB_ECONNECTOR, "CONTRACT", "rb_hash cuts too often");
    }
    parts->items = grown;
    grown[parts->n++] = (struct part){.range = {.from = from, .to = to}};
    return RB_OK;
}

static void write_raw(struct rb_json *json, const char *key, const char *text)
{
    rb_json_member_raw(json, key, text, text != NULL ? strlen(text) : 0);
}

/* HashRequest (docs/protocol.md). */
static int write_request(const struct comparison *c, enum rb_role role, int split,
                         const struct part *parts, size_t n, struct rb_buf *ret,
                         struct rb_error *err)
{
    struct rb_json json;
    rb_json_init(&json, ret);
    rb_json_begin_object(&json);
    rb_json_key(&json, "stream");
    rb_run_write_context(c->run, c->stream, &json, role, 0);
    if (role == RB_ROLE_SOURCE) {
        rb_run_write_tables(c->run, &json);
    }
    write_raw(&json, "columns", c->columns);
    write_raw(&json, "key", c->key);
    rb_json_member_i64(&json, "split", split);
    rb_json_member_i64(&json, "connections", c->connections);
    rb_json_key(&json, "ranges");
    rb_json_begin_array(&json);
    for (size_t i = 0; i < n; i++) {
        rb_json_begin_object(&json);
        write_raw(&json, "from", parts[i].range.from);
        write_raw(&json, "to", parts[i].range.to);
        rb_json_end_object(&json);
    }
    rb_json_end_array(&json);
    rb_json_end_object(&json);
    int status = rb_json_finish(&json);
    return status == 0 ? 0 : rb_error_set(err, status, "HASH", "writing the request of rb_hash");
}

static char *copy_or_null(const char *text)
{
    return text != NULL ? strdup(text) : NULL;
}

/* Has the source cut `part`; the pieces are appended to `ret`. One piece: it can't be cut. */
static int cut(struct comparison *c, const struct part *part, int n, struct parts *ret,
               struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf request = RB_BUF_INIT(RB_RUN_JSON_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf data = RB_BUF_INIT(RB_RUN_JSON_MAX);
    c->side = RB_FAULT_SOURCE;
    int status = write_request(c, RB_ROLE_SOURCE, n, part, 1, &request, err);
    status = status != 0 ? status
                         : rb_session_call(c->run->session, RB_ROLE_SOURCE, 0, "rb_hash",
                                           rb_buf_str(&request), request.len, &data, err);
    if (status != 0) {
        return status;
    }
    RB_CLEANUP(rb_view_free) yyjson_doc *doc = rb_view_parse(&data);
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (c->columns == NULL) {
        c->columns = rb_view_json(root, "columns");
        c->key = rb_view_json(root, "key");
    }
    size_t i, n_bounds;
    yyjson_val *bound;
    char *from = copy_or_null(part->range.from);
    yyjson_arr_foreach(yyjson_obj_get(root, "bounds"), i, n_bounds, bound)
    {
        char *to = yyjson_val_write(bound, 0, NULL);
        status = to == NULL ? no_memory(err) : add_part(ret, from, to, err);
        from = copy_or_null(to);
        if (status != 0) {
            free(from);
            return status;
        }
    }
    return add_part(ret, from, copy_or_null(part->range.to), err);
}

static int post(const struct comparison *c, enum rb_role role, const struct part *parts, size_t n,
                uint64_t *ret_id, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf request = RB_BUF_INIT(RB_RUN_JSON_MAX);
    int status = write_request(c, role, 0, parts, n, &request, err);
    return status != 0 ? status
                       : rb_session_post_call(c->run->session, role, 0, "rb_hash",
                                              rb_buf_str(&request), request.len, ret_id, err);
}

static int await(const struct comparison *c, uint64_t id, struct rb_buf *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf payload = RB_BUF_INIT(RB_RUN_JSON_MAX);
    int status = rb_session_await(c->run->session, id, &payload, err);
    return status != 0 ? status : rb_session_call_result(&payload, ret, err);
}

static bool same_text(yyjson_val *a, yyjson_val *b, const char *key)
{
    const char *left = rb_view_str(a, key), *right = rb_view_str(b, key);
    return left != NULL && right != NULL && strcmp(left, right) == 0;
}

static int compare(struct comparison *c, const struct rb_buf *source, const struct rb_buf *target,
                   struct part *parts, size_t n, struct rb_error *err)
{
    RB_CLEANUP(rb_view_free) yyjson_doc *source_doc = rb_view_parse(source);
    RB_CLEANUP(rb_view_free) yyjson_doc *target_doc = rb_view_parse(target);
    yyjson_val *left = yyjson_doc_get_root(source_doc), *right = yyjson_doc_get_root(target_doc);
    yyjson_val *sources = yyjson_obj_get(left, "ranges"),
               *targets = yyjson_obj_get(right, "ranges");
    if (yyjson_arr_size(sources) != n || yyjson_arr_size(targets) != n) {
        return rb_error_set(err, RB_ECONNECTOR, "CONTRACT",
                            "rb_hash answers for another number of ranges than asked for");
    }
    if (!same_text(left, right, "encoding")) {
        c->side = RB_FAULT_ENGINE;
        return rb_error_set(err, RB_ECONFIG, "ENCODINGS_DIFFER",
                            "texts can't be compared by their hashes: the source's database is "
                            "encoded in %s, the destination's in %s",
                            rb_view_str(left, "encoding"), rb_view_str(right, "encoding"));
    }
    for (size_t i = 0; i < n; i++) {
        yyjson_val *a = yyjson_arr_get(sources, i), *b = yyjson_arr_get(targets, i);
        parts[i].range.source_rows = rb_view_count(a, "rows");
        parts[i].range.destination_rows = rb_view_count(b, "rows");
        parts[i].same = parts[i].range.source_rows == parts[i].range.destination_rows &&
                        same_text(a, b, "hash_a") && same_text(a, b, "hash_b");
    }
    return RB_OK;
}

/* Both servers at once. */
static int hash_parts(struct comparison *c, struct part *parts, size_t n, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf source = RB_BUF_INIT(RB_RUN_JSON_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf target = RB_BUF_INIT(RB_RUN_JSON_MAX);
    struct rb_error failure;
    uint64_t source_id = 0, target_id = 0;
    rb_error_clear(&failure);
    c->side = RB_FAULT_SOURCE;
    int status = post(c, RB_ROLE_SOURCE, parts, n, &source_id, err);
    if (status != 0) {
        return status;
    }
    int target_status = post(c, RB_ROLE_DESTINATION, parts, n, &target_id, &failure);
    status = await(c, source_id, &source, err);
    /* Awaited in any case: a connector has one call at a time. */
    target_status = target_status != 0 ? target_status : await(c, target_id, &target, &failure);
    if (status == 0 && target_status != 0) {
        c->side = RB_FAULT_DESTINATION;
        status = target_status;
        if (err != NULL) {
            *err = failure;
        }
    }
    return status != 0 ? status : compare(c, &source, &target, parts, n, err);
}

/* In questions of at most PARTS_MAX. */
static int hash_all(struct comparison *c, struct parts *parts, struct rb_error *err)
{
    int status = RB_OK;
    for (size_t i = 0; status == RB_OK && i < parts->n; i += PARTS_MAX) {
        size_t n = parts->n - i < PARTS_MAX ? parts->n - i : PARTS_MAX;
        status = hash_parts(c, parts->items + i, n, err);
    }
    return status;
}

static void drop_same(struct parts *parts)
{
    size_t kept = 0;
    for (size_t i = 0; i < parts->n; i++) {
        if (parts->items[i].same) {
            free_range(&parts->items[i].range);
        } else {
            parts->items[kept++] = parts->items[i];
        }
    }
    parts->n = kept;
}

static bool can_narrow(const struct part *part)
{
    return !part->whole && (part->range.source_rows > 1 || part->range.destination_rows > 1);
}

/* One round: each part that differs gives way to those of its pieces that do. *ret_again: there is
 * more to do. */
static int narrow(struct comparison *c, struct parts *parts, bool *ret_again, struct rb_error *err)
{
    RB_CLEANUP(parts_release) struct parts pieces = {.items = NULL};
    int status = RB_OK;
    for (size_t i = 0; status == RB_OK && i < parts->n; i++) {
        size_t before = pieces.n;
        struct part *part = &parts->items[i];
        if (can_narrow(part)) {
            status = cut(c, part, NARROW_PARTS, &pieces, err);
        } else {
            status = add_part(&pieces, copy_or_null(part->range.from), copy_or_null(part->range.to),
                              err);
        }
        if (status == RB_OK && pieces.n == before + 1) {
            pieces.items[before].whole = true;
        }
    }
    status = status != 0 ? status : hash_all(c, &pieces, err);
    if (status != 0) {
        return status;
    }
    drop_same(&pieces);
    *ret_again = false;
    for (size_t i = 0; i < pieces.n; i++) {
        *ret_again |= can_narrow(&pieces.items[i]);
    }
    struct parts old = *parts;
    *parts = pieces;
    pieces = old;
    return RB_OK;
}

/* The names alone, for the report. */
static char *key_names(const char *key)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(RB_RUN_JSON_MAX);
    RB_CLEANUP(rb_view_free)
    yyjson_doc *doc = key != NULL ? yyjson_read(key, strlen(key), 0) : NULL;
    struct rb_json json;
    size_t i, n;
    yyjson_val *item;
    if (doc == NULL) {
        return NULL;
    }
    rb_json_init(&json, &text);
    rb_json_begin_array(&json);
    yyjson_arr_foreach(yyjson_doc_get_root(doc), i, n, item)
    {
        rb_json_str(&json, rb_view_str(item, "name"));
    }
    rb_json_end_array(&json);
    return rb_json_finish(&json) == 0 ? rb_buf_steal(&text) : NULL;
}

static int take_ranges(struct parts *parts, struct rb_verify_stream *ret, struct rb_error *err)
{
    ret->ranges = calloc(parts->n + 1, sizeof *ret->ranges);
    if (ret->ranges == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < parts->n; i++) {
        ret->ranges[i] = parts->items[i].range;
    }
    ret->n_ranges = parts->n;
    parts->n = 0;
    return RB_OK;
}

static int compare_stream(struct comparison *c, struct rb_verify_stream *ret, struct rb_error *err)
{
    RB_CLEANUP(parts_release) struct parts parts = {.items = NULL};
    struct part everything = {.same = false};
    int status = cut(c, &everything, PARTS_PER_CONNECTION * c->connections, &parts, err);
    status = status != 0 ? status : hash_all(c, &parts, err);
    if (status != 0) {
        return status;
    }
    for (size_t i = 0; i < parts.n; i++) {
        ret->source_rows += parts.items[i].range.source_rows;
        ret->destination_rows += parts.items[i].range.destination_rows;
    }
    drop_same(&parts);
    ret->verdict = parts.n > 0 ? RB_VERIFY_DIFFERS : RB_VERIFY_SAME;
    ret->key = key_names(c->key);
    bool again = c->key != NULL && parts.n > 0;
    for (int round = 0; status == 0 && again && round < NARROW_ROUNDS && parts.n <= NARROW_MAX;
         round++) {
        status = narrow(c, &parts, &again, err);
    }
    return status != 0 ? status : take_ranges(&parts, ret, err);
}

static int connections_of(const struct rb_resources *resources)
{
    int n = resources->parallelism < resources->max_connections ? resources->parallelism
                                                                : resources->max_connections;
    return n < 1 ? 1 : n > CONNECTIONS_MAX ? CONNECTIONS_MAX : n;
}

static void verify_stream(struct rb_run *run, const struct rb_stream_run *stream,
                          struct rb_verify_stream *ret)
{
    struct comparison c = {.run = run,
                           .stream = stream,
                           .connections = connections_of(&run->pipeline->resources),
                           .side = RB_FAULT_ENGINE};
    int64_t start = rb_clock_ms();
    rb_error_clear(&ret->fault.error);
    ret->name = strdup(stream->stream->name);
    if (ret->name == NULL || compare_stream(&c, ret, &ret->fault.error) != 0) {
        ret->verdict = RB_VERIFY_FAILED;
        ret->fault.side = rb_session_is_stopped(run->session) ? RB_FAULT_ENGINE : c.side;
    }
    ret->secs = (double)(rb_clock_ms() - start) / 1000.0;
    free(c.columns);
    free(c.key);
}

static int start(struct rb_run *run, enum rb_fault_side *ret_side, struct rb_error *err)
{
    *ret_side = RB_FAULT_ENGINE;
    if (run->pipeline->n_transforms > 0) {
        return rb_error_set(err, RB_ECONFIG, "TRANSFORMS",
                            "a pipeline with transforms can't be verified: the destination holds "
                            "what they made of the source's rows");
    }
    int status = rb_run_start_session(run, err);
    status = status != 0 ? status : rb_run_open(run, ret_side, err);
    status = status != 0 ? status : rb_run_expand(run, ret_side, err);
    if (status == 0 && (!run->source_hashes || !run->destination_hashes)) {
        *ret_side = run->source_hashes ? RB_FAULT_DESTINATION : RB_FAULT_SOURCE;
        return rb_error_set(err, RB_ECONNECTOR, "NOT_SUPPORTED",
                            "connector '%s' has no rb_hash: it can't tell what a table holds",
                            run->source_hashes ? run->pipeline->destination.use
                                               : run->pipeline->source.use);
    }
    return status;
}

static int verify_streams(struct rb_run *run, struct rb_verify_report *report, struct rb_error *err)
{
    report->streams = calloc(run->n_streams + 1, sizeof *report->streams);
    if (report->streams == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < run->n_streams; i++) {
        struct rb_verify_stream *stream = &report->streams[report->n_streams++];
        verify_stream(run, &run->streams[i], stream);
        if (stream->verdict == RB_VERIFY_FAILED &&
            (rb_session_is_stopped(run->session) || rb_session_is_dead(run->session))) {
            *err = stream->fault.error;
            return err->status;
        }
    }
    return RB_OK;
}

static int exit_code(const struct rb_verify_report *report)
{
    int code = RB_EXIT_OK;
    if (report->failed) {
        return rb_fault_exit_code(&report->fault);
    }
    for (size_t i = 0; i < report->n_streams; i++) {
        const struct rb_verify_stream *stream = &report->streams[i];
        if (stream->verdict == RB_VERIFY_DIFFERS) {
            return RB_EXIT_DATA;
        }
        if (stream->verdict == RB_VERIFY_FAILED && code == RB_EXIT_OK) {
            code = rb_fault_exit_code(&stream->fault);
        }
    }
    return code;
}

void rb_engine_verify(const struct rb_pipeline *pipeline, const struct rb_engine_options *options,
                      const struct rb_observer *observer, struct rb_verify_report *ret_report)
{
    struct rb_run_report scratch;
    struct rb_run run;
    memset(ret_report, 0, sizeof *ret_report);
    memset(&scratch, 0, sizeof scratch);
    struct rb_fault *fault = &ret_report->fault;
    rb_error_clear(&fault->error);
    int status = rb_run_init(&run, pipeline, options, observer, &scratch, &fault->error);
    status = status != 0 ? status : start(&run, &fault->side, &fault->error);
    if (status == 0) {
        fault->side = RB_FAULT_ENGINE;
        status = verify_streams(&run, ret_report, &fault->error);
    }
    ret_report->failed = status != 0;
    ret_report->exit_code = exit_code(ret_report);
    rb_session_end(run.session, NULL);
    rb_run_release(&run);
    rb_run_report_release(&scratch);
}
