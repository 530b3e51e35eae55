/* libpq's password file (PostgreSQL documentation, 34.16). */
#ifndef RB_HOST_CONFIG_PASSFILE_H
#define RB_HOST_CONFIG_PASSFILE_H

struct rb_doc;
struct rb_yaml;

/* The first line of $PGPASSFILE (~/.pgpass) that matches. NULL arguments are as libpq's defaults:
 * localhost, 5432, the user's name as database. NULL: no such line. A file that others may read is
 * a mistake at `at`. */
const char *rb_passfile_find(struct rb_doc *doc, const struct rb_yaml *at, const char *host,
                             const char *port, const char *database, const char *user);

#endif
