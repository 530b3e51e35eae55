#include "host/config/url.h"

#include <string.h>

#include "host/config/doc.h"

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* NULL: a % without two digits behind it, or %00. */
static const char *decode(struct rb_doc *doc, const char *text, size_t len)
{
    char *out = rb_arena_alloc(doc->arena, len + 1, 1);
    size_t n = 0;
    for (size_t i = 0; i < len && out != NULL; i++) {
        char c = text[i];
        if (c == '%') {
            int high = len - i > 2 ? hex_digit(text[i + 1]) : -1;
            int low = len - i > 2 ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0 || (high == 0 && low == 0)) {
                return NULL;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        out[n++] = c;
    }
    return out == NULL ? "" : out;
}

const char *rb_url_get(const struct rb_url *url, const char *name)
{
    for (size_t i = 0; i < url->n_parts; i++) {
        if (strcmp(url->parts[i].name, name) == 0) {
            return url->parts[i].value;
        }
    }
    return NULL;
}

/* What is wrong; NULL: nothing. An empty part says nothing. */
static const char *add(struct rb_doc *doc, struct rb_url *url, const char *name, const char *value,
                       size_t len)
{
    if (len == 0) {
        return NULL;
    }
    const char *decoded = decode(doc, value, len);
    if (decoded == NULL) {
        return "a % in it is not followed by two hexadecimal digits";
    }
    if (rb_url_get(url, name) != NULL) {
        return "it says the same thing twice";
    }
    if (url->n_parts == RB_URL_PARTS_MAX) {
        return "it has too many options";
    }
    url->parts[url->n_parts++] = (struct rb_url_part){.name = name, .value = decoded};
    return NULL;
}

static const char *add_host(struct rb_doc *doc, struct rb_url *url, const char *p, const char *end)
{
    const char *host = p, *host_end = end, *port = end;
    if (memchr(p, ',', (size_t)(end - p)) != NULL) {
        return "several hosts are not supported: name one";
    }
    if (p < end && *p == '[') {
        host = p + 1;
        host_end = memchr(host, ']', (size_t)(end - host));
        if (host_end == NULL || (host_end + 1 < end && host_end[1] != ':')) {
            return "the IPv6 address in it is not closed by ]";
        }
        port = host_end + 1 < end ? host_end + 2 : end;
    } else {
        const char *colon = memchr(p, ':', (size_t)(end - p));
        host_end = colon == NULL ? end : colon;
        port = colon == NULL ? end : colon + 1;
    }
    for (const char *q = port; q < end; q++) {
        if (*q < '0' || *q > '9') {
            return "its port is not a number (in a password, write %40 for @, %2F for /, %3A for "
                   ":)";
        }
    }
    const char *wrong = add(doc, url, "host", host, (size_t)(host_end - host));
    return wrong != NULL ? wrong : add(doc, url, "port", port, (size_t)(end - port));
}

static const char *add_query(struct rb_doc *doc, struct rb_url *url, const char *p)
{
    const char *wrong = NULL;
    while (*p != '\0' && wrong == NULL) {
        size_t len = strcspn(p, "&");
        const char *equals = memchr(p, '=', len);
        if (equals == NULL) {
            return "an option of its query has no value";
        }
        const char *name = decode(doc, p, (size_t)(equals - p));
        if (name == NULL || name[0] == '\0') {
            return "an option of its query has no name";
        }
        wrong = add(doc, url, strcmp(name, "dbname") == 0 ? "database" : name, equals + 1,
                    len - (size_t)(equals + 1 - p));
        p += len + (p[len] == '&' ? 1 : 0);
    }
    return wrong;
}

static const char *parse(struct rb_doc *doc, const char *text, struct rb_url *url)
{
    const char *p = strncmp(text, "postgresql://", 13) == 0 ? text + 13
                    : strncmp(text, "postgres://", 11) == 0 ? text + 11
                                                            : NULL;
    if (p == NULL) {
        return "it does not begin with postgresql://";
    }
    const char *end = p + strcspn(p, "/?");
    const char *at = memrchr(p, '@', (size_t)(end - p));
    const char *wrong = NULL;
    if (at != NULL) {
        const char *colon = memchr(p, ':', (size_t)(at - p));
        wrong = add(doc, url, "user", p, (size_t)((colon == NULL ? at : colon) - p));
        if (wrong == NULL && colon != NULL) {
            wrong = add(doc, url, "password", colon + 1, (size_t)(at - colon - 1));
        }
        p = at + 1;
    }
    wrong = wrong != NULL ? wrong : add_host(doc, url, p, end);
    p = end;
    if (wrong == NULL && *p == '/') {
        size_t len = strcspn(p + 1, "?");
        wrong = add(doc, url, "database", p + 1, len);
        p += 1 + len;
    }
    return wrong != NULL || *p == '\0' ? wrong : add_query(doc, url, p + 1);
}

bool rb_url_parse(struct rb_doc *doc, const struct rb_yaml *node, struct rb_url *ret)
{
    struct rb_url url = {.n_parts = 0};
    const char *wrong =
        node->kind != RB_YAML_SCALAR ? "a text is expected" : parse(doc, node->text, &url);
    if (wrong != NULL) {
        rb_doc_mistake(doc, node, "postgresql://user:password@host:port/database?sslmode=require",
                       "%s: %s", node->key != NULL ? node->key : "the connection URL", wrong);
        return false;
    }
    *ret = url;
    return true;
}
