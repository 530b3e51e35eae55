#include "host/worker/confine.h"

#include <stdlib.h>

enum { SYSTEM_PATHS_MAX = 64, PATHS_OF_CONNECTOR = 5, DNS_PORT = 53 };

struct rules {
    struct rb_sandbox_path *paths;
    uint16_t *ports;
    struct rb_sandbox_rules out;
};

static void release(struct rules *rules)
{
    free(rules->paths);
    free(rules->ports);
}

static void add_path(struct rules *rules, const char *path, bool writable)
{
    if (path != NULL) {
        rules->paths[rules->out.n_paths++] =
            (struct rb_sandbox_path){.path = path, .writable = writable};
    }
}

static void add_hosts(struct rules *rules, const struct rb_connector_spec *connector)
{
    for (size_t i = 0; i < connector->n_allow; i++) {
        if (connector->allow[i].host[0] == '/') {
            rules->out.unix_sockets = true;
            continue;
        }
        rules->out.internet = true;
        if (connector->allow[i].port == 0) {
            rules->out.any_port = true;
        } else {
            rules->ports[rules->out.n_ports++] = (uint16_t)connector->allow[i].port;
        }
    }
}

static void add_connector(struct rules *rules, const struct rb_connector_spec *connector)
{
    add_path(rules, connector->wasm_path, false);
    add_path(rules, connector->tls_root_cert, false);
    add_path(rules, connector->tls_cert, false);
    add_path(rules, connector->tls_key, false);
    add_path(rules, connector->tls_crl, false);
    for (size_t i = 0; i < connector->n_preopens; i++) {
        add_path(rules, connector->preopens[i].host_path, connector->preopens[i].writable);
        rules->out.beneath = true;
    }
    add_hosts(rules, connector);
}

static int allocate(const struct rb_worker_spec *spec, struct rules *rules)
{
    size_t n_paths = SYSTEM_PATHS_MAX + 1, n_ports = 1;
    for (size_t i = 0; i < spec->n_connectors; i++) {
        n_paths += PATHS_OF_CONNECTOR + spec->connectors[i].n_preopens;
        n_ports += spec->connectors[i].n_allow;
    }
    rules->paths = calloc(n_paths, sizeof *rules->paths);
    rules->ports = calloc(n_ports, sizeof *rules->ports);
    return rules->paths != NULL && rules->ports != NULL ? 0 : RB_ENOMEM;
}

int rb_worker_confine(const struct rb_worker_spec *spec, struct rb_sandbox_state *ret_state,
                      struct rb_error *err)
{
    if (spec->no_os_sandbox) {
        return 0;
    }
    RB_CLEANUP(release) struct rules rules = {.paths = NULL};
    if (allocate(spec, &rules) != 0) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for the sandbox");
    }
    rules.out.n_paths = rb_sandbox_system_paths(rules.paths, SYSTEM_PATHS_MAX);
    add_path(&rules, spec->aot_dir, false);
    for (size_t i = 0; i < spec->n_connectors; i++) {
        add_connector(&rules, &spec->connectors[i]);
    }
    if (rules.out.internet) {
        rules.ports[rules.out.n_ports++] = DNS_PORT; /* long answers come by TCP */
    }
    rules.out.paths = rules.paths;
    rules.out.ports = rules.ports;
    return rb_sandbox_enter(&rules.out, ret_state, err);
}
