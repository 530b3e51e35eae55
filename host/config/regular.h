/* Files that may hold passwords, and whose paths may lead to anything: a folder, a FIFO. */
#ifndef RB_HOST_CONFIG_REGULAR_H
#define RB_HOST_CONFIG_REGULAR_H

#include <stdio.h>

/* A descriptor for reading, which the caller closes; or a negative errno, and in *ret_wrong what is
 * wrong. Only of a regular file; waits for no FIFO's writer. */
int rb_regular_open(const char *path, const char **ret_wrong);

/* The same file as lines. */
struct rb_regular {
    FILE *stream;
    char buffer[4096]; /* the stream's: it holds what was read */
};

/* 0, and `file` must stay where it is until it is closed; or as above. */
int rb_regular_open_lines(struct rb_regular *file, const char *path, const char **ret_wrong);
/* Overwrites what was read. */
void rb_regular_close_lines(struct rb_regular *file);

#endif
