/* A connector's configuration, by its config_schema (docs/protocol.md, "Manifest"). */
#ifndef RB_HOST_CONFIG_SCHEMA_H
#define RB_HOST_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

struct rb_doc;
struct rb_yaml;

enum { RB_SECRETS_MAX = 64 };

enum rb_network_key {
    RB_NETWORK_HOST,
    RB_NETWORK_PORT,
    RB_NETWORK_TLS_MODE,
    RB_NETWORK_TLS_ROOT_CERT,
    RB_NETWORK_TLS_CERT,
    RB_NETWORK_TLS_KEY,
    RB_NETWORK_TLS_CRL,
    RB_NETWORK_CHANNEL_BINDING,
    RB_NETWORK_KEYS,
};

struct rb_config {
    const char *json;
    const char **secrets;
    size_t n_secrets;
    /* The scalars of the properties with "x-network"; NULL: not said. With a position of their own
     * when the document says them, else the section's. */
    const struct rb_yaml *network[RB_NETWORK_KEYS];
    bool tls_mode_given; /* by document, URL or environment; not by the schema's default */
};

/* Checks `config` (NULL: the document has none) against the schema, fills in what the document does
 * not say, and takes secrets out unless `plaintext`. Mistakes go to doc; `section` is where missing
 * things are reported. RB_ENOMEM; RB_ECONNECTOR: the schema is no JSON object. */
int rb_schema_apply(struct rb_doc *doc, const char *schema_json, const struct rb_yaml *config,
                    const struct rb_yaml *section, bool plaintext, struct rb_config *ret);

#endif
