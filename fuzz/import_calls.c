/*
 * Imports as a guest may call them: any of them, in any order, with any arguments, while its memory
 * changes and grows in between.
 *
 * No WasmEdge is needed for that, and none would be as strict: the two functions by which the host
 * reaches a guest's memory are stood in for by ones over a heap block of exactly its size, so that
 * a byte beside it is AddressSanitizer's to find; a range that the host has not checked ends the
 * program. Around it are a folder that may be written, one that may only be read, and a server
 * behind a Unix socket that says something and hangs up. A timer cancels what waits for too long.
 */
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "host/guest/wasi.h"

enum {
    PAGES_MAX = 4,
    CALLS_MAX = 64,
    WAIT_MAX_NS = 3000000, /* of all calls of one input */
    OPEN_NAMES_MAX = 16,   /* entries of nftw */
    BATCH_BYTES = 1000,
    SAID_BYTES = 32, /* by the server */
};

/* --- the guest's memory --- */

static struct {
    uint8_t *bytes;
    uint32_t pages;
} memory;

static uint32_t page_size(const WasmEdge_MemoryInstanceContext *context)
{
    (void)context;
    return memory.pages;
}

static uint8_t *get_pointer(WasmEdge_MemoryInstanceContext *context, uint32_t offset, uint32_t len)
{
    (void)context;
    FUZZ_CHECK((uint64_t)offset + len <= (uint64_t)memory.pages * RB_GUEST_PAGE_BYTES);
    return memory.bytes + offset;
}

/* At another address: who keeps a pointer from before is found. */
static void grow(void)
{
    if (memory.pages < PAGES_MAX) {
        uint8_t *larger = calloc(memory.pages + 1, RB_GUEST_PAGE_BYTES);
        FUZZ_CHECK(larger != NULL);
        memcpy(larger, memory.bytes, (size_t)memory.pages * RB_GUEST_PAGE_BYTES);
        free(memory.bytes);
        memory.bytes = larger;
        memory.pages++;
    }
}

/* --- the host's side --- */

static volatile uint8_t touched;

static void touch(const void *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        touched ^= ((const uint8_t *)data)[i];
    }
}

static void on_log(void *user, int level, const char *text, size_t len)
{
    (void)user;
    FUZZ_CHECK(level >= 0 && level <= 4 && len <= RB_ABI_LOG_MAX);
    touch(text, len);
}

/* Now and then the host says no. */
static int answer(struct rb_error *err)
{
    return touched % 5 == 0 ? rb_error_set(err, RB_ESTATE, "NO", "the host says no") : 0;
}

static int on_emit(void *user, const void *data, size_t len, struct rb_error *err)
{
    (void)user;
    FUZZ_CHECK(len > 0 && len <= BATCH_BYTES * 16);
    touch(data, len);
    return answer(err);
}

static int on_peek(void *user, size_t *ret_len, struct rb_error *err)
{
    (void)user;
    (void)err;
    *ret_len = BATCH_BYTES;
    return touched % 3 == 0 ? 1 : 0;
}

static int on_take(void *user, void *out, size_t len, struct rb_error *err)
{
    (void)user;
    FUZZ_CHECK(len == BATCH_BYTES);
    memset(out, 'b', len);
    return answer(err);
}

static int on_stream_end(void *user, struct rb_buf *ret, struct rb_error *err)
{
    (void)user;
    return touched % 3 == 0 ? 1 : touched % 5 == 0 ? answer(err) : rb_buf_append_str(ret, "{}");
}

static int on_get(void *user, int scope, const char *key, size_t key_len, struct rb_buf *ret,
                  struct rb_error *err)
{
    (void)user;
    FUZZ_CHECK(scope >= 0 && scope <= 2);
    touch(key, key_len);
    return touched % 3 == 0 ? 1 : touched % 5 == 0 ? answer(err) : rb_buf_append(ret, key, key_len);
}

static int on_put(void *user, int scope, const char *key, size_t key_len, const void *val,
                  size_t val_len, struct rb_error *err)
{
    (void)user;
    FUZZ_CHECK(scope >= 0 && scope <= 2);
    touch(key, key_len);
    touch(val, val_len);
    return answer(err);
}

static int on_cas(void *user, int scope, const char *key, size_t key_len, const void *expected,
                  size_t expected_len, const void *val, size_t val_len, struct rb_error *err)
{
    touch(expected, expected == NULL ? 0 : expected_len);
    int status = on_put(user, scope, key, key_len, val, val_len, err);
    return status != 0 ? status : touched % 2;
}

static int on_json(void *user, const char *json, size_t len, struct rb_error *err)
{
    (void)user;
    touch(json, len);
    return answer(err);
}

static int on_checkpoint(void *user, int kind, const char *json, size_t len, struct rb_error *err)
{
    (void)kind;
    return on_json(user, json, len, err);
}

static const struct rb_guest_ops ops = {
    .log = on_log,
    .emit_batch = on_emit,
    .peek_batch = on_peek,
    .take_batch = on_take,
    .stream_end = on_stream_end,
    .state_get = on_get,
    .state_put = on_put,
    .state_cas = on_cas,
    .checkpoint = on_checkpoint,
    .metric = on_json,
};

/* --- what lies around it --- */

static char folder[64], given[96], read_only[96];
static struct rb_guest_preopen preopens[2];
static int listener = -1, timer = -1;

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    return ftw->level == 0 ? 0 : remove(path);
}

static void remove_all(void)
{
    (void)nftw(folder, remove_entry, OPEN_NAMES_MAX, FTW_DEPTH | FTW_PHYS);
    (void)rmdir(folder);
}

/* ReadyForQuery and then some; a guest may read it in any pieces, or not at all. */
static void *serve(void *unused)
{
    static const char said[SAID_BYTES] = "R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
    (void)unused;
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0) {
            (void)send(fd, said, sizeof said, MSG_NOSIGNAL);
            (void)close(fd);
        }
    }
    return NULL;
}

static void listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    pthread_t thread;
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    FUZZ_CHECK(listener >= 0 &&
               bind(listener, (const struct sockaddr *)&address, sizeof address) == 0 &&
               listen(listener, 64) == 0);
    FUZZ_CHECK(pthread_create(&thread, NULL, serve, NULL) == 0);
}

static void set_up(void)
{
    char path[128];
    rb_wasmedge.MemoryInstanceGetPageSize = page_size;
    rb_wasmedge.MemoryInstanceGetPointer = get_pointer;
    (void)snprintf(folder, sizeof folder, "/tmp/rb-fuzz-XXXXXX");
    FUZZ_CHECK(mkdtemp(folder) != NULL && atexit(remove_all) == 0);
    (void)snprintf(given, sizeof given, "%s/given", folder);
    (void)snprintf(read_only, sizeof read_only, "%s/read", folder);
    FUZZ_CHECK(mkdir(given, 0700) == 0 && mkdir(read_only, 0700) == 0);
    (void)snprintf(path, sizeof path, "%s/file", read_only);
    FILE *file = fopen(path, "w");
    FUZZ_CHECK(file != NULL && fputs("what may be read\n", file) >= 0 && fclose(file) == 0);
    (void)snprintf(path, sizeof path, "%s/.s.PGSQL.5432", folder);
    listen_at(path);
    preopens[0] =
        (struct rb_guest_preopen){.guest_path = "/out", .host_path = given, .writable = true};
    preopens[1] = (struct rb_guest_preopen){.guest_path = "/in", .host_path = read_only};
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    FUZZ_CHECK(timer >= 0);
}

/* Nothing that one input made is there for the next. */
static void clean(void)
{
    (void)nftw(given, remove_entry, OPEN_NAMES_MAX, FTW_DEPTH | FTW_PHYS);
}

/* --- the calls --- */

struct input {
    const uint8_t *at, *end;
};

static uint64_t take(struct input *input, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes && input->at < input->end; i++) {
        value |= (uint64_t)*input->at++ << (8 * i);
    }
    return value;
}

/* Small numbers and places in the memory are what mostly gets anywhere; the rest is what must not.
 */
static uint64_t take_argument(struct input *input, char type)
{
    uint64_t size = (uint64_t)memory.pages * RB_GUEST_PAGE_BYTES, value = 0;
    switch (take(input, 1) % 8) {
    case 0:
    case 1:
        value = take(input, 1);
        break;
    case 2:
    case 3:
        value = take(input, 2);
        break;
    case 4:
        value = size - take(input, 1);
        break;
    case 5:
        value = UINT64_MAX - take(input, 1);
        break;
    case 6:
        value = (uint64_t)1 << (take(input, 1) % 64);
        break;
    default:
        value = take(input, 8);
        break;
    }
    return type == 'I' ? value : (uint32_t)value;
}

static const struct rb_guest_import *const tables[] = {
    rb_guest_core_imports, rb_guest_net_imports, rb_wasi_core_imports, rb_wasi_fd_imports,
    rb_wasi_path_imports,  rb_wasi_poll_imports, rb_wasi_sock_imports,
};

static const struct rb_guest_import *import_at(uint64_t number)
{
    size_t n = 0;
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
        for (const struct rb_guest_import *i = tables[t]; i->name != NULL; i++) {
            if (n++ == number) {
                return i;
            }
        }
    }
    return NULL;
}

static void write_memory(struct input *input)
{
    uint64_t offset = take(input, 2), len = take(input, 1) % 64;
    for (uint64_t i = 0; i < len; i++) {
        memory.bytes[offset + i < RB_GUEST_PAGE_BYTES ? offset + i : i] = (uint8_t)take(input, 1);
    }
}

/* As link.c calls them. */
static void call(struct rb_guest *guest, const struct rb_guest_import *import, struct input *input)
{
    uint64_t args[RB_GUEST_IMPORT_ARGS_MAX] = {0};
    for (size_t i = 0; import->params[i] != 0; i++) {
        args[i] = take_argument(input, import->params[i]);
    }
    if (!import->keeps_error && guest->last_error.status != 0) {
        rb_error_clear(&guest->last_error);
    }
    (void)import->fn(guest, args);
    FUZZ_CHECK(memchr(guest->last_error.message, 0, sizeof guest->last_error.message) != NULL);
}

static void run(struct rb_guest *guest, struct input *input)
{
    for (int i = 0; i < CALLS_MAX && input->at < input->end && guest->stop.status == 0; i++) {
        uint64_t what = take(input, 1);
        const struct rb_guest_import *import = import_at(what);
        if (import != NULL) {
            call(guest, import, input);
        } else if (what % 8 == 0) {
            grow();
        } else {
            write_memory(input);
        }
    }
}

/* What a guest would find there: its folders' names, a host, numbers that are offsets and lengths.
 */
static void fill(const struct rb_net_allow *allow)
{
    memory.pages = 1;
    memory.bytes = calloc(1, RB_GUEST_PAGE_BYTES);
    FUZZ_CHECK(memory.bytes != NULL);
    memcpy(memory.bytes + 16, allow->host, strlen(allow->host) + 1);
    memcpy(memory.bytes + 96, "file", 5);
    memcpy(memory.bytes + 112, "../read/file", 13);
    memcpy(memory.bytes + 128, "{\"name\":\"n\",\"value\":1}", 22);
    for (uint32_t i = 0; i < 32; i += 2) {
        const uint32_t iov[2] = {16 + 8 * i, 4 * i};
        memcpy(memory.bytes + 256 + 4 * i, iov, sizeof iov);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const secrets[] = {"hunter2"};
    static const char *const env[] = {"TZ=UTC", "LANG=C", NULL};
    static int context; /* stands for WasmEdge's; never looked at */
    if (timer < 0) {
        set_up();
    }
    const struct rb_net_allow allow = {.host = folder, .port = 5432};
    const struct rb_net_grant grant = {.allow = &allow,
                                       .n_allow = 1,
                                       .secrets = secrets,
                                       .n_secrets = 1,
                                       .max_sockets = 4,
                                       .connect_timeout_ms = 10,
                                       .idle_timeout_ms = 10};
    const struct itimerspec limit = {.it_value = {.tv_nsec = WAIT_MAX_NS}};
    struct rb_guest *guest = calloc(1, sizeof *guest);
    FUZZ_CHECK(guest != NULL && timerfd_settime(timer, 0, &limit, NULL) == 0);
    guest->options = (struct rb_guest_options){.connector_id = "fuzz",
                                               .memory_max_bytes = 1 << 20,
                                               .batch_max_bytes = BATCH_BYTES * 16,
                                               .cancel_fd = timer,
                                               .wasi_sockets = true,
                                               .env = env,
                                               .preopens = preopens,
                                               .n_preopens = 2,
                                               .ops = &ops};
    FUZZ_CHECK(rb_broker_new(&grant, timer, NULL, NULL, &guest->options.broker, NULL) == 0);
    FUZZ_CHECK(rb_wasi_new(guest, &guest->wasi, NULL) == 0);
    guest->memory = (WasmEdge_MemoryInstanceContext *)(void *)&context;
    touched = 0;
    fill(&allow);
    struct input input = {.at = data, .end = data + size};
    run(guest, &input);
    rb_wasi_flush(guest);
    rb_wasi_free(guest->wasi);
    rb_broker_free(guest->options.broker);
    free(memory.bytes);
    free(guest);
    clean();
    return 0;
}
