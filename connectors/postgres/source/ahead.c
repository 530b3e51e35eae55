#include "connectors/postgres/source/ahead.h"

#include <string.h>

#include "connectors/postgres/common/query.h"
#include "gen/connectors/postgres/source/sql.h"

/* A table has up to 1,600 columns, and each of these takes 200 bytes of the guest's memory. */
enum { STREAMS_MAX = 100 };

void rb_ahead_init(struct rb_ahead *ahead)
{
    *ahead = (struct rb_ahead){.schema = NULL};
    rb_catalogue_init(&ahead->catalogue);
}

void rb_ahead_release(struct rb_ahead *ahead)
{
    rb_catalogue_release(&ahead->catalogue);
}

static void forget(struct rb_ahead *ahead)
{
    rb_catalogue_release(&ahead->catalogue);
    rb_catalogue_init(&ahead->catalogue);
    ahead->schema = NULL;
}

int rb_ahead_look(struct rb_ahead *ahead, const struct rb_source *source, struct rb_conn *conn,
                  const struct rb_stream_context *streams, size_t n, size_t at,
                  struct rb_error *err)
{
    const char *names[STREAMS_MAX];
    size_t n_names = 0;
    if (at < ahead->end) {
        return 0;
    }
    forget(ahead);
    const char *schema = rb_source_schema(source, &streams[at]);
    for (ahead->end = at; ahead->end < n && n_names < STREAMS_MAX; ahead->end++) {
        const struct rb_stream_context *stream = &streams[ahead->end];
        if (strcmp(rb_source_schema(source, stream), schema) != 0) {
            break;
        }
        names[n_names++] = rb_source_table(stream);
    }
    if (n_names < 2) {
        return 0;
    }
    struct rb_error own;
    rb_error_clear(&own);
    int r = rb_catalogue_query_many(conn, schema, names, n_names, &ahead->catalogue, &own);
    ahead->schema = r < 0 ? NULL : schema;
    if (r < 0 && rb_conn_is_usable(conn)) {
        return rb_query_exec(conn, rb_sql_rollback_to, err);
    }
    if (r < 0 && err) {
        *err = own;
    }
    return r;
}

int rb_ahead_take(const struct rb_ahead *ahead, struct rb_conn *conn, const char *schema,
                  const char *name, struct rb_catalogue *ret, struct rb_error *err)
{
    return ahead == NULL || ahead->schema == NULL || strcmp(ahead->schema, schema) != 0
               ? 1
               : rb_catalogue_take(&ahead->catalogue, conn, name, ret, err);
}
