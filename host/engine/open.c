#include <stdio.h>
#include <string.h>

#include "host/engine/process.h"
#include "host/engine/run.h"
#include "host/engine/view.h"

enum { BUSY_MAX = 160 };

static bool has_export(yyjson_val *root, const char *name)
{
    size_t i, n;
    yyjson_val *item;
    yyjson_arr_foreach(yyjson_obj_get(root, "exports"), i, n, item)
    {
        if (yyjson_equals_str(item, name)) {
            return true;
        }
    }
    return false;
}

static void learn(struct rb_run *run, const struct rb_connector_use *use,
                  const struct rb_buf *payload)
{
    RB_CLEANUP(rb_view_free) yyjson_doc *doc = rb_view_parse(payload);
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *info = yyjson_obj_get(root, "data");
    if (use->role == RB_ROLE_SOURCE) {
        run->source_plans = has_export(root, "rb_plan");
        run->source_hashes = has_export(root, "rb_hash");
        free(run->source_features);
        run->source_features = rb_view_json(info, "features");
    } else if (use->role == RB_ROLE_DESTINATION) {
        run->destination_ledgers = has_export(root, "rb_begin") && has_export(root, "rb_publish");
        run->destination_abandons = has_export(root, "rb_abandon");
        run->destination_hashes = has_export(root, "rb_hash");
        free(run->destination_features);
        run->destination_features = rb_view_json(info, "features");
    }
}

/* `use`: whose compiled code is missing. Others' may be, too, and is made by the same call. */
static int compile(struct rb_run *run, const struct rb_connector_use *use, struct rb_error *err)
{
    const char *paths[RB_UNIT_STAGES_MAX];
    size_t n = 0;
    paths[n++] = run->pipeline->source.spec.wasm_path;
    for (size_t i = 0; i < run->pipeline->n_transforms; i++) {
        paths[n++] = run->pipeline->transforms[i].spec.wasm_path;
    }
    paths[n++] = run->pipeline->destination.spec.wasm_path;
    const struct rb_resources *resources = &run->pipeline->resources;
    const struct rb_compile_limits limits = {.signal_fd = run->options->signal_fd,
                                             .deadline_ms = run->deadline_ms,
                                             .observer = run->observer,
                                             .memory_bytes = resources->compile_memory_bytes,
                                             .cpu_ms = resources->compile_cpu_ms};
    char what[BUSY_MAX];
    snprintf(what, sizeof what, "compiling connector '%s', once for this machine", use->use);
    rb_run_busy(run, what, true);
    int64_t start = rb_clock_ms();
    int status = rb_process_compile(run->options->self_path, run->options->aot_dir,
                                    run->options->no_os_sandbox, paths, n, &limits, err);
    rb_run_busy(run, "", true);
    run->report->timings.compile += (double)(rb_clock_ms() - start) / 1000.0;
    return status;
}

static int post_open(struct rb_run *run, const struct rb_connector_use *use, size_t index,
                     uint64_t *ret_id, struct rb_error *err)
{
    return rb_session_post_call(run->session, use->role, index, "rb_open", NULL, 0, ret_id, err);
}

static int await_open(struct rb_run *run, const struct rb_connector_use *use, uint64_t id,
                      struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf payload = RB_BUF_INIT(RB_RUN_JSON_MAX);
    int status = rb_session_await(run->session, id, &payload, err);
    status = status != 0 ? status : rb_session_call_result(&payload, NULL, err);
    if (status == 0) {
        learn(run, use, &payload);
    }
    return status;
}

/* The answer to a posted rb_open; when the AOT cache has no entry, compiles once and asks again. */
static int end_open(struct rb_run *run, const struct rb_connector_use *use, size_t index,
                    uint64_t id, struct rb_error *err)
{
    struct rb_error failure;
    rb_error_clear(&failure);
    int status = await_open(run, use, id, &failure);
    if (status != 0 && strcmp(failure.code, "AOT_MISSING") == 0) {
        rb_error_clear(&failure);
        status = compile(run, use, &failure);
        status = status != 0 ? status : post_open(run, use, index, &id, &failure);
        status = status != 0 ? status : await_open(run, use, id, &failure);
    }
    if (status != 0) {
        rb_error_prefix(&failure, "connector '%s'", use->use);
        if (err != NULL) {
            *err = failure;
        }
    }
    return status;
}

int rb_run_open_one(struct rb_run *run, const struct rb_connector_use *use, size_t index,
                    struct rb_error *err)
{
    uint64_t id = 0;
    int status = post_open(run, use, index, &id, err);
    if (status != 0) {
        rb_error_prefix(err, "connector '%s'", use->use);
        return status;
    }
    return end_open(run, use, index, id, err);
}

static enum rb_fault_side side_of(enum rb_role role)
{
    return role == RB_ROLE_SOURCE        ? RB_FAULT_SOURCE
           : role == RB_ROLE_DESTINATION ? RB_FAULT_DESTINATION
                                         : RB_FAULT_TRANSFORM;
}

static bool has_feature(const char *features, const char *name)
{
    RB_CLEANUP(rb_view_free)
    yyjson_doc *doc = features != NULL ? yyjson_read(features, strlen(features), 0) : NULL;
    size_t i, n;
    yyjson_val *item;
    yyjson_arr_foreach(yyjson_doc_get_root(doc), i, n, item)
    {
        if (yyjson_equals_str(item, name)) {
            return true;
        }
    }
    return false;
}

/* Both sides must know what the end of a part is: a destination that takes it for the stream's
 * would commit too early. */
static int check_parts(const struct rb_run *run, enum rb_fault_side *ret_side, struct rb_error *err)
{
    const struct rb_resources *resources = &run->pipeline->resources;
    if (resources->checkpoint_interval_bytes == 0 && resources->checkpoint_interval_rows == 0 &&
        resources->checkpoint_interval_seconds == 0) {
        return RB_OK;
    }
    bool source = has_feature(run->source_features, "checkpoints");
    bool destination =
        has_feature(run->destination_features, "checkpoints") && run->destination_ledgers;
    if (source && destination) {
        return RB_OK;
    }
    *ret_side = source ? RB_FAULT_DESTINATION : RB_FAULT_SOURCE;
    rb_error_set(err, RB_ECONFIG, "NOT_SUPPORTED",
                 "connector '%s' does not know checkpoints within a stream (checkpoint_interval_*)",
                 source ? run->pipeline->destination.use : run->pipeline->source.use);
    rb_error_set_hint(err, "set resources.checkpoint_interval_* to 0");
    return RB_ECONFIG;
}

/* Source, transforms, destination. */
static size_t list_uses(const struct rb_pipeline *pipeline,
                        const struct rb_connector_use *ret_uses[RB_UNIT_STAGES_MAX])
{
    size_t n = 0;
    ret_uses[n++] = &pipeline->source;
    for (size_t i = 0; i < pipeline->n_transforms; i++) {
        ret_uses[n++] = &pipeline->transforms[i];
    }
    ret_uses[n++] = &pipeline->destination;
    return n;
}

/* Of the connectors in this order: transforms are counted, the others are alone. */
static size_t index_of(const struct rb_connector_use *use, size_t i)
{
    return use->role == RB_ROLE_TRANSFORM ? i - 1 : 0;
}

void rb_run_post_open(struct rb_run *run)
{
    const struct rb_connector_use *uses[RB_UNIT_STAGES_MAX];
    size_t n = list_uses(run->pipeline, uses);
    for (size_t i = 0; i < n; i++) {
        if (post_open(run, uses[i], index_of(uses[i], i), &run->open_ids[i], NULL) != 0) {
            run->open_ids[i] = 0;
        }
    }
}

int rb_run_open(struct rb_run *run, enum rb_fault_side *ret_side, struct rb_error *err)
{
    const struct rb_connector_use *uses[RB_UNIT_STAGES_MAX];
    size_t n = list_uses(run->pipeline, uses);
    int status = 0;
    /* All at once: each is loaded in a thread of its own. */
    for (size_t i = 0; status == 0 && i < n; i++) {
        *ret_side = side_of(uses[i]->role);
        if (run->open_ids[i] == 0) {
            status = post_open(run, uses[i], index_of(uses[i], i), &run->open_ids[i], err);
        }
    }
    for (size_t i = 0; status == 0 && i < n; i++) {
        *ret_side = side_of(uses[i]->role);
        status = end_open(run, uses[i], index_of(uses[i], i), run->open_ids[i], err);
    }
    memset(run->open_ids, 0, sizeof run->open_ids);
    run->dry_runs = has_feature(run->source_features, "dry_run") &&
                    has_feature(run->destination_features, "dry_run");
    run->report->exactly_once = run->source_plans && run->destination_ledgers;
    return status != 0 ? status : check_parts(run, ret_side, err);
}
