/* rb_abandon: forgets a load, gives unfinished ones up, and sets where streams stand. */
#include <string.h>

#include "connectors/postgres/dest/dest.h"
#include "gen/connectors/postgres/dest/sql.h"

static int forget_load(struct rb_dest *dest, const char *load_id, const char *pipeline,
                       struct rb_error *err)
{
    const char *params[] = {load_id, pipeline};
    size_t dropped = 0;
    int status = rb_ledger_drop_leftovers(dest, pipeline, &dropped, err);
    status =
        status < 0 ? status : rb_dest_query(dest, rb_sql_load_forget_units, params, 1, NULL, err);
    return status < 0 ? status : rb_dest_query(dest, rb_sql_load_forget, params, 2, NULL, err);
}

static int set_checkpoint(struct rb_dest *dest, const char *load_id, const char *pipeline,
                          struct rb_json_value item, struct rb_error *err)
{
    size_t len = 0;
    struct rb_json_value checkpoint = rb_json_get(item, "checkpoint");
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(RB_ABI_JSON_MAX);
    const char *source = rb_json_is_absent(checkpoint) ? NULL : rb_json_source(checkpoint, &len);
    int status =
        source != NULL ? rb_buf_append(&text, source, len) : rb_buf_append_str(&text, "null");
    if (status < 0) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a checkpoint");
    }
    const char *stream = rb_json_text(rb_json_get(item, "stream_name"), NULL);
    const char *set[] = {pipeline, stream, load_id, rb_buf_str(&text)};
    return rb_dest_query(dest, rb_sql_ledger_set, set, 4, NULL, err);
}

static int set_checkpoints(struct rb_dest *dest, const char *pipeline, struct rb_json_value request,
                           struct rb_error *err)
{
    struct rb_json_value items = rb_json_get(request, "checkpoints");
    const char *load_id = rb_json_text(rb_json_get(request, "checkpoint_load_id"), "");
    size_t n = rb_json_count(items);
    if (n > 0 && load_id[0] == '\0') {
        return rb_error_set(err, RB_EPROTOCOL, "CONTRACT", "checkpoints need a checkpoint_load_id");
    }
    int status = 0;
    for (size_t i = 0; status == 0 && i < n; i++) {
        status = set_checkpoint(dest, load_id, pipeline, rb_json_item(items, i), err);
    }
    return status;
}

/* No unfinished load is called so. */
static int no_such_load(struct rb_dest *dest, const char *const params[3], struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result found;
    rb_query_result_init(&found);
    const char *pipeline = params[0];
    const char *what = params[1] != NULL ? "key" : "number";
    const char *name = params[1] != NULL ? params[1] : params[2];
    int status = rb_dest_query(dest, rb_sql_load_named, params, 3, &found, err);
    if (status < 0) {
        return status;
    }
    const char *owner = found.n_rows > 0 ? rb_query_text(&found, 0, 0) : NULL;
    if (owner != NULL && strcmp(owner, pipeline) == 0) {
        return rb_error_set(err, RB_ECONFIG, "NO_SUCH_LOAD",
                            "the load with the %s '%s' has ended: there is nothing to give up",
                            what, name);
    }
    status =
        rb_error_set(err, RB_ECONFIG, "NO_SUCH_LOAD",
                     "pipeline '%s' has no unfinished load with the %s '%s'", pipeline, what, name);
    if (owner != NULL) {
        rb_error_set_hint(err, "pipeline '%s' has one: name its document", owner);
    }
    return status;
}

/* give_up: {key} or {load_id}, or an empty object for all. */
static int give_up(struct rb_dest *dest, const char *pipeline, struct rb_json_value which,
                   struct rb_query_result *ret, struct rb_error *err)
{
    if (rb_json_is_absent(which)) {
        return 0;
    }
    size_t dropped = 0;
    const char *params[] = {pipeline, rb_json_text(rb_json_get(which, "key"), NULL),
                            rb_json_text(rb_json_get(which, "load_id"), NULL)};
    int status = rb_ledger_drop_leftovers(dest, pipeline, &dropped, err);
    status = status < 0 ? status : rb_dest_query(dest, rb_sql_load_give_up, params, 3, ret, err);
    bool named = params[1] != NULL || params[2] != NULL;
    return status == 0 && named && ret->n_rows == 0 ? no_such_load(dest, params, err) : status;
}

static void write_given_up(const struct rb_query_result *loads, struct rb_json *ret)
{
    rb_json_key(ret, "given_up");
    rb_json_begin_array(ret);
    for (size_t i = 0; i < loads->n_rows; i++) {
        rb_json_begin_object(ret);
        rb_json_member_str(ret, "load_id", rb_query_text(loads, i, 0));
        rb_json_member_str(ret, "key", rb_query_text(loads, i, 1));
        rb_json_member_i64(ret, "started_ms", rb_query_int(loads, i, 2, 0));
        rb_json_end_object(ret);
    }
    rb_json_end_array(ret);
}

int rb_dest_abandon(void *self, const char *load_id, const char *pipeline,
                    struct rb_json_value request, struct rb_json *ret, struct rb_error *err)
{
    struct rb_dest *dest = self;
    bool any_writer = false;
    RB_CLEANUP(rb_query_result_release) struct rb_query_result given_up;
    rb_query_result_init(&given_up);
    int status = rb_dest_connect(dest, err);
    status = status < 0 ? status : rb_ledger_ensure(dest, err);
    status = status < 0 ? status : rb_dest_lock_pipeline(dest, pipeline, &any_writer, err);
    status = status < 0 || !any_writer ? status : rb_dest_end_writers(dest, pipeline, err);
    status = status < 0 ? status : rb_query_exec(dest->conn, "BEGIN", err);
    if (status == 0 && load_id[0] != '\0') {
        status = forget_load(dest, load_id, pipeline, err);
    }
    status = status < 0 ? status : set_checkpoints(dest, pipeline, request, err);
    status = status < 0 ? status
                        : give_up(dest, pipeline, rb_json_get(request, "give_up"), &given_up, err);
    status = status < 0 ? status : rb_query_exec(dest->conn, "COMMIT", err);
    if (status < 0) {
        rb_dest_abort(dest);
        rb_grants_hint(dest, NULL, err);
        return status;
    }
    write_given_up(&given_up, ret);
    return 0;
}
