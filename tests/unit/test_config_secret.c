/* host/config/secret.c: secrets from files and from what programs write. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/config_fixture.h"

/* The source's config is in line 5; a password's mapping in it begins in column 55. */
#define HEAD "version: \"1.0\"\npipeline: p\nsource:\n  use: source-demo\n  config: { "
#define TAIL " }\n  streams: [a]\ndestination: { use: dest-demo }\n"
#define BASE "host: db, user: u, database: d, password: "

static const struct rb_connector_spec *load(void **ctx, const char *config)
{
    char text[2048];
    (void)snprintf(text, sizeof text, HEAD "%s" TAIL, config);
    return &rb_config_fixture_good(*ctx, text)->source.spec;
}

static void expect(void **ctx, const char *secret, const char *expected)
{
    char config[1024];
    (void)snprintf(config, sizeof config, BASE "%s", secret);
    const struct rb_connector_spec *spec = load(ctx, config);
    assert_int_equal(spec->n_secrets, 1);
    assert_string_equal(spec->secrets[0], expected);
    assert_non_null(strstr(spec->config_json, "\"password\":{\"$secret\":1}"));
}

static void refuse(void **ctx, const char *secret, const char *expected)
{
    char text[2048], message[1024];
    (void)snprintf(text, sizeof text, HEAD BASE "%s" TAIL, secret);
    (void)snprintf(message, sizeof message, "5:55: password: %s\n", expected);
    rb_config_fixture_bad(*ctx, RB_ECONFIG, text, message);
}

static void test_files(void **ctx)
{
    static const struct {
        const char *text, *secret;
    } cases[] = {{"hunter2", "hunter2"},     {"hunter2\n", "hunter2"},
                 {"hunter2\r\n", "hunter2"}, {" two words ", " two words "},
                 {"a\nb\n\n", "a\nb\n"},     {"${HOME}\n", "${HOME}"},
                 {"\xc3\xa4\n", "\xc3\xa4"}, {"trailing\r", "trailing\r"}};
    struct rb_config_fixture *f = *ctx;
    char absolute[128];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rb_config_fixture_write(f, "pw", cases[i].text, strlen(cases[i].text));
        expect(ctx, "{ file: pw }", cases[i].secret);
        (void)snprintf(absolute, sizeof absolute, "{ file: %s/pw }", f->folder);
        expect(ctx, absolute, cases[i].secret);
        expect(ctx, "{ command: [cat, pw] }", cases[i].secret);
    }
}

static void test_bad_files(void **ctx)
{
    struct rb_config_fixture *f = *ctx;
    static char large[64 * 1024 + 1];
    memset(large, 'x', sizeof large);
    refuse(ctx, "{ file: missing }", "the file @/missing can't be read: No such file or directory");
    refuse(ctx, "{ file: connectors }",
           "the file @/connectors can't be read: it is no regular file");
    rb_config_fixture_write(f, "pw", "", 0);
    refuse(ctx, "{ file: pw }", "the file @/pw is empty");
    rb_config_fixture_write(f, "pw", "\n", 1);
    refuse(ctx, "{ file: pw }", "the file @/pw is empty");
    rb_config_fixture_write(f, "pw", "hunter2\0x", 9);
    refuse(ctx, "{ file: pw }", "the file @/pw has a zero byte in it");
    rb_config_fixture_write(f, "pw", large, sizeof large);
    refuse(ctx, "{ file: pw }", "the file @/pw has more than 65536 bytes");
    rb_config_fixture_write(f, "pw", large, sizeof large - 1);
    assert_int_equal(strlen(load(ctx, BASE "{ file: pw }")->secrets[0]), sizeof large - 1);
    /* Who reads a FIFO waits for its writer. */
    char path[128];
    (void)snprintf(path, sizeof path, "%s/fifo", f->folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    refuse(ctx, "{ file: fifo }", "the file @/fifo can't be read: it is no regular file");
}

static void test_commands(void **ctx)
{
    struct rb_config_fixture *f = *ctx;
    /* No shell reads it; arguments may be alike, and empty. */
    expect(ctx, "{ command: [printf, \"%s|%s|%s\", $HOME;ls, $HOME;ls, \"\"] }",
           "$HOME;ls|$HOME;ls|");
    expect(ctx, "{ command: [sh, -c, \"cat; echo hunter2; exec >&-; sleep 0.1\"] }", "hunter2");
    rb_config_fixture_write(f, "get", "#!/bin/sh\necho \"pw of $1\"\n", 26);
    char path[128];
    (void)snprintf(path, sizeof path, "%s/get", f->folder);
    assert_int_equal(chmod(path, 0700), 0);
    expect(ctx, "{ command: [./get, db] }", "pw of db");
    (void)setenv("RB_TEST_SECRET", "hunter2", 1);
    expect(ctx, "{ command: [sh, -c, 'echo \"$RB_TEST_SECRET\"'], timeout: 1m }", "hunter2");
    (void)unsetenv("RB_TEST_SECRET");
}

static void test_a_command_runs_once(void **ctx)
{
    struct rb_config_fixture *f = *ctx;
    char path[128], line[64] = "";
    const struct rb_connector_spec *spec = load(ctx, "url: { command: [sh, -c, \"echo x >>ran; "
                                                     "echo postgresql://u:p%40w@h/d\"] }");
    assert_string_equal(spec->secrets[0], "p@w");
    assert_string_equal(spec->allow[0].host, "h");
    (void)snprintf(path, sizeof path, "%s/ran", f->folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fread(line, 1, sizeof line - 1, file), 2);
    (void)fclose(file);
}

static void test_commands_are_refused(void **ctx)
{
    struct rb_config_fixture *f = *ctx;
    static const char text[] = HEAD BASE "{ command: [touch, ran] }" TAIL;
    char dirs[96], path[128];
    (void)snprintf(dirs, sizeof dirs, "%s/connectors", f->folder);
    (void)snprintf(path, sizeof path, "%s/ran", f->folder);
    rb_config_fixture_write(f, "p.yaml", text, sizeof text - 1);
    const struct rb_pipeline_options options = {.connector_dirs = dirs, .no_commands = true};
    assert_int_equal(rb_pipeline_load(f->path, &options, &f->pipeline, &f->diags, &f->err),
                     RB_ECONFIG);
    assert_int_equal(f->diags.count, 1);
    assert_string_equal(f->diags.items[0].message, "password: a command is not allowed here");
    assert_int_not_equal(access(path, F_OK), 0);
}

static void test_bad_commands(void **ctx)
{
    refuse(ctx, "{ command: [/nonexistent/get] }",
           "the command /nonexistent/get can't be started: No such file or directory");
    refuse(ctx, "{ command: [sh, -c, \"echo hunter2; exit 3\"] }",
           "the command sh failed with exit code 3");
    refuse(ctx, "{ command: [sh, -c, \"echo hunter2; kill -9 $$\"] }",
           "the command sh was ended by signal 9");
    refuse(ctx, "{ command: [\"true\"] }", "the output of the command true is empty");
    refuse(ctx, "{ command: [yes] }", "the command yes writes more than 65536 bytes");
    refuse(ctx, "{ command: [printf, 'a\\0b'] }",
           "the output of the command printf has a zero byte in it");
    rb_config_fixture_bad(*ctx, RB_ECONFIG, HEAD BASE "{ command: echo pw }" TAIL,
                          "5:66: password: a command is a list of at most 256 texts "
                          "[[program, argument, ...]: no shell reads it]\n");
#define HINT " [{ file: path } or { command: [program, argument, ...] }]"
    refuse(ctx, "{}", "either a file or a command is expected" HINT);
    refuse(ctx, "{ file: a, command: [b] }", "either a file or a command is expected" HINT);
    refuse(ctx, "{ file: a, timeout: 1s }", "a timeout is for a command" HINT);
    rb_config_fixture_bad(*ctx, RB_ECONFIG, HEAD BASE "{ flie: a }" TAIL,
                          "5:57: password: the key is none of file, command, timeout "
                          "[did you mean 'file'?]\n");
    /* Only what a manifest calls a secret. */
    rb_config_fixture_bad(*ctx, RB_ECONFIG, HEAD "host: db, user: { file: pw }, database: d" TAIL,
                          "5:29: user: a text is expected, not a mapping [who connects]\n");
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The process whose id a command wrote into `slept` is gone, or a zombie: whoever inherits it reaps
 * it. */
static void expect_gone(const struct rb_config_fixture *f)
{
    char path[128], line[64] = "";
    (void)snprintf(path, sizeof path, "%s/slept", f->folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    (void)fclose(file);
    int pid = (int)strtol(line, NULL, 10);
    assert_in_range(pid, 2, INT32_MAX);
    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    bool gone = false;
    for (int i = 0; i < 200 && !gone; i++) {
        file = fopen(path, "r");
        gone = file == NULL || fgets(line, sizeof line, file) == NULL || strstr(line, ") Z") != 0;
        if (file != NULL) {
            (void)fclose(file);
        }
        (void)usleep(10000);
    }
    assert_true(gone);
}

/* With all that it started. */
static void test_a_command_ends_in_time(void **ctx)
{
    int64_t start = now_ms();
    refuse(ctx, "{ command: [sh, -c, \"sleep 61 & echo $! >slept; wait\"], timeout: 300ms }",
           "the command sh did not end within 300 ms");
    expect_gone(*ctx);
    refuse(ctx, "{ command: [sh, -c, \"exec >&-; sleep 60\"], timeout: 300ms }",
           "the command sh did not end within 300 ms");
    assert_in_range(now_ms() - start, 600, 10000);
}

static void test_a_command_leaves_nothing_behind(void **ctx)
{
    expect(ctx, "{ command: [sh, -c, \"sleep 62 >&- & echo $! >slept; echo pw\"] }", "pw");
    expect_gone(*ctx);
}

static void test_a_signal_ends_the_wait(void **ctx)
{
    sigset_t usual, term;
    struct timespec none = {0};
    int64_t start = now_ms();
    (void)sigemptyset(&term);
    (void)sigaddset(&term, SIGTERM);
    assert_int_equal(sigprocmask(SIG_BLOCK, &term, &usual), 0);
    assert_int_equal(raise(SIGTERM), 0);
    rb_config_fixture_bad(*ctx, RB_ECANCELLED, HEAD BASE "{ command: [sleep, \"60\"] }" TAIL,
                          "5:55: password: the command sleep was interrupted\n");
    assert_int_equal(sigtimedwait(&term, NULL, &none), SIGTERM);
    assert_int_equal(sigprocmask(SIG_SETMASK, &usual, NULL), 0);
    assert_in_range(now_ms() - start, 0, 5000);
}

int main(void)
{
#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, rb_config_fixture_set_up, rb_config_fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_files),
        TEST(test_bad_files),
        TEST(test_commands),
        TEST(test_a_command_runs_once),
        TEST(test_commands_are_refused),
        TEST(test_bad_commands),
        TEST(test_a_command_ends_in_time),
        TEST(test_a_command_leaves_nothing_behind),
        TEST(test_a_signal_ends_the_wait),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
