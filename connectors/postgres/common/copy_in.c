#include <string.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "connectors/postgres/common/copy.h"
#include "connectors/postgres/common/copy_begin.h"
#include "connectors/postgres/common/wire.h"

const uint8_t rb_copy_binary_header[19] = {'P',  'G', 'C', 'O', 'P', 'Y', '\n', 0xff, '\r', '\n',
                                           '\0', 0,   0,   0,   0,   0,   0,    0,    0};

static int check_running(struct rb_conn *conn, struct rb_error *err)
{
    if (conn->mode == RB_WIRE_COPY_IN) {
        return 0;
    }
    return rb_error_set(err, RB_EINTERNAL, "NO_COPY", "no COPY is running");
}

/* The header of CopyData stands in front of the content, so that one send is enough. */
static int open_message(struct rb_conn *conn)
{
    static const uint8_t header[RB_WIRE_HEADER_BYTES] = {'d', 0, 0, 0, 0};
    rb_buf_clear(&conn->copy_in);
    return rb_buf_append(&conn->copy_in, header, sizeof header);
}

int rb_copy_in_begin(struct rb_conn *conn, const char *sql, struct rb_error *err)
{
    int r = open_message(conn);
    if (r < 0) {
        return rb_error_set(err, r, "OUT_OF_MEMORY", "no memory for COPY");
    }
    return rb_copy_begin(conn, sql, 'G', RB_WIRE_COPY_IN, err);
}

struct rb_buf *rb_copy_in_buf(struct rb_conn *conn)
{
    return &conn->copy_in;
}

/* What the server has to say while we send: the error that ended the COPY. */
static int listen(struct rb_conn *conn, struct rb_error *err)
{
    bool readable = false;
    int r = rb_wire_poll(conn, &readable, err);
    if (r < 0 || !readable) {
        return r;
    }
    struct rb_wire_message m;
    r = rb_wire_receive(conn, &m, err);
    if (r < 0) {
        return r;
    }
    if (m.type != 'E') {
        return rb_wire_unexpected(conn, &m, "during COPY", err);
    }
    /* The server drops what we still send, up to our CopyDone or CopyFail, but after a simple query
     * it does not wait for one. */
    return rb_wire_sync(conn, rb_wire_error(conn, &m, err), err);
}

static int send_message(struct rb_conn *conn, struct rb_error *err)
{
    size_t len = conn->copy_in.len - 1;
    if (len > INT32_MAX) {
        return rb_error_set(err, RB_ENOMEM, "MESSAGE_TOO_LARGE", "a COPY message is too large");
    }
    rb_store_be32(conn->copy_in.data + 1, (uint32_t)len);
    int r = rb_wire_send(conn, conn->copy_in.data, conn->copy_in.len, err);
    conn->copy_in.len = RB_WIRE_HEADER_BYTES;
    return r;
}

int rb_copy_in_push(struct rb_conn *conn, struct rb_error *err)
{
    if (conn->copy_in.len < RB_CONN_COPY_MESSAGE_BYTES) {
        return 0;
    }
    int r = check_running(conn, err);
    r = r < 0 ? r : send_message(conn, err);
    return r < 0 ? r : listen(conn, err);
}

static int finish(struct rb_conn *conn, int64_t *ret_rows, struct rb_error *err)
{
    int64_t rows = -1;
    for (;;) {
        struct rb_wire_message m;
        int r = rb_wire_receive(conn, &m, err);
        if (r < 0) {
            return r;
        }
        switch (m.type) {
        case 'C': /* of the COPY, or of what stands behind it, which counts nothing */
            rows = rb_wire_tag_count(&m) < 0 ? rows : rb_wire_tag_count(&m);
            break;
        case 'E':
            return rb_wire_sync(conn, rb_wire_error(conn, &m, err), err);
        case 'Z':
            r = rb_wire_ready(conn, &m, err);
            if (r == 0) {
                *ret_rows = rows;
            }
            return r;
        default:
            return rb_wire_unexpected(conn, &m, "at the end of COPY", err);
        }
    }
}

int rb_copy_in_end(struct rb_conn *conn, int64_t *ret_rows, struct rb_error *err)
{
    static const uint8_t copy_done[] = {'c', 0, 0, 0, 4};
    int r = check_running(conn, err);
    if (r == 0 && conn->copy_in.len > RB_WIRE_HEADER_BYTES) {
        r = send_message(conn, err);
    }
    r = r < 0 ? r : rb_wire_send(conn, copy_done, sizeof copy_done, err);
    RB_FAULT_MARK(DEST_COPY_DONE_SENT);
    return r < 0 ? r : finish(conn, ret_rows, err);
}

int rb_copy_in_fail(struct rb_conn *conn, const char *reason, struct rb_error *err)
{
    if (conn->mode != RB_WIRE_COPY_IN) {
        return 0; /* it has failed already, and the session is in sync */
    }
    rb_buf_clear(&conn->tx);
    int r = rb_wire_begin(conn, 'f');
    r = r < 0 ? r : rb_wire_put_str(conn, reason);
    r = r < 0 ? r : rb_wire_end(conn);
    if (r < 0) {
        rb_buf_clear(&conn->tx);
        return rb_error_set(err, r, "OUT_OF_MEMORY", "no memory to end COPY");
    }
    struct rb_error own;
    r = rb_wire_flush(conn, &own);
    int64_t rows;
    r = r < 0 ? r : finish(conn, &rows, &own);
    /* 57014 is the server's answer to CopyFail; any other error of the statement ended it as well.
     */
    if (r < 0 && !conn->usable) {
        if (err) {
            *err = own;
        }
        return r;
    }
    return 0;
}
