#include <string.h>

#include "base/fault.h"
#include "host/engine/run.h"
#include "host/engine/view.h"
#include "host/link/spec.h"

enum { PIECE_BYTES = 128 * 1024 };

/* Not ended, and nothing of it is on its way under another snapshot. */
static bool is_wanted(const struct rb_stream_run *stream)
{
    enum rb_outcome outcome = stream->report->outcome;
    return (outcome == RB_OUTCOME_NOT_STARTED || outcome == RB_OUTCOME_RUNNING) &&
           stream->units_running == 0 && stream->units_done == 0;
}

static bool is_left(const struct rb_stream_run *stream)
{
    return is_wanted(stream) && !stream->planned;
}

static size_t count_left(const struct rb_run *run)
{
    size_t n = 0;
    for (size_t i = 0; i < run->n_streams; i++) {
        n += is_left(&run->streams[i]) ? 1 : 0;
    }
    return n;
}

void rb_run_write_tables(const struct rb_run *run, struct rb_json *json)
{
    rb_json_key(json, "tables");
    rb_json_begin_array(json);
    for (size_t i = 0; i < run->n_document_streams; i++) {
        const struct rb_stream *stream = &run->document_streams[i];
        rb_json_begin_object(json);
        rb_json_member_str(json, "schema", stream->source_schema);
        rb_json_member_str(json, "name",
                           stream->source_table != NULL ? stream->source_table : stream->name);
        rb_json_end_object(json);
    }
    rb_json_end_array(json);
}

/* As many streams as make a request that a connector's memory has room for. */
static int write_request(const struct rb_run *run, bool continues, struct rb_buf *ret)
{
    struct rb_json json;
    rb_json_init(&json, ret);
    rb_json_begin_object(&json);
    rb_json_member_str(&json, "load_id", run->report->load_id);
    rb_json_member_i64(&json, "parallelism", run->lanes);
    rb_json_member_bool(&json, "continues", continues);
    rb_json_member_i64(&json, "total", (int64_t)count_left(run));
    if (!continues) {
        rb_run_write_tables(run, &json);
    }
    bool in_pieces = strstr(run->source_features, "\"plan_continues\"") != NULL;
    rb_json_key(&json, "streams");
    rb_json_begin_array(&json);
    size_t begun = ret->len;
    for (size_t i = 0; i < run->n_streams && (!in_pieces || ret->len - begun < PIECE_BYTES); i++) {
        if (is_left(&run->streams[i])) {
            rb_run_write_context(run, &run->streams[i], &json, RB_ROLE_SOURCE, 0);
        }
    }
    rb_json_end_array(&json);
    rb_json_end_object(&json);
    return rb_json_finish(&json);
}

static void forget_units(struct rb_stream_run *stream)
{
    for (size_t i = 0; i < stream->n_units; i++) {
        free(stream->ranges[i]);
    }
    free(stream->ranges);
    free(stream->returned);
    stream->ranges = NULL;
    stream->returned = NULL;
    stream->n_returned = 0;
    stream->n_units = 0;
}

/* One unit without a range unless the plan says otherwise. */
static int set_units(const struct rb_run *run, struct rb_stream_run *stream, yyjson_val *units,
                     struct rb_error *err)
{
    size_t n = run->dry ? 0 : yyjson_arr_size(units); /* none of its rows is read */
    if (n > RB_RUN_UNITS_MAX) {
        return rb_error_set(err, RB_ECONNECTOR, "CONTRACT", "rb_plan divides '%s' into %zu units",
                            stream->stream->name, n);
    }
    forget_units(stream);
    stream->ranges = calloc(n > 0 ? n : 1, sizeof *stream->ranges);
    stream->returned = calloc(n > 0 ? n : 1, sizeof *stream->returned);
    if (stream->ranges == NULL || stream->returned == NULL) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory");
    }
    stream->n_units = n > 0 ? n : 1;
    stream->next_unit = 0;
    for (size_t i = 0; i < n; i++) {
        const char *range = rb_view_str(yyjson_arr_get(units, i), "range");
        stream->ranges[i] = range != NULL ? strdup(range) : NULL;
        if (range != NULL && stream->ranges[i] == NULL) {
            return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory");
        }
    }
    stream->planned = true;
    stream->plan_again = false;
    return RB_OK;
}

/* The source's estimate is of the whole table: it says nothing of a part. */
static int64_t estimate(const struct rb_stream_run *stream, int64_t rows)
{
    bool part = stream->stream->where != NULL || stream->last_value != NULL;
    return part ? 0 : rows;
}

/* `snapshot` NULL: none. A stream that is on its way keeps the one it began with: its rows must all
 * be of one moment. */
static int take_stream(struct rb_run *run, yyjson_val *plan, const char *snapshot, size_t *at,
                       struct rb_error *err)
{
    /* As a rule it is the one behind the last. */
    size_t i = rb_run_find(run, rb_view_str(plan, "stream_name"), *at);
    if (i == run->n_streams || !is_wanted(&run->streams[i])) {
        return RB_OK;
    }
    struct rb_stream_run *stream = &run->streams[i];
    *at = i + 1;
    RB_CLEANUP(rb_view_text_free) char *error = rb_view_json(plan, "error");
    if (error != NULL) {
        struct rb_error failure;
        rb_error_clear(&failure);
        if (rb_link_error_decode(error, strlen(error), &failure) == 0) {
            rb_run_stream_fail(run, stream, RB_FAULT_SOURCE, &failure);
            return RB_OK;
        }
    }
    free(stream->primary_key);
    stream->primary_key = rb_view_json(plan, "primary_key");
    if (run->dry) {
        free(stream->notes);
        stream->notes = rb_view_json(plan, "notes");
    }
    free(stream->plan);
    stream->plan = rb_view_json(plan, "plan");
    stream->report->estimated_rows = estimate(stream, rb_view_count(plan, "estimated_rows"));
    free(stream->snapshot);
    stream->snapshot = snapshot != NULL ? strdup(snapshot) : NULL;
    if (snapshot != NULL && stream->snapshot == NULL) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory");
    }
    return set_units(run, stream, yyjson_obj_get(plan, "units"), err);
}

static int take_answer(struct rb_run *run, const struct rb_buf *data, struct rb_error *err)
{
    RB_CLEANUP(rb_view_free) yyjson_doc *doc = rb_view_parse(data);
    yyjson_val *root = yyjson_doc_get_root(doc);
    RB_CLEANUP(rb_view_text_free) char *snapshot = rb_view_json(root, "snapshot");
    size_t i, n, at = 0, before = count_left(run);
    yyjson_val *item;
    yyjson_arr_foreach(yyjson_obj_get(root, "streams"), i, n, item)
    {
        int status = take_stream(run, item, snapshot, &at, err);
        if (status != 0) {
            return status;
        }
    }
    size_t left = count_left(run);
    for (i = 0; left > 0 && left == before && i < run->n_streams; i++) {
        if (is_left(&run->streams[i])) {
            return rb_error_set(err, RB_ECONNECTOR, "CONTRACT", "rb_plan left out stream '%s'",
                                run->streams[i].stream->name);
        }
    }
    return RB_OK;
}

static void forget_plan(struct rb_run *run)
{
    for (size_t i = 0; i < run->n_streams; i++) {
        if (is_wanted(&run->streams[i])) {
            run->streams[i].planned = false;
            free(run->streams[i].plan);
            run->streams[i].plan = NULL;
        }
    }
}

static int post(struct rb_run *run, bool continues, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf request = RB_BUF_INIT(RB_RUN_JSON_MAX);
    if (!continues) {
        forget_plan(run);
    }
    int status = write_request(run, continues, &request);
    if (status != 0) {
        return rb_error_set(err, status, "PLAN", "writing the request of rb_plan");
    }
    status = RB_FAULT(PLAN_CALL, err);
    return status != 0
               ? status
               : rb_session_post_call(run->session, RB_ROLE_SOURCE, 0, "rb_plan",
                                      rb_buf_str(&request), request.len, &run->plan_id, err);
}

int rb_run_plan_early(struct rb_run *run, enum rb_fault_side *ret_side, struct rb_error *err)
{
    bool any = false;
    *ret_side = RB_FAULT_ENGINE;
    run->plan_stale = false;
    for (size_t i = 0; i < run->n_streams; i++) {
        any |= is_wanted(&run->streams[i]);
    }
    if (!any || !run->source_plans) {
        return RB_OK;
    }
    int status = rb_run_adopt_state(run, err);
    if (status != 0) {
        return status;
    }
    *ret_side = RB_FAULT_SOURCE;
    run->planned_ms = rb_clock_ms();
    return post(run, false, err);
}

/* The plan that was asked for early is of cursors that the ledger does not confirm, or its snapshot
 * may be older than what another engine has loaded meanwhile, which would go back in time. */
static int drop_early(struct rb_run *run, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf payload = RB_BUF_INIT(RB_RUN_JSON_MAX);
    uint64_t id = run->plan_id;
    run->plan_id = 0;
    int status = rb_session_await(run->session, id, &payload, err);
    return status != 0
               ? status
               : rb_session_call(run->session, RB_ROLE_SOURCE, 0, "rb_close", NULL, 0, NULL, err);
}

static int take_piece(struct rb_run *run, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf payload = RB_BUF_INIT(RB_RUN_JSON_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf data = RB_BUF_INIT(RB_RUN_JSON_MAX);
    uint64_t id = run->plan_id;
    run->plan_id = 0;
    int status = rb_session_await(run->session, id, &payload, err);
    status = status != 0 ? status : rb_session_call_result(&payload, &data, err);
    status = status != 0 ? status : RB_FAULT(PLAN_ANSWERED, err);
    return status != 0 ? status : take_answer(run, &data, err);
}

int rb_run_plan(struct rb_run *run, struct rb_error *err)
{
    if (!run->source_plans) {
        int status = RB_OK;
        forget_plan(run);
        for (size_t i = 0; status == 0 && i < run->n_streams; i++) {
            status =
                is_wanted(&run->streams[i]) ? set_units(run, &run->streams[i], NULL, err) : RB_OK;
        }
        return status;
    }
    int status = run->plan_id != 0 && run->plan_stale ? drop_early(run, err) : RB_OK;
    status = status != 0 || run->plan_id != 0 ? status : post(run, false, err);
    status = status != 0 ? status : take_piece(run, err);
    while (status == 0 && count_left(run) > 0) {
        status = post(run, true, err);
        status = status != 0 ? status : take_piece(run, err);
    }
    return status;
}
