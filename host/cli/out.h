/*
 * All that the program writes to standard output and standard error. Servers, tables, connectors
 * and documents have a say in it, so what could steer a terminal or look like another line is taken
 * out here, once for every command (rb_text_sanitize). `tools/check banned` holds that nothing else
 * writes there.
 */
#ifndef RB_HOST_CLI_OUT_H
#define RB_HOST_CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

enum rb_out { RB_OUT_ANSWER = 1, RB_OUT_NEWS = 2 }; /* standard output, standard error */

bool rb_out_is_terminal(enum rb_out to);
/* Of the terminal that it is, else as $COLUMNS says, else 80. At least 20. */
size_t rb_out_columns(enum rb_out to);

/* One line: whatever the arguments hold, it is one. */
void rb_out_line(enum rb_out to, const char *fmt, ...) RB_PRINTF(2, 3);
/* The beginning of a line, which rb_out_line or rb_out_end ends. */
void rb_out_part(enum rb_out to, const char *fmt, ...) RB_PRINTF(2, 3);
void rb_out_end(enum rb_out to);
/* "label: text" behind `indent` spaces, and each further line of the text two spaces deeper, so
 * that none looks like one of ours. Nothing for an empty text. */
void rb_out_block(enum rb_out to, int indent, const char *label, const char *text);
/* Lines of our own, as they are: the program's text alone. */
void rb_out_own(enum rb_out to, const char *text);
/* Takes the last `n` lines off the terminal that standard error is. */
void rb_out_erase(int n);

/* A JSON document, which is one line: what rb_out_line would replace is escaped. */
void rb_out_json(enum rb_out to, const struct rb_buf *json);
void rb_out_json_part(enum rb_out to, const struct rb_buf *json); /* a line's part */
/* The JSON document that rb_out_die prints; NULL: none. One that is too large is none. */
void rb_out_set_last(const struct rb_buf *json);
/* Async-signal-safe. */
void rb_out_die(void);

/* A line to standard error, made harmless in place, and one of our own. Async-signal-safe. */
void rb_out_last_line(char *line, const char *own);

/* What is buffered goes out. false: not all of standard output could be written. */
bool rb_out_flush(void);

#endif
