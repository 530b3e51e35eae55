/* libpq's connection service file (PostgreSQL documentation, 34.17). */
#ifndef RB_HOST_CONFIG_SERVICE_H
#define RB_HOST_CONFIG_SERVICE_H

#include <stdbool.h>

#include "host/config/url.h"

struct rb_doc;
struct rb_yaml;

/*
 * What the section `name` says, with `dbname` as `database`: of $PGSERVICEFILE, else
 * ~/.pg_service.conf; where that is missing or has no such section, of pg_service.conf in
 * $PGSYSCONFDIR, else in /etc/postgresql-common. Options that concern nothing here (keep-alives,
 * encodings, GSSAPI) are left out. As with libpq, the first of two equal options counts, blanks
 * around a line do not, and blanks around its `=` do.
 *
 * False after a mistake at `at`, which shows no value: no such section, a file that can't be read,
 * a line that is no option or longer than 1023 bytes, a service within a service.
 */
bool rb_service_read(struct rb_doc *doc, const struct rb_yaml *at, const char *name,
                     struct rb_url *ret);

#endif
