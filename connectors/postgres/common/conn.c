#include "connectors/postgres/common/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "connectors/postgres/common/session.h"
#include "connectors/postgres/common/wire.h"
#include "rapidbyte/host.h"
#include "rapidbyte/net.h"

enum {
    PROTOCOL_3_0 = 196608,
    SSL_REQUEST = 80877103,
    CANCEL_REQUEST = 80877102,
    BACKEND_KEY_BYTES = 8,
};

/* What start_tls came to, beside a status. */
enum { NO_TLS_THERE = 1 };

static void reset(struct rb_conn *conn)
{
    if (conn->handle > 0) {
        rb_net_close(conn->handle, NULL);
    }
    conn->handle = 0;
    conn->usable = false;
    conn->encrypted = conn->wants_tls = false;
    conn->rx_pos = conn->rx_len = 0;
    rb_buf_clear(&conn->tx);
}

static int put_pair(struct rb_conn *conn, const char *name, const char *value)
{
    int r = rb_wire_put_str(conn, name);
    return r < 0 ? r : rb_wire_put_str(conn, value);
}

/* Nothing that changes how SQL of the user runs (settings.h), and nothing that poolers refuse. */
static int put_startup(struct rb_conn *conn, const struct rb_conn_config *config)
{
    const char *const pairs[][2] = {
        {"user", config->user},
        {"database", config->database},
        {"application_name", config->application_name},
        {"client_encoding", "UTF8"},
    };
    int r = rb_wire_begin(conn, 0);
    r = r < 0 ? r : rb_buf_append_be32(&conn->tx, PROTOCOL_3_0);
    for (size_t i = 0; r == 0 && i < sizeof pairs / sizeof *pairs; i++) {
        r = put_pair(conn, pairs[i][0], pairs[i][1]);
    }
    r = r < 0 ? r : rb_buf_append_byte(&conn->tx, 0);
    return r < 0 ? r : rb_wire_end(conn);
}

/* 0: encrypted; NO_TLS_THERE: the server does not do TLS. */
static int start_tls(struct rb_conn *conn, struct rb_error *err)
{
    uint8_t request[8];
    conn->wants_tls = true;
    rb_store_be32(request, sizeof request);
    rb_store_be32(request + 4, SSL_REQUEST);
    int r = rb_wire_send(conn, request, sizeof request, err);
    char answer = 0;
    if (r < 0 || (r = rb_wire_receive_byte(conn, &answer, err)) < 0) {
        return r;
    }
    if (answer == 'N') {
        conn->wants_tls = false;
        return NO_TLS_THERE;
    }
    if (answer != 'S') {
        return rb_error_set(err, RB_EPROTOCOL, "PROTOCOL_VIOLATION",
                            "the server answered the request for TLS with byte 0x%02x: is it "
                            "PostgreSQL?",
                            (unsigned)(uint8_t)answer);
    }
    r = rb_net_start_tls(conn->handle, err);
    conn->encrypted = r == 0;
    return r;
}

static int note_backend_key(struct rb_conn *conn, const struct rb_wire_message *m,
                            struct rb_error *err)
{
    if (m->len != BACKEND_KEY_BYTES) {
        return rb_wire_unexpected(conn, m, "with a key of the wrong length", err);
    }
    conn->backend_pid = rb_load_be32(m->body);
    uint8_t packet[8 + BACKEND_KEY_BYTES];
    rb_store_be32(packet, sizeof packet);
    rb_store_be32(packet + 4, CANCEL_REQUEST);
    memcpy(packet + 8, m->body, BACKEND_KEY_BYTES);
    return rb_net_set_cancel_packet(conn->handle, packet, sizeof packet, err);
}

/* Authenticated: settings and key come, then ReadyForQuery. */
static int await_ready(struct rb_conn *conn, struct rb_error *err)
{
    for (;;) {
        struct rb_wire_message m;
        int r = rb_wire_receive(conn, &m, err);
        if (r < 0) {
            return r;
        }
        switch (m.type) {
        case 'K':
            r = note_backend_key(conn, &m, err);
            break;
        case 'E':
            return rb_wire_error(conn, &m, err);
        case 'Z':
            return rb_wire_ready(conn, &m, err);
        case 'v': /* NegotiateProtocolVersion: we asked for the oldest there is */
            break;
        default:
            return rb_wire_unexpected(conn, &m, "while the session was starting", err);
        }
        if (r < 0) {
            return r;
        }
    }
}

static int tls_unsupported(struct rb_error *err)
{
    rb_error_set(err, RB_ENETWORK, "TLS_UNSUPPORTED", "the server does not offer TLS");
    if (err) {
        err->retryable = false;
        err->category = RB_CATEGORY_CONFIG;
    }
    rb_error_set_hint(err, "set sslmode to prefer or disable, or turn ssl on at the server");
    return RB_ENETWORK;
}

/* The server has no rule for us with, or without, encryption (pg_hba.conf): another try may pass. A
 * wrong password would not. */
static bool is_refused_by_rule(const struct rb_error *err)
{
    return strcmp(err->sqlstate, "28000") == 0;
}

/* Where only one way is tried. Which rule was looked for shows in no field but the message, and the
 * file's name is the same in every language. */
static void hint_at_rule(const struct rb_conn *conn, const struct rb_conn_config *config,
                         struct rb_error *err)
{
    enum rb_tls_mode mode = rb_net_tls_mode();
    if (!is_refused_by_rule(err) || strstr(err->message, "pg_hba.conf") == NULL ||
        config->host[0] == '/' || mode == RB_TLS_PREFER || mode == RB_TLS_ALLOW) {
        return;
    }
    rb_error_set_hint(err,
                      conn->encrypted
                          ? "the server's pg_hba.conf has no rule for this role, database and "
                            "address with TLS; if it has one without (hostnossl), set sslmode to "
                            "prefer or disable"
                          : "the server's pg_hba.conf has no rule for this role, database and "
                            "address without TLS; if it has one with it (hostssl), set sslmode to "
                            "prefer, require or verify-full");
}

/* How one connection begins. */
enum encryption { PLAIN, TLS_IF_THERE, TLS };

static int connect_once(struct rb_conn *conn, const struct rb_conn_config *config,
                        enum encryption encryption, struct rb_error *err)
{
    reset(conn);
    int64_t timeout_ms = config->connect_timeout_ms > 0 ? config->connect_timeout_ms : -1;
    int r = rb_net_connect(config->host, config->port, timeout_ms, &conn->handle, err);
    if (r < 0) {
        return r;
    }
    conn->usable = true;
    r = encryption == PLAIN ? 0 : start_tls(conn, err);
    if (r < 0) {
        return r;
    }
    if (r == NO_TLS_THERE && encryption == TLS) {
        return tls_unsupported(err);
    }
    r = put_startup(conn, config);
    if (r < 0) {
        return rb_error_set(err, r, "OUT_OF_MEMORY", "no memory for the startup message");
    }
    r = rb_wire_flush(conn, err);
    r = r < 0 ? r
              : rb_net_authenticate_postgres(conn->handle, config->secret_id, config->user, err);
    r = r < 0 ? r : await_ready(conn, err);
    if (r < 0 && err) {
        hint_at_rule(conn, config, err);
    }
    return r;
}

/* As libpq: allow is plain first, prefer is TLS first, and each tries the other way when refused.
 */
static int connect_by_mode(struct rb_conn *conn, const struct rb_conn_config *config,
                           struct rb_error *err)
{
    enum rb_tls_mode mode = rb_net_tls_mode();
    struct rb_error first, second;
    if (config->host[0] == '/' || mode == RB_TLS_DISABLE) {
        return connect_once(conn, config, PLAIN, err);
    }
    if (mode == RB_TLS_ALLOW) {
        int r = connect_once(conn, config, PLAIN, &first);
        if (r < 0 && is_refused_by_rule(&first) && connect_once(conn, config, TLS, &second) == 0) {
            return 0;
        }
        if (r < 0 && err) {
            *err = first;
        }
        return r;
    }
    int r = connect_once(conn, config, mode == RB_TLS_PREFER ? TLS_IF_THERE : TLS, &first);
    bool handshake_failed = r < 0 && conn->handle > 0 && conn->wants_tls && !conn->encrypted &&
                            (r == RB_ENETWORK || r == RB_EPROTOCOL || r == RB_EAUTH);
    bool refused = r < 0 && conn->encrypted && is_refused_by_rule(&first);
    if (mode == RB_TLS_PREFER && (handshake_failed || refused) &&
        connect_once(conn, config, PLAIN, &second) == 0) {
        return 0;
    }
    if (r < 0 && err) {
        *err = first;
    }
    return r;
}

int rb_conn_open(const struct rb_conn_config *config, struct rb_conn **ret_conn,
                 struct rb_error *err)
{
    RB_CLEANUP(rb_conn_closep) struct rb_conn *conn = calloc(1, sizeof *conn);
    if (!conn) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a connection");
    }
    rb_buf_init(&conn->tx, RB_WIRE_SEND_MAX);
    rb_buf_init(&conn->copy_in, 0);
    rb_buf_init(&conn->own_settings, RB_SESSION_SETTINGS_MAX);
    rb_buf_init(&conn->prepared, RB_WIRE_SEND_MAX);
    rb_conn_set_max_record(conn, config->max_record_bytes);
    conn->has_statement_timeout = config->statement_timeout_ms > 0;
    if (config->connect_timeout_ms > 0) {
        conn->deadline_secs = rb_clock_secs() + (double)config->connect_timeout_ms / 1000;
    }
    struct rb_error own;
    rb_error_clear(&own);
    int r = connect_by_mode(conn, config, &own);
    r = r < 0 ? r : rb_session_prepare(conn, config, &own);
    if (r < 0) {
        if (strcmp(own.sqlstate, "3D000") == 0) {
            r = own.status = RB_ECONFIG;
            own.category = RB_CATEGORY_CONFIG;
        }
        own.safe_to_retry = own.retryable; /* nothing was done yet */
        rb_error_prefix(&own, "connecting to %s port %d, database '%s', as '%s'", config->host,
                        config->port, config->database, config->user);
        if (err) {
            *err = own;
        }
        return r;
    }
    conn->deadline_secs = 0;
    *ret_conn = conn;
    conn = NULL;
    return 0;
}

void rb_conn_close(struct rb_conn *conn)
{
    if (!conn) {
        return;
    }
    if (conn->usable && conn->mode == RB_WIRE_IDLE && conn->transaction) {
        static const uint8_t terminate[] = {'X', 0, 0, 0, 4};
        rb_net_send(conn->handle, terminate, sizeof terminate, NULL);
    }
    reset(conn);
    free(conn->rx);
    rb_buf_release(&conn->tx);
    rb_buf_release(&conn->copy_in);
    rb_buf_release(&conn->own_settings);
    rb_buf_release(&conn->prepared);
    free(conn);
}

void rb_conn_closep(struct rb_conn **conn)
{
    rb_conn_close(*conn);
    *conn = NULL;
}

bool rb_conn_is_usable(const struct rb_conn *conn)
{
    return conn->usable;
}

char rb_conn_transaction(const struct rb_conn *conn)
{
    return conn->transaction;
}

bool rb_conn_is_pooled(const struct rb_conn *conn)
{
    return conn->pooled;
}

int rb_conn_server_version(const struct rb_conn *conn)
{
    return conn->server_version;
}

const char *rb_conn_server_version_text(const struct rb_conn *conn)
{
    return conn->server_version_text;
}

bool rb_conn_is_encrypted(const struct rb_conn *conn)
{
    return conn->encrypted;
}

void rb_conn_set_max_record(struct rb_conn *conn, size_t max_record_bytes)
{
    conn->max_record_bytes = max_record_bytes;
    conn->copy_in.max = RB_CONN_COPY_MESSAGE_BYTES + max_record_bytes + RB_CONN_MESSAGE_SLACK_BYTES;
}

unsigned rb_conn_notices(const struct rb_conn *conn)
{
    return conn->n_notices;
}

double rb_conn_receive_secs(const struct rb_conn *conn)
{
    return conn->receive_secs;
}
