#include "host/crypto/scram.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "host/crypto/digest.h"

enum {
    HASH_BYTES = 32,
    NONCE_BYTES = 18, /* as libpq: 24 characters of base64 */
    SALT_BYTES_MAX = 1024,
    BINDING_BYTES_MAX = 256,
};

enum step { STEP_FIRST, STEP_FINAL, STEP_VERIFY, STEP_DONE };

struct rb_scram {
    enum step step;
    char *password; /* wiped when freed */
    struct rb_buf nonce;
    struct rb_buf gs2_header;
    struct rb_buf first_bare;
    uint8_t binding[BINDING_BYTES_MAX];
    size_t binding_len;
    uint8_t server_signature[HASH_BYTES];
};

struct slice {
    const char *at;
    size_t len;
};

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for SCRAM authentication");
}

static int malformed(struct rb_error *err, const char *what)
{
    return rb_error_set(err, RB_EPROTOCOL, "SCRAM_MALFORMED",
                        "the server's SCRAM message is malformed: %s", what);
}

static int append_base64(struct rb_buf *buf, const uint8_t *data, size_t len)
{
    char text[4 * (SALT_BYTES_MAX + 2) / 3 + 1];
    if (len > SALT_BYTES_MAX) {
        return RB_ENOMEM;
    }
    int n = EVP_EncodeBlock((uint8_t *)text, data, (int)len);
    return rb_buf_append(buf, text, (size_t)n);
}

static bool is_base64(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

/* Strict: no space, whole groups of four, "=" only as the last one or two. EVP_DecodeBlock counts
 * the padding as bytes. False when it isn't base64 or more than `cap` bytes. */
static bool decode_base64(struct slice text, uint8_t *out, size_t cap, size_t *ret_len)
{
    uint8_t plain[SALT_BYTES_MAX + 3];
    size_t pad = 0;
    while (pad < 2 && pad < text.len && text.at[text.len - 1 - pad] == '=') {
        pad++;
    }
    if (text.len == 0 || text.len % 4 != 0 || text.len / 4 * 3 > sizeof plain) {
        return false;
    }
    for (size_t i = 0; i < text.len - pad; i++) {
        if (!is_base64(text.at[i])) {
            return false;
        }
    }
    int n = EVP_DecodeBlock(plain, (const uint8_t *)text.at, (int)text.len);
    if (n < 0 || (size_t)n < pad || (size_t)n - pad > cap) {
        return false;
    }
    memcpy(out, plain, (size_t)n - pad);
    *ret_len = (size_t)n - pad;
    return true;
}

static bool hmac(const uint8_t *key, size_t key_len, const void *data, size_t len,
                 uint8_t ret_mac[HASH_BYTES])
{
    unsigned n = 0;
    return HMAC(EVP_sha256(), key, (int)key_len, data, len, ret_mac, &n) != NULL && n == HASH_BYTES;
}

static int make_nonce(struct rb_scram *scram, const char *given, struct rb_error *err)
{
    if (given != NULL) {
        return rb_buf_append_str(&scram->nonce, given) < 0 ? no_memory(err) : 0;
    }
    uint8_t bytes[NONCE_BYTES];
    int r = rb_random(bytes, sizeof bytes, err);
    if (r < 0) {
        return r;
    }
    return append_base64(&scram->nonce, bytes, sizeof bytes) < 0 ? no_memory(err) : 0;
}

static int make_first(struct rb_scram *scram, const struct rb_scram_options *options,
                      struct rb_error *err)
{
    static const char *const headers[] = {
        [RB_SCRAM_BINDING_NONE] = "n,,",
        [RB_SCRAM_BINDING_NOT_OFFERED] = "y,,",
        [RB_SCRAM_BINDING_END_POINT] = "p=tls-server-end-point,,",
    };
    int r = rb_buf_append_str(&scram->gs2_header, headers[options->binding]);
    if (r == 0) {
        r = rb_buf_append_str(&scram->first_bare, "n=");
    }
    for (const char *c = options->user; r == 0 && *c != 0; c++) {
        if (*c == '=' || *c == ',') {
            r = rb_buf_append_str(&scram->first_bare, *c == '=' ? "=3D" : "=2C");
        } else {
            r = rb_buf_append(&scram->first_bare, c, 1);
        }
    }
    if (r == 0) {
        r = rb_buf_printf(&scram->first_bare, ",r=%s", rb_buf_str(&scram->nonce));
    }
    return r < 0 ? no_memory(err) : 0;
}

static void free_scram(struct rb_scram **scram)
{
    rb_scram_free(*scram);
}

int rb_scram_new(const struct rb_scram_options *options, struct rb_scram **ret_scram,
                 struct rb_error *err)
{
    RB_CLEANUP(free_scram) struct rb_scram *scram = calloc(1, sizeof *scram);
    if (scram == NULL) {
        return no_memory(err);
    }
    rb_buf_init(&scram->nonce, RB_SCRAM_MESSAGE_MAX);
    rb_buf_init(&scram->gs2_header, RB_SCRAM_MESSAGE_MAX);
    rb_buf_init(&scram->first_bare, RB_SCRAM_MESSAGE_MAX);
    scram->password = strdup(options->password);
    if (scram->password == NULL || options->end_point_len > sizeof scram->binding) {
        return no_memory(err);
    }
    if (options->binding == RB_SCRAM_BINDING_END_POINT) {
        memcpy(scram->binding, options->end_point, options->end_point_len);
        scram->binding_len = options->end_point_len;
    }
    int r = make_nonce(scram, options->nonce, err);
    if (r < 0) {
        return r;
    }
    r = make_first(scram, options, err);
    if (r < 0) {
        return r;
    }
    *ret_scram = scram;
    scram = NULL;
    return 0;
}

void rb_scram_free(struct rb_scram *scram)
{
    if (scram == NULL) {
        return;
    }
    if (scram->password != NULL) {
        OPENSSL_cleanse(scram->password, strlen(scram->password));
        free(scram->password);
    }
    rb_buf_release(&scram->nonce);
    rb_buf_release(&scram->gs2_header);
    rb_buf_release(&scram->first_bare);
    OPENSSL_cleanse(scram, sizeof *scram);
    free(scram);
}

int rb_scram_first(struct rb_scram *scram, struct rb_buf *ret, struct rb_error *err)
{
    if (scram->step != STEP_FIRST) {
        return malformed(err, "out of turn");
    }
    if (rb_buf_append(ret, scram->gs2_header.data, scram->gs2_header.len) < 0 ||
        rb_buf_append(ret, scram->first_bare.data, scram->first_bare.len) < 0) {
        return no_memory(err);
    }
    scram->step = STEP_FINAL;
    return 0;
}

/* Takes "<name>=value" and the comma after it off the front. */
static bool take_attribute(struct slice *rest, char name, struct slice *ret_value)
{
    if (rest->len < 2 || rest->at[0] != name || rest->at[1] != '=') {
        return false;
    }
    const char *start = rest->at + 2;
    size_t left = rest->len - 2;
    const char *comma = memchr(start, ',', left);
    size_t len = comma != NULL ? (size_t)(comma - start) : left;
    *ret_value = (struct slice){start, len};
    size_t taken = comma != NULL ? len + 1 : len;
    *rest = (struct slice){start + taken, left - taken};
    return true;
}

static bool parse_iterations(struct slice text, int64_t *ret)
{
    int64_t n = 0;
    if (text.len == 0 || text.len > 12) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9') {
            return false;
        }
        n = 10 * n + (text.at[i] - '0');
    }
    *ret = n;
    return n > 0;
}

struct server_first {
    struct slice nonce;
    uint8_t salt[SALT_BYTES_MAX];
    size_t salt_len;
    int iterations;
};

static int parse_server_first(const struct rb_scram *scram, struct slice rest,
                              struct server_first *ret, struct rb_error *err)
{
    struct slice salt;
    struct slice iterations;
    int64_t n = 0;
    if (!take_attribute(&rest, 'r', &ret->nonce)) {
        return malformed(err, "no nonce (or an extension that we don't know)");
    }
    if (ret->nonce.len <= scram->nonce.len ||
        memcmp(ret->nonce.at, scram->nonce.data, scram->nonce.len) != 0) {
        return malformed(err, "its nonce does not begin with ours");
    }
    if (!take_attribute(&rest, 's', &salt) ||
        !decode_base64(salt, ret->salt, sizeof ret->salt, &ret->salt_len)) {
        return malformed(err, "no valid salt");
    }
    if (!take_attribute(&rest, 'i', &iterations) || !parse_iterations(iterations, &n)) {
        return malformed(err, "no valid iteration count");
    }
    if (n > RB_SCRAM_ITERATIONS_MAX) {
        return rb_error_set(err, RB_EAUTH, "SCRAM_ITERATIONS",
                            "the server asks for %lld iterations of SCRAM, at most %d are done",
                            (long long)n, RB_SCRAM_ITERATIONS_MAX);
    }
    ret->iterations = (int)n;
    return 0;
}

/* "c=" + base64(gs2-header + binding) + ",r=" + nonce */
static int append_without_proof(const struct rb_scram *scram, struct slice nonce,
                                struct rb_buf *ret)
{
    uint8_t input[64 + BINDING_BYTES_MAX];
    size_t len = scram->gs2_header.len;
    memcpy(input, scram->gs2_header.data, len);
    memcpy(input + len, scram->binding, scram->binding_len);
    int r = rb_buf_append_str(ret, "c=");
    if (r == 0) {
        r = append_base64(ret, input, len + scram->binding_len);
    }
    if (r == 0) {
        r = rb_buf_append_str(ret, ",r=");
    }
    return r == 0 ? rb_buf_append(ret, nonce.at, nonce.len) : r;
}

/* RFC 5802, section 3. */
static bool compute_proof(struct rb_scram *scram, const struct server_first *first,
                          const struct rb_buf *auth, uint8_t ret_proof[HASH_BYTES])
{
    uint8_t salted[HASH_BYTES];
    uint8_t client_key[HASH_BYTES];
    uint8_t server_key[HASH_BYTES];
    uint8_t stored_key[HASH_BYTES];
    uint8_t signature[HASH_BYTES];
    bool ok = PKCS5_PBKDF2_HMAC(scram->password, (int)strlen(scram->password), first->salt,
                                (int)first->salt_len, first->iterations, EVP_sha256(),
                                sizeof salted, salted) == 1 &&
              hmac(salted, sizeof salted, "Client Key", 10, client_key) &&
              hmac(salted, sizeof salted, "Server Key", 10, server_key) &&
              hmac(server_key, sizeof server_key, auth->data, auth->len, scram->server_signature);
    if (ok) {
        rb_sha256(client_key, sizeof client_key, stored_key);
        ok = hmac(stored_key, sizeof stored_key, auth->data, auth->len, signature);
    }
    for (size_t i = 0; ok && i < HASH_BYTES; i++) {
        ret_proof[i] = client_key[i] ^ signature[i];
    }
    OPENSSL_cleanse(salted, sizeof salted);
    OPENSSL_cleanse(client_key, sizeof client_key);
    OPENSSL_cleanse(server_key, sizeof server_key);
    OPENSSL_cleanse(stored_key, sizeof stored_key);
    return ok;
}

int rb_scram_final(struct rb_scram *scram, const char *server_first, size_t len, struct rb_buf *ret,
                   struct rb_error *err)
{
    if (scram->step != STEP_FINAL || len > RB_SCRAM_MESSAGE_MAX) {
        return malformed(err, scram->step != STEP_FINAL ? "out of turn" : "too long");
    }
    struct server_first first = {0};
    int r = parse_server_first(scram, (struct slice){server_first, len}, &first, err);
    if (r < 0) {
        return r;
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf final = RB_BUF_INIT(RB_SCRAM_MESSAGE_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf auth = RB_BUF_INIT(4 * RB_SCRAM_MESSAGE_MAX);
    if (append_without_proof(scram, first.nonce, &final) < 0 ||
        rb_buf_append(&auth, scram->first_bare.data, scram->first_bare.len) < 0 ||
        rb_buf_append_byte(&auth, ',') < 0 || rb_buf_append(&auth, server_first, len) < 0 ||
        rb_buf_append_byte(&auth, ',') < 0 || rb_buf_append(&auth, final.data, final.len) < 0) {
        return no_memory(err);
    }
    uint8_t proof[HASH_BYTES];
    if (!compute_proof(scram, &first, &auth, proof)) {
        return rb_error_set(err, RB_EINTERNAL, "SCRAM", "SHA-256 failed");
    }
    if (rb_buf_append_str(&final, ",p=") < 0 || append_base64(&final, proof, sizeof proof) < 0 ||
        rb_buf_append(ret, final.data, final.len) < 0) {
        return no_memory(err);
    }
    scram->step = STEP_VERIFY;
    return 0;
}

int rb_scram_verify(struct rb_scram *scram, const char *server_final, size_t len,
                    struct rb_error *err)
{
    if (scram->step != STEP_VERIFY || len > RB_SCRAM_MESSAGE_MAX) {
        return malformed(err, scram->step != STEP_VERIFY ? "out of turn" : "too long");
    }
    struct slice rest = {server_final, len};
    struct slice value;
    if (take_attribute(&rest, 'e', &value)) {
        return rb_error_set(err, RB_EAUTH, "AUTH_FAILED", "SCRAM authentication failed: %.*s",
                            (int)value.len, value.at);
    }
    uint8_t signature[HASH_BYTES];
    size_t n = 0;
    if (!take_attribute(&rest, 'v', &value) ||
        !decode_base64(value, signature, sizeof signature, &n)) {
        return malformed(err, "no signature of the server's");
    }
    if (n != sizeof signature || CRYPTO_memcmp(signature, scram->server_signature, n) != 0) {
        return rb_error_set(err, RB_EAUTH, "SERVER_SIGNATURE",
                            "the server's SCRAM signature is wrong: it does not know the password, "
                            "so it may not be the server it says it is");
    }
    scram->step = STEP_DONE;
    return 0;
}
