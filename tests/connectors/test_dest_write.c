/* One unit's transaction, against a server made up: what is committed, what is not, and what comes
 * of a COMMIT whose answer is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arrow/ipc.h"
#include "arrow/metadata.h"
#include "native/host_double.h"
#include "rapidbyte/connector.h"
#include "tests/support/fakepg.h"

extern const struct rb_connector *const rb_connector_dest_postgres;

static struct rb_fakepg fake;

static const char open_json[] =
    "{\"config\":{\"json\":{\"host\":\"db\",\"user\":\"u\",\"database\":\"d\",\"schema\":\"raw\","
    "\"load_method\":\"%s\"}},\"connector_id\":\"dest-postgres\",\"connector_version\":\"1\","
    "\"pipeline\":\"p\"}";

#define CONTEXT_OF(mode, max_record_bytes, more)                                                   \
    "{\"stream_name\":\"users\",\"sync_mode\":\"full_refresh\",\"write_mode\":" mode               \
    ",\"load_id\":\"L1\",\"pipeline\":\"p\",\"attempt\":1,\"unit\":{\"index\":0,\"count\":1},"     \
    "\"limits\":{\"max_batch_bytes\":1000000,\"max_record_bytes\":" max_record_bytes "}" more "}"
#define CONTEXT(mode, more) CONTEXT_OF(mode, "100000", more)
#define END "{\"records\":3,\"checksum\":null,\"checkpoint\":{\"cursor_value\":{\"int64\":3}}}"

static void call_open(const char *method)
{
    char json[1024];
    snprintf(json, sizeof json, open_json, method);
    char *answer = rb_double_call(rb_connector_dest_postgres, RB_SDK_OPEN, json);
    assert_non_null(strstr(answer, "\"status\":\"ok\""));
    free(answer);
}

static int setup(void **state)
{
    (void)state;
    rb_double_reset();
    rb_fakepg_init(&fake);
    rb_double_set_net(&rb_fakepg_net, &fake);
    rb_double_set_tls_mode(RB_TLS_DISABLE);
    rb_fakepg_add(
        &fake, (struct rb_fakepg_rule){.sql = "INSERT INTO _rapidbyte.loads", .tag = "INSERT 0 1"});
    rb_fakepg_add(
        &fake, (struct rb_fakepg_rule){
                   .sql = "c.relname = 'rejected'", .n_columns = 1, .n_rows = 1, .cells = {"t"}});
    rb_fakepg_add(&fake, (struct rb_fakepg_rule){.sql = "FROM pg_namespace WHERE nspname",
                                                 .n_columns = 1,
                                                 .n_rows = 1,
                                                 .cells = {"t"}});
    rb_fakepg_add(&fake, (struct rb_fakepg_rule){
                             .sql = "to_regtype", .n_columns = 1, .n_rows = 1, .cells = {"t"}});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rb_sdk_close(rb_connector_dest_postgres);
    rb_double_reset();
    rb_fakepg_release(&fake);
    return 0;
}

/* raw.users (id integer, name text), there already. */
static void table_is_there(void)
{
    rb_fakepg_add(
        &fake, (struct rb_fakepg_rule){.sql = "SELECT c.oid, c.relkind",
                                       .n_columns = 8,
                                       .n_rows = 1,
                                       .cells = {"4711", "r", "f", "t", "t", "loader", "f", "f"}});
    rb_fakepg_add(&fake,
                  (struct rb_fakepg_rule){.sql = "format_type(a.atttypid",
                                          .n_columns = 6,
                                          .n_rows = 2,
                                          .cells = {"id", "integer", "f", "f", "f", "integer",
                                                    "name", "text", "f", "f", "f", "text"}});
}

/* Feeds a batch of (1,'a'), (2,NULL), (3,'c'); the numbers declared to be of `type`. */
static void feed_rows_of(const char *type)
{
    struct ArrowSchema schema;
    struct ArrowArray array;
    const struct rb_meta_pair id[] = {{RB_META_PG_TYPE, type}, {RB_META_PG_OID, "23"}};
    static const struct rb_meta_pair name[] = {{RB_META_PG_TYPE, "text"}, {RB_META_PG_OID, "25"}};
    ArrowSchemaInit(&schema);
    assert_int_equal(ArrowSchemaSetTypeStruct(&schema, 2), 0);
    assert_int_equal(ArrowSchemaSetType(schema.children[0], NANOARROW_TYPE_INT32), 0);
    assert_int_equal(ArrowSchemaSetName(schema.children[0], "id"), 0);
    assert_int_equal(rb_meta_set(schema.children[0], id, 2, NULL), 0);
    assert_int_equal(ArrowSchemaSetType(schema.children[1], NANOARROW_TYPE_STRING), 0);
    assert_int_equal(ArrowSchemaSetName(schema.children[1], "name"), 0);
    assert_int_equal(rb_meta_set(schema.children[1], name, 2, NULL), 0);
    assert_int_equal(ArrowArrayInitFromSchema(&array, &schema, NULL), 0);
    assert_int_equal(ArrowArrayStartAppending(&array), 0);
    for (int64_t i = 1; i <= 3; i++) {
        char text[2] = {(char)('a' + i - 1), 0};
        assert_int_equal(ArrowArrayAppendInt(array.children[0], i), 0);
        assert_int_equal(i == 2 ? ArrowArrayAppendNull(array.children[1], 1)
                                : ArrowArrayAppendString(array.children[1], ArrowCharView(text)),
                         0);
        assert_int_equal(ArrowArrayFinishElement(&array), 0);
    }
    assert_int_equal(ArrowArrayFinishBuildingDefault(&array, NULL), 0);
    struct rb_ipc_encoder encoder;
    RB_CLEANUP(rb_buf_release) struct rb_buf bytes = RB_BUF_INIT(1000000);
    assert_int_equal(rb_ipc_encoder_init(&encoder, &schema, NULL), 0);
    assert_int_equal(rb_ipc_encode(&encoder, &array, &bytes, NULL), 0);
    rb_double_feed_batch(bytes.data, bytes.len);
    rb_ipc_encoder_release(&encoder);
    array.release(&array);
    schema.release(&schema);
}

static void feed_rows(void)
{
    feed_rows_of("integer");
}

/* Writes, and expects each of the texts (NULL-ended) in the answer. */
static void expect_write(const char *context, ...)
{
    char *answer = rb_double_call(rb_connector_dest_postgres, RB_SDK_WRITE, context);
    va_list args;
    va_start(args, context);
    for (const char *text = va_arg(args, const char *); text != NULL;
         text = va_arg(args, const char *)) {
        if (strstr(answer, text) == NULL) {
            print_error("not in the answer: %s\n%s\n%s\n", text, answer, rb_buf_str(&fake.log));
            fail();
        }
    }
    va_end(args);
    free(answer);
}

static const uint8_t copied[] = "PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0"
                                "\0\2\0\0\0\4\0\0\0\1\0\0\0\1a"
                                "\0\2\0\0\0\4\0\0\0\2\xff\xff\xff\xff"
                                "\0\2\0\0\0\4\0\0\0\3\0\0\0\1c"
                                "\xff\xff";

static void append_commits_rows_with_receipt(void **state)
{
    (void)state;
    static const size_t pieces[] = {0, 1, 2, 3, 7};
    table_is_there();
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        fake.piece = pieces[i];
        rb_buf_clear(&fake.log);
        call_open("copy");
        feed_rows();
        rb_double_feed_end(END);
        expect_write(CONTEXT("\"append\"", ""), "\"status\":\"ok\"", "\"records_written\":3",
                     "\"already_loaded\":false", NULL);
        assert_int_equal(fake.copied.len, sizeof copied - 1);
        assert_memory_equal(fake.copied.data, copied, fake.copied.len);
        const char *log = rb_buf_str(&fake.log);
        const char *begin = strstr(log, "BEGIN");
        const char *copy = strstr(log, "COPY \"raw\".\"users\" (\"id\", \"name\") FROM STDIN "
                                       "(FORMAT binary)");
        const char *done = strstr(log, "<CopyDone>");
        const char *receipt = strstr(log, "INSERT INTO _rapidbyte.loads");
        const char *commit = strstr(log, "\nCOMMIT");
        assert_true(begin != NULL && begin < copy && copy < done && done < receipt &&
                    receipt < commit);
        rb_sdk_close(rb_connector_dest_postgres);
    }
}

static void a_missing_table_is_made(void **state)
{
    (void)state;
    call_open("copy");
    feed_rows();
    rb_double_feed_end(END);
    rb_fakepg_add(&fake,
                  (struct rb_fakepg_rule){
                      .sql = "SELECT c.oid, c.relkind", .n_columns = 2, .n_rows = 0, .times = 1});
    table_is_there();
    expect_write(CONTEXT("\"append\"", ""), "\"status\":\"ok\"", NULL);
    assert_true(rb_fakepg_saw(&fake, "CREATE TABLE \"raw\".\"users\" (\"id\" integer, "
                                     "\"name\" text)"));
}

/* Nothing may be committed. */
static void expect_nothing_committed(void)
{
    assert_false(rb_fakepg_saw(&fake, "\nCOMMIT"));
    assert_true(rb_fakepg_saw(&fake, "ROLLBACK") || rb_fakepg_saw(&fake, "<closed>"));
}

static void an_aborted_source_leaves_nothing(void **state)
{
    (void)state;
    table_is_there();
    call_open("copy");
    feed_rows();
    rb_double_feed_abort();
    expect_write(CONTEXT("\"append\"", ""), "ABORTED", "before_commit", NULL);
    assert_true(rb_fakepg_saw(&fake, "<CopyFail>"));
    assert_false(rb_fakepg_saw(&fake, "<CopyDone>"));
    expect_nothing_committed();
}

static void a_cancelled_run_leaves_nothing(void **state)
{
    (void)state;
    table_is_there();
    call_open("copy");
    feed_rows();
    rb_double_feed_cancel();
    expect_write(CONTEXT("\"append\"", ""), "CANCELLED", NULL);
    assert_false(rb_fakepg_saw(&fake, "<CopyDone>"));
    expect_nothing_committed();
}

static void a_difference_is_found_before_commit(void **state)
{
    (void)state;
    static const char *const ends[] = {
        "{\"records\":4,\"checksum\":null,\"checkpoint\":null}",
        "{\"records\":3,\"checksum\":\"0000000000000001\",\"checkpoint\":null}",
    };
    table_is_there();
    for (size_t i = 0; i < 2; i++) {
        rb_buf_clear(&fake.log);
        call_open("copy");
        feed_rows();
        rb_double_feed_end(ends[i]);
        expect_write(CONTEXT("\"append\"", ""), "VERIFY_MISMATCH", "\"category\":\"data\"",
                     "before_commit", NULL);
        expect_nothing_committed();
        rb_sdk_close(rb_connector_dest_postgres);
    }
    fake.copy_tag = "COPY 2";
    rb_buf_clear(&fake.log);
    call_open("copy");
    feed_rows();
    rb_double_feed_end(END);
    expect_write(CONTEXT("\"append\"", ""), "VERIFY_MISMATCH", NULL);
    expect_nothing_committed();
}

static void a_standing_receipt_is_not_written_again(void **state)
{
    (void)state;
    rb_fakepg_add(
        &fake, (struct rb_fakepg_rule){
                   .sql = "SELECT rows, bytes", .n_columns = 2, .n_rows = 1, .cells = {"3", "45"}});
    call_open("copy");
    expect_write(CONTEXT("\"append\"", ""), "\"already_loaded\":true", "\"records_written\":3",
                 "\"bytes_written\":45", NULL);
    assert_false(rb_fakepg_saw(&fake, "BEGIN"));
}

/* An earlier run's COMMIT was under way when the ledger was asked first. */
static void a_receipt_that_comes_first_is_not_doubled(void **state)
{
    (void)state;
    table_is_there();
    fake.rules[0].tag = "INSERT 0 0";
    rb_fakepg_add(&fake, (struct rb_fakepg_rule){
                             .sql = "SELECT rows, bytes", .n_columns = 2, .n_rows = 0, .times = 1});
    rb_fakepg_add(
        &fake, (struct rb_fakepg_rule){
                   .sql = "SELECT rows, bytes", .n_columns = 2, .n_rows = 1, .cells = {"3", "45"}});
    call_open("copy");
    feed_rows();
    rb_double_feed_end(END);
    expect_write(CONTEXT("\"append\"", ""), "\"already_loaded\":true", "\"bytes_written\":45",
                 NULL);
    expect_nothing_committed();
}

static void a_lost_commit_is_asked_for(void **state)
{
    (void)state;
    for (int stands = 0; stands < 2; stands++) {
        rb_fakepg_release(&fake);
        setup(state);
        table_is_there();
        rb_fakepg_add(&fake, (struct rb_fakepg_rule){.sql = "COMMIT", .hang_up = true, .times = 1});
        rb_fakepg_add(&fake,
                      (struct rb_fakepg_rule){
                          .sql = "SELECT rows, bytes", .n_columns = 2, .n_rows = 0, .times = 1});
        if (stands) {
            rb_fakepg_add(&fake, (struct rb_fakepg_rule){.sql = "SELECT rows, bytes",
                                                         .n_columns = 2,
                                                         .n_rows = 1,
                                                         .cells = {"3", "45"}});
        }
        call_open("copy");
        feed_rows();
        rb_double_feed_end(END);
        if (stands) {
            expect_write(CONTEXT("\"append\"", ""), "\"status\":\"ok\"", "\"records_written\":3",
                         NULL);
        } else {
            expect_write(CONTEXT("\"append\"", ""), "the answer to COMMIT was lost",
                         "\"retryable\":true", "\"safe_to_retry\":true", "before_commit", NULL);
        }
        assert_int_equal(fake.n_connections, 2);
        rb_sdk_close(rb_connector_dest_postgres);
    }
}

static void insert_sends_an_array_a_column(void **state)
{
    (void)state;
    table_is_there();
    rb_fakepg_add(&fake, (struct rb_fakepg_rule){.sql = "unnest", .tag = "INSERT 0 3"});
    call_open("insert");
    feed_rows();
    rb_double_feed_end(END);
    expect_write(CONTEXT("\"append\"", ""), "\"status\":\"ok\"", "\"records_written\":3", NULL);
    assert_true(rb_fakepg_saw(&fake, "INSERT INTO \"raw\".\"users\" (\"id\", \"name\") OVERRIDING "
                                     "SYSTEM VALUE SELECT unnest($1::pg_catalog.\"int4\"[]), "
                                     "unnest($2::pg_catalog.\"text\"[])"));
    assert_false(rb_fakepg_saw(&fake, "COPY"));
}

/* What the encoder refuses never gets to the server, and the savepoint must be there all the same.
 */
static void rows_that_cannot_be_sent_are_left_out(void **state)
{
    (void)state;
    table_is_there();
    rb_fakepg_add(&fake, (struct rb_fakepg_rule){.sql = "unnest", .tag = "INSERT 0 1"});
    call_open("insert");
    feed_rows();
    rb_double_feed_end(END);
    /* A row takes 15 bytes, the one with NULL 14. */
    expect_write(CONTEXT_OF("\"append\"", "14", ",\"policies\":{\"on_data_error\":\"skip\"}"),
                 "\"status\":\"ok\"", "\"records_written\":1", NULL);
}

static void a_row_that_cannot_be_sent_is_named(void **state)
{
    (void)state;
    table_is_there();
    call_open("insert");
    feed_rows();
    rb_double_feed_end(END);
    expect_write(CONTEXT_OF("\"append\"", "14", ""), "row 1 of 15 bytes is larger than",
                 "RECORD_TOO_LARGE", NULL);
}

static void upsert_goes_by_a_temporary_table(void **state)
{
    (void)state;
    table_is_there();
    rb_fakepg_add(&fake, (struct rb_fakepg_rule){
                             .sql = "indisunique", .n_columns = 1, .n_rows = 1, .cells = {"t"}});
    rb_fakepg_add(&fake, (struct rb_fakepg_rule){.sql = "SELECT count(*) FROM (SELECT \"id\"",
                                                 .n_columns = 1,
                                                 .n_rows = 1,
                                                 .cells = {"0"}});
    call_open("copy");
    feed_rows();
    rb_double_feed_end(END);
    expect_write(CONTEXT("{\"upsert\":{\"primary_key\":[\"id\"]}}", ""), "\"status\":\"ok\"", NULL);
    assert_true(rb_fakepg_saw(&fake, "COPY pg_temp.rapidbyte_in"));
    assert_true(rb_fakepg_saw(&fake, "SELECT DISTINCT ON (\"id\") \"id\", \"name\" FROM "
                                     "pg_temp.rapidbyte_in ORDER BY \"id\", \"rapidbyte position\" "
                                     "DESC ON CONFLICT (\"id\") DO UPDATE SET \"name\" = "
                                     "EXCLUDED.\"name\""));
}

static void upsert_needs_a_unique_key(void **state)
{
    (void)state;
    table_is_there();
    rb_fakepg_add(&fake, (struct rb_fakepg_rule){
                             .sql = "indisunique", .n_columns = 1, .n_rows = 1, .cells = {"f"}});
    rb_fakepg_add(&fake, (struct rb_fakepg_rule){.sql = "CREATE UNIQUE INDEX",
                                                 .sqlstate = "23505",
                                                 .message = "could not create"});
    call_open("copy");
    feed_rows();
    expect_write(CONTEXT("{\"upsert\":{\"primary_key\":[\"id\"]}}", ""), "NO_UNIQUE_KEY", NULL);
    expect_nothing_committed();
}

#define POLICY(name, value) ",\"policies\":{\"schema_evolution\":{\"" name "\":\"" value "\"}}"

static void policies_decide_on_columns(void **state)
{
    (void)state;
    rb_fakepg_add(&fake,
                  (struct rb_fakepg_rule){.sql = "SELECT c.oid, c.relkind",
                                          .n_columns = 7,
                                          .n_rows = 1,
                                          .cells = {"4711", "r", "f", "t", "t", "loader", "f"}});
    rb_fakepg_add(&fake, (struct rb_fakepg_rule){
                             .sql = "format_type(a.atttypid",
                             .n_columns = 4,
                             .n_rows = 2,
                             .cells = {"id", "bigint", "f", "f", "old", "text", "f", "f"}});
    static const struct {
        const char *context, *code;
    } cases[] = {
        {CONTEXT("\"append\"", POLICY("new_column", "fail")), "NEW_COLUMN"},
        {CONTEXT("\"append\"", POLICY("removed_column", "fail")), "REMOVED_COLUMN"},
        {CONTEXT("\"append\"", POLICY("type_change", "fail")), "TYPE_CHANGE"},
        {CONTEXT("\"append\"", POLICY("type_change", "null")), "TYPE_CHANGE"},
        {CONTEXT("\"append\"", POLICY("type_change", "coerce")), "TYPE_CHANGE"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rb_double_reset();
        rb_double_set_net(&rb_fakepg_net, &fake);
        rb_double_set_tls_mode(RB_TLS_DISABLE);
        rb_buf_clear(&fake.log);
        call_open("copy");
        feed_rows();
        expect_write(cases[i].context, cases[i].code, NULL);
        assert_false(rb_fakepg_saw(&fake, "COPY"));
        assert_false(rb_fakepg_saw(&fake, "\nCOMMIT"));
        rb_sdk_close(rb_connector_dest_postgres);
    }
}

static void a_type_that_is_no_name_goes_into_no_statement(void **state)
{
    (void)state;
    fake.n_rules--; /* to_regtype answers NULL */
    rb_fakepg_add(&fake, (struct rb_fakepg_rule){
                             .sql = "to_regtype", .n_columns = 1, .n_rows = 1, .cells = {"f"}});
    call_open("copy");
    feed_rows();
    expect_write(CONTEXT("\"append\"", ""), "TYPE_MISSING", "integer", NULL);
    assert_false(rb_fakepg_saw(&fake, "CREATE TABLE"));
    expect_nothing_committed();
}

/* The server takes it for a type: the comment would hide what follows. */
static void a_type_with_a_comment_goes_into_no_statement(void **state)
{
    (void)state;
    call_open("copy");
    feed_rows_of("integer --");
    expect_write(CONTEXT("\"append\"", ""), "BAD_TYPE", "integer --", NULL);
    assert_false(rb_fakepg_saw(&fake, "CREATE TABLE"));
    expect_nothing_committed();
}

static void a_locked_pipeline_is_refused_by_name_and_pid(void **state)
{
    (void)state;
    rb_fakepg_add(
        &fake, (struct rb_fakepg_rule){
                   .sql = "pg_try_advisory_lock(", .n_columns = 1, .n_rows = 1, .cells = {NULL}});
    rb_fakepg_add(&fake, (struct rb_fakepg_rule){.sql = "pg_stat_activity",
                                                 .n_columns = 3,
                                                 .n_rows = 1,
                                                 .cells = {"815", "x", "10.0.0.9"}});
    call_open("copy");
    char *answer = rb_double_call(rb_connector_dest_postgres, RB_SDK_BEGIN,
                                  "{\"load_id\":\"L2\",\"pipeline\":\"p\",\"streams\":[]}");
    assert_non_null(strstr(answer, "PIPELINE_LOCKED"));
    assert_non_null(strstr(answer, "'p'"));
    assert_non_null(strstr(answer, "815"));
    assert_false(rb_fakepg_saw(&fake, "_rapidbyte.open_loads"));
    free(answer);
}

static void begin_resumes_and_drops_leftovers(void **state)
{
    (void)state;
    rb_fakepg_add(&fake,
                  (struct rb_fakepg_rule){
                      .sql = "pg_try_advisory_lock(", .n_columns = 1, .n_rows = 1, .cells = {"t"}});
    rb_fakepg_add(&fake, (struct rb_fakepg_rule){.sql = "LEFT JOIN _rapidbyte.open_loads AS k",
                                                 .n_columns = 6,
                                                 .n_rows = 1,
                                                 .cells = {"L1", "f", NULL, NULL, "f", "t"}});
    rb_fakepg_add(&fake, (struct rb_fakepg_rule){
                             .sql = "SELECT s.name",
                             .n_columns = 1,
                             .n_rows = 3,
                             .cells = {"s_0123456789abcdef", "users", "s_0123456789abcdeg"}});
    rb_fakepg_add(&fake, (struct rb_fakepg_rule){.sql = "SELECT r.*",
                                                 .n_columns = 4,
                                                 .n_rows = 1,
                                                 .cells = {"f", NULL, NULL, "0"}});
    rb_fakepg_add(&fake, (struct rb_fakepg_rule){.sql = "SELECT newest.checkpoint",
                                                 .n_columns = 3,
                                                 .n_rows = 1,
                                                 .cells = {NULL, NULL, "f"}});
    call_open("copy");
    char *answer =
        rb_double_call(rb_connector_dest_postgres, RB_SDK_BEGIN,
                       "{\"load_id\":\"L2\",\"key\":\"k\",\"pipeline\":\"p\",\"streams\":[" CONTEXT(
                           "\"append\"", "") "]}");
    assert_non_null(strstr(answer, "\"load_id\":\"L1\",\"resumed\":true"));
    assert_non_null(strstr(answer, "\"stream_name\":\"users\",\"loaded\":false"));
    assert_true(rb_fakepg_saw(&fake, "DROP TABLE IF EXISTS _rapidbyte.s_0123456789abcdef\n"));
    assert_false(rb_fakepg_saw(&fake, "abcdeg"));
    assert_false(rb_fakepg_saw(&fake, "DROP TABLE IF EXISTS _rapidbyte.users"));
    free(answer);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(append_commits_rows_with_receipt),
        TEST(a_missing_table_is_made),
        TEST(an_aborted_source_leaves_nothing),
        TEST(a_cancelled_run_leaves_nothing),
        TEST(a_difference_is_found_before_commit),
        TEST(a_standing_receipt_is_not_written_again),
        TEST(a_receipt_that_comes_first_is_not_doubled),
        TEST(a_lost_commit_is_asked_for),
        TEST(insert_sends_an_array_a_column),
        TEST(rows_that_cannot_be_sent_are_left_out),
        TEST(a_row_that_cannot_be_sent_is_named),
        TEST(upsert_goes_by_a_temporary_table),
        TEST(upsert_needs_a_unique_key),
        TEST(policies_decide_on_columns),
        TEST(a_type_that_is_no_name_goes_into_no_statement),
        TEST(a_type_with_a_comment_goes_into_no_statement),
        TEST(a_locked_pipeline_is_refused_by_name_and_pid),
        TEST(begin_resumes_and_drops_leftovers),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
