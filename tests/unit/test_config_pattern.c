/* host/config: what a pattern matches, and the streams that come of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "host/config/pattern.h"
#include "tests/support/config_fixture.h"

#define HEAD                                                                                       \
    "version: \"1.0\"\npipeline: p\n"                                                              \
    "destination: { use: dest-demo }\n"                                                            \
    "source:\n  use: source-demo\n  config: { host: db, user: u, database: d }\n  streams:\n"

static void test_is(void **ctx)
{
    (void)ctx;
    assert_true(rb_pattern_is("*"));
    assert_true(rb_pattern_is("a?"));
    assert_true(rb_pattern_is("!a"));
    assert_false(rb_pattern_is("a"));
    assert_false(rb_pattern_is("a!"));
    assert_false(rb_pattern_is("a.b"));
}

static void test_matches(void **ctx)
{
    static const struct {
        const char *pattern, *text;
        bool expected;
    } cases[] = {
        {"*", "", true},
        {"*", "a", true},
        {"**", "abc", true},
        {"a", "a", true},
        {"a", "A", false},
        {"a", "ab", false},
        {"ab", "a", false},
        {"a*", "a", true},
        {"*a", "ba", true},
        {"*a", "ab", false},
        {"a*c*e", "abcde", true},
        {"a*c*e", "abde", false},
        {"*ab*", "aab", true},
        {"*aab", "aaaab", true},
        {"?", "", false},
        {"?", "a", true},
        {"?", "\xc3\xb6", true},
        {"?", "ab", false},
        {"??", "\xc3\xb6", false},
        {"Gr?\xc3\x9f*",
         "Gr\xc3\xb6\xc3\x9f"
         "e",
         true},
        {"a?*", "a", false},
        {"", "", true},
        {"", "a", false},
        {"[a]", "a", false},
        {"a.b", "axb", false},
        {"*\xc3\xb6", "\xc3\xb6", true},
    };
    (void)ctx;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (rb_pattern_matches(cases[i].pattern, cases[i].text) != cases[i].expected) {
            fail_msg("'%s' and '%s'", cases[i].pattern, cases[i].text);
        }
    }
}

/* The pipeline with these streams against a catalogue of two schemas; "name schema mode" of each,
 * or the error. */
static void expect(void **ctx, const char *streams, const char *expected)
{
    static const struct rb_relation relations[] = {
        {"public", "log_a", true, true}, {"public", "log_b", true, true},
        {"public", "users", true, true}, {"public", "v", true, false},
        {"sales", "leads", false, true}, {"sales", "log_a", false, true},
    };
    struct rb_config_fixture *f = *ctx;
    char text[2048];
    (void)snprintf(text, sizeof text, HEAD "%s", streams);
    const struct rb_pipeline *p = rb_config_fixture_good(f, text);
    struct rb_error err;
    rb_error_clear(&err);
    struct rb_stream *made = NULL;
    size_t n = 0;
    RB_CLEANUP(rb_buf_release) struct rb_buf got = RB_BUF_INIT(64 * 1024);
    int status =
        rb_pattern_expand(p, relations, sizeof relations / sizeof *relations, &made, &n, &err);
    for (size_t i = 0; status == 0 && i < n; i++) {
        assert_int_equal(rb_buf_printf(&got, "%s%s/%s/%s", i > 0 ? " " : "", made[i].name,
                                       made[i].source_schema != NULL ? made[i].source_schema : "-",
                                       rb_write_mode_name(made[i].write_mode)),
                         0);
    }
    if (status != 0) {
        assert_int_equal(status, RB_ECONFIG);
        assert_int_equal(rb_buf_append_str(&got, err.code), 0);
    }
    assert_string_equal(rb_buf_str(&got), expected);
}

static void test_expand(void **ctx)
{
    expect(ctx, "    - \"*\"\n", "log_a/-/append log_b/-/append users/-/append");
    expect(ctx, "    - users\n    - { match: \"log_*\", write_mode: replace }\n    - late\n",
           "users/-/append log_a/-/replace log_b/-/replace late/-/append");
    expect(ctx, "    - \"*\"\n    - \"!log_*\"\n    - { name: users, write_mode: replace }\n",
           "users/-/replace");
    expect(ctx, "    - \"sales.*\"\n", "leads/sales/append log_a/sales/append");
    expect(ctx, "    - \"public.users\"\n", "public.users/-/append");
    expect(ctx, "    - { match: public.users }\n", "users/-/append");
    expect(ctx, "    - { match: \"?\", include_views: true }\n", "v/-/append");
    expect(ctx, "    - \"*\"\n    - \"sales.*\"\n    - \"!sales.log_*\"\n",
           "log_a/-/append log_b/-/append users/-/append leads/sales/append");
    expect(ctx, "    - \"l*\"\n    - { match: \"*\", write_mode: replace }\n",
           "log_a/-/append log_b/-/append users/-/replace");
    expect(ctx, "    - { name: x, table: log_a }\n    - \"log_*\"\n", "x/-/append log_b/-/append");
    expect(ctx, "    - { name: x, schema: public, table: log_a }\n    - \"log_*\"\n",
           "x/public/append log_b/-/append");
}

static void test_refused(void **ctx)
{
    expect(ctx, "    - \"z*\"\n", "EMPTY_MATCH");
    expect(ctx, "    - \"v*\"\n", "EMPTY_MATCH");
    expect(ctx, "    - \"log_*\"\n    - \"!*.log*\"\n", "EMPTY_MATCH");
    expect(ctx, "    - \"*\"\n    - \"sales.*\"\n", "SAME_STREAM");
    expect(ctx, "    - { name: log_a, schema: sales }\n    - \"*\"\n", "SAME_STREAM");
    expect(ctx,
           "    - \"users*\"\n"
           "    - { name: x, destination_table: users, write_mode: replace }\n",
           "SAME_TARGET");
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is),
        cmocka_unit_test(test_matches),
        cmocka_unit_test_setup_teardown(test_expand, rb_config_fixture_set_up,
                                        rb_config_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_refused, rb_config_fixture_set_up,
                                        rb_config_fixture_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
