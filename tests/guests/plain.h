/* What the guests of the tests share: the contract (docs/protocol.md) and nothing of the SDK. */
#ifndef RB_TESTS_GUESTS_PLAIN_H
#define RB_TESTS_GUESTS_PLAIN_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define IMPORT(symbol)                                                                             \
    __attribute__((import_module("rapidbyte"), import_name(#symbol))) int32_t symbol
#define EXPORT(symbol) __attribute__((export_name(#symbol)))

IMPORT(rb_host_log)(int32_t level, const void *text, uint32_t len);
IMPORT(rb_host_emit_batch)(const void *data, uint32_t len);
IMPORT(rb_host_next_batch)(void *out, uint32_t cap);
IMPORT(rb_host_last_error)(void *out, uint32_t cap);
IMPORT(rb_host_stream_end)(void *out, uint32_t cap);

void *rb_allocate(uint32_t size);
void rb_deallocate(void *data, uint32_t capacity);
uint64_t rb_open(const char *json, uint32_t len);
uint64_t rb_validate(const char *json, uint32_t len);
int32_t rb_close(void);

/* A result in memory that the host will free. */
static inline uint64_t answer(const char *text)
{
    uint32_t len = (uint32_t)strlen(text);
    char *copy = malloc(len);
    if (copy == NULL) {
        __builtin_trap();
    }
    memcpy(copy, text, len);
    return (uint64_t)(uintptr_t)copy << 32 | len;
}

#define OPEN_INFO                                                                                  \
    "{\"status\":\"ok\",\"data\":{\"protocol_version\":\"1\",\"features\":[],"                     \
    "\"default_max_batch_bytes\":1048576}}"

/* The exports that are alike in all of them. */
#define PLAIN_EXPORTS                                                                              \
    PLAIN_EXPORTS_BUT_OPEN                                                                         \
    EXPORT(rb_open) uint64_t rb_open(const char *json, uint32_t len)                               \
    {                                                                                              \
        (void)json, (void)len;                                                                     \
        return answer(OPEN_INFO);                                                                  \
    }

#define PLAIN_EXPORTS_BUT_OPEN                                                                     \
    EXPORT(rb_allocate) void *rb_allocate(uint32_t size)                                           \
    {                                                                                              \
        return malloc(size > 0 ? size : 1);                                                        \
    }                                                                                              \
    EXPORT(rb_deallocate) void rb_deallocate(void *data, uint32_t capacity)                        \
    {                                                                                              \
        (void)capacity;                                                                            \
        free(data);                                                                                \
    }                                                                                              \
    EXPORT(rb_validate) uint64_t rb_validate(const char *json, uint32_t len)                       \
    {                                                                                              \
        (void)json, (void)len;                                                                     \
        return answer("{\"status\":\"ok\",\"data\":{\"status\":\"success\",\"message\":\"\"}}");   \
    }                                                                                              \
    EXPORT(rb_close) int32_t rb_close(void)                                                        \
    {                                                                                              \
        return 0;                                                                                  \
    }

#define CATALOG                                                                                    \
    "{\"status\":\"ok\",\"data\":{\"streams\":[{\"name\":\"plain\",\"schema\":["                   \
    "{\"name\":\"n\",\"data_type\":\"int64\",\"nullable\":false},"                                 \
    "{\"name\":\"s\",\"data_type\":\"utf8\",\"nullable\":true}],"                                  \
    "\"supported_sync_modes\":[\"full_refresh\"]}]}}"

/* A source: discovers the stream "plain" and reads it by the statement block given. */
#define PLAIN_SOURCE(...)                                                                          \
    PLAIN_EXPORTS                                                                                  \
    PLAIN_READS(__VA_ARGS__)

/* What makes a source of the exports that are alike. */
#define PLAIN_READS(...)                                                                           \
    uint64_t rb_discover(const char *json, uint32_t len);                                          \
    uint64_t rb_run_read(const char *json, uint32_t len);                                          \
    EXPORT(rb_discover) uint64_t rb_discover(const char *json, uint32_t len)                       \
    {                                                                                              \
        (void)json, (void)len;                                                                     \
        return answer(CATALOG);                                                                    \
    }                                                                                              \
    EXPORT(rb_run_read) uint64_t rb_run_read(const char *json, uint32_t len)                       \
    {                                                                                              \
        (void)json, (void)len;                                                                     \
        __VA_ARGS__                                                                                \
    }

#endif
