/* Names in SQL text. Values are never pasted: they travel as parameters. */
#ifndef RB_CONNECTORS_POSTGRES_COMMON_QUOTE_H
#define RB_CONNECTORS_POSTGRES_COMMON_QUOTE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

enum {
    RB_QUOTE_NAME_MAX = 63,                    /* bytes of a name that PostgreSQL does not cut */
    RB_QUOTE_STATEMENT_MAX = 16 * 1024 * 1024, /* bytes of a statement we build */
};

/* Appends `name` in double quotes, those inside doubled. RB_ECONFIG when it is empty or longer than
 * RB_QUOTE_NAME_MAX, RB_ENOMEM. */
int rb_quote_ident(struct rb_buf *sql, const char *name, struct rb_error *err);
/* Appends "schema"."name". */
int rb_quote_qualified(struct rb_buf *sql, const char *schema, const char *name,
                       struct rb_error *err);
/* Whether the text, which a peer sent to stand in a statement, is a name, quoted where needed and
 * perhaps qualified, and nothing else. */
bool rb_quote_is_qualified(const char *text);
/* Whether the text, which a peer sent to stand in a statement as a type, has in it nothing but
 * names, quoted or not, numbers in parentheses and brackets. A server that takes it for a type
 * (to_regtype) would take a comment in it, too, behind which the rest of the statement is lost. */
bool rb_quote_is_type(const char *text);

#endif
