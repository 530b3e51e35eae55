/* Which modules a run has. */
#include "base/json.h"
#include "host/engine/engine.h"

static void write_connector(struct rb_json *json, const struct rb_connector_use *use)
{
    rb_json_begin_object(json);
    rb_json_member_str(json, "role", rb_role_name(use->role));
    rb_json_member_str(json, "id", use->spec.id);
    rb_json_member_str(json, "version", use->spec.version);
    rb_json_member_str(json, "sha256", use->spec.wasm_sha256);
    rb_json_end_object(json);
}

void rb_engine_write_connectors(struct rb_json *json, const struct rb_pipeline *pipeline)
{
    rb_json_begin_array(json);
    write_connector(json, &pipeline->source);
    for (size_t i = 0; i < pipeline->n_transforms; i++) {
        write_connector(json, &pipeline->transforms[i]);
    }
    write_connector(json, &pipeline->destination);
    rb_json_end_array(json);
}
