#include "connectors/postgres/common/copy.h"

#include "connectors/postgres/common/copy_begin.h"
#include "connectors/postgres/common/wire.h"

int rb_copy_begin(struct rb_conn *conn, const char *sql, char response, enum rb_wire_mode mode,
                  struct rb_error *err)
{
    if (conn->mode != RB_WIRE_IDLE) {
        return rb_error_set(err, RB_EINTERNAL, "COPY_IN_PROGRESS",
                            "a COPY was begun while another is running");
    }
    rb_buf_clear(&conn->tx);
    int r = rb_wire_begin(conn, 'Q');
    r = r < 0 ? r : rb_wire_put_str(conn, sql);
    r = r < 0 ? r : rb_wire_end(conn);
    if (r < 0) {
        return rb_error_set(err, r, "OUT_OF_MEMORY", "no memory for a statement");
    }
    struct rb_wire_message m;
    r = rb_wire_flush(conn, err);
    /* Statements before the COPY: what they say is not of interest. */
    do {
        r = r < 0 ? r : rb_wire_receive(conn, &m, err);
    } while (r == 0 && (m.type == 'C' || m.type == 'T' || m.type == 'D'));
    if (r < 0) {
        return r;
    }
    if (m.type == 'E') {
        return rb_wire_sync(conn, rb_wire_error(conn, &m, err), err);
    }
    if (m.type != response || m.len < 3) {
        return rb_wire_unexpected(conn, &m, "in answer to COPY", err);
    }
    conn->mode = mode;
    conn->copy_rows = -1;
    return 0;
}

int rb_copy_out_begin(struct rb_conn *conn, const char *sql, struct rb_error *err)
{
    return rb_copy_begin(conn, sql, 'H', RB_WIRE_COPY_OUT, err);
}

/* CopyDone came: CommandComplete and ReadyForQuery are left, or an error. */
static int finish(struct rb_conn *conn, struct rb_error *err)
{
    bool has_rows = false; /* the first to complete is the COPY */
    for (;;) {
        struct rb_wire_message m;
        int r = rb_wire_receive(conn, &m, err);
        if (r < 0) {
            return r;
        }
        switch (m.type) {
        case 'C':
            if (!has_rows) {
                conn->copy_rows = rb_wire_tag_count(&m);
                has_rows = true;
            }
            break;
        case 'E':
            return rb_wire_sync(conn, rb_wire_error(conn, &m, err), err);
        case 'Z':
            r = rb_wire_ready(conn, &m, err);
            return r < 0 ? r : 1;
        default:
            return rb_wire_unexpected(conn, &m, "at the end of COPY", err);
        }
    }
}

int rb_copy_out_next(struct rb_conn *conn, const uint8_t **ret_data, size_t *ret_len,
                     struct rb_error *err)
{
    if (conn->mode != RB_WIRE_COPY_OUT) {
        return rb_error_set(err, RB_EINTERNAL, "NO_COPY", "no COPY is running");
    }
    struct rb_wire_message m;
    int r = rb_wire_receive(conn, &m, err);
    if (r < 0) {
        return r;
    }
    switch (m.type) {
    case 'd':
        *ret_data = m.body;
        *ret_len = m.len;
        return 0;
    case 'c':
        return finish(conn, err);
    case 'E':
        return rb_wire_sync(conn, rb_wire_error(conn, &m, err), err);
    default:
        return rb_wire_unexpected(conn, &m, "during COPY", err);
    }
}

size_t rb_copy_out_received(const struct rb_conn *conn, const uint8_t **ret_data)
{
    if (conn->mode != RB_WIRE_COPY_OUT || !conn->usable) {
        return 0;
    }
    *ret_data = conn->rx + conn->rx_pos;
    return conn->rx_len - conn->rx_pos;
}

void rb_copy_out_skip(struct rb_conn *conn, size_t taken)
{
    conn->rx_pos += taken;
}

int64_t rb_copy_out_rows(const struct rb_conn *conn)
{
    return conn->copy_rows;
}
