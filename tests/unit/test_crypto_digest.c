#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/crypto/digest.h"

/* FIPS 180-2, appendix B.1. */
static const char ABC[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

static void sha256_of_bytes(void **state)
{
    (void)state;
    uint8_t digest[32];
    char hex[RB_SHA256_HEX_LEN + 1];
    rb_sha256("abc", 3, digest);
    rb_hex(digest, sizeof digest, hex);
    assert_string_equal(hex, ABC);
    rb_sha256("", 0, digest);
    rb_hex(digest, sizeof digest, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void sha256_of_a_file(void **state)
{
    (void)state;
    char path[] = "/tmp/rb_digest_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "abc", 3), 3);
    char hex[RB_SHA256_HEX_LEN + 1];
    assert_int_equal(rb_sha256_file(path, hex, NULL), 0);
    assert_string_equal(hex, ABC);

    /* Longer than one read: a million times "a" (FIPS 180-2, appendix B.3). */
    char chunk[1000];
    memset(chunk, 'a', sizeof chunk);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(write(fd, chunk, sizeof chunk), (ssize_t)sizeof chunk);
    }
    assert_int_equal(rb_sha256_file(path, hex, NULL), 0);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    close(fd);
    unlink(path);
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
    (void)state;
    struct rb_error err = {0};
    char hex[RB_SHA256_HEX_LEN + 1] = "untouched";
    assert_int_equal(rb_sha256_file("/nonexistent/file", hex, &err), RB_EIO);
    assert_string_equal(hex, "untouched");
    assert_non_null(strstr(err.message, "/nonexistent/file"));
    assert_int_equal(rb_sha256_file("/tmp", hex, &err), RB_EIO);
}

static void random_bytes_differ(void **state)
{
    (void)state;
    uint8_t a[32] = {0};
    uint8_t b[32] = {0};
    assert_int_equal(rb_random(a, sizeof a, NULL), 0);
    assert_int_equal(rb_random(b, sizeof b, NULL), 0);
    assert_memory_not_equal(a, b, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_of_bytes),
        cmocka_unit_test(sha256_of_a_file),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named),
        cmocka_unit_test(random_bytes_differ),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
