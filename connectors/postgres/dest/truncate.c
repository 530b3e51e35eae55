/* Replace by TRUNCATE: the table stays, and what it may not wait for. */
#include <stdlib.h>
#include <string.h>

#include "arrow/metadata.h"
#include "base/fault.h"
#include "connectors/postgres/dest/load.h"
#include "gen/connectors/postgres/dest/sql.h"

static const char lock_not_available[] = "55P03";

/* What the server would say. A dry run does not ask it: others would wait for the lock. */
static int check_rights(const struct rb_target *target, struct rb_error *err)
{
    if (!target->may_truncate) {
        int status = rb_error_set(err, RB_EPERM, "PERMISSION_DENIED",
                                  "replace_method: truncate: no right to truncate table %s",
                                  target->relation);
        if (err != NULL) {
            memcpy(err->sqlstate, "42501", sizeof "42501");
        }
        return status;
    }
    if (target->referenced[0] == '\0') {
        return 0;
    }
    int status = rb_error_set(err, RB_ESCHEMA, "TRUNCATE_REFUSED",
                              "replace_method: truncate: table %s is referenced by foreign key %s",
                              target->relation, target->referenced);
    rb_error_set_hint(err, "set write_mode: upsert, which keeps the rows that are referenced");
    return status;
}

static bool is_among(struct rb_json_value tables, const char *oid)
{
    bool found = false;
    for (size_t i = 0; !found && i < rb_json_count(tables); i++) {
        found = rb_json_int(rb_json_item(tables, i), 0) == strtoll(oid, NULL, 10);
    }
    return found;
}

/* `reads`: RB_META_READS, parsed. */
static int check_reads(struct rb_dest *dest, const struct rb_target *target,
                       struct rb_json_value reads, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    const char *params[] = {rb_json_text(rb_json_get(reads, "server"), ""),
                            rb_json_text(rb_json_get(reads, "database"), "")};
    if (!is_among(rb_json_get(reads, "tables"), target->oid)) {
        return 0;
    }
    int status = rb_dest_query(dest, rb_sql_truncate_waits, params, 2, &r, err);
    if (status < 0 || !rb_query_bool(&r, 0, 0)) {
        return status;
    }
    status =
        rb_error_set(err, RB_ESCHEMA, "TRUNCATE_REFUSED",
                     "replace_method: truncate: reading %.200s locks table %s, which is in "
                     "the same database: TRUNCATE would wait for this run's own reader",
                     rb_json_text(rb_json_get(reads, "reads"), "the source"), target->relation);
    rb_error_set_hint(err, "set replace_method: swap, which puts a new table in its place when all "
                           "rows are read; or load into another database");
    return status;
}

static int check_reader(struct rb_dest *dest, const struct rb_target *target,
                        const struct ArrowSchema *schema, struct rb_error *err)
{
    struct ArrowStringView text;
    struct rb_json_doc *reads = NULL;
    if (rb_meta_get(schema, RB_META_READS, &text) != 0) {
        return 0;
    }
    int status = rb_json_parse(text.data, (size_t)text.size_bytes, &reads, err);
    status = status < 0 ? status : check_reads(dest, target, rb_json_root(reads), err);
    rb_json_free(reads);
    return status;
}

int rb_truncate(struct rb_dest *dest, const struct rb_target *target,
                const struct ArrowSchema *schema, struct rb_error *err)
{
    int status = check_rights(target, err);
    status = status < 0 ? status : check_reader(dest, target, schema, err);
    if (status < 0 || dest->dry) {
        return status;
    }
    RB_CLEANUP(rb_statement_release) struct rb_statement sql;
    rb_statement_init(&sql);
    rb_statement_begin(&sql, "", err);
    rb_statement_as_user(&sql, target->runs_sql); /* its triggers are */
    rb_statement_add(&sql, "TRUNCATE TABLE ");
    rb_statement_add(&sql, target->relation);
    rb_statement_as_ours(&sql, target->runs_sql);
    rb_phase(RB_DEST_PHASE_LOCK);
    status = rb_statement_exec(&sql, dest, NULL, err);
    rb_phase("");
    if (status < 0) {
        rb_error_prefix(err, "replace_method: truncate");
    }
    return status < 0 ? status : RB_FAULT(DEST_TRUNCATED, err);
}

void rb_locks_hint(struct rb_dest *dest, const struct rb_stream_context *context,
                   struct rb_error *err)
{
    if (err == NULL || strcmp(err->sqlstate, lock_not_available) != 0) {
        return;
    }
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    const char *params[] = {dest->config.schema, context->destination_table};
    int status = rb_dest_connect(dest, NULL);
    status = status < 0 ? status : rb_dest_query(dest, rb_sql_table_locked_by, params, 2, &r, NULL);
    const char *pid = status == 0 ? rb_query_text(&r, 0, 1) : NULL;
    if (pid == NULL) {
        return;
    }
    const char *name = rb_query_text(&r, 0, 2), *since = rb_query_text(&r, 0, 3);
    rb_error_set_hint(err,
                      "process %s of the server (%s%s%s) has locked %s: wait for its transaction "
                      "to end, or end it: SELECT pg_terminate_backend(%s); timeouts.lock says how "
                      "long a run waits",
                      pid, name != NULL && name[0] != '\0' ? name : "no application_name",
                      since != NULL ? ", transaction of " : "", since != NULL ? since : "",
                      rb_query_text(&r, 0, 0), pid);
}
