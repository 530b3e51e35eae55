#include "host/state/db.h"

#include "base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char make_room[] = "make room, or put the file elsewhere (state.connection)";
static const char raise_limit[] = "raise the limit (ulimit -f, LimitFSIZE of a systemd unit)";

/* The errno that SQLite kept of `file`'s last failed call, or 0. */
static int errno_of(sqlite3_file *file)
{
    int last = 0;
    if (file != NULL && file->pMethods != NULL) {
        (void)file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &last);
    }
    return last;
}

/* Why a call failed. SQLite tells it of the connection for some calls only: not for a COMMIT that
 * fails while it writes the WAL. Then the files themselves know. */
static int system_errno(sqlite3 *db, int rc)
{
    int os_errno = db != NULL ? sqlite3_system_errno(db) : 0;
    if (db == NULL || os_errno != 0 || (rc & 0xff) != SQLITE_IOERR) {
        return os_errno;
    }
    static const int files[] = {SQLITE_FCNTL_FILE_POINTER, SQLITE_FCNTL_JOURNAL_POINTER};
    for (size_t i = 0; os_errno == 0 && i < sizeof files / sizeof files[0]; i++) {
        sqlite3_file *file = NULL;
        (void)sqlite3_file_control(db, "main", files[i], &file);
        os_errno = errno_of(file);
    }
    return os_errno;
}

/* What there is no more room for, in words; NULL: it is not that. A full disk is SQLITE_FULL only
 * where a write of the database itself met ENOSPC: the -shm file, a quota and a limit on files'
 * sizes are SQLITE_IOERR. */
static const char *why_full(int rc, int os_errno)
{
    bool failed = (rc & 0xff) == SQLITE_IOERR;
    if (failed && os_errno == EDQUOT) {
        return "the disk is full for this user (the quota is used up)";
    }
    if (failed && os_errno == EFBIG) {
        return "the disk is full for it (the limit on a file's size, ulimit -f)";
    }
    return (rc & 0xff) == SQLITE_FULL || (failed && os_errno == ENOSPC) ? "the disk is full" : NULL;
}

static int fail_full(const struct rb_state *state, const char *why, const char *hint,
                     struct rb_error *err)
{
    (void)rb_error_set(err, RB_ESTATE, "STATE_DISK_FULL", "state file %s can't grow: %s",
                       state->path, why);
    rb_error_set_hint(err, "%s", hint);
    return RB_ESTATE;
}

/* SQLite tries again read-only, so its errno may be that of the second attempt. A folder in which
 * no file can be made, as SQLite must for its log, says why here. */
static int why_not_open(const char *path)
{
    if (access(path, F_OK) == 0 && access(path, R_OK | W_OK) != 0) {
        return errno;
    }
    char *copy = strdup(path);
    if (copy == NULL) {
        return ENOMEM;
    }
    const char *folder = dirname(copy);
    int os_errno = 0;
    if (access(folder, W_OK | X_OK) != 0) {
        os_errno = errno;
    } else {
        int fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
        os_errno = fd < 0 && (errno == ENOSPC || errno == EDQUOT) ? errno : 0;
        if (fd >= 0) {
            (void)close(fd);
        }
    }
    free(copy);
    return os_errno;
}

static int fail_access(const struct rb_state *state, int rc, int os_errno, struct rb_error *err)
{
    if ((rc & 0xff) == SQLITE_READONLY || os_errno == EROFS) {
        (void)rb_error_set(err, RB_ESTATE, "STATE_READ_ONLY", "state file %s is read-only",
                           state->path);
        rb_error_set_hint(err, "the file and its folder must be writable by this user");
        return RB_ESTATE;
    }
    int reason = why_not_open(state->path);
    os_errno = reason != 0 ? reason : os_errno;
    if (os_errno == ENOSPC || os_errno == EDQUOT) {
        return fail_full(state, "the disk is full (space, or inodes: df -i)", make_room, err);
    }
    if (os_errno != 0) {
        (void)rb_error_set_errno(err, RB_ESTATE, "STATE_UNREADABLE", os_errno,
                                 "state file %s can't be opened", state->path);
    } else {
        (void)rb_error_set(err, RB_ESTATE, "STATE_UNREADABLE", "state file %s can't be opened",
                           state->path);
    }
    rb_error_set_hint(err, "the file and its folder must be readable and writable by this user");
    return RB_ESTATE;
}

int rb_state_fail(const struct rb_state *state, int rc, struct rb_error *err)
{
    int os_errno = system_errno(state->db, rc);
    const char *full = why_full(rc, os_errno);
    if (full != NULL) {
        return fail_full(state, full, os_errno == EFBIG ? raise_limit : make_room, err);
    }
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "state file %s: out of memory",
                            state->path);
    case SQLITE_NOTADB:
        (void)rb_error_set(err, RB_ESTATE, "STATE_NOT_A_DATABASE",
                           "state file %s is not an SQLite database", state->path);
        rb_error_set_hint(err, "name another file in state.connection; a missing one is created");
        return RB_ESTATE;
    case SQLITE_CORRUPT:
        (void)rb_error_set(err, RB_ESTATE, "STATE_CORRUPT", "state file %s is damaged: %s",
                           state->path, sqlite3_errmsg(state->db));
        rb_error_set_hint(err, "move it away: a new one is made, and the destination's ledger says "
                               "what is loaded");
        return RB_ESTATE;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        (void)rb_error_set(err, RB_ESTATE, "STATE_BUSY",
                           "state file %s is being written by another process", state->path);
        rb_error_set_hint(err, "close what holds it open for writing, and run again");
        return RB_ESTATE;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return fail_access(state, rc, os_errno, err);
    default:
        return rb_error_set(err, RB_ESTATE, "STATE_FAILED", "state file %s: %s", state->path,
                            state->db != NULL ? sqlite3_errmsg(state->db) : sqlite3_errstr(rc));
    }
}

void rb_state_query_init(struct rb_state_query *query, struct rb_state *state, const char *sql)
{
    query->state = state;
    query->stmt = NULL;
    query->rc = sqlite3_prepare_v2(state->db, sql, -1, &query->stmt, NULL);
}

void rb_state_query_release(struct rb_state_query *query)
{
    (void)sqlite3_finalize(query->stmt);
    query->stmt = NULL;
}

/* 0 when there is nothing to bind any more. */
static int parameter(struct rb_state_query *query, const char *name)
{
    if (query->rc != SQLITE_OK) {
        return 0;
    }
    int index = sqlite3_bind_parameter_index(query->stmt, name);
    if (index == 0) {
        query->rc = SQLITE_MISUSE;
    }
    return index;
}

void rb_state_query_textn(struct rb_state_query *query, const char *name, const char *text,
                          size_t len)
{
    int index = parameter(query, name);
    if (index == 0) {
        return;
    }
    query->rc = text == NULL ? sqlite3_bind_null(query->stmt, index)
                             : sqlite3_bind_text64(query->stmt, index, text, len, SQLITE_STATIC,
                                                   SQLITE_UTF8);
}

void rb_state_query_text(struct rb_state_query *query, const char *name, const char *text)
{
    rb_state_query_textn(query, name, text, text == NULL ? 0 : strlen(text));
}

void rb_state_query_i64(struct rb_state_query *query, const char *name, int64_t v)
{
    int index = parameter(query, name);
    if (index != 0) {
        query->rc = sqlite3_bind_int64(query->stmt, index, v);
    }
}

void rb_state_query_bytes(struct rb_state_query *query, const char *name, const void *data,
                          size_t len)
{
    int index = parameter(query, name);
    if (index != 0) {
        query->rc =
            sqlite3_bind_blob64(query->stmt, index, len == 0 ? "" : data, len, SQLITE_STATIC);
    }
}

int rb_state_query_step(struct rb_state_query *query, struct rb_error *err)
{
    if (query->rc == SQLITE_OK) {
        query->rc = sqlite3_step(query->stmt);
    }
    if (query->rc == SQLITE_ROW) {
        query->rc = SQLITE_OK;
        return 1;
    }
    if (query->rc == SQLITE_DONE) {
        return 0;
    }
    return rb_state_fail(query->state, query->rc, err);
}

int rb_state_query_run(struct rb_state_query *query, struct rb_error *err)
{
    int status;
    do {
        status = rb_state_query_step(query, err);
    } while (status == 1);
    return status;
}

int rb_state_exec(struct rb_state *state, const char *sql, struct rb_error *err)
{
    int rc = sqlite3_exec(state->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : rb_state_fail(state, rc, err);
}

int rb_state_tx_begin(struct rb_state *state, struct rb_error *err)
{
    int status = RB_FAULT(STATE_BEGIN, err);
    status = status != 0 ? status : rb_state_exec(state, "BEGIN IMMEDIATE", err);
    RB_FAULT_MARK(STATE_BEGUN);
    return status;
}

int rb_state_tx_end(struct rb_state *state, int status, struct rb_error *err)
{
    if (status >= 0) {
        int commit = RB_FAULT(STATE_COMMIT, err);
        commit = commit != 0 ? commit : rb_state_exec(state, "COMMIT", err);
        commit = commit != 0 ? commit : RB_FAULT(STATE_COMMITTED, err);
        if (commit == 0) {
            return status;
        }
        status = commit;
    }
    /* Some failures have rolled back already. */
    if (sqlite3_get_autocommit(state->db) == 0) {
        (void)rb_state_exec(state, "ROLLBACK", NULL);
    }
    return status;
}

int64_t rb_state_now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
