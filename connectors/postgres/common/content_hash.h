/*
 * content_hash: what a table holds, as the server itself sees it, in SQL alone: the number of rows
 * and the sums of hashtextextended(row::text, 0) and (…, 7) over the chosen columns by name; of the
 * whole table or by ranges of its key. Two servers' answers are compared by the host (docs/cli.md,
 * "verify").
 */
#ifndef RB_CONNECTORS_POSTGRES_COMMON_CONTENT_HASH_H
#define RB_CONNECTORS_POSTGRES_COMMON_CONTENT_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"
#include "connectors/postgres/common/conn.h"
#include "connectors/postgres/common/type.h"
#include "rapidbyte/json.h"

enum {
    RB_CONTENT_CONNECTIONS_MAX = 16,
    RB_CONTENT_RANGES_MAX = 4096,
    RB_CONTENT_KEY_MAX = 32, /* columns of a key: PostgreSQL's limit */
};

/* Connections under one snapshot, kept from call to call. */
struct rb_content {
    struct rb_conn *conns[RB_CONTENT_CONNECTIONS_MAX];
    size_t n;
    char snapshot[64];
    bool runs_sql;     /* what is hashed has SQL of the user in it (settings.h); the caller's */
    char encoding[32]; /* of the database: hashes of texts in different ones differ */
};

void rb_content_release(struct rb_content *content);
/* As many connections as `request` asks for; those that are there stay, under their snapshot.
 * conns[0] is for the caller's own questions, too. After a failure of any function the content is
 * released: the failed statement ended the transaction. */
int rb_content_begin(struct rb_content *content, const struct rb_conn_config *config,
                     struct rb_json_value request, struct rb_error *err);

/* The key of `names` (a JSON array) as the request of a hash wants it, [{name,type}], or null: when
 * there is none, a part of it is not among the columns, or is of a type whose order is not the same
 * on every server. */
int rb_content_write_key(const struct rb_columns *columns, struct rb_json_value names,
                         struct rb_json *ret, struct rb_error *err);

/* Where to cut the request's first range of `from` (" FROM … WHERE …", of ours) into at most
 * `split` parts with as many rows each: writes the member `bounds`. `key` as above. */
int rb_content_split(struct rb_content *content, const char *from, struct rb_json_value key,
                     struct rb_json_value request, struct rb_json *ret, struct rb_error *err);
/* Writes `encoding` and `ranges`: rows and both sums of each of the request's ranges. */
int rb_content_hash(struct rb_content *content, const char *from, struct rb_json_value request,
                    struct rb_json *ret, struct rb_error *err);

#endif
