#include "connectors/postgres/common/settings.h"

#include <stddef.h>

/* "$1,234.56" of the locales that write and read so. */
#define ALIKE_MONEY "v OPERATOR(pg_catalog.~) '^(C|POSIX|en_US)'"

/* Those that texts are written by, and by which the names in them are found: name, our value as a
 * literal, the condition under which the user's writes alike. */
#define TEXT_SETTINGS(X)                                                                           \
    X(search_path, "'pg_catalog'", "true")                                                         \
    X(DateStyle, "'ISO, YMD'", "pg_catalog.starts_with(v, 'ISO')")                                 \
    X(IntervalStyle, "'postgres'", "v OPERATOR(pg_catalog.=) 'postgres'")                          \
    X(extra_float_digits, "'3'", "v::pg_catalog.int4 OPERATOR(pg_catalog.>) 0")                    \
    X(bytea_output, "'hex'", "v OPERATOR(pg_catalog.=) 'hex'")                                     \
    X(lc_monetary, "'C'", ALIKE_MONEY)                                                             \
    X(quote_all_identifiers, "'off'", "v OPERATOR(pg_catalog.=) 'off'")                            \
    X(TimeZone, "'UTC'", "true")

/* Those that literals, arrays and XML are read by: the condition is for reading alike. And ours are
 * catalogue queries by name, whose planning takes longer than running. */
#define OTHER_SETTINGS(X)                                                                          \
    X(array_nulls, "'on'", "v OPERATOR(pg_catalog.=) 'on'")                                        \
    X(xmloption, "'content'", "v OPERATOR(pg_catalog.=) 'content'")                                \
    X(standard_conforming_strings, "'on'", "true")                                                 \
    X(plan_cache_mode, "'force_generic_plan'", "true")

#define SET(name, value, alike) "SET \"" #name "\" = " value "; "
#define SET_LOCAL(name, value, alike) "SET LOCAL \"" #name "\" = " value "; "
#define GIVE_BACK(name, value, alike) "SET LOCAL \"" #name "\" TO DEFAULT; "
#define ALIKE(name, value, alike)                                                                  \
    " AND (SELECT " alike " FROM pg_catalog.current_setting('" #name "') AS s(v))"
/* No column of a user's table is called so. */
#define KEPT(name) "\"rapidbyte " #name "\""
#define NOW(name, value, alike) ", pg_catalog.current_setting('" #name "') AS " KEPT(name)
#define TO_OURS(name, value, alike) "pg_catalog.set_config('" #name "', " value ", true), "
#define TO_USERS(name, value, alike) ", pg_catalog.set_config('" #name "', u." KEPT(name) ", true)"
#define OF_FUNCTION(name, value, alike) "SET \"" #name "\" = " value " "
#define ONE(name, value, alike) +1

/* Each ends in a statement, so that another may follow. */
const char rb_settings_session[] =
    TEXT_SETTINGS(SET) OTHER_SETTINGS(SET) "SET idle_in_transaction_session_timeout = 0; "
                                           "SET jit = off";
const char rb_settings_users[] =
    TEXT_SETTINGS(GIVE_BACK) OTHER_SETTINGS(GIVE_BACK) "SET LOCAL jit TO DEFAULT";
const char rb_settings_own[] =
    TEXT_SETTINGS(SET_LOCAL) OTHER_SETTINGS(SET_LOCAL) "SET LOCAL jit = off";
const char rb_settings_write_alike[] = "SELECT true" TEXT_SETTINGS(ALIKE);
const char rb_settings_read_alike[] =
    "SELECT true" ALIKE(lc_monetary, , ALIKE_MONEY) OTHER_SETTINGS(ALIKE);
const char rb_settings_of_function[] = " " TEXT_SETTINGS(OF_FUNCTION) OTHER_SETTINGS(OF_FUNCTION);
const char rb_settings_from[] =
    "(SELECT true AS " KEPT(settings) TEXT_SETTINGS(NOW) " OFFSET 0) AS u";

int rb_settings_begin_text(struct rb_buf *sql)
{
    return rb_buf_append_str(sql, "(ARRAY[" TEXT_SETTINGS(TO_OURS));
}

/* An array's elements are evaluated in their order; ours are before the one that is wanted. */
int rb_settings_end_text(struct rb_buf *sql)
{
    return rb_buf_printf(sql, "%s])[%d]", TEXT_SETTINGS(TO_USERS), 0 TEXT_SETTINGS(ONE) + 1);
}
