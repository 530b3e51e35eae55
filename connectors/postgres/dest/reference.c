/* Foreign keys of the tables that are loaded. Each stream is a transaction of its own: at its end
 * the rows that its rows refer to must be there. */
#include <string.h>

#include "connectors/postgres/dest/dest.h"
#include "gen/connectors/postgres/dest/sql.h"

enum { NAMES_MAX = 1024 * 1024 };

/* Columns of circular_reference.sql. */
enum { KEY, REFERENCED, IS_EMPTY, CLOSED };

static int refuse(const struct rb_target *target, const struct rb_query_result *circle,
                  struct rb_error *err)
{
    int status = rb_error_set(err, RB_ESCHEMA, "CIRCULAR_REFERENCE",
                              "%s can't get its first row: foreign key %s refers to %s, which "
                              "refers back; all of these tables are empty, and the keys are NOT "
                              "NULL",
                              target->relation, rb_query_text(circle, 0, KEY),
                              rb_query_text(circle, 0, REFERENCED));
    rb_error_set_hint(err, "each stream is a transaction of its own: drop one of the foreign keys, "
                           "and add it again when the tables are loaded; or drop the NOT NULL of "
                           "its column, where the source has NULL");
    return status;
}

int rb_references_check(struct rb_dest *dest, const struct rb_target *target,
                        const struct rb_columns *columns, struct rb_buf *note, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result circle;
    RB_CLEANUP(rb_buf_release) struct rb_buf names = RB_BUF_INIT(NAMES_MAX);
    rb_query_result_init(&circle);
    if (!target->exists || target->referenced[0] == '\0' || !target->refers) {
        return 0;
    }
    if (rb_columns_put_names(columns, &names) < 0) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for columns' names");
    }
    const char *params[] = {target->oid, rb_buf_str(&names)};
    int status = rb_dest_query(dest, rb_sql_circular_reference, params, 2, &circle, err);
    if (status < 0 || circle.n_rows == 0) {
        return status;
    }
    if (rb_query_bool(&circle, 0, CLOSED)) {
        return refuse(target, &circle, err);
    }
    if (rb_query_bool(&circle, 0, IS_EMPTY) &&
        rb_buf_printf(note, "load its rows before those of %s, to which its foreign key %s refers",
                      rb_query_text(&circle, 0, REFERENCED), rb_query_text(&circle, 0, KEY)) < 0) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a note");
    }
    return 0;
}

void rb_references_hint(const struct rb_dest *dest, struct rb_error *err)
{
    static const char foreign_key_violation[] = "23503";
    if (err != NULL && strcmp(err->sqlstate, foreign_key_violation) == 0 && err->hint[0] == '\0') {
        rb_error_set_hint(err,
                          "%sload the table that the key refers to, too: in one document its "
                          "stream goes first by itself; where two tables refer to each other, drop "
                          "one of the two foreign keys: each stream is a transaction of its own",
                          dest->insert ? "where the table refers to itself, set load_method: copy, "
                                         "which looks when all of its rows are there; otherwise "
                                       : "");
    }
}
