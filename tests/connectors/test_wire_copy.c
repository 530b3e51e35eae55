/* COPY in both directions against a scripted server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "connectors/postgres/common/conn.h"
#include "connectors/postgres/common/copy.h"
#include "connectors/postgres/common/query.h"
#include "native/host_double.h"
#include "tests/support/pgscript.h"

enum { RECORD_MAX = 1024 * 1024 };

static struct rb_double_peer peer;

static const struct rb_conn_config config = {
    .host = "db",
    .port = 5432,
    .user = "u",
    .database = "d",
    .application_name = "a",
    .max_record_bytes = RECORD_MAX,
};

static int setup(void **state)
{
    (void)state;
    rb_double_reset();
    rb_double_peer_init(&peer);
    rb_double_set_net(&rb_double_peer_net, &peer);
    rb_double_set_tls_mode(RB_TLS_DISABLE);
    rb_pgscript_startup(&peer.says, "13.1");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rb_double_peer_release(&peer);
    rb_double_reset();
    return 0;
}

static struct rb_conn *open_conn(size_t piece)
{
    struct rb_conn *conn = NULL;
    peer.said = 0;
    peer.piece = piece;
    assert_int_equal(rb_conn_open(&config, &conn, NULL), 0);
    rb_buf_clear(&peer.heard);
    return conn;
}

/* The content of all messages, one after the other. */
static int receive_all(struct rb_conn *conn, struct rb_buf *ret, struct rb_error *err)
{
    for (;;) {
        const uint8_t *data;
        size_t len;
        int r = rb_copy_out_next(conn, &data, &len, err);
        if (r != 0) {
            return r;
        }
        assert_int_equal(rb_buf_append(ret, data, len), 0);
    }
}

static void put_copy_out(void)
{
    rb_pgscript_copy(&peer.says, 'H', 2);
    rb_pgscript_message(&peer.says, 'd', "PGCOPY one", 10);
    rb_pgscript_error(&peer.says, 'N', "01000", "note", NULL, NULL);
    rb_pgscript_message(&peer.says, 'd', "", 0);
    rb_pgscript_message(&peer.says, 'd', " two three", 10);
    rb_pgscript_message(&peer.says, 'c', "", 0);
    rb_pgscript_done(&peer.says, "COPY 3", 'T');
}

static void out_in_pieces(void **state)
{
    (void)state;
    put_copy_out();
    for (size_t piece = 1; piece < 60; piece++) {
        struct rb_conn *conn = open_conn(piece);
        struct rb_buf got = RB_BUF_INIT(1000);
        assert_int_equal(rb_copy_out_begin(conn, "COPY t TO STDOUT", NULL), 0);
        assert_int_equal(receive_all(conn, &got, NULL), 1);
        assert_string_equal(rb_buf_str(&got), "PGCOPY one two three");
        assert_int_equal(rb_copy_out_rows(conn), 3);
        assert_int_equal(rb_conn_transaction(conn), 'T');
        rb_buf_release(&got);
        rb_conn_close(conn);
    }
}

static void out_cut_short_fails(void **state)
{
    (void)state;
    size_t start = peer.says.len;
    put_copy_out();
    size_t whole = peer.says.len;
    for (size_t len = start; len < whole; len++) {
        peer.says.len = len;
        struct rb_conn *conn = open_conn(0);
        struct rb_buf got = RB_BUF_INIT(1000);
        struct rb_error err;
        int r = rb_copy_out_begin(conn, "COPY t TO STDOUT", &err);
        r = r < 0 ? r : receive_all(conn, &got, &err);
        assert_int_equal(r, RB_ENETWORK);
        assert_false(rb_conn_is_usable(conn));
        rb_buf_release(&got);
        rb_conn_close(conn);
    }
}

static void out_error_on_the_way_is_the_server_s(void **state)
{
    (void)state;
    rb_pgscript_copy(&peer.says, 'H', 1);
    rb_pgscript_message(&peer.says, 'd', "abc", 3);
    rb_pgscript_error(&peer.says, 'E', "22012", "division by zero", NULL, NULL);
    rb_pgscript_ready(&peer.says, 'E');
    for (size_t piece = 1; piece < 30; piece++) {
        struct rb_conn *conn = open_conn(piece);
        struct rb_buf got = RB_BUF_INIT(1000);
        struct rb_error err;
        assert_int_equal(rb_copy_out_begin(conn, "COPY t TO STDOUT", NULL), 0);
        assert_int_equal(receive_all(conn, &got, &err), RB_EDATA);
        assert_string_equal(err.sqlstate, "22012");
        assert_true(rb_conn_is_usable(conn));
        assert_int_equal(rb_conn_transaction(conn), 'E');
        rb_buf_release(&got);
        rb_conn_close(conn);
    }
}

static void out_record_over_the_limit_is_refused(void **state)
{
    (void)state;
    rb_pgscript_copy(&peer.says, 'H', 1);
    struct rb_buf big = RB_BUF_INIT(RB_PGSCRIPT_MAX);
    assert_int_equal(rb_buf_reserve(&big, 4 * RECORD_MAX), 0);
    memset(big.data, 'x', 4 * RECORD_MAX);
    rb_pgscript_message(&peer.says, 'd', big.data, RECORD_MAX + RB_CONN_MESSAGE_SLACK_BYTES);
    rb_pgscript_message(&peer.says, 'd', big.data, RECORD_MAX + RB_CONN_MESSAGE_SLACK_BYTES + 1);
    struct rb_conn *conn = open_conn(0);
    struct rb_error err;
    const uint8_t *data;
    size_t len;
    assert_int_equal(rb_copy_out_begin(conn, "COPY t TO STDOUT", NULL), 0);
    assert_int_equal(rb_copy_out_next(conn, &data, &len, NULL), 0);
    assert_int_equal(len, RECORD_MAX + RB_CONN_MESSAGE_SLACK_BYTES);
    assert_int_equal(rb_copy_out_next(conn, &data, &len, &err), RB_ENOMEM);
    assert_non_null(strstr(err.message, "max_record_bytes"));
    rb_conn_close(conn);
    rb_buf_release(&big);
}

/* CopyData messages heard: their content, joined; the number of them. */
static size_t heard_copy_data(struct rb_buf *ret, char *ret_last)
{
    size_t n = 0;
    size_t pos = rb_load_be32(peer.heard.data + 1) + 1; /* after the Query */
    while (pos < peer.heard.len) {
        size_t len = rb_load_be32(peer.heard.data + pos + 1);
        *ret_last = (char)peer.heard.data[pos];
        if (*ret_last == 'd') {
            assert_int_equal(rb_buf_append(ret, peer.heard.data + pos + 5, len - 4), 0);
            n++;
        }
        pos += len + 1;
    }
    assert_int_equal(pos, peer.heard.len);
    return n;
}

static void push_rows(struct rb_conn *conn, size_t n_rows, struct rb_buf *sent)
{
    for (size_t i = 0; i < n_rows; i++) {
        char row[100];
        memset(row, (int)('a' + i % 26), sizeof row);
        assert_int_equal(rb_buf_append(rb_copy_in_buf(conn), row, sizeof row), 0);
        assert_int_equal(rb_buf_append(sent, row, sizeof row), 0);
        assert_int_equal(rb_copy_in_push(conn, NULL), 0);
    }
}

static void in_is_sent_in_large_messages(void **state)
{
    (void)state;
    struct rb_buf sent = RB_BUF_INIT(RB_PGSCRIPT_MAX), got = RB_BUF_INIT(RB_PGSCRIPT_MAX);
    char last = 0;
    rb_pgscript_copy(&peer.says, 'G', 1);
    peer.hangs = true;
    struct rb_conn *conn = open_conn(3);
    assert_int_equal(rb_copy_in_begin(conn, "COPY t FROM STDIN", NULL), 0);
    push_rows(conn, 2000, &sent);
    rb_pgscript_done(&peer.says, "COPY 2000", 'T');
    int64_t n_rows = 0;
    assert_int_equal(rb_copy_in_end(conn, &n_rows, NULL), 0);
    assert_int_equal(n_rows, 2000);
    /* 200,000 bytes: three of 65,600 bytes, and the rest. */
    assert_int_equal(heard_copy_data(&got, &last), 4);
    assert_int_equal(last, 'c');
    assert_int_equal(got.len, sent.len);
    assert_memory_equal(got.data, sent.data, sent.len);
    rb_conn_close(conn);
    rb_buf_release(&sent);
    rb_buf_release(&got);
}

static void in_error_comes_at_the_next_push(void **state)
{
    (void)state;
    struct rb_buf sent = RB_BUF_INIT(RB_PGSCRIPT_MAX);
    rb_pgscript_copy(&peer.says, 'G', 1);
    peer.hangs = true;
    struct rb_conn *conn = open_conn(0);
    assert_int_equal(rb_copy_in_begin(conn, "COPY t FROM STDIN", NULL), 0);
    push_rows(conn, 1000, &sent);
    rb_pgscript_error(&peer.says, 'N', "01000", "first a notice", NULL, NULL);
    rb_pgscript_error(&peer.says, 'E', "23505", "duplicate key", "Key (id)=(1) exists.", NULL);
    rb_pgscript_ready(&peer.says, 'E');
    int r = 0;
    struct rb_error err;
    for (size_t i = 0; r == 0 && i < 1000; i++) {
        assert_int_equal(rb_buf_append(rb_copy_in_buf(conn), sent.data, 100), 0);
        r = rb_copy_in_push(conn, &err);
    }
    assert_int_equal(r, RB_EDATA);
    assert_string_equal(err.detail, "Key (id)=(1) exists.");
    assert_int_equal(rb_conn_transaction(conn), 'E');
    assert_int_equal(rb_copy_in_fail(conn, "too late", NULL), 0);
    assert_true(rb_conn_is_usable(conn));
    rb_conn_close(conn);
    rb_buf_release(&sent);
}

static void in_fail_ends_the_copy(void **state)
{
    (void)state;
    rb_pgscript_copy(&peer.says, 'G', 1);
    peer.hangs = true;
    struct rb_conn *conn = open_conn(0);
    assert_int_equal(rb_copy_in_begin(conn, "COPY t FROM STDIN", NULL), 0);
    rb_pgscript_error(&peer.says, 'E', "57014", "COPY from stdin failed: because", NULL, NULL);
    rb_pgscript_ready(&peer.says, 'E');
    assert_int_equal(rb_copy_in_fail(conn, "because", NULL), 0);
    static const char fail[] = "f\0\0\0\x0c"
                               "because";
    assert_memory_equal(peer.heard.data + peer.heard.len - sizeof fail, fail, sizeof fail);
    assert_int_equal(rb_conn_transaction(conn), 'E');
    rb_conn_close(conn);
}

static void in_error_at_the_end_is_not_a_success(void **state)
{
    (void)state;
    rb_pgscript_copy(&peer.says, 'G', 1);
    peer.hangs = true;
    struct rb_conn *conn = open_conn(1);
    assert_int_equal(rb_copy_in_begin(conn, "COPY t FROM STDIN", NULL), 0);
    rb_pgscript_error(&peer.says, 'E', "22P04", "unexpected EOF", NULL, NULL);
    rb_pgscript_ready(&peer.says, 'E');
    int64_t rows = 77;
    assert_int_equal(rb_copy_in_end(conn, &rows, NULL), RB_EDATA);
    assert_int_equal(rows, 77);
    rb_conn_close(conn);
}

static void statements_wait_for_the_end_of_copy(void **state)
{
    (void)state;
    put_copy_out();
    struct rb_conn *conn = open_conn(0);
    assert_int_equal(rb_copy_out_begin(conn, "COPY t TO STDOUT", NULL), 0);
    assert_int_equal(rb_query_exec(conn, "SELECT 1", NULL), RB_EINTERNAL);
    assert_int_equal(rb_copy_in_begin(conn, "COPY t FROM STDIN", NULL), RB_EINTERNAL);
    rb_conn_close(conn);
    assert_int_equal(rb_double.n_open, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(out_in_pieces),
        T(out_cut_short_fails),
        T(out_error_on_the_way_is_the_server_s),
        T(out_record_over_the_limit_is_refused),
        T(in_is_sent_in_large_messages),
        T(in_error_comes_at_the_next_push),
        T(in_fail_ends_the_copy),
        T(in_error_at_the_end_is_not_a_success),
        T(statements_wait_for_the_end_of_copy),
#undef T
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("wire_copy", tests, NULL, NULL);
}
