/*
 * Module wasi_snapshot_preview1, all of it the host's own: clock and random plain, standard output
 * to the log, files only under granted folders, sockets only through the broker and only when
 * granted. Internal to host/guest. Source: WASI preview 1 (witx), and WasmEdge's socket extension.
 */
#ifndef RB_HOST_GUEST_WASI_H
#define RB_HOST_GUEST_WASI_H

#include "host/guest/internal.h"

enum rb_wasi_errno {
    RB_WASI_SUCCESS = 0,
    RB_WASI_2BIG = 1,
    RB_WASI_ACCES = 2,
    RB_WASI_AFNOSUPPORT = 5,
    RB_WASI_AGAIN = 6,
    RB_WASI_ALREADY = 7,
    RB_WASI_BADF = 8,
    RB_WASI_BUSY = 10,
    RB_WASI_CONNABORTED = 13,
    RB_WASI_CONNREFUSED = 14,
    RB_WASI_CONNRESET = 15,
    RB_WASI_DQUOT = 19,
    RB_WASI_EXIST = 20,
    RB_WASI_FAULT = 21,
    RB_WASI_FBIG = 22,
    RB_WASI_HOSTUNREACH = 23,
    RB_WASI_INPROGRESS = 26,
    RB_WASI_INTR = 27,
    RB_WASI_INVAL = 28,
    RB_WASI_IO = 29,
    RB_WASI_ISCONN = 30,
    RB_WASI_ISDIR = 31,
    RB_WASI_LOOP = 32,
    RB_WASI_MFILE = 33,
    RB_WASI_NAMETOOLONG = 37,
    RB_WASI_NETUNREACH = 40,
    RB_WASI_NOENT = 44,
    RB_WASI_NOMEM = 48,
    RB_WASI_NOPROTOOPT = 50,
    RB_WASI_NOSPC = 51,
    RB_WASI_NOSYS = 52,
    RB_WASI_NOTCONN = 53,
    RB_WASI_NOTDIR = 54,
    RB_WASI_NOTEMPTY = 55,
    RB_WASI_NOTSOCK = 57,
    RB_WASI_NOTSUP = 58,
    RB_WASI_OVERFLOW = 61,
    RB_WASI_PERM = 63,
    RB_WASI_PIPE = 64,
    RB_WASI_ROFS = 69,
    RB_WASI_SPIPE = 70,
    RB_WASI_TIMEDOUT = 73,
    RB_WASI_XDEV = 75,
    RB_WASI_NOTCAPABLE = 76,
};

enum {
    RB_WASI_FDS_MAX = 64,           /* open descriptors of one instance */
    RB_WASI_LINE_MAX = 8192,        /* bytes of one line to the log; longer lines are divided */
    RB_WASI_IOVS_MAX = 1024,        /* buffers of one read or write */
    RB_WASI_SUBSCRIPTIONS_MAX = 64, /* of one poll_oneoff */
    RB_WASI_RIGHT_FD_READ = 1 << 1,
    RB_WASI_RIGHT_FD_SEEK = 1 << 2,
    RB_WASI_RIGHT_FD_TELL = 1 << 5,
    RB_WASI_RIGHT_FD_WRITE = 1 << 6,
    RB_WASI_RIGHT_FD_READDIR = 1 << 14,
    RB_WASI_FDFLAG_APPEND = 1 << 0,
    RB_WASI_FDFLAG_NONBLOCK = 1 << 2,
};

#define RB_WASI_RIGHTS_ALL ((UINT64_C(1) << 30) - 1)

enum rb_wasi_filetype {
    RB_WASI_FILETYPE_UNKNOWN = 0,
    RB_WASI_FILETYPE_BLOCK_DEVICE = 1,
    RB_WASI_FILETYPE_CHARACTER_DEVICE = 2,
    RB_WASI_FILETYPE_DIRECTORY = 3,
    RB_WASI_FILETYPE_REGULAR_FILE = 4,
    RB_WASI_FILETYPE_SOCKET_STREAM = 6,
    RB_WASI_FILETYPE_SYMBOLIC_LINK = 7,
};

enum rb_wasi_kind {
    RB_WASI_FREE = 0,
    RB_WASI_STDIN,
    RB_WASI_STDOUT,
    RB_WASI_STDERR,
    RB_WASI_FILE,
    RB_WASI_DIR,
    RB_WASI_SOCKET,
};

struct rb_wasi_fd {
    enum rb_wasi_kind kind;
    int fd;                                 /* files and folders: owned */
    int handle;                             /* sockets: the broker's; 0 until sock_open */
    int64_t recv_timeout_ms;                /* sockets: SO_RCVTIMEO; < 0: none */
    bool writable;                          /* files and folders: as the folder was granted */
    const struct rb_guest_preopen *preopen; /* a granted folder itself; NULL otherwise */
};

struct rb_wasi_line {
    char text[RB_WASI_LINE_MAX];
    size_t len;
};

struct rb_wasi {
    struct rb_wasi_fd fds[RB_WASI_FDS_MAX];
    struct rb_wasi_line lines[2]; /* standard output and error */
};

/* Opens the granted folders. RB_ECONFIG when one can't be opened. */
int rb_wasi_new(const struct rb_guest *guest, struct rb_wasi **ret_wasi, struct rb_error *err);
void rb_wasi_free(struct rb_wasi *wasi);
/* Logs what was written to standard output and error without a newline. */
void rb_wasi_flush(struct rb_guest *guest);
/* For descriptors 1 and 2: line by line to the log. */
void rb_wasi_print(struct rb_guest *guest, enum rb_wasi_kind kind, const char *text, size_t len);

/* NULL: there is no such descriptor. */
struct rb_wasi_fd *rb_wasi_get(struct rb_guest *guest, uint64_t fd);
/* A free entry and its number; NULL when there is none. */
struct rb_wasi_fd *rb_wasi_add(struct rb_guest *guest, uint32_t *ret_fd);
int32_t rb_wasi_errno(int errno_value);

/* Little-endian numbers in the guest's memory; false when they do not lie in it. */
bool rb_wasi_put_u32(struct rb_guest *guest, uint64_t offset, uint32_t value);
bool rb_wasi_put_u64(struct rb_guest *guest, uint64_t offset, uint64_t value);

/* An iovec or ciovec array of the guest, checked. The pointers hold until the guest runs again. */
struct rb_wasi_iov {
    void *data;
    uint32_t len;
};
/* 0 and *ret_n entries, or a WASI errno. */
int32_t rb_wasi_iovs(struct rb_guest *guest, uint64_t offset, uint64_t count,
                     struct rb_wasi_iov *out, size_t *ret_n);

extern const struct rb_guest_import rb_wasi_core_imports[]; /* wasi.c */
extern const struct rb_guest_import rb_wasi_fd_imports[];   /* wasi_fd.c */
extern const struct rb_guest_import rb_wasi_path_imports[]; /* wasi_path.c */
extern const struct rb_guest_import rb_wasi_poll_imports[]; /* wasi_poll.c */
extern const struct rb_guest_import rb_wasi_sock_imports[]; /* wasi_sock.c */

#endif
