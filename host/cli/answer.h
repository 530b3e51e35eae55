/*
 * The one document that --output json writes to standard output, whatever comes of the command: its
 * own answer, or, when it fails before it has one, what is wrong (docs/cli.md, "JSON").
 */
#ifndef RB_HOST_CLI_ANSWER_H
#define RB_HOST_CLI_ANSWER_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "host/config/diag.h"

struct rb_answer {
    const char *command; /* "state show"; "": none was found */
    const char *list;    /* the array that its answer has; NULL: none */
    bool json;           /* --output json was given */
    bool written;
    char *pipeline; /* its name; NULL as long as it is not known */
    bool has_fault;
    const char *side; /* "engine", "source", … */
    struct rb_error fault;
    struct rb_buf mistakes; /* of the document: JSON objects, separated by commas */
};

/* The strings must outlive the answer. With `json`, a signal that would end the process has it
 * write the document first. Release in any case. */
void rb_answer_init(struct rb_answer *answer, const char *command, const char *list, bool json);
void rb_answer_release(struct rb_answer *answer);
void rb_answer_name(struct rb_answer *answer, const char *pipeline);

/* What went wrong, in case there will be no other answer: the first counts. `where` may be NULL, or
 * anything: sides are known by their names. */
void rb_answer_fail(struct rb_answer *answer, const char *where, const struct rb_error *error);
void rb_answer_mistake(struct rb_answer *answer, const struct rb_diag *diag);

/* Finishes `json`, which writes to `text`, and prints it. 0, or json's failure: nothing was
 * printed. */
int rb_answer_print(struct rb_answer *answer, struct rb_json *json, const struct rb_buf *text);
/* Prints the document of a failure when there was to be one and nothing was printed. */
void rb_answer_end(struct rb_answer *answer, int exit_code);

#endif
