/*
 * The error of every module: a fixed-size struct on the caller's stack, passed last, optional
 * (NULL), untouched on success. It crosses the guest boundary as the JSON of ConnectorError
 * (docs/protocol.md); base/json.h writes it.
 */
#ifndef RB_BASE_ERROR_H
#define RB_BASE_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/* What a function returns: 0, or one of these, forwarded unchanged. Positive values are outcomes
 * that the function's own comment names. */
enum rb_status {
    RB_OK = 0,
    RB_EINTERNAL = -1, /* a fault of ours */
    RB_ENOMEM = -2,    /* out of memory, or over a named maximum of memory */
    RB_ECONFIG = -3,   /* the command line, the document or a connector's configuration is wrong */
    RB_EAUTH = -4,     /* the server refused who we are */
    RB_EPERM = -5,     /* the operator (allow-list, grant) or the server refused what we ask */
    RB_ENETWORK = -6,  /* no connection, or it broke */
    RB_EDB = -7,       /* the server failed in a way that may pass (deadlock, too many clients) */
    RB_EDATA = -8,     /* a value or a row is refused */
    RB_ESCHEMA = -9,   /* tables, columns or types do not fit */
    RB_ERATE = -10,    /* the peer asks us to slow down */
    RB_ETIMEOUT = -11, /* a deadline passed */
    RB_ECANCELLED = -12, /* the operator cancelled the run */
    RB_EABORTED = -13,   /* the stage upstream failed: the stream's rows are not all there */
    RB_ECONNECTOR =
        -14,          /* a connector is missing, refused, trapped, crashed or broke the contract */
    RB_ESTATE = -15,  /* the state file can't be read or written */
    RB_ELOCKED = -16, /* another run holds the pipeline */
    RB_EPROTOCOL = -17, /* bytes from a peer that the protocol does not allow */
    RB_EIO = -18,       /* a file */
};

/* ConnectorError.category, in the contract's spelling (rb_error_category_name). */
enum rb_category {
    RB_CATEGORY_INTERNAL = 0,
    RB_CATEGORY_CONFIG,
    RB_CATEGORY_AUTH,
    RB_CATEGORY_PERMISSION,
    RB_CATEGORY_RATE_LIMIT,
    RB_CATEGORY_TRANSIENT_NETWORK,
    RB_CATEGORY_TRANSIENT_DB,
    RB_CATEGORY_DATA,
    RB_CATEGORY_SCHEMA,
};

enum rb_error_scope {
    RB_SCOPE_STREAM = 0,
    RB_SCOPE_BATCH,
    RB_SCOPE_RECORD,
};

enum rb_backoff {
    RB_BACKOFF_NORMAL = 0,
    RB_BACKOFF_FAST,
    RB_BACKOFF_SLOW,
};

enum rb_commit_state {
    RB_COMMIT_NONE = 0, /* null: no transaction was involved */
    RB_COMMIT_BEFORE,
    RB_COMMIT_AFTER_UNKNOWN,
    RB_COMMIT_AFTER_CONFIRMED,
};

enum {
    RB_ERROR_CODE_MAX = 48, /* bytes, with the final 0 */
    RB_ERROR_MESSAGE_MAX = 1024,
    RB_ERROR_DETAIL_MAX = 1024,
    RB_ERROR_HINT_MAX = 512,
};

struct rb_error {
    int status; /* enum rb_status */
    enum rb_category category;
    enum rb_error_scope scope;
    enum rb_backoff backoff;
    enum rb_commit_state commit_state;
    bool retryable;
    bool safe_to_retry;
    int64_t retry_after_ms;             /* 0: not said */
    char code[RB_ERROR_CODE_MAX];       /* UPPER_SNAKE_CASE, stable for machines */
    char sqlstate[6];                   /* "" or five characters */
    char message[RB_ERROR_MESSAGE_MAX]; /* what happened and where; no final full stop or newline */
    char detail[RB_ERROR_DETAIL_MAX];
    char hint[RB_ERROR_HINT_MAX]; /* what to do */
};

/* Clears `err` and fills in status, code, message and what follows from the status: category, and
 * retryable for network, transient database, rate-limit and time-out errors. Text that does not fit
 * is cut at a whole UTF-8 character. `err` may be NULL. Returns `status`, for `return
 * rb_error_set(…)`. */
int rb_error_set(struct rb_error *err, int status, const char *code, const char *fmt, ...)
    RB_PRINTF(4, 5);

/* As rb_error_set, and appends ": " and the text of `errno_value`. */
int rb_error_set_errno(struct rb_error *err, int status, const char *code, int errno_value,
                       const char *fmt, ...) RB_PRINTF(5, 6);

/* Puts context in front of the message: "<context>: <message>". */
void rb_error_prefix(struct rb_error *err, const char *fmt, ...) RB_PRINTF(2, 3);

void rb_error_set_detail(struct rb_error *err, const char *fmt, ...) RB_PRINTF(2, 3);
void rb_error_set_hint(struct rb_error *err, const char *fmt, ...) RB_PRINTF(2, 3);

void rb_error_clear(struct rb_error *err);

/* The contract's words; never NULL. */
const char *rb_error_category_name(enum rb_category category);
const char *rb_error_scope_name(enum rb_error_scope scope);
const char *rb_error_backoff_name(enum rb_backoff backoff);
/* NULL for RB_COMMIT_NONE. */
const char *rb_error_commit_state_name(enum rb_commit_state state);

/* The reverse of the names above; an unknown word gives the first value of the enum. `text` need
 * not end in 0. */
enum rb_category rb_error_category_parse(const char *text, size_t len);
enum rb_error_scope rb_error_scope_parse(const char *text, size_t len);
enum rb_backoff rb_error_backoff_parse(const char *text, size_t len);
enum rb_commit_state rb_error_commit_state_parse(const char *text, size_t len);

/* The status that stands for a category that came from elsewhere, and the reverse. */
int rb_error_status_of_category(enum rb_category category);
enum rb_category rb_error_category_of_status(int status);

#endif
