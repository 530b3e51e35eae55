/* The wire client against a scripted server: every message cut at every byte, malformed,
 * interleaved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "connectors/postgres/common/conn.h"
#include "connectors/postgres/common/copy.h"
#include "connectors/postgres/common/pgerror.h"
#include "connectors/postgres/common/query.h"
#include "connectors/postgres/common/quote.h"
#include "native/host_double.h"
#include "tests/support/pgscript.h"

static struct rb_double_peer peer;

static const struct rb_conn_config config = {
    .host = "db",
    .port = 5432,
    .user = "alice",
    .database = "shop",
    .application_name = "rapidbyte p",
    .schema = "public",
    .max_record_bytes = 1024 * 1024,
};

static int setup(void **state)
{
    (void)state;
    rb_double_reset();
    rb_double_peer_init(&peer);
    rb_double_set_net(&rb_double_peer_net, &peer);
    rb_double_set_tls_mode(RB_TLS_DISABLE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rb_double_peer_release(&peer);
    rb_double_reset();
    return 0;
}

/* The script from its beginning, in pieces of at most `piece` bytes. */
static void rewind_peer(size_t piece)
{
    peer.said = 0;
    peer.piece = piece;
    rb_buf_clear(&peer.heard);
}

static struct rb_conn *open_conn(void)
{
    struct rb_conn *conn = NULL;
    struct rb_error err;
    rb_error_clear(&err);
    int r = rb_conn_open(&config, &conn, &err);
    if (r < 0) {
        fail_msg("open: %s", err.message);
    }
    return conn;
}

static void startup_is_what_the_protocol_says(void **state)
{
    (void)state;
    static const char pairs[] = "user\0alice\0database\0shop\0application_name\0rapidbyte p\0"
                                "client_encoding\0UTF8\0";
    static const uint8_t cancel[] = {0, 0, 0,    16,   0x04, 0xd2, 0x16, 0x2e,
                                     0, 0, 0x12, 0x34, 0xde, 0xad, 0xbe, 0xef};
    rb_pgscript_startup(&peer.says, "15.4 (Debian 15.4-1)");
    for (size_t piece = 1; piece < 64; piece++) {
        rewind_peer(piece);
        struct rb_conn *conn = open_conn();
        assert_int_equal(rb_conn_server_version(conn), 150004);
        assert_string_equal(rb_conn_server_version_text(conn), "15.4 (Debian 15.4-1)");
        assert_int_equal(rb_conn_transaction(conn), 'I');
        assert_int_equal(rb_load_be32(peer.heard.data + 4), 196608);
        /* No setting: whoever runs SQL of his own finds those that psql finds. */
        assert_memory_equal(peer.heard.data + 8, pairs, sizeof pairs);
        assert_int_equal(rb_double.cancel_packet.len, sizeof cancel);
        assert_memory_equal(rb_double.cancel_packet.data, cancel, sizeof cancel);
        rb_conn_close(conn);
        assert_memory_equal(peer.heard.data + peer.heard.len - 5, "X\0\0\0\4", 5);
        assert_int_equal(rb_double.n_open, 0);
    }
}

static void startup_cut_short_fails(void **state)
{
    (void)state;
    rb_pgscript_startup(&peer.says, "15.4");
    size_t whole = peer.says.len;
    for (size_t len = 0; len < whole; len++) {
        rewind_peer(0);
        peer.says.len = len;
        struct rb_conn *conn = NULL;
        struct rb_error err;
        assert_int_equal(rb_conn_open(&config, &conn, &err), RB_ENETWORK);
        assert_null(conn);
        assert_true(err.retryable);
        assert_int_equal(rb_double.n_open, 0);
    }
}

static void old_server_is_refused_by_version(void **state)
{
    (void)state;
    struct rb_conn *conn = NULL;
    struct rb_error err;
    rb_pgscript_startup(&peer.says, "11.22");
    assert_int_equal(rb_conn_open(&config, &conn, &err), RB_ECONFIG);
    assert_non_null(strstr(err.message, "PostgreSQL 11.22; 12 or newer"));
}

static void refusals_at_startup_have_their_status(void **state)
{
    (void)state;
    static const struct {
        const char *sqlstate;
        int status;
    } cases[] = {{"3D000", RB_ECONFIG}, {"53300", RB_EDB}, {"42501", RB_EPERM}, {"57P03", RB_EDB}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rb_conn *conn = NULL;
        struct rb_error err;
        rb_buf_clear(&peer.says);
        rewind_peer(1);
        rb_pgscript_error(&peer.says, 'E', cases[i].sqlstate, "no", NULL, NULL);
        assert_int_equal(rb_conn_open(&config, &conn, &err), cases[i].status);
        assert_string_equal(err.sqlstate, cases[i].sqlstate);
        assert_non_null(strstr(err.message, "db port 5432, database 'shop', as 'alice'"));
    }
}

/* Rows, a result's end, a COPY, another try to authenticate: before the session is ready. */
static void messages_out_of_turn_are_refused(void **state)
{
    (void)state;
    static const char types[] = "DCTGHRt1";
    for (size_t i = 0; i < sizeof types - 1; i++) {
        struct rb_conn *conn = NULL;
        struct rb_error err;
        rb_buf_clear(&peer.says);
        rewind_peer(1);
        assert_int_equal(rb_buf_append_byte(&peer.says, (uint8_t)types[i]), 0);
        assert_int_equal(rb_buf_append_be32(&peer.says, 8), 0);
        assert_int_equal(rb_buf_append_be32(&peer.says, 0), 0);
        rb_pgscript_startup(&peer.says, "13.1");
        assert_int_equal(rb_conn_open(&config, &conn, &err), RB_EPROTOCOL);
        assert_non_null(strstr(err.message, "while the session was starting"));
    }
}

/* An answer of two rows, with a notice before every message of it. */
static void put_answer(struct rb_buf *says, bool notices)
{
    static const char *const rows[2][3] = {{"1", NULL, ""}, {"22", "x", "yz"}};
    struct rb_buf plain = RB_BUF_INIT(RB_PGSCRIPT_MAX);
    rb_pgscript_describe(&plain, 3);
    rb_pgscript_row(&plain, rows[0], 3);
    rb_pgscript_row(&plain, rows[1], 3);
    rb_pgscript_done(&plain, "SELECT 2", 'T');
    for (size_t pos = 0; pos < plain.len;) {
        size_t len = rb_load_be32(plain.data + pos + 1) + 1;
        if (notices) {
            rb_pgscript_error(says, 'N', "01000", "mind the gap", NULL, NULL);
            rb_pgscript_parameter(says, "TimeZone", "UTC");
            rb_pgscript_message(says, 'A', "\0\0\0\1c\0p\0", 8);
        }
        assert_int_equal(rb_buf_append(says, plain.data + pos, len), 0);
        pos += len;
    }
    rb_buf_release(&plain);
}

static int run_query(struct rb_conn *conn, struct rb_query_result *rows, struct rb_error *err)
{
    struct rb_query_param params[] = {rb_query_text_param("a"), rb_query_text_param(NULL)};
    return rb_query_run(conn, "SELECT $1, $2", params, 2, RB_QUERY_TEXT, rows, err);
}

static void query_in_pieces(void **state)
{
    (void)state;
    for (int notices = 0; notices < 2; notices++) {
        rb_buf_clear(&peer.says);
        rb_pgscript_startup(&peer.says, "13.1");
        put_answer(&peer.says, notices);
        for (size_t piece = 1; piece < 70; piece++) {
            rewind_peer(piece);
            struct rb_conn *conn = open_conn();
            struct rb_query_result rows;
            size_t len = 9;
            rb_query_result_init(&rows);
            assert_int_equal(run_query(conn, &rows, NULL), 0);
            assert_int_equal(rows.n_rows, 2);
            assert_int_equal(rows.n_columns, 3);
            assert_int_equal(rows.n_affected, 2);
            assert_string_equal(rows.tag, "SELECT 2");
            assert_string_equal(rb_query_text(&rows, 0, 0), "1");
            assert_null(rb_query_text(&rows, 0, 1));
            assert_string_equal(rb_query_value(&rows, 0, 2, &len), "");
            assert_int_equal(len, 0);
            assert_int_equal(rb_query_int(&rows, 1, 0, -1), 22);
            assert_int_equal(rb_query_int(&rows, 1, 1, -1), -1);
            assert_null(rb_query_text(&rows, 2, 0));
            assert_null(rb_query_text(&rows, 0, 3));
            assert_int_equal(rb_conn_transaction(conn), 'T');
            rb_query_result_release(&rows);
            rb_conn_close(conn);
        }
    }
    assert_true(rb_double.logs.n > 0);
}

static void query_says_what_the_protocol_says(void **state)
{
    (void)state;
    static const char expected[] = "P\0\0\0\x1d"
                                   "\0SELECT $1, $2\0\0\2\0\0\0\0\0\0\0\0"
                                   "B\0\0\0\x1b"
                                   "\0\0\0\2\0\0\0\0\0\2\0\0\0\1a\xff\xff\xff\xff\0\1\0\0"
                                   "D\0\0\0\6P\0E\0\0\0\x9\0\0\0\0\0S\0\0\0\4";
    rb_pgscript_startup(&peer.says, "13.1");
    put_answer(&peer.says, false);
    struct rb_conn *conn = open_conn();
    rb_buf_clear(&peer.heard);
    assert_int_equal(run_query(conn, NULL, NULL), 0);
    assert_int_equal(peer.heard.len, sizeof expected - 1);
    assert_memory_equal(peer.heard.data, expected, sizeof expected - 1);
    rb_conn_close(conn);
}

static void query_cut_short_fails(void **state)
{
    (void)state;
    rb_pgscript_startup(&peer.says, "13.1");
    size_t start = peer.says.len;
    put_answer(&peer.says, false);
    size_t whole = peer.says.len;
    for (size_t len = start; len < whole; len++) {
        rewind_peer(0);
        peer.says.len = len;
        struct rb_conn *conn = open_conn();
        struct rb_query_result rows;
        struct rb_error err;
        rb_query_result_init(&rows);
        assert_int_equal(run_query(conn, &rows, &err), RB_ENETWORK);
        assert_false(rb_conn_is_usable(conn));
        assert_int_equal(run_query(conn, &rows, &err), RB_ENETWORK);
        rb_query_result_release(&rows);
        rb_conn_close(conn);
    }
}

static void every_byte_changed_does_no_harm(void **state)
{
    (void)state;
    rb_pgscript_startup(&peer.says, "13.1");
    size_t start = peer.says.len;
    put_answer(&peer.says, false);
    static const uint8_t changes[] = {0x01, 0x80, 0xff, 0x20};
    for (size_t pos = start; pos < peer.says.len; pos++) {
        for (size_t i = 0; i < sizeof changes; i++) {
            rewind_peer(7);
            peer.says.data[pos] ^= changes[i];
            struct rb_conn *conn = open_conn();
            struct rb_query_result rows;
            rb_query_result_init(&rows);
            int r = run_query(conn, &rows, NULL);
            assert_true(r == 0 || r == RB_EPROTOCOL || r == RB_ENETWORK || r == RB_ENOMEM);
            for (size_t row = 0; row < rows.n_rows; row++) {
                for (size_t c = 0; c < rows.n_columns; c++) {
                    const char *text = rb_query_text(&rows, row, c);
                    assert_true(!text || strlen(text) < 100);
                }
            }
            rb_query_result_release(&rows);
            rb_conn_close(conn);
            peer.says.data[pos] ^= changes[i];
        }
    }
}

static void lengths_are_checked(void **state)
{
    (void)state;
    static const struct {
        uint32_t len;
        int status;
    } cases[] = {{0, RB_EPROTOCOL},          {3, RB_EPROTOCOL},
                 {0x80000000, RB_EPROTOCOL}, {0xffffffff, RB_EPROTOCOL},
                 {0x7fffffff, RB_ENOMEM},    {2 * 1024 * 1024 + 5, RB_ENOMEM}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rb_buf_clear(&peer.says);
        rb_pgscript_startup(&peer.says, "13.1");
        rewind_peer(0);
        struct rb_conn *conn = open_conn();
        struct rb_error err;
        assert_int_equal(rb_buf_append_byte(&peer.says, 'D'), 0);
        assert_int_equal(rb_buf_append_be32(&peer.says, cases[i].len), 0);
        assert_int_equal(rb_query_exec(conn, "SELECT 1", &err), cases[i].status);
        assert_false(rb_conn_is_usable(conn));
        rb_conn_close(conn);
    }
}

static void error_leaves_the_session_in_sync(void **state)
{
    (void)state;
    rb_pgscript_startup(&peer.says, "13.1");
    rb_pgscript_error(&peer.says, 'E', "42P01", "relation \"x\" does not exist", "the detail",
                      "the hint");
    rb_pgscript_ready(&peer.says, 'E');
    put_answer(&peer.says, false);
    for (size_t piece = 1; piece < 40; piece++) {
        rewind_peer(piece);
        struct rb_conn *conn = open_conn();
        struct rb_error err;
        assert_int_equal(run_query(conn, NULL, &err), RB_ESCHEMA);
        assert_string_equal(err.sqlstate, "42P01");
        assert_string_equal(err.message, "relation \"x\" does not exist");
        assert_string_equal(err.detail, "the detail");
        assert_string_equal(err.hint, "the hint");
        assert_int_equal(rb_conn_transaction(conn), 'E');
        assert_true(rb_conn_is_usable(conn));
        assert_int_equal(run_query(conn, NULL, &err), 0);
        rb_conn_close(conn);
    }
}

static void last_word_of_a_dying_server_is_the_error(void **state)
{
    (void)state;
    rb_pgscript_startup(&peer.says, "13.1");
    rb_pgscript_error(&peer.says, 'E', "57P01", "terminating connection", NULL, NULL);
    struct rb_conn *conn = open_conn();
    struct rb_error err;
    assert_int_equal(rb_query_exec(conn, "SELECT 1", &err), RB_ENETWORK);
    assert_string_equal(err.sqlstate, "57P01");
    assert_true(err.retryable && err.safe_to_retry);
    assert_false(rb_conn_is_usable(conn));
    rb_conn_close(conn);
}

static void sqlstates_have_their_status(void **state)
{
    (void)state;
    static const struct {
        const char *sqlstate;
        int status;
        bool retryable;
    } cases[] = {
        {"08006", RB_ENETWORK, true},  {"40001", RB_EDB, true},      {"40P01", RB_EDB, true},
        {"53100", RB_EDB, true},       {"55P03", RB_EDB, true},      {"57P01", RB_ENETWORK, true},
        {"57014", RB_ETIMEOUT, false}, {"28P01", RB_EAUTH, false},   {"42501", RB_EPERM, false},
        {"25006", RB_EPERM, false},    {"42P01", RB_ESCHEMA, false}, {"42601", RB_ESCHEMA, false},
        {"22P02", RB_EDATA, false},    {"23505", RB_EDATA, false},   {"XX000", RB_EDB, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rb_error err;
        rb_buf_clear(&peer.says);
        rb_pgscript_error(&peer.says, 'E', cases[i].sqlstate, "no", NULL, NULL);
        assert_int_equal(rb_pgerror_decode(peer.says.data + 5, peer.says.len - 5, &err),
                         cases[i].status);
        assert_int_equal(err.retryable, cases[i].retryable);
        assert_int_equal(err.safe_to_retry, cases[i].retryable);
    }
    for (size_t len = 0; len < peer.says.len - 5; len++) {
        assert_int_equal(rb_pgerror_decode(peer.says.data + 5, len, NULL), RB_EPROTOCOL);
    }
}

static void names_are_quoted(void **state)
{
    (void)state;
    struct rb_buf sql = RB_BUF_INIT(1000);
    struct rb_error err;
    char longest[65] = {0};
    memset(longest, 'x', 64);
    assert_int_equal(rb_quote_qualified(&sql, "my \"s\"", "Tab;le--", &err), 0);
    assert_string_equal(rb_buf_str(&sql), "\"my \"\"s\"\"\".\"Tab;le--\"");
    assert_int_equal(rb_quote_ident(&sql, "", &err), RB_ECONFIG);
    assert_int_equal(rb_quote_ident(&sql, longest, &err), RB_ECONFIG);
    longest[63] = '\0';
    assert_int_equal(rb_quote_ident(&sql, longest, &err), 0);
    rb_buf_release(&sql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(startup_is_what_the_protocol_says), T(startup_cut_short_fails),
        T(old_server_is_refused_by_version),  T(refusals_at_startup_have_their_status),
        T(messages_out_of_turn_are_refused),  T(query_in_pieces),
        T(query_says_what_the_protocol_says), T(query_cut_short_fails),
        T(every_byte_changed_does_no_harm),   T(lengths_are_checked),
        T(error_leaves_the_session_in_sync),  T(last_word_of_a_dying_server_is_the_error),
        T(sqlstates_have_their_status),       T(names_are_quoted),
#undef T
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
