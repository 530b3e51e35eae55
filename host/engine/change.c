/* Where streams stand, changed by the operator. */
#include "host/state/change.h"

#include <string.h>

#include "host/engine/run.h"

static int write_request(const struct rb_run *run, const struct rb_state_change *changes,
                         size_t n_changes, struct rb_buf *ret)
{
    struct rb_json json;
    rb_json_init(&json, ret);
    rb_json_begin_object(&json);
    rb_json_member_str(&json, "load_id", NULL);
    rb_json_member_str(&json, "pipeline", run->pipeline->name);
    rb_json_key(&json, "checkpoints");
    rb_json_begin_array(&json);
    for (size_t i = 0; i < n_changes; i++) {
        const char *checkpoint = changes[i].checkpoint_json;
        rb_json_begin_object(&json);
        rb_json_member_str(&json, "stream_name", changes[i].stream);
        rb_json_member_raw(&json, "checkpoint", checkpoint,
                           checkpoint != NULL ? strlen(checkpoint) : 0);
        rb_json_end_object(&json);
    }
    rb_json_end_array(&json);
    rb_json_member_str(&json, "checkpoint_load_id", run->report->load_id);
    rb_json_end_object(&json);
    return rb_json_finish(&json);
}

/* rb_abandon with this request. 0, or 1: the destination keeps no ledger. */
static int call_abandon(struct rb_run *run, const struct rb_buf *request, struct rb_buf *ret_data,
                        struct rb_fault *fault)
{
    struct rb_error *err = &fault->error;
    int status = rb_run_start_session(run, err);
    if (status != 0) {
        return status;
    }
    fault->side = RB_FAULT_DESTINATION;
    status = rb_run_open_one(run, &run->pipeline->destination, 0, err);
    if (status != 0 || !run->destination_ledgers) {
        return status != 0 ? status : 1;
    }
    if (!run->destination_abandons) {
        return rb_error_set(err, RB_ECONNECTOR, "NOT_SUPPORTED",
                            "%s keeps a ledger and can't change it (it has no rb_abandon)",
                            run->pipeline->destination.use);
    }
    status = rb_session_call(run->session, RB_ROLE_DESTINATION, 0, "rb_abandon",
                             rb_buf_str(request), request->len, ret_data, err);
    if (rb_session_is_stopped(run->session)) {
        fault->side = RB_FAULT_ENGINE;
    }
    return status;
}

/* Under the pipeline's lock. */
static int begin_change(struct rb_run *run, struct rb_fault *fault)
{
    int status = rb_state_open(run->pipeline->state_path, &run->state, &fault->error);
    if (status == 0) {
        int locked = rb_state_lock(run->state, run->pipeline->name, &fault->error);
        status = locked < 0 ? locked : RB_OK;
    }
    return status;
}

static void end_change(struct rb_run *run)
{
    struct rb_run_report *report = run->report;
    rb_session_end(run->session, NULL);
    rb_run_release(run);
    rb_run_report_release(report);
}

int rb_engine_change(const struct rb_pipeline *pipeline, const struct rb_engine_options *options,
                     const struct rb_observer *observer, const struct rb_state_change *changes,
                     size_t n_changes, const struct rb_state_key *keys, size_t n_keys,
                     struct rb_fault *fault)
{
    struct rb_run_report scratch;
    memset(&scratch, 0, sizeof scratch);
    struct rb_run run;
    RB_CLEANUP(rb_buf_release) struct rb_buf request = RB_BUF_INIT(RB_RUN_JSON_MAX);
    rb_error_clear(&fault->error);
    fault->side = RB_FAULT_ENGINE;
    int status = rb_run_init(&run, pipeline, options, observer, &scratch, &fault->error);
    status = status != 0 ? status : begin_change(&run, fault);
    if (status == 0 && write_request(&run, changes, n_changes, &request) != 0) {
        status =
            rb_error_set(&fault->error, RB_ENOMEM, "ABANDON", "writing the request of rb_abandon");
    }
    status = status != 0 ? status : call_abandon(&run, &request, NULL, fault);
    int ledger = status;
    if (status >= 0) {
        fault->side = RB_FAULT_ENGINE;
        status = rb_state_apply(run.state, pipeline->name, scratch.load_id, changes, n_changes,
                                keys, n_keys, &fault->error);
    }
    end_change(&run);
    return status != 0 ? status : ledger;
}

int rb_engine_give_up(const struct rb_pipeline *pipeline, const struct rb_engine_options *options,
                      const struct rb_observer *observer, const char *key, const char *load_id,
                      struct rb_buf *ret_info, struct rb_fault *fault)
{
    struct rb_run_report scratch;
    memset(&scratch, 0, sizeof scratch);
    struct rb_run run;
    struct rb_json json;
    RB_CLEANUP(rb_buf_release) struct rb_buf request = RB_BUF_INIT(RB_RUN_JSON_MAX);
    rb_error_clear(&fault->error);
    fault->side = RB_FAULT_ENGINE;
    rb_json_init(&json, &request);
    rb_json_begin_object(&json);
    rb_json_member_str(&json, "load_id", NULL);
    rb_json_member_str(&json, "pipeline", pipeline->name);
    rb_json_key(&json, "give_up");
    rb_json_begin_object(&json);
    rb_json_member_str(&json, "key", key);
    rb_json_member_str(&json, "load_id", load_id);
    rb_json_end_object(&json);
    rb_json_end_object(&json);
    int status = rb_run_init(&run, pipeline, options, observer, &scratch, &fault->error);
    status = status != 0 ? status : begin_change(&run, fault);
    if (status == 0 && rb_json_finish(&json) != 0) {
        status =
            rb_error_set(&fault->error, RB_ENOMEM, "ABANDON", "writing the request of rb_abandon");
    }
    status = status != 0 ? status : call_abandon(&run, &request, ret_info, fault);
    end_change(&run);
    return status;
}

static int plan_from(struct rb_run *run, const char *checkpoint_json, struct rb_fault *fault)
{
    struct rb_error *err = &fault->error;
    int status = rb_run_start_session(run, err);
    if (status == 0) {
        fault->side = RB_FAULT_SOURCE;
        status = rb_run_open_one(run, &run->pipeline->source, 0, err);
    }
    status = status != 0 ? status : rb_run_expand(run, &fault->side, err);
    for (size_t i = 0; status == 0 && i < run->n_streams; i++) {
        status = rb_run_adopt(&run->streams[i], checkpoint_json, strlen(checkpoint_json));
    }
    if (status == 0) {
        fault->side = RB_FAULT_SOURCE;
        status = rb_run_plan(run, err);
    }
    for (size_t i = 0; status == 0 && i < run->n_streams; i++) {
        if (run->report->streams[i].outcome == RB_OUTCOME_FAILED) {
            *fault = run->report->streams[i].fault;
            status = fault->error.status;
        }
    }
    return status;
}

int rb_engine_try_checkpoint(const struct rb_pipeline *pipeline,
                             const struct rb_engine_options *options,
                             const struct rb_observer *observer, const char *stream,
                             const char *checkpoint_json, struct rb_fault *fault)
{
    struct rb_run_report scratch;
    memset(&scratch, 0, sizeof scratch);
    struct rb_run run;
    const char *names[] = {stream};
    const struct rb_names only = {.items = names, .count = 1};
    struct rb_engine_options chosen = *options;
    chosen.only_streams = &only;
    rb_error_clear(&fault->error);
    fault->side = RB_FAULT_ENGINE;
    int status = rb_run_init(&run, pipeline, &chosen, observer, &scratch, &fault->error);
    status = status != 0 ? status : plan_from(&run, checkpoint_json, fault);
    if (run.session != NULL && rb_session_is_stopped(run.session)) {
        fault->side = RB_FAULT_ENGINE;
    }
    end_change(&run);
    return status;
}
