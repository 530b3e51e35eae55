/* ${NAME} and ${NAME:-default} in a document's scalars. */
#ifndef RB_HOST_CONFIG_SUBST_H
#define RB_HOST_CONFIG_SUBST_H

#include <stddef.h>

#include "base/buf.h"

struct rb_doc;
struct rb_yaml;

/*
 * In YAML's flow style ({ password: ${PGPASSWORD} }) the braces of a reference would end the
 * scalar. So before the YAML is parsed, the characters of each reference that mean something to
 * YAML are masked by characters from the end of Unicode's private use, one for one, so that columns
 * stay right; rb_subst_expand takes them back.
 *
 * 0; RB_ENOMEM; RB_EDATA: the text has such characters of its own.
 */
int rb_subst_mask(const char *text, size_t len, struct rb_buf *ret);
/* A key, which has no references: the mask taken off. */
int rb_subst_unmask(const char *text, size_t len, struct rb_buf *ret);
/* Replaces references once; what comes in is never looked at again. $${ gives ${. Missing variables
 * and malformed references become mistakes at `node`, whose `substituted` is set. RB_ENOMEM. */
int rb_subst_expand(struct rb_doc *doc, struct rb_yaml *node, const char *text, size_t len,
                    struct rb_buf *ret);

#endif
