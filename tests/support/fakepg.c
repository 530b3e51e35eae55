#include "tests/support/fakepg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

static void must(int status)
{
    if (status < 0) {
        abort(); /* the test has made the fake too small */
    }
}

void rb_fakepg_init(struct rb_fakepg *fake)
{
    memset(fake, 0, sizeof *fake);
    rb_buf_init(&fake->log, RB_FAKEPG_MAX);
    rb_buf_init(&fake->copied, RB_FAKEPG_MAX);
    rb_buf_init(&fake->in, RB_FAKEPG_MAX);
    rb_buf_init(&fake->out, RB_FAKEPG_MAX);
}

void rb_fakepg_release(struct rb_fakepg *fake)
{
    rb_buf_release(&fake->log);
    rb_buf_release(&fake->copied);
    rb_buf_release(&fake->in);
    rb_buf_release(&fake->out);
    free(fake->statement);
    for (size_t i = 0; i < RB_FAKEPG_KEPT_MAX; i++) {
        free(fake->kept[i]);
    }
}

void rb_fakepg_add(struct rb_fakepg *fake, struct rb_fakepg_rule rule)
{
    if (fake->n_rules == RB_FAKEPG_RULES) {
        abort();
    }
    fake->rules[fake->n_rules++] = rule;
}

bool rb_fakepg_saw(const struct rb_fakepg *fake, const char *sql)
{
    return strstr(rb_buf_str(&fake->log), sql) != NULL;
}

/* A message: its type, and room for its length, which message_end fills in. */
static size_t message_begin(struct rb_fakepg *fake, char type)
{
    must(rb_buf_append_byte(&fake->out, (uint8_t)type));
    size_t at = fake->out.len;
    must(rb_buf_append_be32(&fake->out, 0));
    return at;
}

static void message_end(struct rb_fakepg *fake, size_t at)
{
    rb_store_be32(fake->out.data + at, (uint32_t)(fake->out.len - at));
}

static void put_text(struct rb_fakepg *fake, const char *text)
{
    must(rb_buf_append(&fake->out, text, strlen(text) + 1));
}

static void say_plain(struct rb_fakepg *fake, char type)
{
    message_end(fake, message_begin(fake, type));
}

static void say_ready(struct rb_fakepg *fake)
{
    size_t at = message_begin(fake, 'Z');
    must(rb_buf_append_byte(&fake->out, (uint8_t)fake->transaction));
    message_end(fake, at);
}

static void say_complete(struct rb_fakepg *fake, const char *tag)
{
    size_t at = message_begin(fake, 'C');
    put_text(fake, tag);
    message_end(fake, at);
}

static void say_error(struct rb_fakepg *fake, const char *sqlstate, const char *message)
{
    size_t at = message_begin(fake, 'E');
    must(rb_buf_append_byte(&fake->out, 'S'));
    put_text(fake, "ERROR");
    must(rb_buf_append_byte(&fake->out, 'C'));
    put_text(fake, sqlstate);
    must(rb_buf_append_byte(&fake->out, 'M'));
    put_text(fake, message);
    must(rb_buf_append_byte(&fake->out, 0));
    message_end(fake, at);
    if (fake->transaction == 'T') {
        fake->transaction = 'E';
    }
}

static void say_description(struct rb_fakepg *fake, size_t n_columns)
{
    size_t at = message_begin(fake, 'T');
    must(rb_buf_append_be16(&fake->out, (uint16_t)n_columns));
    for (size_t i = 0; i < n_columns; i++) {
        static const uint8_t rest[18] = {0,  0,    0,    0,    0,    0,    0,    0, 0,
                                         25, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0};
        put_text(fake, "column");
        must(rb_buf_append(&fake->out, rest, sizeof rest));
    }
    message_end(fake, at);
}

static void say_row(struct rb_fakepg *fake, const char *const *cells, size_t n_columns)
{
    size_t at = message_begin(fake, 'D');
    must(rb_buf_append_be16(&fake->out, (uint16_t)n_columns));
    for (size_t i = 0; i < n_columns; i++) {
        size_t len = cells[i] != NULL ? strlen(cells[i]) : 0;
        must(rb_buf_append_be32(&fake->out, cells[i] != NULL ? (uint32_t)len : UINT32_MAX));
        must(rb_buf_append(&fake->out, cells[i] != NULL ? cells[i] : "", len));
    }
    message_end(fake, at);
}

static struct rb_fakepg_rule *find_rule(struct rb_fakepg *fake, const char *sql)
{
    for (size_t i = 0; i < fake->n_rules; i++) {
        struct rb_fakepg_rule *rule = &fake->rules[i];
        /* COMMIT alone: the word is also the beginning of an isolation level's. */
        bool whole = rule->sql != NULL && strcmp(rule->sql, "COMMIT") == 0;
        if (rule->sql != NULL &&
            (whole ? strcmp(sql, rule->sql) == 0 : strstr(sql, rule->sql) != NULL)) {
            return rule;
        }
    }
    return NULL;
}

/* Of one name. False: there is none where one should be. */
static bool track_savepoint(struct rb_fakepg *fake, const char *sql)
{
    while (sql != NULL) {
        sql += strspn(sql, "; ");
        bool undoes = strncmp(sql, "ROLLBACK TO SAVEPOINT", 21) == 0;
        bool ends = strncmp(sql, "RELEASE SAVEPOINT", 17) == 0;
        if ((undoes || ends) && !fake->has_savepoint) {
            return false;
        }
        if (undoes) {
            fake->transaction = 'T';
        }
        fake->has_savepoint = (fake->has_savepoint && !ends) || strncmp(sql, "SAVEPOINT", 9) == 0;
        sql = strchr(sql, ';');
    }
    return true;
}

static const char *track_transaction(struct rb_fakepg *fake, const char *sql)
{
    if (strncmp(sql, "BEGIN", 5) == 0) {
        /* Several statements in one: what counts is where they end. */
        fake->transaction = strstr(sql, "; COMMIT") != NULL ? 'I' : 'T';
        return "BEGIN";
    }
    if (strncmp(sql, "ROLLBACK TO", 11) == 0) {
        return "ROLLBACK";
    }
    if (strncmp(sql, "COMMIT", 6) == 0 || strncmp(sql, "ROLLBACK", 8) == 0) {
        fake->has_savepoint = false;
        bool good = fake->transaction == 'T' && sql[0] == 'C';
        fake->transaction = 'I';
        return good ? "COMMIT" : "ROLLBACK";
    }
    return strncmp(sql, "INSERT", 6) == 0 ? "INSERT 0 0" : "SELECT 0";
}

/* Runs a statement: rows and completion, or an error. False: the connection is gone, or it failed.
 */
static bool execute(struct rb_fakepg *fake, const char *sql, bool describe)
{
    must(rb_buf_append_str(&fake->log, sql));
    must(rb_buf_append_str(&fake->log, "\n"));
    struct rb_fakepg_rule *rule = find_rule(fake, sql);
    struct rb_fakepg_rule got = {.sql = NULL};
    if (rule != NULL) {
        got = *rule;
        rule->times -= rule->times > 0;
        if (got.times == 1) {
            rule->sql = NULL;
        }
    }
    if (got.hang_up) {
        fake->closed = true;
        return false;
    }
    if (got.sqlstate != NULL || (fake->transaction == 'E' && strncmp(sql, "ROLLBACK", 8) != 0 &&
                                 strncmp(sql, "COMMIT", 6) != 0)) {
        say_error(fake, got.sqlstate != NULL ? got.sqlstate : "25P02",
                  got.message != NULL ? got.message : "current transaction is aborted");
        return false;
    }
    if (!track_savepoint(fake, sql)) {
        say_error(fake, "3B001", "savepoint does not exist");
        return false;
    }
    const char *tag = track_transaction(fake, sql);
    if (strncmp(sql, "COPY", 4) == 0) {
        size_t at = message_begin(fake, 'G');
        must(rb_buf_append(&fake->out, "\1\0\0", 3));
        message_end(fake, at);
        fake->copying = true;
        rb_buf_clear(&fake->copied);
        return true;
    }
    if (describe && got.n_columns > 0) {
        say_description(fake, got.n_columns);
    }
    for (size_t row = 0; row < got.n_rows; row++) {
        say_row(fake, got.cells + row * got.n_columns, got.n_columns);
    }
    say_complete(fake, got.tag != NULL ? got.tag : tag);
    return true;
}

/* The rows of COPY data in binary form. */
static size_t count_rows(const struct rb_buf *data)
{
    size_t at = 19;
    size_t n = 0;
    while (at + 2 <= data->len && rb_load_be16(data->data + at) != UINT16_MAX) {
        size_t fields = rb_load_be16(data->data + at);
        at += 2;
        for (size_t i = 0; i < fields; i++) {
            uint32_t len = rb_load_be32(data->data + at);
            at += 4 + (len == UINT32_MAX ? 0 : len);
        }
        n++;
    }
    return n;
}

static void copy_message(struct rb_fakepg *fake, char type, const uint8_t *body, size_t len)
{
    char tag[32];
    if (type == 'd') {
        must(rb_buf_append(&fake->copied, body, len));
        return;
    }
    fake->copying = false;
    must(rb_buf_append_str(&fake->log, type == 'c' ? "<CopyDone>\n" : "<CopyFail>\n"));
    if (type == 'c') {
        snprintf(tag, sizeof tag, "COPY %zu", count_rows(&fake->copied));
        say_complete(fake, fake->copy_tag != NULL ? fake->copy_tag : tag);
    } else {
        say_error(fake, "57014", "COPY from stdin failed");
    }
    say_ready(fake);
}

static void set_text(char **place, const char *text)
{
    char *copy = strdup(text);
    must(copy != NULL ? 0 : -1);
    free(*place);
    *place = copy;
}

static char **find_kept(struct rb_fakepg *fake, const char *name)
{
    char *end;
    long i = strncmp(name, "rb", 2) == 0 ? strtol(name + 2, &end, 10) : -1;
    if (i < 0 || end == name + 2) {
        i = RB_FAKEPG_KEPT_MAX - 1; /* one statement of any other name */
    }
    must(i < RB_FAKEPG_KEPT_MAX ? 0 : -1);
    return &fake->kept[i];
}

static void extended_message(struct rb_fakepg *fake, char type, const uint8_t *body)
{
    if (type == 'S') {
        fake->skipping = false;
        say_ready(fake);
        return;
    }
    if (fake->skipping) {
        return;
    }
    if (type == 'P') {
        const char *name = (const char *)body;
        const char *sql = name + strlen(name) + 1;
        set_text(&fake->statement, sql);
        if (*name) {
            set_text(find_kept(fake, name), sql);
        }
        say_plain(fake, '1');
    } else if (type == 'B') {
        const char *name = (const char *)body + strlen((const char *)body) + 1;
        if (*name) {
            must(*find_kept(fake, name) != NULL ? 0 : -1);
            set_text(&fake->statement, *find_kept(fake, name));
        }
        say_plain(fake, '2');
    } else if (type == 'D') {
        struct rb_fakepg_rule *rule = find_rule(fake, fake->statement);
        if (rule != NULL && rule->n_columns > 0) {
            say_description(fake, rule->n_columns);
        } else {
            say_plain(fake, 'n');
        }
    } else if (type == 'C') {
        say_plain(fake, '3');
    } else if (type == 'E') {
        fake->skipping = !execute(fake, fake->statement, false);
    }
}

static void take_message(struct rb_fakepg *fake, char type, const uint8_t *body, size_t len)
{
    if (fake->copying) {
        copy_message(fake, type, body, len);
    } else if (type == 'Q') {
        execute(fake, (const char *)body, true);
        if (!fake->copying && !fake->closed) {
            say_ready(fake);
        }
    } else if (type == 'X') {
        fake->closed = true;
    } else {
        extended_message(fake, type, body);
    }
}

static int fake_connect(void *self, const char *host, int port, int timeout_ms,
                        struct rb_error *err)
{
    struct rb_fakepg *fake = self;
    (void)host, (void)port, (void)timeout_ms, (void)err;
    rb_buf_clear(&fake->in);
    rb_buf_clear(&fake->out);
    fake->said = 0;
    fake->transaction = 'I';
    fake->started = fake->skipping = fake->copying = fake->closed = false;
    return ++fake->n_connections;
}

static int fake_authenticate(void *self, int handle, uint32_t secret, const char *user_name,
                             struct rb_error *err)
{
    struct rb_fakepg *fake = self;
    (void)handle, (void)secret, (void)user_name, (void)err;
    size_t at = message_begin(fake, 'S');
    put_text(fake, "server_version");
    put_text(fake, "15.4");
    message_end(fake, at);
    at = message_begin(fake, 'K');
    must(rb_buf_append_be64(&fake->out, 7));
    message_end(fake, at);
    say_ready(fake);
    return 0;
}

static int fake_send(void *self, int handle, const void *data, size_t len, struct rb_error *err)
{
    struct rb_fakepg *fake = self;
    (void)handle;
    if (fake->closed) {
        return rb_error_set(err, RB_ENETWORK, "CONNECTION_LOST", "the server hung up");
    }
    must(rb_buf_append(&fake->in, data, len));
    size_t at = 0;
    while (!fake->closed) {
        size_t head = fake->started ? 1 : 0; /* the startup message has no type */
        if (fake->in.len - at < head + 4) {
            break;
        }
        size_t size = head + rb_load_be32(fake->in.data + at + head);
        if (fake->in.len - at < size) {
            break;
        }
        if (fake->started) {
            take_message(fake, (char)fake->in.data[at], fake->in.data + at + 5, size - 5);
        }
        fake->started = true;
        at += size;
    }
    memmove(fake->in.data, fake->in.data + at, fake->in.len - at);
    fake->in.len -= at;
    return 0;
}

static int fake_recv(void *self, int handle, void *out, size_t cap, int timeout_ms, size_t *ret_len,
                     struct rb_error *err)
{
    struct rb_fakepg *fake = self;
    (void)handle, (void)timeout_ms;
    size_t left = fake->out.len - fake->said;
    if (left == 0 && !fake->closed && timeout_ms == 0) {
        return 1;
    }
    if (left == 0 && !fake->closed) {
        return rb_error_set(err, RB_EINTERNAL, "FAKE_SILENT", "the fake has nothing to say");
    }
    size_t len = left < cap ? left : cap;
    if (fake->piece > 0 && len > fake->piece) {
        len = fake->piece;
    }
    if (len > 0) {
        memcpy(out, fake->out.data + fake->said, len);
    }
    fake->said += len;
    *ret_len = len;
    return 0;
}

static int fake_close(void *self, int handle, struct rb_error *err)
{
    struct rb_fakepg *fake = self;
    (void)handle, (void)err;
    must(rb_buf_append_str(&fake->log, "<closed>\n"));
    fake->closed = true;
    return 0;
}

const struct rb_double_net rb_fakepg_net = {
    .connect = fake_connect,
    .authenticate = fake_authenticate,
    .send = fake_send,
    .recv = fake_recv,
    .close = fake_close,
};
