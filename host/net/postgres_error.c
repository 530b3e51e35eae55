#include "host/net/postgres_error.h"

#include <stdbool.h>
#include <string.h>

struct verdict {
    const char *prefix; /* of the SQLSTATE; the first that fits counts */
    const char *code;
    const char *hint;
    int status;
    bool final; /* not retryable, whatever the status */
};

static const struct verdict verdicts[] = {
    {"28P01", "AUTH_FAILED", "check user and password", RB_EAUTH, true},
    {"28", "AUTH_FAILED", "check the user, the TLS mode, and what the server's pg_hba.conf lets in",
     RB_EAUTH, true},
    {"3D000", "DATABASE_NOT_FOUND", "check the name of the database", RB_ECONFIG, true},
    {"42501", "PERMISSION_DENIED", NULL, RB_EPERM, true},
    {"53300", "TOO_MANY_CONNECTIONS",
     "lower parallelism or max_connections, or raise the server's max_connections", RB_EDB, false},
    {"57P03", "SERVER_NOT_READY", NULL, RB_EDB, false},
    {"08P01", "SERVER_REFUSED", NULL, RB_EPROTOCOL, true},
    {"08", "SERVER_REFUSED", NULL, RB_ENETWORK, false},
    {"53", "SERVER_RESOURCES", NULL, RB_EDB, false},
    {"57", "SERVER_NOT_READY", NULL, RB_EDB, false},
    {"58", "SERVER_REFUSED", NULL, RB_EDB, true},
    {"XX", "SERVER_REFUSED", NULL, RB_EDB, true},
    {"", "SERVER_REFUSED", NULL, RB_ECONFIG, true},
};

struct fields {
    const char *sqlstate;
    const char *message;
    const char *detail;
    const char *hint;
};

/* Each field: a byte that says what it is, and a text that ends in 0; a 0 byte ends them. */
static bool parse_fields(const char *body, size_t len, struct fields *ret)
{
    size_t at = 0;
    while (at < len && body[at] != 0) {
        char kind = body[at++];
        const char *text = body + at;
        size_t n = strnlen(text, len - at);
        if (at + n == len) {
            return false;
        }
        switch (kind) {
        case 'C':
            ret->sqlstate = text;
            break;
        case 'M':
            ret->message = text;
            break;
        case 'D':
            ret->detail = text;
            break;
        case 'H':
            ret->hint = text;
            break;
        default:
            break;
        }
        at += n + 1;
    }
    return at < len && ret->message != NULL;
}

/* PgBouncer has no SQLSTATE of its own for its limits. */
static const char *sqlstate_of(const char *sqlstate, const char *message)
{
    bool is_full =
        strcmp(sqlstate, "08P01") == 0 && (strstr(message, "no more connections allowed") != NULL ||
                                           strstr(message, "too many connections") != NULL);
    return is_full ? "53300" : sqlstate;
}

static const struct verdict *verdict_of(const char *sqlstate)
{
    const struct verdict *verdict = verdicts;
    while (strncmp(sqlstate, verdict->prefix, strlen(verdict->prefix)) != 0) {
        verdict++;
    }
    return verdict;
}

int rb_postgres_error(const void *body, size_t len, struct rb_error *err)
{
    struct fields fields = {0};
    if (!parse_fields(body, len, &fields)) {
        return rb_error_set(err, RB_EPROTOCOL, "AUTH_PROTOCOL",
                            "the server's ErrorResponse is malformed");
    }
    const char *sqlstate =
        fields.sqlstate != NULL && strlen(fields.sqlstate) == 5 ? fields.sqlstate : "";
    const struct verdict *verdict = verdict_of(sqlstate_of(sqlstate, fields.message));
    rb_error_set(err, verdict->status, verdict->code, "the server refused the connection: %s",
                 fields.message);
    const char *hint = fields.hint != NULL ? fields.hint : verdict->hint;
    if (fields.detail != NULL) {
        rb_error_set_detail(err, "%s", fields.detail);
    }
    if (hint != NULL) {
        rb_error_set_hint(err, "%s", hint);
    }
    if (err != NULL) {
        memcpy(err->sqlstate, sqlstate, strlen(sqlstate) + 1);
        err->retryable = err->retryable && !verdict->final;
    }
    return verdict->status;
}
