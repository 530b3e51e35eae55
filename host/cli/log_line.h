/* A line of --log-format json (docs/cli.md). What is NULL, "" or 0 is left out, unless said
 * otherwise. */
#ifndef RB_HOST_CLI_LOG_LINE_H
#define RB_HOST_CLI_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* What ended, and what came of it. */
struct rb_log_end {
    const char *outcome;
    int64_t rows, bytes; /* written; 0 is told, too */
    double secs;         /* likewise */
    int exit_code;       /* of a run alone: < 0 is left out, 0 is not */
};

struct rb_log_line {
    const char *level, *message; /* never NULL */
    const char *pipeline, *load, *connector, *stream;
    const char *key;      /* the load's name */
    const char *document; /* its path */
    int line, column;     /* in it */
    size_t n_streams;
    const char *side;
    const struct rb_error *error; /* its code, SQLSTATE, detail and hint */
    const char *hint;             /* where there is no error */
    const struct rb_log_end *end;
};

/* One object on standard error, with the time as UTC. */
void rb_log_line_print(const struct rb_log_line *line);

#endif
