#include "connectors/postgres/source/cursor_kind.h"

#include <stddef.h>

#include "gen/connectors/postgres/source/sql.h"

#define HOUR_MICROS 3600000000

static const struct rb_cursor_kind kinds[] = {
    {"integer",
     "int8",
     NULL,
     NULL,
     "",
     rb_sql_literal_integer,
     RB_CURSOR_STEP_COUNT,
     10000,
     {20, 21, 23, 0}},
    {"numeric",
     "numeric",
     "'Infinity'",
     "'NaN'",
     "",
     rb_sql_literal_numeric,
     RB_CURSOR_STEP_NONE,
     0,
     {1700, 0, 0, 0}},
    {"date",
     "date",
     "'infinity'",
     NULL,
     "",
     rb_sql_literal_date,
     RB_CURSOR_STEP_MICROS,
     HOUR_MICROS,
     {1082, 0, 0, 0}},
    {"timestamp",
     "timestamp",
     "'infinity'",
     NULL,
     "",
     rb_sql_literal_timestamp,
     RB_CURSOR_STEP_MICROS,
     HOUR_MICROS,
     {1114, 0, 0, 0}},
    {"timestamptz",
     "timestamptz",
     "'infinity'",
     NULL,
     "",
     rb_sql_literal_timestamptz,
     RB_CURSOR_STEP_MICROS,
     HOUR_MICROS,
     {1184, 0, 0, 0}},
    {"uuid", "uuid", NULL, NULL, "", rb_sql_literal_uuid, RB_CURSOR_STEP_NONE, 0, {2950, 0, 0, 0}},
    {"text",
     "text",
     NULL,
     NULL,
     " COLLATE pg_catalog.\"C\"",
     rb_sql_literal_text,
     RB_CURSOR_STEP_NONE,
     0,
     {25, 1043, 0, 0}},
};

const struct rb_cursor_kind *rb_cursor_kind_find(uint32_t type_oid)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        for (size_t j = 0; j < sizeof kinds[i].oids / sizeof *kinds[i].oids; j++) {
            if (type_oid && kinds[i].oids[j] == type_oid) {
                return &kinds[i];
            }
        }
    }
    return NULL;
}

const char *rb_cursor_kind_name(const struct rb_cursor_kind *kind)
{
    return kind->name;
}

bool rb_cursor_kind_is_time(const struct rb_cursor_kind *kind)
{
    return kind->step == RB_CURSOR_STEP_MICROS;
}
