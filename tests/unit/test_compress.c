#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "host/worker/budget.h"
#include "host/worker/compress.h"

static uint8_t *text_bytes(size_t len)
{
    uint8_t *data = malloc(len);
    assert_non_null(data);
    for (size_t i = 0; i < len; i++) {
        data[i] = (uint8_t)((size_t)(unsigned char)"customer-0000"[i % 13] + (i / 1000) % 3);
    }
    return data;
}

static uint8_t *noise_bytes(size_t len)
{
    uint8_t *data = malloc(len);
    uint64_t x = 88172645463325252ULL;
    assert_non_null(data);
    for (size_t i = 0; i < len; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        data[i] = (uint8_t)x;
    }
    return data;
}

static void round_trip(struct rb_compressor *c, const uint8_t *data, size_t len,
                       enum rb_compression expected)
{
    const void *packed = NULL;
    size_t packed_len = 0;
    enum rb_compression codec = RB_COMPRESSION_NONE;
    assert_int_equal(rb_compress(c, data, len, &packed, &packed_len, &codec, NULL), 0);
    assert_int_equal(codec, expected);
    assert_true(codec == RB_COMPRESSION_NONE ? packed_len == len : packed_len < len / 2);
    /* From memory of exactly this size into memory of exactly that, so that ASan sees a byte more.
     */
    uint8_t *in = malloc(packed_len);
    uint8_t *out = malloc(len);
    assert_non_null(in);
    assert_non_null(out);
    memcpy(in, packed, packed_len);
    assert_int_equal(rb_decompress(c, codec, in, packed_len, out, len, NULL), 0);
    assert_memory_equal(out, data, len);
    free(in);
    free(out);
}

static void test_round_trip(void **state)
{
    (void)state;
    for (int codec = RB_COMPRESSION_NONE; codec <= RB_COMPRESSION_ZSTD; codec++) {
        struct rb_compressor c;
        rb_compressor_init(&c, (enum rb_compression)codec);
        for (size_t len = 1000; len <= 5000000; len *= 10) { /* contexts are used again */
            uint8_t *text = text_bytes(len);
            uint8_t *noise = noise_bytes(len);
            round_trip(&c, text, len, (enum rb_compression)codec);
            round_trip(&c, noise, len, RB_COMPRESSION_NONE);
            free(text);
            free(noise);
        }
        uint8_t one = 1;
        round_trip(&c, &one, 1, RB_COMPRESSION_NONE);
        rb_compressor_release(&c);
    }
}

static void corrupt_every_way(enum rb_compression which)
{
    enum { LEN = 2000 };
    struct rb_compressor c;
    struct rb_error err;
    rb_compressor_init(&c, which);
    uint8_t *data = text_bytes(LEN);
    const void *packed = NULL;
    size_t len = 0;
    enum rb_compression codec;
    assert_int_equal(rb_compress(&c, data, LEN, &packed, &len, &codec, NULL), 0);
    assert_int_equal(codec, which);
    uint8_t *out = malloc(LEN);
    assert_non_null(out);
    /* Another size than it is. */
    assert_int_equal(rb_decompress(&c, codec, packed, len, out, LEN - 1, &err), RB_EPROTOCOL);
    assert_string_equal(err.code, "DECOMPRESS");
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *in = malloc(cut + 1);
        assert_non_null(in);
        memcpy(in, packed, cut);
        assert_int_equal(rb_decompress(&c, codec, in, cut, out, LEN, NULL), RB_EPROTOCOL);
        free(in);
    }
    for (size_t i = 0; i < len; i++) { /* may still be well-formed; must stay inside */
        uint8_t *in = malloc(len);
        assert_non_null(in);
        memcpy(in, packed, len);
        in[i] ^= 0xff;
        int r = rb_decompress(&c, codec, in, len, out, LEN, NULL);
        assert_true(r == 0 || r == RB_EPROTOCOL);
        free(in);
    }
    free(out);
    free(data);
    rb_compressor_release(&c);
}

static void test_corrupt_input(void **state)
{
    (void)state;
    corrupt_every_way(RB_COMPRESSION_LZ4);
    corrupt_every_way(RB_COMPRESSION_ZSTD);
    struct rb_compressor c;
    uint8_t out[4];
    rb_compressor_init(&c, RB_COMPRESSION_NONE);
    assert_int_equal(rb_decompress(&c, RB_COMPRESSION_NONE, "abc", 3, out, 4, NULL), RB_EPROTOCOL);
    rb_compressor_release(&c);
}

static void test_budget(void **state)
{
    (void)state;
    const uint64_t mib = 1024 * 1024;
    struct rb_connector_spec connectors[3] = {0};
    struct rb_worker_spec spec = {.connectors = connectors,
                                  .n_connectors = 2,
                                  .lanes = 1,
                                  .max_memory_bytes = 256 * mib,
                                  .max_inflight_bytes = 16 * mib};
    struct rb_budget b;
    struct rb_error err;
    assert_int_equal(rb_budget_divide(&spec, &b, NULL), 0);
    assert_true(b.channel_bytes == 16 * mib);
    assert_true(b.control_guest_bytes == 30 * mib);
    assert_true(b.lane_guest_bytes == 90 * mib);

    /* All guests and channels together never exceed it, whatever the shape. */
    for (spec.n_connectors = 1; spec.n_connectors <= 3; spec.n_connectors++) {
        for (spec.lanes = 1; spec.lanes <= 64; spec.lanes++) {
            if (rb_budget_divide(&spec, &b, &err) != 0) {
                assert_string_equal(err.code, "MAX_MEMORY");
                continue;
            }
            uint64_t n = spec.n_connectors;
            uint64_t lanes = (uint64_t)spec.lanes;
            assert_true(n * b.control_guest_bytes + lanes * n * b.lane_guest_bytes +
                            lanes * (n - 1) * b.channel_bytes <=
                        spec.max_memory_bytes);
            assert_true(b.lane_guest_bytes >= 6 * mib);
            /* A plan of many streams takes as much however many lanes they share. */
            assert_true(b.control_guest_bytes >= 2 * mib);
            if (b.lane_guest_bytes > 6 * mib) {
                assert_true(b.control_guest_bytes >= 191 * mib / 4 / n);
            }
        }
    }
    spec.n_connectors = 2;
    spec.lanes = 8;
    spec.max_memory_bytes = 64 * mib;
    assert_int_equal(rb_budget_divide(&spec, &b, &err), RB_ECONFIG);
    /* What it says would do does. */
    unsigned long long need = 0;
    const char *at = strstr(err.message, "takes ");
    assert_non_null(at);
    need = strtoull(at + 6, NULL, 10);
    spec.max_memory_bytes = need * mib;
    assert_int_equal(rb_budget_divide(&spec, &b, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_corrupt_input),
        cmocka_unit_test(test_budget),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
