#include "host/cli/out.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "host/cli/text.h"

enum {
    SHORT_BYTES = 1024,
    LINE_MAX_BYTES = 16 * 1024 * 1024, /* what is longer is cut */
    LAST_MAX = 4096,
    COLUMNS_DEFAULT = 80,
    COLUMNS_MIN = 20,
};

/* What a signal prints. A handler has nothing else to go by. */
static char last[LAST_MAX];
static volatile sig_atomic_t n_last;

/* A line of standard error is one write, so that those of two processes don't mix. */
static FILE *file_of(enum rb_out to)
{
    static bool by_lines;
    if (to == RB_OUT_NEWS && !by_lines) {
        by_lines = true;
        (void)setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
    }
    return to == RB_OUT_NEWS ? stderr : stdout;
}

bool rb_out_is_terminal(enum rb_out to)
{
    return isatty((int)to) == 1;
}

size_t rb_out_columns(enum rb_out to)
{
    struct winsize size;
    const char *given = getenv("COLUMNS");
    long columns = ioctl((int)to, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col
                   : given != NULL ? strtol(given, NULL, 10)
                                   : 0;
    return columns <= 0 ? COLUMNS_DEFAULT : columns < COLUMNS_MIN ? COLUMNS_MIN : (size_t)columns;
}

static void write_text(enum rb_out to, const char *fmt, va_list args)
{
    char brief[SHORT_BYTES];
    va_list again;
    va_copy(again, args);
    int need = vsnprintf(brief, sizeof brief, fmt, args);
    size_t len = need < 0 ? 0 : need < LINE_MAX_BYTES ? (size_t)need : LINE_MAX_BYTES;
    char *text = len < sizeof brief ? brief : malloc(len + 1);
    if (text == NULL) {
        text = brief;
        len = sizeof brief - 1;
    } else if (text != brief) {
        (void)vsnprintf(text, len + 1, fmt, again);
    }
    va_end(again);
    text[len] = 0;
    rb_text_sanitize(text);
    fwrite(text, 1, len, file_of(to));
    if (text != brief) {
        free(text);
    }
}

void rb_out_line(enum rb_out to, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    write_text(to, fmt, args);
    va_end(args);
    rb_out_end(to);
}

void rb_out_part(enum rb_out to, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    write_text(to, fmt, args);
    va_end(args);
}

void rb_out_end(enum rb_out to)
{
    rb_out_own(to, "\n");
}

void rb_out_block(enum rb_out to, int indent, const char *label, const char *text)
{
    size_t len = strcspn(text, "\n");
    if (text[0] == 0) {
        return;
    }
    rb_out_line(to, "%*s%s: %.*s", indent, "", label, (int)len, text);
    for (text += len; *text == '\n'; text += len) {
        text++;
        len = strcspn(text, "\n");
        rb_out_line(to, "%*s%.*s", indent + 2, "", (int)len, text);
    }
}

void rb_out_own(enum rb_out to, const char *text)
{
    fputs(text, file_of(to));
}

void rb_out_erase(int n)
{
    if (n > 0) {
        fprintf(file_of(RB_OUT_NEWS), "\x1b[%dA\x1b[J", n);
        fflush(stderr);
    }
}

static void put_file(void *user, const char *text, size_t len)
{
    fwrite(text, 1, len, user);
}

void rb_out_json_part(enum rb_out to, const struct rb_buf *json)
{
    rb_text_escape_json((const char *)json->data, json->len, put_file, file_of(to));
}

void rb_out_json(enum rb_out to, const struct rb_buf *json)
{
    rb_out_json_part(to, json);
    fputc('\n', file_of(to));
    fflush(file_of(to));
}

static void put_last(void *user, const char *text, size_t len)
{
    size_t *at = user;
    if (len < LAST_MAX && *at < LAST_MAX - len) {
        memcpy(last + *at, text, len);
        *at += len;
    } else {
        *at = LAST_MAX;
    }
}

void rb_out_set_last(const struct rb_buf *json)
{
    size_t at = 0;
    n_last = 0;
    if (json != NULL) {
        rb_text_escape_json((const char *)json->data, json->len, put_last, &at);
        put_last(&at, "\n", 1);
        n_last = at < LAST_MAX ? (sig_atomic_t)at : 0;
    }
}

static void write_all(enum rb_out to, const char *at, size_t left)
{
    for (ssize_t n = 1; left > 0 && n > 0; at += n, left -= (size_t)n) {
        n = write((int)to, at, left);
        n = n < 0 ? 0 : n;
    }
}

void rb_out_die(void)
{
    size_t len = (size_t)n_last;
    n_last = 0;
    write_all(RB_OUT_ANSWER, last, len);
}

void rb_out_last_line(char *line, const char *own)
{
    rb_text_sanitize(line);
    write_all(RB_OUT_NEWS, line, strlen(line));
    write_all(RB_OUT_NEWS, "\n", 1);
    write_all(RB_OUT_NEWS, own, strlen(own));
    write_all(RB_OUT_NEWS, "\n", 1);
}

bool rb_out_flush(void)
{
    fflush(stderr);
    return fflush(stdout) == 0 && ferror(stdout) == 0;
}
