/* When TLS is asked for, as libpq does it: several connections, each with its own script. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "connectors/postgres/common/conn.h"
#include "native/host_double.h"
#include "tests/support/pgscript.h"

/* One connection to the server. */
struct visit {
    char answer;        /* to SSLRequest; 0: it must not be asked */
    bool tls_fails;     /* the handshake */
    const char *refuse; /* SQLSTATE that authentication ends with; NULL: it passes */
};

struct server {
    const struct visit *visits;
    size_t n_visits;
    size_t n;   /* connections so far */
    bool asked; /* on this connection: SSLRequest was sent */
    bool answered, encrypted;
    struct rb_buf says;
    size_t said;
};

static struct server server;

static int on_connect(void *self, const char *host, int port, int timeout_ms, struct rb_error *err)
{
    struct server *s = self;
    (void)host;
    (void)port;
    (void)timeout_ms;
    if (s->n >= s->n_visits) {
        return rb_error_set(err, RB_EINTERNAL, "ONE_TOO_MANY", "not scripted");
    }
    s->n++;
    s->asked = s->answered = s->encrypted = false;
    s->said = 0;
    return (int)s->n;
}

static const struct visit *current(const struct server *s)
{
    return &s->visits[s->n - 1];
}

static int on_send(void *self, int handle, const void *data, size_t len, struct rb_error *err)
{
    struct server *s = self;
    (void)handle;
    (void)err;
    static const uint8_t ssl_request[] = {0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f};
    if (len == sizeof ssl_request && memcmp(data, ssl_request, len) == 0) {
        assert_false(s->asked);
        s->asked = true;
    }
    return 0;
}

static int on_recv(void *self, int handle, void *out, size_t cap, int timeout_ms, size_t *ret_len,
                   struct rb_error *err)
{
    struct server *s = self;
    (void)handle;
    (void)timeout_ms;
    (void)err;
    if (s->asked && !s->answered) {
        /* One byte, and no more: what follows belongs to TLS. */
        assert_int_equal(cap, 1);
        memcpy(out, &current(s)->answer, 1);
        s->answered = true;
        *ret_len = 1;
        return 0;
    }
    size_t n = s->says.len - s->said < cap ? s->says.len - s->said : cap;
    memcpy(out, s->says.data + s->said, n);
    s->said += n;
    *ret_len = n;
    return 0;
}

static int on_start_tls(void *self, int handle, struct rb_error *err)
{
    struct server *s = self;
    (void)handle;
    assert_int_equal(current(s)->answer, 'S');
    if (current(s)->tls_fails) {
        return rb_error_set(err, RB_ENETWORK, "TLS_FAILED", "handshake failed");
    }
    s->encrypted = true;
    return 0;
}

static int on_authenticate(void *self, int handle, uint32_t secret, const char *user_name,
                           struct rb_error *err)
{
    struct server *s = self;
    (void)handle;
    (void)secret;
    (void)user_name;
    if (!current(s)->refuse) {
        return 0;
    }
    int r = rb_error_set(err, RB_EAUTH, "AUTHENTICATION_FAILED", "no pg_hba.conf entry for host");
    memcpy(err->sqlstate, current(s)->refuse, 6);
    return r;
}

static const struct rb_double_net net = {
    .connect = on_connect,
    .start_tls = on_start_tls,
    .authenticate = on_authenticate,
    .send = on_send,
    .recv = on_recv,
};

static const struct {
    const char *name;
    enum rb_tls_mode mode;
    const char *host;
    struct visit visits[3];
    size_t n_visits;
    int status;
    bool encrypted;
} cases[] = {
    {"disable", RB_TLS_DISABLE, "db", {{0, false, NULL}}, 1, 0, false},
    {"disable, refused by rule", RB_TLS_DISABLE, "db", {{0, false, "28000"}}, 1, RB_EAUTH, false},
    {"allow, plain is enough", RB_TLS_ALLOW, "db", {{0, false, NULL}}, 1, 0, false},
    {"allow, plain refused by rule",
     RB_TLS_ALLOW,
     "db",
     {{0, false, "28000"}, {'S', false, NULL}},
     2,
     0,
     true},
    {"allow, refused, no TLS there",
     RB_TLS_ALLOW,
     "db",
     {{0, false, "28000"}, {'N', false, NULL}},
     2,
     RB_EAUTH,
     false},
    {"allow, wrong password", RB_TLS_ALLOW, "db", {{0, false, "28P01"}}, 1, RB_EAUTH, false},
    {"prefer, TLS", RB_TLS_PREFER, "db", {{'S', false, NULL}}, 1, 0, true},
    {"prefer, no TLS there: same connection",
     RB_TLS_PREFER,
     "db",
     {{'N', false, NULL}},
     1,
     0,
     false},
    {"prefer, handshake fails",
     RB_TLS_PREFER,
     "db",
     {{'S', true, NULL}, {0, false, NULL}},
     2,
     0,
     false},
    {"prefer, TLS refused by rule",
     RB_TLS_PREFER,
     "db",
     {{'S', false, "28000"}, {0, false, NULL}},
     2,
     0,
     false},
    {"prefer, wrong password", RB_TLS_PREFER, "db", {{'S', false, "28P01"}}, 1, RB_EAUTH, false},
    {"prefer, not PostgreSQL",
     RB_TLS_PREFER,
     "db",
     {{'H', false, NULL}, {0, false, "28000"}},
     2,
     RB_EPROTOCOL,
     false},
    {"require", RB_TLS_REQUIRE, "db", {{'S', false, NULL}}, 1, 0, true},
    {"require, no TLS there", RB_TLS_REQUIRE, "db", {{'N', false, NULL}}, 1, RB_ENETWORK, false},
    {"require, handshake fails", RB_TLS_REQUIRE, "db", {{'S', true, NULL}}, 1, RB_ENETWORK, false},
    {"verify-full, refused by rule",
     RB_TLS_VERIFY_FULL,
     "db",
     {{'S', false, "28000"}},
     1,
     RB_EAUTH,
     false},
    {"a Unix socket has no TLS",
     RB_TLS_REQUIRE,
     "/run/postgresql",
     {{0, false, NULL}},
     1,
     0,
     false},
};

/* Where only one way was tried, the other is named. */
static const char *hint_of(enum rb_tls_mode mode, const struct rb_error *err)
{
    if (strcmp(err->sqlstate, "28000") != 0) {
        return err->hint;
    }
    return mode == RB_TLS_DISABLE  ? "(hostssl), set sslmode"
           : mode <= RB_TLS_PREFER ? ""
                                   : "(hostnossl), set sslmode";
}

static void every_mode(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rb_conn_config config = {.port = 5432,
                                        .user = "u",
                                        .database = "d",
                                        .application_name = "a",
                                        .max_record_bytes = 1000};
        memcpy(config.host, cases[i].host, strlen(cases[i].host) + 1);
        rb_double_reset();
        server = (struct server){.visits = cases[i].visits, .n_visits = cases[i].n_visits};
        rb_buf_init(&server.says, RB_PGSCRIPT_MAX);
        rb_pgscript_startup(&server.says, "13.1");
        rb_double_set_net(&net, &server);
        rb_double_set_tls_mode(cases[i].mode);
        struct rb_conn *conn = NULL;
        struct rb_error err;
        int r = rb_conn_open(&config, &conn, &err);
        if (r != cases[i].status || server.n != cases[i].n_visits ||
            (conn && rb_conn_is_encrypted(conn) != cases[i].encrypted)) {
            fail_msg("%s: status %d, %zu connections", cases[i].name, r, server.n);
        }
        if (r < 0 && strstr(err.hint, hint_of(cases[i].mode, &err)) == NULL) {
            fail_msg("%s: hint: %s", cases[i].name, err.hint);
        }
        rb_conn_close(conn);
        assert_int_equal(rb_double.n_open, 0);
        rb_buf_release(&server.says);
    }
    rb_double_reset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_mode)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("wire_tls", tests, NULL, NULL);
}
