/* What was meant by a name that is not there. */
#ifndef CONNECTORS_POSTGRES_SOURCE_NEAR_H
#define CONNECTORS_POSTGRES_SOURCE_NEAR_H

#include "base/error.h"
#include "connectors/postgres/common/conn.h"

/* Replaces the hint of `err`, "there is no table", when the catalogue has one that is near. What
 * goes wrong with that is not told: there is an error already. */
void rb_near_table(struct rb_conn *conn, const char *schema, const char *name,
                   struct rb_error *err);

#endif
