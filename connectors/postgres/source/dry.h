/* Of a dry run: tables that need not be opened to know that they could be read. */
#ifndef RB_CONNECTORS_POSTGRES_SOURCE_DRY_H
#define RB_CONNECTORS_POSTGRES_SOURCE_DRY_H

#include "connectors/postgres/source/source.h"
#include "connectors/postgres/source/stream.h"

/* Whether the catalogue, as `stream` has it, shows that the reader's session could read the whole
 * stream: a plain table of the system's types, with the rights to it, which nobody has locked. The
 * session has read another one to its end (source->has_read). */
int rb_source_dry_proves(struct rb_source *source, struct rb_conn *conn,
                         const struct rb_stream_context *context,
                         const struct rb_source_stream *stream, bool *ret, struct rb_error *err);

#endif
