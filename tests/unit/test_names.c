/* A set of names with a limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "host/worker/names.h"

static int add(struct rb_names *names, int number, uint64_t max)
{
    char name[32];
    int len = snprintf(name, sizeof name, "name %d", number);
    return rb_names_add(names, name, (size_t)len, max, NULL);
}

static void names_are_counted_once(void **state)
{
    (void)state;
    struct rb_names names = {.n = 0};
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 5000; i++) {
            assert_int_equal(add(&names, i, 5000), 0);
        }
        assert_int_equal(names.n, 5000);
    }
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(add(&names, i, 5000), i < 5000 ? 0 : 1);
    }
    assert_int_equal(names.n, 5000);
    assert_int_equal(names.n_slots, 16384);
    assert_int_equal(add(&names, 5000, 0), 0); /* without a limit */
    rb_names_clear(&names);
    assert_int_equal(add(&names, 5000, 1), 0);
    assert_int_equal(add(&names, 1, 1), 1);
    assert_int_equal(rb_names_add(&names, "", 0, 2, NULL), 0);
    assert_int_equal(rb_names_add(&names, "", 0, 2, NULL), 0);
    assert_int_equal(names.n, 2);
    rb_names_release(&names);
    rb_names_release(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_are_counted_once)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
