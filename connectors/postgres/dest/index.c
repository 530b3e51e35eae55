/* The keys and indexes that the source's table has: made once the rows are there. */
#include <inttypes.h>
#include <string.h>

#include "connectors/postgres/dest/dest.h"
#include "gen/connectors/postgres/dest/sql.h"

enum { STATEMENT_MAX = 1024 * 1024, LANES_MAX = 1024 };

/* No second session can index a table that nobody else sees yet: what lanes there are work on one
 * index at a time, as workers of the server, where it has as many (max_parallel_workers). */
static int exec_side_by_side(struct rb_dest *dest, const char *sql, int64_t lanes,
                             struct rb_error *err)
{
    static const char setting[] = "max_parallel_maintenance_workers";
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(STATEMENT_MAX);
    if (lanes <= 1) {
        return rb_query_exec(dest->conn, sql, err);
    }
    int64_t workers = lanes < LANES_MAX ? lanes - 1 : LANES_MAX;
    int r = rb_buf_printf(&text,
                          "SELECT set_config('%s', greatest(current_setting('%s')::int, %" PRId64
                          ")::text, true); %s; SET LOCAL %s TO DEFAULT",
                          setting, setting, workers, sql, setting);
    return r < 0 ? rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a statement")
                 : rb_query_exec(dest->conn, rb_buf_str(&text), err);
}

static int make_one(struct rb_dest *dest, const struct rb_query_result *statements, size_t i,
                    const struct rb_stream_context *context, struct rb_error *err)
{
    const char *table = context->destination_table;
    const char *sql = rb_query_text(statements, i, 0);
    const char *name = rb_query_text(statements, i, 1);
    if (sql == NULL) {
        rb_log(RB_LOG_WARN,
               "table \"%s\": index \"%s\" of the source is not made: it has an expression, a "
               "predicate, a column that is not loaded, or an operator class that is not here",
               table, name);
        return 0;
    }
    int status = exec_side_by_side(dest, sql, context->parallelism, err);
    if (status < 0) {
        rb_error_prefix(err, "table \"%s\" can't have %s as the source has it", table, name);
        rb_error_set_hint(err, "set indexes: none, or delete what keeps the index from being made");
    }
    return status;
}

int rb_indexes_make(struct rb_dest *dest, const struct rb_stream_context *context,
                    const struct rb_target *target, const struct rb_keys *keys,
                    struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result statements;
    rb_query_result_init(&statements);
    const char *params[] = {target->oid, keys->primary_key, keys->indexes, dest->config.schema,
                            context->destination_table};
    int status = 0;
    if (keys->primary_key != NULL || keys->indexes != NULL) {
        status = rb_dest_query(dest, rb_sql_index_statements, params, 5, &statements, err);
    }
    if (status == 0 && statements.n_rows > 0) {
        rb_phase("making indexes");
    }
    for (size_t i = 0; status == 0 && i < statements.n_rows; i++) {
        status = make_one(dest, &statements, i, context, err);
    }
    return status;
}
