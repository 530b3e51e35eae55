/* One side of the pipeline, or one transform: from its section to what the worker gets. */
#ifndef RB_HOST_CONFIG_CONNECTOR_H
#define RB_HOST_CONFIG_CONNECTOR_H

#include "host/config/doc.h"
#include "host/config/pipeline.h"

struct rb_connector_section {
    const struct rb_yaml *section;
    const char *use;                            /* NULL: missing, and reported */
    const struct rb_yaml *config, *permissions; /* NULL: none */
};

/* Resolves the connector and checks its configuration; mistakes go to doc. RB_ENOMEM alone. */
int rb_connector_read(struct rb_doc *doc, const struct rb_connector_section *section,
                      enum rb_role role, const char *dirs, struct rb_connector_use *ret);
/* That the manifest has a mode of the contract's ("incremental", "upsert"); one that lists none has
 * them all. */
bool rb_connector_supports(const char *const *modes, size_t n_modes, const char *mode);

#endif
