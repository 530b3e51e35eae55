#include "connectors/postgres/common/quote.h"

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
