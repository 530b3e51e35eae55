/* Reading one connector, within host/config. */
#ifndef RB_HOST_CONFIG_MANIFEST_READ_H
#define RB_HOST_CONFIG_MANIFEST_READ_H

#include "base/error.h"

struct rb_manifest;

/* `wasm_path` is absolute and ends in ".wasm". RB_ECONNECTOR as rb_manifest_find. */
int rb_manifest_read(const char *name, const char *wasm_path, struct rb_manifest **ret_manifest,
                     struct rb_error *err);

#endif
