/* Secrets that the document does not hold itself but says where to get. */
#ifndef RB_HOST_CONFIG_SECRET_H
#define RB_HOST_CONFIG_SECRET_H

#include <stddef.h>

struct rb_doc;
struct rb_yaml;

enum {
    RB_SECRET_BYTES_MAX = 64 * 1024, /* of one secret */
    RB_SECRET_COMMAND_MS = 10000,    /* a command's time, unless the document says another */
};

/*
 * `node`, a mapping in place of a secret's text, is one of
 *
 *   { file: /run/secrets/pg }                              a regular file
 *   { command: [pass, show, warehouse], timeout: 10s }     what a program writes to standard output
 *
 * One line break at the end is not part of the secret. The program is found as execvp does it and
 * runs in the document's folder, from which relative files start, too; no shell reads the command,
 * its standard input is empty, its standard error the caller's. Its process group is killed once
 * it has ended, or when its time is over, when it writes too much, or when SIGINT, SIGTERM or
 * SIGHUP is pending for the caller. Where doc->no_commands is set, it is refused and never started.
 *
 * The text, in the document's arena; NULL after a mistake at `node`, which shows nothing of it.
 */
const char *rb_secret_read(struct rb_doc *doc, const struct rb_yaml *node, const char *name);

#endif
