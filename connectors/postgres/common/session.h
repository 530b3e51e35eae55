/*
 * What a session is given when it begins.
 *
 * A connection's session is its own, and is given its settings once; or a pooler is in between, and
 * each transaction may be another session's, which other clients use as well. Then nothing is set
 * for a session: each transaction begins with the settings, for itself alone (query.c), no
 * statement runs outside of one, and no prepared statement has a name.
 */
#ifndef RB_CONNECTORS_POSTGRES_COMMON_SESSION_H
#define RB_CONNECTORS_POSTGRES_COMMON_SESSION_H

#include "base/error.h"
#include "connectors/postgres/common/conn.h"

enum { RB_SESSION_SETTINGS_MAX = 16 * 1024 }; /* bytes of the settings as statements */

/* Of a connection that was authenticated: finds out what is in between, and sets. RB_ECONFIG for a
 * server that is too old, or a pooler that has no transactions. */
int rb_session_prepare(struct rb_conn *conn, const struct rb_conn_config *config,
                       struct rb_error *err);

#endif
