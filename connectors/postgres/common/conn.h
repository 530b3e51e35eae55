/*
 * One connection to a PostgreSQL server (protocol 3.0), over the host's network imports.
 *
 * client_encoding is UTF8, or SQL_ASCII where the database is. Under which settings a statement
 * runs is in settings.h.
 */
#ifndef RB_CONNECTORS_POSTGRES_COMMON_CONN_H
#define RB_CONNECTORS_POSTGRES_COMMON_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "rapidbyte/connector.h"

enum {
    RB_CONN_SERVER_VERSION_MIN = 120000,
    RB_CONN_TEXT_MAX = 1024, /* bytes of a host, user, database or setting, with the final 0 */
    RB_CONN_RECEIVE_BYTES =
        256 * 1024, /* of the receive buffer, which grows for a larger message */
    RB_CONN_COPY_MESSAGE_BYTES = 64 * 1024,    /* of CopyData we send: larger ones than psql's 8 KiB
                                                  take 5 to 8 % off a load */
    RB_CONN_MESSAGE_SLACK_BYTES = 1024 * 1024, /* a message may exceed the largest record by this */
};

/* What is said to be between here and the server. */
enum rb_pooling {
    RB_POOLING_UNKNOWN,     /* nothing, or a pooler, which is found when a connection begins */
    RB_POOLING_SESSION,     /* a pooler that gives each client a session of its own */
    RB_POOLING_TRANSACTION, /* a pooler that gives each transaction a session */
};

/* What both connectors have in common in their configuration. */
struct rb_conn_config {
    char host[RB_CONN_TEXT_MAX];
    int port;
    char user[RB_CONN_TEXT_MAX];
    char database[RB_CONN_TEXT_MAX];
    char application_name[RB_CONN_TEXT_MAX];
    char schema[RB_CONN_TEXT_MAX];
    enum rb_pooling pooling;
    uint32_t secret_id;                                                /* 0: there is no password */
    int64_t connect_timeout_ms, statement_timeout_ms, lock_timeout_ms; /* 0: none */
    size_t max_record_bytes; /* rb_conn_config_read sets 16 MiB; change it before rb_conn_open */
    const char *const *settings; /* further "name", "value" pairs for the session, as SQL,
                                    NULL-ended, or NULL; borrowed */
};

/* Reads host, port, user, password, database, schema and application_name. RB_ECONFIG names the
 * member. */
int rb_conn_config_read(const struct rb_open_context *context, struct rb_conn_config *ret,
                        struct rb_error *err);

struct rb_conn;

/* Connects, starts TLS as the operator's mode says (as libpq does), authenticates, and waits for
 * the server to be ready. RB_EAUTH, RB_ENETWORK, RB_ETIMEOUT, RB_EPERM, RB_EPROTOCOL, RB_ECONFIG (a
 * server older than 12, or a database that does not exist), RB_EDB. */
int rb_conn_open(const struct rb_conn_config *config, struct rb_conn **ret_conn,
                 struct rb_error *err);
/* Says goodbye if the connection still works, closes it and frees. NULL is allowed. */
void rb_conn_close(struct rb_conn *conn);
void rb_conn_closep(struct rb_conn **conn);

/* False once bytes were lost or the server ended the session: only rb_conn_close is of use then. */
bool rb_conn_is_usable(const struct rb_conn *conn);
/* 'I' idle, 'T' in a transaction, 'E' in a failed one: as of the last ReadyForQuery. */
char rb_conn_transaction(const struct rb_conn *conn);
/* 150004 for 15.4. */
int rb_conn_server_version(const struct rb_conn *conn);
/* The server's own word for its version, such as "15.4 (Debian 15.4-1)". Borrowed. */
const char *rb_conn_server_version_text(const struct rb_conn *conn);
bool rb_conn_is_encrypted(const struct rb_conn *conn);
/* A pooler is in between: another session may run each transaction, and a session's locks and
 * temporary objects may outlive this connection. What runs a statement sees to settings and
 * prepared statements (query.h). */
bool rb_conn_is_pooled(const struct rb_conn *conn);
/* Raises or lowers the largest record that a message may hold. */
void rb_conn_set_max_record(struct rb_conn *conn, size_t max_record_bytes);
/* Seconds spent waiting in receive since the connection was opened. */
double rb_conn_receive_secs(const struct rb_conn *conn);
/* Notices that the server has sent. */
unsigned rb_conn_notices(const struct rb_conn *conn);

#endif
