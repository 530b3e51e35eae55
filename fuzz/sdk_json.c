/* JSON that a host sends to a guest. Input: a byte that chooses the call, then the JSON. */
#include "base/buf.h"
#include "fuzz/fuzz.h"
#include "rapidbyte/connector.h"

enum { RESULT_MAX = 1024 * 1024, DEPTH_MAX = 64 };

static void walk(struct rb_json_value value, int depth)
{
    const char *key = NULL;
    size_t len = 0;
    size_t text_len = strlen(rb_json_text(value, ""));
    const char *source = rb_json_source(value, &len);
    FUZZ_CHECK(text_len == 0 || (source != NULL && len >= text_len));
    (void)rb_json_int(value, 0);
    (void)rb_json_number(value, 0);
    (void)rb_json_truth(value, false);
    if (depth > DEPTH_MAX) {
        return;
    }
    for (size_t i = 0; i < rb_json_count(value); i++) {
        walk(rb_json_is_array(value) ? rb_json_item(value, i) : rb_json_member(value, i, &key),
             depth + 1);
    }
}

static int read_stream(void *self, const struct rb_stream_context *context,
                       struct rb_read_summary *ret, struct rb_error *err)
{
    (void)self;
    (void)err;
    FUZZ_CHECK(context->stream_name != NULL && context->max_batch_bytes > 0);
    ret->records_read = (int64_t)rb_json_count(context->columns);
    walk(context->json, 0);
    return 0;
}

static int write_stream(void *self, const struct rb_stream_context *context,
                        struct rb_write_summary *ret, struct rb_error *err)
{
    (void)ret;
    struct rb_read_summary summary;
    return read_stream(self, context, &summary, err);
}

static int plan(void *self, const char *load_id, int64_t parallelism,
                const struct rb_stream_context *streams, size_t n_streams,
                struct rb_json_value request, struct rb_json *ret, struct rb_error *err)
{
    (void)parallelism;
    (void)request;
    struct rb_read_summary summary;
    rb_json_member_str(ret, "load_id", load_id);
    for (size_t i = 0; i < n_streams; i++) {
        (void)read_stream(self, &streams[i], &summary, err);
    }
    return 0;
}

static const struct rb_connector connector = {
    .read = read_stream, .write = write_stream, .plan = plan};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum rb_sdk_call calls[] = {RB_SDK_OPEN, RB_SDK_READ, RB_SDK_WRITE, RB_SDK_PLAN};
    if (size < 1) {
        return 0;
    }
    char *json = fuzz_copy(data + 1, size - 1);
    struct rb_json_doc *doc = NULL;
    if (rb_json_parse(json, size - 1, &doc, NULL) == 0) {
        struct rb_json_doc *copy = NULL;
        walk(rb_json_root(doc), 0);
        FUZZ_CHECK(rb_json_copy(rb_json_root(doc), &copy, NULL) == 0);
        FUZZ_CHECK(rb_json_count(rb_json_root(copy)) == rb_json_count(rb_json_root(doc)));
        rb_json_free(copy);
        rb_json_free(doc);
    }
    enum rb_sdk_call call = calls[data[0] % 4];
    RB_CLEANUP(rb_buf_release) struct rb_buf ret = RB_BUF_INIT(RESULT_MAX);
    if (call != RB_SDK_OPEN) {
        FUZZ_CHECK(rb_sdk_dispatch(&connector, RB_SDK_OPEN, "{}", 2, &ret) == 0);
    }
    rb_buf_clear(&ret);
    FUZZ_CHECK(rb_sdk_dispatch(&connector, call, json, size - 1, &ret) == 0);
    (void)rb_sdk_close(&connector);
    free(json);
    /* The answer is JSON in any case. */
    FUZZ_CHECK(rb_json_parse(rb_buf_str(&ret), ret.len, &doc, NULL) == 0);
    rb_json_free(doc);
    return 0;
}
