#include "host/worker/control.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "host/worker/clock.h"
#include "host/worker/stage.h"
#include "host/worker/summary.h"
#include "host/worker/worker.h"

enum { EXPORT_CLOSE = RB_GUEST_EXPORT_COUNT }; /* beside enum rb_guest_export */

struct rb_control {
    struct rb_context *context;
    struct rb_stage *stage; /* its own, or a lane's */
    struct rb_stage own;
    atomic_bool busy;
    uint64_t id;
    unsigned export; /* enum rb_guest_export, or EXPORT_CLOSE */
    struct rb_buf input;
};

int rb_control_new(struct rb_context *context, const struct rb_connector_spec *spec,
                   struct rb_stage *of_lane, struct rb_control **ret_control, struct rb_error *err)
{
    struct rb_control *control = calloc(1, sizeof *control);
    if (control == NULL) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a connector instance");
    }
    control->context = context;
    rb_buf_init(&control->input, RB_WORKER_JSON_MAX);
    control->stage = of_lane != NULL ? of_lane : &control->own;
    int r = of_lane != NULL ? 0
                            : rb_stage_init(&control->own, context, spec,
                                            context->budget.control_guest_bytes, err);
    if (r != 0) {
        rb_control_free(control);
        return r;
    }
    *ret_control = control;
    return 0;
}

bool rb_control_stop(struct rb_control *control, void (*ended)(void *user), void *user)
{
    if (control->stage != &control->own) {
        return false;
    }
    rb_instance_stop(control->own.instance, ended, user);
    return true;
}

void rb_control_free(struct rb_control *control)
{
    if (control == NULL) {
        return;
    }
    rb_stage_release(&control->own);
    rb_buf_release(&control->input);
    free(control);
}

static int call(struct rb_control *control, struct rb_instance_timings *ret_timings,
                struct rb_buf *data, struct rb_error *err)
{
    struct rb_instance *instance = control->stage->instance;
    if (control->export == EXPORT_CLOSE) {
        return rb_instance_close(instance, err);
    }
    int r = rb_instance_open(instance, ret_timings, err);
    if (r != 0) {
        return r;
    }
    if (control->export != RB_GUEST_OPEN) {
        return rb_instance_call(instance, (enum rb_guest_export)control->export,
                                rb_buf_str(&control->input), control->input.len, data, err);
    }
    const struct rb_buf *info = rb_instance_info(instance);
    r = rb_buf_append(data, info->data, info->len);
    return r == 0 ? 0 : rb_error_set(err, r, "OUT_OF_MEMORY", "no memory for an answer");
}

static void write_exports(struct rb_json *json, const struct rb_instance *instance)
{
    static const enum rb_guest_export optional[] = {RB_GUEST_PLAN, RB_GUEST_BEGIN, RB_GUEST_PUBLISH,
                                                    RB_GUEST_ABANDON, RB_GUEST_HASH};
    rb_json_key(json, "exports");
    rb_json_begin_array(json);
    for (size_t i = 0; i < sizeof optional / sizeof *optional; i++) {
        if (rb_instance_has(instance, optional[i])) {
            rb_json_str(json, rb_guest_export_name(optional[i]));
        }
    }
    rb_json_end_array(json);
}

static void write_timings(struct rb_json *json, const struct rb_instance *instance,
                          const struct rb_instance_timings *timings, double run_secs)
{
    rb_json_key(json, "timings");
    rb_json_begin_object(json);
    rb_json_member_double(json, "open_secs", timings->open_secs);
    rb_json_member_double(json, "load_secs", timings->load_secs);
    rb_json_member_double(json, "instantiate_secs", timings->instantiate_secs);
    rb_json_member_double(json, "run_secs", run_secs);
    rb_json_member_u64(json, "memory_bytes", rb_instance_memory_bytes(instance));
    rb_json_member_bool(json, "aot", rb_instance_is_aot(instance));
    rb_json_end_object(json);
}

static void run_call(void *user)
{
    struct rb_control *control = user;
    RB_CLEANUP(rb_buf_release) struct rb_buf data = RB_BUF_INIT(RB_WORKER_JSON_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(RB_LINK_PAYLOAD_MAX);
    struct rb_instance_timings timings = {0};
    struct rb_error err = {0};
    int64_t start = rb_clock_ns();
    int r = call(control, &timings, &data, &err);
    double run_secs = rb_clock_secs(rb_clock_ns() - start) - timings.open_secs;

    struct rb_json json;
    rb_json_init(&json, &text);
    rb_json_begin_object(&json);
    if (r == 0) {
        rb_json_member_raw(&json, "data", rb_buf_str(&data), data.len);
    } else {
        rb_json_key(&json, "error");
        rb_link_error_encode(&json, &err);
    }
    if (r == 0 && control->export == RB_GUEST_OPEN) {
        write_exports(&json, control->stage->instance);
    }
    write_timings(&json, control->stage->instance, &timings, run_secs);
    rb_json_end_object(&json);
    r = rb_json_finish(&json);
    if (r != 0) {
        rb_error_set(&err, r, "RESULT_TOO_LARGE", "the answer does not fit into a message");
        rb_buf_clear(&text);
        rb_summary_write_error(&text, &err);
    }
    /* The next call may begin as soon as this one was answered. */
    struct rb_context *context = control->context;
    uint64_t id = control->id;
    atomic_store(&control->busy, false);
    rb_worker_send_result(context->link, id, &text);
}

static int export_of(yyjson_val *name, unsigned *ret_export)
{
    for (unsigned i = 0; i < RB_GUEST_EXPORT_COUNT; i++) {
        bool is_run =
            i == RB_GUEST_RUN_READ || i == RB_GUEST_RUN_WRITE || i == RB_GUEST_RUN_TRANSFORM;
        if (!is_run && yyjson_equals_str(name, rb_guest_export_name((enum rb_guest_export)i))) {
            *ret_export = i;
            return 0;
        }
    }
    if (yyjson_equals_str(name, "rb_close")) {
        *ret_export = EXPORT_CLOSE;
        return 0;
    }
    return RB_EPROTOCOL;
}

static int set_input(struct rb_control *control, yyjson_val *message, struct rb_error *err)
{
    yyjson_val *input = yyjson_obj_get(message, "input");
    size_t len = 0;
    char *text = yyjson_is_obj(input) ? yyjson_val_write(input, 0, &len) : NULL;
    if (text == NULL || export_of(yyjson_obj_get(message, "export"), &control->export) != 0) {
        free(text);
        return rb_error_set(err, RB_EPROTOCOL, "CALL", "a call lacks its export or its input");
    }
    rb_buf_clear(&control->input);
    int r = rb_buf_append(&control->input, text, len);
    free(text);
    return r == 0 ? 0
                  : rb_error_set(err, r, "OUT_OF_MEMORY",
                                 "a call's input of %zu bytes is too large", len);
}

int rb_control_start(struct rb_control *control, uint64_t id, yyjson_val *message,
                     struct rb_error *err)
{
    if (atomic_load(&control->busy)) {
        return rb_error_set(err, RB_EINTERNAL, "BUSY", "connector '%s' has a call to do already",
                            control->stage->spec->id);
    }
    int r = set_input(control, message, err);
    r = r != 0 ? r : rb_stage_reset(control->stage, 0, NULL, 0, err);
    if (r != 0) {
        return r;
    }
    control->id = id;
    atomic_store(&control->busy, true);
    return rb_instance_submit(control->stage->instance, run_call, control, err);
}

bool rb_control_overrun(struct rb_control *control, struct rb_instance_overrun *ret)
{
    struct rb_instance *instance = control->stage->instance;
    return instance != NULL && rb_instance_overrun(instance, ret);
}
