/*
 * Checkpoints within a stream: how the rows of one snapshot are read so that they can be committed
 * in parts.
 *
 * First all rows that do not move the cursor: those that were committed late, those without a
 * cursor, those at its ceiling. Then the others, sorted by the cursor. Between two of these whose
 * cursors differ, everything that the snapshot shows up to the first one's has been read, and
 * nothing beyond: which is what a checkpoint at the end of a run says of the newest cursor. So the
 * next run needs to know no more than that one, of the same snapshot. docs/architecture.md says why
 * this loses and doubles nothing.
 */
#ifndef RB_CONNECTORS_POSTGRES_SOURCE_CURSOR_PART_H
#define RB_CONNECTORS_POSTGRES_SOURCE_CURSOR_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "connectors/postgres/common/query.h"
#include "connectors/postgres/source/cursor.h"

struct rb_cursor_parts {
    size_t column; /* the cursor's, among those that are read */
    bool numeric;
    struct rb_buf rest; /* condition of the rows that come first */
    uint64_t xmin;
    struct rb_query_result seen;
};

void rb_cursor_parts_init(struct rb_cursor_parts *parts);
void rb_cursor_parts_release(struct rb_cursor_parts *parts);

/* Before the first row is read, under its snapshot. `condition` and `above` are
 * rb_cursor_condition's. 1: there are too many open transactions to say where a part ends, so there
 * can be none. conn NULL: only that is checked: RB_ECONFIG: the cursor's column is not among
 * `columns`. */
int rb_cursor_parts_open(const struct rb_cursor *cursor, struct rb_conn *conn,
                         const struct rb_columns *columns, const char *condition, const char *above,
                         struct rb_cursor_parts *ret, struct rb_error *err);

/* What has been read when a part ends. */
struct rb_cursor_read {
    const char *stream;
    const struct rb_buf *value; /* the last row's cursor, as COPY has it */
    int64_t n_records, n_bytes; /* of the stream */
    bool has_checksum;
    uint64_t checksum; /* of all rows so far */
};
int rb_cursor_part_end(const struct rb_cursor *cursor, const struct rb_cursor_parts *parts,
                       const struct rb_snapshot *snapshot, const struct rb_cursor_read *read,
                       struct rb_error *err);

#endif
