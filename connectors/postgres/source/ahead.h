/* What a plan asks the catalogue for many streams at once: two statements for all of them take the
 * server and us a fraction of the time that two for each take. */
#ifndef RB_CONNECTORS_POSTGRES_SOURCE_AHEAD_H
#define RB_CONNECTORS_POSTGRES_SOURCE_AHEAD_H

#include "connectors/postgres/source/catalogue.h"
#include "connectors/postgres/source/source.h"

struct rb_ahead {
    struct rb_catalogue catalogue; /* of relations of `schema` */
    const char *schema;            /* borrowed from a context; NULL: nothing is known */
    size_t end;                    /* the first stream that was not asked for */
};

void rb_ahead_init(struct rb_ahead *ahead);
void rb_ahead_release(struct rb_ahead *ahead);
/* Before stream `at` of `n`, behind the plan's savepoint: asks for it and those that follow, unless
 * that was done. What the server refuses is undone, and asked again stream by stream. */
int rb_ahead_look(struct rb_ahead *ahead, const struct rb_source *source, struct rb_conn *conn,
                  const struct rb_stream_context *streams, size_t n, size_t at,
                  struct rb_error *err);
/* As rb_catalogue_query, from what is known. 1: the server is to be asked. ahead NULL: so it is. */
int rb_ahead_take(const struct rb_ahead *ahead, struct rb_conn *conn, const char *schema,
                  const char *name, struct rb_catalogue *ret, struct rb_error *err);

#endif
