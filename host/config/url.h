/* Connection URLs as libpq reads them (PostgreSQL documentation, 34.1.1.2). */
#ifndef RB_HOST_CONFIG_URL_H
#define RB_HOST_CONFIG_URL_H

#include <stdbool.h>
#include <stddef.h>

struct rb_doc;
struct rb_yaml;

enum { RB_URL_PARTS_MAX = 32 };

/* host, port, user, password, database, and the options of the query by their own names. */
struct rb_url {
    struct rb_url_part {
        const char *name, *value; /* percent-decoded */
    } parts[RB_URL_PARTS_MAX];
    size_t n_parts;
};

/* Takes node->text apart. False, with a mistake at `node` that shows nothing of it, when it is not
 * a URL or names several hosts. */
bool rb_url_parse(struct rb_doc *doc, const struct rb_yaml *node, struct rb_url *ret);
/* NULL: the URL does not say. */
const char *rb_url_get(const struct rb_url *url, const char *name);

#endif
