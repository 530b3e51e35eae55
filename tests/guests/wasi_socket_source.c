/* A source that connects by WASI's sockets, with WasmEdge's signatures, to the IPv4 address and
 * port in the configuration ("address": "127.0.0.1", "port": 5432), reads what the peer says first,
 * and logs it. */
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

enum { FAMILY_INET4 = 1, TYPE_STREAM = 2 };

WASI(sock_open)(int32_t family, int32_t type, uint32_t *ret_fd);
WASI(sock_connect)(uint32_t fd, const struct address *address, uint32_t port);
WASI(sock_recv)(uint32_t fd, const struct vector *vectors, uint32_t n_vectors, uint32_t flags,
                uint32_t *ret_size, uint32_t *ret_flags);

uint64_t rb_discover(const char *json, uint32_t len);
uint64_t rb_run_read(const char *json, uint32_t len);

static char config[4096];

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
    (void)json, (void)len;
    return answer(CATALOG);
}

EXPORT(rb_run_read) uint64_t rb_run_read(const char *json, uint32_t len)
{
    (void)json, (void)len;
    uint8_t bytes[4];
    char greeting[256];
    const char *port = strstr(config, "\"port\":");
    struct address address = {.bytes = bytes, .size = sizeof bytes};
    struct vector vector = {.data = greeting, .size = sizeof greeting};
    uint32_t fd = 0;
    uint32_t size = 0;
    uint32_t flags = 0;
    if (port == NULL || parse_address(bytes) < 0) {
        return failed("no address and port in the configuration", 0);
    }
    int32_t code = sock_open(FAMILY_INET4, TYPE_STREAM, &fd);
    if (code != 0) {
        return failed("sock_open", code);
    }
    code = sock_connect(fd, &address, (uint32_t)strtol(port + strlen("\"port\":"), NULL, 10));
    if (code != 0) {
        return failed("sock_connect", code);
    }
    code = sock_recv(fd, &vector, 1, 0, &size, &flags);
    if (code != 0) {
        return failed("sock_recv", code);
    }
    rb_host_log(2, greeting, size);
    if (rb_host_emit_batch(plain_batch, sizeof plain_batch) != 0) {
        return failed("rb_host_emit_batch", 0);
    }
    return answer("{\"status\":\"ok\",\"data\":{\"records_read\":3,\"batches_emitted\":1}}");
}
