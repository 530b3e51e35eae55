/*
 * The AOT cache: one file per module, named by what the machine code depends on. After the shared
 * object stands a trailer with that key and the sha-256 of all before it (the loader of shared
 * objects ignores it), so one rename brings both, and an entry that was changed, cut or renamed is
 * never loaded.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fault.h"
#include "host/crypto/digest.h"
#include "host/guest/cpu.h"
#include "host/guest/internal.h"

/* Changes when the configuration in rb_guest_compile does. */
#define COMPILE_OPTIONS "native-O2"
#define MAGIC "\nRBAOT1\n"

enum {
    MAGIC_LEN = 8,
    TRAILER_LEN = MAGIC_LEN + RB_SHA256_HEX_LEN + 32,
    MODULE_MAX_BYTES = 256 * 1024 * 1024,
    /* Machine code, or the object file it is linked from, beside the module: 2.6 to 3.3 times its
     * size with these options, and the ELF file's own parts. */
    CODE_TO_MODULE = 4,
    CODE_OVERHEAD_BYTES = 128 * 1024,
};

static void close_fd(const int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
}

static int read_all(int fd, void *out, size_t len)
{
    uint8_t *to = out;
    while (len > 0) {
        ssize_t n = read(fd, to, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? errno : EIO;
        }
        to += n;
        len -= (size_t)n;
    }
    return 0;
}

static int write_all(int fd, const void *data, size_t len)
{
    const uint8_t *from = data;
    while (len > 0) {
        ssize_t n = write(fd, from, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno;
        }
        from += n;
        len -= (size_t)n;
    }
    return 0;
}

/* A whole file; `max` bytes at most. errno's value, or 0. */
static int read_file(const char *path, size_t max, struct rb_buf *ret)
{
    RB_CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        return errno;
    }
    if (!S_ISREG(st.st_mode)) {
        return EINVAL;
    }
    if ((uint64_t)st.st_size > max) {
        return EFBIG;
    }
    size_t len = (size_t)st.st_size;
    rb_buf_init(ret, max);
    if (rb_buf_reserve(ret, len) != 0) {
        return ENOMEM;
    }
    int e = len ? read_all(fd, ret->data, len) : 0;
    if (e == 0) {
        ret->len = len;
    }
    return e;
}

static int read_module(const char *wasm_path, struct rb_buf *ret, char ret_sha256[65],
                       struct rb_error *err)
{
    int e = read_file(wasm_path, MODULE_MAX_BYTES, ret);
    if (e != 0) {
        return rb_error_set_errno(err, RB_ECONNECTOR, "CONNECTOR_MISSING", e, "'%s' can't be read",
                                  wasm_path);
    }
    if (ret->len < 8 || memcmp(ret->data, "\0asm\1\0\0\0", 8) != 0) {
        return rb_error_set(err, RB_ECONNECTOR, "NOT_WASM", "'%s' is not a WebAssembly module",
                            wasm_path);
    }
    uint8_t digest[32];
    rb_sha256(ret->data, ret->len, digest);
    rb_hex(digest, sizeof digest, ret_sha256);
    return 0;
}

int rb_guest_check_module(const char *wasm_path, char ret_sha256[65], struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf wasm = RB_BUF_INIT(0);
    return read_module(wasm_path, &wasm, ret_sha256, err);
}

/* The key of a module's entry: 64 hex digits. */
static int make_key(const char *wasm_sha256, char ret_key[65])
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(4096);
    char cpu[RB_CPU_ID_MAX];
    rb_guest_cpu_id(cpu);
    int status = rb_buf_printf(&text, "%s\n%s\n%s\n%s\n", wasm_sha256, WASMEDGE_VERSION,
                               COMPILE_OPTIONS, cpu);
    if (status != 0) {
        return status;
    }
    uint8_t digest[32];
    rb_sha256(text.data, text.len, digest);
    rb_hex(digest, sizeof digest, ret_key);
    return 0;
}

static int entry_path(const char *aot_dir, const char *key, struct rb_buf *ret_path,
                      struct rb_error *err)
{
    int status = rb_buf_printf(ret_path, "%s/%s.so", aot_dir, key);
    return status == 0 ? 0 : rb_error_set(err, status, "OUT_OF_MEMORY", "out of memory");
}

/* A folder that others can write to could bring code that they wrote. */
static int check_folder(const char *aot_dir, struct rb_error *err)
{
    struct stat st;
    if (stat(aot_dir, &st) != 0) {
        return errno == ENOENT ? 1
                               : rb_error_set_errno(err, RB_EIO, "AOT_CACHE", errno,
                                                    "the AOT cache '%s' can't be used", aot_dir);
    }
    if (!S_ISDIR(st.st_mode)) {
        return rb_error_set(err, RB_EIO, "AOT_CACHE", "the AOT cache '%s' is not a folder",
                            aot_dir);
    }
    if (st.st_uid == geteuid() && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0) {
        return 0;
    }
    rb_error_set(err, RB_EPERM, "AOT_CACHE",
                 "the AOT cache '%s' belongs to someone else, or others may write to it", aot_dir);
    rb_error_set_hint(err, "chmod 700 '%s', or name another folder", aot_dir);
    return RB_EPERM;
}

static bool trailer_fits(const uint8_t *data, size_t len, const char *key)
{
    if (len <= TRAILER_LEN) {
        return false;
    }
    const uint8_t *trailer = data + len - TRAILER_LEN;
    uint8_t digest[32];
    rb_sha256(data, len - sizeof digest, digest);
    return memcmp(trailer, MAGIC, MAGIC_LEN) == 0 &&
           memcmp(trailer + MAGIC_LEN, key, RB_SHA256_HEX_LEN) == 0 &&
           memcmp(data + len - sizeof digest, digest, sizeof digest) == 0;
}

/* Mapped, not read: dlopen maps the same pages next. */
static bool verify_entry(const char *path, const char *key)
{
    RB_CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
        (st.st_mode & (S_IWGRP | S_IWOTH)) != 0 || st.st_size <= 0) {
        return false;
    }
    size_t len = (size_t)st.st_size;
    void *data = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (data == MAP_FAILED) {
        return false;
    }
    bool good = trailer_fits(data, len, key);
    munmap(data, len);
    return good;
}

int rb_guest_aot_find(const char *wasm_sha256, const char *aot_dir, struct rb_buf *ret_path,
                      struct rb_error *err)
{
    int status = check_folder(aot_dir, err);
    if (status != 0) {
        return status;
    }
    char key[65];
    if ((status = make_key(wasm_sha256, key)) != 0) {
        return rb_error_set(err, status, "OUT_OF_MEMORY", "out of memory");
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf path = RB_BUF_INIT(PATH_MAX);
    if ((status = entry_path(aot_dir, key, &path, err)) != 0) {
        return status;
    }
    if (!verify_entry(rb_buf_str(&path), key)) {
        return 1;
    }
    status = rb_buf_append(ret_path, path.data, path.len);
    return status == 0 ? 0 : rb_error_set(err, status, "OUT_OF_MEMORY", "out of memory");
}

int rb_guest_aot_state(const char *wasm_sha256, const char *aot_dir, enum rb_guest_aot *ret,
                       struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf path = RB_BUF_INIT(PATH_MAX);
    char key[65];
    struct stat st;
    int status = rb_guest_aot_find(wasm_sha256, aot_dir, &path, err);
    if (status <= 0) {
        *ret = status == 0 ? RB_GUEST_AOT_READY : *ret;
        return status;
    }
    status = make_key(wasm_sha256, key);
    status = status != 0 ? status : entry_path(aot_dir, key, &path, NULL);
    if (status != 0) {
        return rb_error_set(err, status, "OUT_OF_MEMORY", "out of memory");
    }
    *ret = lstat(rb_buf_str(&path), &st) == 0 ? RB_GUEST_AOT_REFUSED : RB_GUEST_AOT_MISSING;
    return 0;
}

int rb_guest_is_compiled(const char *wasm_path, const char *aot_dir, struct rb_error *err)
{
    char sha256[65];
    int status = rb_guest_check_module(wasm_path, sha256, err);
    if (status != 0) {
        return status;
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf path = RB_BUF_INIT(PATH_MAX);
    status = rb_guest_aot_find(sha256, aot_dir, &path, err);
    return status < 0 ? status : status == 0;
}

int rb_guest_make_cache(const char *aot_dir, struct rb_error *err)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s", aot_dir);
    if (n < 0 || (size_t)n >= sizeof path) {
        return rb_error_set(err, RB_EIO, "AOT_CACHE", "the AOT cache's path is too long");
    }
    for (char *p = path + 1; *p; p++) {
        if (*p != '/') {
            continue;
        }
        *p = 0;
        (void)mkdir(path, 0755); /* the last mkdir says what is wrong */
        *p = '/';
    }
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return rb_error_set_errno(err, RB_EIO, "AOT_CACHE", errno,
                                  "the AOT cache '%s' can't be made", aot_dir);
    }
    return check_folder(aot_dir, err);
}

/* errno's value when `len` bytes can't be kept in a new file; 0 too where the file system does not
 * say. */
static int try_room(const char *path, size_t len)
{
    RB_CLEANUP(close_fd) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || (fallocate(fd, 0, 0, (off_t)len) != 0 && errno != EOPNOTSUPP)) {
        return errno;
    }
    return 0;
}

/* The compiler's libraries don't find a disk full: LLVM cuts its object file short, and the linker
 * calls that damaged and ends the process. So there must be room for both files before. */
static int check_room(const char *scratch, size_t wasm_len)
{
    size_t len = wasm_len * CODE_TO_MODULE + CODE_OVERHEAD_BYTES;
    char object[PATH_MAX];
    int n = snprintf(object, sizeof object, "%s.o", scratch);
    if (n < 0 || (size_t)n >= sizeof object) {
        return ENAMETOOLONG;
    }
    int e = try_room(scratch, len);
    e = e != 0 ? e : try_room(object, len);
    (void)unlink(object);
    (void)unlink(scratch);
    return e;
}

static int fail_write(const char *path, int e, struct rb_error *err)
{
    (void)rb_error_set_errno(err, RB_EIO, "AOT_CACHE", e, "'%s' can't be written", path);
    if (e == ENOSPC || e == EDQUOT) {
        rb_error_set_hint(err,
                          "make room, or name another folder (--aot-dir, $RAPIDBYTE_CACHE_DIR)");
    } else if (e == EFBIG) {
        rb_error_set_hint(err, "raise the limit on a file's size (ulimit -f)");
    }
    return RB_EIO;
}

static int run_compiler(const struct rb_buf *wasm, const char *wasm_path, const char *out_path,
                        struct rb_error *err)
{
    WasmEdge_ConfigureContext *config = rb_wasmedge.ConfigureCreate();
    if (!config) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory");
    }
    /* Not interruptible, without statistics: either costs ten times the guest's CPU. */
    rb_wasmedge.ConfigureCompilerSetOptimizationLevel(config,
                                                      WasmEdge_CompilerOptimizationLevel_O2);
    rb_wasmedge.ConfigureCompilerSetOutputFormat(config, WasmEdge_CompilerOutputFormat_Native);
    WasmEdge_CompilerContext *compiler = rb_wasmedge.CompilerCreate(config);
    int status = 0;
    if (compiler) {
        WasmEdge_Result result =
            rb_wasmedge.CompilerCompileFromBuffer(compiler, wasm->data, wasm->len, out_path);
        if (!rb_wasmedge.ResultOK(result)) {
            status =
                rb_error_set(err, RB_ECONNECTOR, "COMPILE_FAILED", "'%s' can't be compiled: %s",
                             wasm_path, rb_wasmedge.ResultGetMessage(result));
        }
    } else {
        status = rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory");
    }
    rb_wasmedge.CompilerDelete(compiler);
    rb_wasmedge.ConfigureDelete(config);
    return status;
}

/* Appends the trailer to the compiled file: errno's value, or 0. */
static int seal(const char *path, const char *key)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf data = RB_BUF_INIT(0);
    int e = read_file(path, (size_t)INT_MAX, &data);
    if (e != 0) {
        return e;
    }
    size_t code_len = data.len;
    uint8_t digest[32];
    if (rb_buf_append(&data, MAGIC, MAGIC_LEN) != 0 ||
        rb_buf_append(&data, key, RB_SHA256_HEX_LEN) != 0) {
        return ENOMEM;
    }
    rb_sha256(data.data, data.len, digest);
    if (rb_buf_append(&data, digest, sizeof digest) != 0) {
        return ENOMEM;
    }
    RB_CLEANUP(close_fd) int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    e = write_all(fd, data.data + code_len, data.len - code_len);
    if (e == 0 && (fchmod(fd, 0700) != 0 || fsync(fd) != 0)) {
        e = errno;
    }
    return e;
}

int rb_guest_compile(const char *wasm_path, const char *aot_dir, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf wasm = RB_BUF_INIT(0);
    RB_CLEANUP(rb_buf_release) struct rb_buf path = RB_BUF_INIT(PATH_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf scratch = RB_BUF_INIT(PATH_MAX);
    char sha256[65], key[65];
    int status;
    if ((status = read_module(wasm_path, &wasm, sha256, err)) != 0 ||
        (status = rb_guest_make_cache(aot_dir, err)) != 0) {
        return status;
    }
    status = rb_guest_aot_find(sha256, aot_dir, &path, err);
    if (status <= 0) {
        return status == 0 ? 1 : status;
    }
    char name[RB_GUEST_SCRATCH_NAME_MAX];
    if ((status = rb_guest_scratch_name(name, err)) != 0) {
        return status;
    }
    if (make_key(sha256, key) != 0 || entry_path(aot_dir, key, &path, err) != 0 ||
        rb_buf_printf(&scratch, "%s/%s.so", aot_dir, name) != 0) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory");
    }
    int e = check_room(rb_buf_str(&scratch), wasm.len);
    if (e != 0) {
        return fail_write(rb_buf_str(&path), e, err);
    }
    status = RB_FAULT(AOT_COMPILE, err);
    status = status != 0 ? status : run_compiler(&wasm, wasm_path, rb_buf_str(&scratch), err);
    status = status != 0 ? status : RB_FAULT(AOT_COMPILED, err);
    e = status == 0 ? seal(rb_buf_str(&scratch), key) : 0;
    status = status != 0 ? status : RB_FAULT(AOT_SEALED, err);
    if (status == 0 && e == 0 && rename(rb_buf_str(&scratch), rb_buf_str(&path)) != 0) {
        e = errno;
    }
    if (e != 0) {
        status = fail_write(rb_buf_str(&path), e, err);
    }
    if (status != 0) {
        (void)unlink(rb_buf_str(&scratch));
        return status;
    }
    return RB_FAULT(AOT_RENAMED, err);
}
