#include "host/config/connector.h"

#include <string.h>

#include "host/config/grants.h"
#include "host/config/schema.h"

bool rb_connector_supports(const char *const *modes, size_t n_modes, const char *mode)
{
    for (size_t i = 0; i < n_modes; i++) {
        if (strcmp(modes[i], mode) == 0) {
            return true;
        }
    }
    return n_modes == 0;
}

/* Mistakes that are the connector's decide the exit code when there are no others. */
static void refuse(struct rb_doc *doc, const struct rb_yaml *at, const struct rb_error *why)
{
    size_t before = doc->diags->count;
    rb_doc_mistake(doc, at, why->hint[0] == '\0' ? NULL : why->hint, "%s", why->message);
    doc->n_connector_mistakes += doc->diags->count - before;
    if (doc->first_refusal.status == 0) {
        doc->first_refusal = *why;
    }
}

static bool has_role(const struct rb_manifest *manifest, enum rb_role role)
{
    return role == RB_ROLE_SOURCE        ? manifest->is_source
           : role == RB_ROLE_DESTINATION ? manifest->is_destination
                                         : manifest->is_transform;
}

static int fill_spec(struct rb_doc *doc, const struct rb_connector_section *section,
                     struct rb_connector_use *use)
{
    struct rb_permissions permissions;
    struct rb_config config = {.json = NULL};
    const struct rb_manifest *manifest = use->manifest;
    rb_grants_read(doc, section->permissions, &permissions);
    int status = rb_schema_apply(doc, manifest->config_schema_json, section->config,
                                 section->section, permissions.secrets != NULL, &config);
    if (status == RB_ENOMEM) {
        return status;
    }
    if (status != 0) {
        struct rb_error why;
        (void)rb_error_set(&why, RB_ECONNECTOR, "MANIFEST_INVALID",
                           "manifest %s: config_schema can't be read", manifest->manifest_path);
        refuse(doc, section->section, &why);
        return 0;
    }
    use->spec = (struct rb_connector_spec){
        .role = use->role,
        .id = use->use,
        .version = manifest->version,
        .wasm_path = manifest->wasm_path,
        .wasm_sha256 = manifest->sha256,
        .config_json = config.json,
        .secrets = config.secrets,
        .n_secrets = config.n_secrets,
        .memory_max_bytes = manifest->max_memory_bytes,
        .limits = manifest->limits,
    };
    use->config_json = config.json;
    rb_grants_apply(doc, manifest, &config, &permissions, section->section, &use->spec);
    return 0;
}

int rb_connector_read(struct rb_doc *doc, const struct rb_connector_section *section,
                      enum rb_role role, const char *dirs, struct rb_connector_use *ret)
{
    struct rb_error why = {.status = 0};
    const struct rb_yaml *at = rb_yaml_get(section->section, "use");
    at = at == NULL ? section->section : at;
    ret->role = role;
    ret->use = section->use;
    ret->line = at->line;
    ret->column = at->column;
    if (section->use == NULL) {
        return 0;
    }
    int status = rb_manifest_find(section->use, dirs, &ret->manifest, &why);
    if (status == RB_ENOMEM) {
        return status;
    }
    if (status != 0 && at->substituted && ret->manifest == NULL) {
        /* The message may show the name, which is what a variable holds. */
        (void)rb_error_set(&why, RB_ECONNECTOR, "CONNECTOR_NOT_FOUND",
                           "%s does not name a connector that can be used", rb_doc_show(doc, at));
    }
    if (status != 0) {
        refuse(doc, at, &why);
        return 0;
    }
    if (!has_role(ret->manifest, role)) {
        rb_doc_mistake(doc, at, NULL, "connector %s is not a %s", rb_doc_show(doc, at),
                       rb_role_name(role));
        return 0;
    }
    return fill_spec(doc, section, ret);
}
