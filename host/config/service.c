#include "host/config/service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/config/doc.h"
#include "host/config/home.h"
#include "host/config/regular.h"

/* As libpq's, with the line break. */
enum { LINE_MAX_BYTES = 1024 };

struct reading {
    struct rb_doc *doc;
    const struct rb_yaml *at;
    const char *path;
    struct rb_url *ret;
    bool found; /* the section */
};

static const char blanks[] = " \t\r\n\v\f";

/* NULL: any value. What these ask for is done anyway, or is not there to be done; any other option
 * that no property stands for is refused. */
static const struct {
    const char *name, *value;
} without_effect[] = {
    {"client_encoding", NULL},
    {"connect_timeout", NULL},
    {"fallback_application_name", NULL},
    {"gssdelegation", NULL},
    {"gssencmode", "disable"},
    {"gssencmode", "prefer"},
    {"gsslib", NULL},
    {"keepalives", NULL},
    {"keepalives_count", NULL},
    {"keepalives_idle", NULL},
    {"keepalives_interval", NULL},
    {"krbsrvname", NULL},
    {"load_balance_hosts", NULL},
    {"sslcompression", NULL},
    {"sslsni", "1"},
    {"target_session_attrs", "any"},
    {"tcp_user_timeout", NULL},
};

static bool has_no_effect(const char *name, const char *value)
{
    for (size_t i = 0; i < sizeof without_effect / sizeof without_effect[0]; i++) {
        if (strcmp(without_effect[i].name, name) == 0 &&
            (without_effect[i].value == NULL || strcmp(without_effect[i].value, value) == 0)) {
            return true;
        }
    }
    return false;
}

static bool refuse(const struct reading *r, int line, const char *what)
{
    rb_doc_mistake(r->doc, r->at, NULL, "the service file %s, line %d: %s", r->path, line, what);
    return false;
}

/* Within the section. */
static bool take_option(struct reading *r, char *text, int line)
{
    char *value = strchr(text, '=');
    if (value == NULL) {
        return refuse(r, line, "an option has the form name=value");
    }
    *value++ = '\0';
    if (strcmp(text, "service") == 0) {
        return refuse(r, line, "a service names another");
    }
    const char *name = strcmp(text, "dbname") == 0 ? "database" : text;
    if (value[0] == '\0' || has_no_effect(name, value) || rb_url_get(r->ret, name) != NULL) {
        return true;
    }
    if (r->ret->n_parts == RB_URL_PARTS_MAX) {
        return refuse(r, line, "the service has too many options");
    }
    r->ret->parts[r->ret->n_parts++] =
        (struct rb_url_part){.name = rb_arena_strdup(r->doc->arena, name),
                             .value = rb_arena_strdup(r->doc->arena, value)};
    return true;
}

static bool take_lines(struct reading *r, const char *name, FILE *file)
{
    char text[LINE_MAX_BYTES];
    size_t len = strlen(name);
    bool good = true, inside = false;
    for (int line = 1; good && fgets(text, sizeof text, file) != NULL; line++) {
        size_t end = strlen(text);
        if (end == sizeof text - 1) {
            good = refuse(r, line, "it is too long");
            break;
        }
        while (end > 0 && strchr(blanks, text[end - 1]) != NULL) {
            text[--end] = '\0';
        }
        char *p = text + strspn(text, blanks);
        if (*p == '[') {
            if (r->found) {
                break; /* the section's end */
            }
            inside = strncmp(p + 1, name, len) == 0 && p[1 + len] == ']';
            r->found = inside;
        } else if (inside && *p != '\0' && *p != '#') {
            good = take_option(r, p, line);
        }
    }
    explicit_bzero(text, sizeof text); /* passwords may stand there */
    return good;
}

/* A file that is not there has no section; `needed` makes that a mistake. */
static bool read_file(struct reading *r, const char *name, bool needed)
{
    struct rb_regular file;
    const char *wrong = NULL;
    int status = rb_regular_open_lines(&file, r->path, &wrong);
    if (status < 0) {
        if (needed || status != -ENOENT) {
            rb_doc_mistake(r->doc, r->at, NULL, "the service file %s can't be read: %s", r->path,
                           wrong);
            return false;
        }
        return true;
    }
    bool good = take_lines(r, name, file.stream);
    rb_regular_close_lines(&file);
    return good;
}

bool rb_service_read(struct rb_doc *doc, const struct rb_yaml *at, const char *name,
                     struct rb_url *ret)
{
    struct rb_url url = {.n_parts = 0};
    struct reading r = {.doc = doc, .at = at, .ret = &url};
    const char *own = getenv("PGSERVICEFILE");
    char home[PATH_MAX];
    const char *folder = getenv("PGSYSCONFDIR");
    bool good = true;
    if (own != NULL) {
        r.path = own;
        good = read_file(&r, name, true);
    } else if (rb_home_folder(home)) {
        r.path = rb_arena_printf(doc->arena, "%s/.pg_service.conf", home);
        good = read_file(&r, name, false);
    }
    if (good && !r.found) {
        r.path = rb_arena_printf(doc->arena, "%s/pg_service.conf",
                                 folder != NULL ? folder : "/etc/postgresql-common");
        good = read_file(&r, name, false);
    }
    if (good && !r.found) {
        rb_doc_mistake(doc, at, "[name] in ~/.pg_service.conf, or in the file of PGSERVICEFILE",
                       "no service file has the service '%s'", name);
        return false;
    }
    if (good) {
        *ret = url;
    }
    return good;
}
