#include "connectors/postgres/source/near.h"

#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "connectors/postgres/common/query.h"
#include "gen/connectors/postgres/source/sql.h"

enum { QUALIFIED_MAX = 160 };

static void hint_of(const char *schema, const struct rb_query_result *rows, const char *name,
                    struct rb_error *err)
{
    struct rb_suggest suggest;
    rb_suggest_init(&suggest, name);
    for (size_t i = 0; i < rows->n_rows; i++) {
        const char *where = rb_query_text(rows, i, 0), *what = rb_query_text(rows, i, 1);
        char qualified[QUALIFIED_MAX];
        snprintf(qualified, sizeof qualified, "%s.%s", where ? where : "", what ? what : "");
        bool here = where && strcmp(where, schema) == 0;
        if (where && what && strcmp(qualified, name) == 0) {
            rb_error_set_hint(err,
                              "a schema has a key of its own: { name: \"%s\", schema: \"%s\" }",
                              what, where);
            return;
        }
        if (what && here) {
            rb_suggest_offer(&suggest, what);
        } else if (where && what && strcmp(what, name) == 0) {
            rb_error_set_hint(err, "schema \"%s\" has one: { name: \"%s\", schema: \"%s\" }", where,
                              what, where);
        }
    }
    rb_suggest_hint(&suggest, err);
}

void rb_near_table(struct rb_conn *conn, const char *schema, const char *name, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    rb_query_result_init(&rows);
    struct rb_query_param params[] = {rb_query_text_param(schema), rb_query_text_param(name)};
    if (err && rb_query_run_kept(conn, rb_sql_near, params, 2, &rows, NULL) == 0 &&
        rows.n_columns == 2) {
        hint_of(schema, &rows, name, err);
    }
}
