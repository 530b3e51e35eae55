#include "host/net/auth_postgres.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "host/crypto/md5.h"
#include "host/crypto/scram.h"
#include "host/crypto/tls.h"
#include "host/net/postgres_error.h"

/* The codes of an Authentication message. */
enum {
    AUTH_OK = 0,
    AUTH_KERBEROS_V5 = 2,
    AUTH_CLEARTEXT = 3,
    AUTH_MD5 = 5,
    AUTH_GSS = 7,
    AUTH_GSS_CONTINUE = 8,
    AUTH_SSPI = 9,
    AUTH_SASL = 10,
    AUTH_SASL_CONTINUE = 11,
    AUTH_SASL_FINAL = 12,
};

enum progress {
    ASKED_NOTHING,
    ANSWERED, /* cleartext or md5: only AuthenticationOk may follow */
    SCRAM_FIRST_SENT,
    SCRAM_FINAL_SENT,
    SCRAM_VERIFIED,
};

struct session {
    const struct rb_auth_postgres *auth;
    enum progress progress;
    struct rb_scram *scram;
    struct rb_buf in; /* body of the message being handled */
};

static void release_session(struct session *session)
{
    rb_scram_free(session->scram);
    rb_buf_release(&session->in);
}

static int too_late(struct rb_error *err)
{
    return rb_error_set(err, RB_ETIMEOUT, "AUTH_TIMEOUT",
                        "authentication did not end in the time allowed");
}

static int no_memory(struct rb_error *err)
{
    return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for authentication");
}

static int unexpected(struct rb_error *err, const char *what)
{
    rb_error_set(err, RB_EPROTOCOL, "AUTH_PROTOCOL",
                 "the server's answer during authentication is not PostgreSQL's protocol: %s",
                 what);
    rb_error_set_hint(err, "is there a PostgreSQL server at this host and port?");
    return RB_EPROTOCOL;
}

static int recv_exactly(const struct rb_auth_postgres *auth, void *out, size_t len,
                        struct rb_error *err)
{
    uint8_t *at = out;
    while (len > 0) {
        size_t n = 0;
        int r = rb_socket_recv(auth->socket, at, len, auth->cancel_fd, auth->deadline, &n, err);
        if (r != 0) {
            return r > 0 ? too_late(err) : r;
        }
        if (n == 0) {
            return rb_error_set(err, RB_ENETWORK, "CONNECTION_LOST",
                                "the server closed the connection during authentication");
        }
        at += n;
        len -= n;
    }
    return 0;
}

static int send_all(const struct rb_auth_postgres *auth, const uint8_t *data, size_t len,
                    struct rb_error *err)
{
    while (len > 0) {
        size_t n = 0;
        int r =
            rb_socket_send_some(auth->socket, data, len, auth->cancel_fd, auth->deadline, &n, err);
        if (r != 0) {
            return r > 0 ? too_late(err) : r;
        }
        data += n;
        len -= n;
    }
    return 0;
}

static int read_message(struct session *session, uint8_t *ret_type, struct rb_error *err)
{
    uint8_t head[5];
    int r = recv_exactly(session->auth, head, sizeof head, err);
    if (r < 0) {
        return r;
    }
    uint32_t len = rb_load_be32(head + 1);
    if (len < 4 || len > RB_AUTH_POSTGRES_MESSAGE_MAX) {
        return unexpected(err, len < 4 ? "a message's length is below 4"
                                       : "a message is longer than 64 KiB");
    }
    len -= 4;
    rb_buf_clear(&session->in);
    if (rb_buf_reserve(&session->in, len + 1) < 0) {
        return no_memory(err);
    }
    r = recv_exactly(session->auth, session->in.data, len, err);
    if (r < 0) {
        return r;
    }
    session->in.len = len;
    session->in.data[len] = 0;
    *ret_type = head[0];
    return 0;
}

/* PasswordMessage, SASLInitialResponse and SASLResponse: type 'p'. What was built is wiped. */
static int send_answer(const struct session *session, const void *data, size_t len,
                       struct rb_error *err)
{
    uint8_t *message = malloc(5 + len);
    if (message == NULL) {
        return no_memory(err);
    }
    message[0] = 'p';
    rb_store_be32(message + 1, (uint32_t)(4 + len));
    memcpy(message + 5, data, len);
    int r = send_all(session->auth, message, 5 + len, err);
    explicit_bzero(message, 5 + len);
    free(message);
    return r;
}

static int need_password(const struct session *session, struct rb_error *err)
{
    if (session->auth->password != NULL) {
        return 0;
    }
    rb_error_set(err, RB_EAUTH, "PASSWORD_MISSING",
                 "the server asks for a password, and the configuration has none");
    rb_error_set_hint(err, "give the password in the connector's configuration");
    return RB_EAUTH;
}

static int answer_cleartext(struct session *session, struct rb_error *err)
{
    const char *password = session->auth->password;
    session->progress = ANSWERED;
    return send_answer(session, password, strlen(password) + 1, err);
}

static int answer_md5(struct session *session, struct rb_error *err)
{
    if (session->in.len != 8) {
        return unexpected(err, "AuthenticationMD5Password without four bytes of salt");
    }
    const struct rb_auth_postgres *auth = session->auth;
    char answer[RB_MD5_POSTGRES_LEN + 1];
    int r = rb_md5_postgres(auth->password, auth->user, auth->user_len, session->in.data + 4,
                            answer, err);
    if (r < 0) {
        return r;
    }
    session->progress = ANSWERED;
    return send_answer(session, answer, sizeof answer, err);
}

struct mechanisms {
    bool scram;
    bool scram_plus;
};

/* Names that end in 0, and an empty one at the end. */
static int parse_mechanisms(const struct rb_buf *in, struct mechanisms *ret, struct rb_error *err)
{
    struct mechanisms offered = {0};
    size_t at = 4;
    while (at < in->len && in->data[at] != 0) {
        const char *name = (const char *)in->data + at;
        size_t len = strnlen(name, in->len - at);
        if (at + len == in->len) {
            break;
        }
        offered.scram |= strcmp(name, "SCRAM-SHA-256") == 0;
        offered.scram_plus |= strcmp(name, "SCRAM-SHA-256-PLUS") == 0;
        at += len + 1;
    }
    if (at >= in->len) {
        return unexpected(err, "AuthenticationSASL's list has no end");
    }
    *ret = offered;
    return 0;
}

/* A server that has no PLUS, or asks for less than SCRAM, may be one that only stands in between.
 */
static int unbound(struct rb_error *err, const char *why)
{
    rb_error_set(err, RB_EAUTH, "CHANNEL_BINDING", "channel binding is required, but %s", why);
    rb_error_set_hint(err, "it takes TLS, and scram-sha-256 in the server's pg_hba.conf");
    return RB_EAUTH;
}

/* As libpq chooses: PLUS wherever TLS and the certificate allow it. */
static int choose_binding(const struct session *session, const struct mechanisms *offered,
                          struct rb_scram_options *options, uint8_t hash[RB_TLS_END_POINT_MAX],
                          struct rb_error *err)
{
    bool unwanted = session->auth->binding == RB_NET_BINDING_DISABLE;
    const struct rb_tls *tls = unwanted ? NULL : session->auth->socket->tls;
    if (tls != NULL && offered->scram_plus) {
        int r = rb_tls_end_point(tls, hash, &options->end_point_len, err);
        if (r < 0) {
            return r;
        }
        if (r == 0) {
            options->binding = RB_SCRAM_BINDING_END_POINT;
            options->end_point = hash;
            return 0;
        }
    } else if (tls != NULL) {
        options->binding = RB_SCRAM_BINDING_NOT_OFFERED;
    }
    if (session->auth->binding == RB_NET_BINDING_REQUIRE) {
        return unbound(err, tls == NULL           ? "TLS was not started"
                            : offered->scram_plus ? "not possible with the server's certificate"
                                                  : "the server does not offer it");
    }
    if (!offered->scram) {
        rb_error_set(err, RB_EAUTH, "AUTH_UNSUPPORTED",
                     "the server offers no SASL mechanism that we know (SCRAM-SHA-256)");
        return RB_EAUTH;
    }
    return 0;
}

static int answer_sasl(struct session *session, struct rb_error *err)
{
    struct mechanisms offered;
    struct rb_scram_options options = {.user = "", .password = session->auth->password};
    uint8_t hash[RB_TLS_END_POINT_MAX];
    int r = parse_mechanisms(&session->in, &offered, err);
    if (r == 0) {
        r = choose_binding(session, &offered, &options, hash, err);
    }
    if (r == 0) {
        r = rb_scram_new(&options, &session->scram, err);
    }
    if (r < 0) {
        return r;
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf first = RB_BUF_INIT(RB_SCRAM_MESSAGE_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(2 * RB_SCRAM_MESSAGE_MAX);
    r = rb_scram_first(session->scram, &first, err);
    if (r < 0) {
        return r;
    }
    const char *name =
        options.binding == RB_SCRAM_BINDING_END_POINT ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256";
    if (rb_buf_append(&out, name, strlen(name) + 1) < 0 ||
        rb_buf_append_be32(&out, (uint32_t)first.len) < 0 ||
        rb_buf_append(&out, first.data, first.len) < 0) {
        return no_memory(err);
    }
    session->progress = SCRAM_FIRST_SENT;
    return send_answer(session, out.data, out.len, err);
}

static int answer_sasl_continue(struct session *session, struct rb_error *err)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(RB_SCRAM_MESSAGE_MAX);
    int r = rb_scram_final(session->scram, (const char *)session->in.data + 4, session->in.len - 4,
                           &out, err);
    if (r < 0) {
        return r;
    }
    session->progress = SCRAM_FINAL_SENT;
    return send_answer(session, out.data, out.len, err);
}

static int unsupported(struct rb_error *err, const char *method)
{
    rb_error_set(err, RB_EAUTH, "AUTH_UNSUPPORTED",
                 "the server asks for %s authentication, which is not supported", method);
    rb_error_set_hint(err, "have the server's pg_hba.conf ask this user for scram-sha-256");
    return RB_EAUTH;
}

static int handle_sasl_step(struct session *session, uint32_t code, struct rb_error *err)
{
    if (code == AUTH_SASL_CONTINUE && session->progress == SCRAM_FIRST_SENT) {
        return answer_sasl_continue(session, err);
    }
    if (code == AUTH_SASL_FINAL && session->progress == SCRAM_FINAL_SENT) {
        session->progress = SCRAM_VERIFIED;
        return rb_scram_verify(session->scram, (const char *)session->in.data + 4,
                               session->in.len - 4, err);
    }
    return unexpected(err, "a step of SASL out of turn");
}

static int handle_request(struct session *session, uint32_t code, struct rb_error *err)
{
    switch (code) {
    case AUTH_KERBEROS_V5:
        return unsupported(err, "Kerberos");
    case AUTH_GSS:
    case AUTH_GSS_CONTINUE:
        return unsupported(err, "GSSAPI");
    case AUTH_SSPI:
        return unsupported(err, "SSPI");
    case AUTH_CLEARTEXT:
    case AUTH_MD5:
    case AUTH_SASL:
        break;
    default:
        return unsupported(err, "an unknown kind of");
    }
    /* One method a connection: no second one to draw the password out after the first. */
    if (session->progress != ASKED_NOTHING) {
        return unexpected(err, "a second request for authentication");
    }
    int r = need_password(session, err);
    if (r < 0) {
        return r;
    }
    if (code != AUTH_SASL && session->auth->binding == RB_NET_BINDING_REQUIRE) {
        return unbound(err, "the server asks for the password itself");
    }
    if (code == AUTH_CLEARTEXT) {
        return answer_cleartext(session, err);
    }
    return code == AUTH_MD5 ? answer_md5(session, err) : answer_sasl(session, err);
}

/* 1: authenticated. */
static int handle_authentication(struct session *session, struct rb_error *err)
{
    if (session->in.len < 4) {
        return unexpected(err, "an Authentication message without its code");
    }
    uint32_t code = rb_load_be32(session->in.data);
    if (code == AUTH_OK) {
        /* A server that never showed that it knows the password is not the one we asked. */
        if (session->progress == SCRAM_FIRST_SENT || session->progress == SCRAM_FINAL_SENT) {
            return rb_error_set(err, RB_EAUTH, "SERVER_SIGNATURE",
                                "the server ended SCRAM authentication without its signature");
        }
        bool bound = session->progress == SCRAM_VERIFIED;
        return bound || session->auth->binding != RB_NET_BINDING_REQUIRE
                   ? 1
                   : unbound(err, "the server asks for no password");
    }
    if (code == AUTH_SASL_CONTINUE || code == AUTH_SASL_FINAL) {
        return handle_sasl_step(session, code, err);
    }
    return handle_request(session, code, err);
}

int rb_auth_postgres_run(const struct rb_auth_postgres *auth, struct rb_error *err)
{
    RB_CLEANUP(release_session)
    struct session session = {.auth = auth, .in = RB_BUF_INIT(RB_AUTH_POSTGRES_MESSAGE_MAX)};
    for (;;) {
        uint8_t type = 0;
        int r = read_message(&session, &type, err);
        if (r < 0) {
            return r;
        }
        switch (type) {
        case 'R':
            r = handle_authentication(&session, err);
            if (r != 0) {
                return r > 0 ? 0 : r;
            }
            break;
        case 'E':
            return rb_postgres_error(session.in.data, session.in.len, err);
        case 'N': /* NoticeResponse */
        case 'v': /* NegotiateProtocolVersion: the guest asked for 3.0, which all speak */
            break;
        default:
            return unexpected(err, "a message of another kind");
        }
    }
}
