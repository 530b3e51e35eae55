/* The SDK between host and connector: contexts as parsed, results as written (tests/golden), and
 * the wrappers of the imports against the host double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sdk/native/host_double.h"
#include "rapidbyte/rapidbyte.h"

/* --- reading JSON --------------------------------------------------------------------------- */

static struct rb_json_doc *parse(const char *text)
{
    struct rb_json_doc *doc = NULL;
    struct rb_error err = {0};
    if (rb_json_parse(text, strlen(text), &doc, &err) < 0) {
        fail_msg("%s: %s", text, err.message);
    }
    return doc;
}

static void test_json_reads_values(void **state)
{
    (void)state;
    struct rb_json_doc *doc =
        parse(" {\"s\":\"a\\n\\u00e9\\ud83d\\ude00\\/\\\"\", \"i\":-42, \"f\":1.5e2, \"t\":true,"
              "\"n\":null, \"a\":[1,[2,3],{\"x\":\"y\"},\"z\"], \"big\":9223372036854775808,"
              "\"zero\":\"a\\u0000b\", \"lone\":\"\\ud800x\", \"e\":{}, \"o\":{\"p\":{\"q\":7}}} ");
    struct rb_json_value root = rb_json_root(doc);
    assert_string_equal(rb_json_text(rb_json_get(root, "s"), NULL),
                        "a\n\xc3\xa9\xf0\x9f\x98\x80/\"");
    assert_int_equal(rb_json_int(rb_json_get(root, "i"), 0), -42);
    assert_int_equal(rb_json_int(rb_json_get(root, "f"), 5), 5);
    assert_true(rb_json_number(rb_json_get(root, "f"), 0) == 150.0);
    assert_int_equal(rb_json_int(rb_json_get(root, "big"), 5), 5);
    assert_true(rb_json_truth(rb_json_get(root, "t"), false));
    assert_true(rb_json_truth(rb_json_get(root, "i"), true));
    assert_true(rb_json_is_absent(rb_json_get(root, "n")));
    assert_true(rb_json_is_absent(rb_json_get(root, "nothing")));
    assert_null(rb_json_text(rb_json_get(root, "zero"), NULL));
    assert_string_equal(rb_json_text(rb_json_get(root, "lone"), NULL), "\xef\xbf\xbdx");
    assert_int_equal(rb_json_int(rb_json_at(root, "o", "p", "q", NULL), 0), 7);
    assert_true(rb_json_is_absent(rb_json_at(root, "o", "i", "q", NULL)));
    struct rb_json_value array = rb_json_get(root, "a");
    assert_int_equal(rb_json_count(array), 4);
    assert_int_equal(rb_json_int(rb_json_item(rb_json_item(array, 1), 1), 0), 3);
    assert_string_equal(rb_json_text(rb_json_get(rb_json_item(array, 2), "x"), ""), "y");
    assert_string_equal(rb_json_text(rb_json_item(array, 3), ""), "z");
    assert_true(rb_json_is_absent(rb_json_item(array, 4)));
    assert_int_equal(rb_json_count(rb_json_get(root, "e")), 0);
    const char *key = NULL;
    assert_int_equal(rb_json_int(rb_json_member(root, 1, &key), 0), -42);
    assert_string_equal(key, "i");
    size_t len = 0;
    const char *source = rb_json_source(rb_json_get(root, "a"), &len);
    assert_int_equal(len, strlen("[1,[2,3],{\"x\":\"y\"},\"z\"]"));
    assert_memory_equal(source, "[1,[2,3],{\"x\":\"y\"},\"z\"]", len);
    source = rb_json_source(rb_json_get(root, "lone"), &len);
    assert_memory_equal(source, "\"\\ud800x\"", len);
    rb_json_free(doc);
}

static void test_json_refuses(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "x",
        "{",
        "[1",
        "{\"a\"}",
        "{\"a\":1 \"b\":2}",
        "{1:2}",
        "[1:2]",
        "{} {}",
        "[\"a\" 1:2]",
        "\"text\"",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\" \"b\"}",
        "[1}",
        "5",
        "{\"a\":1}:}5",
        "{\"a\":1}}",
        "{\"a\"::1}",
        "{\"a\":1,}",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[01]",
        "[1.]",
        "[-]",
        "[1e]",
        "[nul]",
        "[\"a\tb\"]",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct rb_json_doc *doc = NULL;
        struct rb_error err = {0};
        if (rb_json_parse(texts[i], strlen(texts[i]), &doc, &err) == 0) {
            fail_msg("%s was accepted", texts[i]);
        }
        assert_int_equal(err.status, RB_EDATA);
        assert_string_equal(err.code, "BAD_JSON");
    }
}

static void test_json_grows_to_many_tokens(void **state)
{
    (void)state;
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(RB_ABI_JSON_MAX);
    struct rb_json json;
    rb_json_init(&json, &text);
    rb_json_begin_array(&json);
    for (int i = 0; i < 100000; i++) {
        rb_json_i64(&json, i % 10);
    }
    rb_json_end_array(&json);
    assert_int_equal(rb_json_finish(&json), 0);
    struct rb_json_doc *doc = parse(rb_buf_str(&text));
    assert_int_equal(rb_json_count(rb_json_root(doc)), 100000);
    assert_int_equal(rb_json_int(rb_json_item(rb_json_root(doc), 99999), -1), 9);
    rb_json_free(doc);
    rb_buf_clear(&text);
    for (int i = 0; i <= RB_JSON_TOKENS_MAX; i++) {
        assert_int_equal(rb_buf_append_str(&text, i == 0 ? "[0" : ",0"), 0);
    }
    assert_int_equal(rb_buf_append_str(&text, "]"), 0);
    assert_int_equal(rb_json_parse(rb_buf_str(&text), text.len, &doc, NULL), RB_ENOMEM);
}

/* Every place cut short, and every byte replaced: no crash, and what parses can be walked. */
static size_t walk(struct rb_json_value value)
{
    size_t n = strlen(rb_json_text(value, ""));
    for (size_t i = 0; i < rb_json_count(value); i++) {
        const char *key = "";
        n +=
            walk(rb_json_is_array(value) ? rb_json_item(value, i) : rb_json_member(value, i, &key));
        n += strlen(key);
    }
    return n;
}

static void test_json_altered_text(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":[1,{\"b\\u00e9\":\"\\ud83d\\ude00\"},null,true],\"c\":{}}";
    static const char bytes[] = "{}[]\",:\\u0x\x01\xff ";
    for (size_t at = 0; at < sizeof text - 1; at++) {
        for (size_t b = 0; b < sizeof bytes; b++) {
            char *copy = malloc(sizeof text);
            assert_non_null(copy);
            memcpy(copy, text, sizeof text);
            size_t len = b == 0 ? at : sizeof text - 1;
            copy[at] = b == 0 ? 0 : bytes[b - 1];
            struct rb_json_doc *doc = NULL;
            if (rb_json_parse(copy, len, &doc, NULL) == 0) {
                assert_true(walk(rb_json_root(doc)) < sizeof text);
                rb_json_free(doc);
            }
            free(copy);
        }
    }
}

/* --- dispatch ------------------------------------------------------------------------------- */

static struct {
    int n_opened, n_closed, status;
    struct rb_error error;
    struct rb_buf seen; /* what the connector got, as text */
} probe;

static int probe_open(const struct rb_open_context *c, void **ret_self, struct rb_error *err)
{
    probe.n_opened++;
    *ret_self = &probe;
    rb_buf_clear(&probe.seen);
    assert_int_equal(rb_buf_printf(&probe.seen, "%s %s %s %d/%d/%d/%d host=%s", c->connector_id,
                                   c->connector_version, c->pipeline, (int)c->connect_timeout_ms,
                                   (int)c->statement_timeout_ms, (int)c->idle_timeout_ms,
                                   (int)c->lock_timeout_ms,
                                   rb_json_text(rb_json_get(c->config, "host"), "-")),
                     0);
    (void)err;
    return RB_OK;
}

static void probe_close(void *self)
{
    assert_ptr_equal(self, &probe);
    probe.n_closed++;
}

static int answer(struct rb_error *err)
{
    if (probe.status < 0 && probe.error.status != 0) {
        *err = probe.error;
    }
    return probe.status;
}

static int probe_discover(void *self, struct rb_json_value request, struct rb_json *ret,
                          struct rb_error *err)
{
    (void)self;
    rb_buf_clear(&probe.seen);
    assert_int_equal(rb_buf_append_str(
                         &probe.seen, rb_json_text(rb_json_get(request, "schema"), "(configured)")),
                     0);
    rb_json_begin_object(ret);
    rb_json_member_str(ret, "name", "t");
    rb_json_end_object(ret);
    return answer(err);
}

static void see(const struct rb_stream_context *c)
{
    rb_buf_clear(&probe.seen);
    size_t n = 0;
    const char *range = rb_json_source(c->cursor_info, &n);
    assert_int_equal(
        rb_buf_printf(
            &probe.seen,
            "%s sync=%d write=%d key=%s columns=%d cursor=%.*s chosen=%s where=%s "
            "from=%s.%s to=%s by=%s load=%s pipeline=%s attempt=%d unit=%d/%d/%s "
            "limits=%lld/%lld/%lld/%lld/%lld peer=%d%d policy=%s snapshot=%s",
            c->stream_name, (int)c->sync_mode, (int)c->write_mode,
            rb_json_text(rb_json_item(c->primary_key, 0), "-"),
            (int)rb_json_count(c->schema_columns), (int)n, range,
            rb_json_text(rb_json_item(c->columns, 0), "-"), c->where, c->source_schema,
            c->source_table, c->destination_table, c->replace_method, c->load_id, c->pipeline,
            (int)c->attempt, (int)c->unit_index, (int)c->unit_count, c->unit_range,
            (long long)c->max_batch_bytes, (long long)c->max_record_bytes,
            (long long)c->checkpoint_interval_bytes, (long long)c->checkpoint_interval_rows,
            (long long)c->checkpoint_interval_seconds, rb_stream_context_peer_has(c, "pg_binary"),
            rb_stream_context_peer_has(c, "cdc"),
            rb_json_text(rb_json_get(c->policies, "on_data_error"), "-"),
            rb_json_text(rb_json_get(c->snapshot, "id"), "-")),
        0);
}

static int probe_read(void *self, const struct rb_stream_context *context,
                      struct rb_read_summary *ret, struct rb_error *err)
{
    (void)self;
    see(context);
    *ret = (struct rb_read_summary){.records_read = 1,
                                    .bytes_read = 2,
                                    .batches_emitted = 3,
                                    .checkpoint_count = 4,
                                    .records_skipped = 5,
                                    .has_checksum = true,
                                    .checksum = 0xabc,
                                    .connect_secs = 0.5,
                                    .query_secs = 1,
                                    .fetch_secs = 1.25,
                                    .encode_secs = 2};
    return answer(err);
}

static int probe_write(void *self, const struct rb_stream_context *context,
                       struct rb_write_summary *ret, struct rb_error *err)
{
    (void)self;
    see(context);
    *ret = (struct rb_write_summary){.records_written = 1,
                                     .bytes_written = 2,
                                     .batches_written = 3,
                                     .checkpoint_count = 4,
                                     .records_failed = 5,
                                     .already_loaded = true,
                                     .connect_secs = 0.5,
                                     .decode_secs = 1,
                                     .flush_secs = 1.25,
                                     .commit_secs = 2};
    return answer(err);
}

static int probe_transform(void *self, const struct rb_stream_context *context,
                           struct rb_transform_summary *ret, struct rb_error *err)
{
    (void)self;
    see(context);
    *ret = (struct rb_transform_summary){1, 2, 3, 4, 5};
    return answer(err);
}

static int probe_plan(void *self, const char *load_id, int64_t parallelism,
                      const struct rb_stream_context *streams, size_t n_streams,
                      struct rb_json_value request, struct rb_json *ret, struct rb_error *err)
{
    (void)self;
    (void)request;
    rb_json_member_str(ret, "snapshot", load_id);
    rb_json_member_i64(ret, "parallelism", parallelism);
    rb_json_key(ret, "streams");
    rb_json_begin_array(ret);
    for (size_t i = 0; i < n_streams; i++) {
        rb_json_str(ret, streams[i].stream_name);
    }
    rb_json_end_array(ret);
    return answer(err);
}

static int probe_begin(void *self, const char *load_id, const char *pipeline,
                       const struct rb_stream_context *streams, size_t n_streams,
                       struct rb_json_value request, struct rb_json *ret, struct rb_error *err)
{
    (void)self, (void)streams;
    assert_true(rb_json_is_object(request));
    rb_json_member_str(ret, "load_id", load_id);
    rb_json_member_str(ret, "pipeline", pipeline);
    rb_json_member_u64(ret, "n", n_streams);
    return answer(err);
}

static int probe_publish(void *self, const char *load_id, const char *pipeline,
                         const struct rb_stream_context *stream, struct rb_json_value request,
                         struct rb_write_summary *ret, struct rb_error *err)
{
    (void)self;
    rb_buf_clear(&probe.seen);
    assert_int_equal(rb_buf_printf(&probe.seen, "%s %s %s %d", load_id, pipeline,
                                   stream == NULL ? "(end)" : stream->stream_name,
                                   (int)rb_json_count(rb_json_get(request, "units"))),
                     0);
    ret->has_checksum = true;
    ret->checksum = UINT64_MAX;
    return answer(err);
}

static int probe_abandon(void *self, const char *load_id, const char *pipeline,
                         struct rb_json_value request, struct rb_json *ret, struct rb_error *err)
{
    (void)self, (void)ret;
    rb_buf_clear(&probe.seen);
    assert_int_equal(rb_buf_printf(&probe.seen, "%s %s %zu", load_id, pipeline,
                                   rb_json_count(rb_json_get(request, "checkpoints"))),
                     0);
    return answer(err);
}

static const char *const features[] = {"exactly_once", "pg_binary", NULL};
static int probe_hash(void *self, const struct rb_stream_context *stream,
                      struct rb_json_value request, struct rb_json *ret, struct rb_error *err)
{
    (void)self;
    rb_buf_clear(&probe.seen);
    assert_int_equal(rb_buf_printf(&probe.seen, "%s %lld", stream->stream_name,
                                   (long long)rb_json_int(rb_json_get(request, "split"), 0)),
                     0);
    rb_json_member_str(ret, "encoding", "UTF8");
    return answer(err);
}

static const struct rb_connector connector = {
    .features = features,
    .open = probe_open,
    .close = probe_close,
    .discover = probe_discover,
    .read = probe_read,
    .write = probe_write,
    .transform = probe_transform,
    .plan = probe_plan,
    .begin = probe_begin,
    .publish = probe_publish,
    .abandon = probe_abandon,
    .hash = probe_hash,
};
static const struct rb_connector bare = {.features = NULL};

static const char open_context[] =
    "{\"config\":{\"json\":{\"host\":\"db\"}},\"connector_id\":\"probe\","
    "\"connector_version\":\"1.2\",\"role\":\"source\",\"pipeline\":\"p\",\"unknown\":[1],"
    "\"timeouts\":{\"connect_ms\":1,\"statement_ms\":2,\"idle_ms\":3,\"lock_ms\":4}}";

static const char full_context[] =
    "{\"stream_name\":\"public.orders\",\"schema\":{\"columns\":[{\"name\":\"id\"},{\"name\":"
    "\"at\"}]},\"sync_mode\":\"incremental\",\"cursor_info\":{\"cursor_field\":\"at\"},"
    "\"limits\":{\"max_batch_bytes\":1048576,\"max_record_bytes\":4096,"
    "\"checkpoint_interval_bytes\":7,\"checkpoint_interval_rows\":8,"
    "\"checkpoint_interval_seconds\":9},\"policies\":{\"on_data_error\":\"skip\"},"
    "\"write_mode\":{\"upsert\":{\"primary_key\":[\"id\"]}},\"load_id\":\"l1\",\"pipeline\":\"p\","
    "\"attempt\":2,\"unit\":{\"index\":1,\"count\":4,\"range\":\"(0,1)\"},"
    "\"snapshot\":{\"id\":\"s\"},\"source_table\":{\"schema\":\"public\",\"name\":\"orders\"},"
    "\"columns\":[\"id\",\"at\"],\"where\":\"id > 0\",\"destination_table\":\"o\","
    "\"replace_method\":\"truncate\",\"peer_features\":[\"pg_binary\"]}";

static void assert_golden(const char *name, const char *actual)
{
    char path[256];
    char expected[8192];
    snprintf(path, sizeof path, "tests/golden/%s.json", name);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fail_msg("%s can't be opened (run from the tree's root)", path);
        return;
    }
    size_t len = fread(expected, 1, sizeof expected - 1, file);
    fclose(file);
    expected[len] = 0;
    if (len > 0 && expected[len - 1] == '\n') {
        expected[len - 1] = 0;
    }
    assert_string_equal(actual, expected);
}

static void call(enum rb_sdk_call what, const char *json, const char *golden)
{
    char *result = rb_double_call(&connector, what, json);
    assert_golden(golden, result);
    free(result);
}

static int setup(void **state)
{
    (void)state;
    rb_double_reset();
    memset(&probe, 0, sizeof probe);
    rb_buf_init(&probe.seen, 100000);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rb_sdk_close(&connector);
    rb_sdk_close(&bare);
    rb_buf_release(&probe.seen);
    rb_double_reset();
    return 0;
}

static void test_open_validate_discover_close(void **state)
{
    (void)state;
    call(RB_SDK_OPEN, open_context, "open_info");
    assert_string_equal(rb_buf_str(&probe.seen), "probe 1.2 p 1/2/3/4 host=db");
    call(RB_SDK_OPEN, open_context, "error_already_open");
    call(RB_SDK_VALIDATE, open_context, "validation_result");
    call(RB_SDK_DISCOVER, open_context, "catalog");
    assert_string_equal(rb_buf_str(&probe.seen), "(configured)");
    call(RB_SDK_DISCOVER, "{\"schema\":\"sales\"}", "catalog");
    assert_string_equal(rb_buf_str(&probe.seen), "sales");
    assert_int_equal(rb_sdk_close(&connector), 0);
    assert_int_equal(rb_sdk_close(&connector), 0);
    assert_int_equal(probe.n_opened, 1);
    assert_int_equal(probe.n_closed, 1);
    call(RB_SDK_READ, full_context, "error_not_open");
    call(RB_SDK_DISCOVER, open_context, "catalog");
    assert_int_equal(probe.n_opened, 2);
}

static void test_contexts_and_summaries(void **state)
{
    (void)state;
    free(rb_double_call(&connector, RB_SDK_OPEN, open_context));
    call(RB_SDK_READ, full_context, "read_summary");
    assert_string_equal(
        rb_buf_str(&probe.seen),
        "public.orders sync=1 write=2 key=id columns=2 cursor={\"cursor_field\":\"at\"} chosen=id "
        "where=id > 0 from=public.orders to=o by=truncate load=l1 pipeline=p attempt=2 "
        "unit=1/4/(0,1) limits=1048576/4096/7/8/9 peer=10 policy=skip snapshot=s");
    call(RB_SDK_WRITE, "{\"stream_name\":\"t\"}", "write_summary");
    assert_string_equal(
        rb_buf_str(&probe.seen),
        "t sync=0 write=0 key=- columns=0 cursor= chosen=- where= from=.t to=t by=swap load= "
        "pipeline= attempt=0 unit=0/1/ limits=67108864/67108864/0/0/0 peer=00 policy=- snapshot=-");
    call(RB_SDK_TRANSFORM, "{\"stream_name\":\"t\",\"write_mode\":\"replace\",\"snapshot\":null}",
         "transform_summary");
    assert_non_null(strstr(rb_buf_str(&probe.seen), "write=1 "));
}

static void test_plan_begin_publish_abandon(void **state)
{
    (void)state;
    free(rb_double_call(&connector, RB_SDK_OPEN, open_context));
    call(RB_SDK_PLAN,
         "{\"load_id\":\"l\",\"parallelism\":3,\"streams\":[{\"stream_name\":\"a\"},"
         "{\"stream_name\":\"b\"}]}",
         "plan");
    call(RB_SDK_BEGIN,
         "{\"load_id\":\"l\",\"pipeline\":\"p\",\"streams\":[{\"stream_name\":\"a\"}]}",
         "begin_info");
    call(RB_SDK_PUBLISH,
         "{\"load_id\":\"l\",\"pipeline\":\"p\",\"stream\":{\"stream_name\":\"a\"},"
         "\"units\":[{\"index\":0},{\"index\":1}]}",
         "publish");
    assert_string_equal(rb_buf_str(&probe.seen), "l p a 2");
    call(RB_SDK_PUBLISH, "{\"load_id\":\"l\",\"pipeline\":\"p\",\"stream\":null}", "publish");
    assert_string_equal(rb_buf_str(&probe.seen), "l p (end) 0");
    call(RB_SDK_ABANDON, "{\"load_id\":\"l\",\"pipeline\":\"p\"}", "abandon");
    assert_string_equal(rb_buf_str(&probe.seen), "l p 0");
    call(RB_SDK_ABANDON,
         "{\"load_id\":null,\"pipeline\":\"p\",\"checkpoints\":[{\"stream_name\":\"a\","
         "\"checkpoint\":null}]}",
         "abandon");
    assert_string_equal(rb_buf_str(&probe.seen), " p 1");
}

static void test_hash(void **state)
{
    (void)state;
    free(rb_double_call(&connector, RB_SDK_OPEN, open_context));
    call(RB_SDK_HASH, "{\"stream\":{\"stream_name\":\"a\"},\"split\":8}", "hash_info");
    assert_string_equal(rb_buf_str(&probe.seen), "a 8");
    call(RB_SDK_HASH, "{\"split\":8}", "error_no_stream");
}

static void test_errors(void **state)
{
    (void)state;
    call(RB_SDK_OPEN, "not json", "error_bad_json");
    free(rb_double_call(&connector, RB_SDK_OPEN, open_context));
    probe.status = RB_EDB;
    rb_error_set(&probe.error, RB_EDB, "DEADLOCK", "stream '%s'", "a\"b");
    memcpy(probe.error.sqlstate, "40P01", 6);
    rb_error_set_hint(&probe.error, "again");
    probe.error.commit_state = RB_COMMIT_BEFORE;
    probe.error.safe_to_retry = true;
    call(RB_SDK_READ, full_context, "error_full");
    call(RB_SDK_PLAN, "{\"streams\":[]}", "error_full");
    call(RB_SDK_DISCOVER, "{}", "error_full");
    probe.error.status = 0;
    call(RB_SDK_WRITE, full_context, "error_silent");
    probe.status = 0;
    call(RB_SDK_WRITE, "{\"stream_name\":\"t\",\"write_mode\":\"merge\"}", "error_write_mode");
    call(RB_SDK_WRITE, "{\"sync_mode\":\"cdc\"}", "error_no_stream");
    rb_sdk_close(&connector);
    free(rb_double_call(&bare, RB_SDK_OPEN, "{}"));
    char *result = rb_double_call(&bare, RB_SDK_BEGIN, "{}");
    assert_golden("error_not_supported", result);
    free(result);
}

/* --- imports -------------------------------------------------------------------------------- */

static void test_state_checkpoint_metric_log(void **state)
{
    (void)state;
    struct rb_error err = {0};
    RB_CLEANUP(rb_buf_release) struct rb_buf value = RB_BUF_INIT(RB_ABI_STATE_VALUE_MAX);
    free(rb_double_call(&connector, RB_SDK_OPEN, open_context));
    free(rb_double_call(&connector, RB_SDK_WRITE, "{\"stream_name\":\"t\"}"));
    assert_int_equal(rb_state_get(RB_STATE_STREAM, "k", &value, &err), 1);
    assert_int_equal(rb_state_cas(RB_STATE_STREAM, "k", NULL, 0, "one", 3, &err), 0);
    assert_int_equal(rb_state_cas(RB_STATE_STREAM, "k", NULL, 0, "two", 3, &err), 1);
    assert_int_equal(rb_state_cas(RB_STATE_STREAM, "k", "one", 3, "two", 3, &err), 0);
    assert_int_equal(rb_state_get(RB_STATE_PIPELINE, "k", &value, &err), 1);
    char big[5000];
    memset(big, 'x', sizeof big);
    assert_int_equal(rb_state_put(RB_STATE_CONNECTOR, "big", big, sizeof big, &err), 0);
    assert_int_equal(rb_buf_append_str(&value, "before:"), 0);
    assert_int_equal(rb_state_get(RB_STATE_CONNECTOR, "big", &value, &err), 0);
    assert_int_equal(value.len, 7 + sizeof big);
    assert_memory_equal(value.data, "before:xxxx", 11);
    assert_int_equal(rb_state_put(RB_STATE_CONNECTOR, "", "x", 1, &err), RB_ECONFIG);
    assert_string_equal(err.code, "BAD_STATE");

    const struct rb_checkpoint checkpoint = {.stream = "t",
                                             .cursor_field = "at",
                                             .cursor_value_json = "{\"int64\":5}",
                                             .records_processed = 6,
                                             .bytes_processed = 7};
    assert_int_equal(rb_checkpoint(RB_CHECKPOINT_SOURCE, &checkpoint, &err), 0);
    assert_int_equal(rb_double.checkpoints.n, 1);
    assert_memory_equal(rb_double.checkpoints.items[0].data, "0 ", 2);
    assert_golden("checkpoint", rb_buf_str(&rb_double.checkpoints.items[0]) + 2);
    assert_int_equal(rb_metric_counter("rows", 5, &err), 0);
    assert_golden("metric_counter", rb_buf_str(&rb_double.metrics.items[0]));
    assert_int_equal(rb_metric_gauge("speed", 0.5, &err), 0);
    assert_golden("metric_gauge", rb_buf_str(&rb_double.metrics.items[1]));
    rb_log(RB_LOG_WARN, "%s %d", "hello", 5);
    rb_log(RB_LOG_INFO, "%.*s", (int)sizeof big, big);
    assert_string_equal(rb_buf_str(&rb_double.logs.items[0]), "1 hello 5");
    assert_int_equal(rb_double.logs.items[1].len, 2 + sizeof big);
    double before = rb_clock_secs();
    assert_true(rb_clock_secs() >= before);
}

static void make_batch(struct ArrowSchema *schema, struct ArrowArray *array, int n_rows)
{
    ArrowSchemaInit(schema);
    assert_int_equal(ArrowSchemaSetTypeStruct(schema, 1), 0);
    assert_int_equal(ArrowSchemaSetType(schema->children[0], NANOARROW_TYPE_INT64), 0);
    assert_int_equal(ArrowSchemaSetName(schema->children[0], "n"), 0);
    assert_int_equal(ArrowArrayInitFromSchema(array, schema, NULL), 0);
    assert_int_equal(ArrowArrayStartAppending(array), 0);
    for (int i = 0; i < n_rows; i++) {
        assert_int_equal(ArrowArrayAppendInt(array->children[0], i), 0);
        assert_int_equal(ArrowArrayFinishElement(array), 0);
    }
    assert_int_equal(ArrowArrayFinishBuildingDefault(array, NULL), 0);
}

static void test_batches_out_and_in(void **state)
{
    (void)state;
    struct ArrowSchema schema;
    struct ArrowArray array;
    struct rb_batch_writer writer;
    struct rb_error err = {0};
    /* Larger than what the reader offers at first. */
    make_batch(&schema, &array, 100000);
    assert_int_equal(rb_batch_writer_init(&writer, &schema, 1 << 20, &err), 0);
    assert_int_equal(rb_batch_writer_emit(&writer, &array, &err), 0);
    assert_int_equal(rb_batch_writer_emit(&writer, &array, &err), 0);
    assert_int_equal(writer.n_batches, 2);
    assert_int_equal(writer.n_rows, 200000);
    assert_int_equal(writer.n_bytes, 2 * rb_double.emitted.items[0].len);
    rb_double_fail_emit(1, RB_ABI_CODE_CANCELLED);
    assert_int_equal(rb_batch_writer_emit(&writer, &array, &err), RB_ECANCELLED);
    rb_batch_writer_release(&writer);

    rb_double_feed_emitted();
    rb_double_feed_end("{\"records\":200000}");
    struct rb_batch_reader reader;
    struct rb_json_doc *end = NULL;
    rb_batch_reader_init(&reader, 1 << 20);
    assert_int_equal(rb_stream_end(&end, &err), RB_EINTERNAL);
    assert_string_equal(err.code, "NOT_ENDED");
    assert_int_equal(rb_batch_reader_next(&reader, &err), 0);
    assert_true(reader.schema_changed);
    assert_int_equal(ArrowArrayViewGetIntUnsafe(reader.decoder.view->children[0], 99999), 99999);
    assert_int_equal(rb_batch_reader_next(&reader, &err), 0);
    assert_false(reader.schema_changed);
    assert_int_equal(rb_batch_reader_next(&reader, &err), 1);
    assert_int_equal(reader.n_rows, 200000);
    assert_int_equal(rb_stream_end(&end, &err), 0);
    assert_int_equal(rb_json_int(rb_json_get(rb_json_root(end), "records"), 0), 200000);
    rb_json_free(end);
    rb_batch_reader_release(&reader);
    ArrowArrayRelease(&array);
    ArrowSchemaRelease(&schema);
}

static void test_reader_tells_ends_apart(void **state)
{
    (void)state;
    struct rb_error err = {0};
    struct rb_batch_reader reader;
    rb_batch_reader_init(&reader, 1000);
    rb_double_feed_abort();
    assert_int_equal(rb_batch_reader_next(&reader, &err), RB_EABORTED);
    rb_double_feed_cancel();
    assert_int_equal(rb_batch_reader_next(&reader, &err), RB_ECANCELLED);
    char big[2000] = "";
    rb_double_feed_batch(big, sizeof big);
    assert_int_equal(rb_batch_reader_next(&reader, &err), RB_ENOMEM);
    assert_string_equal(err.code, "BATCH_TOO_LARGE");
    rb_batch_reader_release(&reader);
    rb_double_reset();
    rb_double_feed_batch("garbage", 7);
    rb_batch_reader_init(&reader, 1000);
    assert_int_equal(rb_batch_reader_next(&reader, &err), RB_EPROTOCOL);
    rb_batch_reader_release(&reader);
}

static int refuse_connect(void *self, const char *host, int port, int timeout_ms,
                          struct rb_error *err)
{
    (void)self;
    assert_int_equal(timeout_ms, -1);
    rb_error_set(err, RB_EPERM, "NOT_ALLOWED", "host '%s:%d' is not allowed", host, port);
    rb_error_set_detail(err, "%01200d", 5);
    rb_error_set_hint(err, "allow it");
    return err->status;
}

static void test_network(void **state)
{
    (void)state;
    struct rb_error err = {0};
    int handle = 0;
    char text[16] = "";
    size_t len = 0;
    const struct rb_double_net refusing = {.connect = refuse_connect};
    assert_int_equal(rb_net_connect("db", 5432, 10, &handle, &err), RB_EPERM);
    rb_double_set_net(&refusing, NULL);
    assert_int_equal(rb_net_connect("db", 5432, -7, &handle, &err), RB_EPERM);
    assert_string_equal(err.code, "NOT_ALLOWED");
    assert_string_equal(err.message, "host 'db:5432' is not allowed");
    assert_string_equal(err.hint, "allow it");
    assert_int_equal(strlen(err.detail), RB_ERROR_DETAIL_MAX - 1);

    struct rb_double_peer peer;
    rb_double_peer_init(&peer);
    peer.piece = 3;
    assert_int_equal(rb_buf_append_str(&peer.says, "hello"), 0);
    rb_double_set_net(&rb_double_peer_net, &peer);
    rb_double_set_tls_mode(RB_TLS_REQUIRE);
    assert_int_equal(rb_net_tls_mode(), RB_TLS_REQUIRE);
    assert_int_equal(rb_net_connect("db", 5432, 10, &handle, &err), 0);
    assert_int_equal(rb_net_start_tls(handle, &err), 0);
    assert_int_equal(rb_net_authenticate_postgres(handle, 0, "u", &err), 0);
    assert_int_equal(rb_net_set_cancel_packet(handle, "cancel", 6, &err), 0);
    assert_memory_equal(rb_double.cancel_packet.data, "cancel", 6);
    assert_int_equal(rb_net_send(handle, "ping", 4, &err), 0);
    assert_string_equal(rb_buf_str(&peer.heard), "ping");
    assert_int_equal(rb_net_recv(handle, text, sizeof text, -1, &len, &err), 0);
    assert_int_equal(len, 3);
    assert_int_equal(rb_net_recv(handle, text, sizeof text, -1, &len, &err), 0);
    assert_int_equal(len, 2);
    peer.hangs = true;
    assert_int_equal(rb_net_recv(handle, text, sizeof text, 0, &len, &err), 1);
    peer.hangs = false;
    assert_int_equal(rb_net_recv(handle, text, sizeof text, 0, &len, &err), 0);
    assert_int_equal(len, 0);
    assert_int_equal(rb_double.n_open, 1);
    assert_int_equal(rb_net_close(handle, &err), 0);
    assert_int_equal(rb_double.n_open, 0);
    rb_double_peer_release(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_reads_values),
        cmocka_unit_test(test_json_refuses),
        cmocka_unit_test(test_json_grows_to_many_tokens),
        cmocka_unit_test(test_json_altered_text),
        cmocka_unit_test_setup_teardown(test_open_validate_discover_close, setup, teardown),
        cmocka_unit_test_setup_teardown(test_contexts_and_summaries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plan_begin_publish_abandon, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hash, setup, teardown),
        cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_state_checkpoint_metric_log, setup, teardown),
        cmocka_unit_test_setup_teardown(test_batches_out_and_in, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reader_tells_ends_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_network, setup, teardown),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
