/* One stream as the pipeline asks for it, checked against the catalogue: what plan and read share.
 */
#ifndef RB_CONNECTORS_POSTGRES_SOURCE_STREAM_H
#define RB_CONNECTORS_POSTGRES_SOURCE_STREAM_H

#include "connectors/postgres/source/catalogue.h"
#include "connectors/postgres/source/cursor.h"
#include "connectors/postgres/source/source.h"
#include "connectors/postgres/source/lock.h"
#include "connectors/postgres/source/table.h"

struct rb_source_stream {
    struct rb_catalogue catalogue;
    struct rb_tables tables;   /* one */
    struct rb_columns columns; /* chosen */
    bool proved; /* of a dry run: it is not read, and no table is locked, since it could be read */
    bool has_cursor;
    struct rb_cursor cursor;
    bool touched;                     /* for the cursor the table was, so that it is locked */
    char lock_back[RB_LOCK_BACK_MAX]; /* a statement that is still due before the COPY; "": none */
    struct rb_buf condition;          /* of the incremental rule */
    struct rb_buf above;              /* of those rows, the ones that move the cursor */
};

void rb_source_stream_init(struct rb_source_stream *stream);
void rb_source_stream_release(struct rb_source_stream *stream);
/* Finds and checks everything that can be wrong with the stream, within the transaction that will
 * read it, behind a savepoint `rapidbyte`. `ret` (initialised) is filled. `to_read`: now; the
 * table is locked first (lock.h). Otherwise no table is, but for what a statement of the stream's
 * own needs (ret->touched): then the caller goes back to the savepoint. */
int rb_source_stream_open(struct rb_source *source, struct rb_conn *conn,
                          const struct rb_stream_context *context,
                          const struct rb_snapshot *snapshot, bool to_read,
                          struct rb_source_stream *ret, struct rb_error *err);
#endif
