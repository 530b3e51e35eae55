#include "sdk/src/envelope.h"

#include <stdio.h>

#include "abi/rapidbyte_abi.h"

static char connector[256];
static char stream[256];

void rb_sdk_envelope_set_connector(const char *connector_id)
{
    snprintf(connector, sizeof connector, "%s", connector_id);
}

void rb_sdk_envelope_set_stream(const char *stream_name)
{
    snprintf(stream, sizeof stream, "%s", stream_name);
}

const char *rb_sdk_envelope_stream(void)
{
    return stream;
}

void rb_sdk_envelope_write(struct rb_json *json)
{
    rb_json_member_str(json, "protocol_version", RB_ABI_PROTOCOL_VERSION);
    rb_json_member_str(json, "connector_id", connector);
    rb_json_member_str(json, "stream_name", stream);
}
