/* WASI: the environment, clock, randomness, exit, and what all of wasi_*.c shares. */
#include "host/guest/wasi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/crypto/digest.h"

static int open_preopens(const struct rb_guest *guest, struct rb_wasi *wasi, struct rb_error *err)
{
    for (size_t i = 0; i < guest->options.n_preopens; i++) {
        const struct rb_guest_preopen *p = &guest->options.preopens[i];
        if (3 + i >= RB_WASI_FDS_MAX) {
            return rb_error_set(err, RB_ECONFIG, "TOO_MANY_FOLDERS",
                                "connector '%s' is granted more folders than %d",
                                guest->options.connector_id, RB_WASI_FDS_MAX - 3);
        }
        int fd = open(p->host_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) {
            rb_error_set_errno(err, RB_ECONFIG, "FOLDER_MISSING", errno,
                               "folder '%s', granted to connector '%s', can't be opened",
                               p->host_path, guest->options.connector_id);
            return RB_ECONFIG;
        }
        wasi->fds[3 + i] = (struct rb_wasi_fd){
            .kind = RB_WASI_DIR, .fd = fd, .writable = p->writable, .preopen = p};
    }
    return 0;
}

int rb_wasi_new(const struct rb_guest *guest, struct rb_wasi **ret_wasi, struct rb_error *err)
{
    struct rb_wasi *wasi = calloc(1, sizeof *wasi);
    if (!wasi) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory");
    }
    wasi->fds[0].kind = RB_WASI_STDIN;
    wasi->fds[1].kind = RB_WASI_STDOUT;
    wasi->fds[2].kind = RB_WASI_STDERR;
    int status = open_preopens(guest, wasi, err);
    if (status != 0) {
        rb_wasi_free(wasi);
        return status;
    }
    *ret_wasi = wasi;
    return 0;
}

void rb_wasi_free(struct rb_wasi *wasi)
{
    if (!wasi) {
        return;
    }
    for (size_t i = 0; i < RB_WASI_FDS_MAX; i++) {
        if (wasi->fds[i].kind == RB_WASI_FILE || wasi->fds[i].kind == RB_WASI_DIR) {
            close(wasi->fds[i].fd);
        }
    }
    free(wasi);
}

struct rb_wasi_fd *rb_wasi_get(struct rb_guest *guest, uint64_t fd)
{
    if (fd >= RB_WASI_FDS_MAX || guest->wasi->fds[fd].kind == RB_WASI_FREE) {
        return NULL;
    }
    return &guest->wasi->fds[fd];
}

struct rb_wasi_fd *rb_wasi_add(struct rb_guest *guest, uint32_t *ret_fd)
{
    for (uint32_t i = 3; i < RB_WASI_FDS_MAX; i++) {
        if (guest->wasi->fds[i].kind == RB_WASI_FREE) {
            *ret_fd = i;
            return &guest->wasi->fds[i];
        }
    }
    return NULL;
}

int32_t rb_wasi_errno(int errno_value)
{
    static const struct {
        int host, wasi;
    } known[] = {
        {0, RB_WASI_SUCCESS},
        {E2BIG, RB_WASI_2BIG},
        {EACCES, RB_WASI_ACCES},
        {EAFNOSUPPORT, RB_WASI_AFNOSUPPORT},
        {EAGAIN, RB_WASI_AGAIN},
        {EALREADY, RB_WASI_ALREADY},
        {EBADF, RB_WASI_BADF},
        {EBUSY, RB_WASI_BUSY},
        {ECONNABORTED, RB_WASI_CONNABORTED},
        {ECONNREFUSED, RB_WASI_CONNREFUSED},
        {ECONNRESET, RB_WASI_CONNRESET},
        {EDQUOT, RB_WASI_DQUOT},
        {EEXIST, RB_WASI_EXIST},
        {EFAULT, RB_WASI_FAULT},
        {EFBIG, RB_WASI_FBIG},
        {EHOSTUNREACH, RB_WASI_HOSTUNREACH},
        {EINPROGRESS, RB_WASI_INPROGRESS},
        {EINTR, RB_WASI_INTR},
        {EINVAL, RB_WASI_INVAL},
        {EISCONN, RB_WASI_ISCONN},
        {EISDIR, RB_WASI_ISDIR},
        {ELOOP, RB_WASI_LOOP},
        {EMFILE, RB_WASI_MFILE},
        {ENAMETOOLONG, RB_WASI_NAMETOOLONG},
        {ENETUNREACH, RB_WASI_NETUNREACH},
        {ENOENT, RB_WASI_NOENT},
        {ENOMEM, RB_WASI_NOMEM},
        {ENOPROTOOPT, RB_WASI_NOPROTOOPT},
        {ENOSPC, RB_WASI_NOSPC},
        {ENOSYS, RB_WASI_NOSYS},
        {ENOTCONN, RB_WASI_NOTCONN},
        {ENOTDIR, RB_WASI_NOTDIR},
        {ENOTEMPTY, RB_WASI_NOTEMPTY},
        {ENOTSUP, RB_WASI_NOTSUP},
        {EOVERFLOW, RB_WASI_OVERFLOW},
        {EPERM, RB_WASI_PERM},
        {EPIPE, RB_WASI_PIPE},
        {EROFS, RB_WASI_ROFS},
        {ESPIPE, RB_WASI_SPIPE},
        {ETIMEDOUT, RB_WASI_TIMEDOUT},
        /* openat2's word for a path that leads out of the folder */
        {EXDEV, RB_WASI_NOTCAPABLE},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].host == errno_value) {
            return known[i].wasi;
        }
    }
    return RB_WASI_IO;
}

bool rb_wasi_put_u32(struct rb_guest *guest, uint64_t offset, uint32_t value)
{
    void *to = rb_guest_bytes(guest, offset, sizeof value);
    if (to) {
        memcpy(to, &value, sizeof value);
    }
    return to != NULL;
}

bool rb_wasi_put_u64(struct rb_guest *guest, uint64_t offset, uint64_t value)
{
    void *to = rb_guest_bytes(guest, offset, sizeof value);
    if (to) {
        memcpy(to, &value, sizeof value);
    }
    return to != NULL;
}

int32_t rb_wasi_iovs(struct rb_guest *guest, uint64_t offset, uint64_t count,
                     struct rb_wasi_iov *out, size_t *ret_n)
{
    if (count > RB_WASI_IOVS_MAX) {
        return RB_WASI_INVAL;
    }
    const uint8_t *from = rb_guest_bytes(guest, offset, count * 8);
    if (!from) {
        return RB_WASI_FAULT;
    }
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t pair[2];
        memcpy(pair, from + i * 8, sizeof pair);
        out[i].data = rb_guest_bytes(guest, pair[0], pair[1]);
        out[i].len = pair[1];
        total += pair[1];
        if (!out[i].data) {
            return RB_WASI_FAULT;
        }
        if (total > INT32_MAX) {
            return RB_WASI_INVAL;
        }
    }
    *ret_n = (size_t)count;
    return RB_WASI_SUCCESS;
}

/* Strings as args_get and environ_get give them: pointers, and the texts behind each other. */
static int32_t give_strings(struct rb_guest *guest, const char *const *strings, uint64_t pointers,
                            uint64_t texts)
{
    for (size_t i = 0; strings && strings[i]; i++) {
        size_t len = strlen(strings[i]) + 1;
        void *to = rb_guest_bytes(guest, texts, len);
        if (!to || !rb_wasi_put_u32(guest, pointers + 4 * i, (uint32_t)texts)) {
            return RB_WASI_FAULT;
        }
        memcpy(to, strings[i], len);
        texts += len;
    }
    return RB_WASI_SUCCESS;
}

static int32_t give_sizes(struct rb_guest *guest, const char *const *strings, uint64_t count,
                          uint64_t bytes)
{
    size_t n = 0, total = 0;
    for (; strings && strings[n]; n++) {
        total += strlen(strings[n]) + 1;
    }
    if (!rb_wasi_put_u32(guest, count, (uint32_t)n) ||
        !rb_wasi_put_u32(guest, bytes, (uint32_t)total)) {
        return RB_WASI_FAULT;
    }
    return RB_WASI_SUCCESS;
}

static int32_t args_get(struct rb_guest *guest, const uint64_t *args)
{
    return give_strings(guest, NULL, args[0], args[1]);
}

static int32_t args_sizes_get(struct rb_guest *guest, const uint64_t *args)
{
    return give_sizes(guest, NULL, args[0], args[1]);
}

static int32_t environ_get(struct rb_guest *guest, const uint64_t *args)
{
    return give_strings(guest, guest->options.env, args[0], args[1]);
}

static int32_t environ_sizes_get(struct rb_guest *guest, const uint64_t *args)
{
    return give_sizes(guest, guest->options.env, args[0], args[1]);
}

static bool clock_of(uint64_t id, clockid_t *ret_clock)
{
    if (id > 1) {
        return false;
    }
    *ret_clock = id == 0 ? CLOCK_REALTIME : CLOCK_MONOTONIC;
    return true;
}

static uint64_t nanoseconds(const struct timespec *t)
{
    return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_nsec;
}

static int32_t clock_res(struct rb_guest *guest, const uint64_t *args)
{
    clockid_t clock;
    struct timespec t;
    if (!clock_of(args[0], &clock) || clock_getres(clock, &t) != 0) {
        return RB_WASI_INVAL;
    }
    return rb_wasi_put_u64(guest, args[1], nanoseconds(&t)) ? RB_WASI_SUCCESS : RB_WASI_FAULT;
}

static int32_t clock_time(struct rb_guest *guest, const uint64_t *args)
{
    clockid_t clock;
    struct timespec t;
    if (!clock_of(args[0], &clock) || clock_gettime(clock, &t) != 0) {
        return RB_WASI_INVAL;
    }
    return rb_wasi_put_u64(guest, args[2], nanoseconds(&t)) ? RB_WASI_SUCCESS : RB_WASI_FAULT;
}

static int32_t random_get(struct rb_guest *guest, const uint64_t *args)
{
    void *out = rb_guest_bytes(guest, args[0], args[1]);
    if (!out) {
        return RB_WASI_FAULT;
    }
    return args[1] == 0 || rb_random(out, (size_t)args[1], NULL) == 0 ? RB_WASI_SUCCESS
                                                                      : RB_WASI_IO;
}

static int32_t yield(struct rb_guest *guest, const uint64_t *args)
{
    (void)guest;
    (void)args;
    return RB_WASI_SUCCESS;
}

static int32_t proc_exit(struct rb_guest *guest, const uint64_t *args)
{
    struct rb_error why = {0};
    rb_error_set(&why, RB_ECONNECTOR, "CONNECTOR_TRAPPED", "connector '%s' called proc_exit(%d)",
                 guest->options.connector_id, (int)(int32_t)(uint32_t)args[0]);
    rb_wasi_flush(guest);
    rb_guest_stop(guest, &why);
    return 0;
}

const struct rb_guest_import rb_wasi_core_imports[] = {
    {"args_get", "ii", true, true, args_get},
    {"args_sizes_get", "ii", true, true, args_sizes_get},
    {"environ_get", "ii", true, true, environ_get},
    {"environ_sizes_get", "ii", true, true, environ_sizes_get},
    {"clock_res_get", "ii", true, true, clock_res},
    {"clock_time_get", "iIi", true, true, clock_time},
    {"random_get", "ii", true, true, random_get},
    {"sched_yield", "", true, true, yield},
    {"proc_exit", "i", false, true, proc_exit},
    {0},
};
