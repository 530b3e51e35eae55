/* host/config: finding connectors and reading their manifests; the small parsers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "host/config/scalar.h"
#include "base/suggest.h"
#include "host/config/wasm_section.h"
#include "tests/support/config_fixture.h"

static const uint8_t module[8] = {0, 'a', 's', 'm', 1, 0, 0, 0};
#define MODULE_SHA256 "93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476"

/* Finds `name` in the fixture's connectors folder and in one that does not exist. */
static int find(const struct rb_config_fixture *f, const char *name, struct rb_manifest **ret,
                struct rb_error *err)
{
    char dirs[192];
    (void)snprintf(dirs, sizeof dirs, "/nonexistent:%s/connectors", f->folder);
    *err = (struct rb_error){.status = 0};
    *ret = NULL;
    return rb_manifest_find(name, dirs, ret, err);
}

static void refuse(const struct rb_config_fixture *f, const char *name, const char *code,
                   const char *part)
{
    struct rb_manifest *m = NULL;
    struct rb_error err;
    assert_int_equal(find(f, name, &m, &err), RB_ECONNECTOR);
    assert_null(m);
    assert_string_equal(err.code, code);
    if (strstr(err.message, part) == NULL) {
        fail_msg("'%s' is not in '%s'", part, err.message);
    }
}

static void test_find(void **ctx)
{
    const struct rb_config_fixture *f = *ctx;
    struct rb_manifest *m = NULL;
    struct rb_error err;
    char path[192];
    assert_int_equal(find(f, "source-demo", &m, &err), 0);
    assert_string_equal(m->id, "source-demo");
    assert_string_equal(m->name, "Demo source");
    assert_string_equal(m->version, "0.2.0");
    assert_string_equal(m->description, "for tests");
    assert_string_equal(m->protocol_version, "1");
    (void)snprintf(path, sizeof path, "%s/connectors/source_demo.wasm", f->folder);
    assert_string_equal(m->wasm_path, path);
    (void)snprintf(path, sizeof path, "%s/connectors/source_demo.manifest.json", f->folder);
    assert_string_equal(m->manifest_path, path);
    assert_string_equal(m->sha256, MODULE_SHA256);
    assert_true(m->allow_runtime_config_domains);
    assert_string_equal(m->tls, "optional");
    assert_int_equal(m->n_env_vars, 1);
    assert_true(m->is_source);
    assert_false(m->is_destination);
    assert_false(m->is_transform);
    assert_int_equal(m->n_sync_modes, 2);
    assert_non_null(strstr(m->config_schema_json, "\"x-url\""));
    rb_manifest_free(m);
}

static void test_not_found(void **ctx)
{
    const struct rb_config_fixture *f = *ctx;
    struct rb_manifest *m = NULL;
    struct rb_error err;
    char places[192];
    (void)snprintf(places, sizeof places, "not found in: /nonexistent, %s/connectors", f->folder);
    refuse(f, "sorce-demo", "CONNECTOR_NOT_FOUND", places);
    assert_int_equal(find(f, "sorce-demo", &m, &err), RB_ECONNECTOR);
    assert_string_equal(err.hint, "did you mean 'source-demo'?");
    assert_int_equal(find(f, "something", &m, &err), RB_ECONNECTOR);
    assert_non_null(strstr(err.hint, "RAPIDBYTE_CONNECTOR_DIR"));
    refuse(f, "../source-demo", "CONNECTOR_NAME", "is not a connector's name");
    refuse(f, "", "CONNECTOR_NAME", "is not a connector's name");
}

static void write_connector(const struct rb_config_fixture *f, const char *manifest)
{
    rb_config_fixture_write(f, "connectors/x.wasm", module, sizeof module);
    rb_config_fixture_write(f, "connectors/x.manifest.json", manifest, strlen(manifest));
}

static void test_bad_manifests(void **ctx)
{
#define ROLES ",\"roles\":{\"source\":{}}"
    static const struct {
        const char *manifest, *code, *part;
    } cases[] = {
        {"{", "MANIFEST_INVALID", "x.manifest.json is not JSON: "},
        {"[]", "MANIFEST_INVALID", "it is not an object"},
        {"{}", "PROTOCOL_VERSION", "connector 'x' speaks protocol version '', this rapidbyte '1'"},
        {"{\"protocol_version\":\"2\"" ROLES "}", "PROTOCOL_VERSION", "version '2'"},
        {"{\"protocol_version\":\"1\"}", "MANIFEST_INVALID", "it names no role"},
        {"{\"protocol_version\":\"1\"" ROLES ",\"config_schema\":[]}", "MANIFEST_INVALID",
         "config_schema is not an object"},
        {"{\"protocol_version\":\"1\"" ROLES ",\"limits\":{\"max_memory\":\"1x\"}}",
         "MANIFEST_INVALID", "limits.max_memory is not a size"},
        {"{\"protocol_version\":\"1\"" ROLES ",\"permissions\":{\"network\":{\"tls\":\"no\"}}}",
         "MANIFEST_INVALID", "permissions.network.tls"},
        {"{\"protocol_version\":\"1\"" ROLES ",\"artifact\":{\"checksum\":\"md5:1\"}}",
         "MANIFEST_INVALID", "artifact.checksum"},
        {"{\"protocol_version\":\"1\"" ROLES ",\"artifact\":{\"checksum\":\"sha256:"
         "03a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476\"}}",
         "CHECKSUM_DIFFERS", "its sha-256 is " MODULE_SHA256},
    };
    const struct rb_config_fixture *f = *ctx;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_connector(f, cases[i].manifest);
        refuse(f, "x", cases[i].code, cases[i].part);
    }
    struct rb_manifest *m = NULL;
    struct rb_error err;
    write_connector(f, "{\"protocol_version\":\"1\"" ROLES
                       ",\"artifact\":{\"checksum\":\"sha256:" MODULE_SHA256 "\"}}");
    assert_int_equal(find(f, "x", &m, &err), 0);
    assert_string_equal(m->id, "x");
    rb_manifest_free(m);
}

/* A manifest of 1 MiB is read, one of a byte more is not. */
static void test_ceilings(void **ctx)
{
    static const char head[] = "{\"protocol_version\":\"1\"" ROLES "}";
    enum { BYTES = 1024 * 1024 };
    const struct rb_config_fixture *f = *ctx;
    struct rb_manifest *m = NULL;
    struct rb_error err;
    char *text = malloc(BYTES + 2);
    assert_non_null(text);
    memset(text, ' ', BYTES + 1);
    memcpy(text, head, sizeof head - 1);
    text[BYTES] = '\0';
    write_connector(f, text);
    assert_int_equal(find(f, "x", &m, &err), 0);
    rb_manifest_free(m);
    text[BYTES] = ' ';
    text[BYTES + 1] = '\0';
    write_connector(f, text);
    refuse(f, "x", "CONNECTOR_UNREADABLE", "not a file of at most 1048576 bytes");
    free(text);
}

static void test_no_module(void **ctx)
{
    const struct rb_config_fixture *f = *ctx;
    rb_config_fixture_write(f, "connectors/y.wasm", "#!/bin/sh\n", 10);
    refuse(f, "y", "NOT_WASM", "is not a WebAssembly module");
    rb_config_fixture_write(f, "connectors/y.wasm", module, sizeof module);
    refuse(f, "y", "MANIFEST_MISSING", "has no manifest");
}

/* A module with the custom section "rapidbyte.manifest" behind another one. */
static size_t module_with_section(uint8_t *out, const char *json)
{
    static const char name[] = "rapidbyte.manifest";
    size_t n = sizeof module, json_len = strlen(json);
    memcpy(out, module, n);
    memcpy(out + n, "\x00\x03\x01xy", 5);
    n += 5;
    size_t size = 1 + sizeof name - 1 + json_len;
    out[n++] = 0;
    out[n++] = (uint8_t)(0x80 | (size & 0x7f));
    out[n++] = (uint8_t)(size >> 7);
    out[n++] = sizeof name - 1;
    memcpy(out + n, name, sizeof name - 1);
    n += sizeof name - 1;
    memcpy(out + n, json, json_len);
    return n + json_len;
}

static void test_manifest_in_the_module(void **ctx)
{
    static const char json[] =
        "{\"id\":\"z\",\"protocol_version\":\"1\",\"roles\":{\"transform\":{}},\"description\":\""
        "padding padding padding padding padding padding\"}";
    const struct rb_config_fixture *f = *ctx;
    uint8_t bytes[512];
    size_t len = module_with_section(bytes, json);
    rb_config_fixture_write(f, "connectors/z.wasm", bytes, len);
    struct rb_manifest *m = NULL;
    struct rb_error err;
    assert_int_equal(find(f, "z", &m, &err), 0);
    assert_true(m->is_transform);
    assert_string_equal(m->manifest_path, m->wasm_path);
    assert_string_equal(m->config_schema_json, "{}");
    rb_manifest_free(m);
    /* Cut anywhere, it is not found or not a module; a read over the end is for ASan to see. */
    for (size_t n = 0; n < len; n++) {
        const uint8_t *data = NULL;
        size_t data_len = 0;
        uint8_t *copy = malloc(n == 0 ? 1 : n);
        assert_non_null(copy);
        memcpy(copy, bytes, n);
        enum rb_wasm_section_outcome outcome =
            rb_wasm_section_find(copy, n, "rapidbyte.manifest", &data, &data_len);
        assert_int_equal(outcome,
                         n == 8 || n == 13 ? RB_WASM_SECTION_NONE : RB_WASM_SECTION_NOT_WASM);
        free(copy);
    }
}

static void test_list(void **ctx)
{
    const struct rb_config_fixture *f = *ctx;
    char dirs[192];
    struct rb_manifest **manifests = NULL;
    struct rb_error *errors = NULL, err;
    size_t count = 0;
    write_connector(f, "{");
    (void)snprintf(dirs, sizeof dirs, "%s/connectors:%s/connectors", f->folder, f->folder);
    assert_int_equal(rb_manifest_list(dirs, &manifests, &errors, &count, &err), 0);
    assert_int_equal(count, 5);
    static const char *const ids[] = {"append-demo", "dest-demo", "source-demo", "transform-demo"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(errors[i].status, 0);
        assert_string_equal(manifests[i]->id, ids[i]);
        rb_manifest_free(manifests[i]);
    }
    assert_null(manifests[4]);
    assert_int_equal(errors[4].status, RB_ECONNECTOR);
    free(manifests);
    free(errors);
}

static void test_default_folders(void **ctx)
{
    (void)ctx;
    RB_CLEANUP(rb_buf_release) struct rb_buf dirs = RB_BUF_INIT(8192);
    (void)setenv("RAPIDBYTE_CONNECTOR_DIR", "/given", 1);
    (void)setenv("HOME", "/home/me", 1);
    assert_int_equal(rb_manifest_default_dirs(&dirs), 0);
    assert_memory_equal(rb_buf_str(&dirs), "/given:/", 8);
    assert_non_null(strstr(rb_buf_str(&dirs), "/connectors:"));
    assert_non_null(strstr(rb_buf_str(&dirs), "/../lib/rapidbyte/connectors:"));
    static const char last[] = ":/home/me/.rapidbyte/plugins";
    assert_true(dirs.len > sizeof last);
    assert_string_equal(rb_buf_str(&dirs) + dirs.len - (sizeof last - 1), last);
    (void)unsetenv("RAPIDBYTE_CONNECTOR_DIR");
}

/* A connector that is missing or refused is not a mistake in the document. */
static void test_status_of_a_refused_connector(void **ctx)
{
    static const char text[] = "version: \"1.0\"\npipeline: p\n"
                               "source: { use: none-such, streams: [a] }\n"
                               "destination: { use: dest-demo }\n";
    rb_config_fixture_bad(*ctx, RB_ECONNECTOR, text,
                          "3:16: connector 'none-such' was not found in: @/connectors "
                          "[RAPIDBYTE_CONNECTOR_DIR names the folder of further connectors]\n");
    struct rb_config_fixture *f = *ctx;
    assert_string_equal(f->err.code, "CONNECTOR_NOT_FOUND");
    rb_config_fixture_bad(*ctx, RB_ECONFIG,
                          "version: \"1.0\"\npipeline: p\n"
                          "source: { use: dest-demo, streams: [a] }\n"
                          "destination: { use: dest-demo }\n",
                          "3:16: connector 'dest-demo' is not a source\n");
}

static void test_scalars(void **ctx)
{
    (void)ctx;
    uint64_t size = 7;
    int64_t n = 7;
    double d = 7;
    assert_true(rb_scalar_size("0", &size) && size == 0);
    assert_true(rb_scalar_size("3kb", &size) && size == 3072);
    assert_true(rb_scalar_size("8589934591gb", &size) && size == UINT64_C(9223372035781033984));
    assert_false(rb_scalar_size("8589934592gb", &size));
    assert_false(rb_scalar_size("9223372036854775808", &size));
    assert_false(rb_scalar_size("", &size) || rb_scalar_size("kb", &size) ||
                 rb_scalar_size("1KB", &size) || rb_scalar_size("1k", &size) ||
                 rb_scalar_size("1 kb", &size) || rb_scalar_size("+1", &size));
    assert_true(rb_scalar_micros("500ms", &n) && n == 500000);
    assert_true(rb_scalar_micros("2d", &n) && n == INT64_C(172800000000));
    assert_true(rb_scalar_micros("0", &n) && n == 0);
    assert_false(rb_scalar_micros("5", &n) || rb_scalar_micros("1.5s", &n) ||
                 rb_scalar_micros("99999999999d", &n) || rb_scalar_micros("-1s", &n));
    assert_true(rb_scalar_i64("-9223372036854775807", &n) && n == -INT64_MAX);
    assert_false(rb_scalar_i64("9223372036854775808", &n) || rb_scalar_i64("", &n) ||
                 rb_scalar_i64("-", &n) || rb_scalar_i64("1a", &n) || rb_scalar_i64(" 1", &n));
    assert_true(rb_scalar_double("-1.5e3", &d) && d < -1499.0 && d > -1501.0);
    assert_false(rb_scalar_double("1e999", &d) || rb_scalar_double("nan", &d) ||
                 rb_scalar_double("1.", &d) || rb_scalar_double(".5", &d) ||
                 rb_scalar_double("01", &d) || rb_scalar_double("1-2", &d));
}

static void test_distance(void **ctx)
{
    (void)ctx;
    assert_int_equal(rb_suggest_distance("", "abc"), 3);
    assert_int_equal(rb_suggest_distance("pipline", "pipeline"), 1);
    assert_int_equal(rb_suggest_distance("hots", "host"), 1);
    assert_int_equal(rb_suggest_distance("HOST", "host"), 0);
    assert_int_equal(rb_suggest_distance("kitten", "sitting"), 3);
    struct rb_suggest s;
    rb_suggest_init(&s, "prot");
    rb_suggest_offer(&s, "user");
    assert_null(s.best);
    rb_suggest_offer(&s, "port");
    rb_suggest_offer(&s, "pro");
    assert_string_equal(s.best, "port");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name)                                                                                    \
    cmocka_unit_test_setup_teardown(name, rb_config_fixture_set_up, rb_config_fixture_tear_down)
        T(test_find),      T(test_not_found),       T(test_bad_manifests),
        T(test_no_module), T(test_ceilings),        T(test_manifest_in_the_module),
        T(test_list),      T(test_default_folders), T(test_status_of_a_refused_connector),
        T(test_scalars),   T(test_distance),
#undef T
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("config_manifest", tests, NULL, NULL);
}
