/* One stream as the pipeline asks for it, checked against the catalogue: what plan and read share.
 */
#ifndef RB_CONNECTORS_POSTGRES_SOURCE_STREAM_H
#define RB_CONNECTORS_POSTGRES_SOURCE_STREAM_H

#include "connectors/postgres/source/catalogue.h"
#include "connectors/postgres/source/cursor.h"
#include "connectors/postgres/source/source.h"
#include "connectors/postgres/source/table.h"

struct rb_source_stream {
    struct rb_catalogue catalogue;
    struct rb_tables tables;   /* one */
    struct rb_columns columns; /* chosen */
    bool has_cursor;
    struct rb_cursor cursor;
    struct rb_buf condition; /* of the incremental rule */
    struct rb_buf above;     /* of those rows, the ones that move the cursor */
};

void rb_source_stream_init(struct rb_source_stream *stream);
void rb_source_stream_release(struct rb_source_stream *stream);
/* Keeps the table from being truncated or rewritten between the snapshot and the read: either would
 * make it look empty under the snapshot. LOCK takes no snapshot itself, so it comes first in the
 * transaction. 1: what can't be locked (a materialized view, a table of which only columns may be
 * read) goes without, until rb_source_stream_open; what is wrong besides is for
 * rb_source_stream_open to find. */
int rb_source_stream_lock(const struct rb_source *source, struct rb_conn *conn,
                          const struct rb_stream_context *context, struct rb_error *err);
/* The same of several tables by one statement. 1: not all of them can be locked, and none is;
 * rb_source_stream_lock says of each why. Negative: the connection is of no use any more. */
int rb_source_streams_lock(const struct rb_source *source, struct rb_conn *conn,
                           const struct rb_stream_context *streams, size_t n_streams,
                           struct rb_error *err);
/* Finds and checks everything that can be wrong with the stream, within the transaction that will
 * read it. `ret` (initialised) is filled. `to_read`: now; what is read is locked first, as reading
 * it would, and what was rewritten or replaced since the snapshot is refused as SNAPSHOT_GONE:
 * under a new one it can be read. */
int rb_source_stream_open(const struct rb_source *source, struct rb_conn *conn,
                          const struct rb_stream_context *context,
                          const struct rb_snapshot *snapshot, bool to_read,
                          struct rb_source_stream *ret, struct rb_error *err);
#endif
