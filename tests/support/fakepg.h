/* A PostgreSQL server that a test makes up: it follows the protocol (3.0: simple and extended
 * query, COPY in, transaction status) and answers statements by rules. A network for the host
 * double. */
#ifndef RB_TESTS_SUPPORT_FAKEPG_H
#define RB_TESTS_SUPPORT_FAKEPG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "native/host_double.h"

enum {
    RB_FAKEPG_RULES = 16,
    RB_FAKEPG_COLUMNS = 16,
    RB_FAKEPG_KEPT_MAX = 64,
    RB_FAKEPG_MAX = 16 * 1024 * 1024
};

/* What a statement that contains `sql` gets; the first rule that fits counts. Without one: no
 * rows. */
struct rb_fakepg_rule {
    const char *sql;
    size_t n_columns, n_rows;
    const char *cells[RB_FAKEPG_COLUMNS]; /* row by row; NULL is SQL's NULL */
    const char *tag;                      /* of CommandComplete; NULL: by the statement */
    const char *sqlstate, *message;       /* an error instead */
    bool hang_up;                         /* the connection ends instead of an answer */
    int times;                            /* fits so many times; 0: always */
};

struct rb_fakepg {
    struct rb_fakepg_rule rules[RB_FAKEPG_RULES];
    size_t n_rules;
    size_t piece;         /* bytes handed out at once; 0: as many as asked for */
    const char *copy_tag; /* "COPY 3"; NULL: the rows of the data are counted */
    struct rb_buf log;    /* every statement, one a line; "<CopyDone>", "<CopyFail>", "<closed>" */
    struct rb_buf copied; /* the bytes of the last COPY */
    int n_connections;
    /* internal */
    struct rb_buf in, out;
    size_t said;
    char transaction;
    bool has_savepoint;
    bool started, skipping, copying, closed;
    char *statement;
    char *kept[RB_FAKEPG_KEPT_MAX]; /* prepared as "rb<index>"; the last: by another name */
};

void rb_fakepg_init(struct rb_fakepg *fake);
void rb_fakepg_release(struct rb_fakepg *fake);
void rb_fakepg_add(struct rb_fakepg *fake, struct rb_fakepg_rule rule);
/* Whether a statement that contains `sql` was sent. */
bool rb_fakepg_saw(const struct rb_fakepg *fake, const char *sql);
/* For rb_double_set_net, with the fake as self. */
extern const struct rb_double_net rb_fakepg_net;

#endif
