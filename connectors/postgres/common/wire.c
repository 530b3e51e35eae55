#include "connectors/postgres/common/wire.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "connectors/postgres/common/pgerror.h"
#include "rapidbyte/host.h"
#include "rapidbyte/net.h"

static int lost(struct rb_conn *conn, int status)
{
    conn->usable = false;
    return status;
}

/* -1: no limit. */
static int64_t remaining_ms(const struct rb_conn *conn)
{
    if (conn->deadline_secs <= 0) {
        return -1;
    }
    double left = (conn->deadline_secs - rb_clock_secs()) * 1000;
    return left > 1 ? (int64_t)left : 1;
}

static int grow(struct rb_conn *conn, size_t need, struct rb_error *err)
{
    if (need <= conn->rx_cap) {
        return 0;
    }
    size_t cap = conn->rx_cap ? conn->rx_cap : RB_CONN_RECEIVE_BYTES;
    while (cap < need) {
        cap += cap / 2;
    }
    uint8_t *data = realloc(conn->rx, cap);
    if (!data) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY",
                            "no memory for a message of %zu bytes from the server", need);
    }
    conn->rx = data;
    conn->rx_cap = cap;
    return 0;
}

/* What is left of an incomplete message moves to the front, so that a receive fills the rest. */
static void compact(struct rb_conn *conn)
{
    size_t left = conn->rx_len - conn->rx_pos;
    if (conn->rx_pos && left) {
        memmove(conn->rx, conn->rx + conn->rx_pos, left);
    }
    conn->rx_pos = 0;
    conn->rx_len = left;
}

static int receive_some(struct rb_conn *conn, size_t cap, int64_t timeout_ms, size_t *ret_len,
                        struct rb_error *err)
{
    double start = rb_clock_secs();
    int r = rb_net_recv(conn->handle, conn->rx + conn->rx_len, cap, timeout_ms, ret_len, err);
    conn->receive_secs += rb_clock_secs() - start;
    if (r == 0) {
        conn->rx_len += *ret_len;
    }
    return r;
}

/* Receives until `need` bytes are there. */
static int fill(struct rb_conn *conn, size_t need, struct rb_error *err)
{
    if (conn->rx_len - conn->rx_pos >= need) {
        return 0;
    }
    compact(conn);
    int r = grow(conn, need, err);
    if (r < 0) {
        return lost(conn, r);
    }
    while (conn->rx_len < need) {
        size_t n = 0;
        r = receive_some(conn, conn->rx_cap - conn->rx_len, remaining_ms(conn), &n, err);
        if (r < 0) {
            return lost(conn, r);
        }
        if (r > 0) {
            return lost(conn, rb_error_set(err, RB_ETIMEOUT, "CONNECT_TIMEOUT",
                                           "the server did not answer within the connect timeout"));
        }
        if (n == 0) {
            return lost(conn, rb_error_set(err, RB_ENETWORK, "CONNECTION_LOST",
                                           "the server closed the connection unexpectedly"));
        }
    }
    return 0;
}

/* Keeps the value of a ParameterStatus whose name is `name`, cut to the room there is. */
static void note(const struct rb_wire_message *m, const char *name, char *ret, size_t cap)
{
    size_t len = strlen(name) + 1;
    if (m->len > len && memcmp(m->body, name, len) == 0) {
        size_t n = strnlen((const char *)m->body + len, m->len - len);
        n = n < cap ? n : cap - 1;
        memcpy(ret, m->body + len, n);
        ret[n] = '\0';
    }
}

static void note_parameter(struct rb_conn *conn, const struct rb_wire_message *m)
{
    note(m, "server_version", conn->server_version_text, sizeof conn->server_version_text);
    note(m, "server_encoding", conn->server_encoding, sizeof conn->server_encoding);
}

static int receive_any(struct rb_conn *conn, struct rb_wire_message *ret, struct rb_error *err)
{
    int r = fill(conn, RB_WIRE_HEADER_BYTES, err);
    if (r < 0) {
        return r;
    }
    char type = (char)conn->rx[conn->rx_pos];
    uint32_t len = rb_load_be32(conn->rx + conn->rx_pos + 1);
    if (len < 4 || len > INT32_MAX) {
        return lost(conn, rb_error_set(err, RB_EPROTOCOL, "PROTOCOL_VIOLATION",
                                       "the server sent a message of type 0x%02x with length %lu",
                                       (unsigned)(uint8_t)type, (unsigned long)len));
    }
    size_t body = len - 4;
    if (body > conn->max_record_bytes + RB_CONN_MESSAGE_SLACK_BYTES) {
        return lost(conn, rb_error_set(err, RB_ENOMEM, "MESSAGE_TOO_LARGE",
                                       "the server sent a message of %zu bytes; the largest record "
                                       "may have %zu (max_record_bytes)",
                                       body, conn->max_record_bytes));
    }
    r = fill(conn, RB_WIRE_HEADER_BYTES + body, err);
    if (r < 0) {
        return r;
    }
    ret->type = type;
    ret->body = conn->rx + conn->rx_pos + RB_WIRE_HEADER_BYTES;
    ret->len = body;
    conn->rx_pos += RB_WIRE_HEADER_BYTES + body;
    return 0;
}

/* True for a message that may come at any time, and is dealt with. */
static bool dispatch_async(struct rb_conn *conn, const struct rb_wire_message *m)
{
    switch (m->type) {
    case 'N':
        conn->n_notices++;
        rb_pgerror_log_notice(m->body, m->len);
        return true;
    case 'S':
        note_parameter(conn, m);
        return true;
    case 'A':
        return true;
    default:
        return false;
    }
}

int rb_wire_receive(struct rb_conn *conn, struct rb_wire_message *ret, struct rb_error *err)
{
    if (!conn->usable) {
        return rb_error_set(err, RB_ENETWORK, "CONNECTION_LOST",
                            "the connection to the server is broken");
    }
    for (;;) {
        int r = receive_any(conn, ret, err);
        if (r < 0) {
            return r;
        }
        if (!dispatch_async(conn, ret)) {
            return 0;
        }
    }
}

/* Takes a whole notice, parameter or notification off the buffer. 0: taken; 1: something else, or
 * nothing, stands there; 2: part of one. */
static int take_async(struct rb_conn *conn, struct rb_error *err)
{
    size_t have = conn->rx_len - conn->rx_pos;
    if (have == 0 || !memchr("NSA", conn->rx[conn->rx_pos], 3)) {
        return 1;
    }
    uint32_t len = have < RB_WIRE_HEADER_BYTES ? 0 : rb_load_be32(conn->rx + conn->rx_pos + 1);
    bool malformed =
        len > conn->max_record_bytes + RB_CONN_MESSAGE_SLACK_BYTES; /* says receive_any */
    if (have < RB_WIRE_HEADER_BYTES || (len > have - 1 && !malformed)) {
        return 2;
    }
    struct rb_wire_message m;
    int r = receive_any(conn, &m, err);
    if (r == 0) {
        dispatch_async(conn, &m);
    }
    return r;
}

int rb_wire_poll(struct rb_conn *conn, bool *ret_readable, struct rb_error *err)
{
    int r = take_async(conn, err);
    while (r == 0) {
        r = take_async(conn, err);
    }
    if (r < 0 || (r == 1 && conn->rx_pos < conn->rx_len)) {
        *ret_readable = r == 1;
        return r < 0 ? r : 0;
    }
    compact(conn);
    r = grow(conn, conn->rx_len + RB_CONN_RECEIVE_BYTES / 4, err);
    if (r < 0) {
        return lost(conn, r);
    }
    size_t n = 0;
    r = receive_some(conn, conn->rx_cap - conn->rx_len, 0, &n, err);
    if (r < 0) {
        return lost(conn, r);
    }
    if (r == 0 && n == 0) {
        return lost(conn, rb_error_set(err, RB_ENETWORK, "CONNECTION_LOST",
                                       "the server closed the connection unexpectedly"));
    }
    do {
        r = take_async(conn, err);
    } while (r == 0);
    *ret_readable = r == 1 && conn->rx_pos < conn->rx_len;
    return r < 0 ? r : 0;
}

int rb_wire_receive_byte(struct rb_conn *conn, char *ret, struct rb_error *err)
{
    size_t n = 0;
    int r = rb_net_recv(conn->handle, ret, 1, remaining_ms(conn), &n, err);
    if (r < 0) {
        return lost(conn, r);
    }
    if (r > 0) {
        return lost(conn, rb_error_set(err, RB_ETIMEOUT, "CONNECT_TIMEOUT",
                                       "the server did not answer within the connect timeout"));
    }
    if (n == 0) {
        return lost(conn, rb_error_set(err, RB_ENETWORK, "CONNECTION_LOST",
                                       "the server closed the connection when asked for TLS"));
    }
    return 0;
}

int rb_wire_begin(struct rb_conn *conn, char type)
{
    if (type) {
        int r = rb_buf_append_byte(&conn->tx, (uint8_t)type);
        if (r < 0) {
            return r;
        }
    }
    conn->tx_message_pos = conn->tx.len;
    return rb_buf_append_be32(&conn->tx, 0);
}

int rb_wire_end(struct rb_conn *conn)
{
    size_t len = conn->tx.len - conn->tx_message_pos;
    if (conn->tx.len < conn->tx_message_pos + 4 || len > INT32_MAX) {
        return RB_ENOMEM;
    }
    rb_store_be32(conn->tx.data + conn->tx_message_pos, (uint32_t)len);
    return 0;
}

int rb_wire_put_str(struct rb_conn *conn, const char *text)
{
    return rb_buf_append(&conn->tx, text, strlen(text) + 1);
}

/* After a send failed: the server's last word explains it better than a broken pipe does. */
static int explain_broken(struct rb_conn *conn, int status, struct rb_error *err)
{
    bool readable = false;
    struct rb_wire_message message;
    while (rb_wire_poll(conn, &readable, NULL) == 0 && readable) {
        if (rb_wire_receive(conn, &message, NULL) < 0) {
            break;
        }
        if (message.type == 'E') {
            status = rb_wire_error(conn, &message, err);
            break;
        }
    }
    return lost(conn, status);
}

int rb_wire_send(struct rb_conn *conn, const void *data, size_t len, struct rb_error *err)
{
    if (!conn->usable) {
        return rb_error_set(err, RB_ENETWORK, "CONNECTION_LOST",
                            "the connection to the server is broken");
    }
    int r = rb_net_send(conn->handle, data, len, err);
    return r < 0 ? explain_broken(conn, r, err) : 0;
}

int rb_wire_flush(struct rb_conn *conn, struct rb_error *err)
{
    int r = rb_wire_send(conn, conn->tx.data, conn->tx.len, err);
    rb_buf_clear(&conn->tx);
    return r;
}

int rb_wire_error(struct rb_conn *conn, const struct rb_wire_message *message, struct rb_error *err)
{
    struct rb_error own;
    int status = rb_pgerror_decode(message->body, message->len, &own);
    if (status == RB_EPROTOCOL) {
        conn->usable = false;
    }
    /* Someone else cancelled the statement: the operator of the server, not ours. */
    if (status == RB_ETIMEOUT && strcmp(own.sqlstate, "57014") == 0 &&
        !conn->has_statement_timeout) {
        own.status = status = RB_EDB;
        own.category = rb_error_category_of_status(RB_EDB);
        memcpy(own.code, "CANCELLED_BY_SERVER", sizeof "CANCELLED_BY_SERVER");
    }
    if (err) {
        *err = own;
    }
    return status;
}

int rb_wire_ready(struct rb_conn *conn, const struct rb_wire_message *message, struct rb_error *err)
{
    if (message->len != 1 || !memchr("ITE", message->body[0], 3)) {
        return lost(conn, rb_error_set(err, RB_EPROTOCOL, "PROTOCOL_VIOLATION",
                                       "the server sent a malformed ReadyForQuery"));
    }
    conn->transaction = (char)message->body[0];
    conn->mode = RB_WIRE_IDLE;
    return 0;
}

int rb_wire_sync(struct rb_conn *conn, int status, struct rb_error *err)
{
    for (;;) {
        struct rb_wire_message m;
        /* The first error is the one to report, also when the session ends with it. */
        int r = rb_wire_receive(conn, &m, status < 0 ? NULL : err);
        if (r < 0) {
            return status < 0 ? status : r;
        }
        if (m.type == 'Z') {
            r = rb_wire_ready(conn, &m, status < 0 ? NULL : err);
            return status < 0 ? status : r;
        }
        if (m.type == 'E' && status >= 0) {
            status = rb_wire_error(conn, &m, err);
        }
    }
}

int rb_wire_unexpected(struct rb_conn *conn, const struct rb_wire_message *message,
                       const char *where, struct rb_error *err)
{
    return lost(conn, rb_error_set(err, RB_EPROTOCOL, "PROTOCOL_VIOLATION",
                                   "the server sent a message of type 0x%02x %s",
                                   (unsigned)(uint8_t)message->type, where));
}

int64_t rb_wire_tag_count(const struct rb_wire_message *message)
{
    size_t end = strnlen((const char *)message->body, message->len);
    size_t start = end;
    while (start > 0 && message->body[start - 1] >= '0' && message->body[start - 1] <= '9') {
        start--;
    }
    if (start == end || start == 0 || message->body[start - 1] != ' ' || end - start > 18) {
        return -1;
    }
    int64_t n = 0;
    for (size_t i = start; i < end; i++) {
        n = n * 10 + (message->body[i] - '0');
    }
    return n;
}
