/* What a unit's result adds to a stream's report, whatever its connectors say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "host/engine/run.h"

static void add_unit(struct rb_stream_run *stream, size_t unit, const char *summary)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf payload = RB_BUF_INIT(RB_RUN_JSON_MAX);
    RB_CLEANUP(rb_unit_result_release) struct rb_unit_result result;
    rb_unit_result_init(&result);
    result.n_stages = 2;
    for (size_t i = 0; i < 2; i++) {
        result.stages[i].ok = true;
        assert_int_equal(rb_buf_append_str(&result.stages[i].data, summary), 0);
    }
    assert_int_equal(rb_unit_result_encode(&result, &payload), 0);
    const struct rb_run run = {.session = NULL};
    struct rb_fault fault;
    memset(&fault, 0, sizeof fault);
    assert_int_equal(rb_run_take_result(&run, stream, unit, &payload, &fault), 0);
}

static void counts_do_not_overflow(void **state)
{
    (void)state;
    struct rb_stream_report report;
    memset(&report, 0, sizeof report);
    struct rb_stream_run stream = {.report = &report};
    rb_buf_init(&stream.units_json, RB_RUN_JSON_MAX);
    add_unit(&stream, 0, "{\"records_read\":5,\"bytes_read\":9223372036854775807}");
    add_unit(&stream, 1, "{\"records_read\":-7,\"bytes_read\":18446744073709551615}");
    add_unit(&stream, 2, "{\"records_read\":2.5,\"bytes_read\":\"9\"}");
    assert_int_equal(report.records_read, 5);
    assert_int_equal(report.bytes_read, (int64_t)1 << 51);
    rb_buf_release(&stream.units_json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_do_not_overflow),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
