/* host/state: what is shown of it, and what the operator changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/buf.h"
#include "host/state/change.h"
#include "host/state/inspect.h"

#define CHECKPOINT(v) "{\"cursor_value\":{\"int64\":" #v "}}"

struct fixture {
    char folder[64];
    char path[96];
    struct rb_state *state;
    struct rb_buf seen;
};

static int set_up(void **ctx)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return -1;
    }
    rb_buf_init(&f->seen, 64 * 1024);
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/rb-inspect-XXXXXX");
    if (mkdtemp(f->folder) == NULL) {
        free(f);
        return -1;
    }
    (void)snprintf(f->path, sizeof f->path, "%s/state.db", f->folder);
    *ctx = f;
    return rb_state_open(f->path, &f->state, NULL);
}

static int tear_down(void **ctx)
{
    struct fixture *f = *ctx;
    char wal[128];
    rb_state_close(f->state);
    rb_buf_release(&f->seen);
    (void)unlink(f->path);
    (void)snprintf(wal, sizeof wal, "%s-wal", f->path);
    (void)unlink(wal);
    (void)snprintf(wal, sizeof wal, "%s-shm", f->path);
    (void)unlink(wal);
    (void)rmdir(f->folder);
    free(f);
    return 0;
}

static const char *shown(const char *text)
{
    return text != NULL ? text : "-";
}

static int see_cursor(void *user, const struct rb_state_cursor *cursor)
{
    struct fixture *f = user;
    assert_true(cursor->updated_unix_us > 0);
    return rb_buf_printf(&f->seen, "%s %s %s %s %s;", cursor->stream, cursor->load_id,
                         shown(cursor->cursor_field), shown(cursor->cursor_type),
                         cursor->checkpoint_json);
}

static int see_key(void *user, const struct rb_state_key *key)
{
    struct fixture *f = user;
    return rb_buf_printf(&f->seen, "%d %s %.*s=%zu;", key->scope, key->owner, (int)key->key_len,
                         key->key, key->value_len);
}

static void expect(struct fixture *f, const char *cursors, const char *keys)
{
    rb_buf_clear(&f->seen);
    assert_int_equal(rb_state_each_cursor(f->state, "p", see_cursor, f, NULL), 0);
    assert_string_equal(rb_buf_str(&f->seen), cursors);
    rb_buf_clear(&f->seen);
    assert_int_equal(rb_state_each_key(f->state, "p", see_key, f, NULL), 0);
    assert_string_equal(rb_buf_str(&f->seen), keys);
}

static void test_apply(void **ctx)
{
    struct fixture *f = *ctx;
    expect(f, "", "");
    assert_int_equal(
        rb_state_checkpoint_put(f->state, "p", "a", "l1", "id", "int64", CHECKPOINT(1), NULL), 0);
    assert_int_equal(
        rb_state_checkpoint_put(f->state, "p", "b", "l1", NULL, NULL, CHECKPOINT(2), NULL), 0);
    assert_int_equal(
        rb_state_checkpoint_put(f->state, "q", "a", "l1", NULL, NULL, CHECKPOINT(3), NULL), 0);
    assert_int_equal(rb_state_kv_put(f->state, "p", 0, "", "k", 1, "xy", 2, NULL), 0);
    assert_int_equal(rb_state_kv_put(f->state, "p", 1, "a", "k", 1, "", 0, NULL), 0);
    expect(f, "a l1 id int64 " CHECKPOINT(1) ";b l1 - - " CHECKPOINT(2) ";", "0  k=2;1 a k=0;");

    const struct rb_state_change one[] = {
        {.stream = "a"},
        {.stream = "b", .checkpoint_json = CHECKPOINT(9), .cursor_field = "id"},
    };
    assert_int_equal(rb_state_apply(f->state, "p", "l2", one, 2, NULL, 0, NULL), 0);
    expect(f, "b l2 id - " CHECKPOINT(9) ";", "0  k=2;");

    const struct rb_state_change bad[] = {{.stream = NULL},
                                          {.stream = "a", .checkpoint_json = "not json"}};
    struct rb_error err = {0};
    assert_int_equal(rb_state_apply(f->state, "p", "l3", bad, 2, NULL, 0, &err), RB_EPROTOCOL);
    assert_string_equal(err.code, "CHECKPOINT_NOT_JSON");
    expect(f, "b l2 id - " CHECKPOINT(9) ";", "0  k=2;"); /* all or nothing */

    const struct rb_state_change all[] = {{.stream = NULL},
                                          {.stream = "c", .checkpoint_json = CHECKPOINT(4)}};
    const struct rb_state_key keys[] = {{1, "c", "z", 1, "123", 3}};
    assert_int_equal(rb_state_apply(f->state, "p", "l3", all, 2, keys, 1, NULL), 0);
    expect(f, "c l3 - - " CHECKPOINT(4) ";", "1 c z=3;");
}

static int see_run(void *user, const struct rb_state_run *run)
{
    struct fixture *f = user;
    return rb_buf_printf(&f->seen, "%lld %s %s %s %d %lld %lld;", (long long)run->id, run->pipeline,
                         run->load_id, shown(run->outcome),
                         run->ended_unix_us != 0 ? run->exit_code : -1, (long long)run->n_streams,
                         (long long)run->records_written);
}

static int see_stream(void *user, const struct rb_state_stream *stream)
{
    struct fixture *f = user;
    return rb_buf_printf(&f->seen, "%s %s %lld %s %s;", stream->stream, stream->outcome,
                         (long long)stream->records_written, shown(stream->checksum),
                         shown(stream->error_json));
}

static int stop(void *user, const struct rb_state_run *run)
{
    (void)user, (void)run;
    return 7;
}

static void runs(struct fixture *f, const char *pipeline, int64_t id, int64_t limit,
                 const char *expected)
{
    rb_buf_clear(&f->seen);
    assert_int_equal(rb_state_each_run(f->state, pipeline, id, limit, see_run, f, NULL), 0);
    assert_string_equal(rb_buf_str(&f->seen), expected);
}

static void test_runs(void **ctx)
{
    struct fixture *f = *ctx;
    int64_t first = 0, second = 0;
    runs(f, NULL, 0, 10, "");
    assert_int_equal(rb_state_run_begin(f->state, "p", "l1", "/p.yaml", NULL, NULL, &first, NULL),
                     0);
    const struct rb_state_stream good = {.stream = "b",
                                         .outcome = "ok",
                                         .records_written = 5,
                                         .started_unix_us = 1,
                                         .ended_unix_us = 2,
                                         .checksum = "00"};
    const struct rb_state_stream failed = {.stream = "a",
                                           .outcome = "failed",
                                           .records_written = 3,
                                           .started_unix_us = 2,
                                           .ended_unix_us = 3,
                                           .error_json = "{}"};
    assert_int_equal(rb_state_stream_end(f->state, first, &failed, NULL), 0);
    assert_int_equal(rb_state_stream_end(f->state, first, &good, NULL), 0);
    assert_int_equal(rb_state_run_end(f->state, first, "partial", 8, NULL, NULL, NULL), 0);
    assert_int_equal(rb_state_run_begin(f->state, "q", "l2", "/q.yaml", NULL, NULL, &second, NULL),
                     0);
    runs(f, NULL, 0, 10, "2 q l2 - -1 0 0;1 p l1 partial 8 2 5;");
    runs(f, NULL, 0, 1, "2 q l2 - -1 0 0;");
    runs(f, "p", 0, 10, "1 p l1 partial 8 2 5;");
    runs(f, "p", second, 10, "");
    runs(f, NULL, first, 10, "1 p l1 partial 8 2 5;");
    assert_int_equal(rb_state_each_run(f->state, NULL, 0, 10, stop, NULL, NULL), 7);
    rb_buf_clear(&f->seen);
    assert_int_equal(rb_state_each_stream(f->state, first, see_stream, f, NULL), 0);
    assert_string_equal(rb_buf_str(&f->seen), "b ok 5 00 -;a failed 3 - {};");
}

static void test_holder(void **ctx)
{
    struct fixture *f = *ctx;
    struct rb_state_holder holder;
    assert_int_equal(rb_state_holder_get(f->state, "p", &holder, NULL), 1);
    assert_int_equal(rb_state_lock(f->state, "p", NULL), 0);
    assert_int_equal(rb_state_holder_get(f->state, "p", &holder, NULL), 0);
    assert_int_equal(holder.pid, getpid());
    assert_true(holder.is_here);
    assert_int_equal(rb_state_holder_get(f->state, "q", &holder, NULL), 1);
    assert_int_equal(rb_state_unlock(f->state, "p", NULL), 0);
    assert_int_equal(rb_state_holder_get(f->state, "p", &holder, NULL), 1);
}

static void test_holder_that_is_gone(void **ctx)
{
    struct fixture *f = *ctx;
    pid_t child = fork();
    if (child == 0) {
        struct rb_state *state = NULL;
        bool locked =
            rb_state_open(f->path, &state, NULL) == 0 && rb_state_lock(state, "p", NULL) == 0;
        _exit(locked ? 0 : 1); /* without unlocking */
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    struct rb_state_holder holder;
    assert_int_equal(rb_state_holder_get(f->state, "p", &holder, NULL), 1);
    assert_int_equal(rb_state_lock(f->state, "p", NULL), 1);
    assert_int_equal(rb_state_holder_get(f->state, "p", &holder, NULL), 0);
}

static void test_holder_elsewhere(void **ctx)
{
    struct fixture *f = *ctx;
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "INSERT INTO locks VALUES ('p', 't', 1, 1, 'x', "
                                  "'elsewhere.example', 0)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    (void)sqlite3_close(db);
    struct rb_state_holder holder;
    assert_int_equal(rb_state_holder_get(f->state, "p", &holder, NULL), 0);
    assert_false(holder.is_here);
    assert_string_equal(holder.host, "elsewhere.example");
    assert_string_equal(holder.taken, "1970-01-01 00:00:00 UTC");
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        T(test_apply),
        T(test_runs),
        T(test_holder),
        T(test_holder_that_is_gone),
        T(test_holder_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
