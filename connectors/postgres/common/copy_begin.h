/* The common beginning of COPY in both directions. Only for copy_*.c. */
#ifndef RB_CONNECTORS_POSTGRES_COMMON_COPY_BEGIN_H
#define RB_CONNECTORS_POSTGRES_COMMON_COPY_BEGIN_H

#include "base/error.h"
#include "connectors/postgres/common/wire.h"

/* `response`: 'H' CopyOutResponse or 'G' CopyInResponse. */
int rb_copy_begin(struct rb_conn *conn, const char *sql, char response, enum rb_wire_mode mode,
                  struct rb_error *err);

#endif
