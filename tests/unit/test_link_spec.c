#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/link/spec.h"
#include "host/link/text.h"

static const char *const secrets[] = {"p\xe4ss", ""};
static const char *const env[] = {"LANG=C"};
static const struct rb_spec_allow allow[] = {{"db.example.com", 5432}, {"10.0.0.0/8", 0}};
static const struct rb_spec_preopen preopens[] = {{"/data", "/srv/data", true}};
static const struct rb_connector_spec connectors[] = {
    {.role = RB_ROLE_SOURCE,
     .id = "source-postgres",
     .version = "0.1.0",
     .wasm_path = "/c/source_postgres.wasm",
     .wasm_sha256 = "ab",
     .config_json = "{\"port\": 5432, \"x\":1e2}",
     .secrets = secrets,
     .n_secrets = 2,
     .allow = allow,
     .n_allow = 2,
     .tls_mode = 5,
     .tls_root_cert = "/ca.pem",
     .tls_crl = "/crl.pem",
     .channel_binding = 2,
     .env = env,
     .n_env = 1,
     .preopens = preopens,
     .n_preopens = 1,
     .memory_max_bytes = 65536,
     .limits = {1, 2, 3, 4, 5, 6, 7, 8, 9}},
    {.role = RB_ROLE_DESTINATION,
     .id = "dest",
     .version = "1",
     .wasm_path = "d.wasm",
     .config_json = "{}",
     .tls_forbidden = true,
     .wasi_sockets = true},
};

static const struct rb_worker_spec spec = {
    .pipeline = "p",
    .connectors = connectors,
    .n_connectors = 2,
    .lanes = 2,
    .one_source = true,
    .max_memory_bytes = 268435456,
    .max_batch_bytes = 67108864,
    .max_inflight_batches = 16,
    .max_inflight_bytes = 16777216,
    .compression = RB_COMPRESSION_ZSTD,
    .aot_dir = "/aot",
    .log_level = 2,
    .connect_timeout_ms = 10000,
    .lock_timeout_ms = 1,
};

static const char golden[] =
    "{\"pipeline\":\"p\",\"connectors\":[{\"role\":\"source\",\"id\":\"source-postgres\","
    "\"version\":\"0.1.0\",\"wasm_path\":\"/c/source_postgres.wasm\",\"wasm_sha256\":\"ab\","
    "\"config_json\":\"{\\\"port\\\": 5432, \\\"x\\\":1e2}\",\"secrets\":[\"cORzcw==\",\"\"],"
    "\"allow\":[{\"host\":\"db.example.com\",\"port\":5432},{\"host\":\"10.0.0.0/8\",\"port\":0}],"
    "\"tls_mode\":5,\"tls_forbidden\":false,\"tls_root_cert\":\"/ca.pem\",\"tls_cert\":null,"
    "\"tls_key\":null,\"tls_crl\":\"/crl.pem\",\"channel_binding\":2,"
    "\"wasi_sockets\":false,\"env\":[\"TEFORz1D\"],\"preopens\":[{"
    "\"guest_path\":\"/data\",\"host_path\":\"/srv/data\",\"writable\":true}],"
    "\"memory_max_bytes\":65536,\"limits\":{\"sockets\":1,\"log_lines\":2,\"log_bytes\":3,"
    "\"state_keys\":4,\"state_bytes\":5,\"metric_names\":6,\"stack_bytes\":7,"
    "\"call_ms\":8,\"cpu_ms\":9}},{\"role\":\"destination\","
    "\"id\":\"dest\",\"version\":\"1\","
    "\"wasm_path\":\"d.wasm\",\"wasm_sha256\":null,\"config_json\":\"{}\",\"secrets\":[],"
    "\"allow\":[],\"tls_mode\":0,\"tls_forbidden\":true,\"tls_root_cert\":null,\"tls_cert\":null,"
    "\"tls_key\":null,\"tls_crl\":null,\"channel_binding\":0,"
    "\"wasi_sockets\":true,\"env\":[],\"preopens\":[],\"memory_max_bytes\":0,"
    "\"limits\":{\"sockets\":0,\"log_lines\":0,\"log_bytes\":0,\"state_keys\":0,"
    "\"state_bytes\":0,\"metric_names\":0,\"stack_bytes\":0,\"call_ms\":0,\"cpu_ms\":0}}],"
    "\"lanes\":2,\"one_source\":true,\"max_memory_bytes\":268435456,\"max_batch_bytes\":67108864,"
    "\"max_inflight_batches\":16,\"max_inflight_bytes\":16777216,\"compression\":\"zstd\","
    "\"aot_dir\":\"/"
    "aot\",\"interpreter\":false,\"no_os_sandbox\":false,\"llvm_stub_path\":null,\"log_level\":2,"
    "\"connect_timeout_ms\":10000,\"statement_timeout_ms\":0,\"idle_timeout_ms\":0,"
    "\"lock_timeout_ms\":1}";

static void test_spec_golden(void **state)
{
    (void)state;
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(65536);
    assert_int_equal(rb_worker_spec_encode(&spec, &out), 0);
    assert_string_equal(rb_buf_str(&out), golden);
}

static void test_spec_round_trip(void **state)
{
    (void)state;
    struct rb_worker_spec_owned got;
    assert_int_equal(rb_worker_spec_decode(golden, strlen(golden), &got, NULL), 0);
    const struct rb_connector_spec *c = got.spec.connectors;
    assert_int_equal(got.spec.n_connectors, 2);
    assert_string_equal(c[0].secrets[0], secrets[0]);
    assert_string_equal(c[0].secrets[1], "");
    assert_string_equal(c[0].config_json, connectors[0].config_json);
    assert_string_equal(c[0].env[0], env[0]);
    assert_string_equal(c[0].allow[1].host, "10.0.0.0/8");
    assert_true(c[0].preopens[0].writable);
    assert_memory_equal(&c[0].limits, &connectors[0].limits, sizeof c[0].limits);
    assert_null(c[1].wasm_sha256);
    assert_int_equal(c[1].role, RB_ROLE_DESTINATION);
    RB_CLEANUP(rb_buf_release) struct rb_buf again = RB_BUF_INIT(65536);
    assert_int_equal(rb_worker_spec_encode(&got.spec, &again), 0);
    assert_string_equal(rb_buf_str(&again), golden);
    rb_worker_spec_release(&got);
}

/* Every prefix, and every member with its name spoiled, is refused and leaks nothing. */
static void test_spec_malformed(void **state)
{
    (void)state;
    struct rb_worker_spec_owned got;
    struct rb_error err;
    for (size_t len = 0; len < sizeof golden - 1; len++) {
        assert_int_equal(rb_worker_spec_decode(golden, len, &got, &err), RB_EPROTOCOL);
    }
    static const char *const optional[] = {"wasm_sha256",   "tls_root_cert", "tls_cert",
                                           "tls_key",       "tls_crl",       "aot_dir",
                                           "llvm_stub_path"};
    for (const char *at = strchr(golden, '"'); at != NULL; at = strchr(at + 1, '"')) {
        const char *end = strchr(at + 1, '"');
        if (end == NULL || end[1] != ':' || at[-1] == '\\') {
            continue;
        }
        bool skip = false;
        for (size_t i = 0; i < sizeof optional / sizeof *optional; i++) {
            skip |= strncmp(at + 1, optional[i], strlen(optional[i])) == 0;
        }
        char *spoiled = strdup(golden);
        assert_non_null(spoiled);
        spoiled[at + 1 - golden] = '?';
        int expected = skip ? 0 : RB_EPROTOCOL;
        int r = rb_worker_spec_decode(spoiled, strlen(spoiled), &got, &err);
        free(spoiled);
        assert_int_equal(r, expected);
        if (r == 0) {
            rb_worker_spec_release(&got);
        }
    }
}

static void test_spec_bounds(void **state)
{
    (void)state;
    struct rb_worker_spec_owned got;
    struct rb_error err;
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(65536);
    struct rb_worker_spec wrong = spec;
    wrong.lanes = RB_SPEC_LANES_MAX + 1;
    assert_int_equal(rb_worker_spec_encode(&wrong, &out), 0);
    assert_int_equal(rb_worker_spec_decode(rb_buf_str(&out), out.len, &got, &err), RB_EPROTOCOL);
    assert_non_null(strstr(err.message, "lanes"));
    /* One more than there may be of an array. */
    static struct rb_spec_allow many[RB_SPEC_ITEMS_MAX + 1];
    for (size_t i = 0; i < sizeof many / sizeof many[0]; i++) {
        many[i] = (struct rb_spec_allow){"h", 1};
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf long_text = RB_BUF_INIT(1 << 20);
    struct rb_connector_spec connector = connectors[0];
    connector.allow = many;
    wrong = spec;
    wrong.connectors = &connector;
    wrong.n_connectors = 1;
    for (size_t n = RB_SPEC_ITEMS_MAX; n <= RB_SPEC_ITEMS_MAX + 1; n++) {
        connector.n_allow = n;
        rb_buf_clear(&long_text);
        assert_int_equal(rb_worker_spec_encode(&wrong, &long_text), 0);
        int r = rb_worker_spec_decode(rb_buf_str(&long_text), long_text.len, &got, &err);
        assert_int_equal(r, n == RB_SPEC_ITEMS_MAX ? 0 : RB_EPROTOCOL);
        if (r == 0) {
            rb_worker_spec_release(&got);
        }
    }
    assert_non_null(strstr(err.message, "allow"));
    struct rb_buf small = RB_BUF_INIT(100);
    assert_int_equal(rb_worker_spec_encode(&spec, &small), RB_ENOMEM);
    rb_buf_release(&small);
}

static void test_error_round_trip(void **state)
{
    (void)state;
    struct rb_error err, got;
    rb_error_set(&err, RB_ECANCELLED, "CANCELLED", "stream \"o\": %s", "stopped");
    rb_error_set_detail(&err, "d");
    rb_error_set_hint(&err, "h");
    memcpy(err.sqlstate, "57014", 6);
    err.commit_state = RB_COMMIT_AFTER_UNKNOWN;
    err.backoff = RB_BACKOFF_SLOW;
    err.scope = RB_SCOPE_RECORD;
    err.safe_to_retry = true;
    err.retry_after_ms = 5;
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(65536);
    struct rb_json json;
    rb_json_init(&json, &out);
    rb_link_error_encode(&json, &err);
    assert_int_equal(rb_json_finish(&json), 0);
    assert_int_equal(rb_link_error_decode(rb_buf_str(&out), out.len, &got), 0);
    assert_int_equal(got.status, err.status);
    assert_int_equal(got.category, err.category);
    assert_int_equal(got.scope, err.scope);
    assert_int_equal(got.backoff, err.backoff);
    assert_int_equal(got.commit_state, err.commit_state);
    assert_true(got.safe_to_retry && got.retryable == err.retryable && got.retry_after_ms == 5);
    assert_string_equal(got.code, err.code);
    assert_string_equal(got.message, err.message);
    assert_string_equal(got.sqlstate, "57014");
    assert_string_equal(got.detail, "d");
    assert_string_equal(got.hint, "h");
}

static void test_error_of_a_connector(void **state)
{
    (void)state;
    struct rb_error got;
    const char *json = "{\"category\":\"data\",\"scope\":\"record\",\"code\":\"C\",\"message\":"
                       "\"m\",\"retryable\":false,\"details\":null}";
    assert_int_equal(rb_link_error_decode(json, strlen(json), &got), 0);
    assert_int_equal(got.status, RB_EDATA);
    assert_int_equal(got.scope, RB_SCOPE_RECORD);
    assert_string_equal(got.message, "m");
    assert_int_equal(rb_link_error_decode("[]", 2, &got), RB_EPROTOCOL);
    assert_int_equal(rb_link_error_decode("", 0, &got), RB_EPROTOCOL);

    /* Cut at a whole character. */
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(65536);
    rb_buf_append_str(&out, "{\"message\":\"a");
    for (int i = 0; i < RB_ERROR_MESSAGE_MAX; i++) {
        rb_buf_append_str(&out, "\xc3\xa4");
    }
    rb_buf_append_str(&out, "\"}");
    assert_int_equal(rb_link_error_decode(rb_buf_str(&out), out.len, &got), 0);
    assert_int_equal(strlen(got.message), RB_ERROR_MESSAGE_MAX - 1);
    assert_int_equal((unsigned char)got.message[RB_ERROR_MESSAGE_MAX - 2], 0xa4);
}

static void test_unit_result(void **state)
{
    (void)state;
    struct rb_unit_result result, got;
    rb_unit_result_init(&result);
    result.n_stages = 2;
    result.first_failed = 1;
    result.stages[0].ok = true;
    rb_buf_append_str(&result.stages[0].data, "{\"records_read\": 1.0}");
    result.stages[0].wait_secs = 0.25;
    rb_error_set(&result.stages[1].error, RB_ECONNECTOR, "TRAP", "trapped");
    result.stages[1].memory_bytes = 65536;
    result.batches = 1;
    result.bytes = 2;
    result.compressed_bytes = 3;
    result.records = UINT64_MAX;
    rb_buf_append_str(&result.source_checkpoint, "{\"id\":\"x\"}");
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(65536);
    assert_int_equal(rb_unit_result_encode(&result, &out), 0);
    rb_unit_result_release(&result);
    assert_int_equal(rb_unit_result_decode(rb_buf_str(&out), out.len, &got, NULL), 0);
    assert_int_equal(got.n_stages, 2);
    assert_int_equal(got.first_failed, 1);
    assert_true(got.stages[0].ok && !got.stages[1].ok);
    assert_string_equal(rb_buf_str(&got.stages[0].data), "{\"records_read\": 1.0}");
    assert_true(got.stages[0].wait_secs > 0.24 && got.stages[0].wait_secs < 0.26);
    assert_int_equal(got.stages[1].error.status, RB_ECONNECTOR);
    assert_string_equal(got.stages[1].error.message, "trapped");
    assert_true(got.stages[1].memory_bytes == 65536);
    assert_true(got.batches == 1 && got.bytes == 2 && got.compressed_bytes == 3);
    assert_true(got.records == UINT64_MAX);
    assert_string_equal(rb_buf_str(&got.source_checkpoint), "{\"id\":\"x\"}");
    rb_unit_result_release(&got);
    for (size_t len = 0; len < out.len; len++) {
        assert_int_equal(rb_unit_result_decode(rb_buf_str(&out), len, &got, NULL), RB_EPROTOCOL);
    }
}

/* Whether the bytes, each XORed with 0x55, lie in memory of this process that can be written. */
static int count_in_memory(const char *hidden, size_t len)
{
    /* Nothing is allocated here: it would come to lie upon what is searched for. */
    static char text[256 * 1024];
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    size_t n_read = 0;
    ssize_t got;
    assert_true(fd >= 0);
    while ((got = read(fd, text + n_read, sizeof text - 1 - n_read)) > 0) {
        n_read += (size_t)got;
    }
    close(fd);
    text[n_read] = 0;
    int n = 0;
    for (char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n' ? 1 : 0;
        char *end = strchr(line, '\n');
        const char *name = strstr(line, "[heap]");
        if (name == NULL || end == NULL || name > end) {
            continue;
        }
        char *dash = NULL;
        unsigned long from = strtoul(line, &dash, 16);
        unsigned long to = strtoul(dash + 1, NULL, 16);
        const volatile char *at = (const volatile char *)from;
        for (size_t k = 0; k + len < to - from; k++) {
            size_t same = 0;
            while (same < len && (char)(at[k + same] ^ 0x55) == hidden[same]) {
                same++;
            }
            n += same == len ? 1 : 0;
        }
    }
    return n;
}

/* "zCanaryInTheHeap4711", XORed, so that the text itself is nowhere, and its base64 form. */
static const char hidden_canary[] =
    "\x2f\x16\x34\x3b\x34\x27\x2c\x1c\x3b\x01\x3d\x30\x1d\x30\x34\x25\x61\x62\x64\x64";
enum { CANARY_LEN = sizeof hidden_canary - 1, BASE64_LEN = 26 };

/* A password on its way to the worker leaves no copy in memory that was given back. */
static void test_no_copy_of_a_secret_stays(void **state)
{
    (void)state;
    RB_CLEANUP(rb_buf_release) struct rb_buf base64 = RB_BUF_INIT(1024);
    base64.is_secret = true;
    char *canary = calloc(1, CANARY_LEN + 1);
    assert_non_null(canary);
    for (size_t i = 0; i < CANARY_LEN; i++) {
        canary[i] = (char)(hidden_canary[i] ^ 0x55);
    }
    assert_int_equal(rb_link_base64_encode(canary, CANARY_LEN, &base64), 0);
    char hidden_base64[BASE64_LEN];
    for (size_t i = 0; i < BASE64_LEN; i++) {
        hidden_base64[i] = (char)(base64.data[i] ^ 0x55);
    }
    const char *one_secret[] = {canary};
    struct rb_connector_spec connector = connectors[0];
    connector.secrets = one_secret;
    connector.n_secrets = 1;
    struct rb_worker_spec own = spec;
    own.connectors = &connector;
    own.n_connectors = 1;
    struct rb_buf text = RB_BUF_INIT(1 << 20);
    struct rb_worker_spec_owned got;
    text.is_secret = true;
    assert_int_equal(rb_worker_spec_encode(&own, &text), 0);
    assert_int_equal(rb_worker_spec_decode(rb_buf_str(&text), text.len, &got, NULL), 0);
    assert_string_equal(got.spec.connectors[0].secrets[0], canary);
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
    rb_worker_spec_release(&got);
    rb_buf_release(&text);
    rb_buf_release(&base64); /* skip() does not come back for it */
    free(canary);
    skip(); /* its heap is elsewhere, and keeps what was freed */
#endif
#endif
    assert_true(count_in_memory(hidden_canary, CANARY_LEN) >= 2); /* it is found where it is */
    rb_worker_spec_release(&got);
    rb_buf_release(&text);
    rb_buf_release(&base64);
    explicit_bzero(canary, CANARY_LEN);
    free(canary);
    assert_int_equal(count_in_memory(hidden_canary, CANARY_LEN), 0);
    assert_int_equal(count_in_memory(hidden_base64, BASE64_LEN), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_copy_of_a_secret_stays),
        cmocka_unit_test(test_spec_golden),
        cmocka_unit_test(test_spec_round_trip),
        cmocka_unit_test(test_spec_malformed),
        cmocka_unit_test(test_spec_bounds),
        cmocka_unit_test(test_error_round_trip),
        cmocka_unit_test(test_error_of_a_connector),
        cmocka_unit_test(test_unit_result),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
