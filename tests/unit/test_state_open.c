/* host/state: opening good and bad files, and the pipeline's lock. */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "host/state/inspect.h"
#include "host/state/state.h"

enum { NOBODY = 65534 };

struct fixture {
    char folder[64];
    char path[96];
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
    return 0;
}

static int tear_down(void **ctx)
{
    struct fixture *f = *ctx;
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < 4; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s%s", f->path, suffixes[i]);
        (void)unlink(path);
    }
    int rc = rmdir(f->folder);
    free(f);
    return rc;
}

static void expect_refused(const char *path, const char *code, const char *message_end)
{
    struct rb_state *state = NULL;
    struct rb_error err = {0};
    assert_int_equal(rb_state_open(path, &state, &err), RB_ESTATE);
    assert_null(state);
    assert_string_equal(err.code, code);
    assert_non_null(strstr(err.message, path));
    assert_true(strlen(err.message) >= strlen(message_end));
    assert_string_equal(err.message + strlen(err.message) - strlen(message_end), message_end);
    assert_true(err.hint[0] != '\0');
}

static struct rb_state *open_ok(const char *path)
{
    struct rb_state *state = NULL;
    struct rb_error err = {0};
    if (rb_state_open(path, &state, &err) != 0) {
        fail_msg("%s", err.message);
    }
    return state;
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void write_file(const char *path, const char *mode, long offset, const char *text)
{
    FILE *file = fopen(path, mode);
    assert_non_null(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_open_creates_and_reopens(void **ctx)
{
    struct fixture *f = *ctx;
    struct rb_error err = {0};
    int64_t run = 0;
    struct rb_state *state = open_ok(f->path);
    assert_int_equal(rb_state_run_begin(state, "p", "l1", NULL, NULL, NULL, &run, &err), 0);
    rb_state_close(state);
    int64_t again = 0;
    state = open_ok(f->path);
    assert_int_equal(rb_state_run_begin(state, "p", "l2", NULL, NULL, NULL, &again, &err), 0);
    assert_int_equal(again, run + 1);
    rb_state_close(state);
    rb_state_close(NULL);
}

static void test_missing_folder(void **ctx)
{
    struct fixture *f = *ctx;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/none/state.db", f->folder);
    expect_refused(path, "STATE_NO_FOLDER", ": No such file or directory");
    expect_refused(f->folder, "STATE_NOT_A_FILE", " is not a regular file");
}

static void test_not_a_database(void **ctx)
{
    struct fixture *f = *ctx;
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    write_file(f->path, "w", 0, text);
    expect_refused(f->path, "STATE_NOT_A_DATABASE", " is not an SQLite database");
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_size, sizeof text - 1);
}

static void test_a_foreign_database_is_left_alone(void **ctx)
{
    struct fixture *f = *ctx;
    run_sql(f->path, "CREATE TABLE t (a)");
    expect_refused(f->path, "STATE_FOREIGN",
                   " is an SQLite database, but not a state file of rapidbyte");
    run_sql(f->path, "INSERT INTO t VALUES (1)");
}

/* What version 1 has recorded stays, and says nothing of what it did not know. */
static int check_first_run(void *user, const struct rb_state_run *run)
{
    assert_string_equal(run->load_id, "l1");
    assert_string_equal(run->outcome, "ok");
    assert_null(run->connectors_json);
    ++*(int *)user;
    return 0;
}

static int check_second_run(void *user, const struct rb_state_run *run)
{
    assert_string_equal(run->connectors_json, "[]");
    ++*(int *)user;
    return 0;
}

static void test_version_1_becomes_2(void **ctx)
{
    struct fixture *f = *ctx;
    int64_t run = 0;
    int n = 0;
    struct rb_state *state = open_ok(f->path);
    assert_int_equal(rb_state_run_begin(state, "p", "l1", NULL, NULL, NULL, &run, NULL), 0);
    assert_int_equal(rb_state_run_end(state, run, "ok", 0, NULL, NULL, NULL), 0);
    rb_state_close(state);
    run_sql(f->path, "DROP INDEX runs_left; ALTER TABLE runs DROP COLUMN connectors_json; ALTER "
                     "TABLE runs DROP COLUMN "
                     "key; PRAGMA user_version = 1");
    state = open_ok(f->path);
    assert_int_equal(rb_state_each_run(state, "p", 1, 1, check_first_run, &n, NULL), 0);
    assert_int_equal(rb_state_run_begin(state, "p", "l2", NULL, "[]", NULL, &run, NULL), 0);
    rb_state_close(state);
    state = open_ok(f->path); /* not a second time */
    assert_int_equal(rb_state_each_run(state, "p", 2, 1, check_second_run, &n, NULL), 0);
    rb_state_close(state);
    assert_int_equal(n, 2);
}

static void test_newer_version(void **ctx)
{
    struct fixture *f = *ctx;
    rb_state_close(open_ok(f->path));
    run_sql(f->path, "PRAGMA user_version = 99");
    expect_refused(f->path, "STATE_NEWER",
                   " was made by a newer rapidbyte (version 99, this one knows up to 4)");
}

/* Where in the file the first page of a table begins. */
static long root_of(const char *path, const char *table)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT rootpage FROM sqlite_schema WHERE name = ?", -1,
                                        &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    long page = sqlite3_column_int(stmt, 0);
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return (page - 1) * 4096;
}

static void test_damaged_page(void **ctx)
{
    struct fixture *f = *ctx;
    struct rb_error err = {0};
    struct rb_state *state = open_ok(f->path);
    rb_state_close(state);
    write_file(f->path, "r+", root_of(f->path, "kv"),
               "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    struct rb_state *bad = NULL;
    assert_int_equal(rb_state_open(f->path, &bad, &err), RB_ESTATE);
    assert_null(bad);
    assert_string_equal(err.code, "STATE_CORRUPT");
    assert_non_null(strstr(err.message, " is damaged: "));
}

/* Runs `body` in a child process, which may give up rights or limits. */
static void in_child(void (*body)(struct fixture *), struct fixture *f)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        body(f);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* In a child: cmocka's assertions would return into the parent's copy of the test. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "# %s:%d: %s\n", __FILE__, __LINE__, #condition);                \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static void drop_root(void)
{
    CHECK(geteuid() != 0 || (setgid(NOBODY) == 0 && setuid(NOBODY) == 0));
}

static void body_read_only_folder(struct fixture *f)
{
    struct rb_state *state = NULL;
    struct rb_error err = {0};
    drop_root();
    CHECK(rb_state_open(f->path, &state, &err) == RB_ESTATE);
    CHECK(strcmp(err.code, "STATE_UNREADABLE") == 0);
    CHECK(strstr(err.message, ": Permission denied") != NULL);
}

static void body_read_only_file(struct fixture *f)
{
    struct rb_state *state = NULL;
    struct rb_error err = {0};
    drop_root();
    CHECK(rb_state_open(f->path, &state, &err) == RB_ESTATE);
    CHECK(strcmp(err.code, "STATE_READ_ONLY") == 0);
    CHECK(strstr(err.message, " is read-only") != NULL);
}

static void test_read_only(void **ctx)
{
    struct fixture *f = *ctx;
    assert_int_equal(chmod(f->folder, 0555), 0);
    in_child(body_read_only_folder, f);
    assert_int_equal(chmod(f->folder, 0777), 0);
    rb_state_close(open_ok(f->path));
    assert_int_equal(chmod(f->path, 0444), 0);
    assert_int_equal(geteuid() == 0 ? chown(f->path, NOBODY, (gid_t)-1) : 0, 0);
    in_child(body_read_only_file, f);
}

static void test_it_is_the_users_alone(void **ctx)
{
    struct fixture *f = *ctx;
    char other[128];
    struct stat st;
    (void)umask(0);
    rb_state_close(open_ok(f->path));
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(chmod(f->path, 0620), 0);
    expect_refused(f->path, "STATE_NOT_OURS", " may be written by other users");
    assert_int_equal(chmod(f->path, 0602), 0);
    expect_refused(f->path, "STATE_NOT_OURS", " may be written by other users");
    assert_int_equal(chmod(f->path, 0644), 0);
    rb_state_close(open_ok(f->path));
    (void)snprintf(other, sizeof other, "%s/link.db", f->folder);
    assert_int_equal(symlink(f->path, other), 0);
    expect_refused(other, "STATE_NOT_A_FILE", " is a link");
    assert_int_equal(unlink(other), 0);
}

/* What SQLite would replay. */
static void test_what_lies_beside_it_is_the_users(void **ctx)
{
    static const char *const ends[] = {"-wal", "-shm", "-journal"};
    struct fixture *f = *ctx;
    rb_state_close(open_ok(f->path));
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char beside[128];
        struct rb_state *state = NULL;
        struct rb_error err = {0};
        (void)snprintf(beside, sizeof beside, "%s%s", f->path, ends[i]);
        write_file(beside, "w", 0, "");
        assert_int_equal(chmod(beside, 0666), 0);
        assert_int_equal(rb_state_open(f->path, &state, &err), RB_ESTATE);
        assert_string_equal(err.code, "STATE_NOT_OURS");
        assert_int_equal(unlink(beside), 0);
    }
}

static void test_a_file_of_another_user(void **ctx)
{
    struct fixture *f = *ctx;
    if (geteuid() != 0) {
        skip();
    }
    rb_state_close(open_ok(f->path));
    assert_int_equal(chown(f->path, NOBODY, (gid_t)-1), 0);
    expect_refused(f->path, "STATE_NOT_OURS", " belongs to another user (number 65534)");
}

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit = {.rlim_cur = bytes, .rlim_max = bytes};
    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void body_disk_full_at_open(struct fixture *f)
{
    struct rb_state *state = NULL;
    struct rb_error err = {0};
    limit_file_size(8192);
    CHECK(rb_state_open(f->path, &state, &err) == RB_ESTATE);
    CHECK(strcmp(err.code, "STATE_DISK_FULL") == 0);
}

static void body_disk_full_later(struct fixture *f)
{
    struct rb_state *state = NULL;
    struct rb_error err = {0};
    static uint8_t value[300000];
    CHECK(rb_state_open(f->path, &state, &err) == 0);
    limit_file_size(200000);
    CHECK(rb_state_kv_put(state, "p", 0, "", "big", 3, value, sizeof value, &err) == RB_ESTATE);
    CHECK(strcmp(err.code, "STATE_DISK_FULL") == 0);
    CHECK(strstr(err.message, "can't grow: the disk is full") != NULL);
    CHECK(strstr(err.message, "ulimit -f") != NULL);
    /* What fits still works, and nothing of the failed write is there. */
    CHECK(rb_state_kv_put(state, "p", 0, "", "k", 1, "v", 1, &err) == 0);
    RB_CLEANUP(rb_buf_release) struct rb_buf got = RB_BUF_INIT(sizeof value);
    CHECK(rb_state_kv_get(state, "p", 0, "", "big", 3, &got, &err) == 1);
    rb_state_close(state);
}

/* A disk on which there is no room for another file, of which SQLite only says that it can't open
 * one. */
static void body_no_inode(struct fixture *f)
{
    struct rb_state *state = NULL;
    struct rb_error err = {0};
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", f->folder, "tmpfs", 0, "nr_inodes=2") != 0) {
        return; /* mounting is not permitted here */
    }
    CHECK(rb_state_open(f->path, &state, &err) == RB_ESTATE);
    CHECK(strcmp(err.code, "STATE_DISK_FULL") == 0);
    CHECK(strstr(err.message, "inodes") != NULL);
}

static void test_disk_full(void **ctx)
{
    struct fixture *f = *ctx;
    in_child(body_no_inode, f);
    in_child(body_disk_full_at_open, f);
    in_child(body_disk_full_later, f);
}

static void test_lock_is_refused_while_held(void **ctx)
{
    struct fixture *f = *ctx;
    struct rb_error err = {0};
    struct rb_state *one = open_ok(f->path);
    struct rb_state *two = open_ok(f->path);
    char text[64];
    assert_int_equal(rb_state_lock(one, "p", &err), 0);
    assert_int_equal(rb_state_lock(two, "p", &err), RB_ELOCKED);
    (void)snprintf(text, sizeof text, "pipeline 'p' is being run by process %d on ", (int)getpid());
    assert_memory_equal(err.message, text, strlen(text));
    assert_int_equal(rb_state_lock(two, "q", &err), 0);
    /* Only the holder's unlock counts. */
    assert_int_equal(rb_state_unlock(two, "p", &err), 0);
    assert_int_equal(rb_state_lock(two, "p", &err), RB_ELOCKED);
    assert_int_equal(rb_state_unlock(one, "p", &err), 0);
    assert_int_equal(rb_state_lock(two, "p", &err), 0);
    assert_int_equal(rb_state_lock(one, "q", &err), RB_ELOCKED);
    /* Close releases all. */
    rb_state_close(two);
    assert_int_equal(rb_state_lock(one, "p", &err), 0);
    assert_int_equal(rb_state_lock(one, "q", &err), 0);
    rb_state_close(one);
}

static void body_lock_and_die(struct fixture *f)
{
    struct rb_state *state = NULL;
    struct rb_error err = {0};
    CHECK(rb_state_open(f->path, &state, &err) == 0);
    CHECK(rb_state_lock(state, "p", &err) == 0);
    _exit(0);
}

static void test_a_dead_process_loses_its_lock(void **ctx)
{
    struct fixture *f = *ctx;
    struct rb_error err = {0};
    in_child(body_lock_and_die, f);
    struct rb_state *state = open_ok(f->path);
    assert_int_equal(rb_state_lock(state, "p", &err), 1);
    rb_state_close(state);
}

/* The row of a lock, changed as another life of the machine or another machine would have left it.
 */
static void test_whose_lock_is_stale(void **ctx)
{
    static const struct {
        const char *change;
        int expected;
    } cases[] = {
        {"UPDATE locks SET process_start = process_start + 1", 1}, /* the pid was used again */
        {"UPDATE locks SET boot_id = 'before'", 1},                /* before the last start */
        {"UPDATE locks SET host = 'elsewhere', pid = 999999999", RB_ELOCKED},
        {"UPDATE locks SET boot_id = boot_id", RB_ELOCKED},
    };
    struct fixture *f = *ctx;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rb_error err = {0};
        struct rb_state *one = open_ok(f->path);
        struct rb_state *two = open_ok(f->path);
        assert_int_equal(rb_state_lock(one, "p", &err), 0);
        run_sql(f->path, cases[i].change);
        assert_int_equal(rb_state_lock(two, "p", &err), cases[i].expected);
        /* Taken over: the former holder's unlock does not release it. */
        assert_int_equal(rb_state_unlock(one, "p", &err), 0);
        if (cases[i].expected == 1) {
            assert_int_equal(rb_state_lock(one, "p", &err), RB_ELOCKED);
        }
        rb_state_close(one);
        rb_state_close(two);
        run_sql(f->path, "DELETE FROM locks");
    }
}

static void test_busy_file(void **ctx)
{
    struct fixture *f = *ctx;
    struct rb_error err = {0};
    struct rb_state *state = open_ok(f->path);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(rb_state_probe(state, &err), RB_ESTATE);
    assert_string_equal(err.code, "STATE_BUSY");
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(rb_state_probe(state, &err), 0);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    rb_state_close(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(test_open_creates_and_reopens),
        T(test_missing_folder),
        T(test_not_a_database),
        T(test_a_foreign_database_is_left_alone),
        T(test_version_1_becomes_2),
        T(test_newer_version),
        T(test_damaged_page),
        T(test_read_only),
        T(test_it_is_the_users_alone),
        T(test_what_lies_beside_it_is_the_users),
        T(test_a_file_of_another_user),
        T(test_disk_full),
        T(test_lock_is_refused_while_held),
        T(test_a_dead_process_loses_its_lock),
        T(test_whose_lock_is_stale),
        T(test_busy_file),
#undef T
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("state_open", tests, NULL, NULL);
}
