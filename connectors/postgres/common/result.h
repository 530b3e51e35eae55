/* How a result is filled. Only for query.c. */
#ifndef RB_CONNECTORS_POSTGRES_COMMON_RESULT_H
#define RB_CONNECTORS_POSTGRES_COMMON_RESULT_H

#include "base/error.h"
#include "connectors/postgres/common/query.h"
#include "connectors/postgres/common/wire.h"

void rb_result_clear(struct rb_query_result *result);
/* RowDescription. RB_EPROTOCOL. */
int rb_result_describe(struct rb_query_result *result, const struct rb_wire_message *message,
                       struct rb_error *err);
/* DataRow. RB_EPROTOCOL, RB_ENOMEM over the maxima of query.h. */
int rb_result_add_row(struct rb_query_result *result, const struct rb_wire_message *message,
                      struct rb_error *err);
/* CommandComplete. */
void rb_result_finish(struct rb_query_result *result, const struct rb_wire_message *message);

#endif
