/* What a run would do with its streams' tables, without doing it. */
#include <stdio.h>
#include <string.h>

#include "connectors/postgres/dest/dest.h"

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
    if (stream->write_mode == RB_CONTEXT_REPLACE &&
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
