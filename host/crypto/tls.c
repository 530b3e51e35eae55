#include "host/crypto/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "host/crypto/bio.h"

struct rb_tls {
    SSL_CTX *ctx;
    SSL *ssl;
    bool broken; /* no close_notify any more */
};

static bool is_address(const char *host)
{
    uint8_t bytes[16];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* The oldest error of OpenSSL's queue in words, and the queue is emptied. */
static const char *reason(int errno_value)
{
    unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;
    if (text != NULL) {
        return text;
    }
    if (code != 0 && ERR_SYSTEM_ERROR(code)) {
        errno_value = ERR_GET_REASON(code);
    }
    return errno_value != 0 ? strerrordesc_np(errno_value) : "the peer closed the connection";
}

static int file_error(struct rb_error *err, const char *what, const char *path)
{
    return rb_error_set(err, RB_ECONFIG, "TLS_CONFIGURATION", "TLS: %s %s can't be used: %s", what,
                        path, reason(0));
}

static int load_trust(SSL_CTX *ctx, const struct rb_tls_options *options, struct rb_error *err)
{
    if (options->check == RB_TLS_CHECK_NONE) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
        return 0;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    if (options->crl != NULL) {
        if (X509_STORE_load_locations(store, options->crl, NULL) != 1) {
            return file_error(err, "revocation list", options->crl);
        }
        X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    }
    if (options->root_cert != NULL) {
        if (SSL_CTX_load_verify_file(ctx, options->root_cert) != 1) {
            return file_error(err, "root certificate file", options->root_cert);
        }
        return 0;
    }
    if (SSL_CTX_set_default_verify_paths(ctx) != 1) {
        return rb_error_set(err, RB_ECONFIG, "TLS_CONFIGURATION",
                            "TLS: the system's trusted certificates can't be read: %s", reason(0));
    }
    return 0;
}

static int load_client_cert(SSL_CTX *ctx, const struct rb_tls_options *options,
                            struct rb_error *err)
{
    if (options->cert == NULL) {
        return 0;
    }
    if (SSL_CTX_use_certificate_chain_file(ctx, options->cert) != 1) {
        return file_error(err, "client certificate file", options->cert);
    }
    /* One file may hold both. */
    const char *key = options->key != NULL ? options->key : options->cert;
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1) {
        return file_error(err, "client key file", key);
    }
    return 0;
}

/* A key with a pass phrase must fail; OpenSSL would ask on the terminal. */
static int no_pass_phrase(char *out, int cap, int for_writing, void *user)
{
    (void)out;
    (void)cap;
    (void)for_writing;
    (void)user;
    return 0;
}

static SSL_CTX *new_context(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (ctx == NULL) {
        return NULL;
    }
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_default_passwd_cb(ctx, no_pass_phrase);
    return ctx;
}

/* 1 as OpenSSL says success. */
static int set_name(SSL *ssl, const struct rb_tls_options *options)
{
    bool address = is_address(options->host);
    char name[TLSEXT_MAXLEN_host_name + 1]; /* OpenSSL's macro casts const away */
    if ((size_t)snprintf(name, sizeof name, "%s", options->host) >= sizeof name) {
        return 0;
    }
    if (!address && SSL_set_tlsext_host_name(ssl, name) != 1) {
        return 0;
    }
    if (options->check != RB_TLS_CHECK_NAME) {
        return 1;
    }
    if (address) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), options->host);
    }
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, options->host);
}

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a TLS session");
}

static int set_up(struct rb_tls *tls, const struct rb_tls_options *options, int fd,
                  struct rb_error *err)
{
    tls->ctx = new_context();
    if (tls->ctx == NULL) {
        return no_memory(err);
    }
    int r = load_trust(tls->ctx, options, err);
    if (r == 0) {
        r = load_client_cert(tls->ctx, options, err);
    }
    if (r < 0) {
        return r;
    }
    tls->ssl = SSL_new(tls->ctx);
    BIO *bio = tls->ssl != NULL ? rb_bio_new(fd) : NULL;
    if (bio == NULL) {
        return no_memory(err);
    }
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_connect_state(tls->ssl);
    if (set_name(tls->ssl, options) != 1) {
        return rb_error_set(err, RB_ECONFIG, "TLS_CONFIGURATION",
                            "TLS: \"%s\" can't be checked as a host name", options->host);
    }
    return 0;
}

int rb_tls_new(const struct rb_tls_options *options, int fd, struct rb_tls **ret_tls,
               struct rb_error *err)
{
    ERR_clear_error();
    struct rb_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL) {
        return no_memory(err);
    }
    int r = set_up(tls, options, fd, err);
    if (r < 0) {
        rb_tls_free(tls);
        return r;
    }
    *ret_tls = tls;
    return 0;
}

void rb_tls_free(struct rb_tls *tls)
{
    if (tls == NULL) {
        return;
    }
    if (tls->ssl != NULL && !tls->broken && SSL_is_init_finished(tls->ssl)) {
        SSL_shutdown(tls->ssl);
    }
    SSL_free(tls->ssl);
    SSL_CTX_free(tls->ctx);
    ERR_clear_error();
    free(tls);
}

static int handshake_error(struct rb_tls *tls, int errno_value, struct rb_error *err)
{
    long verdict = SSL_get_verify_result(tls->ssl);
    if (verdict == X509_V_OK) {
        rb_error_set(err, RB_ENETWORK, "TLS_HANDSHAKE", "TLS handshake failed: %s",
                     reason(errno_value));
        return RB_ENETWORK;
    }
    ERR_clear_error();
    rb_error_set(err, RB_ECONFIG, "TLS_CERTIFICATE", "the server's TLS certificate is refused: %s",
                 X509_verify_cert_error_string(verdict));
    if (verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH) {
        rb_error_set_hint(err, "connect by a name that the certificate is made out to, or use the "
                               "TLS mode verify-ca if the name need not be checked");
    } else {
        rb_error_set_hint(err, "give the certificate of the authority that signed the server's as "
                               "the TLS root certificate file");
    }
    return RB_ECONFIG;
}

/* What a failed call waits for, or 0 when it failed for good. */
static int wanted(int ssl_error)
{
    switch (ssl_error) {
    case SSL_ERROR_WANT_READ:
        return RB_TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return RB_TLS_WANT_WRITE;
    default:
        return 0;
    }
}

int rb_tls_handshake(struct rb_tls *tls, struct rb_error *err)
{
    ERR_clear_error();
    errno = 0;
    int r = SSL_do_handshake(tls->ssl);
    if (r == 1) {
        return 0;
    }
    int errno_value = errno;
    int want = wanted(SSL_get_error(tls->ssl, r));
    if (want > 0) {
        return want;
    }
    tls->broken = true;
    return handshake_error(tls, errno_value, err);
}

static int transfer_error(struct rb_tls *tls, int errno_value, struct rb_error *err)
{
    tls->broken = true;
    return rb_error_set(err, RB_ENETWORK, "CONNECTION_LOST", "the TLS connection broke: %s",
                        reason(errno_value));
}

int rb_tls_recv(struct rb_tls *tls, void *out, size_t cap, size_t *ret_len, struct rb_error *err)
{
    size_t total = 0;
    while (total < cap) {
        size_t n = 0;
        ERR_clear_error();
        errno = 0;
        int r = SSL_read_ex(tls->ssl, (uint8_t *)out + total, cap - total, &n);
        if (r == 1) {
            total += n;
            continue;
        }
        int errno_value = errno;
        int ssl_error = SSL_get_error(tls->ssl, r);
        int want = wanted(ssl_error);
        if (total > 0) {
            break; /* what stopped it is met again by the next call */
        }
        if (want > 0) {
            return want;
        }
        if (ssl_error == SSL_ERROR_ZERO_RETURN) {
            break;
        }
        return transfer_error(tls, errno_value, err);
    }
    *ret_len = total;
    return 0;
}

int rb_tls_send(struct rb_tls *tls, const void *data, size_t len, size_t *ret_len,
                struct rb_error *err)
{
    size_t n = 0;
    ERR_clear_error();
    errno = 0;
    int r = SSL_write_ex(tls->ssl, data, len, &n);
    if (r == 1) {
        *ret_len = n;
        return 0;
    }
    int errno_value = errno;
    int want = wanted(SSL_get_error(tls->ssl, r));
    return want > 0 ? want : transfer_error(tls, errno_value, err);
}

size_t rb_tls_pending(const struct rb_tls *tls)
{
    int n = SSL_pending(tls->ssl);
    return n > 0 ? (size_t)n : 0;
}

int rb_tls_end_point(const struct rb_tls *tls, uint8_t ret_hash[RB_TLS_END_POINT_MAX],
                     size_t *ret_len, struct rb_error *err)
{
    X509 *cert = SSL_get0_peer_certificate(tls->ssl);
    int digest_nid = NID_undef;
    if (cert == NULL || X509_get_signature_info(cert, &digest_nid, NULL, NULL, NULL) != 1 ||
        digest_nid == NID_undef) {
        ERR_clear_error();
        return 1;
    }
    /* RFC 5929: MD5 and SHA-1 are replaced by SHA-256. */
    bool weak = digest_nid == NID_md5 || digest_nid == NID_sha1;
    const EVP_MD *digest = weak ? EVP_sha256() : EVP_get_digestbynid(digest_nid);
    unsigned n = 0;
    if (digest == NULL || EVP_MD_get_size(digest) > RB_TLS_END_POINT_MAX ||
        X509_digest(cert, digest, ret_hash, &n) != 1) {
        return rb_error_set(err, RB_EINTERNAL, "TLS_CHANNEL_BINDING",
                            "the server's certificate can't be hashed: %s", reason(0));
    }
    *ret_len = n;
    return 0;
}
