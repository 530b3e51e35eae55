/* host/config: every mistake by line and column, in the words the user sees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/config_fixture.h"

#define HEAD                                                                                       \
    "version: \"1.0\"\npipeline: p\n"                                                              \
    "destination: { use: dest-demo }\n"                                                            \
    "source:\n  use: source-demo\n  config: { host: db, user: u, database: d }\n"
#define DOC HEAD "  streams: [users]\n"  /* further sections start in line 8 */
#define STREAM HEAD "  streams:\n    - " /* a stream starts at 8:7 */

struct mistake {
    const char *text, *expected;
};

static void expect(void **ctx, const struct mistake *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        rb_config_fixture_bad(*ctx, RB_ECONFIG, cases[i].text, cases[i].expected);
    }
}
#define EXPECT(cases) expect(ctx, cases, sizeof(cases) / sizeof((cases)[0]))

static void test_yaml(void **ctx)
{
    static const struct mistake cases[] = {
        {"", "0:0: is empty\n"},
        {"# nothing\n", "0:0: is empty\n"},
        {"a: [1, 2\n", "2:1: not YAML: flow sequence without a closing bracket\n"},
        {"a: 1\n\tb: 2\n", "1:4: not YAML: invalid multiline plain key\n"},
        {"a: x\x01y\n", "1:5: a control character (0x01) is not allowed\n"},
        {"a: b\nc: \xc3\x28\n", "2:4: this is not UTF-8 text (byte 0xc3)\n"},
        {"a: &x 1\n", "1:7: YAML anchors and aliases are not supported [write the value out; a "
                      "text that begins with & or * needs quotes]\n"},
        {"a: *x\n", "1:4: YAML anchors and aliases are not supported [write the value out; a text "
                    "that begins with & or * needs quotes]\n"},
        {"a: !!str 1\n", "1:10: YAML tags are not supported [leave it away; quotes make a text]\n"},
        {"? [a]\n: b\n", "1:3: a key must be a plain word\n"},
        {"a: \"x\\0y\"\n", "1:4: a NUL character is not allowed\n"},
        {"a: b\n---\nc: d\n", "2:1: a file holds one pipeline: a second document begins here\n"},
        {"a: \xf4\x8f\xbc\x80\n", "0:0: characters from U+10FF00 to U+10FF7F are not allowed\n"},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n",
         "1:33: the document is nested too deeply\n"},
        {"just text\n", "1:1: the document: a mapping (key: value) is expected, not 'just text'\n"},
    };
    EXPECT(cases);
}

/* One more than there may be of it. */
static void test_ceilings(void **ctx)
{
    enum { BYTES = 4 * 1024 * 1024, VALUES = 200000 };
    char *text = malloc(BYTES + 2);
    assert_non_null(text);
    memset(text, ' ', BYTES + 1);
    memcpy(text, DOC, sizeof DOC - 1);
    text[BYTES] = '\0';
    (void)rb_config_fixture_good(*ctx, text);
    text[BYTES] = ' ';
    text[BYTES + 1] = '\0';
    rb_config_fixture_bad(*ctx, RB_ECONFIG, text, "0:0: is larger than 4194304 bytes\n");
    size_t len = sizeof HEAD "  streams: [" - 1;
    memcpy(text, HEAD "  streams: [", len);
    for (int i = 0; i < VALUES; i++) {
        const char *item = i % 50 == 49 ? "x,\n    " : "x,";
        memcpy(text + len, item, strlen(item));
        len += strlen(item);
    }
    memcpy(text + len, "]\n", 3);
    rb_config_fixture_bad(*ctx, RB_ECONFIG, text, "4006:81: the document has too many values\n");
    free(text);
}

static void test_head(void **ctx)
{
    static const struct mistake cases[] = {
        {"{}\n", "1:1: key 'version' is missing in the document\n"
                 "1:1: key 'pipeline' is missing in the document\n"
                 "1:1: key 'source' is missing in the document\n"
                 "1:1: key 'destination' is missing in the document\n"},
        {DOC "resorces: {}\n",
         "8:1: unknown key 'resorces' in the document [did you mean 'resources'?]\n"},
        {DOC "zzz: {}\n", "8:1: unknown key 'zzz' in the document\n"},
        {DOC "pipeline: q\n", "8:1: key 'pipeline' stands twice, first in line 2\n"},
        {DOC "state: [1]\n", "8:8: state: a mapping (key: value) is expected, not a list\n"},
        {DOC "state: { backend: postgres, conection: x }\n",
         "8:19: backend: 'postgres' is none of sqlite\n"
         "8:29: unknown key 'conection' in state [did you mean 'connection'?]\n"},
        {DOC "state: { connection: '' }\n", "8:22: connection is empty\n"},
        {DOC "transforms: { use: x }\n",
         "8:13: transforms: a list of at most 14 transforms is expected, not a mapping\n"},
        {DOC "transforms: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]\n",
         "8:13: transforms: a list of at most 14 transforms is expected, not a longer one\n"},
        {DOC "transforms: [{ name: x }]\n", "8:14: key 'use' is missing in transform\n"
                                            "8:16: unknown key 'name' in transform\n"},
    };
    EXPECT(cases);
    rb_config_fixture_bad(*ctx, RB_ECONFIG,
                          "version: 2\npipeline: \"a\\tb\"\n"
                          "source: { use: source-demo, streams: [a], config: { host: h, user: u, "
                          "database: d } }\ndestination: { use: dest-demo }\n",
                          "1:10: version: this rapidbyte reads documents of version 1.0, not '2' "
                          "[write version: \"1.0\"]\n"
                          "2:11: pipeline: a name has no control characters\n");
}

static void test_limits(void **ctx)
{
#define SIZE_HINT " [an integer, alone or with kb, mb or gb: 64mb]\n"
#define TIME_HINT " [an integer with ms, s, m, h or d: 10s; 0 is no limit]\n"
#define NO_PARTS                                                                                   \
    "no stream is both sync_mode incremental and write_mode append; others are not committed in "  \
    "parts [write 0: each stream is one transaction]\n"
    static const struct mistake cases[] = {
        {DOC "resources: { max_memory: 12xb }\n",
         "8:26: max_memory: '12xb' is not a size" SIZE_HINT},
        {DOC "resources: { max_memory: -1 }\n", "8:26: max_memory: '-1' is not a size" SIZE_HINT},
        {DOC "resources: { max_memory: 1.5gb }\n",
         "8:26: max_memory: '1.5gb' is not a size" SIZE_HINT},
        {DOC "resources: { max_memory: 64 mb }\n",
         "8:26: max_memory: '64 mb' is not a size" SIZE_HINT},
        {DOC "resources: { max_memory: }\n", "8:24: max_memory: nothing is not a size" SIZE_HINT},
        {DOC "resources: { max_memory: 99999999999999999gb }\n",
         "8:26: max_memory: '99999999999999999gb' is not a size" SIZE_HINT},
        {DOC "resources: { max_memory: 31mb }\n",
         "8:26: max_memory: at least 32mb is needed, not '31mb'\n"},
        {DOC "resources: { max_record_bytes: 2gb }\n",
         "8:32: max_record_bytes: at most 1048576kb is possible, not '2gb'\n"},
        {DOC "resources: { parallelism: 0 }\n",
         "8:27: parallelism: at least 1 is needed, not '0'\n"},
        {DOC "resources: { parallelism: some }\n",
         "8:27: parallelism: 'some' is neither an integer nor auto\n"},
        {DOC "resources: { parallelism: 65 }\n",
         "8:27: parallelism: at most 64 is possible, not '65'\n"},
        {DOC "resources: { max_retries: three }\n",
         "8:27: max_retries: 'three' is not an integer\n"},
        {DOC "resources: { max_retries: [1] }\n", "8:27: max_retries: a list is not an integer\n"},
        {DOC "resources: { compression: lzma }\n",
         "8:27: compression: 'lzma' is none of none, lz4, zstd\n"},
        {DOC "resources: { checkpoint_interval_bytes: 1mb, checkpoint_interval_rows: 5,\n"
             "  checkpoint_interval_seconds: 9 }\n",
         "8:41: checkpoint_interval_bytes: " NO_PARTS "8:72: checkpoint_interval_rows: " NO_PARTS
         "9:32: checkpoint_interval_seconds: " NO_PARTS},
        {DOC "resources: { max_batch_bytes: 1mb, max_record_bytes: 2mb }\n",
         "8:54: max_record_bytes is larger than max_batch_bytes\n"},
        {DOC "resources: { max_memory: 32mb, max_inflight_bytes: 32mb }\n",
         "8:52: max_inflight_bytes does not leave room in max_memory\n"},
        {DOC "timeouts: { connect: 10 }\n", "8:22: connect: '10' is not a duration" TIME_HINT},
        {DOC "timeouts: { idle: 1w }\n", "8:19: idle: '1w' is not a duration" TIME_HINT},
        {DOC "timeouts: { run: 366d }\n", "8:18: run: at most 365d is possible, not '366d'\n"},
        {DOC "timeouts: { lock: 99999999999999999999s }\n",
         "8:19: lock: '99999999999999999999s' is not a duration" TIME_HINT},
        {DOC "timeouts: { conect: 1s }\n",
         "8:13: unknown key 'conect' in timeouts [did you mean 'connect'?]\n"},
    };
    EXPECT(cases);
}

static void test_patterns(void **ctx)
{
    static const struct mistake cases[] = {
        {STREAM "\"!users\"\n",
         "8:7: '!users' takes tables out of what patterns match, and there is no pattern [\"*\" is "
         "every table of the schema]\n"},
        {STREAM "\"*\"\n    - \"*\"\n", "9:7: pattern '*' stands twice, first in line 8\n"},
        {STREAM "\"s*.users\"\n", "8:7: pattern 's*.users': its schema must be a name [write one "
                                  "pattern for each schema]\n"},
        {STREAM "\"*\"\n    - \"!\"\n", "9:7: pattern '!': a table, or schema.table, is expected "
                                        "[\"*\", \"schema.*\", \"!table\"]\n"},
        {STREAM "{ match: .x }\n", "8:7: pattern '.x': a table, or schema.table, is expected "
                                   "[\"*\", \"schema.*\", \"!table\"]\n"},
        {STREAM "{ match: '*', name: a }\n", "8:21: unknown key 'name' in pattern\n"},
        {STREAM "{ match: '*', destination_table: a }\n",
         "8:21: unknown key 'destination_table' in pattern\n"},
        {STREAM "{ match: '' }\n", "8:16: match is empty\n"},
        {STREAM "\"*\"\n    - { match: '!a' }\n",
         "9:7: match: '!a' takes tables out, and so has no settings [write it as an entry of its "
         "own, without keys]\n"},
        {STREAM "{ match: '*', sync_mode: incremental }\n",
         "8:7: stream '*': incremental needs a cursor_field [name the column that grows with each "
         "change: cursor_field]\n"},
        {STREAM "{ match: '*', include_views: perhaps }\n",
         "8:36: include_views: 'perhaps' is neither true nor false\n"},
    };
    EXPECT(cases);
}

static void test_streams(void **ctx)
{
    static const struct mistake cases[] = {
        {HEAD "  streams: []\n",
         "7:12: streams: a list of 1 to 25000 streams is expected, not an empty one\n"},
        {HEAD "  streams: users\n",
         "7:12: streams: a list of 1 to 25000 streams is expected, not 'users'\n"},
        {STREAM "{ name: sales.* }\n",
         "8:7: stream 'sales.*': a name has neither * nor ?, and no ! at its beginning [a pattern "
         "is written as match:; for a table that is called so, give the stream another name, and "
         "table:]\n"},
        {STREAM "{ name: '' }\n", "8:15: name is empty\n"},
        {STREAM "{ sync_mode: full_refresh }\n", "8:7: key 'name' is missing in stream\n"},
        {STREAM "{ name: a, cursor_feild: id }\n",
         "8:18: unknown key 'cursor_feild' in stream [did you mean 'cursor_field'?]\n"},
        {STREAM "a\n    - b\n    - a\n",
         "10:7: stream 'a' stands twice, first in line 8 [a second reading of a table needs a name "
         "of its own, and table: for what it reads]\n"},
        {STREAM "{ name: a, write_mode: replace }\n    - { name: b, destination_table: a }\n",
         "9:7: stream 'a' and stream 'b' replace the same table 'a' [give one of them another "
         "destination_table]\n"},
        {STREAM "{ name: a, sync_mode: cdc, cursor_field: id }\n",
         "8:29: sync_mode: 'cdc' is not supported: no connector reads changes from the server's "
         "log yet [incremental reads new and changed rows by a cursor column]\n"},
        {STREAM "{ name: a, sync_mode: incrementel }\n",
         "8:29: sync_mode: 'incrementel' is none of full_refresh, incremental [did you mean "
         "'incremental'?]\n"},
        {STREAM "{ name: a, sync_mode: incremental }\n",
         "8:7: stream 'a': incremental needs a cursor_field [name the column that grows with each "
         "change: cursor_field]\n"},
        {STREAM "{ name: a, sync_mode: incremental, cursor_field: id, write_mode: replace }\n",
         "8:7: stream 'a': incremental with write_mode replace would keep the new rows alone [use "
         "append or upsert, or sync_mode full_refresh]\n"},
        {STREAM "{ name: a, cursor_field: id, lookback: 1h, cursor_nulls: fail, "
                "primary_key: [id], replace_method: swap }\n",
         "8:18: cursor_field has an effect with sync_mode incremental or write_mode replace alone\n"
         "8:36: lookback has an effect with sync_mode incremental or write_mode replace alone\n"
         "8:50: cursor_nulls has an effect with sync_mode incremental or write_mode replace alone\n"
         "8:70: primary_key has an effect with write_mode upsert alone\n"
         "8:89: replace_method has an effect with write_mode replace alone\n"},
        {STREAM "{ name: a, sync_mode: incremental, cursor_field: id, lookback: -5 }\n",
         "8:70: lookback: '-5' is neither a duration, a number nor full [1h for a time, 10000 for "
         "an integer, or full]\n"},
        {STREAM "{ name: a, write_mode: upsert, primary_key: [id, id], columns: [x] }\n",
         "8:7: stream 'a': the primary key's column 'id' is not among its columns\n"
         "8:56: primary_key: 'id' stands twice\n"},
        {STREAM "{ name: a, columns: [], where: [] }\n",
         "8:27: columns: a list of names is expected, not an empty one\n"
         "8:38: where: a text is expected, not a list\n"},
        {STREAM "{ name: a, on_data_error: ignore }\n",
         "8:33: on_data_error: 'ignore' is none of fail, skip, dlq\n"},
        {STREAM "{ name: a, schema_evolution: { new_column: drop, type: fail } }\n",
         "8:50: new_column: 'drop' is none of add, ignore, fail\n"
         "8:56: unknown key 'type' in schema_evolution\n"},
        {STREAM "{ name: a, schema_evolution: { renamed_column: renam, type_change: x } }\n",
         "8:54: renamed_column: 'renam' is none of rename, separate, fail [did you mean "
         "'rename'?]\n8:74: type_change: 'x' is none of widen, coerce, fail, null\n"},
    };
    EXPECT(cases);
}

static void test_variables(void **ctx)
{
    (void)setenv("RB_TEST_BAD", "s3cret-value", 1);
    static const struct mistake cases[] = {
        {"version: ${RB_TEST_NO1}\npipeline: '${RB_TEST_NO2}${RB_TEST_NO3}'\n"
         "destination: { use: dest-demo }\nsource: { use: source-demo, streams: [a],\n"
         "  config: { host: db, user: u, database: d } }\n",
         "1:10: environment variable RB_TEST_NO1 is not set [export it, or write "
         "${NAME:-default}]\n"
         "2:11: environment variable RB_TEST_NO2 is not set [export it, or write "
         "${NAME:-default}]\n"
         "2:11: environment variable RB_TEST_NO3 is not set [export it, or write "
         "${NAME:-default}]\n"},
        {DOC "resources: { max_memory: \"${RB_TEST_BAD}\" }\n",
         "8:26: max_memory: the given value is not a size" SIZE_HINT},
        {DOC "state: { connection: \"${1X}\" }\n",
         "8:22: '${' does not begin a variable's name here [write ${NAME} or ${NAME:-default}, and "
         "$${ for ${ itself]\n"},
    };
    EXPECT(cases);
}

static void test_streams_that_the_connectors_do_not_support(void **ctx)
{
    rb_config_fixture_bad(*ctx, RB_ECONFIG,
                          "version: \"1.0\"\npipeline: p\n"
                          "source: { use: append-demo, streams: [\n"
                          "  { name: a, sync_mode: incremental, cursor_field: id },\n"
                          "  { name: b, write_mode: replace } ] }\n"
                          "destination: { use: append-demo }\n",
                          "4:3: stream 'a': append-demo does not support sync_mode incremental\n"
                          "5:3: stream 'b': append-demo does not support write_mode replace\n");
}

static void test_all_mistakes_at_once(void **ctx)
{
    rb_config_fixture_bad(
        *ctx, RB_ECONFIG,
        "version: \"1.0\"\npipline: p\nsource:\n  use: source-demo\n  config: { hots: db, user: u, "
        "port: x }\n  streams: [{ name: a, sync_mode: cdc }]\ndestination:\n  use: dest-dmeo\n"
        "resources: { max_memory: 12xb }\n",
        "1:1: key 'pipeline' is missing in the document\n"
        "2:1: unknown key 'pipline' in the document [did you mean 'pipeline'?]\n"
        "5:11: key 'host' is missing in config [it may also come from the variable RB_TEST_HOST]\n"
        "5:11: key 'database' is missing in config\n"
        "5:13: unknown key 'hots' in config [did you mean 'host'?]\n"
        "5:38: port: an integer is expected, not 'x'\n"
        "6:35: sync_mode: 'cdc' is not supported: no connector reads changes from the server's log "
        "yet [incremental reads new and changed rows by a cursor column]\n"
        "8:8: connector 'dest-dmeo' was not found in: @/connectors [did you mean 'dest-demo'?]\n"
        "9:26: max_memory: '12xb' is not a size" SIZE_HINT);
}

static void test_a_file_that_is_not_there(void **ctx)
{
    struct rb_config_fixture *f = *ctx;
    assert_int_equal(
        rb_pipeline_load("/nonexistent/p.yaml", NULL, &f->pipeline, &f->diags, &f->err),
        RB_ECONFIG);
    assert_string_equal(f->diags.items[0].message, "can't be read: No such file or directory");
    assert_string_equal(f->err.message, "/nonexistent/p.yaml has a mistake");
}

/* Cut off anywhere, a document is read or refused; it never crashes, leaks or hangs. */
static void test_truncated_documents(void **ctx)
{
    static const char text[] = HEAD
        "  streams:\n    - { name: a, sync_mode: incremental, cursor_field: \"id\", lookback: 1h,"
        " columns: [id, 'b'] }\n    - >-\n      folded\n"
        "  permissions: { hosts: [\"db:5432\", 10.0.0.0/8], env: [RB_TEST_TZ] }\n"
        "resources: { max_memory: ${RB_TEST_NO:-64mb} }\ntimeouts: { run: 1h }\n";
    size_t good = 0;
    for (size_t len = 0; len < sizeof text; len++) {
        struct rb_config_fixture *f = *ctx;
        int status = rb_config_fixture_load(f, text, len);
        assert_true(status == 0 || status == RB_ECONFIG || status == RB_ECONNECTOR);
        assert_true((status == 0) == (f->diags.count == 0));
        good += status == 0;
    }
    assert_true(good > 0);
}

/* As above, with each byte replaced by one that means something to YAML. */
static void test_mutated_documents(void **ctx)
{
    static const char text[] =
        DOC "resources: { max_memory: ${RB_TEST_NO:-64mb} }\nstate: { connection: \"x\" }\n";
    static const char bytes[] = "{[\"'&*!|>%#:-?\n\t \\$,}]\x80";
    char copy[sizeof text];
    for (size_t at = 0; at < sizeof text - 1; at++) {
        memcpy(copy, text, sizeof text);
        copy[at] = bytes[(at * 7) % (sizeof bytes - 1)];
        struct rb_config_fixture *f = *ctx;
        int status = rb_config_fixture_load(f, copy, sizeof text - 1);
        assert_true(status == 0 || status == RB_ECONFIG || status == RB_ECONNECTOR);
        assert_true((status == 0) == (f->diags.count == 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name)                                                                                    \
    cmocka_unit_test_setup_teardown(name, rb_config_fixture_set_up, rb_config_fixture_tear_down)
        T(test_yaml),
        T(test_ceilings),
        T(test_head),
        T(test_limits),
        T(test_streams),
        T(test_patterns),
        T(test_variables),
        T(test_streams_that_the_connectors_do_not_support),
        T(test_all_mistakes_at_once),
        T(test_a_file_that_is_not_there),
        T(test_truncated_documents),
        T(test_mutated_documents),
#undef T
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("config_mistakes", tests, NULL, NULL);
}
