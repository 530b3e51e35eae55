/* The types that a cursor may have. Only for cursor*.c. */
#ifndef RB_CONNECTORS_POSTGRES_SOURCE_CURSOR_KIND_H
#define RB_CONNECTORS_POSTGRES_SOURCE_CURSOR_KIND_H

#include <stdint.h>

#include "connectors/postgres/source/cursor.h"

enum rb_cursor_step {
    RB_CURSOR_STEP_NONE, /* only the whole table */
    RB_CURSOR_STEP_COUNT,
    RB_CURSOR_STEP_MICROS,
};

struct rb_cursor_kind {
    const char *name;      /* kept with the cursor */
    const char *type;      /* of its literals */
    const char *ceiling;   /* literal that no last cursor reaches; NULL: none */
    const char *ceiling12; /* the same before PostgreSQL 14, where it differs */
    const char *suffix;    /* of the column in comparisons */
    const char *literal_sql;
    enum rb_cursor_step step;
    int64_t lookback; /* default */
    uint32_t oids[4];
};

#endif
