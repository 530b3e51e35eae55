/* One moment of the source, for all sessions of a run; and which cluster and history it is of. */
#ifndef RB_CONNECTORS_POSTGRES_SOURCE_SNAPSHOT_H
#define RB_CONNECTORS_POSTGRES_SOURCE_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"
#include "connectors/postgres/common/conn.h"
#include "rapidbyte/json.h"

struct rb_snapshot {
    char id[64];                /* "" : not exported */
    char xmin[24];              /* 64-bit decimal: every transaction below had ended */
    char system_identifier[24]; /* "": the server does not say */
    int64_t timeline;           /* 0: the server does not say */
    bool in_recovery;
};

/* Fills in system_identifier and timeline; leaves them empty when the role may not ask. Outside of
 * a transaction. */
int rb_snapshot_identify(struct rb_conn *conn, struct rb_snapshot *ret, struct rb_error *err);
/* Within a transaction: exports its snapshot; fills in id, xmin and in_recovery. */
int rb_snapshot_export(struct rb_conn *conn, struct rb_snapshot *ret, struct rb_error *err);
/* Begins a read-only, repeatable-read transaction under the snapshot `id`, unless it is "", with
 * rb_lock_settings. RB_ECONNECTOR for an id that is not one. */
int rb_snapshot_begin(struct rb_conn *conn, const char *id, int64_t lock_timeout_ms,
                      struct rb_error *err);

/* As the value of Plan's `snapshot`. */
void rb_snapshot_write(const struct rb_snapshot *snapshot, struct rb_json *json);
void rb_snapshot_read(struct rb_json_value json, struct rb_snapshot *ret);

#endif
