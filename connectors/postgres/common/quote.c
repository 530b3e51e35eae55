#include "connectors/postgres/common/quote.h"

#include <ctype.h>
#include <string.h>

static int append(struct rb_buf *sql, const char *name, struct rb_error *err)
{
    int r = rb_buf_append_byte(sql, '"');
    for (const char *p = name; r == 0 && *p; p++) {
        r = *p == '"' ? rb_buf_append_str(sql, "\"\"") : rb_buf_append_byte(sql, (uint8_t)*p);
    }
    r = r < 0 ? r : rb_buf_append_byte(sql, '"');
    return r < 0 ? rb_error_set(err, r, "OUT_OF_MEMORY", "no room for the statement's text") : 0;
}

int rb_quote_ident(struct rb_buf *sql, const char *name, struct rb_error *err)
{
    size_t len = strlen(name);
    if (len == 0 || len > RB_QUOTE_NAME_MAX) {
        return rb_error_set(err, RB_ECONFIG, "BAD_NAME",
                            len ? "the name '%.80s' is longer than PostgreSQL's 63 bytes"
                                : "a name is empty%s",
                            name);
    }
    return append(sql, name, err);
}

int rb_quote_qualified(struct rb_buf *sql, const char *schema, const char *name,
                       struct rb_error *err)
{
    int r = rb_quote_ident(sql, schema, err);
    if (r == 0 && (r = rb_buf_append_byte(sql, '.')) < 0) {
        return rb_error_set(err, r, "OUT_OF_MEMORY", "no room for the statement's text");
    }
    return r < 0 ? r : rb_quote_ident(sql, name, err);
}

/* One name of a qualified, quoted name; the place after it, or NULL. */
static const char *skip_name(const char *p)
{
    if (*p == '"') {
        for (p++; *p != '\0'; p++) {
            if (*p == '"' && p[1] != '"') {
                return p + 1;
            }
            p += *p == '"';
        }
        return NULL;
    }
    const char *start = p;
    while (isalnum((unsigned char)*p) || *p == '_' || *p == '$' || (unsigned char)*p >= 0x80) {
        p++;
    }
    return p > start ? p : NULL;
}

bool rb_quote_is_qualified(const char *text)
{
    const char *p = skip_name(text);
    if (p != NULL && *p == '.') {
        p = skip_name(p + 1);
    }
    return p != NULL && *p == '\0';
}

bool rb_quote_is_type(const char *text)
{
    const char *p = text;
    while (p != NULL && *p != '\0') {
        bool is_number = *p == '-' && isdigit((unsigned char)p[1]); /* numeric(2,-3) */
        if (*p == '"') {
            p = skip_name(p);
        } else if (isalnum((unsigned char)*p) || (unsigned char)*p >= 0x80 ||
                   strchr("_$ .,()[]", *p) != NULL || is_number) {
            p++;
        } else {
            return false;
        }
    }
    return p != NULL && p > text;
}
