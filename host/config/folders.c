/*
 * Folders: what a connector sees of this machine's files. Its manifest asks for them by the paths
 * under which it will see them, permissions.folders gives them, to read unless it says more.
 * Beneath them the kernel resolves every path (host/guest/wasi_path.c).
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "host/config/fields.h"
#include "host/config/grants.h"

struct folder {
    const char *path;
    bool write;
};

static void read_one(struct rb_doc *doc, const struct rb_yaml *node, struct folder *ret)
{
    static const struct rb_field fields[] = {
        {.name = "path",
         .kind = RB_FIELD_TEXT,
         .offset = offsetof(struct folder, path),
         .required = true},
        {.name = "write", .kind = RB_FIELD_BOOL, .offset = offsetof(struct folder, write)},
    };
    if (node->kind == RB_YAML_MAPPING) {
        rb_fields_read(doc, node, "a folder", fields, sizeof fields / sizeof fields[0], ret);
    } else if (node->kind == RB_YAML_SCALAR && node->text[0] != 0) {
        ret->path = node->text;
    } else {
        rb_doc_mistake(doc, node, NULL, "folders: a folder is expected, not %s",
                       rb_doc_show(doc, node));
    }
}

static const struct rb_manifest_folder *find(const struct rb_manifest *manifest,
                                             const char *guest_path)
{
    for (size_t i = 0; i < manifest->n_folders; i++) {
        if (strcmp(manifest->folders[i].guest_path, guest_path) == 0) {
            return &manifest->folders[i];
        }
    }
    return NULL;
}

/* Whether the file or folder `inner` lies in the folder `outer`; both are there. */
static bool contains(const char *outer, const char *inner)
{
    char *a = realpath(outer, NULL), *b = realpath(inner, NULL);
    size_t len = a == NULL ? 0 : strlen(a);
    bool inside = a != NULL && b != NULL && strncmp(a, b, len) == 0 &&
                  (b[len] == 0 || b[len] == '/' || len == 1);
    free(a);
    free(b);
    return inside;
}

/* What decides on the next run may not be written by this one. */
static bool is_ours(const struct rb_doc *doc, const struct rb_manifest *manifest, const char *path)
{
    return contains(path, doc->path) || contains(path, manifest->wasm_path) ||
           contains(path, manifest->manifest_path);
}

static void apply_one(struct rb_doc *doc, const struct rb_manifest *manifest,
                      const struct rb_yaml *node, struct rb_connector_spec *spec,
                      struct rb_spec_preopen *preopens)
{
    const struct rb_manifest_folder *wish = find(manifest, node->key);
    struct folder folder = {.path = NULL, .write = false};
    struct stat st;
    read_one(doc, node, &folder);
    if (folder.path == NULL) {
        return;
    }
    if (wish == NULL) {
        rb_doc_mistake_key(doc, node, NULL,
                           "folders: the manifest of '%s' does not ask for the folder %s",
                           manifest->id, node->key);
        return;
    }
    if (folder.write && !wish->writable) {
        rb_doc_mistake(doc, node, NULL, "folders: the manifest of '%s' asks for %s to read alone",
                       manifest->id, node->key);
        return;
    }
    const char *path = rb_doc_path(doc, folder.path);
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        rb_doc_mistake(doc, node, NULL, "folders: %s is not a folder", path);
    } else if (folder.write && is_ours(doc, manifest, path)) {
        rb_doc_mistake(doc, node, "name a folder of its own",
                       "folders: %s holds this document or the connector", path);
    } else {
        preopens[spec->n_preopens++] = (struct rb_spec_preopen){
            .guest_path = wish->guest_path, .host_path = path, .writable = folder.write};
    }
}

void rb_folders_apply(struct rb_doc *doc, const struct rb_manifest *manifest,
                      const struct rb_yaml *folders, struct rb_connector_spec *spec)
{
    if (folders == NULL) {
        return;
    }
    if (folders->kind != RB_YAML_MAPPING) {
        rb_doc_mistake(doc, folders, "folders: { /data: ./data }",
                       "folders: a mapping is expected, not %s", rb_doc_show(doc, folders));
        return;
    }
    rb_doc_check_duplicates(doc, folders);
    struct rb_spec_preopen *preopens =
        rb_arena_alloc(doc->arena, folders->n_children + 1, sizeof *preopens);
    if (preopens == NULL) {
        return;
    }
    for (const struct rb_yaml *at = folders->child; at != NULL; at = at->next) {
        apply_one(doc, manifest, at, spec, preopens);
    }
    spec->preopens = preopens;
}
