/* Figures as people read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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
    assert_string_equal(c1, "??31m\xc2\xa0?");
}

static void hides_lines_and_directions(void **state)
{
    (void)state;
    static const uint32_t unsafe[] = {0x061c, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a,
                                      0x202e, 0x2066, 0x2069, 0x206f, 0x85};
    for (size_t i = 0; i < sizeof unsafe / sizeof *unsafe; i++) {
        uint32_t c = unsafe[i];
        char text[8] = {'a'};
        char *at = text + 1;
        if (c >= 0x800) {
            *at++ = (char)(0xe0U | c >> 12);
            *at++ = (char)(0x80U | (c >> 6 & 0x3fU));
        } else {
            *at++ = (char)(0xc0U | c >> 6);
        }
        *at++ = (char)(0x80U | (c & 0x3fU));
        *at = 'b';
        rb_text_sanitize(text);
        assert_string_equal(text, c >= 0x800 ? "a???b" : "a??b");
    }
    /* Their neighbours, and what is written from right to left, stay as they are. */
    char fine[] = "\xd8\x9b \xe2\x80\x8d \xe2\x80\x90 \xe2\x80\xa7 \xe2\x80\xaf \xe2\x81\xa4 "
                  "\xe2\x81\xb0 \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xf0\x9f\x90\x98";
    char same[sizeof fine];
    memcpy(same, fine, sizeof fine);
    rb_text_sanitize(fine);
    assert_string_equal(fine, same);
}

/* A terminal of eight bits would take them for controls. */
static void hides_what_is_not_utf8(void **state)
{
    (void)state;
    char text[] = "\x9b 31m \xff \xc0\x9b \xe0\x80\x9b \xed\xa0\x80 \xf4\x90\x80\x80 \xe2\x80";
    rb_text_sanitize(text);
    assert_string_equal(text, "? 31m ? ?? ??? ??? ???? ??");
}

static void put(void *user, const char *text, size_t len)
{
    char *out = user;
    size_t have = strlen(out);
    memcpy(out + have, text, len);
    out[have + len] = 0;
}

static void escapes_in_json(void **state)
{
    (void)state;
    char out[128] = "";
    static const char json[] = "{\"a\": \"\xc2\x9b \xe2\x80\xae \x7f \xc3\xa9 \x9b\",\n\"b\":\t1}";
    rb_text_escape_json(json, sizeof json - 1, put, out);
    assert_string_equal(out, "{\"a\": \"\\u009b \\u202e \\u007f \xc3\xa9 \\ufffd\", \"b\": 1}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_digits),
        cmocka_unit_test(names_units),
        cmocka_unit_test(counts_characters_and_hides_controls),
        cmocka_unit_test(hides_lines_and_directions),
        cmocka_unit_test(hides_what_is_not_utf8),
        cmocka_unit_test(escapes_in_json),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
