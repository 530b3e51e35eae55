/* StreamContext as a struct. */
#ifndef RB_SDK_SRC_CONTEXT_H
#define RB_SDK_SRC_CONTEXT_H

#include "rapidbyte/connector.h"

enum { RB_SDK_BATCH_BYTES_DEFAULT = 64 * 1024 * 1024 };

/* Strings and values are borrowed from the document. RB_ECONFIG for words that the contract does
 * not have and for a context without a stream. */
int rb_sdk_context_parse(struct rb_json_value json, struct rb_stream_context *ret,
                         struct rb_error *err);

#endif
