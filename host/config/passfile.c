#include "host/config/passfile.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "host/config/doc.h"
#include "host/config/home.h"
#include "host/config/regular.h"

enum { LINE_MAX_BYTES = 4096 };

/* One field: `*` matches all; \ takes the next character as it is. *line moves behind its colon. */
static bool field_matches(const char **line, const char *value)
{
    const char *p = *line;
    bool same = true, any = p[0] == '*' && p[1] == ':';
    for (; *p != '\0' && *p != ':'; p++) {
        if (*p == '\\' && p[1] != '\0') {
            p++;
        }
        same = same && *value == *p;
        value += same ? 1 : 0;
    }
    *line = *p == ':' ? p + 1 : p;
    return *p == ':' && (any || (same && *value == '\0'));
}

static const char *password_of(struct rb_doc *doc, const char *rest)
{
    char *out = rb_arena_alloc(doc->arena, strlen(rest) + 1, 1);
    char *to = out;
    for (; out != NULL && *rest != '\0' && *rest != ':'; rest++) {
        if (*rest == '\\' && rest[1] != '\0') {
            rest++;
        }
        *to++ = *rest;
    }
    return out == NULL ? "" : out;
}

/* One that is not there, or that can't be read, has nothing, as with libpq. */
static bool open_private(struct rb_doc *doc, const struct rb_yaml *at, struct rb_regular *file)
{
    struct stat st;
    const char *wrong = NULL, *path = getenv("PGPASSFILE");
    char home[PATH_MAX];
    if (path == NULL || path[0] == '\0') {
        path = rb_home_folder(home) ? rb_arena_printf(doc->arena, "%s/.pgpass", home) : "";
    }
    int status = path[0] == '\0' ? -ENOENT : rb_regular_open_lines(file, path, &wrong);
    if (status == -EINVAL) {
        rb_doc_mistake(doc, at, NULL, "the password file %s can't be read: %s", path, wrong);
    }
    if (status < 0) {
        return false;
    }
    if (fstat(fileno(file->stream), &st) == 0 && (st.st_mode & (S_IRWXG | S_IRWXO)) == 0) {
        return true;
    }
    rb_doc_mistake(doc, at, rb_arena_printf(doc->arena, "chmod 600 %s", path),
                   "the password file %s may be read by others", path);
    rb_regular_close_lines(file);
    return false;
}

const char *rb_passfile_find(struct rb_doc *doc, const struct rb_yaml *at, const char *host,
                             const char *port, const char *database, const char *user)
{
    const char *found = NULL;
    char line[LINE_MAX_BYTES];
    if (user == NULL) {
        return NULL;
    }
    database = database == NULL ? user : database;
    host = host == NULL || host[0] == '/' ? "localhost" : host;
    struct rb_regular file;
    if (!open_private(doc, at, &file)) {
        return NULL;
    }
    while (found == NULL && fgets(line, sizeof line, file.stream) != NULL) {
        const char *p = line;
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] != '#' && field_matches(&p, host) &&
            field_matches(&p, port == NULL ? "5432" : port) && field_matches(&p, database) &&
            field_matches(&p, user)) {
            found = password_of(doc, p);
        }
    }
    explicit_bzero(line, sizeof line);
    rb_regular_close_lines(&file);
    return found;
}
