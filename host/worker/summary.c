#include "host/worker/summary.h"

#include <string.h>
#include <yyjson.h>

#include "base/json.h"

static void free_doc(yyjson_doc **doc)
{
    yyjson_doc_free(*doc);
}

static int check_count(const struct rb_stage *stage, const char *export, const char *member,
                       bool known, uint64_t said, uint64_t seen, struct rb_error *err)
{
    if (known && said == seen) {
        return 0;
    }
    if (!known) {
        return rb_error_set(err, RB_ECONNECTOR, "CONTRACT",
                            "connector '%s' broke the contract: %s gave no %s", stage->spec->id,
                            export, member);
    }
    return rb_error_set(err, RB_ECONNECTOR, "CONTRACT",
                        "connector '%s' broke the contract: %s gave %s %llu, but its batches held "
                        "%llu rows",
                        stage->spec->id, export, member, (unsigned long long)said,
                        (unsigned long long)seen);
}

/* The connector said "ok" though an import had failed. */
static int check_batches(const struct rb_stage *stage, struct rb_error *err)
{
    const struct rb_error *failed = stage->send_status != 0   ? &stage->send_err
                                    : stage->recv_status != 0 ? &stage->recv_err
                                                              : NULL;
    if (failed == NULL) {
        return 0;
    }
    int status = stage->send_status != 0 ? stage->send_status : stage->recv_status;
    *err = *failed;
    rb_error_prefix(err, "connector '%s' reported success although a batch had failed",
                    stage->spec->id);
    return status;
}

static int check_end(const struct rb_stage *stage, const char *export, struct rb_error *err)
{
    if (stage->ended) {
        return 0;
    }
    return rb_error_set(err, RB_ECONNECTOR, "CONTRACT",
                        "connector '%s' broke the contract: %s reported success before the end of "
                        "the stream",
                        stage->spec->id, export);
}

static int check_read(const struct rb_stage *stage, yyjson_val *root, struct rb_summary *ret,
                      struct rb_error *err)
{
    yyjson_val *n = yyjson_obj_get(root, "records_read");
    yyjson_val *sum = yyjson_obj_get(root, "checksum");
    if (yyjson_is_str(sum) && yyjson_get_len(sum) < sizeof ret->checksum) {
        memcpy(ret->checksum, yyjson_get_str(sum), yyjson_get_len(sum));
    }
    return check_count(stage, "rb_run_read", "records_read", yyjson_is_uint(n), yyjson_get_uint(n),
                       stage->sent.rows, err);
}

static int check_transform(const struct rb_stage *stage, yyjson_val *root, struct rb_error *err)
{
    yyjson_val *out = yyjson_obj_get(root, "records_out");
    int r = check_end(stage, "rb_run_transform", err);
    return r != 0 ? r
                  : check_count(stage, "rb_run_transform", "records_out", yyjson_is_uint(out),
                                yyjson_get_uint(out), stage->sent.rows, err);
}

static int check_write(const struct rb_stage *stage, yyjson_val *root, struct rb_summary *ret,
                       struct rb_error *err)
{
    if (yyjson_is_true(yyjson_obj_get(root, "already_loaded"))) {
        ret->needs_no_rows = !stage->ended;
        return 0;
    }
    yyjson_val *written = yyjson_obj_get(root, "records_written");
    yyjson_val *failed = yyjson_obj_get(root, "records_failed");
    yyjson_val *superseded = yyjson_obj_get(root, "records_superseded");
    int r = check_end(stage, "rb_run_write", err);
    r = r != 0 ? r
               : check_count(stage, "rb_run_write", "records_written and records_failed",
                             yyjson_is_uint(written),
                             yyjson_get_uint(written) + yyjson_get_uint(failed) +
                                 yyjson_get_uint(superseded),
                             stage->received.rows, err);
    if (r != 0) {
        err->commit_state = RB_COMMIT_AFTER_UNKNOWN; /* it may have committed what it has */
    }
    return r;
}

int rb_summary_check(const struct rb_stage *stage, const struct rb_buf *data,
                     struct rb_summary *ret, struct rb_error *err)
{
    RB_CLEANUP(free_doc) yyjson_doc *doc = yyjson_read(rb_buf_str(data), data->len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    int r = check_batches(stage, err);
    if (r != 0) {
        return r;
    }
    switch (stage->spec->role) {
    case RB_ROLE_SOURCE:
        return check_read(stage, root, ret, err);
    case RB_ROLE_TRANSFORM:
        return check_transform(stage, root, err);
    case RB_ROLE_DESTINATION:
        return check_write(stage, root, ret, err);
    }
    return 0;
}

void rb_summary_write_error(struct rb_buf *text, const struct rb_error *err)
{
    struct rb_json json;
    rb_json_init(&json, text);
    rb_json_begin_object(&json);
    rb_json_key(&json, "error");
    rb_link_error_encode(&json, err);
    rb_json_end_object(&json);
    (void)rb_json_finish(&json); /* a few KiB, into buffers that hold megabytes */
}
