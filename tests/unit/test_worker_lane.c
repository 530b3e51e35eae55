/* Units through a worker process with real guests (tests/guests/worker_stage.c), interpreted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arrow/ipc.h"
#include "host/link/text.h"
#include "host/worker/worker.h"
#include "tests/support/worker_rig.h"

enum { ROWS = 100 };

static struct rb_buf batch_hex = {.max = 1 << 20};
static size_t batch_bytes;

static int make_batch(void **state)
{
    (void)state;
    struct ArrowSchema schema;
    struct ArrowArray array;
    struct rb_ipc_encoder encoder;
    struct rb_buf bytes = RB_BUF_INIT(1 << 20);
    ArrowSchemaInit(&schema);
    int bad = ArrowSchemaSetTypeStruct(&schema, 1);
    bad |= ArrowSchemaSetType(schema.children[0], NANOARROW_TYPE_INT64);
    bad |= ArrowSchemaSetName(schema.children[0], "id");
    bad |= ArrowArrayInitFromSchema(&array, &schema, NULL);
    bad |= ArrowArrayStartAppending(&array);
    for (int64_t i = 0; i < ROWS; i++) {
        bad |= ArrowArrayAppendInt(array.children[0], i / 10);
        bad |= ArrowArrayFinishElement(&array);
    }
    bad |= ArrowArrayFinishBuildingDefault(&array, NULL);
    bad |= rb_ipc_encoder_init(&encoder, &schema, NULL);
    bad |= rb_ipc_encode(&encoder, &array, &bytes, NULL);
    bad |= rb_link_hex_encode(bytes.data, bytes.len, &batch_hex);
    batch_bytes = bytes.len;
    rb_ipc_encoder_release(&encoder);
    ArrowArrayRelease(&array);
    ArrowSchemaRelease(&schema);
    rb_buf_release(&bytes);
    return bad;
}

static int free_batch(void **state)
{
    (void)state;
    rb_buf_release(&batch_hex);
    return 0;
}

#define WASM "build/test-connectors/worker_stage.wasm"

#define CONTEXT                                                                                    \
    "{\"stream_name\":\"numbers\",\"schema\":{\"columns\":[]},\"sync_mode\":\"full_refresh\","     \
    "\"limits\":{\"max_batch_bytes\":1048576},\"write_mode\":\"append\"}"

static struct rb_connector_spec connectors[] = {
    {.role = RB_ROLE_SOURCE,
     .id = "src",
     .version = "1",
     .wasm_path = WASM,
     .config_json = "{\"a\":1.50}",
     .limits = {.log_lines = 10000, .log_bytes = 1024 * 1024}},
    {.role = RB_ROLE_TRANSFORM, .id = "tr", .version = "1", .wasm_path = WASM, .config_json = "{}"},
    {.role = RB_ROLE_DESTINATION,
     .id = "dst",
     .version = "1",
     .wasm_path = WASM,
     .config_json = "{}"},
};
static struct rb_connector_spec without_transform[2];

static struct rb_worker_spec make_spec(bool with_transform)
{
    without_transform[0] = connectors[0];
    without_transform[1] = connectors[2];
    return (struct rb_worker_spec){
        .pipeline = "p",
        .connectors = with_transform ? connectors : without_transform,
        .n_connectors = with_transform ? 3 : 2,
        .lanes = 1,
        .max_memory_bytes = 256 << 20,
        .max_batch_bytes = 1 << 20,
        .max_inflight_batches = 2,
        .max_inflight_bytes = 1 << 20,
        .interpreter = true,
        .log_level = 2,
    };
}

static void add_context(struct rb_buf *text, const char *role, const char *numbers)
{
    rb_buf_printf(text, "\"%s\":{\"stream_name\":\"orders\",\"rows\":%d,%s\"batch\":\"", role, ROWS,
                  numbers);
    rb_buf_append(text, batch_hex.data, batch_hex.len);
    rb_buf_append_str(text, "\"}");
}

static uint64_t send_unit(struct rb_rig *rig, const char *source, const char *destination)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(1 << 20);
    rb_buf_append_str(&text, "{\"lane\":0,");
    add_context(&text, "source", source);
    rb_buf_append_str(&text, ",\"transforms\":[{\"stream_name\":\"orders\",\"rows\":100}],");
    add_context(&text, "destination", destination);
    rb_buf_append_str(&text, "}");
    return rb_rig_send(rig, RB_LINK_UNIT, rb_buf_str(&text), text.len);
}

static void take_result(struct rb_rig *rig, uint64_t id, struct rb_unit_result *result)
{
    assert_true(rb_rig_await(rig, id));
    int r = rb_unit_result_decode(rb_buf_str(&rig->result), rig->result.len, result, NULL);
    if (r != 0) {
        print_message("# %s\n", rb_buf_str(&rig->result));
    }
    assert_int_equal(r, 0);
}

static void run_unit(struct rb_rig *rig, const char *source, const char *destination,
                     struct rb_unit_result *result)
{
    take_result(rig, send_unit(rig, source, destination), result);
}

static void expect_ok(const struct rb_unit_result *result)
{
    if (result->first_failed >= 0) {
        print_message("# %s\n", result->stages[result->first_failed].error.message);
    }
    assert_int_equal(result->first_failed, -1);
    for (size_t i = 0; i < result->n_stages; i++) {
        assert_true(result->stages[i].ok);
    }
}

/* That a unit after what happened goes through. */
static void expect_usable(struct rb_rig *rig)
{
    struct rb_unit_result result;
    run_unit(rig, "\"emit\":5,", "", &result);
    expect_ok(&result);
    assert_true(result.records == 5 * ROWS);
    rb_unit_result_release(&result);
}

static void expect_in(const struct rb_buf *text, const char *part)
{
    if (strstr(rb_buf_str(text), part) == NULL) {
        print_message("# no %s in %s\n", part, rb_buf_str(text));
    }
    assert_non_null(strstr(rb_buf_str(text), part));
}

static void test_unit_arrives_whole(void **state)
{
    (void)state;
    for (int codec = RB_COMPRESSION_NONE; codec <= RB_COMPRESSION_ZSTD; codec++) {
        struct rb_rig rig;
        struct rb_unit_result result;
        struct rb_worker_spec spec = make_spec(true);
        spec.compression = (enum rb_compression)codec;
        rb_rig_start(&rig, &spec);
        assert_string_equal(rb_buf_str(&rig.ready), "{\"sandbox\":null}");
        run_unit(&rig, "\"emit\":20,\"checkpoint\":1,", "", &result);
        expect_ok(&result);
        assert_int_equal(result.n_stages, 3);
        assert_true(result.batches == 20 && result.records == 20 * ROWS);
        assert_true(result.bytes == 20 * batch_bytes);
        assert_true(codec == RB_COMPRESSION_NONE ? result.compressed_bytes == result.bytes
                                                 : result.compressed_bytes < result.bytes);
        assert_string_equal(rb_buf_str(&result.source_checkpoint),
                            "{\"id\":\"c20\",\"kind\":\"source\"}");
        /* The transform's end: its rows, the source's checkpoint, no checksum. */
        const struct rb_buf *written = &result.stages[2].data;
        expect_in(written, "\"wrong\":0,");
        expect_in(written, "\"end\":{\"records\":2000,");
        expect_in(written, "\"batches\":20,\"checksum\":null,\"checkpoint\":{\"id\":\"c20\",");
        for (size_t i = 0; i < 3; i++) {
            assert_true(result.stages[i].open_secs > 0 && result.stages[i].run_secs > 0);
            assert_true(result.stages[i].instantiate_secs > 0);
            assert_true(result.stages[i].memory_bytes >= 65536);
        }
        expect_in(&rig.checkpoints, "{\"kind\":\"source\",\"connector\":\"src\",\"stream\":"
                                    "\"orders\",\"checkpoint\":{\"id\":\"c1\",");
        rb_unit_result_release(&result);

        /* The same instances, and nothing left of the unit before. */
        run_unit(&rig, "\"emit\":1,", "", &result);
        expect_ok(&result);
        assert_true(result.records == ROWS && result.source_checkpoint.len == 0);
        expect_in(&result.stages[2].data, "\"checkpoint\":null");
        assert_true(result.stages[0].open_secs <= 0 && result.stages[2].open_secs <= 0);
        rb_unit_result_release(&result);
        rb_rig_send(&rig, RB_LINK_CLOSE, "{}", 2);
        assert_int_equal(rb_rig_wait(&rig, false), 0);
        /* rb_close was called everywhere. */
        expect_in(&rig.logs, "2 src closed\n");
        expect_in(&rig.logs, "2 tr closed\n");
        expect_in(&rig.logs, "2 dst closed\n");
        rb_rig_release(&rig);
    }
}

static void test_end_without_transform(void **state)
{
    (void)state;
    struct rb_rig rig;
    struct rb_unit_result result;
    struct rb_worker_spec spec = make_spec(false);
    rb_rig_start(&rig, &spec);
    run_unit(&rig, "\"emit\":3,", "", &result);
    expect_ok(&result);
    expect_in(&result.stages[1].data, "\"checksum\":\"00000000000000ff\"");
    rb_unit_result_release(&result);
    run_unit(&rig, "\"emit\":0,", "", &result);
    expect_ok(&result);
    expect_in(&result.stages[1].data, "\"end\":{\"records\":0,\"bytes\":0,\"batches\":0,");
    rb_unit_result_release(&result);
    assert_int_equal(rb_rig_close(&rig), 0);
}

static void expect_failure(struct rb_rig *rig, const char *source, const char *destination,
                           size_t first, int status, const char *code, const char *other_message)
{
    struct rb_unit_result result;
    run_unit(rig, source, destination, &result);
    assert_int_equal(result.first_failed, (int)first);
    assert_int_equal(result.stages[first].error.status, status);
    if (code != NULL) {
        assert_string_equal(result.stages[first].error.code, code);
    }
    size_t other = first == 0 ? result.n_stages - 1 : 0;
    assert_false(result.stages[other].ok);
    assert_string_equal(result.stages[other].error.code, "ABORTED");
    assert_non_null(strstr(result.stages[other].error.message, other_message));
    assert_int_equal(result.stages[other].data.len, 0);
    rb_unit_result_release(&result);
    expect_usable(rig);
}

static void test_failing_source_aborts(void **state)
{
    (void)state;
    for (int with_transform = 0; with_transform <= 1; with_transform++) {
        struct rb_rig rig;
        struct rb_worker_spec spec = make_spec(with_transform != 0);
        rb_rig_start(&rig, &spec);
        expect_failure(&rig, "\"emit\":5,\"fail_at\":3,", "", 0, RB_EDATA, "TOLD_TO",
                       "the stage before failed");
        expect_failure(&rig, "\"emit\":5,\"trap_at\":4,", "", 0, RB_ECONNECTOR, NULL,
                       "the stage before failed");
        /* One row more or less than its batches held. */
        expect_failure(&rig, "\"emit\":5,\"records\":501,", "", 0, RB_ECONNECTOR, "CONTRACT",
                       "the stage before failed");
        expect_failure(&rig, "\"emit\":5,\"records\":499,", "", 0, RB_ECONNECTOR, "CONTRACT",
                       "the stage before failed");
        assert_int_equal(rb_rig_close(&rig), 0);
    }
}

static void test_failing_destination_stops_the_source(void **state)
{
    (void)state;
    for (int with_transform = 0; with_transform <= 1; with_transform++) {
        struct rb_rig rig;
        struct rb_worker_spec spec = make_spec(with_transform != 0);
        size_t last = spec.n_connectors - 1;
        rb_rig_start(&rig, &spec);
        expect_failure(&rig, "\"emit\":1000000,", "\"fail_at\":3,", last, RB_EDATA, "TOLD_TO",
                       "the next stage has ended");
        expect_failure(&rig, "\"emit\":1000000,", "\"trap_at\":3,", last, RB_ECONNECTOR, NULL,
                       "the next stage has ended");
        expect_failure(&rig, "\"emit\":1000000,", "\"stop_at\":3,", last, RB_ECONNECTOR, "CONTRACT",
                       "the next stage has ended");
        assert_int_equal(rb_rig_close(&rig), 0);
    }
}

#define INTERVAL "\"limits\":{\"checkpoint_interval_bytes\":0,\"checkpoint_interval_rows\":5},"

/* A part ends only where the operator lets it, and only for a destination that knows what it is. */
static void test_parts_are_the_operators(void **state)
{
    (void)state;
    struct rb_rig rig;
    struct rb_worker_spec spec = make_spec(false);
    rb_rig_start(&rig, &spec);
    expect_failure(&rig, "\"emit\":5,\"part\":3,", "", 0, RB_EINTERNAL, "CONTRACT",
                   "the stage before failed");
    /* This one takes it for the end, and says that it has written everything. */
    expect_failure(&rig, INTERVAL "\"emit\":1000000,\"part\":3,", "", 1, RB_ECONNECTOR, "CONTRACT",
                   "the next stage has ended");
    assert_int_equal(rb_rig_close(&rig), 0);
    spec = make_spec(true);
    rb_rig_start(&rig, &spec);
    expect_failure(&rig, INTERVAL "\"emit\":5,\"part\":3,", "", 0, RB_EINTERNAL, "CONTRACT",
                   "the stage before failed");
    assert_int_equal(rb_rig_close(&rig), 0);
}

static void test_success_that_is_none(void **state)
{
    (void)state;
    struct rb_rig rig;
    struct rb_unit_result result;
    struct rb_worker_spec spec = make_spec(false);
    rb_rig_start(&rig, &spec);
    /* The destination says "ok" in spite of the abort. */
    run_unit(&rig, "\"emit\":5,\"fail_at\":3,", "\"go_on\":1,", &result);
    assert_int_equal(result.first_failed, 0);
    assert_false(result.stages[1].ok);
    assert_string_equal(result.stages[1].error.code, "ABORTED");
    rb_unit_result_release(&result);
    /* The source says "ok" in spite of batches that were not sent. */
    run_unit(&rig, "\"emit\":50,\"go_on\":1,", "\"fail_at\":3,", &result);
    assert_int_equal(result.first_failed, 1);
    assert_false(result.stages[0].ok);
    assert_string_equal(result.stages[0].error.code, "RECEIVER_ENDED");
    rb_unit_result_release(&result);
    expect_usable(&rig);
    assert_int_equal(rb_rig_close(&rig), 0);
}

static void test_already_loaded(void **state)
{
    (void)state;
    struct rb_rig rig;
    struct rb_unit_result result;
    struct rb_worker_spec spec = make_spec(true);
    rb_rig_start(&rig, &spec);
    run_unit(&rig, "\"emit\":1000000,", "\"already\":1,", &result);
    expect_ok(&result);
    assert_int_equal(result.stages[0].data.len, 0);
    expect_in(&result.stages[2].data, "\"already_loaded\":true");
    assert_true(result.batches < 1000);
    rb_unit_result_release(&result);
    expect_usable(&rig);
    assert_int_equal(rb_rig_close(&rig), 0);
}

static double now_secs(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test_cancel_while_the_channel_is_full(void **state)
{
    (void)state;
    for (int with_transform = 0; with_transform <= 1; with_transform++) {
        struct rb_rig rig;
        struct rb_unit_result result;
        struct rb_worker_spec spec = make_spec(with_transform != 0);
        rb_rig_start(&rig, &spec);
        uint64_t id = send_unit(&rig, "\"emit\":1000000,\"checkpoint\":1,", "\"stall\":1,");
        assert_true(rb_rig_await_count(&rig, &rig.n_unanswered, 1));
        /* Two batches lie in each channel, the transform holds one, and the source the next. */
        int full = with_transform ? 6 : 3;
        assert_true(rb_rig_await_count(&rig, &rig.n_checkpoints, full));
        const struct timespec too_far = {.tv_nsec = 50000000};
        nanosleep(&too_far, NULL);
        double start = now_secs();
        rb_rig_send(&rig, RB_LINK_CANCEL, "{}", 2);
        take_result(&rig, id, &result);
        assert_true(now_secs() - start < 1.0);
        for (size_t i = 0; i < result.n_stages; i++) {
            assert_false(result.stages[i].ok);
            assert_int_equal(result.stages[i].error.status, RB_ECANCELLED);
        }
        assert_int_equal(result.batches, full - 1);
        assert_int_equal(rig.n_checkpoints, full);
        rb_unit_result_release(&result);
        /* Nothing runs any more after it. */
        run_unit(&rig, "\"emit\":1,", "", &result);
        assert_true(result.first_failed >= 0);
        rb_unit_result_release(&result);
        rb_rig_send(&rig, RB_LINK_CLOSE, "{}", 2);
        assert_int_equal(rb_rig_wait(&rig, false), 0);
        assert_null(strstr(rb_buf_str(&rig.logs), "closed"));
        rb_rig_release(&rig);
    }
}

static void test_supervisor_gone(void **state)
{
    (void)state;
    struct rb_rig rig;
    struct rb_worker_spec spec = make_spec(false);
    rb_rig_start(&rig, &spec);
    double start = now_secs();
    assert_int_equal(rb_rig_wait(&rig, true), RB_WORKER_EXIT_ORPHANED);
    rb_rig_release(&rig);

    rb_rig_start(&rig, &spec);
    send_unit(&rig, "\"emit\":1000000,", "\"stall\":1,");
    assert_true(rb_rig_await_count(&rig, &rig.n_unanswered, 1));
    assert_int_equal(rb_rig_wait(&rig, true), RB_WORKER_EXIT_ORPHANED);
    assert_true(now_secs() - start < 5.0);
    rb_rig_release(&rig);
}

static int count_of(const struct rb_buf *text, const char *part)
{
    int n = 0;
    for (const char *at = rb_buf_str(text); (at = strstr(at, part)) != NULL; at++) {
        n++;
    }
    return n;
}

static void test_logs_are_filtered_and_bounded(void **state)
{
    (void)state;
    struct rb_rig rig;
    struct rb_unit_result result;
    struct rb_worker_spec spec = make_spec(false);
    rb_rig_start(&rig, &spec);
    run_unit(&rig, "\"emit\":1,\"log\":3,", "", &result);
    rb_unit_result_release(&result);
    assert_int_equal(count_of(&rig.logs, "2 src info\n"), 3);
    assert_int_equal(count_of(&rig.logs, "debug"), 0);
    rb_buf_clear(&rig.logs);
    run_unit(&rig, "\"emit\":1,\"log\":11000,", "", &result);
    rb_unit_result_release(&result);
    assert_int_equal(count_of(&rig.logs, "2 src info\n"), 10000);
    assert_int_equal(count_of(&rig.logs, "1 src more than 10000 lines of log messages"), 1);
    assert_int_equal(rb_rig_close(&rig), 0);

    struct rb_connector_spec limited[2] = {connectors[0], connectors[2]};
    limited[0].limits.log_bytes = 40;
    spec.connectors = limited;
    rb_rig_start(&rig, &spec);
    run_unit(&rig, "\"emit\":1,\"log\":20,", "", &result);
    rb_unit_result_release(&result);
    assert_int_equal(count_of(&rig.logs, "2 src info\n"), 10);
    assert_int_equal(count_of(&rig.logs, "1 src more than 40 bytes of log messages"), 1);
    assert_int_equal(rb_rig_close(&rig), 0);

    spec.connectors = without_transform;
    spec.log_level = 3;
    rb_rig_start(&rig, &spec);
    run_unit(&rig, "\"emit\":1,\"log\":1,", "", &result);
    rb_unit_result_release(&result);
    assert_int_equal(count_of(&rig.logs, "3 src debug\n"), 1);
    /* The OpenContext, as the guest got it. */
    expect_in(&rig.logs, "{\"config\":{\"json\":{\"a\":1.50}},\"connector_id\":\"src\","
                         "\"connector_version\":\"1\",\"role\":\"source\",\"pipeline\":\"p\","
                         "\"timeouts\":{\"connect_ms\":0,\"statement_ms\":0,\"idle_ms\":0,"
                         "\"lock_ms\":0}}");
    assert_int_equal(rb_rig_close(&rig), 0);
}

/* A batch that was cut ends the unit, and nothing of it is passed on. */
static void test_broken_batches_are_refused(void **state)
{
    (void)state;
    static const size_t cuts[] = {9, 64, 200};
    struct rb_rig rig;
    struct rb_worker_spec spec = make_spec(false);
    rb_rig_start(&rig, &spec);
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        struct rb_unit_result result;
        char numbers[32];
        snprintf(numbers, sizeof numbers, "\"emit\":3,\"cut\":%zu,", cuts[i]);
        run_unit(&rig, numbers, "", &result);
        assert_int_equal(result.first_failed, 0);
        assert_string_equal(result.stages[0].error.code, "BAD_BATCH");
        assert_true(result.batches == 0 && result.records == 0);
        rb_unit_result_release(&result);
    }
    expect_usable(&rig);
    assert_int_equal(rb_rig_close(&rig), 0);
}

/* A call over its time ends the process: one that computes, and one that waits. */
static void test_time_is_limited(void **state)
{
    (void)state;
    for (int waits = 0; waits <= 1; waits++) {
        struct rb_rig rig;
        struct rb_worker_spec spec = make_spec(false);
        struct rb_connector_spec limited[2] = {connectors[0], connectors[2]};
        limited[0].limits.cpu_ms = waits ? 0 : 200;
        limited[1].limits.call_ms = waits ? 200 : 0;
        spec.connectors = limited;
        rb_rig_start(&rig, &spec);
        double start = now_secs();
        send_unit(&rig, waits ? "\"emit\":10," : "\"emit\":10,\"spin_at\":2,",
                  waits ? "\"stall\":1," : "");
        assert_int_equal(rb_rig_wait(&rig, false), RB_WORKER_EXIT_LIMIT);
        assert_true(now_secs() - start > 0.19 && now_secs() - start < 10);
        rb_rig_release(&rig);
    }
}

/* The source's stack, of a size that nothing else has, in the worker's map: under it are 64 MiB
 * that are nobody's. */
static void test_stack_and_its_guard(void **state)
{
    (void)state;
    enum { STACK = 3 * 1024 * 1024, GUARD = 64 * 1024 * 1024 };
    struct rb_rig rig;
    struct rb_worker_spec spec = make_spec(false);
    struct rb_connector_spec limited[2] = {connectors[0], connectors[2]};
    limited[0].limits.stack_bytes = STACK;
    spec.connectors = limited;
    rb_rig_start(&rig, &spec);
    expect_usable(&rig);
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)rig.pid);
    FILE *maps = fopen(path, "re");
    assert_non_null(maps);
    bool is_guarded = false;
    unsigned long guard = 0, guard_end = 0;
    while (fgets(line, sizeof line, maps) != NULL) {
        char *end = NULL;
        unsigned long from = strtoul(line, &end, 16);
        unsigned long to = strtoul(end + 1, &end, 16);
        if (strncmp(end, " rw-p", 5) == 0 && to - from == STACK && guard_end == from &&
            guard >= GUARD) {
            is_guarded = true;
        }
        bool is_free = strncmp(end, " ---p", 5) == 0;
        guard = is_free ? to - from : 0;
        guard_end = is_free ? to : 0;
    }
    fclose(maps);
    assert_true(is_guarded);
    assert_int_equal(rb_rig_close(&rig), 0);
}

static void test_progress(void **state)
{
    (void)state;
    struct rb_rig rig;
    struct rb_worker_spec spec = make_spec(false);
    double secs = 0;
    rb_rig_start(&rig, &spec);
    for (int n = 100; secs < 0.25; n *= 2) { /* long enough for two, on any machine */
        char source[32];
        struct rb_unit_result result;
        snprintf(source, sizeof source, "\"emit\":%d,", n);
        rig.n_progress = 0;
        double start = now_secs();
        run_unit(&rig, source, "", &result);
        secs = now_secs() - start;
        expect_ok(&result);
        rb_unit_result_release(&result);
        assert_true(rig.n_progress <= (int)(secs * 10));
    }
    assert_true(rig.n_progress >= 1);
    expect_in(&rig.progress, "{\"read\":{\"records\":");
    expect_in(&rig.progress, ",\"written\":{\"records\":");
    assert_int_equal(rb_rig_close(&rig), 0);
}

/* The SDK's examples: a source of numbers, a column emptied on the way, a destination that counts.
 */
static void test_examples_of_the_sdk(void **state)
{
    (void)state;
    static const char unit[] = "{\"lane\":0,\"source\":" CONTEXT ",\"transforms\":[" CONTEXT
                               "],\"destination\":" CONTEXT "}";
    static const struct rb_connector_spec examples[] = {
        {.role = RB_ROLE_SOURCE,
         .id = "source-numbers",
         .version = "0.1.0",
         .wasm_path = "build/connectors/source_numbers.wasm",
         .config_json = "{\"rows\":25000}"},
        {.role = RB_ROLE_TRANSFORM,
         .id = "transform-mask",
         .version = "0.1.0",
         .wasm_path = "build/connectors/transform_mask.wasm",
         .config_json = "{\"columns\":[\"n\"],\"method\":\"null\"}"},
        {.role = RB_ROLE_DESTINATION,
         .id = "dest-count",
         .version = "0.1.0",
         .wasm_path = "build/connectors/dest_count.wasm",
         .config_json = "{}"},
    };
    struct rb_rig rig;
    struct rb_unit_result result;
    struct rb_worker_spec spec = make_spec(true);
    spec.connectors = examples;
    spec.compression = RB_COMPRESSION_LZ4;
    rb_rig_start(&rig, &spec);
    for (int run = 1; run <= 2; run++) {
        take_result(&rig, rb_rig_send(&rig, RB_LINK_UNIT, unit, sizeof unit - 1), &result);
        expect_ok(&result);
        assert_true(result.records == 25000 && result.batches == 1);
        rb_unit_result_release(&result);
        assert_string_equal(rb_buf_str(&rig.k), run == 1 ? "25000" : "50000");
        assert_int_equal(rig.n_metrics, run);
    }
    assert_int_equal(rb_rig_close(&rig), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unit_arrives_whole),
        cmocka_unit_test(test_end_without_transform),
        cmocka_unit_test(test_failing_source_aborts),
        cmocka_unit_test(test_failing_destination_stops_the_source),
        cmocka_unit_test(test_parts_are_the_operators),
        cmocka_unit_test(test_success_that_is_none),
        cmocka_unit_test(test_already_loaded),
        cmocka_unit_test(test_cancel_while_the_channel_is_full),
        cmocka_unit_test(test_supervisor_gone),
        cmocka_unit_test(test_logs_are_filtered_and_bounded),
        cmocka_unit_test(test_broken_batches_are_refused),
        cmocka_unit_test(test_time_is_limited),
        cmocka_unit_test(test_stack_and_its_guard),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_examples_of_the_sdk),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_batch, free_batch);
}
