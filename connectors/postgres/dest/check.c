/* What a run would do with its streams' tables, without doing it. */
#include <stdio.h>
#include <string.h>

#include "connectors/postgres/dest/dest.h"
#include "gen/connectors/postgres/dest/sql.h"

/* The source's columns, as far as the host knows them. A type that a user made is what a run would
 * make of it here: where the table has the column already, its type is taken to be that one. */
static int read_columns(const struct rb_stream_context *stream, const struct rb_target *target,
                        struct rb_columns *ret, struct rb_error *err)
{
    for (size_t i = 0; i < rb_json_count(stream->schema_columns); i++) {
        struct rb_json_value item = rb_json_item(stream->schema_columns, i);
        char name[RB_CONN_TEXT_MAX];
        char declared[RB_CONN_TEXT_MAX];
        char origin[RB_CONN_TEXT_MAX];
        snprintf(name, sizeof name, "%s", rb_json_text(rb_json_get(item, "name"), ""));
        snprintf(declared, sizeof declared, "%s",
                 rb_json_text(rb_json_get(item, "data_type"), "text"));
        snprintf(origin, sizeof origin, "%s", rb_json_text(rb_json_get(item, "origin"), ""));
        size_t at = target->exists ? rb_target_column(target, name) : SIZE_MAX;
        if (at != SIZE_MAX && rb_json_truth(rb_json_get(item, "user_defined"), false)) {
            snprintf(declared, sizeof declared, "%s", rb_query_text(&target->columns, at, 1));
        }
        const struct rb_column column = {
            .name = name,
            .declared = declared,
            .origin = origin[0] != '\0' ? origin : NULL,
            .not_null = !rb_json_truth(rb_json_get(item, "nullable"), true),
        };
        int status = rb_columns_add(ret, &column, err);
        if (status < 0) {
            return status;
        }
    }
    return 0;
}

/* The ledger's newest cursor of the stream, if it is one of the table that is there. */
static int find_cursor(struct rb_dest *dest, const struct rb_stream_context *stream,
                       bool *ret_has_cursor, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result ledger;
    RB_CLEANUP(rb_buf_release) struct rb_buf keys = RB_BUF_INIT(RB_ABI_JSON_MAX);
    rb_query_result_init(&ledger);
    int status = rb_ledger_write_keys(stream, 1, &keys, err);
    const char *params[] = {"", stream->pipeline, dest->config.schema, rb_buf_str(&keys), "-1"};
    status =
        status < 0 ? status : rb_dest_query(dest, rb_sql_ledger_streams, params, 5, &ledger, err);
    *ret_has_cursor = status == 0 && rb_query_text(&ledger, 0, 4) != NULL;
    return status;
}

/* Rows that a run would add again. */
static int check_past(struct rb_dest *dest, const struct rb_stream_context *stream,
                      const struct rb_target *target, struct rb_json *changes, struct rb_error *err)
{
    bool has_ledger = false, has_cursor = false, foreign = false;
    int status = rb_ledger_check(dest, &has_ledger, err);
    if (status < 0 || !has_ledger) {
        return status;
    }
    if (stream->sync_mode == RB_CONTEXT_INCREMENTAL) {
        status = find_cursor(dest, stream, &has_cursor, err);
    }
    status =
        status < 0 ? status : rb_dest_check_past(dest, stream, target, has_cursor, &foreign, err);
    if (status == 0 && foreign) {
        rb_json_str(changes, "rows are added to rows that no load of this pipeline put there");
    }
    return status;
}

static int check_table(struct rb_dest *dest, const struct rb_stream_context *stream,
                       struct rb_json *changes, struct rb_error *err)
{
    RB_CLEANUP(rb_target_release) struct rb_target target;
    RB_CLEANUP(rb_columns_release) struct rb_columns columns;
    RB_CLEANUP(rb_evolution_release) struct rb_evolution evolution;
    struct rb_mapping mapping;
    const char *table = stream->destination_table;
    rb_target_init(&target);
    rb_columns_init(&columns);
    rb_evolution_init(&evolution, dest, stream);
    int status = rb_target_find(dest, dest->config.schema, table, &target, err);
    status = status < 0 ? status : read_columns(stream, &target, &columns, err);
    if (status < 0) {
        return status;
    }
    if (!target.exists) {
        rb_json_str(changes, "CREATE TABLE");
        return 0;
    }
    status = check_past(dest, stream, &target, changes, err);
    if (status == 0 && stream->write_mode == RB_CONTEXT_REPLACE &&
        strcmp(stream->replace_method, "truncate") != 0) {
        status = rb_swap_check(dest, &target, table, err);
    }
    memcpy(evolution.original, target.oid, sizeof evolution.original);
    return status < 0 ? status
                      : rb_evolve(&evolution, dest->config.schema, table, &columns, &target,
                                  changes, &mapping, err);
}

int rb_dest_check(void *self, const struct rb_stream_context *streams, size_t n_streams,
                  struct rb_json *ret, struct rb_error *err)
{
    struct rb_dest *dest = self;
    int status = rb_dest_connect(dest, err);
    for (size_t i = 0; status == 0 && i < n_streams; i++) {
        struct rb_error own;
        rb_error_clear(&own);
        rb_json_begin_object(ret);
        rb_json_member_str(ret, "stream_name", streams[i].stream_name);
        rb_json_key(ret, "changes");
        rb_json_begin_array(ret);
        int checked = check_table(dest, &streams[i], ret, &own);
        rb_json_end_array(ret);
        rb_json_key(ret, "error");
        if (checked < 0) {
            rb_json_error(ret, &own);
        } else {
            rb_json_null(ret);
        }
        rb_json_end_object(ret);
        if (checked < 0 && !rb_conn_is_usable(dest->conn)) {
            *err = own;
            status = checked;
        }
    }
    return status;
}
