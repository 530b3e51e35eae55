/* host/state: runs, checkpoints, connectors' keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "host/state/state.h"

enum { VALUE_MAX = 1024 * 1024 };

struct fixture {
    char folder[64];
    char path[96];
    struct rb_state *state;
};

static int set_up(void **ctx)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return -1;
    }
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/rb-state-XXXXXX");
    if (mkdtemp(f->folder) == NULL) {
        free(f);
        return -1;
    }
    (void)snprintf(f->path, sizeof f->path, "%s/state.db", f->folder);
    *ctx = f;
    struct rb_error err = {0};
    return rb_state_open(f->path, &f->state, &err);
}

static int tear_down(void **ctx)
{
    struct fixture *f = *ctx;
    rb_state_close(f->state);
    (void)unlink(f->path);
    int rc = rmdir(f->folder); /* fails if SQLite's -wal or -shm file is left */
    free(f);
    return rc;
}

/* The first column of the first row, as text; "" for NULL, "(none)" without a row. */
static void expect_sql(const struct fixture *f, const char *sql, const char *expected)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    const char *got = "(none)";
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        got = (const char *)sqlite3_column_text(stmt, 0);
    }
    assert_string_equal(got == NULL ? "" : got, expected);
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(db);
}

static void expect_checkpoint(struct fixture *f, const char *stream, const char *json,
                              const char *load_id)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf got = RB_BUF_INIT(4096);
    RB_CLEANUP(rb_buf_release) struct rb_buf load = RB_BUF_INIT(4096);
    struct rb_error err = {0};
    assert_int_equal(rb_state_checkpoint_get(f->state, "p", stream, &got, &load, &err),
                     json == NULL ? 1 : 0);
    assert_string_equal(rb_buf_str(&got), json == NULL ? "" : json);
    assert_string_equal(rb_buf_str(&load), json == NULL ? "" : load_id);
}

static void test_run_is_recorded_before_anything_moves(void **ctx)
{
    struct fixture *f = *ctx;
    int64_t run = 0;
    struct rb_error err = {0};
    assert_int_equal(rb_state_run_begin(f->state, "p", "l1", "/doc.yaml", NULL, NULL, &run, &err),
                     0);
    expect_sql(f, "SELECT pipeline || load_id || document_path || (outcome IS NULL) FROM runs",
               "pl1/doc.yaml1");
    assert_int_equal(rb_state_run_set_load(f->state, run, "l0", &err), 0);
    assert_int_equal(
        rb_state_run_end(f->state, run, "failed", 3, "{\"code\":\"X\"}", "{\"plan_secs\":1}", &err),
        0);
    expect_sql(f,
               "SELECT load_id || outcome || exit_code || error_json || timings_json || "
               "(ended_unix_us >= started_unix_us) FROM runs",
               "l0failed3{\"code\":\"X\"}{\"plan_secs\":1}1");
    assert_int_equal(rb_state_run_end(f->state, 99, "ok", 0, NULL, NULL, &err), RB_EINTERNAL);
    assert_int_equal(rb_state_run_set_load(f->state, 99, "l", &err), RB_EINTERNAL);
}

static void test_an_outcome_that_is_none_is_refused(void **ctx)
{
    struct fixture *f = *ctx;
    int64_t run = 0;
    struct rb_error err = {0};
    assert_int_equal(rb_state_run_begin(f->state, "p", "l1", NULL, NULL, NULL, &run, &err), 0);
    assert_int_equal(rb_state_run_end(f->state, run, "fine", 0, NULL, NULL, &err), RB_ESTATE);
    expect_sql(f, "SELECT outcome FROM runs", "");
}

static void add_runs(struct fixture *f, const char *pipeline, int n)
{
    for (int i = 0; i < n; i++) {
        int64_t run = 0;
        char load[16];
        (void)snprintf(load, sizeof load, "%d", i);
        assert_int_equal(rb_state_run_begin(f->state, pipeline, load, NULL, NULL, NULL, &run, NULL),
                         0);
        assert_int_equal(rb_state_run_end(f->state, run, "ok", 0, NULL, NULL, NULL), 0);
    }
}

static void test_old_runs_are_forgotten(void **ctx)
{
    struct fixture *f = *ctx;
    struct rb_error err = {0};
    struct rb_state_stream stream = {.stream = "s", .outcome = "ok"};
    int64_t first = 0;
    assert_int_equal(rb_state_run_begin(f->state, "p", "first", NULL, NULL, NULL, &first, &err), 0);
    assert_int_equal(rb_state_stream_end(f->state, first, &stream, &err), 0);
    assert_int_equal(rb_state_run_end(f->state, first, "ok", 0, NULL, NULL, &err), 0);
    add_runs(f, "p", 4);
    add_runs(f, "q", 2);
    assert_int_equal(rb_state_runs_prune(f->state, "p", 0, 5, &err), 0);
    expect_sql(f, "SELECT count(*) FROM runs", "7");
    assert_int_equal(rb_state_runs_prune(f->state, "p", 0, 2, &err), 0);
    expect_sql(f, "SELECT group_concat(pipeline || load_id) FROM runs", "p2,p3,q0,q1");
    expect_sql(f, "SELECT count(*) FROM run_streams", "0");
    /* By age all but the newest, which says when the pipeline ran last. */
    assert_int_equal(rb_state_runs_prune(f->state, "p", INT64_C(3600000000), 10, &err), 0);
    expect_sql(f, "SELECT count(*) FROM runs", "4");
    usleep(1000);
    assert_int_equal(rb_state_runs_prune(f->state, "p", 1, 10, &err), 0);
    expect_sql(f, "SELECT group_concat(pipeline || load_id) FROM runs", "p3,q0,q1");
}

/* A run that is on its way, and more than are looked at in one go. */
static void test_many_runs_are_forgotten(void **ctx)
{
    struct fixture *f = *ctx;
    struct rb_error err = {0};
    int64_t open = 0;
    assert_int_equal(rb_state_run_begin(f->state, "p", "open", NULL, NULL, NULL, &open, &err), 0);
    add_runs(f, "p", 450);
    assert_int_equal(rb_state_runs_prune(f->state, "p", 0, 3, &err), 0);
    expect_sql(f, "SELECT group_concat(load_id) FROM runs", "open,447,448,449");
}

static void test_reap_marks_runs_without_an_end(void **ctx)
{
    struct fixture *f = *ctx;
    int64_t ended = 0, dead = 0, other = 0, count = -1;
    struct rb_error err = {0};
    assert_int_equal(rb_state_run_begin(f->state, "p", "l1", NULL, NULL, NULL, &ended, &err), 0);
    assert_int_equal(rb_state_run_end(f->state, ended, "ok", 0, NULL, NULL, &err), 0);
    assert_int_equal(rb_state_run_begin(f->state, "p", "l2", NULL, NULL, NULL, &dead, &err), 0);
    assert_int_equal(rb_state_run_begin(f->state, "q", "l3", NULL, NULL, NULL, &other, &err), 0);
    assert_int_equal(rb_state_runs_reap(f->state, "p", &count, &err), 0);
    assert_int_equal(count, 1);
    expect_sql(f, "SELECT group_concat(load_id || coalesce(outcome, '-')) FROM runs",
               "l1ok,l2crashed,l3-");
    assert_int_equal(rb_state_runs_reap(f->state, "p", &count, &err), 0);
    assert_int_equal(count, 0);
}

static struct rb_state_stream stream_ok(const char *checkpoint)
{
    return (struct rb_state_stream){.stream = "orders",
                                    .outcome = "ok",
                                    .sync_mode = "incremental",
                                    .write_mode = "append",
                                    .records_read = 5,
                                    .records_written = 4,
                                    .records_skipped = 1,
                                    .bytes_read = 50,
                                    .bytes_written = 40,
                                    .started_unix_us = 1000,
                                    .ended_unix_us = 2000,
                                    .checksum = "00ff",
                                    .timings_json = "{}",
                                    .checkpoint_json = checkpoint,
                                    .cursor_field = "id",
                                    .cursor_type = "int64"};
}

static void test_stream_and_checkpoint_go_together(void **ctx)
{
    struct fixture *f = *ctx;
    int64_t run = 0;
    struct rb_error err = {0};
    assert_int_equal(rb_state_run_begin(f->state, "p", "l1", NULL, NULL, NULL, &run, &err), 0);
    struct rb_state_stream s = stream_ok("{\"cursor_value\":{\"int64\":7}}");
    assert_int_equal(rb_state_stream_end(f->state, run, &s, &err), 0);
    expect_checkpoint(f, "orders", "{\"cursor_value\":{\"int64\":7}}", "l1");
    expect_sql(f,
               "SELECT printf('%s %s %s %d %d %d %d %d %d %d %s %s', outcome, sync_mode, "
               "write_mode, records_read, records_written, records_skipped, bytes_read, "
               "bytes_written, started_unix_us, ended_unix_us, checksum, timings_json) "
               "FROM run_streams",
               "ok incremental append 5 4 1 50 40 1000 2000 00ff {}");
    expect_sql(f, "SELECT cursor_field || cursor_type FROM checkpoints", "idint64");
    /* Not ok: the stream is recorded anew, the checkpoint stays. */
    s = stream_ok("{\"cursor_value\":{\"int64\":8}}");
    s.outcome = "failed";
    s.error_json = "{}";
    assert_int_equal(rb_state_stream_end(f->state, run, &s, &err), 0);
    expect_checkpoint(f, "orders", "{\"cursor_value\":{\"int64\":7}}", "l1");
    expect_sql(f, "SELECT outcome || error_json FROM run_streams", "failed{}");
    /* Without a checkpoint there is nothing to replace. */
    s = stream_ok(NULL);
    assert_int_equal(rb_state_stream_end(f->state, run, &s, &err), 0);
    expect_checkpoint(f, "orders", "{\"cursor_value\":{\"int64\":7}}", "l1");
}

static void test_a_bad_checkpoint_records_nothing(void **ctx)
{
    struct fixture *f = *ctx;
    int64_t run = 0;
    struct rb_error err = {0};
    assert_int_equal(rb_state_run_begin(f->state, "p", "l1", NULL, NULL, NULL, &run, &err), 0);
    struct rb_state_stream s = stream_ok("{\"cursor_value\":");
    assert_int_equal(rb_state_stream_end(f->state, run, &s, &err), RB_EPROTOCOL);
    assert_string_equal(err.message, "the checkpoint of stream 'orders' is not JSON");
    expect_sql(f, "SELECT count(*) FROM run_streams", "0");
    expect_checkpoint(f, "orders", NULL, NULL);
    /* A stream of a run that does not exist. */
    s = stream_ok(NULL);
    assert_int_equal(rb_state_stream_end(f->state, 99, &s, &err), RB_ESTATE);
}

/* Which checkpoint may follow which. */
static void test_a_good_cursor_is_never_lost(void **ctx)
{
    static const struct {
        const char *before, *after;
        bool replaced;
    } cases[] = {
        {"{\"cursor_value\":{\"int64\":7}}", "{\"cursor_value\":{\"int64\":8}}", true},
        {"{\"cursor_value\":{\"int64\":7}}", "{\"cursor_value\":{\"int64\":0}}", true},
        {"{\"cursor_value\":{\"int64\":7}}", "{\"cursor_value\":\"null\"}", false},
        {"{\"cursor_value\":{\"int64\":7}}", "{\"cursor_value\":null}", false},
        {"{\"cursor_value\":{\"int64\":7}}", "{}", false},
        {"{\"cursor_value\":{\"int64\":7}}", "{\"cursor_value\":{}}", false},
        {"{\"cursor_value\":{\"int64\":7}}", "{\"cursor_value\":{\"json\":null}}", false},
        {"{\"cursor_value\":{\"utf8\":\"b\"}}", "{\"cursor_value\":{\"utf8\":\"\"}}", false},
        {"{\"cursor_value\":{\"int64\":7}}",
         "{\"cursor_value\":{\"decimal\":{\"value\":\"1.5\",\"scale\":1}}}", true},
        {"{\"cursor_value\":\"null\"}", "{\"cursor_value\":null}", true},
        {"{}", "{\"cursor_value\":\"null\"}", true},
        {"{}", "{\"cursor_value\":{\"int64\":1}}", true},
    };
    struct fixture *f = *ctx;
    struct rb_error err = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char stream[16];
        (void)snprintf(stream, sizeof stream, "s%zu", i);
        assert_int_equal(rb_state_checkpoint_put(f->state, "p", stream, "l1", "id", "int64",
                                                 cases[i].before, &err),
                         0);
        assert_int_equal(rb_state_checkpoint_put(f->state, "p", stream, "l2", "id", "int64",
                                                 cases[i].after, &err),
                         0);
        expect_checkpoint(f, stream, cases[i].replaced ? cases[i].after : cases[i].before,
                          cases[i].replaced ? "l2" : "l1");
    }
    assert_int_equal(
        rb_state_checkpoint_put(f->state, "p", "s0", "l3", NULL, NULL, "nonsense", &err),
        RB_EPROTOCOL);
}

static int put(struct fixture *f, const char *pipeline, int scope, const char *owner,
               const char *key, const char *value)
{
    struct rb_error err = {0};
    return rb_state_kv_put(f->state, pipeline, scope, owner, key, strlen(key), value, strlen(value),
                           &err);
}

static void expect_kv(struct fixture *f, const char *pipeline, int scope, const char *owner,
                      const char *key, const char *value)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf got = RB_BUF_INIT(VALUE_MAX);
    struct rb_error err = {0};
    assert_int_equal(
        rb_state_kv_get(f->state, pipeline, scope, owner, key, strlen(key), &got, &err),
        value == NULL ? 1 : 0);
    assert_string_equal(rb_buf_str(&got), value == NULL ? "" : value);
}

static void test_keys_belong_to_pipeline_scope_and_owner(void **ctx)
{
    struct fixture *f = *ctx;
    expect_kv(f, "p", 0, "", "k", NULL);
    assert_int_equal(put(f, "p", 0, "", "k", "a"), 0);
    assert_int_equal(put(f, "p", 1, "orders", "k", "b"), 0);
    assert_int_equal(put(f, "p", 1, "users", "k", "c"), 0);
    assert_int_equal(put(f, "p", 2, "source:source-postgres", "k", "d"), 0);
    assert_int_equal(put(f, "q", 0, "", "k", "e"), 0);
    assert_int_equal(put(f, "p", 0, "", "k", "A"), 0);
    assert_int_equal(put(f, "p", 0, "", "empty", ""), 0);
    expect_kv(f, "p", 0, "", "k", "A");
    expect_kv(f, "p", 1, "orders", "k", "b");
    expect_kv(f, "p", 1, "users", "k", "c");
    expect_kv(f, "p", 2, "source:source-postgres", "k", "d");
    expect_kv(f, "q", 0, "", "k", "e");
    expect_kv(f, "p", 0, "", "empty", "");
    expect_kv(f, "p", 1, "", "k", NULL);
}

static void test_key_and_value_limits(void **ctx)
{
    struct fixture *f = *ctx;
    struct rb_error err = {0};
    static uint8_t big[VALUE_MAX + 1];
    char key[1025];
    memset(key, 'k', sizeof key);
    assert_int_equal(rb_state_kv_put(f->state, "p", 0, "", key, 1025, "v", 1, &err), RB_EPROTOCOL);
    assert_int_equal(rb_state_kv_put(f->state, "p", 0, "", key, 1024, "v", 1, &err), 0);
    assert_int_equal(rb_state_kv_put(f->state, "p", 0, "", key, 0, "v", 1, &err), RB_EPROTOCOL);
    assert_int_equal(rb_state_kv_put(f->state, "p", 3, "", key, 1, "v", 1, &err), RB_EPROTOCOL);
    assert_int_equal(rb_state_kv_put(f->state, "p", 0, "", key, 1, big, VALUE_MAX, &err), 0);
    assert_int_equal(rb_state_kv_put(f->state, "p", 0, "", key, 1, big, VALUE_MAX + 1, &err),
                     RB_EPROTOCOL);
    RB_CLEANUP(rb_buf_release) struct rb_buf small = RB_BUF_INIT(100);
    assert_int_equal(rb_state_kv_get(f->state, "p", 0, "", key, 1, &small, &err), RB_ENOMEM);
}

static int cas(struct fixture *f, const char *expected, const char *value)
{
    struct rb_error err = {0};
    return rb_state_kv_cas(f->state, "p", 0, "", "k", 1, expected,
                           expected == NULL ? 0 : strlen(expected), value, strlen(value), &err);
}

static void test_compare_and_set(void **ctx)
{
    struct fixture *f = *ctx;
    assert_int_equal(cas(f, "a", "b"), 1);
    expect_kv(f, "p", 0, "", "k", NULL);
    assert_int_equal(cas(f, NULL, "a"), 0);
    assert_int_equal(cas(f, NULL, "b"), 1);
    expect_kv(f, "p", 0, "", "k", "a");
    assert_int_equal(cas(f, "x", "b"), 1);
    assert_int_equal(cas(f, "a", ""), 0);
    assert_int_equal(cas(f, "", "c"), 0);
    expect_kv(f, "p", 0, "", "k", "c");
}

static void fill(struct fixture *f)
{
    struct rb_error err = {0};
    static const char *const streams[] = {"orders", "users"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(
            rb_state_checkpoint_put(f->state, "p", streams[i], "l", NULL, NULL, "{}", &err), 0);
        assert_int_equal(put(f, "p", 1, streams[i], "k", "v"), 0);
    }
    assert_int_equal(put(f, "p", 0, "", "k", "v"), 0);
    assert_int_equal(put(f, "p", 2, "source:x", "k", "v"), 0);
    assert_int_equal(put(f, "q", 0, "", "k", "v"), 0);
    assert_int_equal(rb_state_checkpoint_put(f->state, "q", "orders", "l", NULL, NULL, "{}", &err),
                     0);
}

static void test_reset_forgets_a_stream_or_a_pipeline(void **ctx)
{
    struct fixture *f = *ctx;
    struct rb_error err = {0};
    fill(f);
    assert_int_equal(rb_state_reset(f->state, "p", "orders", &err), 0);
    expect_sql(f, "SELECT group_concat(pipeline || '.' || stream) FROM checkpoints",
               "p.users,q.orders");
    expect_kv(f, "p", 1, "orders", "k", NULL);
    expect_kv(f, "p", 1, "users", "k", "v");
    expect_kv(f, "p", 0, "", "k", "v");
    assert_int_equal(rb_state_reset(f->state, "p", NULL, &err), 0);
    expect_sql(f, "SELECT group_concat(pipeline || '.' || stream) FROM checkpoints", "q.orders");
    expect_sql(f, "SELECT group_concat(pipeline) FROM kv", "q");
}

static void test_probe_leaves_nothing(void **ctx)
{
    struct fixture *f = *ctx;
    struct rb_error err = {0};
    assert_int_equal(rb_state_probe(f->state, &err), 0);
    expect_sql(f, "SELECT count(*) FROM kv", "0");
    assert_int_equal(put(f, "p", 0, "", "k", "v"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(test_run_is_recorded_before_anything_moves),
        T(test_an_outcome_that_is_none_is_refused),
        T(test_reap_marks_runs_without_an_end),
        T(test_old_runs_are_forgotten),
        T(test_many_runs_are_forgotten),
        T(test_stream_and_checkpoint_go_together),
        T(test_a_bad_checkpoint_records_nothing),
        T(test_a_good_cursor_is_never_lost),
        T(test_keys_belong_to_pipeline_scope_and_owner),
        T(test_key_and_value_limits),
        T(test_compare_and_set),
        T(test_reset_forgets_a_stream_or_a_pipeline),
        T(test_probe_leaves_nothing),
#undef T
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("state_store", tests, NULL, NULL);
}
