/* What one side of the pipeline is granted: manifest, configuration and `permissions` together. */
#ifndef RB_HOST_CONFIG_GRANTS_H
#define RB_HOST_CONFIG_GRANTS_H

#include <stdbool.h>

#include "host/config/doc.h"
#include "host/config/manifest.h"
#include "host/config/pipeline.h"
#include "host/config/schema.h"
#include "host/link/spec.h"

struct rb_permissions {
    const struct rb_yaml *hosts; /* NULL: as the manifest says */
    bool wasi_sockets;
    const char *secrets; /* "plaintext", or NULL */
    struct rb_names env;
    const struct rb_yaml *folders; /* NULL: none */
};

void rb_grants_read(struct rb_doc *doc, const struct rb_yaml *node, struct rb_permissions *ret);
/* Fills in allow, tls_*, wasi_sockets, env and preopens. `section` is where missing things are
 * reported. */
void rb_grants_apply(struct rb_doc *doc, const struct rb_manifest *manifest,
                     const struct rb_config *config, const struct rb_permissions *permissions,
                     const struct rb_yaml *section, struct rb_connector_spec *spec);
/* folders.c: of these, permissions.folders. */
void rb_folders_apply(struct rb_doc *doc, const struct rb_manifest *manifest,
                      const struct rb_yaml *folders, struct rb_connector_spec *spec);

#endif
