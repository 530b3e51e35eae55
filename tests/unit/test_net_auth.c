#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "host/net/broker.h"
#include "tests/support/auth_peer.h"
#include "tests/support/tls_peer.h"

static const struct rb_net_allow LOOPBACK[] = {{"127.0.0.1", 0}, {"localhost", 0}};
static const char *const SECRETS[] = {"s3cret-p\303\244ss", "wrong-secret"};

/* One connection: connects, starts TLS when the script has it, authenticates. */
struct attempt {
    struct auth_script script;
    struct peer peer;
    struct rb_net_grant grant;
    const char *host;
    struct rb_error err;
    char next[5]; /* what could be read after success */
};

static struct attempt attempt_with(enum auth_method method)
{
    return (struct attempt){
        .script = {.method = method, .password = SECRETS[0]},
        .grant = {.allow = LOOPBACK,
                  .n_allow = 2,
                  .tls_mode = RB_NET_TLS_PREFER,
                  .secrets = SECRETS,
                  .n_secrets = 2,
                  .connect_timeout_ms = 10000,
                  .idle_timeout_ms = 10000},
        .host = "localhost",
    };
}

static void read_next(struct rb_broker *broker, int handle, char ret[5])
{
    size_t total = 0;
    while (total < 4) {
        size_t n = 0;
        assert_int_equal(rb_broker_recv(broker, handle, ret + total, 4 - total, -1, &n, NULL), 0);
        assert_true(n > 0);
        total += n;
    }
    ret[4] = 0;
}

static int run(struct attempt *attempt, uint32_t secret_id)
{
    struct rb_broker *broker = NULL;
    int handle = 0;
    memset(&attempt->err, 0, sizeof attempt->err);
    peer_start(&attempt->peer, auth_serve, &attempt->script);
    assert_int_equal(rb_broker_new(&attempt->grant, -1, NULL, NULL, &broker, NULL), 0);
    int r = rb_broker_connect(broker, attempt->host, strlen(attempt->host), attempt->peer.port, -1,
                              &handle, &attempt->err);
    if (r == 0 && attempt->script.tls != NULL) {
        r = rb_broker_start_tls(broker, handle, &attempt->err);
    }
    if (r == 0) {
        r = rb_broker_authenticate_postgres(broker, handle, secret_id, "u", 1, &attempt->err);
    }
    if (r == 0) {
        read_next(broker, handle, attempt->next);
        assert_string_equal(attempt->next, "NEXT");
    }
    rb_broker_free(broker);
    peer_stop(&attempt->peer);
    /* Whatever happened, no secret is in the words. */
    for (size_t i = 0; i < 2; i++) {
        assert_null(strstr(attempt->err.message, SECRETS[i]));
        assert_null(strstr(attempt->err.detail, SECRETS[i]));
        assert_null(strstr(attempt->err.hint, SECRETS[i]));
    }
    return r;
}

static void each_method_lets_in(void **state)
{
    (void)state;
    for (int bytewise = 0; bytewise < 2; bytewise++) {
        static const enum auth_method methods[] = {AUTH_TRUST, AUTH_CLEARTEXT, AUTH_SCRAM};
        for (size_t i = 0; i < 3; i++) {
            struct attempt attempt = attempt_with(methods[i]);
            attempt.script.bytewise = bytewise == 1;
            assert_int_equal(run(&attempt, methods[i] == AUTH_TRUST ? 0 : 1), 0);
            assert_true(methods[i] != AUTH_SCRAM || attempt.script.binding == 'n');
        }
        struct attempt attempt = attempt_with(AUTH_MD5);
        attempt.script.bytewise = bytewise == 1;
        attempt.script.password = "md580ce2bdeb63d5f2e42902f5b9ae2b814";
        assert_int_equal(run(&attempt, 1), 0);
    }
}

static void a_wrong_password_is_said(void **state)
{
    (void)state;
    static const enum auth_method methods[] = {AUTH_CLEARTEXT, AUTH_MD5, AUTH_SCRAM};
    for (size_t i = 0; i < 3; i++) {
        struct attempt attempt = attempt_with(methods[i]);
        assert_int_equal(run(&attempt, 2), RB_EAUTH);
        assert_string_equal(attempt.err.code, "AUTH_FAILED");
        assert_string_equal(attempt.err.sqlstate, "28P01");
        assert_non_null(strstr(attempt.err.message, "password authentication failed for user"));
        assert_non_null(strstr(attempt.err.message, "localhost:"));
        assert_string_equal(attempt.err.detail, "some detail");
        assert_false(attempt.err.retryable);
    }
}

static void a_missing_password_is_said(void **state)
{
    (void)state;
    static const enum auth_method methods[] = {AUTH_CLEARTEXT, AUTH_MD5, AUTH_SCRAM};
    for (size_t i = 0; i < 3; i++) {
        struct attempt attempt = attempt_with(methods[i]);
        assert_int_equal(run(&attempt, 0), RB_EAUTH);
        assert_string_equal(attempt.err.code, "PASSWORD_MISSING");
        assert_int_equal(run(&attempt, 3), RB_ECONNECTOR);
        assert_string_equal(attempt.err.code, "SECRET_UNKNOWN");
    }
}

static void a_false_server_is_found_out(void **state)
{
    (void)state;
    struct attempt attempt = attempt_with(AUTH_SCRAM);
    attempt.script.bad_signature = true;
    assert_int_equal(run(&attempt, 1), RB_EAUTH);
    assert_string_equal(attempt.err.code, "SERVER_SIGNATURE");
    attempt.script.bad_signature = false;
    attempt.script.no_final = true;
    assert_int_equal(run(&attempt, 1), RB_EAUTH);
    assert_string_equal(attempt.err.code, "SERVER_SIGNATURE");
    attempt.script.no_final = false;
    attempt.script.ask_again = true;
    assert_int_equal(run(&attempt, 1), RB_EPROTOCOL);
    attempt.script.ask_again = false;
    attempt.script.iterations = 100 * 1000 * 1000;
    assert_int_equal(run(&attempt, 1), RB_EAUTH);
    assert_string_equal(attempt.err.code, "SCRAM_ITERATIONS");
}

static void other_answers_are_understood_or_refused(void **state)
{
    (void)state;
#define ERROR_RESPONSE(len, sqlstate) "E\0\0\0" len "C" sqlstate "\0Mno\0\0"
#define ROW(bytes, status, code) {bytes, sizeof(bytes), status, code}
    static const struct {
        const char *bytes;
        size_t len;
        int status;
        const char *code;
    } rows[] = {
        ROW(ERROR_RESPONSE("\x10", "28000"), RB_EAUTH, "AUTH_FAILED"),
        ROW(ERROR_RESPONSE("\x10", "3D000"), RB_ECONFIG, "DATABASE_NOT_FOUND"),
        ROW(ERROR_RESPONSE("\x10", "53300"), RB_EDB, "TOO_MANY_CONNECTIONS"),
        ROW(ERROR_RESPONSE("\x10", "57P03"), RB_EDB, "SERVER_NOT_READY"),
        ROW(ERROR_RESPONSE("\x10", "42501"), RB_EPERM, "PERMISSION_DENIED"),
        ROW(ERROR_RESPONSE("\x10", "22023"), RB_ECONFIG, "SERVER_REFUSED"),
        ROW("E\0\0\0\x08M\0xx", RB_EPROTOCOL, "AUTH_PROTOCOL"),
        ROW("E\0\0\0\x04", RB_EPROTOCOL, "AUTH_PROTOCOL"),
        ROW("R\0\0\0\x04", RB_EPROTOCOL, "AUTH_PROTOCOL"),
        ROW("R\0\0\0\x03", RB_EPROTOCOL, "AUTH_PROTOCOL"),
        ROW("R\0\1\0\1", RB_EPROTOCOL, "AUTH_PROTOCOL"),
        ROW("R\xff\xff\xff\xff", RB_EPROTOCOL, "AUTH_PROTOCOL"),
        ROW("HTTP/1.1 400 Bad Request\r\n", RB_EPROTOCOL, "AUTH_PROTOCOL"),
        ROW("Z\0\0\0\x05I", RB_EPROTOCOL, "AUTH_PROTOCOL"),
        ROW("R\0\0\0\x08\0\0\0\x02", RB_EAUTH, "AUTH_UNSUPPORTED"),
        ROW("R\0\0\0\x08\0\0\0\x07", RB_EAUTH, "AUTH_UNSUPPORTED"),
        ROW("R\0\0\0\x08\0\0\0\x09", RB_EAUTH, "AUTH_UNSUPPORTED"),
        ROW("R\0\0\0\x08\0\0\0\x63", RB_EAUTH, "AUTH_UNSUPPORTED"),
        ROW("R\0\0\0\x08\0\0\0\x05", RB_EPROTOCOL, "AUTH_PROTOCOL"),
        ROW("R\0\0\0\x08\0\0\0\x0a", RB_EPROTOCOL, "AUTH_PROTOCOL"),
        ROW("R\0\0\0\x0b\0\0\0\x0a"
            "AB\0",
            RB_EPROTOCOL, "AUTH_PROTOCOL"),
        ROW("R\0\0\0\x0c\0\0\0\x0a"
            "AB\0\0",
            RB_EAUTH, "AUTH_UNSUPPORTED"),
        ROW("R\0\0\0\x08\0\0\0\x0b", RB_EPROTOCOL, "AUTH_PROTOCOL"),
        ROW("R\0\0\0\x08\0\0\0\x0c", RB_EPROTOCOL, "AUTH_PROTOCOL"),
        ROW("R\0\0", RB_ENETWORK, "CONNECTION_LOST"),
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct attempt attempt = attempt_with(AUTH_TRUST);
        attempt.script.raw = rows[i].bytes;
        attempt.script.raw_len = rows[i].len - 1; /* without C's own 0 */
        int r = run(&attempt, 1);
        if (r != rows[i].status || strcmp(attempt.err.code, rows[i].code) != 0) {
            fail_msg("row %zu: %d %s: %s", i, r, attempt.err.code, attempt.err.message);
        }
    }
}

static void say_nothing(struct peer *peer, int fd)
{
    (void)peer;
    uint8_t byte;
    while (peer_read(fd, &byte, 1)) {
    }
}

static void waits_end(void **state)
{
    (void)state;
    struct attempt attempt = attempt_with(AUTH_TRUST);
    attempt.grant.connect_timeout_ms = 100;
    attempt.grant.idle_timeout_ms = 100;
    for (int cancelled = 0; cancelled < 2; cancelled++) {
        struct rb_broker *broker = NULL;
        struct canceller canceller;
        int handle = 0;
        canceller_start(&canceller, cancelled == 1 ? 50 : 700);
        peer_start(&attempt.peer, say_nothing, NULL);
        int64_t start = test_now_ms();
        assert_int_equal(rb_broker_new(&attempt.grant, canceller.fd, NULL, NULL, &broker, NULL), 0);
        assert_int_equal(
            rb_broker_connect(broker, "localhost", 9, attempt.peer.port, -1, &handle, NULL), 0);
        int r = rb_broker_authenticate_postgres(broker, handle, 1, "u", 1, &attempt.err);
        assert_int_equal(r, cancelled == 1 ? RB_ECANCELLED : RB_ETIMEOUT);
        assert_in_range(test_now_ms() - start, cancelled == 1 ? 0 : 100, 1000);
        if (cancelled == 0) {
            assert_string_equal(attempt.err.code, "AUTH_TIMEOUT");
            assert_int_equal(rb_broker_start_tls(broker, handle, &attempt.err), RB_ETIMEOUT);
            assert_string_equal(attempt.err.code, "TLS_TIMEOUT");
        } else {
            assert_int_equal(rb_broker_start_tls(broker, handle, &attempt.err), RB_ECANCELLED);
        }
        rb_broker_free(broker);
        peer_stop(&attempt.peer);
        canceller_stop(&canceller);
    }
}

static void authentication_needs_the_tls_it_was_told(void **state)
{
    (void)state;
    struct attempt attempt = attempt_with(AUTH_CLEARTEXT);
    for (int mode = RB_NET_TLS_REQUIRE; mode <= RB_NET_TLS_VERIFY_FULL; mode++) {
        attempt.grant.tls_mode = mode;
        assert_int_equal(run(&attempt, 1), RB_EPERM);
        assert_string_equal(attempt.err.code, "TLS_REQUIRED");
        assert_string_equal(attempt.script.answer, "");
    }
}

/* --- TLS --- */

static void certificates_are_checked_as_the_mode_says(void **state)
{
    (void)state;
    struct tls_files files;
    tls_files_make(&files, "DNS:localhost");
    struct {
        int mode;
        const char *host;
        const char *root;
        int status;
        const char *words;
    } rows[] = {
        {RB_NET_TLS_PREFER, "127.0.0.1", NULL, 0, ""},
        {RB_NET_TLS_REQUIRE, "127.0.0.1", NULL, 0, ""},
        {RB_NET_TLS_REQUIRE, "127.0.0.1", files.root, 0, ""},
        {RB_NET_TLS_REQUIRE, "127.0.0.1", files.other, RB_ECONFIG, "certificate is refused"},
        {RB_NET_TLS_VERIFY_CA, "127.0.0.1", files.root, 0, ""},
        {RB_NET_TLS_VERIFY_CA, "localhost", files.other, RB_ECONFIG, "certificate is refused"},
        {RB_NET_TLS_VERIFY_CA, "localhost", NULL, RB_ECONFIG, "certificate is refused"},
        {RB_NET_TLS_VERIFY_FULL, "localhost", files.root, 0, ""},
        {RB_NET_TLS_VERIFY_FULL, "127.0.0.1", files.root, RB_ECONFIG, "mismatch"},
        {RB_NET_TLS_VERIFY_FULL, "localhost", "/nonexistent.pem", RB_ECONFIG, "/nonexistent.pem"},
        {RB_NET_TLS_DISABLE, "localhost", NULL, RB_EPERM, "disable"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct attempt attempt = attempt_with(AUTH_SCRAM);
        attempt.script.tls = files.ctx;
        attempt.script.cert = files.cert;
        attempt.host = rows[i].host;
        attempt.grant.tls_mode = rows[i].mode;
        attempt.grant.tls_root_cert = rows[i].root;
        int r = run(&attempt, 1);
        if (r != rows[i].status || strstr(attempt.err.message, rows[i].words) == NULL) {
            fail_msg("row %zu: %d %s: %s", i, r, attempt.err.code, attempt.err.message);
        }
    }
    tls_files_remove(&files);
}

/* A server that speaks TLS 1.1 at most. */
static void old_versions_of_tls_are_refused(void **state)
{
    (void)state;
    struct tls_files files;
    tls_files_make(&files, "DNS:localhost");
    struct attempt attempt = attempt_with(AUTH_CLEARTEXT);
    attempt.script.tls = files.ctx;
    attempt.grant.tls_mode = RB_NET_TLS_REQUIRE;
    assert_int_equal(SSL_CTX_set_cipher_list(files.ctx, "DEFAULT:@SECLEVEL=0"), 1);
    assert_int_equal(SSL_CTX_set_min_proto_version(files.ctx, TLS1_VERSION), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(files.ctx, TLS1_2_VERSION), 1);
    assert_int_equal(run(&attempt, 1), 0);
    assert_int_equal(SSL_CTX_set_max_proto_version(files.ctx, TLS1_1_VERSION), 1);
    assert_int_equal(run(&attempt, 1), RB_ENETWORK);
    assert_string_equal(attempt.err.code, "TLS_HANDSHAKE");
    tls_files_remove(&files);
}

static void a_certificate_for_an_address(void **state)
{
    (void)state;
    struct tls_files files;
    tls_files_make(&files, "IP:127.0.0.1");
    struct attempt attempt = attempt_with(AUTH_CLEARTEXT);
    attempt.script.tls = files.ctx;
    attempt.grant.tls_mode = RB_NET_TLS_VERIFY_FULL;
    attempt.grant.tls_root_cert = files.root;
    attempt.host = "127.0.0.1";
    assert_int_equal(run(&attempt, 1), 0);
    attempt.host = "localhost";
    assert_int_equal(run(&attempt, 1), RB_ECONFIG);
    assert_string_equal(attempt.err.code, "TLS_CERTIFICATE");
    tls_files_remove(&files);
}

static void scram_is_bound_to_the_channel(void **state)
{
    (void)state;
    struct tls_files files;
    tls_files_make(&files, "DNS:localhost");
    struct attempt attempt = attempt_with(AUTH_SCRAM);
    attempt.script.tls = files.ctx;
    attempt.script.cert = files.cert;
    attempt.script.bytewise = true;
    assert_int_equal(run(&attempt, 1), 0);
    assert_int_equal(attempt.script.binding, 'p');
    attempt.script.no_plus = true;
    assert_int_equal(run(&attempt, 1), 0);
    assert_int_equal(attempt.script.binding, 'y');
    tls_files_remove(&files);
}

static void a_server_without_tls_fails_the_handshake(void **state)
{
    (void)state;
    struct tls_files files;
    tls_files_make(&files, "DNS:localhost");
    struct attempt attempt = attempt_with(AUTH_TRUST);
    struct rb_broker *broker = NULL;
    int handle = 0;
    attempt.script.raw = "N is not TLS";
    attempt.script.raw_len = 12;
    peer_start(&attempt.peer, auth_serve, &attempt.script);
    assert_int_equal(rb_broker_new(&attempt.grant, -1, NULL, NULL, &broker, NULL), 0);
    assert_int_equal(
        rb_broker_connect(broker, "localhost", 9, attempt.peer.port, -1, &handle, NULL), 0);
    assert_int_equal(rb_broker_start_tls(broker, handle, &attempt.err), RB_ENETWORK);
    assert_string_equal(attempt.err.code, "TLS_HANDSHAKE");
    rb_broker_free(broker);
    peer_stop(&attempt.peer);
    tls_files_remove(&files);
}

int main(void)
{
    /* OpenSSL's server in the peer writes with write(2). */
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_method_lets_in),
        cmocka_unit_test(a_wrong_password_is_said),
        cmocka_unit_test(a_missing_password_is_said),
        cmocka_unit_test(a_false_server_is_found_out),
        cmocka_unit_test(other_answers_are_understood_or_refused),
        cmocka_unit_test(waits_end),
        cmocka_unit_test(authentication_needs_the_tls_it_was_told),
        cmocka_unit_test(certificates_are_checked_as_the_mode_says),
        cmocka_unit_test(old_versions_of_tls_are_refused),
        cmocka_unit_test(a_certificate_for_an_address),
        cmocka_unit_test(scram_is_bound_to_the_channel),
        cmocka_unit_test(a_server_without_tls_fails_the_handshake),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
