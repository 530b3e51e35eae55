/* Replace by swap: a staging table takes the target's place, and all that belongs to it. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fault.h"
#include "connectors/postgres/dest/dest.h"
#include "gen/connectors/postgres/dest/sql.h"

enum {
    PAUSE_MS = 500,      /* before the second try; half as much again by chance */
    PAUSE_DOUBLINGS = 4, /* 8 s at most */
};

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a statement");
}

/* What extensions that have catalogues of their own call the table; NULL: they don't know it. */
static int find_known(struct rb_dest *dest, const struct rb_query_result *blockers, const char *oid,
                      const char **ret, struct rb_error *err)
{
    const struct {
        size_t column; /* of swap_blockers.sql: it is there */
        const char *sql, *what;
    } catalogues[] = {
        {4, rb_sql_known_hypertable, "a hypertable of TimescaleDB"},
        {5, rb_sql_known_distributed, "a table that Citus distributes"},
    };
    int status = 0;
    for (size_t i = 0; status == 0 && i < sizeof catalogues / sizeof catalogues[0]; i++) {
        RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
        rb_query_result_init(&r);
        if (rb_query_bool(blockers, 0, catalogues[i].column)) {
            status = rb_dest_query(dest, catalogues[i].sql, &oid, 1, &r, err);
            *ret = status == 0 && rb_query_bool(&r, 0, 0) ? catalogues[i].what : *ret;
        }
    }
    return status;
}

/* Which of the long statements have something to say, as swap_parts.sql knows it. */
struct parts {
    bool any_blocker; /* swap_blockers.sql, swap_capture.sql */
    bool any_setting; /* swap_restore.sql */
    bool any_name;    /* swap_rename.sql */
};

/* `fresh`: the OID of the new table; NULL: there is none yet. */
static int ask_parts(struct rb_dest *dest, const char *old, const char *fresh, struct parts *ret,
                     struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    const char *params[] = {old, fresh};
    int status = rb_dest_query(dest, rb_sql_swap_parts, params, 2, &r, err);
    *ret = (struct parts){
        .any_blocker = rb_query_bool(&r, 0, 0),
        .any_setting = rb_query_bool(&r, 0, 1),
        .any_name = rb_query_bool(&r, 0, 2),
    };
    if (status == 0 && r.n_rows == 0) { /* it was dropped meanwhile: what comes says so */
        *ret = (struct parts){.any_blocker = true, .any_setting = true, .any_name = true};
    }
    return status;
}

static int check_blockers(struct rb_dest *dest, const struct rb_target *old, const char *table,
                          struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    const char *oid = old->oid;
    int status = rb_dest_query(dest, rb_sql_swap_blockers, &oid, 1, &r, err);
    const char *blockers = status == 0 ? rb_query_text(&r, 0, 0) : NULL;
    const char *forbidden = status == 0 ? rb_query_text(&r, 0, 1) : NULL;
    const char *known = NULL;
    status = status < 0 ? status : find_known(dest, &r, oid, &known, err);
    if (status == 0 && known != NULL) {
        status =
            rb_error_set(err, RB_ESCHEMA, "SWAP_REFUSED",
                         "table \"%s\" is %s, and can't be replaced by a new one", table, known);
        rb_error_set_hint(err, "set replace_method: truncate, which keeps the table");
        return status;
    }
    if (blockers == NULL && forbidden != NULL) {
        status = rb_error_set(err, RB_EPERM, "SWAP_FORBIDDEN",
                              "table \"%s\" can be replaced by a new one only by a member of: %s",
                              table, forbidden);
        rb_error_set_hint(err, "%s (or set replace_method: truncate, which keeps the table)",
                          rb_query_text(&r, 0, 2));
    } else if (blockers == NULL && status == 0 && rb_query_text(&r, 0, 3) != NULL) {
        status = rb_error_set(err, RB_EPERM, "SWAP_FORBIDDEN",
                              "table \"%s\" can be replaced by a new one only with the right to "
                              "make tables in schema \"%s\"",
                              table, dest->config.schema);
        rb_error_set_hint(err, "%s (or set replace_method: truncate, which keeps the table)",
                          rb_query_text(&r, 0, 3));
    }
    if (blockers == NULL) {
        return status;
    }
    status = rb_error_set(err, RB_ESCHEMA, "SWAP_REFUSED",
                          "table \"%s\" can't be replaced by a new one, which would not keep: %s",
                          table, blockers);
    if (old->referenced[0] != '\0') {
        /* Nor can it be truncated. */
        rb_error_set_hint(err, "set write_mode: upsert, which keeps the rows that are referenced");
    } else {
        rb_error_set_hint(err, "set replace_method: truncate, which keeps the table");
    }
    return status;
}

int rb_swap_check(struct rb_dest *dest, const struct rb_target *old, const char *table,
                  struct rb_error *err)
{
    struct parts parts;
    int status = ask_parts(dest, old->oid, NULL, &parts, err);
    return status < 0 || !parts.any_blocker ? status : check_blockers(dest, old, table, err);
}

int rb_swap_stage(struct rb_dest *dest, const struct rb_target *old,
                  const struct rb_columns *columns, struct rb_json_value primary_key,
                  const char *staging, struct rb_buf *ret, struct rb_error *err)
{
    if (!old->exists) {
        return rb_target_create(dest, RB_DEST_LEDGER_SCHEMA, staging, columns, primary_key, err);
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf sql = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    RB_CLEANUP(rb_query_result_release) struct rb_query_result options;
    rb_query_result_init(&options);
    const char *oid = old->oid;
    int status = rb_dest_query(dest, rb_sql_swap_before, &oid, 1, &options, err);
    const char *more = status == 0 ? rb_query_text(&options, 0, 0) : NULL;
    const char *before = status == 0 ? rb_query_text(&options, 0, 1) : NULL;
    if (status < 0) {
        return status;
    }
    rb_buf_clear(ret);
    if (rb_buf_append_str(ret, before != NULL ? before : "[]") < 0 ||
        rb_buf_printf(&sql, "CREATE TABLE " RB_DEST_LEDGER_SCHEMA ".%s (LIKE %s INCLUDING ALL)%s",
                      staging, old->relation, more != NULL ? more : "") < 0) {
        return no_memory(err);
    }
    return rb_query_exec(dest->conn, rb_buf_str(&sql), err);
}

/* Both tables by their names in SQL. */
struct names {
    char schema[2 * RB_QUOTE_NAME_MAX + 3]; /* quoted */
    char table[2 * RB_QUOTE_NAME_MAX + 3];
    char out_of_the_way[RB_DEST_STAGING_NAME];
};

static int quote(const char *name, char *ret, size_t size, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf buf = RB_BUF_INIT(size - 1);
    int status = rb_quote_ident(&buf, name, err);
    if (status == 0) {
        memcpy(ret, rb_buf_str(&buf), buf.len + 1);
    }
    return status;
}

static int run(struct rb_dest *dest, struct rb_error *err, const char *fmt, ...) RB_PRINTF(3, 4);

static int run(struct rb_dest *dest, struct rb_error *err, const char *fmt, ...)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf sql = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    va_list args;
    va_start(args, fmt);
    int status = rb_buf_vprintf(&sql, fmt, args);
    va_end(args);
    return status < 0 ? no_memory(err) : rb_query_exec(dest->conn, rb_buf_str(&sql), err);
}

/* The staging table gets its final schema and name. */
static int move_in(struct rb_dest *dest, const char *staging, const struct names *names,
                   struct rb_error *err)
{
    int status = run(dest, err, "ALTER TABLE " RB_DEST_LEDGER_SCHEMA ".%s SET SCHEMA %s", staging,
                     names->schema);
    return status < 0 ? status
                      : run(dest, err, "ALTER TABLE %s.%s RENAME TO %s", names->schema, staging,
                            names->table);
}

/* There is no old table: only the key's name still tells of the staging. */
static int place_new(struct rb_dest *dest, const char *staging, const char *table,
                     const struct names *names, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rename;
    rb_query_result_init(&rename);
    const char *params[] = {staging, table};
    int status = rb_dest_query(dest, rb_sql_swap_key_name, params, 2, &rename, err);
    status = status < 0 ? status : move_in(dest, staging, names, err);
    for (size_t i = 0; status == 0 && i < rename.n_rows; i++) {
        status = run(dest, err, "ALTER TABLE %s.%s %s", names->schema, names->table,
                     rb_query_text(&rename, i, 0));
    }
    return status;
}

/* With both in place: what LIKE left out; then the old one goes, then its names are free. */
static int take_over(struct rb_dest *dest, const char *const oids[2], const struct parts *parts,
                     const struct rb_query_result *captured, const struct names *names,
                     struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result restore;
    RB_CLEANUP(rb_query_result_release) struct rb_query_result rename;
    rb_query_result_init(&restore);
    rb_query_result_init(&rename);
    int status = 0;
    if (parts->any_setting) {
        status = rb_dest_query(dest, rb_sql_swap_restore, oids, 2, &restore, err);
    }
    if (status == 0 && parts->any_name) {
        status = rb_dest_query(dest, rb_sql_swap_rename, oids, 2, &rename, err);
    }
    status = status < 0 ? status : rb_dest_run_each(dest, &restore, err);
    status = status < 0 ? status : rb_dest_run_each(dest, captured, err);
    status = status < 0 ? status : RB_FAULT(DEST_SWAP_RESTORED, err);
    status = status < 0 ? status
                        : run(dest, err, "DROP TABLE %s.%s RESTRICT", names->schema,
                              names->out_of_the_way);
    status = status < 0 ? status : RB_FAULT(DEST_SWAP_DROPPED, err);
    return status < 0 ? status : rb_dest_run_each(dest, &rename, err);
}

/* Whether `items`, of swap_before.sql, has this very one. */
static bool has_item(struct rb_json_value items, struct rb_json_value item)
{
    for (size_t i = 0; i < rb_json_count(items); i++) {
        struct rb_json_value other = rb_json_item(items, i);
        if (strcmp(rb_json_text(rb_json_item(other, 0), ""),
                   rb_json_text(rb_json_item(item, 0), "")) == 0 &&
            strcmp(rb_json_text(rb_json_item(other, 1), ""),
                   rb_json_text(rb_json_item(item, 1), "")) == 0) {
            return true;
        }
    }
    return false;
}

static int list_new(struct rb_json_value before, struct rb_json_value now, struct rb_buf *ret)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < rb_json_count(now); i++) {
        struct rb_json_value item = rb_json_item(now, i);
        if (!has_item(before, item)) {
            status = rb_buf_printf(ret, "%s%s", ret->len > 0 ? ", " : "",
                                   rb_json_text(rb_json_item(item, 0), ""));
        }
    }
    return status;
}

/* The load took its time: whoever altered the old table meanwhile would find that undone. */
static int check_unchanged(struct rb_dest *dest, const struct rb_target *old,
                           const struct rb_buf *before, const char *table, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    RB_CLEANUP(rb_buf_release) struct rb_buf changed = RB_BUF_INIT(RB_QUOTE_STATEMENT_MAX);
    struct rb_json_doc *then = NULL, *now = NULL;
    rb_query_result_init(&r);
    const char *oid = old->oid;
    int status = rb_dest_query(dest, rb_sql_swap_before, &oid, 1, &r, err);
    const char *text = status == 0 ? rb_query_text(&r, 0, 1) : NULL;
    if (text != NULL) {
        status = rb_json_parse(text, strlen(text), &now, err);
        if (status == 0 && before->len > 0) { /* else there was no table: all of it is new */
            status = rb_json_parse(rb_buf_str(before), before->len, &then, err);
        }
        if (status == 0 && list_new(rb_json_root(then), rb_json_root(now), &changed) < 0) {
            status = no_memory(err);
        }
    }
    if (status == 0 && changed.len > 0) {
        status = rb_error_set(err, RB_EDB, "TABLE_CHANGED",
                              "table \"%s\" was changed while its successor was loaded: %s", table,
                              rb_buf_str(&changed));
        if (err != NULL) {
            err->retryable = err->safe_to_retry = true;
        }
    }
    rb_json_free(then);
    rb_json_free(now);
    return status;
}

/* Locks the table that has the name, which may be another one by the time it is ours. */
static int lock_old(struct rb_dest *dest, const char *table, struct rb_target *old,
                    const char *fresh, struct parts *ret, struct rb_error *err)
{
    rb_phase(RB_DEST_PHASE_LOCK);
    int status = run(dest, err, "LOCK TABLE %s IN ACCESS EXCLUSIVE MODE", old->relation);
    rb_phase("publishing");
    status = status < 0 ? status : rb_target_look(dest, dest->config.schema, table, old, err);
    /* Again, now that nobody can add anything. */
    status = status < 0 ? status : ask_parts(dest, old->oid, fresh, ret, err);
    return status < 0 || !ret->any_blocker ? status : check_blockers(dest, old, table, err);
}

static int replace_old(struct rb_dest *dest, struct rb_target *old, const struct rb_swap *swap,
                       const char *table, const struct names *names, struct rb_error *err)
{
    RB_CLEANUP(rb_target_release) struct rb_target fresh;
    RB_CLEANUP(rb_query_result_release) struct rb_query_result captured;
    struct parts parts;
    rb_target_init(&fresh);
    rb_query_result_init(&captured);
    const char *oids[] = {old->oid, fresh.oid};
    int status = rb_target_look(dest, RB_DEST_LEDGER_SCHEMA, swap->staging, &fresh, err);
    status = status < 0 ? status : lock_old(dest, table, old, fresh.oid, &parts, err);
    status = status < 0 ? status : RB_FAULT(DEST_SWAP_LOCKED, err);
    status = status < 0 ? status : check_unchanged(dest, old, swap->before, table, err);
    /* What belongs to it names its columns, which have other names in the new one. */
    status = status < 0 ? status : rb_alter_carried(dest, old->relation, swap->carried, err);
    if (status == 0 && parts.any_blocker) {
        status = rb_dest_query(dest, rb_sql_swap_capture, oids, 1, &captured, err);
    }
    status = status < 0 ? status
                        : run(dest, err, "ALTER TABLE %s RENAME TO %s", old->relation,
                              names->out_of_the_way);
    status = status < 0 ? status : RB_FAULT(DEST_SWAP_RENAMED, err);
    status = status < 0 ? status : move_in(dest, swap->staging, names, err);
    status = status < 0 ? status : RB_FAULT(DEST_SWAP_MOVED_IN, err);
    return status < 0 ? status : take_over(dest, oids, &parts, &captured, names, err);
}

static int exchange(struct rb_dest *dest, const struct rb_stream_context *context,
                    const struct rb_swap *swap, struct rb_error *err)
{
    const char *table = context->destination_table;
    RB_CLEANUP(rb_target_release) struct rb_target old;
    rb_target_init(&old);
    struct names names;
    int status = quote(dest->config.schema, names.schema, sizeof names.schema, err);
    status = status < 0 ? status : quote(table, names.table, sizeof names.table, err);
    status = status < 0 ? status : rb_target_look(dest, dest->config.schema, table, &old, err);
    if (status < 0) {
        return status;
    }
    snprintf(names.out_of_the_way, sizeof names.out_of_the_way, "o_%.16s", swap->staging + 2);
    return old.exists ? replace_old(dest, &old, swap, table, &names, err)
                      : place_new(dest, swap->staging, table, &names, err);
}

/* Others hold locks on the table: what is loaded is none the worse for it. */
static bool is_in_use(const struct rb_error *error)
{
    return strcmp(error->sqlstate, "55P03") == 0 || strcmp(error->sqlstate, "40P01") == 0;
}

/* Between two tries nothing is locked, and those who waited behind us have their turn. */
static void pause_between(int64_t attempt)
{
    int64_t delay_ms = PAUSE_MS << (attempt < PAUSE_DOUBLINGS ? attempt : PAUSE_DOUBLINGS);
    int64_t micros = (int64_t)(rb_clock_secs() * 1e6); /* its last digits are chance enough */
    delay_ms += micros % (delay_ms / 2);
    struct timespec delay = {.tv_sec = (time_t)(delay_ms / 1000),
                             .tv_nsec = (long)(delay_ms % 1000) * 1000000};
    nanosleep(&delay, NULL);
}

int rb_swap_publish(struct rb_dest *dest, const struct rb_stream_context *context,
                    const struct rb_swap *swap, struct rb_error *err)
{
    const char *table = context->destination_table;
    struct rb_error own;
    int status = 0;
    for (int64_t attempt = 0;; attempt++) {
        rb_error_clear(&own);
        status = rb_query_exec(dest->conn, "SAVEPOINT rapidbyte_swap", &own);
        status = status < 0 ? status : exchange(dest, context, swap, &own);
        if (status == 0 || !is_in_use(&own) || !rb_conn_is_usable(dest->conn)) {
            break;
        }
        if (attempt >= context->max_retries) {
            /* Loading it again would not help: final, until the next run. */
            own.retryable = own.safe_to_retry = false;
            rb_error_set_hint(&own, "end what keeps the table locked (pg_locks), or raise "
                                    "timeouts.lock or resources.max_retries");
            break;
        }
        rb_log(RB_LOG_WARN, "table \"%s\" is in use (%s); replacing it is tried again", table,
               own.message);
        status = rb_query_exec(dest->conn, "ROLLBACK TO SAVEPOINT rapidbyte_swap", &own);
        if (status < 0) {
            break;
        }
        pause_between(attempt);
    }
    status = status < 0 ? status : RB_FAULT(DEST_SWAPPED, &own);
    if (status < 0) {
        rb_error_prefix(&own, "replacing table \"%s\"", table);
        if (err != NULL) {
            *err = own;
        }
    }
    return status;
}
