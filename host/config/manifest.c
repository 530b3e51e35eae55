/* A manifest's JSON as a struct. */
#include "host/config/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yyjson.h>

#include "host/config/arena.h"
#include "host/config/manifest_read.h"
#include "host/config/scalar.h"
#include "host/config/wasm_section.h"
#include "host/crypto/digest.h"

enum {
    MODULE_BYTES_MAX = 256 * 1024 * 1024,
    MANIFEST_BYTES_MAX = 1024 * 1024,
    LIST_MAX = 1024,
    FOLDERS_MAX = 16, /* that a connector may ask for */
};

static const char protocol_version[] = "1";

static int refuse(struct rb_error *err, const char *path, const char *what)
{
    return rb_error_set(err, RB_ECONNECTOR, "MANIFEST_INVALID", "manifest %s: %s", path, what);
}

static int read_file(const char *path, size_t max, struct rb_buf *ret, struct rb_error *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        int e = errno;
        if (fd >= 0) {
            (void)close(fd);
        }
        return rb_error_set_errno(err, RB_ECONNECTOR, "CONNECTOR_UNREADABLE", e, "%s", path);
    }
    int status = 0;
    *ret = RB_BUF_INIT(max);
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > max) {
        status = rb_error_set(err, RB_ECONNECTOR, "CONNECTOR_UNREADABLE",
                              "%s: not a file of at most %zu bytes", path, max);
    }
    while (status == 0) {
        uint8_t chunk[65536];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n == 0) {
            break;
        }
        if (n < 0) {
            status =
                rb_error_set_errno(err, RB_ECONNECTOR, "CONNECTOR_UNREADABLE", errno, "%s", path);
        } else if (rb_buf_append(ret, chunk, (size_t)n) != 0) {
            status = rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "%s: out of memory", path);
        }
    }
    (void)close(fd);
    return status;
}

/* A member that is a text; `fallback` when it is absent or something else. */
static const char *text_of(struct rb_arena *arena, yyjson_val *object, const char *key,
                           const char *fallback)
{
    const char *text = yyjson_get_str(yyjson_obj_get(object, key));
    return text == NULL ? fallback : rb_arena_strdup(arena, text);
}

static const char *const *texts_of(struct rb_arena *arena, yyjson_val *object, const char *key,
                                   size_t *ret_count)
{
    yyjson_val *list = yyjson_obj_get(object, key), *item = NULL;
    size_t n = yyjson_arr_size(list), i = 0, max = 0, count = 0;
    *ret_count = 0;
    if (n == 0 || n > LIST_MAX) {
        return NULL;
    }
    const char **texts = rb_arena_alloc(arena, n, sizeof *texts);
    if (texts == NULL) {
        return NULL;
    }
    yyjson_arr_foreach(list, i, max, item)
    {
        if (yyjson_is_str(item)) {
            texts[count++] = rb_arena_strdup(arena, yyjson_get_str(item));
        }
    }
    *ret_count = count;
    return texts;
}

/* permissions.fs.preopens: "/path", or {"path": "/path", "access": "read" | "write"}. */
static int read_folders(struct rb_manifest *m, yyjson_val *fs, struct rb_error *err)
{
    yyjson_val *list = yyjson_obj_get(fs, "preopens"), *item = NULL;
    size_t n = yyjson_arr_size(list), i = 0, max = 0;
    if (n == 0) {
        return 0;
    }
    struct rb_manifest_folder *folders = rb_arena_alloc(m->memory, n, sizeof *folders);
    if (n > FOLDERS_MAX || folders == NULL) {
        return refuse(err, m->manifest_path, "permissions.fs.preopens asks for too many folders");
    }
    yyjson_arr_foreach(list, i, max, item)
    {
        yyjson_val *access = yyjson_obj_get(item, "access");
        const char *path =
            yyjson_get_str(yyjson_is_obj(item) ? yyjson_obj_get(item, "path") : item);
        if (path == NULL || path[0] != '/' ||
            (access != NULL && !yyjson_equals_str(access, "read") &&
             !yyjson_equals_str(access, "write"))) {
            return refuse(err, m->manifest_path,
                          "permissions.fs.preopens takes absolute paths, or objects of path and "
                          "access (read, write)");
        }
        folders[i] = (struct rb_manifest_folder){.guest_path = rb_arena_strdup(m->memory, path),
                                                 .writable = !yyjson_equals_str(access, "read")};
    }
    m->folders = folders;
    m->n_folders = n;
    return 0;
}

static int read_permissions(struct rb_manifest *m, yyjson_val *root, struct rb_error *err)
{
    struct rb_arena *arena = m->memory;
    yyjson_val *permissions = yyjson_obj_get(root, "permissions");
    yyjson_val *network = yyjson_obj_get(permissions, "network");
    m->allowed_domains = texts_of(arena, network, "allowed_domains", &m->n_allowed_domains);
    m->allow_runtime_config_domains =
        yyjson_get_bool(yyjson_obj_get(network, "allow_runtime_config_domains"));
    m->tls = text_of(arena, network, "tls", "optional");
    m->env_vars =
        texts_of(arena, yyjson_obj_get(permissions, "env"), "allowed_vars", &m->n_env_vars);
    if (strcmp(m->tls, "required") != 0 && strcmp(m->tls, "optional") != 0 &&
        strcmp(m->tls, "forbidden") != 0) {
        return refuse(err, m->manifest_path,
                      "permissions.network.tls is none of required, optional, forbidden");
    }
    return read_folders(m, yyjson_obj_get(permissions, "fs"), err);
}

static int read_roles(struct rb_manifest *m, yyjson_val *root, struct rb_error *err)
{
    struct rb_arena *arena = m->memory;
    yyjson_val *roles = yyjson_obj_get(root, "roles");
    yyjson_val *source = yyjson_obj_get(roles, "source");
    yyjson_val *destination = yyjson_obj_get(roles, "destination");
    yyjson_val *transform = yyjson_obj_get(roles, "transform");
    m->is_source = yyjson_is_obj(source);
    m->is_destination = yyjson_is_obj(destination);
    m->is_transform = yyjson_is_obj(transform) || yyjson_is_true(transform);
    m->sync_modes = texts_of(arena, source, "supported_sync_modes", &m->n_sync_modes);
    m->write_modes = texts_of(arena, destination, "supported_write_modes", &m->n_write_modes);
    if (!m->is_source && !m->is_destination && !m->is_transform &&
        !yyjson_is_obj(yyjson_obj_get(roles, "utility"))) {
        return refuse(err, m->manifest_path, "it names no role");
    }
    return 0;
}

/* A number, or the text of a size or a duration. False for anything else that is there. */
static bool read_limit(yyjson_val *limits, const char *key, bool is_duration, uint64_t *ret)
{
    yyjson_val *v = yyjson_obj_get(limits, key);
    const char *text = yyjson_get_str(v);
    int64_t micros = 0;
    if (v == NULL || yyjson_is_null(v)) {
        return true;
    }
    if (yyjson_is_uint(v) && !is_duration) {
        *ret = yyjson_get_uint(v);
        return true;
    }
    if (text == NULL || (is_duration ? !rb_scalar_micros(text, &micros) || micros < 0
                                     : !rb_scalar_size(text, ret))) {
        return false;
    }
    *ret = is_duration ? (uint64_t)micros / 1000 : *ret;
    return true;
}

static int read_limits(struct rb_manifest *m, yyjson_val *root, struct rb_error *err)
{
    const struct {
        const char *key;
        bool is_duration;
        uint64_t *to;
    } limits[] = {
        {"max_memory", false, &m->max_memory_bytes},
        {"max_sockets", false, &m->limits.sockets},
        {"max_log_lines", false, &m->limits.log_lines},
        {"max_log_bytes", false, &m->limits.log_bytes},
        {"max_state_keys", false, &m->limits.state_keys},
        {"max_state_bytes", false, &m->limits.state_bytes},
        {"max_metric_names", false, &m->limits.metric_names},
        {"max_stack", false, &m->limits.stack_bytes},
        {"max_call", true, &m->limits.call_ms},
        {"max_cpu", true, &m->limits.cpu_ms},
    };
    yyjson_val *object = yyjson_obj_get(root, "limits");
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        if (!read_limit(object, limits[i].key, limits[i].is_duration, limits[i].to)) {
            char what[96];
            (void)snprintf(what, sizeof what, "limits.%s is not a %s", limits[i].key,
                           limits[i].is_duration ? "duration" : "size");
            return refuse(err, m->manifest_path, what);
        }
    }
    return 0;
}

static int read_schema(struct rb_manifest *m, yyjson_val *root, struct rb_error *err)
{
    yyjson_val *schema = yyjson_obj_get(root, "config_schema");
    m->config_schema_json = "{}";
    if (schema == NULL || yyjson_is_null(schema)) {
        return 0;
    }
    if (!yyjson_is_obj(schema)) {
        return refuse(err, m->manifest_path, "config_schema is not an object");
    }
    size_t len = 0;
    char *json = yyjson_val_write(schema, YYJSON_WRITE_NOFLAG, &len);
    if (json != NULL) {
        m->config_schema_json = rb_arena_strndup(m->memory, json, len);
    }
    int status = json == NULL ? rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory") : 0;
    free(json);
    return status;
}

/* The module is the one that the manifest was made for. */
static int check_module(struct rb_manifest *m, yyjson_val *root, struct rb_error *err)
{
    const char *sum = yyjson_get_str(yyjson_obj_get(yyjson_obj_get(root, "artifact"), "checksum"));
    if (sum == NULL) {
        return 0;
    }
    if (strncmp(sum, "sha256:", 7) != 0 || strlen(sum) != 7 + RB_SHA256_HEX_LEN) {
        return refuse(err, m->manifest_path, "artifact.checksum is not sha256: and 64 digits");
    }
    if (strcasecmp(sum + 7, m->sha256) != 0) {
        (void)rb_error_set(err, RB_ECONNECTOR, "CHECKSUM_DIFFERS",
                           "connector %s is not the module that its manifest names: its sha-256 is "
                           "%s, the manifest says %s",
                           m->wasm_path, m->sha256, sum + 7);
        rb_error_set_hint(err, "install module and manifest together (%s)", m->manifest_path);
        return RB_ECONNECTOR;
    }
    m->names_sha256 = true;
    return 0;
}

static int read_root(struct rb_manifest *m, const char *name, yyjson_val *root,
                     struct rb_error *err)
{
    struct rb_arena *arena = m->memory;
    if (!yyjson_is_obj(root)) {
        return refuse(err, m->manifest_path, "it is not an object");
    }
    m->id = text_of(arena, root, "id", name);
    m->name = text_of(arena, root, "name", m->id);
    m->version = text_of(arena, root, "version", "");
    m->description = text_of(arena, root, "description", "");
    m->protocol_version = text_of(arena, root, "protocol_version", "");
    if (strcmp(m->protocol_version, protocol_version) != 0) {
        (void)rb_error_set(err, RB_ECONNECTOR, "PROTOCOL_VERSION",
                           "connector '%s' speaks protocol version '%s', this rapidbyte '%s' (%s)",
                           name, m->protocol_version, protocol_version, m->manifest_path);
        return RB_ECONNECTOR;
    }
    int status = read_permissions(m, root, err);
    status = status != 0 ? status : read_roles(m, root, err);
    status = status != 0 ? status : read_limits(m, root, err);
    status = status != 0 ? status : read_schema(m, root, err);
    return status != 0 ? status : check_module(m, root, err);
}

static int parse(struct rb_manifest *m, const char *name, const char *json, size_t len,
                 struct rb_error *err)
{
    yyjson_read_err why = {0};
    /* Without the in-situ flag the text is only read. */
    yyjson_doc *doc =
        yyjson_read_opts((char *)(uintptr_t)json, len, YYJSON_READ_NOFLAG, NULL, &why);
    if (doc == NULL) {
        return rb_error_set(err, RB_ECONNECTOR, "MANIFEST_INVALID",
                            "manifest %s is not JSON: %s at byte %zu", m->manifest_path, why.msg,
                            why.pos);
    }
    int status = read_root(m, name, yyjson_doc_get_root(doc), err);
    yyjson_doc_free(doc);
    if (status == 0 && rb_arena_failed(m->memory)) {
        status = rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory");
    }
    return status;
}

/* The manifest beside the module, or else the one in it. */
static int find_json(struct rb_manifest *m, const struct rb_buf *module, struct rb_buf *file,
                     const char **ret_json, size_t *ret_len, struct rb_error *err)
{
    const uint8_t *section = NULL;
    size_t section_len = 0;
    enum rb_wasm_section_outcome outcome = rb_wasm_section_find(
        module->data, module->len, "rapidbyte.manifest", &section, &section_len);
    if (outcome == RB_WASM_SECTION_NOT_WASM) {
        return rb_error_set(err, RB_ECONNECTOR, "NOT_WASM",
                            "connector %s is not a WebAssembly module", m->wasm_path);
    }
    m->manifest_path = rb_arena_printf(m->memory, "%.*s.manifest.json",
                                       (int)(strlen(m->wasm_path) - strlen(".wasm")), m->wasm_path);
    if (access(m->manifest_path, F_OK) == 0) {
        int status = read_file(m->manifest_path, MANIFEST_BYTES_MAX, file, err);
        *ret_json = rb_buf_str(file);
        *ret_len = file->len;
        return status;
    }
    if (outcome == RB_WASM_SECTION_NONE) {
        (void)rb_error_set(err, RB_ECONNECTOR, "MANIFEST_MISSING", "connector %s has no manifest",
                           m->wasm_path);
        rb_error_set_hint(err,
                          "put it beside the module (%s) or into its custom section "
                          "rapidbyte.manifest",
                          m->manifest_path);
        return RB_ECONNECTOR;
    }
    m->manifest_path = m->wasm_path;
    *ret_json = (const char *)section;
    *ret_len = section_len;
    return 0;
}

static int read_into(struct rb_manifest *m, const char *name, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf module = RB_BUF_INIT(0);
    RB_CLEANUP(rb_buf_release) struct rb_buf file = RB_BUF_INIT(0);
    uint8_t digest[32];
    char hex[RB_SHA256_HEX_LEN + 1];
    const char *json = NULL;
    size_t len = 0;
    int status = read_file(m->wasm_path, MODULE_BYTES_MAX, &module, err);
    if (status != 0) {
        return status;
    }
    rb_sha256(module.data, module.len, digest);
    rb_hex(digest, sizeof digest, hex);
    m->sha256 = rb_arena_strdup(m->memory, hex);
    status = find_json(m, &module, &file, &json, &len, err);
    return status != 0 ? status : parse(m, name, json, len, err);
}

int rb_manifest_read(const char *name, const char *wasm_path, struct rb_manifest **ret_manifest,
                     struct rb_error *err)
{
    struct rb_arena *arena = rb_arena_new();
    struct rb_manifest *m = arena == NULL ? NULL : rb_arena_alloc(arena, 1, sizeof *m);
    if (m == NULL) {
        rb_arena_free(arena);
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory");
    }
    m->memory = arena;
    m->wasm_path = rb_arena_strdup(arena, wasm_path);
    int status = read_into(m, name, err);
    if (status != 0) {
        rb_arena_free(arena);
        return status;
    }
    *ret_manifest = m;
    return 0;
}

void rb_manifest_free(struct rb_manifest *manifest)
{
    if (manifest != NULL) {
        rb_arena_free(manifest->memory);
    }
}
