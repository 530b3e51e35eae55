#include "host/worker/lane.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/json.h"
#include "host/worker/clock.h"
#include "host/worker/stage.h"
#include "host/worker/summary.h"
#include "host/worker/worker.h"

struct slot {
    struct rb_lane *lane;
    size_t index;
    struct rb_stage stage;
    struct rb_buf input; /* the StreamContext */
};

struct rb_lane {
    struct rb_context *context;
    size_t n;
    struct slot slots[RB_UNIT_STAGES_MAX];
    struct rb_channel channels[RB_UNIT_STAGES_MAX - 1];
    size_t n_channels;
    struct rb_progress progress;
    uint64_t unit;

    pthread_mutex_t lock; /* of what follows */
    size_t n_running;
    bool satisfied; /* the destination needs none of the rows: the unit is loaded already */
    struct rb_unit_result result;
};

static const enum rb_guest_export run_exports[] = {
    [RB_ROLE_SOURCE] = RB_GUEST_RUN_READ,
    [RB_ROLE_TRANSFORM] = RB_GUEST_RUN_TRANSFORM,
    [RB_ROLE_DESTINATION] = RB_GUEST_RUN_WRITE,
};

static bool is_lane(const struct rb_worker_spec *spec)
{
    size_t n = spec->n_connectors;
    if (n < 2 || n > RB_UNIT_STAGES_MAX || spec->connectors[0].role != RB_ROLE_SOURCE ||
        spec->connectors[n - 1].role != RB_ROLE_DESTINATION) {
        return false;
    }
    for (size_t i = 1; i + 1 < n; i++) {
        if (spec->connectors[i].role != RB_ROLE_TRANSFORM) {
            return false;
        }
    }
    return true;
}

static int init_channels(struct rb_lane *lane, struct rb_error *err)
{
    const struct rb_worker_spec *spec = lane->context->spec;
    for (; lane->n_channels + 1 < lane->n; lane->n_channels++) {
        int r =
            rb_channel_init(&lane->channels[lane->n_channels], (size_t)spec->max_inflight_batches,
                            lane->context->budget.channel_bytes, err);
        if (r != 0) {
            return r;
        }
    }
    return 0;
}

static int init_slots(struct rb_lane *lane, struct rb_error *err)
{
    const struct rb_worker_spec *spec = lane->context->spec;
    size_t n = spec->n_connectors;
    for (size_t i = 0; i < n; i++) {
        struct slot *slot = &lane->slots[i];
        slot->lane = lane;
        slot->index = i;
        rb_buf_init(&slot->input, RB_WORKER_JSON_MAX);
        int r = rb_stage_init(&slot->stage, lane->context, &spec->connectors[i],
                              lane->context->budget.lane_guest_bytes, err);
        if (r != 0) {
            return r;
        }
        slot->stage.progress = &lane->progress;
        slot->stage.in = i > 0 ? &lane->channels[i - 1] : NULL;
        slot->stage.out = i + 1 < n ? &lane->channels[i] : NULL;
    }
    return 0;
}

int rb_lane_new(struct rb_context *context, struct rb_lane **ret_lane, struct rb_error *err)
{
    if (!is_lane(context->spec)) {
        return rb_error_set(err, RB_ECONFIG, "NO_LANE",
                            "a unit needs a source, any transforms and a destination");
    }
    struct rb_lane *lane = calloc(1, sizeof *lane);
    if (lane == NULL) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a lane");
    }
    lane->context = context;
    lane->n = context->spec->n_connectors;
    lane->progress.link = context->link;
    pthread_mutex_init(&lane->lock, NULL); /* can't fail on Linux with default attributes */
    rb_unit_result_init(&lane->result);
    int r = init_channels(lane, err);
    r = r != 0 ? r : init_slots(lane, err);
    if (r != 0) {
        rb_lane_stop(lane, NULL, NULL);
        rb_lane_free(lane);
        return r;
    }
    *ret_lane = lane;
    return 0;
}

struct rb_stage *rb_lane_source(struct rb_lane *lane)
{
    return &lane->slots[0].stage;
}

size_t rb_lane_count_stages(const struct rb_lane *lane)
{
    return lane->n;
}

void rb_lane_cancel(struct rb_lane *lane)
{
    for (size_t i = 0; i < lane->n_channels; i++) {
        rb_channel_cancel(&lane->channels[i]);
    }
}

bool rb_lane_overrun(struct rb_lane *lane, struct rb_instance_overrun *ret)
{
    for (size_t i = 0; i < lane->n; i++) {
        struct rb_instance *instance = lane->slots[i].stage.instance;
        if (instance != NULL && rb_instance_overrun(instance, ret)) {
            return true;
        }
    }
    return false;
}

void rb_lane_stop(struct rb_lane *lane, void (*ended)(void *user), void *user)
{
    for (size_t i = 0; i < lane->n; i++) {
        if (lane->slots[i].stage.instance != NULL) {
            rb_instance_stop(lane->slots[i].stage.instance, ended, user);
        }
    }
}

void rb_lane_free(struct rb_lane *lane)
{
    if (lane == NULL) {
        return;
    }
    for (size_t i = 0; i < lane->n; i++) {
        rb_stage_release(&lane->slots[i].stage);
        rb_buf_release(&lane->slots[i].input);
    }
    for (size_t i = 0; i < lane->n_channels; i++) {
        rb_channel_release(&lane->channels[i]);
    }
    rb_unit_result_release(&lane->result);
    pthread_mutex_destroy(&lane->lock);
    free(lane);
}

/* The last stage's thread: nothing of the lane is touched after n_running became 0, because the
 * next unit may begin. */
static void stage_ends(struct rb_lane *lane)
{
    pthread_mutex_lock(&lane->lock);
    if (lane->n_running > 1) {
        lane->n_running--;
        pthread_mutex_unlock(&lane->lock);
        return;
    }
    struct rb_context *context = lane->context;
    uint64_t unit = lane->unit;
    struct rb_unit_result *result = &lane->result;
    const struct rb_stage *source = &lane->slots[0].stage;
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(RB_LINK_PAYLOAD_MAX);
    result->batches = source->sent.batches;
    result->bytes = source->sent.bytes;
    result->compressed_bytes = source->sent.compressed_bytes;
    result->records = source->sent.rows;
    int r = 0;
    if (result->stages[0].ok && source->checkpoint.len > 0) {
        r = rb_buf_append(&result->source_checkpoint, source->checkpoint.data,
                          source->checkpoint.len);
    }
    r = r != 0 ? r : rb_unit_result_encode(result, &text);
    if (r != 0) {
        struct rb_error err;
        rb_error_set(&err, r, "RESULT_TOO_LARGE", "a unit's result does not fit into a message");
        rb_buf_clear(&text);
        rb_summary_write_error(&text, &err);
    }
    lane->n_running = 0;
    pthread_mutex_unlock(&lane->lock);
    rb_worker_send_result(context->link, unit, &text);
}

/* Notes what the stage came to, before others can get to know, so that the first cause is the first
 * that is noted. Returns whether it counts as a success. */
static bool note_outcome(struct slot *slot, int status, const struct rb_error *err, bool satisfied)
{
    struct rb_lane *lane = slot->lane;
    struct rb_stage_result *result = &lane->result.stages[slot->index];
    pthread_mutex_lock(&lane->lock);
    lane->satisfied |= satisfied;
    result->ok = status == 0 || (lane->satisfied && status != RB_ECANCELLED);
    if (status != 0) {
        rb_buf_clear(&result->data);
    }
    if (!result->ok) {
        result->error = *err;
        if (lane->result.first_failed < 0) {
            lane->result.first_failed = (int)slot->index;
        }
    }
    bool ok = result->ok;
    pthread_mutex_unlock(&lane->lock);
    return ok;
}

/* Tells the neighbours. */
static void pass_on(struct slot *slot, int status, struct rb_error *err, const char *checksum)
{
    struct rb_lane *lane = slot->lane;
    struct rb_stage *stage = &slot->stage;
    if (stage->in != NULL) {
        if (status == 0) {
            rb_error_set(err, RB_EABORTED, "RECEIVER_ENDED", "it has all it needs");
        }
        rb_channel_close(stage->in, err);
    }
    if (stage->out == NULL) {
        return;
    }
    if (status == 0) {
        status = rb_stage_send_end(stage, slot->index == 0 ? checksum : NULL,
                                   &lane->slots[0].stage.checkpoint, err);
    }
    if (status != 0) {
        rb_stage_send_abort(stage, err);
    }
}

static double waited_secs(const struct rb_stage *stage)
{
    int64_t ns = stage->in != NULL ? stage->in->recv_wait_ns : 0;
    ns += stage->out != NULL ? stage->out->send_wait_ns : 0;
    return rb_clock_secs(ns);
}

static int run_export(struct slot *slot, struct rb_stage_result *result, struct rb_error *err)
{
    struct rb_stage *stage = &slot->stage;
    struct rb_instance_timings timings = {0};
    int r = rb_instance_open(stage->instance, &timings, err);
    result->open_secs = timings.open_secs;
    result->load_secs = timings.load_secs;
    result->instantiate_secs = timings.instantiate_secs;
    if (r != 0) {
        return r;
    }
    int64_t start = rb_clock_ns();
    stage->running = true;
    r = rb_instance_call(stage->instance, run_exports[stage->spec->role], rb_buf_str(&slot->input),
                         slot->input.len, &result->data, err);
    stage->running = false;
    result->run_secs = rb_clock_secs(rb_clock_ns() - start);
    result->wait_secs = waited_secs(stage);
    result->memory_bytes = rb_instance_memory_bytes(stage->instance);
    return r;
}

static void run_stage(void *user)
{
    struct slot *slot = user;
    struct rb_lane *lane = slot->lane;
    struct rb_stage_result *result = &lane->result.stages[slot->index];
    struct rb_error err = {0};
    struct rb_summary summary = {0};
    int r = run_export(slot, result, &err);
    r = r != 0 ? r : rb_summary_check(&slot->stage, &result->data, &summary, &err);
    r = r != 0 ? r : RB_FAULT(STAGE_ENDED, &err);
    bool ok = note_outcome(slot, r, &err, r == 0 && summary.needs_no_rows);
    pass_on(slot, r, &err, summary.checksum[0] != 0 ? summary.checksum : NULL);
    if (!ok || r != 0) {
        /* What state a connector is in after a failure only it knows. */
        (void)rb_instance_close(slot->stage.instance, NULL);
    }
    stage_ends(lane);
}

/* The StreamContext as the connector gets it, and the stream's name. */
static int set_input(struct slot *slot, uint64_t unit, yyjson_val *context, struct rb_error *err)
{
    yyjson_val *name = yyjson_obj_get(context, "stream_name");
    size_t len = 0;
    char *text = yyjson_is_obj(context) ? yyjson_val_write(context, 0, &len) : NULL;
    if (text == NULL || !yyjson_is_str(name)) {
        free(text);
        return rb_error_set(err, RB_EPROTOCOL, "UNIT", "a unit lacks the StreamContext of its %s",
                            rb_role_name(slot->stage.spec->role));
    }
    rb_buf_clear(&slot->input);
    int r = rb_buf_append(&slot->input, text, len);
    free(text);
    if (r != 0) {
        return rb_error_set(err, r, "OUT_OF_MEMORY", "a StreamContext of %zu bytes is too large",
                            len);
    }
    return rb_stage_reset(&slot->stage, unit, yyjson_get_str(name), yyjson_get_len(name), err);
}

/* Whether the operator set a checkpoint_interval_* for the unit. Through a transform, which may
 * keep rows back, there are no parts. (The message's numbers are as they were written.) */
static bool may_part(yyjson_val *message, size_t n_stages)
{
    static const char *const keys[] = {"checkpoint_interval_rows", "checkpoint_interval_bytes",
                                       "checkpoint_interval_seconds"};
    yyjson_val *limits = yyjson_obj_get(yyjson_obj_get(message, "source"), "limits");
    bool any = false;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *number = yyjson_get_raw(yyjson_obj_get(limits, keys[i]));
        any |= number != NULL && strcmp(number, "0") != 0;
    }
    return any && n_stages == 2;
}

static yyjson_val *context_of(yyjson_val *message, size_t index, size_t n)
{
    if (index == 0) {
        return yyjson_obj_get(message, "source");
    }
    if (index + 1 == n) {
        return yyjson_obj_get(message, "destination");
    }
    return yyjson_arr_get(yyjson_obj_get(message, "transforms"), index - 1);
}

int rb_lane_start(struct rb_lane *lane, uint64_t unit, yyjson_val *message, struct rb_error *err)
{
    pthread_mutex_lock(&lane->lock);
    bool busy = lane->n_running > 0;
    pthread_mutex_unlock(&lane->lock);
    if (busy) {
        return rb_error_set(err, RB_EINTERNAL, "BUSY", "the lane has a unit already");
    }
    int fault = RB_FAULT(LANE_START, err);
    if (fault != 0) {
        return fault;
    }
    lane->unit = unit;
    lane->satisfied = false;
    rb_unit_result_release(&lane->result);
    rb_unit_result_init(&lane->result);
    lane->result.n_stages = lane->n;
    rb_progress_reset(&lane->progress, unit);
    for (size_t i = 0; i < lane->n; i++) {
        int r = set_input(&lane->slots[i], unit, context_of(message, i, lane->n), err);
        if (r != 0) {
            return r;
        }
    }
    lane->slots[0].stage.may_part = may_part(message, lane->n);
    for (size_t i = 0; i < lane->n_channels; i++) {
        rb_channel_reset(&lane->channels[i]);
    }
    lane->n_running = lane->n;
    for (size_t i = 0; i < lane->n; i++) {
        /* Every thread of an idle lane takes a job; only stopping refuses it, and then nobody
         * waits for the result. */
        (void)rb_instance_submit(lane->slots[i].stage.instance, run_stage, &lane->slots[i], NULL);
    }
    RB_FAULT_MARK(LANE_STARTED);
    return 0;
}
