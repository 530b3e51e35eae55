#include "connectors/postgres/source/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/postgres/common/query.h"
#include "connectors/postgres/source/lock.h"
#include "gen/connectors/postgres/source/sql.h"

enum { STATEMENT_MAX = 1024 };

static void copy(char *out, size_t cap, const char *text)
{
    snprintf(out, cap, "%s", text ? text : "");
}

int rb_snapshot_identify(struct rb_conn *conn, struct rb_snapshot *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    rb_query_result_init(&rows);
    ret->system_identifier[0] = '\0';
    ret->timeline = 0;
    int r = rb_query_run(conn, rb_sql_identity, NULL, 0, RB_QUERY_TEXT, &rows, err);
    if (r < 0) {
        /* Managed servers forbid it: a cursor can't be tied to the cluster then. */
        return rb_conn_is_usable(conn) ? 0 : r;
    }
    copy(ret->system_identifier, sizeof ret->system_identifier, rb_query_text(&rows, 0, 0));
    ret->timeline = rb_query_int(&rows, 0, 1, 0);
    return 0;
}

int rb_snapshot_export(struct rb_conn *conn, struct rb_snapshot *ret, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    rb_query_result_init(&rows);
    int r = rb_query_run(conn, rb_sql_export_snapshot, NULL, 0, RB_QUERY_TEXT, &rows, err);
    if (r < 0) {
        rb_error_prefix(err, "exporting the snapshot");
        return r;
    }
    copy(ret->id, sizeof ret->id, rb_query_text(&rows, 0, 0));
    copy(ret->xmin, sizeof ret->xmin, rb_query_text(&rows, 0, 1));
    ret->in_recovery = rb_query_bool(&rows, 0, 2);
    return 0;
}

/* SET takes no parameters, so the id is pasted: it must be what pg_export_snapshot() makes, digits
 * in base 16 and hyphens. */
static bool is_snapshot_id(const char *id)
{
    return *id && strlen(id) < sizeof((struct rb_snapshot){0}.id) &&
           strspn(id, "0123456789ABCDEFabcdef-") == strlen(id);
}

int rb_snapshot_begin(struct rb_conn *conn, const char *id, int64_t lock_timeout_ms,
                      struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf sql = RB_BUF_INIT(STATEMENT_MAX);
    if (*id && !is_snapshot_id(id)) {
        return rb_error_set(err, RB_ECONNECTOR, "BAD_SNAPSHOT",
                            "'%.80s' is not the id of a snapshot", id);
    }
    if (rb_buf_printf(&sql, "%s%s%s%s; ", rb_sql_begin, *id ? "; SET TRANSACTION SNAPSHOT '" : "",
                      id, *id ? "'" : "") < 0) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no room for the statement's text");
    }
    int r = rb_lock_settings(lock_timeout_ms, &sql, err);
    r = r < 0 ? r : rb_query_exec(conn, rb_buf_str(&sql), err);
    if (r < 0 && *id) {
        /* The exporting session is gone: undefined_object, or up to PostgreSQL 15
         * invalid_parameter_value. The next try plans anew. Neither class may be repeated as it
         * is, so the SQLSTATE is not passed on. */
        rb_error_prefix(err, "taking over the run's snapshot");
        if (err && (strcmp(err->sqlstate, "42704") == 0 || strcmp(err->sqlstate, "22023") == 0)) {
            err->sqlstate[0] = '\0';
            err->backoff = RB_BACKOFF_FAST;
            err->status = r = RB_EDB;
            err->category = rb_error_category_of_status(RB_EDB);
            memcpy(err->code, "SNAPSHOT_GONE", sizeof "SNAPSHOT_GONE");
            err->retryable = err->safe_to_retry = true;
        }
    }
    return r;
}

void rb_snapshot_write(const struct rb_snapshot *snapshot, struct rb_json *json)
{
    rb_json_begin_object(json);
    rb_json_member_str(json, "id", snapshot->id);
    rb_json_member_str(json, "xmin", snapshot->xmin);
    rb_json_member_str(json, "system_identifier",
                       *snapshot->system_identifier ? snapshot->system_identifier : NULL);
    rb_json_key(json, "timeline");
    if (snapshot->timeline) {
        rb_json_i64(json, snapshot->timeline);
    } else {
        rb_json_null(json);
    }
    rb_json_member_bool(json, "in_recovery", snapshot->in_recovery);
    rb_json_end_object(json);
}

void rb_snapshot_read(struct rb_json_value json, struct rb_snapshot *ret)
{
    *ret = (struct rb_snapshot){
        .timeline = rb_json_int(rb_json_get(json, "timeline"), 0),
        .in_recovery = rb_json_truth(rb_json_get(json, "in_recovery"), false),
    };
    copy(ret->id, sizeof ret->id, rb_json_text(rb_json_get(json, "id"), ""));
    copy(ret->xmin, sizeof ret->xmin, rb_json_text(rb_json_get(json, "xmin"), ""));
    copy(ret->system_identifier, sizeof ret->system_identifier,
         rb_json_text(rb_json_get(json, "system_identifier"), ""));
}
