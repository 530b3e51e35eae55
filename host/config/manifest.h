/* A connector's manifest, and where connectors are found. */
#ifndef RB_HOST_CONFIG_MANIFEST_H
#define RB_HOST_CONFIG_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "host/link/spec.h"

/* A folder that a connector asks for, by the path under which it will see it. */
struct rb_manifest_folder {
    const char *guest_path;
    bool writable; /* it may be granted for writing, too */
};

struct rb_manifest {
    const char *id, *name, *version, *description, *protocol_version;
    const char *wasm_path; /* absolute */
    const char
        *manifest_path; /* absolute; equal to wasm_path when it came from the custom section */
    const char *sha256; /* of the module: 64 hex digits, checked when the manifest was read */
    bool names_sha256;  /* the manifest says it, too */
    const char *const *allowed_domains;
    size_t n_allowed_domains;
    bool allow_runtime_config_domains;
    const char *tls; /* "required", "optional", "forbidden" */
    const char *const *env_vars;
    size_t n_env_vars;
    const struct rb_manifest_folder *folders;
    size_t n_folders;
    uint64_t max_memory_bytes;    /* 0: the pipeline's; likewise */
    struct rb_spec_limits limits; /* of these */
    bool is_source, is_destination, is_transform;
    const char *const *sync_modes; /* of the source role */
    size_t n_sync_modes;
    const char *const *write_modes; /* of the destination role */
    size_t n_write_modes;
    const char *config_schema_json; /* "{}" when it has none */
    void *memory;
};

/* Finds `<name>.wasm` (- as _) along `dirs` (':'-separated) and reads its manifest. RB_ECONNECTOR:
 * not found (the message lists the places searched), malformed, or the module's sha-256 differs. */
int rb_manifest_find(const char *name, const char *dirs, struct rb_manifest **ret_manifest,
                     struct rb_error *err);
/* Every connector along `dirs`, by name; those that can't be read have an entry in `ret_errors`
 * (same index, status 0 = fine). free() both arrays. */
int rb_manifest_list(const char *dirs, struct rb_manifest ***ret_manifests,
                     struct rb_error **ret_errors, size_t *ret_count, struct rb_error *err);
void rb_manifest_free(struct rb_manifest *manifest);
/* The default search path, written to ret. */
int rb_manifest_default_dirs(struct rb_buf *ret);

#endif
