/* The metadata of fields that came from a database (docs/protocol.md, "Arrow fields"). */
#ifndef RB_ARROW_METADATA_H
#define RB_ARROW_METADATA_H

#include <nanoarrow/nanoarrow.h>

#include "base/error.h"

#define RB_META_PG_TYPE "rapidbyte.pg_type"
#define RB_META_PG_TYPNAME "rapidbyte.pg_typname"
#define RB_META_PG_OID "rapidbyte.pg_oid"
#define RB_META_PG_TYPMOD "rapidbyte.pg_typmod"
#define RB_META_PG_COLLATION "rapidbyte.pg_collation"
#define RB_META_PG_FORM "rapidbyte.pg_form"
#define RB_META_PG_ORIGIN "rapidbyte.pg_origin"
#define RB_META_PG_GENERATED "rapidbyte.pg_generated"
#define RB_META_PG_MONEY_DIGITS "rapidbyte.pg_money_digits"
#define RB_META_PG_DEFINITION "rapidbyte.pg_definition"
#define RB_META_INDEXES "rapidbyte.indexes"
#define RB_META_PRIMARY_KEY "rapidbyte.primary_key"
#define RB_META_READS "rapidbyte.reads"
#define RB_META_EXTENSION_NAME "ARROW:extension:name"
#define RB_META_EXTENSION_METADATA "ARROW:extension:metadata"

struct rb_meta_pair {
    const char *key;
    const char *value; /* NULL: the pair is left out */
};

/* Sets exactly these pairs on the schema or field. RB_ENOMEM. */
int rb_meta_set(struct ArrowSchema *schema, const struct rb_meta_pair *pairs, size_t n_pairs,
                struct rb_error *err);
/* 0: *ret is borrowed from the schema; 1: there is no such key. */
int rb_meta_get(const struct ArrowSchema *schema, const char *key, struct ArrowStringView *ret);

#endif
