/*
 * The host's part, for native tests of connectors: batches, state and the network as a test scripts
 * them. It defines the imports of sdk/src/imports.h. One double per process; rb_double_reset
 * before each test and at its end.
 */
#ifndef RB_SDK_NATIVE_HOST_DOUBLE_H
#define RB_SDK_NATIVE_HOST_DOUBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/rapidbyte_abi.h"
#include "base/buf.h"
#include "base/error.h"
#include "rapidbyte/connector.h"

/* What a connector handed over, in order. */
struct rb_double_list {
    struct rb_buf *items;
    size_t n;
};

/* The network that the connector sees. Functions that are NULL fail with RB_EPERM. Statuses are
 * enum rb_status; `err` is what the connector gets to read. */
struct rb_double_net {
    /* Returns a handle > 0 or a failure. */
    int (*connect)(void *self, const char *host, int port, int timeout_ms, struct rb_error *err);
    int (*start_tls)(void *self, int handle, struct rb_error *err);
    int (*authenticate)(void *self, int handle, uint32_t secret, const char *user_name,
                        struct rb_error *err);
    int (*send)(void *self, int handle, const void *data, size_t len, struct rb_error *err);
    /* 0: *ret_len bytes, 0 = closed; 1: the deadline passed. */
    int (*recv)(void *self, int handle, void *out, size_t cap, int timeout_ms, size_t *ret_len,
                struct rb_error *err);
    int (*close)(void *self, int handle, struct rb_error *err);
};

/* Everything that was captured; to read. */
struct rb_double {
    struct rb_double_list emitted;     /* Arrow IPC */
    struct rb_double_list logs;        /* "<level digit> <text>" */
    struct rb_double_list checkpoints; /* "<kind digit> <json>" */
    struct rb_double_list metrics;     /* JSON */
    struct rb_buf cancel_packet;       /* the newest */
    int n_open;                        /* connections */
};
extern struct rb_double rb_double;

/* Forgets all that was captured and scripted. */
void rb_double_reset(void);

/* What rb_host_next_batch will hand out, in order: batches, then one of the three ends. Without an
 * end it fails, as an import does that a test forgot to script. */
void rb_double_feed_batch(const void *data, size_t len);
/* Ends well; `stream_end_json` is what rb_host_stream_end answers from then on. */
void rb_double_feed_end(const char *stream_end_json);
void rb_double_feed_abort(void);
void rb_double_feed_cancel(void);
/* Feeds all that was emitted so far, and empties that list: a source's output to a destination. */
void rb_double_feed_emitted(void);
/* The n-th rb_host_emit_batch from now (1 = the next) and all later ones fail with `code`. */
void rb_double_fail_emit(int n, const char *code);

/* Value stored under scope and key; NULL: none. */
const struct rb_buf *rb_double_state(enum rb_state_scope scope, const char *key);
void rb_double_set_state(enum rb_state_scope scope, const char *key, const void *value, size_t len);

void rb_double_set_tls_mode(enum rb_tls_mode mode);
/* Borrowed until the reset. */
void rb_double_set_net(const struct rb_double_net *net, void *self);

/* Real sockets, TCP or Unix (a path, or a directory that holds .s.PGSQL.<port>). No TLS.
 * Authenticates where the server asks for nothing (trust); self is not used. */
extern const struct rb_double_net rb_double_tcp;

/* A peer in memory: hands out `says` in pieces of at most `piece` bytes, then as if closed, or,
 * with `hangs`, as if silent. Keeps what it was sent. */
struct rb_double_peer {
    struct rb_buf says;
    size_t said;
    size_t piece; /* 0: as many as asked for */
    bool hangs;
    struct rb_buf heard;
};
/* self: a struct rb_double_peer. */
extern const struct rb_double_net rb_double_peer_net;
void rb_double_peer_init(struct rb_double_peer *peer);
void rb_double_peer_release(struct rb_double_peer *peer);

/* rb_sdk_dispatch with texts: the ConnectorResult, a string to free(). */
char *rb_double_call(const struct rb_connector *connector, enum rb_sdk_call call, const char *json);

#endif
