/*
 * What the state holds, for people: `rapidbyte state` and `history`. Rows are handed to a visitor,
 * whose nonzero return ends the reading and is returned; what it is given is borrowed for the call.
 */
#ifndef RB_HOST_STATE_INSPECT_H
#define RB_HOST_STATE_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "host/state/state.h"

struct rb_state_cursor {
    const char *stream;
    const char *load_id;                    /* that committed it, or set it */
    const char *cursor_field, *cursor_type; /* NULL: not known */
    const char *checkpoint_json;
    int64_t updated_unix_us;
};

/* By the stream's name. */
int rb_state_each_cursor(struct rb_state *state, const char *pipeline,
                         int (*visit)(void *user, const struct rb_state_cursor *cursor), void *user,
                         struct rb_error *err);

/* A connector's own key, see rb_state_kv_get. */
struct rb_state_key {
    int scope;
    const char *owner;
    const char *key;
    size_t key_len;
    const void *value;
    size_t value_len;
};

int rb_state_each_key(struct rb_state *state, const char *pipeline,
                      int (*visit)(void *user, const struct rb_state_key *key), void *user,
                      struct rb_error *err);

struct rb_state_run {
    int64_t id;
    const char *pipeline, *load_id;
    const char *document_path; /* NULL: not known */
    const char *host;
    int64_t pid;
    int64_t started_unix_us;
    int64_t ended_unix_us;  /* 0: it runs, or nobody knows */
    const char *outcome;    /* NULL: it runs, or its process died and nobody has looked since */
    int exit_code;          /* with ended_unix_us alone */
    const char *error_json; /* NULL: none */
    int64_t n_streams, records_written;
    const char *connectors_json; /* array of {role, id, version, sha256}; NULL: not known */
    const char *key;             /* of its load; NULL: none */
};

/* The newest first, at most `limit`. pipeline NULL: of all; run_id 0: all. */
int rb_state_each_run(struct rb_state *state, const char *pipeline, int64_t run_id, int64_t limit,
                      int (*visit)(void *user, const struct rb_state_run *run), void *user,
                      struct rb_error *err);
/* In the order they began; checkpoint_json, cursor_field and cursor_type are NULL. */
int rb_state_each_stream(struct rb_state *state, int64_t run_id,
                         int (*visit)(void *user, const struct rb_state_stream *stream), void *user,
                         struct rb_error *err);

enum { RB_STATE_BOOT_ID_MAX = 40, RB_STATE_HOST_MAX = 256, RB_STATE_TIME_MAX = 40 };

/* The process that holds a pipeline. */
struct rb_state_holder {
    int64_t pid;
    int64_t process_start; /* clock ticks after boot */
    char boot_id[RB_STATE_BOOT_ID_MAX];
    char host[RB_STATE_HOST_MAX];
    char taken[RB_STATE_TIME_MAX]; /* "2026-01-31 23:59:59 UTC" */
    bool is_here;                  /* on this host; of another nothing can be known */
};

/* 0: held; 1: by nobody, or by a process of this host that is gone. */
int rb_state_holder_get(struct rb_state *state, const char *pipeline, struct rb_state_holder *ret,
                        struct rb_error *err);
/* Whether the process has the state file open, as the system's list of locks has it
 * (proc_locks(5)): what stands in the file is only a number, which may be another program's.
 * RB_ESTATE: the list can't be read. */
int rb_state_is_open_in(const struct rb_state *state, int64_t pid, bool *ret, struct rb_error *err);

#endif
