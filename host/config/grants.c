#include "host/config/grants.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/config/fields.h"
#include "host/config/host_pattern.h"
#include "host/config/scalar.h"
#include "base/suggest.h"

enum { HOSTS_MAX = 1024 };

/* In the order of the contract's numbers (docs/protocol.md, rb_host_net_tls_mode). */
enum { TLS_DISABLE, TLS_ALLOW, TLS_PREFER, TLS_REQUIRE };
static const char *const tls_modes[] = {"disable", "allow",     "prefer",
                                        "require", "verify-ca", "verify-full"};

void rb_grants_read(struct rb_doc *doc, const struct rb_yaml *node, struct rb_permissions *ret)
{
    static const char *const secrets_words[] = {"plaintext", NULL};
    static const struct rb_field fields[] = {
        {.name = "hosts", .kind = RB_FIELD_NODE, .offset = offsetof(struct rb_permissions, hosts)},
        {.name = "wasi_sockets",
         .kind = RB_FIELD_BOOL,
         .offset = offsetof(struct rb_permissions, wasi_sockets)},
        {.name = "secrets",
         .kind = RB_FIELD_WORD,
         .offset = offsetof(struct rb_permissions, secrets),
         .words = secrets_words},
        {.name = "env", .kind = RB_FIELD_NAMES, .offset = offsetof(struct rb_permissions, env)},
        {.name = "folders",
         .kind = RB_FIELD_NODE,
         .offset = offsetof(struct rb_permissions, folders)},
    };
    *ret = (struct rb_permissions){.hosts = NULL};
    if (node != NULL) {
        rb_fields_read(doc, node, "permissions", fields, sizeof fields / sizeof fields[0], ret);
    }
}

struct allow_list {
    struct rb_spec_allow *items;
    size_t count;
};

static struct allow_list list_new(struct rb_doc *doc, size_t max)
{
    return (struct allow_list){
        .items = rb_arena_alloc(doc->arena, max + 1, sizeof(struct rb_spec_allow))};
}

static void list_add(struct allow_list *list, struct rb_spec_allow entry)
{
    if (list->items != NULL) {
        list->items[list->count++] = entry;
    }
}

static bool lets_in(const struct allow_list *list, const struct rb_spec_allow *entry)
{
    for (size_t i = 0; i < list->count; i++) {
        if (rb_host_pattern_covers(&list->items[i], entry)) {
            return true;
        }
    }
    return false;
}

/* For the configuration's own host: where it names no port, some port will do. */
static bool lets_host_in(const struct allow_list *list, struct rb_spec_allow host)
{
    bool any_port = host.port == 0;
    for (size_t i = 0; i < list->count; i++) {
        host.port = any_port ? list->items[i].port : host.port;
        if (rb_host_pattern_covers(&list->items[i], &host)) {
            return true;
        }
    }
    return false;
}

static struct allow_list read_hosts(struct rb_doc *doc, const struct rb_yaml *node)
{
    struct rb_names names = {.count = 0};
    struct rb_spec_allow entry;
    if (node->kind == RB_YAML_SEQUENCE && node->n_children == 0) {
        return list_new(doc, 0); /* none at all is a wish that can be fulfilled */
    }
    rb_fields_names(doc, node, "hosts", &names);
    struct allow_list list = list_new(doc, names.count);
    for (size_t i = 0; i < names.count; i++) {
        if (rb_host_pattern_parse(doc->arena, names.items[i], &entry)) {
            list_add(&list, entry);
        } else {
            rb_doc_mistake(doc, node,
                           "name, *.name, address, CIDR or folder, each with :port or "
                           "without",
                           "hosts: '%s' is not a host", names.items[i]);
        }
    }
    return list;
}

/* One mistake is enough where the schema has found one already. */
static bool is_reported(const struct rb_doc *doc, const struct rb_yaml *node)
{
    for (size_t i = 0; i < doc->diags->count; i++) {
        if (doc->diags->items[i].line == node->line &&
            doc->diags->items[i].column == node->column) {
            return true;
        }
    }
    return false;
}

/* The host and port of the configuration; false when it names none. */
static bool configured_host(struct rb_doc *doc, const struct rb_config *config,
                            struct rb_spec_allow *ret)
{
    const struct rb_yaml *host = config->network[RB_NETWORK_HOST];
    const struct rb_yaml *port = config->network[RB_NETWORK_PORT];
    int64_t number = 0;
    if (host == NULL) {
        return false;
    }
    if (port != NULL && (!rb_scalar_i64(port->text, &number) || number < 1 || number > 65535) &&
        !is_reported(doc, port)) {
        rb_doc_mistake(doc, port, NULL, "port: %s is not a port (1 to 65535)",
                       rb_doc_show(doc, port));
    }
    *ret = (struct rb_spec_allow){.host = host->text, .port = (int)number};
    return true;
}

static void apply_hosts(struct rb_doc *doc, const struct rb_manifest *manifest,
                        const struct rb_config *config, const struct rb_permissions *permissions,
                        struct rb_connector_spec *spec)
{
    struct rb_spec_allow entry, host;
    const struct rb_yaml *at = config->network[RB_NETWORK_HOST];
    bool has_host = configured_host(doc, config, &host);
    struct allow_list base = list_new(doc, manifest->n_allowed_domains + 1);
    for (size_t i = 0; i < manifest->n_allowed_domains; i++) {
        if (rb_host_pattern_parse(doc->arena, manifest->allowed_domains[i], &entry)) {
            list_add(&base, entry);
        }
    }
    if (has_host && manifest->allow_runtime_config_domains) {
        list_add(&base, host);
    } else if (has_host && !lets_host_in(&base, host)) {
        rb_doc_mistake(doc, at, NULL, "host: the manifest of '%s' does not let this host in",
                       manifest->id);
    }
    struct allow_list allow = base;
    if (permissions->hosts != NULL) {
        struct allow_list narrow = read_hosts(doc, permissions->hosts);
        allow = list_new(doc, base.count + narrow.count);
        for (size_t i = 0; i < base.count; i++) {
            if (lets_in(&narrow, &base.items[i])) {
                list_add(&allow, base.items[i]);
            }
        }
        for (size_t i = 0; i < narrow.count; i++) {
            if (lets_in(&base, &narrow.items[i]) && !lets_in(&allow, &narrow.items[i])) {
                list_add(&allow, narrow.items[i]);
            }
        }
        if (has_host && !lets_host_in(&allow, host)) {
            rb_doc_mistake(doc, at, "add it there, or take permissions.hosts away",
                           "host: permissions.hosts does not let this host in");
        }
    }
    spec->allow = allow.items;
    spec->n_allow = allow.count;
}

static int tls_mode_of(struct rb_doc *doc, const struct rb_yaml *node)
{
    struct rb_suggest suggest;
    if (node == NULL) {
        return TLS_PREFER; /* as libpq */
    }
    rb_suggest_init(&suggest, node->text);
    for (int i = 0; i < (int)(sizeof tls_modes / sizeof tls_modes[0]); i++) {
        if (strcmp(tls_modes[i], node->text) == 0) {
            return i;
        }
        rb_suggest_offer(&suggest, tls_modes[i]);
    }
    rb_doc_mistake(doc, node, rb_doc_did_you_mean(doc, &suggest),
                   "%s is not a TLS mode (disable, allow, prefer, require, verify-ca, verify-full)",
                   rb_doc_show(doc, node));
    return TLS_PREFER;
}

static void apply_binding(struct rb_doc *doc, const struct rb_config *config,
                          struct rb_connector_spec *spec)
{
    /* In the order of enum rb_net_binding. */
    static const char *const words[] = {"prefer", "disable", "require"};
    const struct rb_yaml *node = config->network[RB_NETWORK_CHANNEL_BINDING];
    for (int i = 0; node != NULL && i < (int)(sizeof words / sizeof words[0]); i++) {
        if (strcmp(words[i], node->text) == 0) {
            spec->channel_binding = i;
            return;
        }
    }
    if (node != NULL && !is_reported(doc, node)) {
        rb_doc_mistake(doc, node, NULL, "%s is none of disable, prefer, require",
                       rb_doc_show(doc, node));
    }
}

static const char *tls_file(struct rb_doc *doc, const struct rb_yaml *node)
{
    if (node == NULL || strcmp(node->text, "system") == 0) {
        return NULL;
    }
    const char *path = rb_doc_path(doc, node->text);
    if (access(path, R_OK) != 0) {
        rb_doc_mistake(doc, node, NULL, "the file %s can't be read: %s", path, strerror(errno));
    }
    return path;
}

static void apply_tls(struct rb_doc *doc, const struct rb_manifest *manifest,
                      const struct rb_config *config, struct rb_connector_spec *spec)
{
    const struct rb_yaml *node = config->network[RB_NETWORK_TLS_MODE];
    int mode = tls_mode_of(doc, node);
    if (strcmp(manifest->tls, "required") == 0 && mode < TLS_REQUIRE) {
        if (config->tls_mode_given) {
            rb_doc_mistake(doc, node, "require, verify-ca or verify-full",
                           "the manifest of '%s' requires TLS", manifest->id);
        }
        mode = TLS_REQUIRE;
    }
    if (strcmp(manifest->tls, "forbidden") == 0) {
        if (mode >= TLS_REQUIRE && config->tls_mode_given) {
            rb_doc_mistake(doc, node, NULL, "the manifest of '%s' forbids TLS", manifest->id);
        }
        spec->tls_forbidden = true;
        mode = TLS_DISABLE;
    }
    spec->tls_mode = mode;
    spec->tls_root_cert = tls_file(doc, config->network[RB_NETWORK_TLS_ROOT_CERT]);
    spec->tls_cert = tls_file(doc, config->network[RB_NETWORK_TLS_CERT]);
    spec->tls_key = tls_file(doc, config->network[RB_NETWORK_TLS_KEY]);
    spec->tls_crl = tls_file(doc, config->network[RB_NETWORK_TLS_CRL]);
    apply_binding(doc, config, spec);
}

static void apply_env(struct rb_doc *doc, const struct rb_manifest *manifest,
                      const struct rb_permissions *permissions, const struct rb_yaml *section,
                      struct rb_connector_spec *spec)
{
    const char **env = rb_arena_alloc(doc->arena, permissions->env.count + 1, sizeof(const char *));
    size_t count = 0;
    for (size_t i = 0; i < permissions->env.count; i++) {
        const char *name = permissions->env.items[i], *value = getenv(name);
        bool allowed = false;
        for (size_t k = 0; k < manifest->n_env_vars; k++) {
            allowed = allowed || strcmp(manifest->env_vars[k], name) == 0;
        }
        if (!allowed) {
            rb_doc_mistake(doc, section, NULL,
                           "env: the manifest of '%s' does not ask for the variable %s",
                           manifest->id, name);
        } else if (value != NULL && env != NULL) {
            env[count++] = rb_arena_printf(doc->arena, "%s=%s", name, value);
        }
    }
    spec->env = env;
    spec->n_env = count;
}

void rb_grants_apply(struct rb_doc *doc, const struct rb_manifest *manifest,
                     const struct rb_config *config, const struct rb_permissions *permissions,
                     const struct rb_yaml *section, struct rb_connector_spec *spec)
{
    apply_hosts(doc, manifest, config, permissions, spec);
    apply_tls(doc, manifest, config, spec);
    apply_env(doc, manifest, permissions, section, spec);
    rb_folders_apply(doc, manifest, permissions->folders, spec);
    spec->wasi_sockets = permissions->wasi_sockets;
}
