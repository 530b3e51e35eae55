/* base/hash: published vectors of SipHash, and the definition of the row hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

static void test_siphash_vectors(void **state)
{
    (void)state;
    uint8_t key[16];
    uint8_t data[15];
    for (uint8_t i = 0; i < 16; i++) {
        key[i] = i;
    }
    for (uint8_t i = 0; i < 15; i++) {
        data[i] = i;
    }
    /* The paper's appendix A, and the first of its authors' table. */
    assert_true(rb_hash_siphash(key, data, 15) == UINT64_C(0xa129ca6149be45e5));
    assert_true(rb_hash_siphash(key, data, 0) == UINT64_C(0x726fdb47dd0e0e31));
    assert_true(rb_hash_siphash(key, data, 8) == UINT64_C(0x93f5f5799a932462));
}

/* The header's definition, word by word, over a padded copy. */
static uint64_t row_by_definition(const uint8_t *data, size_t len)
{
    uint8_t padded[256] = {0};
    memcpy(padded, data, len);
    uint64_t a = len * RB_HASH_ROW_K1;
    uint64_t b = RB_HASH_ROW_K2;
    uint64_t c = RB_HASH_ROW_K1;
    uint64_t d = len ^ RB_HASH_ROW_K2;
    for (size_t i = 0; i < len; i += 32) {
        size_t at = i + 32 <= len || len < 32 ? i : len - 32;
        a = (rb_hash_rotate_left(a, 29) ^ rb_load_le64(padded + at)) * RB_HASH_ROW_M1;
        b = (rb_hash_rotate_left(b, 29) ^ rb_load_le64(padded + at + 8)) * RB_HASH_ROW_M2;
        c = (rb_hash_rotate_left(c, 33) ^ rb_load_le64(padded + at + 16)) * RB_HASH_ROW_M1;
        d = (rb_hash_rotate_left(d, 33) ^ rb_load_le64(padded + at + 24)) * RB_HASH_ROW_M2;
    }
    uint64_t h = a + rb_hash_rotate_left(b, 32) + (c ^ rb_hash_rotate_left(d, 19)) * RB_HASH_ROW_K1;
    h = (h ^ h >> 32) * RB_HASH_ROW_K1;
    h = (h ^ h >> 29) * RB_HASH_ROW_K2;
    return h ^ h >> 32;
}

static void test_row_as_defined_at_every_length(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 200; len++) {
        uint8_t *data = malloc(len + 1); /* its own allocation, so that ASan sees a read beyond */
        assert_non_null(data);
        uint8_t *exact = realloc(data, len > 0 ? len : 1);
        assert_non_null(exact);
        for (size_t i = 0; i < len; i++) {
            exact[i] = (uint8_t)(i * 37 + len);
        }
        assert_true(rb_hash_row(exact, len) == row_by_definition(exact, len));
        free(exact);
    }
}

static void test_row_is_frozen(void **state)
{
    (void)state;
    assert_true(rb_hash_row("", 0) == UINT64_C(0xeb06b7e9f095fdd7));
    assert_true(rb_hash_row("rapidbyte", 9) == UINT64_C(0xc40d9b5d6fa9b28c));
}

/* Each bit of a row changes about half of the hash's bits. */
static void test_row_spreads_every_bit(void **state)
{
    (void)state;
    uint8_t row[40];
    memset(row, 0, sizeof row);
    uint64_t before = rb_hash_row(row, sizeof row);
    for (size_t bit = 0; bit < sizeof row * 8; bit++) {
        row[bit / 8] ^= (uint8_t)(1u << bit % 8);
        int changed = __builtin_popcountll(before ^ rb_hash_row(row, sizeof row));
        assert_in_range(changed, 12, 52);
        row[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash_vectors),
        cmocka_unit_test(test_row_as_defined_at_every_length),
        cmocka_unit_test(test_row_is_frozen),
        cmocka_unit_test(test_row_spreads_every_bit),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
