/* A unit is read from a scripted server: through the contract's own JSON, cut at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arrow/ipc.h"
#include "connectors/postgres/common/copy.h"
#include "native/host_double.h"
#include "tests/support/pgscript.h"

extern const struct rb_connector *const rb_connector_source_postgres;

static const char open_json[] =
    "{\"config\":{\"json\":{\"host\":\"db\",\"user\":\"u\",\"password\":{\"$secret\":1}}},"
    "\"connector_id\":\"source-postgres\",\"connector_version\":\"0.1.0\",\"pipeline\":\"p\"}";
#define READ(more)                                                                                 \
    "{\"stream_name\":\"t\",\"sync_mode\":\"full_refresh\",\"write_mode\":\"append\","             \
    "\"limits\":{\"max_batch_bytes\":1048576,\"max_record_bytes\":65536},"                         \
    "\"snapshot\":{\"id\":\"00000003-0000001B-1\"}," more "\"peer_features\":[\"pg_binary\"]}"
#define PLANNED(column)                                                                            \
    READ(                                                                                          \
        "\"plan\":{\"tables\":[[\"42\",\"t\",\"r\",\"t\",\"f\",\"3\",\"8192\",\"t\",\"t\",\"42\"," \
        "\"[\\\"id\\\"]\",\"t\",\"f\",\"f\"]],\"columns\":[[\"42\",\"" column                      \
        "\",\"integer\",\"pg_catalog.int4\",\"23\",\"-1\",null,null,\"t\",\"t\",\"f\",null,\"-"    \
        "1\",\"1.42.1\",\"1\",\"f\"]],"                                                            \
        "\"types\":[]},")
static const char read_json[] = READ("");
static const char planned_json[] = PLANNED("id");

static struct rb_double_peer peer;

static int setup(void **state)
{
    (void)state;
    rb_double_reset();
    rb_double_peer_init(&peer);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rb_double_peer_release(&peer);
    rb_double_reset();
    return 0;
}

static void put_prepared(const char *const *values, size_t n)
{
    rb_pgscript_message(&peer.says, '1', "", 0);
    rb_pgscript_answer(&peer.says, values, n, 'T');
}

/* The snapshot's, those for locking, and the savepoint. */
static void put_settings(void)
{
    rb_pgscript_complete(&peer.says, "SET");
    rb_pgscript_complete(&peer.says, "SET");
    rb_pgscript_complete(&peer.says, "SET");
    rb_pgscript_done(&peer.says, "SAVEPOINT", 'T');
}

/* All up to COPY: a table public.t (id int4 not null) with a primary key. `planned`: the catalogue
 * is known already. */
static void put_table_as(bool planned)
{
    static const char *const t[] = {"42", "t", "r",  "t",        "f", "3", "8192",
                                    "t",  "t", "42", "[\"id\"]", "t", "f", "f"};
    static const char *const unchanged[] = {NULL};
    /* Column 1 of table 42, int4 without a modifier. */
    static const char described[] = "\0\1id\0\0\0\0\52\0\1\0\0\0\27\0\4\377\377\377\377\0\0";
    static const char *const c[] = {
        "42", "id", "integer", "pg_catalog.int4", "23", "-1", NULL, NULL, "t", "t",
        "f",  NULL, "-1",      "1.42.1",          "1",  "f"};
    rb_pgscript_startup(&peer.says, "15.4");
    rb_pgscript_complete(&peer.says, "BEGIN");
    put_settings();
    if (!planned) {
        put_prepared(t, sizeof t / sizeof *t);
        put_prepared(c, sizeof c / sizeof *c);
    }
    /* What locks it, and with it: whether it has changed. */
    rb_pgscript_message(&peer.says, 'T', described, sizeof described - 1);
    rb_pgscript_done(&peer.says, "SELECT 0", 'T');
    put_prepared(unchanged, 1);
}

static void put_table(void)
{
    put_table_as(false);
}

/* Rows of one int4, in COPY's binary form, `per_message` bytes a message. */
static void put_rows(size_t n_rows, size_t per_message)
{
    struct rb_buf data = RB_BUF_INIT(RB_PGSCRIPT_MAX);
    assert_int_equal(rb_buf_append(&data, rb_copy_binary_header, 19), 0);
    for (size_t i = 0; i < n_rows; i++) {
        assert_int_equal(rb_buf_append(&data, "\0\1\0\0\0\4", 6), 0);
        assert_int_equal(rb_buf_append_be32(&data, (uint32_t)i * 7), 0);
    }
    assert_int_equal(rb_buf_append_be16(&data, 0xffff), 0);
    rb_pgscript_complete(&peer.says, "SET");
    rb_pgscript_copy(&peer.says, 'H', 1);
    for (size_t pos = 0; pos < data.len; pos += per_message) {
        size_t n = data.len - pos < per_message ? data.len - pos : per_message;
        rb_pgscript_message(&peer.says, 'd', data.data + pos, n);
    }
    rb_buf_release(&data);
}

/* The COPY, and the lock given back in the same message. */
static void put_end(const char *tag)
{
    rb_pgscript_message(&peer.says, 'c', "", 0);
    rb_pgscript_complete(&peer.says, tag);
    rb_pgscript_done(&peer.says, "ROLLBACK", 'T');
}

/* The result of a read from the script's beginning; free() it. */
static char *read_unit_of(const char *context, size_t piece)
{
    peer.said = 0;
    peer.piece = piece;
    rb_buf_clear(&peer.heard);
    rb_double_set_net(&rb_double_peer_net, &peer);
    rb_double_set_tls_mode(RB_TLS_DISABLE);
    char *opened = rb_double_call(rb_connector_source_postgres, RB_SDK_OPEN, open_json);
    assert_non_null(strstr(opened, "\"pg_binary\""));
    free(opened);
    char *result = rb_double_call(rb_connector_source_postgres, RB_SDK_READ, context);
    rb_sdk_close(rb_connector_source_postgres);
    return result;
}

static char *read_unit(size_t piece)
{
    return read_unit_of(read_json, piece);
}

static void check_values(size_t n_rows)
{
    struct rb_ipc_decoder decoder;
    size_t n = 0;
    rb_ipc_decoder_init(&decoder);
    assert_true(rb_double.emitted.n > 0);
    for (size_t i = 0; i < rb_double.emitted.n; i++) {
        const struct rb_buf *batch = &rb_double.emitted.items[i];
        assert_true(rb_ipc_decode(&decoder, batch->data, batch->len, NULL) >= 0);
        assert_string_equal(decoder.schema.children[0]->name, "id");
        for (int64_t row = 0; row < decoder.n_rows; row++) {
            assert_int_equal(ArrowArrayViewGetIntUnsafe(decoder.view->children[0], row),
                             (int64_t)n * 7);
            n++;
        }
    }
    assert_int_equal(n, n_rows);
    rb_ipc_decoder_release(&decoder);
}

static void rows_in_pieces(void **state)
{
    (void)state;
    for (size_t per_message = 1; per_message < 40; per_message += 3) {
        rb_buf_clear(&peer.says);
        put_table();
        put_rows(3, per_message);
        put_end("COPY 3");
        for (size_t piece = 1; piece < 50; piece += 7) {
            rb_double_reset();
            char *result = read_unit(piece);
            assert_non_null(strstr(result, "\"status\":\"ok\""));
            assert_non_null(strstr(result, "\"records_read\":3,\"bytes_read\":30"));
            check_values(3);
            free(result);
        }
    }
}

static void says_the_statements_it_should(void **state)
{
    (void)state;
    put_table();
    put_rows(0, 100);
    put_end("COPY 0");
    char *result = read_unit(0);
    static const char *const said[] = {
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        "SET TRANSACTION SNAPSHOT '00000003-0000001B-1'",
        "COPY \"public\".\"t\" ( \"id\") TO STDOUT (FORMAT binary)",
        "row_security_active",
    };
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        assert_non_null(memmem(peer.heard.data, peer.heard.len, said[i], strlen(said[i])));
    }
    /* An empty table still tells its schema. */
    assert_non_null(strstr(result, "\"records_read\":0"));
    assert_int_equal(rb_double.emitted.n, 1);
    check_values(0);
    free(result);
}

/* The statements are those of the catalogue that the plan found, and nobody asks for it again. */
static void what_the_plan_found_is_not_asked_for(void **state)
{
    (void)state;
    static const char catalogue[] = "row_security_active";
    put_table_as(true);
    put_rows(3, 100);
    put_end("COPY 3");
    char *result = read_unit_of(planned_json, 0);
    assert_non_null(strstr(result, "\"records_read\":3,\"bytes_read\":30"));
    check_values(3);
    assert_null(memmem(peer.heard.data, peer.heard.len, catalogue, strlen(catalogue)));
    free(result);
}

static void a_plan_of_another_shape_is_refused(void **state)
{
    (void)state;
    static const char *const plans[] = {
        READ("\"plan\":{\"tables\":[[\"42\"]],\"columns\":[],\"types\":[]},"),
        READ("\"plan\":{\"tables\":[],\"columns\":[[1]],\"types\":[]},"),
        READ("\"plan\":{\"tables\":[],\"columns\":[],\"types\":[[\"1\",{},\"2\"]]},"),
    };
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        rb_double_reset();
        rb_buf_clear(&peer.says);
        put_table_as(true);
        char *result = read_unit_of(plans[i], 0);
        assert_non_null(strstr(result, "BAD_RESULT"));
        free(result);
    }
}

static void a_server_that_hangs_up_is_never_an_end(void **state)
{
    (void)state;
    put_table();
    size_t start = peer.says.len;
    put_rows(3, 12);
    put_end("COPY 3");
    size_t whole = peer.says.len;
    for (size_t len = start; len < whole; len++) {
        rb_double_reset();
        peer.says.len = len;
        char *result = read_unit(0);
        assert_non_null(strstr(result, "\"status\":\"err\""));
        assert_non_null(strstr(result, "\"transient_network\""));
        assert_non_null(strstr(result, "stream 't'"));
        free(result);
        assert_int_equal(rb_double.n_open, 0);
    }
}

static void rows_that_do_not_add_up_are_an_error(void **state)
{
    (void)state;
    put_table();
    put_rows(3, 100);
    put_end("COPY 4");
    char *result = read_unit(0);
    assert_non_null(strstr(result, "it sent 4 rows, 3 arrived"));
    free(result);
}

static void a_missing_table_is_named(void **state)
{
    (void)state;
    rb_pgscript_startup(&peer.says, "15.4");
    rb_pgscript_complete(&peer.says, "BEGIN");
    put_settings();
    rb_pgscript_message(&peer.says, '1', "", 0);
    rb_pgscript_describe(&peer.says, 13);
    rb_pgscript_done(&peer.says, "SELECT 0", 'T');
    char *result = read_unit(0);
    assert_non_null(strstr(result, "\"category\":\"schema\""));
    assert_non_null(strstr(result, "there is no table or view \\\"public\\\".\\\"t\\\""));
    free(result);
}

static void every_byte_changed_does_no_harm(void **state)
{
    (void)state;
    put_table();
    put_rows(2, 12);
    put_end("COPY 2");
    for (size_t pos = 0; pos < peer.says.len; pos++) {
        rb_double_reset();
        peer.says.data[pos] ^= 0x81;
        char *result = read_unit(0);
        assert_non_null(strstr(result, "\"status\":"));
        free(result);
        peer.says.data[pos] ^= 0x81;
        assert_int_equal(rb_double.n_open, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(rows_in_pieces),
        T(says_the_statements_it_should),
        T(what_the_plan_found_is_not_asked_for),
        T(a_plan_of_another_shape_is_refused),
        T(a_server_that_hangs_up_is_never_an_end),
        T(rows_that_do_not_add_up_are_an_error),
        T(a_missing_table_is_named),
        T(every_byte_changed_does_no_harm),
#undef T
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("source_read", tests, NULL, NULL);
}
