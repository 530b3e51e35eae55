#include "tests/support/auth_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "base/bytes.h"

#define SERVER_NONCE "serverpart"

enum { HASH_BYTES = 32, TEXT_MAX = 1024 };

struct conn {
    int fd;
    SSL *ssl;
    bool bytewise;
};

static bool conn_read(struct conn *conn, void *out, size_t len)
{
    if (conn->ssl == NULL) {
        return peer_read(conn->fd, out, len);
    }
    size_t total = 0;
    while (total < len) {
        size_t n = 0;
        if (SSL_read_ex(conn->ssl, (char *)out + total, len - total, &n) != 1) {
            return false;
        }
        total += n;
    }
    return true;
}

static bool conn_write(struct conn *conn, const void *data, size_t len)
{
    size_t step = conn->bytewise ? 1 : len;
    for (size_t at = 0; at < len; at += step) {
        const char *from = (const char *)data + at;
        size_t n = 0;
        if (conn->ssl == NULL ? !peer_write(conn->fd, from, step)
                              : SSL_write_ex(conn->ssl, from, step, &n) != 1) {
            return false;
        }
    }
    return true;
}

static bool send_auth(struct conn *conn, uint32_t code, const void *data, size_t len)
{
    uint8_t message[TEXT_MAX + 9];
    message[0] = 'R';
    rb_store_be32(message + 1, (uint32_t)(8 + len));
    rb_store_be32(message + 5, code);
    memcpy(message + 9, data, len);
    return conn_write(conn, message, 9 + len);
}

static bool send_error(struct conn *conn)
{
    static const char body[] = "SFATAL\0C28P01\0Mpassword authentication failed for user \"u\"\0"
                               "Dsome detail\0";
    uint8_t head[5] = {'E'};
    rb_store_be32(head + 1, 4 + sizeof body);
    return conn_write(conn, head, sizeof head) && conn_write(conn, body, sizeof body);
}

/* A NoticeResponse and a NegotiateProtocolVersion, to be skipped. */
static bool send_noise(struct conn *conn)
{
    static const char noise[] = "N\0\0\0\x0bMhello\0"
                                "v\0\0\0\x0c\0\0\0\0\0\0\0";
    return conn_write(conn, noise, 11 + 1 + 12 + 1);
}

/* The body of a 'p' message; its length, or -1. */
static int read_answer(struct conn *conn, char *out)
{
    uint8_t head[5];
    if (!conn_read(conn, head, sizeof head) || head[0] != 'p') {
        return -1;
    }
    uint32_t len = rb_load_be32(head + 1) - 4;
    if (len >= TEXT_MAX || !conn_read(conn, out, len)) {
        return -1;
    }
    out[len] = 0;
    return (int)len;
}

static void hmac(const void *key, const void *data, size_t len, uint8_t ret[HASH_BYTES])
{
    HMAC(EVP_sha256(), key, HASH_BYTES, data, len, ret, NULL);
}

struct exchange {
    char client_first[TEXT_MAX];
    char server_first[TEXT_MAX];
    char client_final[TEXT_MAX];
    const char *bare; /* of client_first */
};

/* "c=" must hold what was said at first and, with PLUS, the certificate's hash. */
static bool binding_fits(const struct auth_script *script, const struct exchange *exchange)
{
    uint8_t input[128];
    char want[256] = "c=";
    size_t len = (size_t)(exchange->bare - exchange->client_first);
    memcpy(input, exchange->client_first, len);
    if (script->binding == 'p') {
        X509_digest(script->cert, EVP_sha256(), input + len, NULL);
        len += HASH_BYTES;
    }
    int n = EVP_EncodeBlock((uint8_t *)want + 2, input, (int)len);
    return strncmp(exchange->client_final, want, (size_t)n + 2) == 0 &&
           exchange->client_final[n + 2] == ',';
}

/* RFC 5802, section 3; the server's signature in base64. */
static bool check_proof(const struct auth_script *script, const struct exchange *exchange,
                        int iterations, char *ret_signature)
{
    static const uint8_t salt[16] = "sixteen bytes...";
    uint8_t salted[HASH_BYTES];
    uint8_t client_key[HASH_BYTES];
    uint8_t stored_key[HASH_BYTES];
    uint8_t server_key[HASH_BYTES];
    uint8_t signature[HASH_BYTES];
    uint8_t proof[HASH_BYTES + 4];
    char auth[3 * TEXT_MAX];
    const char *p = strstr(exchange->client_final, ",p=");
    if (p == NULL || EVP_DecodeBlock(proof, (const uint8_t *)p + 3, (int)strlen(p + 3)) < 0) {
        return false;
    }
    int len = snprintf(auth, sizeof auth, "%s,%s,%.*s", exchange->bare, exchange->server_first,
                       (int)(p - exchange->client_final), exchange->client_final);
    PKCS5_PBKDF2_HMAC(script->password, (int)strlen(script->password), salt, sizeof salt,
                      iterations, EVP_sha256(), HASH_BYTES, salted);
    hmac(salted, "Client Key", 10, client_key);
    hmac(salted, "Server Key", 10, server_key);
    SHA256(client_key, HASH_BYTES, stored_key);
    hmac(stored_key, auth, (size_t)len, signature);
    for (size_t i = 0; i < HASH_BYTES; i++) {
        if ((proof[i] ^ signature[i]) != client_key[i]) {
            return false;
        }
    }
    hmac(server_key, auth, (size_t)len, signature);
    signature[0] ^= script->bad_signature ? 1 : 0;
    EVP_EncodeBlock((uint8_t *)ret_signature, signature, HASH_BYTES);
    return true;
}

static bool scram_first(struct conn *conn, struct auth_script *script, struct exchange *exchange)
{
    static const char both[] = "SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0";
    static const char plain[] = "SOMETHING-ELSE\0SCRAM-SHA-256\0";
    bool plus = conn->ssl != NULL && !script->no_plus;
    char answer[TEXT_MAX];
    if (!send_auth(conn, 10, plus ? both : plain, plus ? sizeof both : sizeof plain) ||
        read_answer(conn, answer) < 0) {
        return false;
    }
    /* Mechanism, 0, length, client-first-message. */
    memccpy(exchange->client_first, answer + strlen(answer) + 5, 0, TEXT_MAX / 2);
    script->binding = exchange->client_first[0];
    if ((script->binding == 'p') != (strcmp(answer, "SCRAM-SHA-256-PLUS") == 0)) {
        return false;
    }
    exchange->bare = strstr(exchange->client_first, ",,");
    if (exchange->bare == NULL) {
        return false;
    }
    exchange->bare += 2;
    return true;
}

/* 1: goes on to AuthenticationOk; 0: said why not; -1: the client broke the protocol or left. */
static int serve_scram(struct conn *conn, struct auth_script *script)
{
    struct exchange exchange = {0};
    char message[TEXT_MAX];
    char signature[64];
    int iterations = script->iterations > 0 ? script->iterations : 4096;
    if (!scram_first(conn, script, &exchange)) {
        return -1;
    }
    const char *nonce = strstr(exchange.bare, "r=");
    if (nonce == NULL) {
        return -1;
    }
    snprintf(exchange.server_first, TEXT_MAX,
             "r=%.64s" SERVER_NONCE ",s=c2l4dGVlbiBieXRlcy4uLg==,i=%d", nonce + 2, iterations);
    if (!send_auth(conn, 11, exchange.server_first, strlen(exchange.server_first)) ||
        read_answer(conn, exchange.client_final) < 0) {
        return -1;
    }
    if (!binding_fits(script, &exchange)) {
        return -1;
    }
    if (!check_proof(script, &exchange, iterations, signature)) {
        send_error(conn);
        return 0;
    }
    int len = snprintf(message, sizeof message, "v=%s", signature);
    return script->no_final || send_auth(conn, 12, message, (size_t)len) ? 1 : -1;
}

static int serve_password(struct conn *conn, struct auth_script *script)
{
    char answer[TEXT_MAX];
    bool md5 = script->method == AUTH_MD5;
    if (!send_auth(conn, md5 ? 5 : 3, "\1\2\3\4", md5 ? 4 : 0) || read_answer(conn, answer) < 0) {
        return -1;
    }
    memcpy(script->answer, answer, sizeof answer);
    if (strcmp(answer, script->password) != 0) {
        send_error(conn);
        return 0;
    }
    return 1;
}

static void serve(struct conn *conn, struct peer *peer)
{
    struct auth_script *script = peer->user;
    if (script->raw != NULL) {
        (void)conn_write(conn, script->raw, script->raw_len);
        return;
    }
    int r = send_noise(conn) ? 1 : -1;
    if (r == 1 && script->method != AUTH_TRUST) {
        r = script->method == AUTH_SCRAM ? serve_scram(conn, script) : serve_password(conn, script);
    }
    if (r == 1 && script->ask_again) {
        (void)send_auth(conn, 3, "", 0);
        char answer[TEXT_MAX];
        if (read_answer(conn, answer) >= 0) {
            atomic_store(&peer->failed, true); /* the password was drawn out */
        }
        return;
    }
    if (r == 1) {
        /* In one piece, so that reading on would be noticed. */
        (void)conn_write(conn, "R\0\0\0\x08\0\0\0\0NEXT", 13);
        uint8_t end;
        (void)conn_read(conn, &end, 1);
    }
}

void auth_serve(struct peer *peer, int fd)
{
    struct auth_script *script = peer->user;
    struct conn conn = {.fd = fd, .bytewise = script->bytewise};
    if (script->tls != NULL) {
        conn.ssl = SSL_new(script->tls);
        SSL_set_fd(conn.ssl, fd);
        if (SSL_accept(conn.ssl) != 1) {
            SSL_free(conn.ssl);
            return;
        }
    }
    serve(&conn, peer);
    if (conn.ssl != NULL) {
        SSL_shutdown(conn.ssl);
        SSL_free(conn.ssl);
    }
    shutdown(fd, SHUT_WR);
}
