/* SQLite within host/state: statements with named parameters, and errors in words. */
#ifndef RB_HOST_STATE_DB_H
#define RB_HOST_STATE_DB_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct rb_state {
    sqlite3 *db;
    char *path;
    char token[17]; /* of this handle's locks */
};

/* A prepared statement. The first failure sticks, and is what step returns. */
struct rb_state_query {
    struct rb_state *state;
    sqlite3_stmt *stmt;
    int rc;
};

/* Never fails by itself: see step. */
void rb_state_query_init(struct rb_state_query *query, struct rb_state *state, const char *sql);
void rb_state_query_release(struct rb_state_query *query);
/* Bound values are borrowed until release. A name that the statement does not have is a failure.
 * NULL text binds NULL; NULL bytes bind an empty blob. */
void rb_state_query_text(struct rb_state_query *query, const char *name, const char *text);
void rb_state_query_textn(struct rb_state_query *query, const char *name, const char *text,
                          size_t len);
void rb_state_query_i64(struct rb_state_query *query, const char *name, int64_t v);
void rb_state_query_bytes(struct rb_state_query *query, const char *name, const void *data,
                          size_t len);
/* 1: a row; 0: done. RB_ESTATE. */
int rb_state_query_step(struct rb_state_query *query, struct rb_error *err);
/* Steps to the end and drops rows. */
int rb_state_query_run(struct rb_state_query *query, struct rb_error *err);

/* Runs SQL without parameters. */
int rb_state_exec(struct rb_state *state, const char *sql, struct rb_error *err);
/* BEGIN IMMEDIATE. A transaction that is neither committed nor rolled back is rolled back by
 * close. */
int rb_state_tx_begin(struct rb_state *state, struct rb_error *err);
/* Commits when status is 0, else (or when the commit fails) rolls back; returns the first failure.
 */
int rb_state_tx_end(struct rb_state *state, int status, struct rb_error *err);

/* Fills in RB_ESTATE for what SQLite says went wrong last. */
int rb_state_fail(const struct rb_state *state, int rc, struct rb_error *err);
int64_t rb_state_now_us(void);

#endif
