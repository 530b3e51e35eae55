/* host/cli: a line of fields fits a terminal of any width. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "host/cli/fields.h"
#include "host/cli/text.h"

static void fill(struct rb_fields *fields)
{
    *fields = (struct rb_fields){.n = 0};
    rb_fields_add(fields, -20, 0, "%s", "a_rather_long_name_of_a_stream");
    rb_fields_add(fields, 13, 0, "%s rows", "1,234,567,890");
    rb_fields_add(fields, 4, 1, "%d %%", 42);
    rb_fields_add(fields, 10, 2, "%s", "1:02 min");
    rb_fields_add(fields, 0, 3, "%s", "");
    rb_fields_add(fields, 17, 4, "%s rows/s", "1,234,567");
}

static void test_all(void **ctx)
{
    (void)ctx;
    struct rb_fields fields;
    char out[512];
    fill(&fields);
    rb_fields_format(&fields, 200, out, sizeof out);
    assert_string_equal(out,
                        "  a_rather_long_name_of_a_stream  1,234,567,890 rows  42 %    1:02 min"
                        "   1,234,567 rows/s");
}

static void test_narrow(void **ctx)
{
    (void)ctx;
    static const size_t widths[] = {79, 59, 39, 30};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        struct rb_fields fields;
        char out[512];
        fill(&fields);
        rb_fields_format(&fields, widths[i], out, sizeof out);
        assert_true(rb_text_width(out) <= widths[i]);
        assert_non_null(strstr(out, "  1,234,567,890 rows"));
        assert_true(strstr(out, " rows/s") != NULL || strstr(out, "rows/") == NULL);
    }
}

static void test_characters(void **ctx)
{
    (void)ctx;
    struct rb_fields fields = {.n = 0};
    char out[512];
    rb_fields_add(&fields, -20, 0, "%s", "Łódź_Łódź_Łódź_Łódź");
    rb_fields_add(&fields, 0, 0, "%s", "12 rows");
    rb_fields_format(&fields, 20, out, sizeof out);
    assert_string_equal(out, "  Łódź_Łód…  12 rows");
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_narrow),
        cmocka_unit_test(test_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
