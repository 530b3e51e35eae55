/*
 * COPY … TO STDOUT and COPY … FROM STDIN (protocol 3.0, "COPY Operations").
 *
 * In:    rb_copy_in_begin(conn, sql); append bytes to rb_copy_in_buf(conn), and after each row
 *        rb_copy_in_push(conn); rb_copy_in_end(conn, &n_rows) or rb_copy_in_fail(conn, "why").
 * Out:   rb_copy_out_begin(conn, sql); rb_copy_out_next until it returns 1.
 */
#ifndef RB_CONNECTORS_POSTGRES_COMMON_COPY_H
#define RB_CONNECTORS_POSTGRES_COMMON_COPY_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "connectors/postgres/common/conn.h"

/* The first 19 bytes of COPY's binary form: signature, flags, length of the header's extension. */
extern const uint8_t rb_copy_binary_header[19];

/* `sql` by simple query; statements without rows may stand before the COPY and after it. The server
 * answers with CopyOutResponse, or its error comes back. */
int rb_copy_out_begin(struct rb_conn *conn, const char *sql, struct rb_error *err);
/* 0: the payload of the next CopyData message, in the receive buffer, borrowed until the next call
 * with `conn`; a row may be cut anywhere between two of them. 1: the COPY ended well and the server
 * is ready. RB_ENOMEM when a message is larger than the largest record and the slack. */
int rb_copy_out_next(struct rb_conn *conn, const uint8_t **ret_data, size_t *ret_len,
                     struct rb_error *err);
/* What has been received beyond the last message: the beginning of a message, or nothing. Borrowed
 * until the next call with `conn`; `taken` bytes of it, whole CopyData messages, are skipped by
 * rb_copy_out_skip. */
size_t rb_copy_out_received(const struct rb_conn *conn, const uint8_t **ret_data);
void rb_copy_out_skip(struct rb_conn *conn, size_t taken);
/* The rows of "COPY n", after rb_copy_out_next returned 1. */
int64_t rb_copy_out_rows(const struct rb_conn *conn);

/* `sql` by simple query; other statements may stand before the COPY. */
int rb_copy_in_begin(struct rb_conn *conn, const char *sql, struct rb_error *err);
/* The content of the CopyData message being filled: append to it, never take from it. Its maximum
 * leaves room for one largest record beyond RB_CONN_COPY_MESSAGE_BYTES. */
struct rb_buf *rb_copy_in_buf(struct rb_conn *conn);
/* Sends the message once it holds RB_CONN_COPY_MESSAGE_BYTES. An error of the server that has come
 * meanwhile ends the COPY, and is what this returns. */
int rb_copy_in_push(struct rb_conn *conn, struct rb_error *err);
/* Sends what is left and CopyDone; waits for the server. *ret_rows from its "COPY n". */
int rb_copy_in_end(struct rb_conn *conn, int64_t *ret_rows, struct rb_error *err);
/* Ends the COPY without its rows: CopyFail. 0 when the server took it so, and the session is in
 * sync (an open transaction has failed, 'E'). */
int rb_copy_in_fail(struct rb_conn *conn, const char *reason, struct rb_error *err);

#endif
