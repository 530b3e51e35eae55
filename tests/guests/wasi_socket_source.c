/*
 * A source as other toolchains build them (Rust for wasm32-wasi, with WasmEdge's sockets): imports
 * WASI's sockets and whatever else such programs do, exports _start and __main_void, which are not
 * to be called, and no _initialize; its memory has 22 pages and no maximum. It answers rb_discover
 * only when given an OpenContext, and reads only when sent a schema without columns.
 *
 * It connects to the IPv4 address and port in its configuration, asks the PostgreSQL there for TLS
 * (SSLRequest), logs the byte that it is answered, and whether it was given its password.
 */
#include <stdio.h>

#include "tests/guests/plain.h"
#include "tests/guests/plain_batch.h"

#define WASI(symbol)                                                                               \
    __attribute__((import_module("wasi_snapshot_preview1"), import_name(#symbol))) int32_t symbol

struct address {
    const uint8_t *bytes;
    uint32_t size;
};
struct vector {
    void *data;
    uint32_t size;
};
struct subscription {
    uint64_t user_data;
    uint8_t kind;
    uint32_t fd;
    uint8_t rest[28];
};
struct event {
    uint64_t user_data;
    uint16_t error;
    uint8_t kind;
    uint8_t rest[20];
};

enum { FAMILY_INET4 = 1, TYPE_STREAM = 2, LEVEL_SOCKET = 0, OPTION_ERROR = 2, POLL_READ = 1 };

WASI(sock_open)(int32_t family, int32_t type, uint32_t *ret_fd);
WASI(sock_connect)(uint32_t fd, const struct address *address, uint32_t port);
WASI(sock_send)(uint32_t fd, const struct vector *vectors, uint32_t n_vectors, uint32_t flags,
                uint32_t *ret_size);
WASI(sock_recv)(uint32_t fd, const struct vector *vectors, uint32_t n_vectors, uint32_t flags,
                uint32_t *ret_size, uint32_t *ret_flags);
WASI(sock_getaddrinfo)(const char *node, uint32_t node_len, const char *service,
                       uint32_t service_len, const void *hints, void *ret, uint32_t max,
                       uint32_t *ret_count);
WASI(sock_getsockopt)(uint32_t fd, int32_t level, int32_t name, void *value, uint32_t *len);
WASI(sock_setsockopt)(uint32_t fd, int32_t level, int32_t name, const void *value, uint32_t len);
WASI(sock_shutdown)(uint32_t fd, int32_t how);
WASI(poll_oneoff)(const struct subscription *in, struct event *out, uint32_t n, uint32_t *ret_n);
WASI(sched_yield)(void);
WASI(clock_time_get)(int32_t id, int64_t precision, uint64_t *ret);
WASI(random_get)(void *out, uint32_t len);
WASI(environ_sizes_get)(uint32_t *ret_count, uint32_t *ret_bytes);
WASI(environ_get)(uint32_t *pointers, char *texts);
WASI(fd_write)(uint32_t fd, const struct vector *vectors, uint32_t n_vectors, uint32_t *ret_size);
WASI(fd_close)(uint32_t fd);
WASI(fd_fdstat_get)(uint32_t fd, void *ret);
WASI(fd_fdstat_set_flags)(uint32_t fd, uint32_t flags);
WASI(fd_prestat_get)(uint32_t fd, void *ret);
WASI(fd_prestat_dir_name)(uint32_t fd, char *ret, uint32_t len);
__attribute__((import_module("wasi_snapshot_preview1"), import_name("proc_exit"))) void
proc_exit(int32_t);

uint64_t rb_discover(const char *json, uint32_t len);
uint64_t rb_run_read(const char *json, uint32_t len);
void start(void);
int32_t main_void(void);

static char config[4096];

EXPORT(_start) void start(void)
{
    proc_exit(1);
}

EXPORT(__main_void) int32_t main_void(void)
{
    __builtin_trap();
}

EXPORT(rb_allocate) void *rb_allocate(uint32_t size)
{
    return malloc(size > 0 ? size : 1);
}

EXPORT(rb_deallocate) void rb_deallocate(void *data, uint32_t capacity)
{
    (void)capacity;
    free(data);
}

static uint64_t failed(const char *what, int32_t code)
{
    char result[256];
    snprintf(
        result, sizeof result,
        "{\"status\":\"err\",\"error\":{\"category\":\"transient_network\",\"scope\":\"stream\","
        "\"code\":\"SOCKET\",\"message\":\"%s: errno %d\",\"retryable\":false}}",
        what, (int)code);
    return answer(result);
}

static void say(const char *text)
{
    rb_host_log(2, text, (uint32_t)strlen(text));
}

static int holds(const char *json, uint32_t len, const char *part)
{
    return memmem(json, len, part, strlen(part)) != NULL;
}

static int parse_address(uint8_t bytes[4])
{
    const char *at = strstr(config, "\"address\":\"");
    at = at == NULL ? NULL : at + strlen("\"address\":\"");
    for (int i = 0; i < 4; i++) {
        char *end;
        long part = at == NULL ? -1 : strtol(at, &end, 10);
        if (part < 0 || part > 255) {
            return -1;
        }
        bytes[i] = (uint8_t)part;
        at = end + 1;
    }
    return 0;
}

EXPORT(rb_open) uint64_t rb_open(const char *json, uint32_t len)
{
    snprintf(config, sizeof config, "%.*s", (int)len, json);
    return answer(OPEN_INFO);
}

EXPORT(rb_validate) uint64_t rb_validate(const char *json, uint32_t len)
{
    (void)json, (void)len;
    return answer("{\"status\":\"ok\",\"data\":{\"status\":\"success\",\"message\":\"\"}}");
}

EXPORT(rb_close) int32_t rb_close(void)
{
    return 0;
}

EXPORT(rb_discover) uint64_t rb_discover(const char *json, uint32_t len)
{
    return holds(json, len, "\"config\":{\"json\":{") && holds(json, len, "\"connector_id\":")
               ? answer(CATALOG)
               : failed("rb_discover without an OpenContext", 0);
}

/* What a language's runtime does on its way: 0, or an errno that it would not survive. */
static int32_t run_time(void)
{
    uint32_t count = 0;
    uint32_t bytes = 0;
    uint64_t now = 0;
    uint64_t stat[3] = {0};
    uint32_t prestat[2] = {0};
    char texts[64] = "";
    uint32_t pointers[8] = {0};
    const struct vector nothing = {.data = texts, .size = 0};
    int32_t code = environ_sizes_get(&count, &bytes);
    code = code != 0 ? code : count == 0 ? environ_get(pointers, texts) : 1;
    code = code != 0 ? code : clock_time_get(1, 1000, &now);
    code = code != 0 ? code : random_get(texts, sizeof texts);
    code = code != 0 ? code : sched_yield();
    code = code != 0 ? code : fd_fdstat_get(1, stat);
    code = code != 0 ? code : fd_write(1, &nothing, 1, &bytes);
    /* No folders were granted: BADF ends the search for them. */
    enum { BADF = 8 };
    code = code != 0 ? code : fd_prestat_get(3, prestat) == BADF ? 0 : 2;
    return code != 0 ? code : fd_prestat_dir_name(3, texts, sizeof texts) == BADF ? 0 : 3;
}

static int32_t wait_for_answer(uint32_t fd)
{
    const struct subscription in = {.user_data = 7, .kind = POLL_READ, .fd = fd};
    struct event out = {0};
    uint32_t n = 0;
    int32_t code = poll_oneoff(&in, &out, 1, &n);
    return code != 0 ? code : n != 1 || out.user_data != 7 ? 1 : out.error;
}

static uint64_t ask(uint32_t fd)
{
    static uint8_t request[8] = {0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f};
    struct vector vector = {.data = request, .size = sizeof request};
    uint32_t size = 0;
    uint32_t flags = 0;
    int32_t pending = 0;
    char text[64] = "the server answered ?";
    const uint32_t timeout[4] = {5, 0, 0, 0};
    int32_t code = sock_getsockopt(fd, LEVEL_SOCKET, OPTION_ERROR, &pending, &size);
    code = code != 0 ? code : sock_setsockopt(fd, LEVEL_SOCKET, 11, timeout, sizeof timeout);
    code = code != 0 ? code : fd_fdstat_set_flags(fd, 0);
    code = code != 0 ? code : sock_send(fd, &vector, 1, 0, &size);
    if (code != 0 || size != sizeof request) {
        return failed("sock_send", code);
    }
    code = wait_for_answer(fd);
    if (code != 0) {
        return failed("poll_oneoff", code);
    }
    vector = (struct vector){.data = text + strlen(text) - 1, .size = 1};
    code = sock_recv(fd, &vector, 1, 0, &size, &flags);
    if (code != 0 || size != 1) {
        return failed("sock_recv", code);
    }
    say(text);
    code = sock_shutdown(fd, 3);
    code = code != 0 ? code : fd_close(fd);
    if (code != 0 || rb_host_emit_batch(plain_batch, sizeof plain_batch) != 0) {
        return failed("the end", code);
    }
    return answer("{\"status\":\"ok\",\"data\":{\"records_read\":3,\"batches_emitted\":1}}");
}

EXPORT(rb_run_read) uint64_t rb_run_read(const char *json, uint32_t len)
{
    uint8_t bytes[4];
    const char *port = strstr(config, "\"port\":");
    struct address address = {.bytes = bytes, .size = sizeof bytes};
    uint32_t fd = 0;
    if (!holds(json, len, "\"schema\":{\"columns\":[]}")) {
        return failed("a schema with columns", 0);
    }
    if (port == NULL || parse_address(bytes) < 0) {
        return failed("no address and port in the configuration", 0);
    }
    say(strstr(config, "\"password\":\"") != NULL ? "the password was given"
        : strstr(config, "{\"$secret\":") != NULL ? "the password was kept"
                                                  : "there is no password");
    int32_t code = run_time();
    if (code != 0) {
        return failed("the runtime", code);
    }
    uint32_t found = 0;
    if (sock_getaddrinfo("denied.invalid", 14, "5432", 4, NULL, NULL, 0, &found) == 0) {
        return failed("sock_getaddrinfo finds what is not on the list", 0);
    }
    code = sock_open(FAMILY_INET4, TYPE_STREAM, &fd);
    if (code != 0) {
        return failed("sock_open", code);
    }
    code = sock_connect(fd, &address, (uint32_t)strtol(port + strlen("\"port\":"), NULL, 10));
    return code != 0 ? failed("sock_connect", code) : ask(fd);
}
