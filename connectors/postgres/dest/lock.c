/* One run of a pipeline at a time: its lock, and the transactions that write for it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/hash.h"
#include "connectors/postgres/dest/dest.h"
#include "gen/connectors/postgres/dest/sql.h"

enum { NUMBER_MAX = 24, TERMINATE_WAIT_MS = 20, TERMINATE_MAX_MS = 10000 };

/* `holder`: pipeline_holder.sql's row; NULL: it is not known. */
static int locked_by(const struct rb_query_result *holder, const char *pipeline,
                     struct rb_error *err)
{
    const char *pid = holder != NULL ? rb_query_text(holder, 0, 0) : "unknown";
    const char *from = holder != NULL ? rb_query_text(holder, 0, 2) : "";
    int status =
        rb_error_set(err, RB_ELOCKED, "PIPELINE_LOCKED",
                     "pipeline '%s' is being loaded by another run (server process %s%s%s)",
                     pipeline, pid, from[0] != '\0' ? ", client " : "", from);
    rb_error_set_hint(err,
                      "wait for it to end; if it is dead, its lock goes with its connection: "
                      "SELECT pg_terminate_backend(%s)",
                      pid);
    return status;
}

/* What a transaction that writes for the pipeline locks, shared, until its end. Nobody asks for it
 * alone: it shows who is at it. */
static void writers_number(const char *pipeline, char ret[NUMBER_MAX])
{
    char text[RB_DEST_TARGET_MAX];
    int len = snprintf(text, sizeof text, "rapidbyte writes %s", pipeline);
    size_t used = len < (int)sizeof text ? (size_t)len : sizeof text - 1;
    snprintf(ret, NUMBER_MAX, "%" PRId64, (int64_t)rb_hash_row(text, used));
}

void rb_dest_release_pipeline(struct rb_dest *dest)
{
    if (dest->holder != NULL && rb_conn_is_usable(dest->holder)) {
        /* A pooler that loses us within a transaction ends the session, but in its own time. */
        (void)rb_query_exec(dest->holder, "ROLLBACK", NULL);
    }
    rb_conn_closep(&dest->holder);
}

/* Takes the lock in a transaction of its own, on a connection that does nothing else: so the pooler
 * leaves it its session. ret_taken false: another has it. */
static int hold(struct rb_dest *dest, const char *pipeline, bool *ret_taken, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    RB_CLEANUP(rb_conn_closep) struct rb_conn *conn = NULL;
    rb_query_result_init(&r);
    const struct rb_query_param params[] = {rb_query_text_param(pipeline)};
    int status = rb_conn_open(&dest->config, &conn, err);
    status = status < 0 ? status
                        : rb_query_run_kept_between(conn, "BEGIN", NULL, rb_sql_pipeline_hold,
                                                    params, 1, NULL, &r, err);
    *ret_taken = status == 0 && rb_query_bool(&r, 0, 0);
    if (*ret_taken) {
        rb_conn_close(dest->holder);
        dest->holder = conn;
        conn = NULL;
    }
    return status;
}

/* ret_free: no transaction writes for the pipeline. */
static int lock_by_transaction(struct rb_dest *dest, const char *pipeline, const char *number,
                               bool *ret_taken, bool *ret_free, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    int status = hold(dest, pipeline, ret_taken, err);
    if (status < 0 || !*ret_taken) {
        return status;
    }
    status = rb_dest_query(dest, rb_sql_no_writer, &number, 1, &r, err);
    *ret_free = status == 0 && rb_query_bool(&r, 0, 0);
    return status;
}

static int lock_by_session(struct rb_dest *dest, const char *pipeline, const char *number,
                           bool *ret_taken, bool *ret_free, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    const char *params[] = {pipeline, number};
    int status = rb_dest_query(dest, rb_sql_pipeline_lock, params, 2, &r, err);
    *ret_taken = dest->has_lock = status == 0 && rb_query_text(&r, 0, 0) != NULL;
    *ret_free = status == 0 && rb_query_bool(&r, 0, 0);
    return status;
}

int rb_dest_lock_pipeline(struct rb_dest *dest, const char *pipeline, bool *ret_any_writer,
                          struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    char number[NUMBER_MAX];
    bool taken = false, is_free = false;
    writers_number(pipeline, number);
    int status = rb_conn_is_pooled(dest->conn)
                     ? lock_by_transaction(dest, pipeline, number, &taken, &is_free, err)
                     : lock_by_session(dest, pipeline, number, &taken, &is_free, err);
    if (status < 0) {
        return status;
    }
    if (ret_any_writer != NULL) {
        *ret_any_writer = !is_free;
    }
    if (taken) {
        return 0;
    }
    bool known =
        rb_dest_query(dest, rb_sql_pipeline_holder, &pipeline, 1, &r, NULL) == 0 && r.n_rows > 0;
    return locked_by(known ? &r : NULL, pipeline, err);
}

int rb_dest_look_at_lock(struct rb_dest *dest, const char *pipeline, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    int status = rb_dest_query(dest, rb_sql_pipeline_holder, &pipeline, 1, &r, err);
    return status < 0 || r.n_rows == 0 ? status : locked_by(&r, pipeline, err);
}

static int taken_over(const struct rb_stream_context *context, struct rb_error *err)
{
    int status = rb_error_set(err, RB_ELOCKED, "LOAD_TAKEN_OVER",
                              "the load is not this run's any more: the session that held the lock "
                              "of pipeline '%s' was lost, and another run has begun since",
                              context->pipeline);
    rb_error_set_hint(err, "nothing of this stream was committed; run again when the other run has "
                           "ended");
    return status;
}

static int lock_lost(const struct rb_stream_context *context, struct rb_error *err)
{
    int status = rb_error_set(err, RB_ELOCKED, "PIPELINE_LOCK_LOST",
                              "the session that held the lock of pipeline '%s' at the destination "
                              "was lost, so another run could begin: this one writes no more",
                              context->pipeline);
    rb_error_set_hint(err, "run again; if it happens again, look for what ends idle sessions "
                           "(a proxy's or firewall's timeout, pg_terminate_backend): "
                           "timeouts.idle bounds the time between keepalives");
    return status;
}

static void say_taken_again(const struct rb_stream_context *context)
{
    rb_log(RB_LOG_WARN,
           "the session that held the lock of pipeline '%s' was lost; no other run has begun, "
           "and the lock is taken again",
           context->pipeline);
}

/* A retry may follow the loss of all sessions, when the server was restarted. Where they are pooled
 * the lock is taken again before the transaction that writes, which could not do it. */
static int hold_again(struct rb_dest *dest, const struct rb_stream_context *context,
                      struct rb_error *err)
{
    bool taken = false;
    if (context->attempt <= 1 || context->claim[0] == '\0' || !rb_conn_is_pooled(dest->conn)) {
        return 0;
    }
    int status = hold(dest, context->pipeline, &taken, err);
    if (taken) {
        say_taken_again(context);
    }
    return status;
}

/* In a transaction, which `before` begins unless it is NULL. */
static int lock_and_check(struct rb_dest *dest, const char *before,
                          const struct rb_stream_context *context, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result claimed;
    rb_query_result_init(&claimed);
    char number[NUMBER_MAX];
    writers_number(context->pipeline, number);
    const char *claim = context->claim[0] != '\0' ? context->claim : NULL;
    bool take_again = context->attempt > 1 && !rb_conn_is_pooled(dest->conn);
    /* A session that has the lock itself would get it once more. */
    bool ask = claim != NULL && before != NULL && !dest->has_lock;
    const struct rb_query_param params[] = {
        rb_query_text_param(context->load_id),
        rb_query_text_param(claim),
        rb_query_text_param(number),
        rb_query_text_param(ask ? context->pipeline : NULL),
        rb_query_text_param(take_again ? "true" : "false"),
    };
    int status =
        before != NULL
            ? rb_query_run_kept_between(dest->conn, before, NULL, rb_sql_writing_begin, params, 5,
                                        NULL, &claimed, err)
            : rb_query_run_kept(dest->conn, rb_sql_writing_begin, params, 5, &claimed, err);
    bool is_ours = claim == NULL || (status == 0 && rb_query_bool(&claimed, 0, 1));
    bool was_free = status == 0 && rb_query_bool(&claimed, 0, 2);
    dest->has_lock = dest->has_lock || (was_free && take_again);
    if (status < 0 || !is_ours) {
        return status < 0 ? status : taken_over(context, err);
    }
    if (was_free && take_again) {
        say_taken_again(context);
    }
    return was_free && !take_again ? lock_lost(context, err) : 0;
}

int rb_dest_check_claim(struct rb_dest *dest, const struct rb_stream_context *context,
                        struct rb_error *err)
{
    return lock_and_check(dest, NULL, context, err);
}

int rb_dest_begin_writing(struct rb_dest *dest, const struct rb_stream_context *context,
                          struct rb_error *err)
{
    static const char begin[] = "BEGIN ISOLATION LEVEL READ COMMITTED";
    if (context->load_id[0] == '\0') {
        return rb_query_exec(dest->conn, begin, err);
    }
    int status = hold_again(dest, context, err);
    return status < 0 ? status : lock_and_check(dest, begin, context, err);
}

static int still_written(const struct rb_query_result *writers, const char *pipeline,
                         struct rb_error *err)
{
    const char *pid = writers->n_rows > 0 ? rb_query_text(writers, 0, 0) : "unknown";
    int status = rb_error_set(err, RB_ELOCKED, "PIPELINE_LOCKED",
                              "pipeline '%s' is still being written by server process %s of an "
                              "earlier run, which did not end when it was asked to",
                              pipeline, pid);
    rb_error_set_hint(err, "SELECT pg_terminate_backend(%s), as a role that may, or wait for it",
                      pid);
    return status;
}

int rb_dest_end_writers(struct rb_dest *dest, const char *pipeline, struct rb_error *err)
{
    char number[NUMBER_MAX];
    writers_number(pipeline, number);
    const char *params[] = {number};
    int64_t limit_ms =
        dest->config.lock_timeout_ms > 0 ? dest->config.lock_timeout_ms : TERMINATE_MAX_MS;
    RB_CLEANUP(rb_query_result_release) struct rb_query_result writers;
    rb_query_result_init(&writers);
    for (int64_t waited_ms = 0;; waited_ms += TERMINATE_WAIT_MS) {
        int status = rb_dest_query(dest, rb_sql_writers_end, params, 1, &writers, err);
        if (status < 0) {
            rb_error_prefix(err,
                            "a server process of an earlier run still writes for pipeline '%s' and "
                            "can't be ended",
                            pipeline);
            return status;
        }
        if (writers.n_rows == 0) {
            return 0;
        }
        if (waited_ms == 0) {
            rb_log(RB_LOG_WARN,
                   "server process %s of an earlier run was still at work for pipeline '%s'; it "
                   "was ended",
                   rb_query_text(&writers, 0, 0), pipeline);
        }
        if (waited_ms >= limit_ms) {
            return still_written(&writers, pipeline, err);
        }
        status = rb_query_exec(dest->conn, "SELECT pg_sleep(0.02)", err);
        if (status < 0) {
            return status;
        }
    }
}
