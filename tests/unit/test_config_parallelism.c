/* host/config/parallelism: what `parallelism: auto` becomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/config/parallelism.h"
#include "tests/support/config_fixture.h"

#define HEAD                                                                                       \
    "version: \"1.0\"\npipeline: p\n"                                                              \
    "destination: { use: dest-demo, config: { host: x.example.com } }\n"                           \
    "source:\n  use: source-demo\n  config: { host: db, user: u, database: d }\n  streams: "
#define APPENDED "{ name: s1 }"
#define REPLACED "{ name: s2, write_mode: replace }"
#define TRUNCATED "{ name: s3, write_mode: replace, replace_method: truncate }"
#define ALL_OF_THEM "{ match: '*' }"
#define TEN(x)                                                                                     \
    "{name: " #x "0}, {name: " #x "1}, {name: " #x "2}, {name: " #x "3}, {name: " #x "4}, "        \
    "{name: " #x "5}, {name: " #x "6}, {name: " #x "7}, {name: " #x "8}, {name: " #x "9}"

static void test_auto_follows_what_there_is(void **ctx)
{
    static const struct {
        int processors;
        const char *document;
        int lanes;
    } cases[] = {
        {1, HEAD "[ " REPLACED " ]\n", 1},
        {2, HEAD "[ " REPLACED " ]\n", 1},
        {4, HEAD "[ " REPLACED " ]\n", 2},
        {7, HEAD "[ " REPLACED " ]\n", 3},
        /* max_connections is 8, and one is the run's own. */
        {64, HEAD "[ " REPLACED " ]\n", 7},
        {64, HEAD "[ " REPLACED " ]\nresources: { max_connections: 4 }\n", 3},
        {64, HEAD "[ " REPLACED " ]\nresources: { max_connections: 2 }\n", 1},
        {64, HEAD "[ " REPLACED " ]\nresources: { max_memory: 64mb }\n", 2},
        {64, HEAD "[ " REPLACED " ]\nresources: { max_memory: 32mb }\n", 1},
        {500, HEAD "[ " REPLACED " ]\nresources: { max_memory: 8gb, max_connections: 900 }\n", 64},
        /* What can't be divided takes a lane each. */
        {64, HEAD "[ " APPENDED " ]\n", 1},
        {64, HEAD "[ " APPENDED ", " TRUNCATED " ]\n", 2},
        {64, HEAD "[ " APPENDED ", " REPLACED " ]\n", 7},
        {64, HEAD "[ " ALL_OF_THEM " ]\n", 7},
        {2, HEAD "[ " APPENDED ", " TRUNCATED " ]\n", 1},
        /* Many have more lanes than processors, within the same bounds. */
        {1, HEAD "[ " ALL_OF_THEM " ]\n", 2},
        {2, HEAD "[ " ALL_OF_THEM " ]\n", 4},
        {2, HEAD "[ " ALL_OF_THEM " ]\nresources: { max_memory: 128mb }\n", 2},
        {2, HEAD "[ " TEN(a) ", " TEN(b) " ]\n", 4},
        {2, HEAD "[ " TEN(a) " ]\n", 1},
    };
    struct rb_config_fixture *f = *ctx;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct rb_pipeline *p = rb_config_fixture_good(f, cases[i].document);
        assert_int_equal(rb_parallelism_choose(p, cases[i].processors), cases[i].lanes);
    }
}

static void test_a_document_may_say_auto(void **ctx)
{
    struct rb_config_fixture *f = *ctx;
    const struct rb_pipeline *p =
        rb_config_fixture_good(f, HEAD "[ " REPLACED " ]\nresources: { parallelism: auto }\n");
    assert_true(p->resources.parallelism > 0);
    assert_int_equal(p->resources.parallelism,
                     rb_parallelism_choose(p, rb_parallelism_processors()));
    assert_true(rb_parallelism_processors() > 0);
}

static void test_a_check_of_many_has_lanes_of_its_own(void **ctx)
{
    static const struct {
        const char *document;
        int of_run, lanes;
    } cases[] = {
        {HEAD "[ " ALL_OF_THEM " ]\n", 1, 4},
        {HEAD "[ " ALL_OF_THEM " ]\nresources: { parallelism: 1 }\n", 1, 1},
        {HEAD "[ " ALL_OF_THEM " ]\nresources: { parallelism: 6 }\n", 6, 6},
        {HEAD "[ " ALL_OF_THEM " ]\nresources: { max_connections: 3 }\n", 1, 2},
        {HEAD "[ " TEN(a) ", " TEN(b) " ]\n", 1, 4},
        {HEAD "[ " TEN(a) " ]\n", 1, 1},
    };
    struct rb_config_fixture *f = *ctx;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct rb_pipeline *p = rb_config_fixture_good(f, cases[i].document);
        assert_int_equal(rb_parallelism_of_check(p, cases[i].of_run, 64), cases[i].lanes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_auto_follows_what_there_is, rb_config_fixture_set_up,
                                        rb_config_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_a_check_of_many_has_lanes_of_its_own,
                                        rb_config_fixture_set_up, rb_config_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_a_document_may_say_auto, rb_config_fixture_set_up,
                                        rb_config_fixture_tear_down),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
