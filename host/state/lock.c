/* Which process runs a pipeline. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "gen/host/state/sql.h"
#include "host/state/db.h"
#include "host/state/inspect.h"
#include "host/state/state.h"

enum { NUMBER_MAX = 24 };

/* The whole of a small file, as text; false when it can't be read. */
static bool read_small(const char *path, char *out, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t n = read(fd, out, cap - 1);
    (void)close(fd);
    if (n <= 0) {
        return false;
    }
    out[n] = '\0';
    return true;
}

/* Field 22 of /proc/<pid>/stat (proc(5)): clock ticks between boot and the process's start. The
 * command in field 2 may hold anything, so fields count from its last ')'. A zombie has ended. */
static bool process_start(int64_t pid, int64_t *ret)
{
    char path[64], text[1024];
    (void)snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    if (!read_small(path, text, sizeof text)) {
        return false;
    }
    char *p = strrchr(text, ')');
    if (p == NULL || p[1] != ' ' || p[2] == 'Z' || p[2] == 'X') {
        return false;
    }
    p += 2;
    for (int field = 3; field < 22 && p != NULL; field++) {
        p = strchr(p, ' ');
        p = p == NULL ? NULL : p + 1;
    }
    if (p == NULL) {
        return false;
    }
    errno = 0;
    long long ticks = strtoll(p, NULL, 10);
    if (errno != 0) {
        return false;
    }
    *ret = ticks;
    return true;
}

static int holder_self(struct rb_state_holder *ret, struct rb_error *err)
{
    memset(ret, 0, sizeof *ret);
    ret->pid = getpid();
    if (!process_start(ret->pid, &ret->process_start) ||
        !read_small("/proc/sys/kernel/random/boot_id", ret->boot_id, sizeof ret->boot_id)) {
        return rb_error_set(err, RB_ESTATE, "STATE_NO_PROC",
                            "/proc can't be read: it tells whether a lock's holder still runs");
    }
    ret->boot_id[strcspn(ret->boot_id, "\n")] = '\0';
    if (gethostname(ret->host, sizeof ret->host - 1) != 0) {
        (void)snprintf(ret->host, sizeof ret->host, "localhost");
    }
    return 0;
}

static void copy_column(sqlite3_stmt *stmt, int column, char *out, size_t cap)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    (void)snprintf(out, cap, "%s", text != NULL ? text : "");
}

/* 1: someone's; 0: nobody's. */
static int holder_read(struct rb_state *state, const char *pipeline, struct rb_state_holder *ret,
                       struct rb_error *err)
{
    RB_CLEANUP(rb_state_query_release) struct rb_state_query query;
    rb_state_query_init(&query, state, rb_sql_lock_get);
    rb_state_query_text(&query, ":pipeline", pipeline);
    int status = rb_state_query_step(&query, err);
    if (status == 1) {
        ret->pid = sqlite3_column_int64(query.stmt, 0);
        ret->process_start = sqlite3_column_int64(query.stmt, 1);
        copy_column(query.stmt, 2, ret->boot_id, sizeof ret->boot_id);
        copy_column(query.stmt, 3, ret->host, sizeof ret->host);
        copy_column(query.stmt, 4, ret->taken, sizeof ret->taken);
    }
    return status;
}

/* On this host since its last start, /proc tells. Of another host we can't know. */
static bool holder_is_gone(const struct rb_state_holder *holder, const struct rb_state_holder *self)
{
    int64_t start = 0;
    if (strcmp(holder->host, self->host) != 0) {
        return false;
    }
    if (strcmp(holder->boot_id, self->boot_id) != 0) {
        return true;
    }
    return !process_start(holder->pid, &start) || start != holder->process_start;
}

static int fail_locked(const char *pipeline, const struct rb_state_holder *holder,
                       const struct rb_state_holder *self, struct rb_error *err)
{
    (void)rb_error_set(err, RB_ELOCKED, "PIPELINE_LOCKED",
                       "pipeline '%s' is being run by process %lld on %s since %s", pipeline,
                       (long long)holder->pid, holder->host, holder->taken);
    if (strcmp(holder->host, self->host) == 0) {
        rb_error_set_hint(err, "wait for it to end, or stop it: kill %lld", (long long)holder->pid);
    } else {
        rb_error_set_hint(err,
                          "wait for it to end; if that process is gone for certain: DELETE FROM "
                          "locks WHERE pipeline = '%s'; with sqlite3 on the state file",
                          pipeline);
    }
    return RB_ELOCKED;
}

static int lock_write(struct rb_state *state, const char *pipeline,
                      const struct rb_state_holder *self, struct rb_error *err)
{
    RB_CLEANUP(rb_state_query_release) struct rb_state_query query;
    rb_state_query_init(&query, state, rb_sql_lock_put);
    rb_state_query_text(&query, ":pipeline", pipeline);
    rb_state_query_text(&query, ":token", state->token);
    rb_state_query_i64(&query, ":pid", self->pid);
    rb_state_query_i64(&query, ":process_start", self->process_start);
    rb_state_query_text(&query, ":boot_id", self->boot_id);
    rb_state_query_text(&query, ":host", self->host);
    rb_state_query_i64(&query, ":now", rb_state_now_us());
    return rb_state_query_run(&query, err);
}

static int lock_in_tx(struct rb_state *state, const char *pipeline,
                      const struct rb_state_holder *self, struct rb_error *err)
{
    struct rb_state_holder holder;
    memset(&holder, 0, sizeof holder);
    int held = holder_read(state, pipeline, &holder, err);
    if (held < 0) {
        return held;
    }
    if (held == 1 && !holder_is_gone(&holder, self)) {
        return fail_locked(pipeline, &holder, self, err);
    }
    int status = lock_write(state, pipeline, self, err);
    return status != 0 ? status : held;
}

int rb_state_lock(struct rb_state *state, const char *pipeline, struct rb_error *err)
{
    struct rb_state_holder self;
    int status = holder_self(&self, err);
    if (status == 0) {
        status = rb_state_tx_begin(state, err);
    }
    if (status != 0) {
        return status;
    }
    return rb_state_tx_end(state, lock_in_tx(state, pipeline, &self, err), err);
}

int rb_state_holder_get(struct rb_state *state, const char *pipeline, struct rb_state_holder *ret,
                        struct rb_error *err)
{
    struct rb_state_holder self;
    struct rb_state_holder holder;
    memset(&holder, 0, sizeof holder);
    int status = holder_self(&self, err);
    int held = status != 0 ? status : holder_read(state, pipeline, &holder, err);
    if (held < 0) {
        return held;
    }
    if (held == 0 || holder_is_gone(&holder, &self)) {
        return 1;
    }
    holder.is_here = strcmp(holder.host, self.host) == 0;
    *ret = holder;
    return 0;
}

/* "1: POSIX  ADVISORY  READ 1234 fe:00:131 128 128": whether it is the process's, on that file.
 * `line` is taken apart. */
static bool is_lock_of(char *line, const char *pid, const char *inode)
{
    enum { KIND = 1, HOLDER = 4, FILE_OF = 5, N_FIELDS = 6 };
    char *fields[N_FIELDS], *rest = line;
    for (size_t i = 0; i < N_FIELDS; i++) {
        fields[i] = strtok_r(rest, " ", &rest);
        if (fields[i] == NULL) {
            return false;
        }
    }
    const char *number = strrchr(fields[FILE_OF], ':');
    return strcmp(fields[KIND], "POSIX") == 0 && strcmp(fields[HOLDER], pid) == 0 &&
           number != NULL && strcmp(number + 1, inode) == 0;
}

/* In WAL mode every connection has a lock on the file's "-shm" as long as it is open. */
int rb_state_is_open_in(const struct rb_state *state, int64_t pid, bool *ret, struct rb_error *err)
{
    struct stat st;
    char *line = NULL;
    size_t cap = 0;
    RB_CLEANUP(rb_buf_release) struct rb_buf path = RB_BUF_INIT(PATH_MAX);
    *ret = false;
    if (rb_buf_printf(&path, "%s-shm", state->path) < 0 || stat(rb_buf_str(&path), &st) != 0) {
        return rb_error_set(err, RB_ESTATE, "STATE_IO", "state file %s has no shared memory",
                            state->path);
    }
    char holder[NUMBER_MAX], inode[NUMBER_MAX];
    (void)snprintf(holder, sizeof holder, "%lld", (long long)pid);
    (void)snprintf(inode, sizeof inode, "%llu", (unsigned long long)st.st_ino);
    FILE *locks = fopen("/proc/locks", "re");
    if (locks == NULL) {
        return rb_error_set_errno(err, RB_ESTATE, "STATE_NO_PROC", errno, "/proc/locks");
    }
    while (!*ret && getline(&line, &cap, locks) >= 0) {
        *ret = is_lock_of(line, holder, inode);
    }
    free(line);
    (void)fclose(locks);
    return 0;
}

int rb_state_look_at_lock(struct rb_state *state, const char *pipeline, struct rb_error *err)
{
    struct rb_state_holder self;
    struct rb_state_holder holder;
    int status = holder_self(&self, err);
    int free = status != 0 ? status : rb_state_holder_get(state, pipeline, &holder, err);
    return free == 0 ? fail_locked(pipeline, &holder, &self, err) : free < 0 ? free : RB_OK;
}

int rb_state_unlock(struct rb_state *state, const char *pipeline, struct rb_error *err)
{
    RB_CLEANUP(rb_state_query_release) struct rb_state_query query;
    rb_state_query_init(&query, state, rb_sql_lock_release);
    rb_state_query_text(&query, ":token", state->token);
    rb_state_query_text(&query, ":pipeline", pipeline);
    return rb_state_query_run(&query, err);
}
