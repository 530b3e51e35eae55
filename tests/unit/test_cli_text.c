/* Figures as people read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/cli/text.h"

static void groups_digits(void **state)
{
    (void)state;
    char out[RB_TEXT_MAX];
    assert_string_equal(rb_text_count(0, out), "0");
    assert_string_equal(rb_text_count(999, out), "999");
    assert_string_equal(rb_text_count(1000, out), "1,000");
    assert_string_equal(rb_text_count(-1234567, out), "-1,234,567");
    assert_string_equal(rb_text_count(INT64_MAX, out), "9,223,372,036,854,775,807");
    assert_string_equal(rb_text_count(INT64_MIN, out), "-9,223,372,036,854,775,808");
}

static void names_units(void **state)
{
    (void)state;
    char out[RB_TEXT_MAX];
    assert_string_equal(rb_text_bytes(999, out), "999 B");
    assert_string_equal(rb_text_bytes(12345678, out), "12.3 MB");
    assert_string_equal(rb_text_secs(0.4, out), "0.40 s");
    assert_string_equal(rb_text_secs(123, out), "2:03 min");
    assert_string_equal(rb_text_secs(3723, out), "1:02:03 h");
}

static void counts_characters_and_hides_controls(void **state)
{
    (void)state;
    char text[] = "Łódź\x1b[31m\n";
    assert_int_equal(rb_text_width("Łódź"), 4);
    rb_text_sanitize(text);
    assert_string_equal(text, "Łódź?[31m?");
    char c1[] = "\xc2\x9b"
                "31m\xc2\xa0\xc2";
    rb_text_sanitize(c1);
    assert_string_equal(c1, "??31m\xc2\xa0\xc2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_digits),
        cmocka_unit_test(names_units),
        cmocka_unit_test(counts_characters_and_hides_controls),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
