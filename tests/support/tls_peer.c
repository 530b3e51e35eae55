#include "tests/support/tls_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(cert, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static X509 *make_cert(EVP_PKEY *key, const char *name, const char *alt_name, const X509 *issuer,
                       EVP_PKEY *issuer_key)
{
    X509 *cert = X509_new();
    assert_non_null(cert);
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(issuer != NULL ? issuer : cert));
    if (alt_name != NULL) {
        add_extension(cert, NID_subject_alt_name, alt_name);
    } else {
        add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
    }
    assert_true(X509_sign(cert, issuer_key != NULL ? issuer_key : key, EVP_sha256()) > 0);
    return cert;
}

static void write_cert(const char *path, X509 *cert)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, cert), 1);
    fclose(file);
}

void tls_files_make(struct tls_files *files, const char *alt_name)
{
    snprintf(files->dir, sizeof files->dir, "/tmp/rb_tls_XXXXXX");
    assert_non_null(mkdtemp(files->dir));
    snprintf(files->root, sizeof files->root, "%s/root.pem", files->dir);
    snprintf(files->other, sizeof files->other, "%s/other.pem", files->dir);
    EVP_PKEY *root_key = EVP_EC_gen("P-256");
    EVP_PKEY *other_key = EVP_EC_gen("P-256");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    assert_true(root_key != NULL && other_key != NULL && key != NULL);
    X509 *root = make_cert(root_key, "test root", NULL, NULL, NULL);
    X509 *other = make_cert(other_key, "another root", NULL, NULL, NULL);
    X509 *cert = make_cert(key, "server", alt_name, root, root_key);
    write_cert(files->root, root);
    write_cert(files->other, other);
    files->ctx = SSL_CTX_new(TLS_server_method());
    assert_non_null(files->ctx);
    assert_int_equal(SSL_CTX_use_certificate(files->ctx, cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(files->ctx, key), 1);
    files->cert = SSL_CTX_get0_certificate(files->ctx);
    X509_free(root);
    X509_free(other);
    X509_free(cert);
    EVP_PKEY_free(root_key);
    EVP_PKEY_free(other_key);
    EVP_PKEY_free(key);
}

void tls_files_remove(struct tls_files *files)
{
    SSL_CTX_free(files->ctx);
    unlink(files->root);
    unlink(files->other);
    rmdir(files->dir);
}
