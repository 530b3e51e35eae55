/* The statements that read a table, word for word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "connectors/postgres/source/cursor.h"
#include "connectors/postgres/source/cursor_kind.h"
#include "connectors/postgres/source/select.h"
#include "native/host_double.h"
#include "tests/support/pgscript.h"

/* Under any search path these are PostgreSQL's own. */
#define AT_LEAST "OPERATOR(pg_catalog.>=)"
#define ABOVE "OPERATOR(pg_catalog.>)"
#define BELOW "OPERATOR(pg_catalog.<)"
#define LATE                                                                                       \
    "pg_catalog.age(xmin) " AT_LEAST " 0 AND pg_catalog.age(xmin) OPERATOR(pg_catalog.<=) "        \
    "pg_catalog.age('100'::pg_catalog.xid) AND xmin OPERATOR(pg_catalog.<>) ALL "                  \
    "('{101,103}'::pg_catalog.xid[])"

static char schema[] = "my shop", name[] = "Order\"s";
static char id[] = "id", tags[] = "tags";
static struct rb_column columns[] = {
    {.name = id, .form = RB_FORM_NATIVE},
    {.name = tags, .form = RB_FORM_TEXT},
};
static const struct rb_columns two = {.items = columns, .n = 2}, one = {.items = columns, .n = 1},
                               none = {0};
static struct rb_table table = {.schema = schema, .name = name, .has_xmin = true};

static void expect_copy(const struct rb_columns *chosen, const char *where, const char *range,
                        const char *cursor, const char *expected)
{
    struct rb_buf sql = RB_BUF_INIT(10000);
    struct rb_select select = {
        .table = &table, .columns = chosen, .where = where, .range = range, .cursor = cursor};
    assert_int_equal(rb_select_copy(&select, &sql, NULL), 0);
    assert_string_equal(rb_buf_str(&sql), expected);
    rb_buf_release(&sql);
}

static void copy_names_its_columns(void **state)
{
    (void)state;
    expect_copy(
        &two, "", "", "",
        "COPY (SELECT \"id\", \"tags\"::pg_catalog.text FROM \"my shop\".\"Order\"\"s\" WHERE "
        "TRUE) TO STDOUT (FORMAT binary)");
    expect_copy(
        &none, "", "", "",
        "COPY (SELECT FROM \"my shop\".\"Order\"\"s\" WHERE TRUE) TO STDOUT (FORMAT binary)");
}

static void a_table_as_it_is_is_copied_by_name(void **state)
{
    (void)state;
    bool was_filtered = table.row_security;
    table.copies = true;
    expect_copy(&one, "", "", "",
                "COPY \"my shop\".\"Order\"\"s\" ( \"id\") TO STDOUT (FORMAT binary)");
    /* Whatever COPY cannot say of a table. */
    expect_copy(
        &two, "", "", "",
        "COPY (SELECT \"id\", \"tags\"::pg_catalog.text FROM \"my shop\".\"Order\"\"s\" WHERE "
        "TRUE) TO STDOUT (FORMAT binary)");
    static const char *const queries[][3] = {{"a", "", ""}, {"", "0,1", ""}, {"", "", "c > 1"}};
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        struct rb_buf sql = RB_BUF_INIT(10000);
        struct rb_select select = {.table = &table,
                                   .columns = &one,
                                   .where = queries[i][0],
                                   .range = queries[i][1],
                                   .cursor = queries[i][2]};
        assert_int_equal(rb_select_copy(&select, &sql, NULL), 0);
        assert_int_equal(strncmp(rb_buf_str(&sql), "COPY (SELECT", 12), 0);
        rb_buf_release(&sql);
    }
    table.row_security = true;
    expect_copy(&one, "", "", "",
                "COPY (SELECT \"id\" FROM \"my shop\".\"Order\"\"s\" WHERE TRUE) TO STDOUT "
                "(FORMAT binary)");
    table.row_security = was_filtered;
    table.copies = false;
}

static void copy_joins_its_conditions(void **state)
{
    (void)state;
    expect_copy(
        &none, "a OR b -- why", "0,5000", "c > 1 OR d",
        "COPY (SELECT FROM \"my shop\".\"Order\"\"s\" WHERE (a OR b -- why\n) AND ctid " AT_LEAST
        " "
        "'(0,0)'::pg_catalog.tid AND ctid " BELOW
        " '(5000,0)'::pg_catalog.tid AND (c > 1 OR d)) TO "
        "STDOUT (FORMAT binary)");
    expect_copy(&none, "", "5000,", "",
                "COPY (SELECT FROM \"my shop\".\"Order\"\"s\" WHERE TRUE AND ctid " AT_LEAST " "
                "'(5000,0)'::pg_catalog.tid) TO STDOUT (FORMAT binary)");
}

static void range_is_two_numbers(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", ",", ",5", "1", "1,2,3", "a,b", "1,x", "-1,", "1,99999999999", "0,1)'::tid OR TRUE--"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct rb_buf sql = RB_BUF_INIT(1000);
        assert_int_equal(rb_select_range(bad[i], &sql, NULL), RB_ECONNECTOR);
        rb_buf_release(&sql);
    }
}

/* What the double's peer is asked, from a cursor over column "c" and its resume. */
static struct rb_double_peer peer;

static void expect_condition(uint32_t type_oid, bool has_xmin, bool may_be_null, bool upsert,
                             enum rb_cursor_nulls nulls, const char *resume, const char *last,
                             const char *low, const char *expected)
{
    struct rb_conn_config config = {.host = "db",
                                    .port = 1,
                                    .user = "u",
                                    .database = "d",
                                    .application_name = "a",
                                    .max_record_bytes = 1000};
    const char *literal[] = {last, low, NULL};
    rb_double_reset();
    rb_double_peer_init(&peer);
    rb_double_set_net(&rb_double_peer_net, &peer);
    rb_double_set_tls_mode(RB_TLS_DISABLE);
    rb_pgscript_startup(&peer.says, "15.1");
    rb_pgscript_answer(&peer.says, literal, 3, 'T');
    struct rb_conn *conn = NULL;
    assert_int_equal(rb_conn_open(&config, &conn, NULL), 0);
    struct rb_json_doc *doc = NULL;
    if (resume) {
        assert_int_equal(rb_json_parse(resume, strlen(resume), &doc, NULL), 0);
    }
    struct rb_table t = {.schema = schema, .name = name, .has_xmin = has_xmin};
    struct rb_cursor cursor = {
        .table = &t,
        .where = "",
        .field = "c",
        .kind = rb_cursor_kind_find(type_oid),
        .nulls = nulls,
        .may_be_null = may_be_null,
        .upsert = upsert,
        .resume = {0},
        .has_last = last != NULL,
        .expression = RB_BUF_INIT(1000),
        .last = RB_BUF_INIT(1000),
    };
    if (doc) {
        cursor.resume = rb_json_root(doc);
    }
    assert_int_equal(rb_buf_append_str(&cursor.expression, "\"c\""), 0);
    assert_int_equal(rb_buf_append_str(&cursor.last, "x"), 0);
    struct rb_buf condition = RB_BUF_INIT(10000), above = RB_BUF_INIT(10000);
    assert_int_equal(rb_cursor_condition(&cursor, conn, &condition, &above, NULL), 0);
    assert_string_equal(rb_buf_str(&condition), expected);
    rb_buf_release(&condition);
    rb_buf_release(&above);
    rb_cursor_release(&cursor);
    rb_json_free(doc);
    rb_conn_close(conn);
    rb_double_peer_release(&peer);
    rb_double_reset();
}

static const char *const kept =
    "{\"last\":\"x\",\"lookback\":10000,\"prevxmin\":\"4294967396\",\"seen\":[\"101\",\"103\"]}";

static void first_run_reads_all(void **state)
{
    (void)state;
    expect_condition(20, true, true, false, RB_CURSOR_NULLS_INCLUDE, NULL, NULL, NULL, "");
    expect_condition(20, true, true, false, RB_CURSOR_NULLS_EXCLUDE, NULL, NULL, NULL,
                     "\"c\" IS NOT NULL");
}

static void next_run_reads_what_is_above_or_late(void **state)
{
    (void)state;
    /* The horizon 2^32 + 100 is 100 in the rows' 32 bits. */
    expect_condition(20, true, false, false, RB_CURSOR_NULLS_INCLUDE, kept, "'50'", "'40'",
                     "\"c\" " AT_LEAST " '40'::pg_catalog.int8 AND (\"c\" " ABOVE
                     " '50'::pg_catalog.int8 AND \"c\" IS NOT NULL OR " LATE ")");
    expect_condition(1184, true, true, false, RB_CURSOR_NULLS_INCLUDE, kept, "'b'", "'a'",
                     "\"c\" " AT_LEAST " 'a'::pg_catalog.timestamptz AND (\"c\" " ABOVE
                     " 'b'::pg_catalog.timestamptz AND \"c\" " BELOW
                     " 'infinity'::pg_catalog.timestamptz OR " LATE ") OR \"c\" IS NULL AND " LATE);
}

static void a_view_is_read_by_its_cursor_alone(void **state)
{
    (void)state;
    expect_condition(20, false, true, false, RB_CURSOR_NULLS_EXCLUDE, kept, "'50'", "'40'",
                     "\"c\" " ABOVE " '50'::pg_catalog.int8 AND \"c\" IS NOT NULL");
    expect_condition(20, false, true, true, RB_CURSOR_NULLS_EXCLUDE, kept, "'50'", "'40'",
                     "\"c\" " AT_LEAST " '40'::pg_catalog.int8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copy_names_its_columns),
        cmocka_unit_test(a_table_as_it_is_is_copied_by_name),
        cmocka_unit_test(copy_joins_its_conditions),
        cmocka_unit_test(range_is_two_numbers),
        cmocka_unit_test(first_run_reads_all),
        cmocka_unit_test(next_run_reads_what_is_above_or_late),
        cmocka_unit_test(a_view_is_read_by_its_cursor_alone),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("source_sql", tests, NULL, NULL);
}
