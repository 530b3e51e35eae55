/* What a run loads, and how, as the ledger keeps it with a load: for a later run that goes on with
 * it, or that leaves to it what it has appended, to be compared with. */
#ifndef RB_HOST_ENGINE_DOCUMENT_H
#define RB_HOST_ENGINE_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <yyjson.h>

#include "base/json.h"
#include "host/config/pipeline.h"

enum { RB_DOCUMENT_PATH_MAX = 512 };

/* One object into an open document: connectors with their configuration, without secrets; the
 * streams that the document names, and its patterns. Limits, timeouts and where the state lies say
 * nothing of what is loaded, and are left out. */
void rb_document_write(struct rb_json *json, const struct rb_pipeline *pipeline, bool full_refresh);

/* Where two of these differ first, as a path ("streams.users.where"). False: they are the same. */
bool rb_document_differs(yyjson_val *a, yyjson_val *b, char ret_path[RB_DOCUMENT_PATH_MAX]);
/* The same, of all that one stream depends on; the others may differ. */
bool rb_document_stream_differs(yyjson_val *a, yyjson_val *b, const char *stream,
                                char ret_path[RB_DOCUMENT_PATH_MAX]);

#endif
