#include <stdlib.h>

#include "host/link/decode.h"
#include "host/link/spec.h"

/* Bytes of each text that a unit's result carries: a summary, a checkpoint. */
enum { RESULT_TEXT_MAX = 16 * 1024 * 1024 };

static void free_doc(yyjson_doc **doc)
{
    yyjson_doc_free(*doc);
}

void rb_unit_result_init(struct rb_unit_result *result)
{
    *result = (struct rb_unit_result){.first_failed = -1};
    for (size_t i = 0; i < RB_UNIT_STAGES_MAX; i++) {
        rb_buf_init(&result->stages[i].data, RESULT_TEXT_MAX);
    }
    rb_buf_init(&result->source_checkpoint, RESULT_TEXT_MAX);
}

void rb_unit_result_release(struct rb_unit_result *result)
{
    for (size_t i = 0; i < RB_UNIT_STAGES_MAX; i++) {
        rb_buf_release(&result->stages[i].data);
    }
    rb_buf_release(&result->source_checkpoint);
}

/* JSON text as a string, so that it comes out as the connector wrote it. */
static void encode_text(struct rb_json *json, const char *key, const struct rb_buf *text)
{
    rb_json_key(json, key);
    if (text->len == 0) {
        rb_json_null(json);
    } else {
        rb_json_strn(json, rb_buf_str(text), text->len);
    }
}

static void encode_stage(struct rb_json *json, const struct rb_stage_result *stage)
{
    rb_json_begin_object(json);
    rb_json_member_bool(json, "ok", stage->ok);
    rb_json_key(json, "error");
    if (stage->ok) {
        rb_json_null(json);
    } else {
        rb_link_error_encode(json, &stage->error);
    }
    encode_text(json, "data", &stage->data);
    rb_json_member_double(json, "wait_secs", stage->wait_secs);
    rb_json_member_double(json, "run_secs", stage->run_secs);
    rb_json_member_double(json, "open_secs", stage->open_secs);
    rb_json_member_double(json, "load_secs", stage->load_secs);
    rb_json_member_double(json, "instantiate_secs", stage->instantiate_secs);
    rb_json_member_u64(json, "memory_bytes", stage->memory_bytes);
    rb_json_end_object(json);
}

int rb_unit_result_encode(const struct rb_unit_result *result, struct rb_buf *ret)
{
    struct rb_json json;
    rb_json_init(&json, ret);
    rb_json_begin_object(&json);
    rb_json_member_i64(&json, "first_failed", result->first_failed);
    rb_json_key(&json, "stages");
    rb_json_begin_array(&json);
    for (size_t i = 0; i < result->n_stages; i++) {
        encode_stage(&json, &result->stages[i]);
    }
    rb_json_end_array(&json);
    rb_json_member_u64(&json, "batches", result->batches);
    rb_json_member_u64(&json, "bytes", result->bytes);
    rb_json_member_u64(&json, "compressed_bytes", result->compressed_bytes);
    rb_json_member_u64(&json, "records", result->records);
    encode_text(&json, "source_checkpoint", &result->source_checkpoint);
    rb_json_end_object(&json);
    return rb_json_finish(&json);
}

static void decode_text(struct rb_link_decoder *d, yyjson_val *object, const char *key,
                        struct rb_buf *ret)
{
    yyjson_val *v = yyjson_obj_get(object, key);
    if (yyjson_is_null(v)) {
        return;
    }
    if (!yyjson_is_str(v)) {
        rb_link_decode_fail(d, RB_EPROTOCOL, key);
    } else if (rb_buf_append(ret, yyjson_get_str(v), yyjson_get_len(v)) != 0) {
        rb_link_decode_fail(d, RB_ENOMEM, key);
    }
}

static void decode_error(struct rb_link_decoder *d, yyjson_val *object, struct rb_error *ret)
{
    size_t len = 0;
    char *text = yyjson_val_write(yyjson_obj_get(object, "error"), 0, &len);
    int r = text == NULL ? RB_ENOMEM : rb_link_error_decode(text, len, ret);
    free(text);
    if (r != 0) {
        rb_link_decode_fail(d, r, "error");
    }
}

static void decode_stage(struct rb_link_decoder *d, yyjson_val *v, struct rb_stage_result *stage)
{
    stage->ok = rb_link_decode_bool(d, v, "ok");
    if (!stage->ok) {
        decode_error(d, v, &stage->error);
    }
    decode_text(d, v, "data", &stage->data);
    stage->wait_secs = rb_link_decode_double(d, v, "wait_secs");
    stage->run_secs = rb_link_decode_double(d, v, "run_secs");
    stage->open_secs = rb_link_decode_double(d, v, "open_secs");
    stage->load_secs = rb_link_decode_double(d, v, "load_secs");
    stage->instantiate_secs = rb_link_decode_double(d, v, "instantiate_secs");
    stage->memory_bytes = rb_link_decode_u64(d, v, "memory_bytes");
}

int rb_unit_result_decode(const char *json, size_t len, struct rb_unit_result *ret,
                          struct rb_error *err)
{
    RB_CLEANUP(free_doc) yyjson_doc *doc = yyjson_read(json, len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct rb_link_decoder d = {0};
    struct rb_unit_result result;
    rb_unit_result_init(&result);
    yyjson_val *stages = rb_link_decode_array(&d, root, "stages", RB_UNIT_STAGES_MAX);
    result.n_stages = yyjson_arr_size(stages);
    result.first_failed =
        (int)rb_link_decode_i64(&d, root, "first_failed", -1, (int64_t)result.n_stages - 1);
    size_t i, count;
    yyjson_val *item;
    yyjson_arr_foreach(stages, i, count, item)
    {
        decode_stage(&d, item, &result.stages[i]);
    }
    result.batches = rb_link_decode_u64(&d, root, "batches");
    result.bytes = rb_link_decode_u64(&d, root, "bytes");
    result.compressed_bytes = rb_link_decode_u64(&d, root, "compressed_bytes");
    result.records = rb_link_decode_u64(&d, root, "records");
    decode_text(&d, root, "source_checkpoint", &result.source_checkpoint);
    int r = rb_link_decode_finish(&d, "a unit's result", err);
    if (r != 0) {
        rb_unit_result_release(&result);
        return r;
    }
    *ret = result;
    return 0;
}
