/* Messages of the protocol, and what a connection is made of. Only for conn.c, query.c and
 * copy_*.c. */
#ifndef RB_CONNECTORS_POSTGRES_COMMON_WIRE_H
#define RB_CONNECTORS_POSTGRES_COMMON_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "connectors/postgres/common/conn.h"

enum {
    RB_WIRE_HEADER_BYTES = 5, /* type and length of a message */
    RB_WIRE_KEPT_MAX = 64,    /* statements of rb_query_run_kept */
    RB_WIRE_SEND_MAX =
        1024 * 1024 * 1024, /* bytes of one message we send: PostgreSQL's own limit */
};

enum rb_wire_mode {
    RB_WIRE_IDLE = 0, /* between statements */
    RB_WIRE_COPY_OUT,
    RB_WIRE_COPY_IN,
};

struct rb_conn {
    int handle;
    bool usable;
    bool encrypted;
    bool wants_tls; /* asked for, and not refused */
    bool has_statement_timeout;
    unsigned n_parsed; /* texts of the last query that the server took, whatever came of running */
    char transaction;
    enum rb_wire_mode mode;
    int server_version;
    char server_version_text[128];
    uint32_t backend_pid;     /* as BackendKeyData has it; 0: it was not said */
    char server_encoding[32]; /* of the database, as ParameterStatus says it */
    size_t max_record_bytes;
    double deadline_secs; /* on rb_clock_secs; 0: none. Only while connecting */
    double receive_secs;
    unsigned n_notices;
    int64_t copy_rows;
    struct rb_buf *described; /* gets the next RowDescription of a statement without a result */
    const char *kept[RB_WIRE_KEPT_MAX]; /* texts that are prepared as "rb<index>"; static */
    bool pooled;                        /* each transaction may be another session's (session.h) */
    bool wrapped;                       /* the message has a transaction of its own around it */
    struct rb_buf own_settings;         /* pooled: what each transaction begins with */
    struct rb_buf prepared;             /* pooled: the text of rb_query_prepare */

    uint8_t *rx; /* [rx_pos, rx_len) was received and not yet taken */
    size_t rx_cap, rx_pos, rx_len;
    struct rb_buf tx;      /* the message, or messages, being put together */
    size_t tx_message_pos; /* where the open message begins in tx */
    struct rb_buf copy_in; /* content of the CopyData message being filled */
};

/* A message of the server; the body is in the receive buffer, borrowed until the next receive. */
struct rb_wire_message {
    char type;
    const uint8_t *body;
    size_t len;
};

/* The next message. Notices go to the log, ParameterStatus is noted; both, and notifications, are
 * skipped. RB_ENETWORK when the server hung up, RB_EPROTOCOL for a malformed length, RB_ENOMEM for
 * a message over the limit; after each the connection is of no use. */
int rb_wire_receive(struct rb_conn *conn, struct rb_wire_message *ret, struct rb_error *err);
/* Without waiting: notices are dealt with; true when another message has begun to arrive. */
int rb_wire_poll(struct rb_conn *conn, bool *ret_readable, struct rb_error *err);
/* Gets exactly one byte: the answer to SSLRequest, after which nothing may be read ahead. */
int rb_wire_receive_byte(struct rb_conn *conn, char *ret, struct rb_error *err);

/* Puts messages together in conn->tx. */
int rb_wire_begin(struct rb_conn *conn, char type); /* type 0: a message without one (startup) */
int rb_wire_end(struct rb_conn *conn);
/* A string with its final 0. */
int rb_wire_put_str(struct rb_conn *conn, const char *text);
/* Sends conn->tx and empties it. When the server has said why it hung up, that is the error. */
int rb_wire_flush(struct rb_conn *conn, struct rb_error *err);
/* Sends bytes as they are. */
int rb_wire_send(struct rb_conn *conn, const void *data, size_t len, struct rb_error *err);

/* The error of an ErrorResponse. */
int rb_wire_error(struct rb_conn *conn, const struct rb_wire_message *message,
                  struct rb_error *err);
/* Receives up to ReadyForQuery. `status`: what has gone wrong before it, or 0; it, or the first
 * ErrorResponse that comes, is returned, with its error in `err`. */
int rb_wire_sync(struct rb_conn *conn, int status, struct rb_error *err);
/* Notes a ReadyForQuery. */
int rb_wire_ready(struct rb_conn *conn, const struct rb_wire_message *message,
                  struct rb_error *err);
/* For a message that has no place where it came: the connection is of no use any more. */
int rb_wire_unexpected(struct rb_conn *conn, const struct rb_wire_message *message,
                       const char *where, struct rb_error *err);
/* The number at the end of a command tag; -1: there is none. */
int64_t rb_wire_tag_count(const struct rb_wire_message *message);

#endif
