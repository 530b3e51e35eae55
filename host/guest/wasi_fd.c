/* WASI: descriptors. Standard output and error go to the log. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "host/guest/wasi.h"

static void log_line(struct rb_guest *guest, enum rb_wasi_kind kind, struct rb_wasi_line *line)
{
    int level = kind == RB_WASI_STDERR ? RB_LOG_WARN : RB_LOG_INFO;
    guest->options.ops->log(guest->options.user, level, line->text, line->len);
    line->len = 0;
}

void rb_wasi_print(struct rb_guest *guest, enum rb_wasi_kind kind, const char *text, size_t len)
{
    struct rb_wasi_line *line = &guest->wasi->lines[kind == RB_WASI_STDERR];
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '\n') {
            line->text[line->len++] = text[i];
        }
        if (text[i] == '\n' || line->len == RB_WASI_LINE_MAX) {
            log_line(guest, kind, line);
        }
    }
}

void rb_wasi_flush(struct rb_guest *guest)
{
    for (size_t i = 0; i < 2; i++) {
        if (guest->wasi->lines[i].len > 0) {
            log_line(guest, i ? RB_WASI_STDERR : RB_WASI_STDOUT, &guest->wasi->lines[i]);
        }
    }
}

/* An open file of the guest's; a WASI errno otherwise. */
static int32_t file_of(struct rb_guest *guest, uint64_t fd, bool to_write,
                       struct rb_wasi_fd **ret_entry)
{
    struct rb_wasi_fd *entry = rb_wasi_get(guest, fd);
    if (!entry) {
        return RB_WASI_BADF;
    }
    if (entry->kind == RB_WASI_DIR) {
        return RB_WASI_ISDIR;
    }
    if (entry->kind != RB_WASI_FILE) {
        return RB_WASI_SPIPE;
    }
    if (to_write && !entry->writable) {
        return RB_WASI_BADF;
    }
    *ret_entry = entry;
    return RB_WASI_SUCCESS;
}

/* Reads or writes a file, at `offset` or (< 0) where it stands. */
static int32_t transfer(struct rb_guest *guest, const uint64_t *args, bool to_write, off_t offset,
                        uint64_t done_at)
{
    struct rb_wasi_fd *entry = NULL;
    int32_t e = file_of(guest, args[0], to_write, &entry);
    struct rb_wasi_iov parts[RB_WASI_IOVS_MAX];
    struct iovec vectors[RB_WASI_IOVS_MAX];
    size_t n = 0;
    if (e != 0 || (e = rb_wasi_iovs(guest, args[1], args[2], parts, &n)) != 0) {
        return e;
    }
    if (!rb_wasi_put_u32(guest, done_at, 0)) {
        return RB_WASI_FAULT;
    }
    for (size_t i = 0; i < n; i++) {
        vectors[i] = (struct iovec){parts[i].data, parts[i].len};
    }
    /* preadv2 with -1 moves the file's own position. */
    ssize_t done = to_write ? pwritev2(entry->fd, vectors, (int)n, offset, 0)
                            : preadv2(entry->fd, vectors, (int)n, offset, 0);
    if (done < 0) {
        return rb_wasi_errno(errno);
    }
    rb_wasi_put_u32(guest, done_at, (uint32_t)done);
    return RB_WASI_SUCCESS;
}

static int32_t fd_write(struct rb_guest *guest, const uint64_t *args)
{
    const struct rb_wasi_fd *entry = rb_wasi_get(guest, args[0]);
    if (!entry) {
        return RB_WASI_BADF;
    }
    if (entry->kind != RB_WASI_STDOUT && entry->kind != RB_WASI_STDERR) {
        return transfer(guest, args, true, -1, args[3]);
    }
    struct rb_wasi_iov parts[RB_WASI_IOVS_MAX];
    size_t n = 0;
    uint32_t total = 0;
    int32_t e = rb_wasi_iovs(guest, args[1], args[2], parts, &n);
    if (e != 0) {
        return e;
    }
    for (size_t i = 0; i < n; i++) {
        rb_wasi_print(guest, entry->kind, parts[i].data, parts[i].len);
        total += parts[i].len;
    }
    return rb_wasi_put_u32(guest, args[3], total) ? RB_WASI_SUCCESS : RB_WASI_FAULT;
}

static int32_t fd_read(struct rb_guest *guest, const uint64_t *args)
{
    const struct rb_wasi_fd *entry = rb_wasi_get(guest, args[0]);
    if (!entry) {
        return RB_WASI_BADF;
    }
    if (entry->kind == RB_WASI_STDIN) { /* always at its end */
        return rb_wasi_put_u32(guest, args[3], 0) ? RB_WASI_SUCCESS : RB_WASI_FAULT;
    }
    return transfer(guest, args, false, -1, args[3]);
}

static int32_t fd_pread(struct rb_guest *guest, const uint64_t *args)
{
    if (args[3] > INT64_MAX) {
        return RB_WASI_INVAL;
    }
    return transfer(guest, args, false, (off_t)args[3], args[4]);
}

static int32_t fd_pwrite(struct rb_guest *guest, const uint64_t *args)
{
    if (args[3] > INT64_MAX) {
        return RB_WASI_INVAL;
    }
    return transfer(guest, args, true, (off_t)args[3], args[4]);
}

static int32_t seek(struct rb_guest *guest, uint64_t fd, int64_t by, int whence, uint64_t result_at)
{
    struct rb_wasi_fd *entry = NULL;
    int32_t e = file_of(guest, fd, false, &entry);
    if (e != 0) {
        return e;
    }
    off_t at = lseek(entry->fd, by, whence);
    if (at < 0) {
        return rb_wasi_errno(errno);
    }
    return rb_wasi_put_u64(guest, result_at, (uint64_t)at) ? RB_WASI_SUCCESS : RB_WASI_FAULT;
}

static int32_t fd_seek(struct rb_guest *guest, const uint64_t *args)
{
    static const int whences[] = {SEEK_SET, SEEK_CUR, SEEK_END};
    if (args[2] > 2) {
        return RB_WASI_INVAL;
    }
    return seek(guest, args[0], (int64_t)args[1], whences[args[2]], args[3]);
}

static int32_t fd_tell(struct rb_guest *guest, const uint64_t *args)
{
    return seek(guest, args[0], 0, SEEK_CUR, args[1]);
}

static int32_t fd_sync(struct rb_guest *guest, const uint64_t *args)
{
    struct rb_wasi_fd *entry = NULL;
    int32_t e = file_of(guest, args[0], false, &entry);
    return e != 0 ? e : fsync(entry->fd) == 0 ? RB_WASI_SUCCESS : rb_wasi_errno(errno);
}

static int32_t fd_set_size(struct rb_guest *guest, const uint64_t *args)
{
    struct rb_wasi_fd *entry = NULL;
    int32_t e = file_of(guest, args[0], true, &entry);
    if (e != 0) {
        return e;
    }
    if (args[1] > INT64_MAX) {
        return RB_WASI_INVAL;
    }
    return ftruncate(entry->fd, (off_t)args[1]) == 0 ? RB_WASI_SUCCESS : rb_wasi_errno(errno);
}

static int32_t fd_close(struct rb_guest *guest, const uint64_t *args)
{
    struct rb_wasi_fd *entry = rb_wasi_get(guest, args[0]);
    if (!entry) {
        return RB_WASI_BADF;
    }
    if (entry->preopen) { /* what the operator granted stays where the guest's library found it */
        return RB_WASI_NOTSUP;
    }
    if (entry->kind == RB_WASI_FILE || entry->kind == RB_WASI_DIR) {
        close(entry->fd);
    }
    if (entry->kind == RB_WASI_SOCKET && entry->handle > 0) {
        rb_broker_close(guest->options.broker, entry->handle, NULL);
    }
    memset(entry, 0, sizeof *entry);
    return RB_WASI_SUCCESS;
}

static uint8_t filetype_of(const struct rb_wasi_fd *entry)
{
    switch (entry->kind) {
    case RB_WASI_STDIN:
    case RB_WASI_STDOUT:
    case RB_WASI_STDERR:
        return RB_WASI_FILETYPE_CHARACTER_DEVICE;
    case RB_WASI_FILE:
        return RB_WASI_FILETYPE_REGULAR_FILE;
    case RB_WASI_DIR:
        return RB_WASI_FILETYPE_DIRECTORY;
    case RB_WASI_SOCKET:
        return RB_WASI_FILETYPE_SOCKET_STREAM;
    case RB_WASI_FREE:
    default:
        return RB_WASI_FILETYPE_UNKNOWN;
    }
}

/* Rights are advisory here: every call is judged by itself. Terminals are told by the rights to
 * seek that they lack. */
static uint64_t rights_of(const struct rb_wasi_fd *entry)
{
    const uint64_t to_write = RB_WASI_RIGHT_FD_WRITE;
    switch (entry->kind) {
    case RB_WASI_FILE:
    case RB_WASI_DIR:
        return entry->writable ? RB_WASI_RIGHTS_ALL : RB_WASI_RIGHTS_ALL & ~to_write;
    case RB_WASI_STDIN:
        return RB_WASI_RIGHT_FD_READ;
    case RB_WASI_STDOUT:
    case RB_WASI_STDERR:
        return RB_WASI_RIGHT_FD_WRITE;
    case RB_WASI_SOCKET:
    case RB_WASI_FREE:
    default:
        return RB_WASI_RIGHTS_ALL & ~(uint64_t)(RB_WASI_RIGHT_FD_SEEK | RB_WASI_RIGHT_FD_TELL);
    }
}

static uint16_t fdflags_of(const struct rb_guest *guest, const struct rb_wasi_fd *entry)
{
    uint16_t flags = 0;
    if (entry->kind == RB_WASI_FILE) {
        int have = fcntl(entry->fd, F_GETFL);
        flags |= have >= 0 && (have & O_APPEND) ? RB_WASI_FDFLAG_APPEND : 0;
    }
    if (entry->kind == RB_WASI_SOCKET &&
        rb_broker_is_nonblocking(guest->options.broker, entry->handle)) {
        flags |= RB_WASI_FDFLAG_NONBLOCK;
    }
    return flags;
}

/* fdstat: u8 filetype, u16 flags at 2, u64 rights at 8, u64 inheriting rights at 16. */
static int32_t fd_fdstat_get(struct rb_guest *guest, const uint64_t *args)
{
    const struct rb_wasi_fd *entry = rb_wasi_get(guest, args[0]);
    uint8_t *to = rb_guest_bytes(guest, args[1], 24);
    if (!entry) {
        return RB_WASI_BADF;
    }
    if (!to) {
        return RB_WASI_FAULT;
    }
    uint16_t flags = fdflags_of(guest, entry);
    uint64_t rights = rights_of(entry);
    memset(to, 0, 24);
    to[0] = filetype_of(entry);
    memcpy(to + 2, &flags, sizeof flags);
    memcpy(to + 8, &rights, sizeof rights);
    memcpy(to + 16, &rights, sizeof rights);
    return RB_WASI_SUCCESS;
}

static int32_t fd_fdstat_set_flags(struct rb_guest *guest, const uint64_t *args)
{
    const struct rb_wasi_fd *entry = rb_wasi_get(guest, args[0]);
    if (!entry) {
        return RB_WASI_BADF;
    }
    if (entry->kind == RB_WASI_SOCKET) {
        bool on = (args[1] & RB_WASI_FDFLAG_NONBLOCK) != 0;
        return rb_broker_set_nonblocking(guest->options.broker, entry->handle, on, NULL) == 0
                   ? RB_WASI_SUCCESS
                   : RB_WASI_IO;
    }
    if (entry->kind != RB_WASI_FILE) {
        return RB_WASI_SUCCESS;
    }
    int flags = (args[1] & RB_WASI_FDFLAG_APPEND) ? O_APPEND : 0;
    return fcntl(entry->fd, F_SETFL, flags) == 0 ? RB_WASI_SUCCESS : rb_wasi_errno(errno);
}

/* prestat: u8 0 (a folder), u32 length of the name at 4. */
static int32_t fd_prestat_get(struct rb_guest *guest, const uint64_t *args)
{
    const struct rb_wasi_fd *entry = rb_wasi_get(guest, args[0]);
    if (!entry || !entry->preopen) {
        return RB_WASI_BADF;
    }
    return rb_wasi_put_u32(guest, args[1], 0) &&
                   rb_wasi_put_u32(guest, args[1] + 4, (uint32_t)strlen(entry->preopen->guest_path))
               ? RB_WASI_SUCCESS
               : RB_WASI_FAULT;
}

static int32_t fd_prestat_dir_name(struct rb_guest *guest, const uint64_t *args)
{
    const struct rb_wasi_fd *entry = rb_wasi_get(guest, args[0]);
    if (!entry || !entry->preopen) {
        return RB_WASI_BADF;
    }
    size_t len = strlen(entry->preopen->guest_path);
    if (args[2] < len) {
        return RB_WASI_NAMETOOLONG;
    }
    void *to = rb_guest_bytes(guest, args[1], len);
    if (!to) {
        return RB_WASI_FAULT;
    }
    memcpy(to, entry->preopen->guest_path, len);
    return RB_WASI_SUCCESS;
}

const struct rb_guest_import rb_wasi_fd_imports[] = {
    {"fd_write", "iiii", true, true, fd_write},
    {"fd_read", "iiii", true, true, fd_read},
    {"fd_pread", "iiiIi", true, true, fd_pread},
    {"fd_pwrite", "iiiIi", true, true, fd_pwrite},
    {"fd_seek", "iIii", true, true, fd_seek},
    {"fd_tell", "ii", true, true, fd_tell},
    {"fd_sync", "i", true, true, fd_sync},
    {"fd_datasync", "i", true, true, fd_sync},
    {"fd_filestat_set_size", "iI", true, true, fd_set_size},
    {"fd_close", "i", true, true, fd_close},
    {"fd_fdstat_get", "ii", true, true, fd_fdstat_get},
    {"fd_fdstat_set_flags", "ii", true, true, fd_fdstat_set_flags},
    {"fd_prestat_get", "ii", true, true, fd_prestat_get},
    {"fd_prestat_dir_name", "iii", true, true, fd_prestat_dir_name},
    {0},
};
