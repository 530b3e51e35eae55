/* host/config: every key of the document has an effect. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/config_fixture.h"

#define SOURCE                                                                                     \
    "version: \"1.0\"\npipeline: p\n"                                                              \
    "source:\n  use: source-demo\n  config: { host: db, user: u, database: d }\n"
#define DESTINATION "destination: { use: dest-demo, config: { host: x.example.com } }\n"
#define STREAMS "  streams: [users]\n"

static void test_defaults(void **ctx)
{
    struct rb_config_fixture *f = *ctx;
    char text[128];
    const struct rb_pipeline *p = rb_config_fixture_good(f, SOURCE STREAMS DESTINATION);
    assert_string_equal(p->path, f->path);
    assert_string_equal(p->name, "p");
    (void)snprintf(text, sizeof text, "%s/state.db", f->folder);
    assert_string_equal(p->state_path, text);
    assert_int_equal(p->resources.max_memory_bytes, 256 << 20);
    assert_int_equal(p->resources.max_batch_bytes, 64 << 20);
    assert_int_equal(p->resources.max_inflight_batches, 16);
    assert_int_equal(p->resources.max_inflight_bytes, 16 << 20);
    assert_int_equal(p->resources.max_record_bytes, 16 << 20);
    assert_int_equal(p->resources.parallelism, 1);
    assert_int_equal(p->resources.max_connections, 8);
    assert_int_equal(p->resources.compression, RB_COMPRESSION_NONE);
    assert_int_equal(p->resources.max_retries, 3);
    assert_int_equal(p->resources.max_sockets, 16);
    assert_int_equal(p->resources.max_log_lines, 10000);
    assert_int_equal(p->resources.max_log_bytes, 16 << 20);
    assert_int_equal(p->resources.max_state_keys, 10000);
    assert_int_equal(p->resources.max_state_bytes, 64 << 20);
    assert_int_equal(p->resources.max_metric_names, 1000);
    assert_int_equal(p->resources.max_stack_bytes, 8 << 20);
    assert_int_equal(p->resources.max_call_ms, 0);
    assert_int_equal(p->resources.max_cpu_ms, 0);
    assert_int_equal(p->timeouts.connect_ms, 10000);
    assert_int_equal(p->timeouts.statement_ms, 0);
    assert_int_equal(p->timeouts.idle_ms, 60000);
    assert_int_equal(p->timeouts.lock_ms, 10000);
    assert_int_equal(p->timeouts.run_ms, 0);
    assert_int_equal(p->n_streams, 1);
    const struct rb_stream *s = &p->streams[0];
    assert_string_equal(s->name, "users");
    assert_int_equal(s->line, 6);
    assert_int_equal(s->column, 13);
    assert_int_equal(s->sync_mode, RB_SYNC_FULL_REFRESH);
    assert_int_equal(s->write_mode, RB_WRITE_APPEND);
    assert_int_equal(s->replace_method, RB_REPLACE_SWAP);
    assert_int_equal(s->on_data_error, RB_ON_DATA_ERROR_FAIL);
    assert_null(s->schema_evolution.new_column);
    assert_null(s->schema_evolution.removed_column);
    assert_null(s->schema_evolution.renamed_column);
    assert_null(s->schema_evolution.type_change);
    assert_null(s->schema_evolution.nullability_change);
    assert_int_equal(s->indexes, RB_INDEXES_NONE);
    assert_null(s->cursor_field);
    assert_null(s->source_schema);
    assert_null(s->source_table);
    assert_null(s->destination_table);
    assert_null(s->where);
    assert_int_equal(s->primary_key.count + s->columns.count, 0);
    assert_int_equal(s->lookback_kind, RB_LOOKBACK_DEFAULT);
    assert_int_equal(s->cursor_nulls, RB_NULLS_INCLUDE);
}

static void test_resources_and_timeouts(void **ctx)
{
    const struct rb_pipeline *p = rb_config_fixture_good(
        *ctx, SOURCE STREAMS DESTINATION
        "state: { backend: sqlite, connection: /var/lib/x.db }\n"
        "resources:\n"
        "  max_memory: 1gb\n  max_batch_bytes: 8mb\n  max_inflight_batches: 4\n"
        "  max_inflight_bytes: 2mb\n  max_record_bytes: 4096\n  parallelism: 3\n"
        "  max_connections: 5\n  compression: zstd\n  checkpoint_interval_bytes: 0\n"
        "  checkpoint_interval_rows: 0\n  checkpoint_interval_seconds: 0\n  max_retries: 0\n"
        "  max_sockets: 2\n  max_log_lines: 5\n  max_log_bytes: 2kb\n  max_state_keys: 7\n"
        "  max_state_bytes: 3kb\n  max_metric_names: 9\n  max_stack: 2mb\n  max_call: 2m\n"
        "  max_cpu: 500ms\n"
        "timeouts: { connect: 500ms, statement: 2m, idle: 1h, lock: 0, run: 1d }\n");
    assert_string_equal(p->state_path, "/var/lib/x.db");
    assert_int_equal(p->resources.max_memory_bytes, 1 << 30);
    assert_int_equal(p->resources.max_batch_bytes, 8 << 20);
    assert_int_equal(p->resources.max_inflight_batches, 4);
    assert_int_equal(p->resources.max_inflight_bytes, 2 << 20);
    assert_int_equal(p->resources.max_record_bytes, 4096);
    assert_int_equal(p->resources.parallelism, 3);
    assert_int_equal(p->resources.max_connections, 5);
    assert_int_equal(p->resources.compression, RB_COMPRESSION_ZSTD);
    assert_int_equal(p->resources.max_retries, 0);
    assert_int_equal(p->resources.max_sockets, 2);
    assert_int_equal(p->resources.max_log_lines, 5);
    assert_int_equal(p->resources.max_log_bytes, 2048);
    assert_int_equal(p->resources.max_state_keys, 7);
    assert_int_equal(p->resources.max_state_bytes, 3072);
    assert_int_equal(p->resources.max_metric_names, 9);
    assert_int_equal(p->resources.max_stack_bytes, 2 << 20);
    assert_int_equal(p->resources.max_call_ms, 120000);
    assert_int_equal(p->resources.max_cpu_ms, 500);
    assert_int_equal(p->timeouts.connect_ms, 500);
    assert_int_equal(p->timeouts.statement_ms, 120000);
    assert_int_equal(p->timeouts.idle_ms, 3600000);
    assert_int_equal(p->timeouts.lock_ms, 0);
    assert_int_equal(p->timeouts.run_ms, 86400000);
    p = rb_config_fixture_good(*ctx, SOURCE STREAMS DESTINATION
                               "resources: { compression: lz4, max_batch_bytes: 64kb }\n");
    assert_int_equal(p->resources.compression, RB_COMPRESSION_LZ4);
    /* A row must fit a batch. */
    assert_int_equal(p->resources.max_record_bytes, 65536);
}

static void test_stream_keys(void **ctx)
{
    const struct rb_pipeline *p = rb_config_fixture_good(
        *ctx, SOURCE
        "  streams:\n"
        "    - { name: a, sync_mode: incremental, cursor_field: at, cursor_nulls: exclude,\n"
        "        lookback: 2h, write_mode: upsert, primary_key: [id, k], on_data_error: dlq,\n"
        "        schema_evolution: { new_column: fail, type_change: \"null\" },\n"
        "        schema: sales, table: t, destination_table: a2, columns: [id, k, at],\n"
        "        where: \"id > 5\" }\n"
        "    - { name: b, write_mode: replace, replace_method: truncate, indexes: all,\n"
        "        schema_evolution: { removed_column: drop, renamed_column: separate,\n"
        "                            type_change: widen } }\n"
        "    - { name: c, sync_mode: incremental, cursor_field: id, lookback: 500 }\n"
        "    - { name: d, sync_mode: incremental, cursor_field: id, lookback: full,\n"
        "        cursor_nulls: fail }\n" DESTINATION);
    assert_int_equal(p->n_streams, 4);
    const struct rb_stream *a = &p->streams[0];
    assert_int_equal(a->sync_mode, RB_SYNC_INCREMENTAL);
    assert_string_equal(a->cursor_field, "at");
    assert_int_equal(a->cursor_nulls, RB_NULLS_EXCLUDE);
    assert_int_equal(a->lookback_kind, RB_LOOKBACK_MICROS);
    assert_int_equal(a->lookback, INT64_C(7200000000));
    assert_int_equal(a->write_mode, RB_WRITE_UPSERT);
    assert_int_equal(a->primary_key.count, 2);
    assert_string_equal(a->primary_key.items[1], "k");
    assert_int_equal(a->on_data_error, RB_ON_DATA_ERROR_DLQ);
    assert_string_equal(a->schema_evolution.new_column, "fail");
    assert_string_equal(a->schema_evolution.type_change, "null");
    assert_null(a->schema_evolution.removed_column);
    assert_int_equal(p->streams[1].indexes, RB_INDEXES_ALL);
    assert_string_equal(p->streams[1].schema_evolution.removed_column, "drop");
    assert_string_equal(p->streams[1].schema_evolution.renamed_column, "separate");
    assert_string_equal(p->streams[1].schema_evolution.type_change, "widen");
    assert_string_equal(a->source_schema, "sales");
    assert_string_equal(a->source_table, "t");
    assert_string_equal(a->destination_table, "a2");
    assert_int_equal(a->columns.count, 3);
    assert_string_equal(a->where, "id > 5");
    assert_int_equal(p->streams[1].write_mode, RB_WRITE_REPLACE);
    assert_int_equal(p->streams[1].replace_method, RB_REPLACE_TRUNCATE);
    assert_int_equal(p->streams[2].lookback_kind, RB_LOOKBACK_COUNT);
    assert_int_equal(p->streams[2].lookback, 500);
    assert_int_equal(p->streams[3].lookback_kind, RB_LOOKBACK_FULL);
    assert_int_equal(p->streams[3].cursor_nulls, RB_NULLS_FAIL);
}

static void test_destination_keys_are_the_streams_defaults(void **ctx)
{
    const struct rb_pipeline *p = rb_config_fixture_good(
        *ctx, SOURCE
        "  streams: [{ name: a }, { name: b, write_mode: append, on_data_error: fail,\n"
        "                           schema_evolution: { removed_column: ignore } }]\n"
        "destination:\n  use: dest-demo\n  write_mode: upsert\n  primary_key: [id]\n"
        "  replace_method: truncate\n  on_data_error: skip\n  indexes: primary_key\n"
        "  schema_evolution: { new_column: ignore, removed_column: fail, type_change: coerce,\n"
        "                      nullability_change: fail }\n");
    const struct rb_stream *a = &p->streams[0], *b = &p->streams[1];
    assert_int_equal(a->write_mode, RB_WRITE_UPSERT);
    assert_string_equal(a->primary_key.items[0], "id");
    assert_int_equal(a->replace_method, RB_REPLACE_TRUNCATE);
    assert_int_equal(a->on_data_error, RB_ON_DATA_ERROR_SKIP);
    assert_int_equal(a->indexes, RB_INDEXES_PRIMARY_KEY);
    assert_string_equal(a->schema_evolution.new_column, "ignore");
    assert_string_equal(a->schema_evolution.removed_column, "fail");
    assert_string_equal(a->schema_evolution.type_change, "coerce");
    assert_string_equal(a->schema_evolution.nullability_change, "fail");
    assert_int_equal(b->write_mode, RB_WRITE_APPEND);
    assert_int_equal(b->on_data_error, RB_ON_DATA_ERROR_FAIL);
    assert_string_equal(b->schema_evolution.removed_column, "ignore");
    assert_string_equal(b->schema_evolution.new_column, "ignore");
}

static void test_connectors_and_transforms(void **ctx)
{
    struct rb_config_fixture *f = *ctx;
    char path[160];
    const struct rb_pipeline *p = rb_config_fixture_good(
        f, SOURCE STREAMS DESTINATION
        "transforms:\n  - { use: transform-demo, config: { columns: [a, 1, 1.5, true, x y, "
        "\"2\", 007, null] } }\n  - use: transform-demo\n");
    assert_int_equal(p->n_transforms, 2);
    assert_int_equal(p->transforms[0].role, RB_ROLE_TRANSFORM);
    assert_string_equal(p->transforms[0].config_json,
                        "{\"columns\":[\"a\",1,1.5,true,\"x y\",\"2\",\"007\",null]}");
    assert_string_equal(p->transforms[1].config_json, "{}");
    assert_true(p->transforms[1].spec.tls_forbidden);
    assert_int_equal(p->transforms[1].spec.n_allow, 0);
    const struct rb_connector_use *s = &p->source;
    assert_string_equal(s->use, "source-demo");
    assert_int_equal(s->line, 4);
    assert_int_equal(s->spec.role, RB_ROLE_SOURCE);
    assert_string_equal(s->spec.id, "source-demo");
    assert_string_equal(s->spec.version, "0.2.0");
    (void)snprintf(path, sizeof path, "%s/connectors/source_demo.wasm", f->folder);
    assert_string_equal(s->spec.wasm_path, path);
    /* sha-256 of the eight bytes of an empty module. */
    assert_string_equal(s->spec.wasm_sha256,
                        "93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476");
    assert_int_equal(p->destination.manifest->max_memory_bytes, 64 << 20);
}

static void test_discover_needs_no_streams(void **ctx)
{
    struct rb_config_fixture *f = *ctx;
    char dirs[96];
    static const char text[] = SOURCE DESTINATION;
    rb_config_fixture_bad(f, RB_ECONFIG, text,
                          "4:3: key 'streams' is missing in source [`rapidbyte discover` prints a "
                          "list ready to paste]\n");
    (void)snprintf(dirs, sizeof dirs, "%s/connectors", f->folder);
    struct rb_pipeline_options options = {.connector_dirs = dirs, .without_streams = true};
    rb_diags_release(&f->diags);
    assert_int_equal(rb_pipeline_load(f->path, &options, &f->pipeline, &f->diags, &f->err), 0);
    assert_int_equal(f->pipeline->n_streams, 0);
}

static void test_documented_example(void **ctx)
{
    (void)setenv("RB_TEST_PW", "pa${HOME}ss", 1);
    const struct rb_pipeline *p = rb_config_fixture_good(
        *ctx, "version: \"1.0\"\npipeline: users_to_warehouse        # the state's key\n"
              "source:\n  use: source-demo\n"
              "  config: { host: localhost, port: 5432, user: app, password: ${RB_TEST_PW}, "
              "database: shop, schema: public }\n"
              "  streams:\n    - { name: users,  sync_mode: full_refresh }\n"
              "    - { name: orders, sync_mode: incremental, cursor_field: updated_at, lookback: "
              "1h, write_mode: upsert, primary_key: [id] }\n"
              "  permissions: { }                  # narrows the manifest\n"
              "destination:\n  use: dest-demo\n"
              "  config: { host: 10.1.2.3, password: ${RB_TEST_NONE:-a,b{c:#d} }\n"
              "  write_mode: append\n  primary_key: [id]\n");
    assert_string_equal(p->source.spec.secrets[0], "pa${HOME}ss");
    assert_string_equal(p->destination.spec.secrets[0], "a,b{c:#d");
    assert_int_equal(p->n_streams, 2);
    (void)unsetenv("RB_TEST_PW");
}

static void test_substitution(void **ctx)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"${RB_TEST_A}", "one"},
        {"'${RB_TEST_A}'", "one"},
        {"\"${RB_TEST_A}\"", "one"},
        {"x${RB_TEST_A}y${RB_TEST_A}", "xoneyone"},
        {"$${RB_TEST_A}", "${RB_TEST_A}"},
        {"${RB_TEST_B:-two}", "two"},
        {"${RB_TEST_EMPTY:-two}", "two"},
        {"${RB_TEST_EMPTY}", ""},
        {"${RB_TEST_B:-}", ""},
        {"${RB_TEST_LOOP}", "${RB_TEST_A}"},
        {"$RB_TEST_A", "$RB_TEST_A"},
        {"${RB_TEST_NULL}", "null"},
        {"\"a # b\"", "a # b"},
        {"${RB_TEST_B:-${}", "${"},
    };
    (void)setenv("RB_TEST_A", "one", 1);
    (void)setenv("RB_TEST_EMPTY", "", 1);
    (void)setenv("RB_TEST_LOOP", "${RB_TEST_A}", 1);
    (void)setenv("RB_TEST_NULL", "null", 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512];
        for (int flow = 0; flow < 2; flow++) {
            (void)snprintf(text, sizeof text,
                           "%sdestination:\n  use: dest-demo\n  config: %spassword: %s%s\n",
                           SOURCE STREAMS, flow ? "{ " : "\n    ", cases[i].text, flow ? " }" : "");
            const struct rb_pipeline *p = rb_config_fixture_good(*ctx, text);
            assert_int_equal(p->destination.spec.n_secrets, 1);
            assert_string_equal(p->destination.spec.secrets[0], cases[i].expected);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name)                                                                                    \
    cmocka_unit_test_setup_teardown(name, rb_config_fixture_set_up, rb_config_fixture_tear_down)
        T(test_defaults),
        T(test_resources_and_timeouts),
        T(test_stream_keys),
        T(test_destination_keys_are_the_streams_defaults),
        T(test_connectors_and_transforms),
        T(test_discover_needs_no_streams),
        T(test_documented_example),
        T(test_substitution),
#undef T
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("config_keys", tests, NULL, NULL);
}
