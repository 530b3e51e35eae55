/*
 * Whose settings a statement runs under.
 *
 * SQL of the user (a view, a `where`, the functions behind them, a trigger, a default, a check, a
 * generated column) runs under the settings that the role has in that database when it connects by
 * psql: those are the session's defaults, and nothing in the startup packet changes them. SQL of
 * ours runs under settings of its own, which decide how values, literals and names read; they are
 * set once the session is there. A message that has SQL of the user sets the user's before it and
 * ours after it, for its transaction alone; so it takes no round trip more.
 *
 * What of ours stands in the same statement as the user's has to read the same under any settings:
 * names, types, functions and operators are qualified.
 */
#ifndef RB_CONNECTORS_POSTGRES_COMMON_SETTINGS_H
#define RB_CONNECTORS_POSTGRES_COMMON_SETTINGS_H

#include "base/buf.h"

/* For the session, after it began. */
extern const char rb_settings_session[];
/* For the rest of the transaction, or until the savepoint is gone back to. */
extern const char rb_settings_users[];
extern const char rb_settings_own[];

/* "SELECT <bool>": whether texts are written under the user's settings as they are under ours, but
 * for names of the catalogue, which depend on the search path. */
extern const char rb_settings_write_alike[];
/* The same of texts that are read. */
extern const char rb_settings_read_alike[];
/* Clauses of CREATE FUNCTION: what it does, it does under our settings. */
extern const char rb_settings_of_function[];
/* Appends the beginning and the end of an expression of type text that is evaluated under our
 * settings within a statement that runs under the user's. The statement selects FROM `q`, a
 * subquery that the planner can't take apart (OFFSET 0), and FROM rb_settings_from. RB_ENOMEM. */
int rb_settings_begin_text(struct rb_buf *sql);
int rb_settings_end_text(struct rb_buf *sql);
extern const char rb_settings_from[];

#endif
