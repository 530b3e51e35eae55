#include "connectors/postgres/source/lock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "connectors/postgres/common/query.h"
#include "connectors/postgres/common/quote.h"
#include "connectors/postgres/common/settings.h"
#include "connectors/postgres/source/select.h"
#include "gen/connectors/postgres/source/sql.h"
#include "rapidbyte/host.h"

enum { FIELD_BYTES = 18, DESCRIPTION_MAX = 1024 * 1024 };

static const char lock_not_available[] = "55P03";

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no room for the statement's text");
}

/* SELECT is allowed where LOCK is not, takes the same lock on all that it would read, and its
 * description shows the columns as they are now. All that the role may read: the operator's
 * condition may use any. */
static int build_select(const struct rb_table *table, struct rb_buf *sql, struct rb_error *err)
{
    bool runs_sql = rb_table_runs_sql(table), any = false;
    int r = runs_sql ? rb_buf_printf(sql, "%s; ", rb_settings_users) : 0;
    r = r < 0 ? r : rb_buf_append_str(sql, "SELECT");
    for (size_t i = 0; r == 0 && i < table->columns.n; i++) {
        if (table->places[i].may_select) {
            r = rb_buf_append_str(sql, any ? ", " : " ");
            r = r < 0 ? r : rb_quote_ident(sql, table->columns.items[i].name, err);
            any = true;
        }
    }
    r = r < 0 ? r : rb_select_from(table, "", sql, err);
    r = r < 0 ? r : rb_buf_append_str(sql, " LIMIT 0");
    return r < 0 || !runs_sql ? r : rb_buf_printf(sql, "; %s", rb_settings_own);
}

int rb_lock_settings(int64_t lock_timeout_ms, struct rb_buf *ret, struct rb_error *err)
{
    bool less = lock_timeout_ms > 0 && lock_timeout_ms < RB_LOCK_TRY_MS;
    int r = rb_buf_printf(ret, "SET LOCAL lock_timeout = %" PRId64 "; %s",
                          less ? lock_timeout_ms : RB_LOCK_TRY_MS, rb_sql_savepoint);
    return r < 0 ? no_memory(err) : 0;
}

void rb_lock_settings_back(int64_t lock_timeout_ms, char ret[RB_LOCK_BACK_MAX])
{
    snprintf(ret, RB_LOCK_BACK_MAX, "SET LOCAL lock_timeout = %" PRId64, lock_timeout_ms);
}

/* One field of a RowDescription; false where it ends too early. */
static bool next_field(const uint8_t **at, size_t *left, const uint8_t **ret_field)
{
    const uint8_t *end = memchr(*at, 0, *left);
    if (end == NULL || (size_t)(*at + *left - end) < 1 + FIELD_BYTES) {
        return false;
    }
    *ret_field = end + 1;
    *left -= (size_t)(end + 1 + FIELD_BYTES - *at);
    *at = end + 1 + FIELD_BYTES;
    return true;
}

/* Whether the columns that were described now are those of the snapshot: names don't say so, for
 * two columns may have exchanged them. */
static bool is_same(const struct rb_table *table, const struct rb_buf *described)
{
    const uint8_t *at = described->data, *field = NULL;
    size_t left = described->len, n = 0;
    if (left < 2) {
        return false;
    }
    size_t n_fields = rb_load_be16(at);
    at += 2;
    left -= 2;
    for (size_t i = 0; i < table->columns.n; i++) {
        const struct rb_column *column = &table->columns.items[i];
        if (!table->places[i].may_select) {
            continue;
        }
        n++;
        if (n > n_fields || !next_field(&at, &left, &field) || rb_load_be32(field) != table->oid ||
            rb_load_be16(field + 4) != (uint16_t)table->places[i].number ||
            rb_load_be32(field + 6) != column->oid ||
            (int32_t)rb_load_be32(field + 12) != column->typmod) {
            return false;
        }
    }
    return n == n_fields;
}

static int refuse(const char *what, struct rb_error *err)
{
    rb_error_set(err, RB_EDB, "SNAPSHOT_GONE",
                 "%s: altered, rewritten or replaced (ALTER TABLE, TRUNCATE, DROP) since the run's "
                 "snapshot was taken, which does not show it as it is any more",
                 what);
    if (err) {
        err->backoff = RB_BACKOFF_FAST;
        err->retryable = err->safe_to_retry = true;
    }
    return RB_EDB;
}

int rb_table_locked(struct rb_conn *conn, const struct rb_table *table, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    rb_query_result_init(&rows);
    char oid[24];
    snprintf(oid, sizeof oid, "%lu", (unsigned long)table->oid);
    struct rb_query_param param = rb_query_text_param(oid);
    int r = rb_query_run(conn, rb_sql_locked_by, &param, 1, RB_QUERY_TEXT, &rows, err);
    if (r < 0) {
        return r;
    }
    const char *pid = rb_query_text(&rows, 0, 1), *since = rb_query_text(&rows, 0, 3);
    if (!pid) {
        rb_error_set(err, RB_EDB, "TABLE_LOCKED", "\"%s\".\"%s\" is locked by another session",
                     table->schema, table->name);
    } else {
        const char *name = rb_query_text(&rows, 0, 2);
        rb_error_set(err, RB_EDB, "TABLE_LOCKED",
                     "\"%s\".\"%s\" can't be read: process %s of the server (%s%s%s) %s %s against "
                     "reading",
                     table->schema, table->name, pid, name && *name ? name : "no application_name",
                     since ? ", statement of " : "", since ? since : "",
                     rb_query_bool(&rows, 0, 4) ? "has locked" : "waits to lock",
                     rb_query_text(&rows, 0, 0));
        rb_error_set_hint(err,
                          "wait for that session to end its transaction, or end it: SELECT "
                          "pg_terminate_backend(%s); timeouts.lock says how long a run waits",
                          pid);
    }
    if (err) {
        memcpy(err->sqlstate, lock_not_available, sizeof lock_not_available);
        err->backoff = RB_BACKOFF_FAST;
        err->retryable = err->safe_to_retry = true;
    }
    return RB_EDB;
}

/* Out of the queue, so that those behind us get their turn. */
static int pause_for(struct rb_conn *conn, struct rb_error *err)
{
    int r = rb_query_exec(conn, rb_sql_rollback_to, err);
    return r < 0 ? r : rb_query_exec(conn, rb_sql_pause, err);
}

static int take(struct rb_conn *conn, const struct rb_table *table, const char *before,
                const char *name, const char *after, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf described = RB_BUF_INIT(DESCRIPTION_MAX);
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rows;
    rb_query_result_init(&rows);
    char oid[24];
    snprintf(oid, sizeof oid, "%lu", (unsigned long)table->oid);
    struct rb_query_param params[] = {rb_query_text_param(oid), rb_query_text_param(name)};
    bool is_plain = table->kind == 'r' && !table->has_children;
    const char *sql = is_plain ? rb_sql_rewritten_plain : rb_sql_rewritten;
    int r = rb_query_run_kept_between(conn, before, &described, sql, params, 2, after, &rows, err);
    if (r < 0) {
        return r;
    }
    const char *changed = rb_query_text(&rows, 0, 0);
    return changed || !is_same(table, &described) ? refuse(changed ? changed : name, err) : 0;
}

int rb_table_lock(struct rb_conn *conn, const struct rb_table *table, int64_t wait_ms,
                  const char *after, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf before = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf name = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    double end = rb_clock_secs() + (double)wait_ms / 1000;
    int r = build_select(table, &before, err);
    r = r < 0 ? no_memory(err) : 0;
    r = r < 0 ? r : rb_quote_qualified(&name, table->schema, table->name, err);
    if (r < 0) {
        return r;
    }
    struct rb_error own;
    for (;;) {
        rb_error_clear(&own);
        r = take(conn, table, rb_buf_str(&before), rb_buf_str(&name), after, &own);
        bool locked = r < 0 && strcmp(own.sqlstate, lock_not_available) == 0;
        if (!locked || (wait_ms >= 0 && rb_clock_secs() >= end)) {
            break;
        }
        r = pause_for(conn, err);
        if (r < 0) {
            return r;
        }
    }
    if (r < 0 && strcmp(own.sqlstate, lock_not_available) == 0) {
        r = rb_query_exec(conn, rb_sql_rollback_to, err);
        return r < 0 ? r : rb_table_locked(conn, table, err);
    }
    /* undefined_table, undefined_column: under a new snapshot it is told what there is. */
    if (r < 0 && (strcmp(own.sqlstate, "42P01") == 0 || strcmp(own.sqlstate, "42703") == 0)) {
        return refuse(rb_buf_str(&name), err);
    }
    if (r < 0 && err) {
        *err = own;
    }
    return r;
}
