/* Whose call this is: what every envelope says (docs/protocol.md). One instance, one thread. */
#ifndef RB_SDK_SRC_ENVELOPE_H
#define RB_SDK_SRC_ENVELOPE_H

#include "base/json.h"

/* Copied; cut at 255 bytes. */
void rb_sdk_envelope_set_connector(const char *connector_id);
void rb_sdk_envelope_set_stream(const char *stream_name);
const char *rb_sdk_envelope_stream(void);
/* Writes the envelope's members into the open object. */
void rb_sdk_envelope_write(struct rb_json *json);

#endif
