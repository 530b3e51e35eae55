/* Guests that each try one thing (tests/e2e/hostile.t): sources, which say "held" as their error
 * when the host held, or what it let them do. */
#ifndef RB_TESTS_HOSTILE_HOSTILE_H
#define RB_TESTS_HOSTILE_HOSTILE_H

#include <stdio.h>

#include "tests/guests/plain.h"
#include "tests/guests/plain_batch.h"

IMPORT(rb_host_state_get)(int32_t scope, const void *key, uint32_t key_len, void *out,
                          uint32_t cap);
IMPORT(rb_host_state_put)(int32_t scope, const void *key, uint32_t key_len, const void *value,
                          uint32_t value_len);
IMPORT(rb_host_checkpoint)(int32_t kind, const void *json, uint32_t len);
IMPORT(rb_host_metric)(const void *json, uint32_t len);
IMPORT(rb_host_net_connect)(const void *host, uint32_t host_len, int32_t port, int32_t timeout_ms);
IMPORT(rb_host_net_send)(int32_t handle, const void *data, uint32_t len);
IMPORT(rb_host_net_recv)(int32_t handle, void *out, uint32_t cap, int32_t timeout_ms);
IMPORT(rb_host_net_start_tls)(int32_t handle);
IMPORT(rb_host_net_close)(int32_t handle);
IMPORT(rb_host_net_cancel_packet)(int32_t handle, const void *packet, uint32_t len);

/* The error "held", or what was let through (NULL: nothing). */
static inline uint64_t verdict(const char *let_through)
{
    static char result[512];
    snprintf(
        result, sizeof result,
        "{\"status\":\"err\",\"error\":{\"category\":\"internal\",\"scope\":\"stream\","
        "\"code\":\"VERDICT\",\"message\":\"%s%s\",\"retryable\":false}}",
        let_through == NULL ? "held" : "let through: ", let_through == NULL ? "" : let_through);
    return answer(result);
}

static inline uint64_t read_rows(int rows)
{
    static char result[256];
    snprintf(result, sizeof result,
             "{\"status\":\"ok\",\"data\":{\"records_read\":%d,\"bytes_read\":1,"
             "\"batches_emitted\":%d,\"checkpoint_count\":0,\"records_skipped\":0}}",
             rows, rows / PLAIN_BATCH_ROWS);
    return answer(result);
}

/* A port of 127.0.0.1 that somebody listens on, from the configuration. */
static int server_port;

#define PORT_FROM_OPEN                                                                             \
    EXPORT(rb_open) uint64_t rb_open(const char *json, uint32_t len)                               \
    {                                                                                              \
        static const char key[] = "\"port\":";                                                     \
        for (uint32_t i = 0; i + sizeof key < len; i++) {                                          \
            if (memcmp(json + i, key, sizeof key - 1) == 0) {                                      \
                server_port = (int)strtol(json + i + sizeof key - 1, NULL, 10);                    \
            }                                                                                      \
        }                                                                                          \
        return answer(OPEN_INFO);                                                                  \
    }

/* As PLAIN_SOURCE, with the port of the configuration. */
#define HOSTILE_SOURCE(...)                                                                        \
    PLAIN_EXPORTS_BUT_OPEN                                                                         \
    PORT_FROM_OPEN                                                                                 \
    PLAIN_READS(__VA_ARGS__)

#endif
