/* What is tried again, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "host/engine/engine.h"
#include "host/engine/retry.h"

static struct rb_error transient(void)
{
    struct rb_error error;
    rb_error_set(&error, RB_ENETWORK, "X", "x");
    error.retryable = true;
    error.safe_to_retry = true;
    return error;
}

static void retries_what_is_retryable_and_safe(void **state)
{
    (void)state;
    struct rb_error error = transient();
    assert_true(rb_retry_allowed(&error));
    error.safe_to_retry = false;
    assert_false(rb_retry_allowed(&error));
    error = transient();
    error.retryable = false;
    assert_false(rb_retry_allowed(&error));
}

static void never_retries_final_classes(void **state)
{
    (void)state;
    static const char *const states[] = {"22003", "23505", "42P01", "28P01"};
    for (size_t i = 0; i < 4; i++) {
        struct rb_error error = transient();
        memcpy(error.sqlstate, states[i], 6);
        assert_false(rb_retry_allowed(&error));
    }
    struct rb_error deadlock = transient();
    memcpy(deadlock.sqlstate, "40P01", 6);
    assert_true(rb_retry_allowed(&deadlock));
}

static void never_retries_an_unknown_commit(void **state)
{
    (void)state;
    struct rb_error error = transient();
    error.commit_state = RB_COMMIT_AFTER_UNKNOWN;
    assert_false(rb_retry_allowed(&error));
}

static void waits_longer_each_time_up_to_a_minute(void **state)
{
    (void)state;
    struct rb_error error = transient();
    for (uint32_t random = 0; random < 5; random++) {
        int64_t first = rb_retry_delay_ms(&error, 1, random * 977);
        int64_t third = rb_retry_delay_ms(&error, 3, random * 977);
        assert_in_range(first, 750, 1250);
        assert_in_range(third, 3000, 5000);
        assert_in_range(rb_retry_delay_ms(&error, 30, random * 977), 45000, 75000);
    }
    error.backoff = RB_BACKOFF_FAST;
    assert_in_range(rb_retry_delay_ms(&error, 1, 3), 75, 125);
    error.retry_after_ms = 7000;
    assert_in_range(rb_retry_delay_ms(&error, 1, 3), 5250, 8750);
}

struct code_case {
    enum rb_fault_side side;
    int status;
    const char *code;
    int expected;
};

static void maps_faults_to_exit_codes(void **state)
{
    (void)state;
    static const struct code_case cases[] = {
        {RB_FAULT_ENGINE, RB_EINTERNAL, "X", RB_EXIT_INTERNAL},
        {RB_FAULT_ENGINE, RB_ECONFIG, "X", RB_EXIT_USAGE},
        {RB_FAULT_SOURCE, RB_ECONFIG, "X", RB_EXIT_SOURCE},
        {RB_FAULT_SOURCE, RB_ENETWORK, "X", RB_EXIT_SOURCE},
        {RB_FAULT_SOURCE, RB_ESCHEMA, "X", RB_EXIT_SOURCE},
        {RB_FAULT_SOURCE, RB_EDATA, "X", RB_EXIT_DATA},
        {RB_FAULT_SOURCE, RB_ETIMEOUT, "X", RB_EXIT_SOURCE},
        {RB_FAULT_DESTINATION, RB_EAUTH, "X", RB_EXIT_DESTINATION},
        {RB_FAULT_DESTINATION, RB_ESCHEMA, "X", RB_EXIT_DATA},
        {RB_FAULT_DESTINATION, RB_EINTERNAL, "PIPELINE_LOCKED", RB_EXIT_STATE},
        {RB_FAULT_ENGINE, RB_ECONNECTOR, "X", RB_EXIT_CONNECTOR},
        {RB_FAULT_SOURCE, RB_ECONNECTOR, "X", RB_EXIT_CONNECTOR},
        {RB_FAULT_TRANSFORM, RB_EINTERNAL, "X", RB_EXIT_CONNECTOR},
        {RB_FAULT_ENGINE, RB_ESTATE, "X", RB_EXIT_STATE},
        {RB_FAULT_ENGINE, RB_ELOCKED, "X", RB_EXIT_STATE},
        {RB_FAULT_ENGINE, RB_ECANCELLED, "X", RB_EXIT_CANCELLED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rb_fault fault = {.side = cases[i].side};
        rb_error_set(&fault.error, cases[i].status, cases[i].code, "x");
        assert_int_equal(rb_fault_exit_code(&fault), cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retries_what_is_retryable_and_safe),
        cmocka_unit_test(never_retries_final_classes),
        cmocka_unit_test(never_retries_an_unknown_commit),
        cmocka_unit_test(waits_longer_each_time_up_to_a_minute),
        cmocka_unit_test(maps_faults_to_exit_codes),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
