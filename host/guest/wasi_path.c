/*
 * WASI: paths and folders. Every path is resolved by the kernel below the granted folder
 * (openat2, RESOLVE_BENEATH), symbolic links included; where the kernel can't, nothing is opened.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/guest/wasi.h"

enum {
    OFLAG_CREAT = 1 << 0,
    OFLAG_DIRECTORY = 1 << 1,
    OFLAG_EXCL = 1 << 2,
    OFLAG_TRUNC = 1 << 3,
    LOOKUP_FOLLOW = 1 << 0,
};

/* A path argument: the folder it starts from, and its text. */
struct place {
    const struct rb_wasi_fd *folder;
    char path[PATH_MAX];
};

static void close_fd(const int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
}

static int32_t place_of(struct rb_guest *guest, uint64_t fd, uint64_t path, uint64_t len,
                        struct place *ret)
{
    const struct rb_wasi_fd *folder = rb_wasi_get(guest, fd);
    if (!folder) {
        return RB_WASI_BADF;
    }
    if (folder->kind != RB_WASI_DIR) {
        return RB_WASI_NOTDIR;
    }
    const char *text = rb_guest_bytes(guest, path, len);
    if (!text) {
        return RB_WASI_FAULT;
    }
    if (len >= sizeof ret->path) {
        return RB_WASI_NAMETOOLONG;
    }
    if (len == 0) {
        return RB_WASI_NOENT;
    }
    if (memchr(text, 0, (size_t)len)) {
        return RB_WASI_INVAL;
    }
    memcpy(ret->path, text, (size_t)len);
    ret->path[len] = 0;
    ret->folder = folder;
    return RB_WASI_SUCCESS;
}

/* openat2(2) below the folder; -1 and errno. */
static int open_beneath(const struct rb_wasi_fd *folder, const char *path, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
        .mode = mode,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, folder->fd, path, &how, sizeof how);
}

static int32_t put_stat(struct rb_guest *guest, uint64_t at, const struct stat *st)
{
    uint64_t fields[8] = {
        (uint64_t)st->st_dev,
        (uint64_t)st->st_ino,
        RB_WASI_FILETYPE_UNKNOWN,
        (uint64_t)st->st_nlink,
        (uint64_t)st->st_size,
        (uint64_t)st->st_atim.tv_sec * 1000000000u + (uint64_t)st->st_atim.tv_nsec,
        (uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec,
        (uint64_t)st->st_ctim.tv_sec * 1000000000u + (uint64_t)st->st_ctim.tv_nsec,
    };
    if (S_ISREG(st->st_mode)) {
        fields[2] = RB_WASI_FILETYPE_REGULAR_FILE;
    } else if (S_ISDIR(st->st_mode)) {
        fields[2] = RB_WASI_FILETYPE_DIRECTORY;
    } else if (S_ISLNK(st->st_mode)) {
        fields[2] = RB_WASI_FILETYPE_SYMBOLIC_LINK;
    } else if (S_ISCHR(st->st_mode)) {
        fields[2] = RB_WASI_FILETYPE_CHARACTER_DEVICE;
    }
    void *to = rb_guest_bytes(guest, at, sizeof fields);
    if (!to) {
        return RB_WASI_FAULT;
    }
    memcpy(to, fields, sizeof fields);
    return RB_WASI_SUCCESS;
}

static int32_t fd_filestat_get(struct rb_guest *guest, const uint64_t *args)
{
    const struct rb_wasi_fd *entry = rb_wasi_get(guest, args[0]);
    struct stat st = {0};
    if (!entry) {
        return RB_WASI_BADF;
    }
    if (entry->kind == RB_WASI_FILE || entry->kind == RB_WASI_DIR) {
        if (fstat(entry->fd, &st) != 0) {
            return rb_wasi_errno(errno);
        }
    } else if (entry->kind != RB_WASI_SOCKET) {
        st.st_mode = S_IFCHR;
    }
    return put_stat(guest, args[1], &st);
}

static int open_flags(uint64_t oflags, uint64_t fdflags, bool to_read, bool to_write)
{
    /* Not blocking: a FIFO would wait for its other end, and is refused once it is open. */
    int flags = O_NONBLOCK | O_NOCTTY;
    flags |= to_write ? (to_read ? O_RDWR : O_WRONLY) : O_RDONLY;
    flags |= (oflags & OFLAG_CREAT) ? O_CREAT : 0;
    flags |= (oflags & OFLAG_DIRECTORY) ? O_DIRECTORY : 0;
    flags |= (oflags & OFLAG_EXCL) ? O_EXCL : 0;
    flags |= (oflags & OFLAG_TRUNC) ? O_TRUNC : 0;
    flags |= (fdflags & RB_WASI_FDFLAG_APPEND) ? O_APPEND : 0;
    return flags;
}

/* Takes over `fd`. */
static int32_t keep_opened(struct rb_guest *guest, int fd, bool writable, uint64_t result_at)
{
    struct stat st;
    uint32_t number = 0;
    struct rb_wasi_fd *entry = rb_wasi_add(guest, &number);
    int32_t e = RB_WASI_SUCCESS;
    if (!entry) {
        e = RB_WASI_MFILE;
    } else if (fstat(fd, &st) != 0) {
        e = rb_wasi_errno(errno);
    } else if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        e = RB_WASI_ACCES; /* no devices, pipes or sockets, however they came into the folder */
    } else if (!rb_wasi_put_u32(guest, result_at, number)) {
        e = RB_WASI_FAULT;
    }
    if (e != RB_WASI_SUCCESS || !entry) {
        close(fd);
        return e;
    }
    *entry = (struct rb_wasi_fd){
        .kind = S_ISDIR(st.st_mode) ? RB_WASI_DIR : RB_WASI_FILE, .fd = fd, .writable = writable};
    return RB_WASI_SUCCESS;
}

/* fd, lookup flags, path, length, open flags, rights, inheriting rights, fd flags, result */
static int32_t path_open(struct rb_guest *guest, const uint64_t *args)
{
    struct place place;
    int32_t e = place_of(guest, args[0], args[2], args[3], &place);
    if (e != RB_WASI_SUCCESS) {
        return e;
    }
    bool to_write = (args[5] & RB_WASI_RIGHT_FD_WRITE) != 0;
    bool to_read = (args[5] & (RB_WASI_RIGHT_FD_READ | RB_WASI_RIGHT_FD_READDIR)) != 0;
    bool changes = (args[4] & (OFLAG_CREAT | OFLAG_TRUNC)) != 0;
    if ((to_write || changes) && !place.folder->writable) {
        return RB_WASI_ROFS;
    }
    int flags = open_flags(args[4], args[7], to_read, to_write && !(args[4] & OFLAG_DIRECTORY));
    flags |= (args[1] & LOOKUP_FOLLOW) ? 0 : O_NOFOLLOW;
    int fd = open_beneath(place.folder, place.path, flags, (args[4] & OFLAG_CREAT) ? 0600 : 0);
    if (fd < 0 && errno == EISDIR && !changes) { /* rights are asked for generously */
        fd = open_beneath(place.folder, place.path,
                          open_flags(args[4], args[7], true, false) | (flags & O_NOFOLLOW), 0);
    }
    if (fd < 0) {
        return rb_wasi_errno(errno);
    }
    return keep_opened(guest, fd, place.folder->writable, args[8]);
}

static int32_t path_filestat_get(struct rb_guest *guest, const uint64_t *args)
{
    struct place place;
    int32_t e = place_of(guest, args[0], args[2], args[3], &place);
    if (e != RB_WASI_SUCCESS) {
        return e;
    }
    int fd = open_beneath(place.folder, place.path,
                          O_PATH | ((args[1] & LOOKUP_FOLLOW) ? 0 : O_NOFOLLOW), 0);
    if (fd < 0) {
        return rb_wasi_errno(errno);
    }
    struct stat st;
    e = fstat(fd, &st) == 0 ? put_stat(guest, args[4], &st) : rb_wasi_errno(errno);
    close(fd);
    return e;
}

/* Opens the folder that holds the path's last part, for the calls that change it. */
static int32_t open_parent(struct place *place, int *ret_fd, const char **ret_name)
{
    if (!place->folder->writable) {
        return RB_WASI_ROFS;
    }
    size_t len = strlen(place->path);
    while (len > 1 && place->path[len - 1] == '/') {
        place->path[--len] = 0;
    }
    char *slash = strrchr(place->path, '/');
    const char *name = slash ? slash + 1 : place->path;
    if (name[0] == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return RB_WASI_INVAL;
    }
    if (slash == place->path) {
        return RB_WASI_NOTCAPABLE;
    }
    if (slash) {
        *slash = 0;
    }
    int fd = open_beneath(place->folder, slash ? place->path : ".", O_PATH | O_DIRECTORY, 0);
    if (fd < 0) {
        return rb_wasi_errno(errno);
    }
    *ret_fd = fd;
    *ret_name = name;
    return RB_WASI_SUCCESS;
}

static int make_directory(int parent, const char *name)
{
    return mkdirat(parent, name, 0700);
}

static int remove_directory(int parent, const char *name)
{
    return unlinkat(parent, name, AT_REMOVEDIR);
}

static int unlink_file(int parent, const char *name)
{
    return unlinkat(parent, name, 0);
}

static int32_t change(struct rb_guest *guest, const uint64_t *args, int (*act)(int, const char *))
{
    struct place place;
    int parent = -1;
    const char *name = NULL;
    int32_t e = place_of(guest, args[0], args[1], args[2], &place);
    if (e != RB_WASI_SUCCESS || (e = open_parent(&place, &parent, &name)) != RB_WASI_SUCCESS) {
        return e;
    }
    e = act(parent, name) == 0 ? RB_WASI_SUCCESS : rb_wasi_errno(errno);
    close(parent);
    return e;
}

static int32_t path_create_directory(struct rb_guest *guest, const uint64_t *args)
{
    return change(guest, args, make_directory);
}

static int32_t path_remove_directory(struct rb_guest *guest, const uint64_t *args)
{
    return change(guest, args, remove_directory);
}

static int32_t path_unlink_file(struct rb_guest *guest, const uint64_t *args)
{
    return change(guest, args, unlink_file);
}

static int32_t path_rename(struct rb_guest *guest, const uint64_t *args)
{
    struct place from, to;
    RB_CLEANUP(close_fd) int from_fd = -1;
    RB_CLEANUP(close_fd) int to_fd = -1;
    const char *from_name = NULL, *to_name = NULL;
    int32_t e = place_of(guest, args[0], args[1], args[2], &from);
    if (e != RB_WASI_SUCCESS ||
        (e = place_of(guest, args[3], args[4], args[5], &to)) != RB_WASI_SUCCESS ||
        (e = open_parent(&from, &from_fd, &from_name)) != RB_WASI_SUCCESS ||
        (e = open_parent(&to, &to_fd, &to_name)) != RB_WASI_SUCCESS) {
        return e;
    }
    if (from_fd < 0 || to_fd < 0 || renameat(from_fd, from_name, to_fd, to_name) != 0) {
        return rb_wasi_errno(errno);
    }
    return RB_WASI_SUCCESS;
}

/* dirent: u64 next cookie, u64 inode, u32 length of the name, u8 type, 3 bytes; then the name. Cut
 * at the buffer's end, as the specification says. Returns the bytes written. */
static size_t put_entry(uint8_t *out, size_t room, uint64_t next, const struct dirent *entry)
{
    uint8_t record[24 + sizeof entry->d_name] = {0};
    uint64_t inode = entry->d_ino;
    uint32_t len = (uint32_t)strlen(entry->d_name);
    memcpy(record, &next, 8);
    memcpy(record + 8, &inode, 8);
    memcpy(record + 16, &len, 4);
    record[20] = entry->d_type == DT_DIR   ? RB_WASI_FILETYPE_DIRECTORY
                 : entry->d_type == DT_REG ? RB_WASI_FILETYPE_REGULAR_FILE
                 : entry->d_type == DT_LNK ? RB_WASI_FILETYPE_SYMBOLIC_LINK
                                           : RB_WASI_FILETYPE_UNKNOWN;
    memcpy(record + 24, entry->d_name, len);
    size_t n = 24 + len < room ? 24 + len : room;
    memcpy(out, record, n);
    return n;
}

/* A cookie is the number of entries before. */
static int32_t fd_readdir(struct rb_guest *guest, const uint64_t *args)
{
    const struct rb_wasi_fd *entry = rb_wasi_get(guest, args[0]);
    if (!entry) {
        return RB_WASI_BADF;
    }
    if (entry->kind != RB_WASI_DIR) {
        return RB_WASI_NOTDIR;
    }
    uint8_t *out = rb_guest_bytes(guest, args[1], args[2]);
    if (!out || !rb_wasi_put_u32(guest, args[4], 0)) {
        return RB_WASI_FAULT;
    }
    int again = openat(entry->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = again >= 0 ? fdopendir(again) : NULL;
    if (!dir) {
        int32_t e = rb_wasi_errno(errno);
        if (again >= 0) {
            close(again);
        }
        return e;
    }
    size_t room = (size_t)args[2], done = 0;
    const struct dirent *found;
    for (uint64_t i = 0; done < room && (found = readdir(dir)) != NULL; i++) {
        if (i >= args[3]) {
            done += put_entry(out + done, room - done, i + 1, found);
        }
    }
    closedir(dir);
    rb_wasi_put_u32(guest, args[4], (uint32_t)done);
    return RB_WASI_SUCCESS;
}

const struct rb_guest_import rb_wasi_path_imports[] = {
    {"fd_filestat_get", "ii", true, true, fd_filestat_get},
    {"fd_readdir", "iiiIi", true, true, fd_readdir},
    {"path_open", "iiiiiIIii", true, true, path_open},
    {"path_filestat_get", "iiiii", true, true, path_filestat_get},
    {"path_create_directory", "iii", true, true, path_create_directory},
    {"path_remove_directory", "iii", true, true, path_remove_directory},
    {"path_unlink_file", "iii", true, true, path_unlink_file},
    {"path_rename", "iiiiii", true, true, path_rename},
    {0},
};
