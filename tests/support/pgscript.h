/* What a PostgreSQL server says, message by message (protocol 3.0), for scripted peers. A failure
 * to append is a failed assertion of the test that uses it. */
#ifndef RB_TESTS_SUPPORT_PGSCRIPT_H
#define RB_TESTS_SUPPORT_PGSCRIPT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { RB_PGSCRIPT_MAX = 64 * 1024 * 1024 };

/* A message of any type. */
void rb_pgscript_message(struct rb_buf *says, char type, const void *body, size_t len);
/* After authentication: parameters, key, ReadyForQuery, and the answer to the session's settings
 * that servers from 14 on get. */
void rb_pgscript_startup(struct rb_buf *says, const char *version);
void rb_pgscript_parameter(struct rb_buf *says, const char *name, const char *value);
void rb_pgscript_ready(struct rb_buf *says, char transaction);
void rb_pgscript_complete(struct rb_buf *says, const char *tag);
/* ErrorResponse ('E') or NoticeResponse ('N'). NULL fields are left out. */
void rb_pgscript_error(struct rb_buf *says, char type, const char *sqlstate, const char *message,
                       const char *detail, const char *hint);
/* ParseComplete, BindComplete and a RowDescription of n text columns. */
void rb_pgscript_describe(struct rb_buf *says, size_t n_columns);
/* DataRow; NULL is SQL's NULL. */
void rb_pgscript_row(struct rb_buf *says, const char *const *values, size_t n_columns);
/* A whole answer to an extended query of one row; n_columns values. */
void rb_pgscript_answer(struct rb_buf *says, const char *const *values, size_t n_columns,
                        char transaction);
/* A whole answer to a simple query without rows. */
void rb_pgscript_done(struct rb_buf *says, const char *tag, char transaction);
/* CopyOutResponse ('H') or CopyInResponse ('G') in binary form. */
void rb_pgscript_copy(struct rb_buf *says, char type, size_t n_columns);

#endif
