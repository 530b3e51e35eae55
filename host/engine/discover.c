/* What the source has, in as many pieces as it likes to answer in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/engine/run.h"
#include "host/engine/view.h"

/* `after`: the last stream of the piece before; NULL: this is the first one. */
static int ask(struct rb_run *run, const char *after, struct rb_buf *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf request = RB_BUF_INIT(RB_RUN_JSON_MAX);
    struct rb_json json;
    rb_json_init(&json, &request);
    rb_json_begin_object(&json);
    rb_json_member_bool(&json, "in_pieces", true);
    rb_json_member_str(&json, "after", after);
    rb_json_end_object(&json);
    int status = rb_json_finish(&json);
    if (status != 0) {
        return rb_error_set(err, status, "DISCOVER", "writing the request of rb_discover");
    }
    return rb_session_call(run->session, RB_ROLE_SOURCE, 0, "rb_discover", rb_buf_str(&request),
                           request.len, ret, err);
}

/* Appends the streams, and keeps the last one's name in *ret_last (owned). */
static int add(yyjson_val *streams, struct rb_json *catalog, char **ret_last, struct rb_error *err)
{
    const char *name = NULL;
    size_t i, n;
    yyjson_val *stream;
    yyjson_arr_foreach(streams, i, n, stream)
    {
        RB_CLEANUP(rb_view_text_free) char *text = yyjson_val_write(stream, 0, NULL);
        if (text == NULL) {
            return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory");
        }
        rb_json_raw(catalog, text, strlen(text));
        name = rb_view_str(stream, "name");
    }
    free(*ret_last);
    *ret_last = name != NULL ? strdup(name) : NULL;
    return RB_OK;
}

/* 1: there is more after *last. */
static int add_piece(struct rb_run *run, char **last, struct rb_json *catalog, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf piece = RB_BUF_INIT(catalog->out->max);
    int status = ask(run, *last, &piece, err);
    if (status != 0) {
        return status;
    }
    RB_CLEANUP(rb_view_free) yyjson_doc *doc = rb_view_parse(&piece);
    yyjson_val *answer = yyjson_doc_get_root(doc);
    bool more = yyjson_is_true(yyjson_obj_get(answer, "more"));
    status = add(yyjson_obj_get(answer, "streams"), catalog, last, err);
    if (status == 0 && more && *last == NULL) {
        return rb_error_set(err, RB_ECONNECTOR, "CONTRACT",
                            "rb_discover says that there are more streams, and names none to go on "
                            "after");
    }
    return status == 0 && more ? 1 : status;
}

static int discover(struct rb_run *run, struct rb_buf *ret_catalog, struct rb_error *err)
{
    RB_CLEANUP(rb_view_text_free) char *last = NULL;
    struct rb_json catalog;
    rb_json_init(&catalog, ret_catalog);
    rb_json_begin_object(&catalog);
    rb_json_key(&catalog, "streams");
    rb_json_begin_array(&catalog);
    int status;
    do {
        status = add_piece(run, &last, &catalog, err);
        /* The buffer's maximum ends a source that never does. */
    } while (status == 1 && catalog.status == 0);
    rb_json_end_array(&catalog);
    rb_json_end_object(&catalog);
    if (status >= 0 && rb_json_finish(&catalog) != 0) {
        return rb_error_set(err, RB_ENOMEM, "CATALOG_TOO_LARGE",
                            "the catalogue is larger than %zu bytes, or memory ran out",
                            ret_catalog->max);
    }
    return status;
}

int rb_engine_discover(const struct rb_pipeline *pipeline, const struct rb_engine_options *options,
                       const struct rb_observer *observer, struct rb_buf *ret_catalog,
                       struct rb_fault *fault)
{
    struct rb_run_report scratch;
    memset(&scratch, 0, sizeof scratch);
    struct rb_run run;
    rb_error_clear(&fault->error);
    fault->side = RB_FAULT_ENGINE;
    int status = rb_run_init(&run, pipeline, options, observer, &scratch, &fault->error);
    status = status != 0 ? status : rb_run_start_session(&run, &fault->error);
    if (status == 0) {
        fault->side = RB_FAULT_SOURCE;
        status = rb_run_open_one(&run, &pipeline->source, 0, &fault->error);
    }
    status = status != 0 ? status : discover(&run, ret_catalog, &fault->error);
    if (run.session != NULL && rb_session_is_stopped(run.session)) {
        fault->side = RB_FAULT_ENGINE;
    }
    rb_session_end(run.session, NULL);
    rb_run_release(&run);
    rb_run_report_release(&scratch);
    return status;
}
