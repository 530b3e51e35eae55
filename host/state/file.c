/*
 * The state file is somebody's. SQLite opens what it finds by name, follows links, and replays a
 * journal that lies beside the file: in a folder where others write, all of these may be theirs.
 */
#include "host/state/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

static int fail_not_a_file(const char *path, const struct stat *st, struct rb_error *err)
{
    (void)rb_error_set(err, RB_ESTATE, "STATE_NOT_A_FILE", "state file %s is %s", path,
                       S_ISLNK(st->st_mode) ? "a link" : "not a regular file");
    rb_error_set_hint(err, S_ISLNK(st->st_mode)
                               ? "state.connection names the file itself: name what it leads to"
                               : "state.connection names a file");
    return RB_ESTATE;
}

/* 1: there is none. */
static int check(const char *path, struct rb_error *err)
{
    struct stat st;
    if (lstat(path, &st) != 0) {
        return errno == ENOENT
                   ? 1
                   : rb_error_set_errno(err, RB_ESTATE, "STATE_IO", errno, "state file %s", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return fail_not_a_file(path, &st, err);
    }
    if (st.st_uid != geteuid()) {
        (void)rb_error_set(err, RB_ESTATE, "STATE_NOT_OURS",
                           "state file %s belongs to another user (number %u)", path,
                           (unsigned)st.st_uid);
        rb_error_set_hint(err, "run as that user, or name another file in state.connection");
        return RB_ESTATE;
    }
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        (void)rb_error_set(err, RB_ESTATE, "STATE_NOT_OURS",
                           "state file %s may be written by other users", path);
        rb_error_set_hint(err, "see that nobody has changed it, then: chmod go-w %s", path);
        return RB_ESTATE;
    }
    return 0;
}

int rb_state_file_check(const char *path, struct rb_error *err)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    RB_CLEANUP(rb_buf_release) struct rb_buf name = RB_BUF_INIT(PATH_MAX);
    int status = 0;
    for (size_t i = 0; status >= 0 && i < sizeof ends / sizeof ends[0]; i++) {
        rb_buf_clear(&name);
        status = rb_buf_printf(&name, "%s%s", path, ends[i]) < 0
                     ? rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory")
                     : check(rb_buf_str(&name), err);
    }
    return status < 0 ? status : 0;
}

static int check_folder(const char *path, struct rb_error *err)
{
    struct stat st;
    char *copy = strdup(path);
    if (copy == NULL) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory");
    }
    const char *folder = dirname(copy);
    int status = 0;
    if (stat(folder, &st) != 0) {
        status = rb_error_set_errno(err, RB_ESTATE, "STATE_NO_FOLDER", errno,
                                    "the folder of state file %s", path);
        rb_error_set_hint(err, "create it: mkdir -p %s", folder);
    }
    free(copy);
    return status;
}

int rb_state_file_claim(const char *path, struct rb_error *err)
{
    int status = check_folder(path, err);
    if (status != 0) {
        return status;
    }
    /* Where that fails SQLite says better why: a disk that is full, a folder to read alone. */
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd >= 0) {
        (void)close(fd);
    }
    return rb_state_file_check(path, err);
}
