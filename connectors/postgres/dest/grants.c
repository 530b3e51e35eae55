/* What a role lacks: asked once a statement was refused, so that a load with all rights pays
 * nothing. */
#include <string.h>

#include "connectors/postgres/dest/dest.h"
#include "gen/connectors/postgres/dest/sql.h"

static const char insufficient_privilege[] = "42501";

static const char *mode_of(const struct rb_stream_context *context)
{
    switch (context->write_mode) {
    case RB_CONTEXT_APPEND:
        return "append";
    case RB_CONTEXT_UPSERT:
        return "upsert";
    case RB_CONTEXT_REPLACE:
        break;
    }
    return strcmp(context->replace_method, "truncate") == 0 ? "truncate" : "swap";
}

void rb_grants_hint(struct rb_dest *dest, const struct rb_stream_context *context,
                    struct rb_error *err)
{
    if (err == NULL || strcmp(err->sqlstate, insufficient_privilege) != 0 || err->hint[0] != '\0') {
        return;
    }
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    const char *params[] = {
        dest->config.schema,
        context != NULL ? context->destination_table : NULL,
        context != NULL ? mode_of(context) : NULL,
        dest->wants_temporary ? "true" : "false",
    };
    int status = rb_dest_connect(dest, NULL);
    status = status < 0 ? status : rb_dest_query(dest, rb_sql_grants_missing, params, 4, &r, NULL);
    const char *statements = status == 0 ? rb_query_text(&r, 0, 0) : NULL;
    if (statements != NULL) {
        rb_error_set_hint(err, "%s", statements);
    }
}
