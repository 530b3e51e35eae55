/* Where connectors are found. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/config/arena.h"
#include "host/config/home.h"
#include "host/config/manifest.h"
#include "host/config/manifest_read.h"
#include "base/suggest.h"

enum { DIRS_BYTES_MAX = 64 * 1024, NAME_BYTES_MAX = 128, CONNECTORS_MAX = 4096 };

/* "source-postgres" is in source_postgres.wasm. */
static bool file_name(const char *name, char out[NAME_BYTES_MAX + 1])
{
    size_t len = strlen(name);
    if (len == 0 || len > NAME_BYTES_MAX || name[0] == '.' ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") != len) {
        return false;
    }
    for (size_t i = 0; i <= len; i++) {
        out[i] = name[i] == '-' ? '_' : name[i];
    }
    return true;
}

/* The reverse, for showing: `-` is how connectors are named. False for other files. */
static bool connector_name(const char *file, char out[NAME_BYTES_MAX + 1])
{
    size_t len = strlen(file);
    if (len <= 5 || len - 5 > NAME_BYTES_MAX || strcmp(file + len - 5, ".wasm") != 0) {
        return false;
    }
    for (size_t i = 0; i < len - 5; i++) {
        out[i] = file[i] == '_' ? '-' : file[i];
    }
    out[len - 5] = '\0';
    return true;
}

/* The folders of a ':'-separated list, one a call; false at its end. Empty ones are skipped. */
static bool next_dir(const char **list, char *out, size_t cap)
{
    while (**list != '\0') {
        size_t len = strcspn(*list, ":");
        const char *dir = *list;
        *list += len + ((*list)[len] == ':' ? 1 : 0);
        if (len > 0 && len < cap) {
            memcpy(out, dir, len);
            out[len] = '\0';
            return true;
        }
    }
    return false;
}

static int append_dir(struct rb_buf *ret, const char *dir)
{
    return rb_buf_printf(ret, "%s%s", ret->len == 0 ? "" : ":", dir);
}

int rb_manifest_default_dirs(struct rb_buf *ret)
{
    const char *given = getenv("RAPIDBYTE_CONNECTOR_DIR");
    char home[PATH_MAX];
    char exe[PATH_MAX];
    int status = given != NULL && given[0] != '\0' ? append_dir(ret, given) : 0;
    ssize_t len = readlink("/proc/self/exe", exe, sizeof exe - 1);
    char *slash = NULL;
    if (len > 0) {
        exe[len] = '\0';
        slash = strrchr(exe, '/');
    }
    if (status == 0 && slash != NULL) {
        *slash = '\0';
        status = rb_buf_printf(ret, "%s%s/connectors:%s/../lib/rapidbyte/connectors",
                               ret->len == 0 ? "" : ":", exe, exe);
    }
    if (status == 0 && rb_home_folder(home)) {
        status = rb_buf_printf(ret, "%s%s/.rapidbyte/plugins", ret->len == 0 ? "" : ":", home);
    }
    return status;
}

static int fail_not_found(const char *name, const char *dirs, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf places = RB_BUF_INIT(RB_ERROR_MESSAGE_MAX);
    char dir[PATH_MAX], found[NAME_BYTES_MAX + 1], best[NAME_BYTES_MAX + 1] = "";
    struct rb_suggest suggest;
    rb_suggest_init(&suggest, name);
    for (const char *list = dirs; next_dir(&list, dir, sizeof dir);) {
        (void)rb_buf_printf(&places, "%s%s", places.len == 0 ? "" : ", ", dir);
        DIR *handle = opendir(dir);
        for (struct dirent *e; handle != NULL && (e = readdir(handle)) != NULL;) {
            const char *before = suggest.best;
            if (!connector_name(e->d_name, found)) {
                continue;
            }
            suggest.best = NULL;
            rb_suggest_offer(&suggest, found);
            if (suggest.best != NULL) {
                memcpy(best, found, sizeof best);
            }
            suggest.best = suggest.best != NULL ? best : before;
        }
        if (handle != NULL) {
            (void)closedir(handle);
        }
    }
    (void)rb_error_set(err, RB_ECONNECTOR, "CONNECTOR_NOT_FOUND",
                       "connector '%s' was not found in: %s", name, rb_buf_str(&places));
    if (suggest.best != NULL) {
        rb_error_set_hint(err, "did you mean '%s'?", best);
    } else {
        rb_error_set_hint(err, "RAPIDBYTE_CONNECTOR_DIR names the folder of further connectors");
    }
    return RB_ECONNECTOR;
}

int rb_manifest_find(const char *name, const char *dirs, struct rb_manifest **ret_manifest,
                     struct rb_error *err)
{
    char dir[PATH_MAX], file[NAME_BYTES_MAX + 1];
    if (!file_name(name, file)) {
        return rb_error_set(err, RB_ECONNECTOR, "CONNECTOR_NAME",
                            "'%s' is not a connector's name (letters, digits, '-', '_' and '.')",
                            name);
    }
    for (const char *list = dirs; next_dir(&list, dir, sizeof dir);) {
        char path[PATH_MAX];
        char *real = NULL;
        int len = snprintf(path, sizeof path, "%s/%s.wasm", dir, file);
        if (len > 0 && (size_t)len < sizeof path && access(path, F_OK) == 0) {
            real = realpath(dir, NULL);
        }
        if (real == NULL) {
            continue;
        }
        len = snprintf(path, sizeof path, "%s/%s.wasm", real, file);
        free(real);
        if (len > 0 && (size_t)len < sizeof path) {
            return rb_manifest_read(name, path, ret_manifest, err);
        }
    }
    return fail_not_found(name, dirs, err);
}

struct listing {
    char names[CONNECTORS_MAX][NAME_BYTES_MAX + 1];
    size_t count;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void list_names(const char *dirs, struct listing *ret)
{
    char dir[PATH_MAX], name[NAME_BYTES_MAX + 1];
    for (const char *list = dirs; next_dir(&list, dir, sizeof dir);) {
        DIR *handle = opendir(dir);
        for (struct dirent *e; handle != NULL && (e = readdir(handle)) != NULL;) {
            if (connector_name(e->d_name, name) && ret->count < CONNECTORS_MAX) {
                memcpy(ret->names[ret->count++], name, sizeof name);
            }
        }
        if (handle != NULL) {
            (void)closedir(handle);
        }
    }
    qsort(ret->names, ret->count, sizeof ret->names[0], compare_names);
    size_t kept = 0;
    for (size_t i = 0; i < ret->count; i++) {
        if (kept == 0 || strcmp(ret->names[kept - 1], ret->names[i]) != 0) {
            memmove(ret->names[kept++], ret->names[i], sizeof ret->names[0]);
        }
    }
    ret->count = kept;
}

int rb_manifest_list(const char *dirs, struct rb_manifest ***ret_manifests,
                     struct rb_error **ret_errors, size_t *ret_count, struct rb_error *err)
{
    struct listing *listing = calloc(1, sizeof *listing);
    if (listing == NULL) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory");
    }
    list_names(dirs, listing);
    struct rb_manifest **manifests = calloc(listing->count + 1, sizeof(struct rb_manifest *));
    struct rb_error *errors = calloc(listing->count + 1, sizeof *errors);
    if (manifests == NULL || errors == NULL) {
        free(manifests);
        free(errors);
        free(listing);
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "out of memory");
    }
    for (size_t i = 0; i < listing->count; i++) {
        (void)rb_manifest_find(listing->names[i], dirs, &manifests[i], &errors[i]);
    }
    *ret_manifests = manifests;
    *ret_errors = errors;
    *ret_count = listing->count;
    free(listing);
    return 0;
}
