/*
 * The lock under which a table is read, and whether the table still is what the snapshot shows.
 *
 * Nothing is locked when a run is planned: as many locks would be kept as there are tables, and
 * somebody's ALTER would wait for the whole run. So the lock comes after the snapshot, and what
 * happened in between is looked for (docs/architecture.md, "Rewritten tables").
 */
#ifndef RB_CONNECTORS_POSTGRES_SOURCE_LOCK_H
#define RB_CONNECTORS_POSTGRES_SOURCE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "connectors/postgres/common/conn.h"
#include "connectors/postgres/source/table.h"

enum {
    RB_LOCK_TRY_MS = 900, /* in the queue: whoever comes behind us waits no longer than that */
};

/* Within a transaction under the snapshot that `table` was found under, behind a savepoint
 * `rapidbyte`, to which the caller goes back to release the locks: locks all that a query of the
 * table reads. Where somebody has locked it, tries again, out of the queue in between, for wait_ms
 * (0: once; negative: for ever). own_sql: nothing of the operator's is run afterwards, so that JIT
 * stays off. RB_EDB: SNAPSHOT_GONE for what was altered, rewritten, replaced or dropped since the
 * snapshot, and can be read under a new one; TABLE_LOCKED, which names the process. */
int rb_table_lock(struct rb_conn *conn, const struct rb_table *table, int64_t lock_timeout_ms,
                  int64_t wait_ms, bool own_sql, struct rb_error *err);
/* Within a transaction that works: the error TABLE_LOCKED. */
int rb_table_locked(struct rb_conn *conn, const struct rb_table *table, struct rb_error *err);

#endif
