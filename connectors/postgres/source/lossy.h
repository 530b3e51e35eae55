/* Types of extensions whose text form, by which their values travel, says less than the value. */
#ifndef RB_CONNECTORS_POSTGRES_SOURCE_LOSSY_H
#define RB_CONNECTORS_POSTGRES_SOURCE_LOSSY_H

#include "connectors/postgres/common/type.h"
#include "connectors/postgres/source/source.h"

/* Of the stream's columns, whatever such a type stands within (array, domain, composite, range):
 * RB_ESCHEMA by column and type, unless on_lossy_type is `warn`; then it is said, with `tell`. */
int rb_lossy_check(const struct rb_source *source, const char *stream,
                   const struct rb_columns *columns, bool tell, struct rb_error *err);

#endif
