#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "host/crypto/md5.h"
#include "host/crypto/scram.h"

/* RFC 7677, section 3. */
#define NONCE "rOprNGfwEbeRWgbNEkqO"
#define BOTH_NONCES NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define SALT "W22ZaJ0SNY7soEsUEjb6gQ=="
static const char SERVER_FIRST[] = "r=" BOTH_NONCES ",s=" SALT ",i=4096";
static const char SERVER_FINAL[] = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

static struct rb_scram *begin(struct rb_buf *out)
{
    const struct rb_scram_options options = {.user = "user", .password = "pencil", .nonce = NONCE};
    struct rb_scram *scram = NULL;
    assert_int_equal(rb_scram_new(&options, &scram, NULL), 0);
    assert_int_equal(rb_scram_first(scram, out, NULL), 0);
    return scram;
}

static void the_vector_of_rfc_7677(void **state)
{
    (void)state;
    struct rb_buf out = RB_BUF_INIT(RB_SCRAM_MESSAGE_MAX);
    struct rb_scram *scram = begin(&out);
    assert_string_equal(rb_buf_str(&out), "n,,n=user,r=" NONCE);
    rb_buf_clear(&out);
    assert_int_equal(rb_scram_final(scram, SERVER_FIRST, strlen(SERVER_FIRST), &out, NULL), 0);
    assert_string_equal(rb_buf_str(&out),
                        "c=biws,r=" BOTH_NONCES ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    assert_int_equal(rb_scram_verify(scram, SERVER_FINAL, strlen(SERVER_FINAL), NULL), 0);
    rb_scram_free(scram);
    rb_buf_release(&out);
}

static void malformed_first_messages_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
    } rows[] = {
        {"", RB_EPROTOCOL},
        {"r=", RB_EPROTOCOL},
        {"m=ext,r=" BOTH_NONCES ",s=" SALT ",i=4096", RB_EPROTOCOL},
        {"r=" NONCE ",s=" SALT ",i=4096", RB_EPROTOCOL},
        {"r=X" BOTH_NONCES ",s=" SALT ",i=4096", RB_EPROTOCOL},
        {"r=" BOTH_NONCES, RB_EPROTOCOL},
        {"r=" BOTH_NONCES ",s=,i=4096", RB_EPROTOCOL},
        {"r=" BOTH_NONCES ",s=W22Z*J0SNY7soEsUEjb6gQ==,i=4096", RB_EPROTOCOL},
        {"r=" BOTH_NONCES ",s=W22ZaJ0SNY7soEsUEjb6gQ=,i=4096", RB_EPROTOCOL},
        {"r=" BOTH_NONCES ",s=" SALT, RB_EPROTOCOL},
        {"r=" BOTH_NONCES ",s=" SALT ",i=0", RB_EPROTOCOL},
        {"r=" BOTH_NONCES ",s=" SALT ",i=-4096", RB_EPROTOCOL},
        {"r=" BOTH_NONCES ",s=" SALT ",i=4096x", RB_EPROTOCOL},
        {"r=" BOTH_NONCES ",s=" SALT ",i=99999999999999999999", RB_EPROTOCOL},
        {"r=" BOTH_NONCES ",s=" SALT ",i=1000001", RB_EAUTH},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rb_buf out = RB_BUF_INIT(RB_SCRAM_MESSAGE_MAX);
        struct rb_scram *scram = begin(&out);
        rb_buf_clear(&out);
        int r = rb_scram_final(scram, rows[i].text, strlen(rows[i].text), &out, NULL);
        assert_int_equal(r, rows[i].status);
        assert_int_equal(out.len, 0);
        rb_scram_free(scram);
        rb_buf_release(&out);
    }
}

static void a_wrong_signature_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
        const char *code;
    } rows[] = {
        {"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", RB_EAUTH, "SERVER_SIGNATURE"},
        {"v=6rri", RB_EAUTH, "SERVER_SIGNATURE"},
        {"v=", RB_EPROTOCOL, "SCRAM_MALFORMED"},
        {"", RB_EPROTOCOL, "SCRAM_MALFORMED"},
        {"e=invalid-proof", RB_EAUTH, "AUTH_FAILED"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rb_buf out = RB_BUF_INIT(2 * RB_SCRAM_MESSAGE_MAX);
        struct rb_scram *scram = begin(&out);
        struct rb_error err = {0};
        assert_int_equal(rb_scram_final(scram, SERVER_FIRST, strlen(SERVER_FIRST), &out, NULL), 0);
        int r = rb_scram_verify(scram, rows[i].text, strlen(rows[i].text), &err);
        assert_int_equal(r, rows[i].status);
        assert_string_equal(err.code, rows[i].code);
        rb_scram_free(scram);
        rb_buf_release(&out);
    }
}

static void steps_out_of_turn_are_refused(void **state)
{
    (void)state;
    struct rb_buf out = RB_BUF_INIT(2 * RB_SCRAM_MESSAGE_MAX);
    struct rb_scram *scram = begin(&out);
    assert_int_equal(rb_scram_first(scram, &out, NULL), RB_EPROTOCOL);
    assert_int_equal(rb_scram_verify(scram, SERVER_FINAL, strlen(SERVER_FINAL), NULL),
                     RB_EPROTOCOL);
    assert_int_equal(rb_scram_final(scram, SERVER_FIRST, strlen(SERVER_FIRST), &out, NULL), 0);
    assert_int_equal(rb_scram_final(scram, SERVER_FIRST, strlen(SERVER_FIRST), &out, NULL),
                     RB_EPROTOCOL);
    rb_scram_free(scram);
    rb_buf_release(&out);
}

static void names_are_escaped_and_nonces_differ(void **state)
{
    (void)state;
    struct rb_buf out[2] = {RB_BUF_INIT(RB_SCRAM_MESSAGE_MAX), RB_BUF_INIT(RB_SCRAM_MESSAGE_MAX)};
    for (size_t i = 0; i < 2; i++) {
        const struct rb_scram_options options = {
            .user = "a=b,c", .password = "x", .binding = RB_SCRAM_BINDING_NOT_OFFERED};
        struct rb_scram *scram = NULL;
        assert_int_equal(rb_scram_new(&options, &scram, NULL), 0);
        assert_int_equal(rb_scram_first(scram, &out[i], NULL), 0);
        assert_memory_equal(out[i].data, "y,,n=a=3Db=2Cc,r=", 17);
        assert_int_equal(out[i].len, 17 + 24);
        rb_scram_free(scram);
    }
    assert_string_not_equal(rb_buf_str(&out[0]), rb_buf_str(&out[1]));
    rb_buf_release(&out[0]);
    rb_buf_release(&out[1]);
}

static void md5_of_postgres(void **state)
{
    (void)state;
    /* md5sum: md5(md5("secretalice") in hexadecimal + 01 02 03 04). */
    const uint8_t salt[4] = {1, 2, 3, 4};
    char answer[RB_MD5_POSTGRES_LEN + 1];
    assert_int_equal(rb_md5_postgres("secret", "alice", 5, salt, answer, NULL), 0);
    assert_string_equal(answer, "md598a0412b9c31436fc53776e863350083");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vector_of_rfc_7677),
        cmocka_unit_test(malformed_first_messages_are_refused),
        cmocka_unit_test(a_wrong_signature_is_refused),
        cmocka_unit_test(steps_out_of_turn_are_refused),
        cmocka_unit_test(names_are_escaped_and_nonces_differ),
        cmocka_unit_test(md5_of_postgres),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
