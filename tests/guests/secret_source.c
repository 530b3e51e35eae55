/*
 * A source that looks for a password in its own memory. It is told what to look for as `mirror`,
 * the password read backwards, so that it does not bring along what it looks for; `marker` shows
 * that it would find it. What it was given it logs as it is.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/guests/plain.h"
#include "tests/guests/plain_batch.h"

extern char **environ;

static char *config;
static char mirror[256], marker[256];

static void log_text(const char *text)
{
    (void)rb_host_log(3, text, (uint32_t)strlen(text));
}

static void member(const char *key, char *out, size_t cap)
{
    const char *at = strstr(config, key);
    size_t n = 0;
    for (at = at == NULL ? "" : at + strlen(key); *at != '\0' && *at != '"' && n + 1 < cap; at++) {
        out[n++] = *at;
    }
    out[n] = '\0';
}

static size_t count(const char *text, bool backwards)
{
    size_t n = strlen(text), found = 0;
    const char *end = (const char *)(__builtin_wasm_memory_size(0) * 65536);
    for (const volatile char *p = (const char *)1; n > 0 && p + n <= end; p++) {
        size_t same = 0;
        while (same < n && p[same] == text[backwards ? n - 1 - same : same]) {
            same++;
        }
        found += same == n ? 1 : 0;
    }
    return found;
}

static void look(const char *when)
{
    char text[256];
    snprintf(text, sizeof text, "%s: the password %zu times, the marker %s, in %zu bytes", when,
             count(mirror, true), count(marker, false) > 1 ? "found" : "missing",
             __builtin_wasm_memory_size(0) * 65536);
    log_text(text);
}

PLAIN_EXPORTS_BUT_OPEN

uint64_t rb_discover(const char *json, uint32_t len);
uint64_t rb_run_read(const char *json, uint32_t len);

EXPORT(rb_open) uint64_t rb_open(const char *json, uint32_t len)
{
    config = malloc((size_t)len + 1);
    if (config == NULL) {
        __builtin_trap();
    }
    memcpy(config, json, len);
    config[len] = '\0';
    member("\"mirror\":\"", mirror, sizeof mirror);
    member("\"marker\":\"", marker, sizeof marker);
    log_text(config);
    for (char **at = environ; at != NULL && *at != NULL; at++) {
        log_text(*at);
    }
    look("opened");
    return answer(OPEN_INFO);
}

EXPORT(rb_discover) uint64_t rb_discover(const char *json, uint32_t len)
{
    (void)json, (void)len;
    return answer(CATALOG);
}

EXPORT(rb_run_read) uint64_t rb_run_read(const char *json, uint32_t len)
{
    (void)json, (void)len;
    look("read");
    if (rb_host_emit_batch(plain_batch, sizeof plain_batch) != 0) {
        __builtin_trap();
    }
    return answer("{\"status\":\"ok\",\"data\":{\"records_read\":3,\"bytes_read\":1,"
                  "\"batches_emitted\":1,\"checkpoint_count\":0,\"records_skipped\":0}}");
}
