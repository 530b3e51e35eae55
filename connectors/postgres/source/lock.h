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

#include "base/buf.h"
#include "base/error.h"
#include "connectors/postgres/common/conn.h"
#include "connectors/postgres/source/table.h"

enum {
    RB_LOCK_BACK_MAX = 64,
    RB_LOCK_TRY_MS = 900, /* in the queue: whoever comes behind us waits no longer than that */
};

/* Appends what a transaction that reads is to run before the first table is locked: settings for
 * locking, and after them the savepoint `rapidbyte`. Going back to it gives the locks back, and
 * brings these settings again. lock_timeout_ms: the operator's; 0: none. RB_ENOMEM. */
int rb_lock_settings(int64_t lock_timeout_ms, struct rb_buf *ret, struct rb_error *err);
/* What gives the operator's lock_timeout back, for statements that read; 0: none. */
void rb_lock_settings_back(int64_t lock_timeout_ms, char ret[RB_LOCK_BACK_MAX]);
/* Within a transaction under the snapshot that `table` was found under, after rb_lock_settings:
 * locks all that a query of the table reads. Where somebody has locked it, tries again, out of the
 * queue in between, for wait_ms (0: once; negative: for ever). `after` (NULL: none) is run in the
 * same message. RB_EDB: SNAPSHOT_GONE for what was altered, rewritten, replaced or dropped since
 * the snapshot, and can be read under a new one; TABLE_LOCKED, which names the process. */
int rb_table_lock(struct rb_conn *conn, const struct rb_table *table, int64_t wait_ms,
                  const char *after, struct rb_error *err);
/* Within a transaction that works: the error TABLE_LOCKED. */
int rb_table_locked(struct rb_conn *conn, const struct rb_table *table, struct rb_error *err);

#endif
