#include "tests/support/pgscript.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int status)
{
    if (status < 0) {
        fprintf(stderr, "pgscript: no memory for the script\n");
        abort();
    }
}

void rb_pgscript_message(struct rb_buf *says, char type, const void *body, size_t len)
{
    check(rb_buf_append_byte(says, (uint8_t)type));
    check(rb_buf_append_be32(says, (uint32_t)(len + 4)));
    check(rb_buf_append(says, body, len));
}

static void two_strings(struct rb_buf *says, char type, const char *a, const char *b)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf body = RB_BUF_INIT(RB_PGSCRIPT_MAX);
    check(rb_buf_append(&body, a, strlen(a) + 1));
    check(rb_buf_append(&body, b, strlen(b) + 1));
    rb_pgscript_message(says, type, body.data, body.len);
}

void rb_pgscript_parameter(struct rb_buf *says, const char *name, const char *value)
{
    two_strings(says, 'S', name, value);
}

void rb_pgscript_ready(struct rb_buf *says, char transaction)
{
    rb_pgscript_message(says, 'Z', &transaction, 1);
}

void rb_pgscript_complete(struct rb_buf *says, const char *tag)
{
    rb_pgscript_message(says, 'C', tag, strlen(tag) + 1);
}

void rb_pgscript_done(struct rb_buf *says, const char *tag, char transaction)
{
    rb_pgscript_complete(says, tag);
    rb_pgscript_ready(says, transaction);
}

void rb_pgscript_startup(struct rb_buf *says, const char *version)
{
    static const uint8_t key[8] = {0, 0, 0x12, 0x34, 0xde, 0xad, 0xbe, 0xef};
    rb_pgscript_parameter(says, "client_encoding", "UTF8");
    rb_pgscript_parameter(says, "server_version", version);
    rb_pgscript_message(says, 'K', key, sizeof key);
    rb_pgscript_ready(says, 'I');
    if (strtol(version, NULL, 10) >= 12) {
        rb_pgscript_done(says, "SET", 'I');
    }
}

void rb_pgscript_error(struct rb_buf *says, char type, const char *sqlstate, const char *message,
                       const char *detail, const char *hint)
{
    const char *const fields[][2] = {
        {"S", "ERROR"},   {"V", type == 'N' ? "WARNING" : "ERROR"},
        {"C", sqlstate},  {"M", message},
        {"D", detail},    {"H", hint},
        {"F", "parse.c"}, {"L", "7"},
    };
    RB_CLEANUP(rb_buf_release) struct rb_buf body = RB_BUF_INIT(RB_PGSCRIPT_MAX);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (fields[i][1]) {
            check(rb_buf_append(&body, fields[i][0], 1));
            check(rb_buf_append(&body, fields[i][1], strlen(fields[i][1]) + 1));
        }
    }
    check(rb_buf_append_byte(&body, 0));
    rb_pgscript_message(says, type, body.data, body.len);
}

void rb_pgscript_describe(struct rb_buf *says, size_t n_columns)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf body = RB_BUF_INIT(RB_PGSCRIPT_MAX);
    rb_pgscript_message(says, '1', "", 0);
    rb_pgscript_message(says, '2', "", 0);
    check(rb_buf_append_be16(&body, (uint16_t)n_columns));
    for (size_t i = 0; i < n_columns; i++) {
        static const uint8_t rest[18] = {0,  0,    0,    0,    0,    0,    0,    0, 0,
                                         25, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0};
        check(rb_buf_append(&body, "c", 2));
        check(rb_buf_append(&body, rest, sizeof rest));
    }
    rb_pgscript_message(says, 'T', body.data, body.len);
}

void rb_pgscript_row(struct rb_buf *says, const char *const *values, size_t n_columns)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf body = RB_BUF_INIT(RB_PGSCRIPT_MAX);
    check(rb_buf_append_be16(&body, (uint16_t)n_columns));
    for (size_t i = 0; i < n_columns; i++) {
        if (!values[i]) {
            check(rb_buf_append_be32(&body, UINT32_MAX));
            continue;
        }
        check(rb_buf_append_be32(&body, (uint32_t)strlen(values[i])));
        check(rb_buf_append(&body, values[i], strlen(values[i])));
    }
    rb_pgscript_message(says, 'D', body.data, body.len);
}

void rb_pgscript_answer(struct rb_buf *says, const char *const *values, size_t n_columns,
                        char transaction)
{
    rb_pgscript_describe(says, n_columns);
    rb_pgscript_row(says, values, n_columns);
    rb_pgscript_done(says, "SELECT 1", transaction);
}

void rb_pgscript_copy(struct rb_buf *says, char type, size_t n_columns)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf body = RB_BUF_INIT(RB_PGSCRIPT_MAX);
    check(rb_buf_append_byte(&body, 1));
    check(rb_buf_append_be16(&body, (uint16_t)n_columns));
    for (size_t i = 0; i < n_columns; i++) {
        check(rb_buf_append_be16(&body, 1));
    }
    rb_pgscript_message(says, type, body.data, body.len);
}
