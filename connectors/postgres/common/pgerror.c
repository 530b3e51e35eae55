#include "connectors/postgres/common/pgerror.h"

#include <stdbool.h>
#include <string.h>

#include "rapidbyte/host.h"

enum { SHORT_DETAIL_MAX = RB_ERROR_DETAIL_MAX / 2 };

struct fields {
    const char *severity, *sqlstate, *message, *detail, *hint, *where;
};

/* Finds the fields: each is a type byte and a string that ends in 0; a 0 byte ends the list. */
static bool parse(const uint8_t *body, size_t len, struct fields *ret)
{
    struct fields f = {.severity = "", .sqlstate = "", .message = "", .detail = "", .hint = ""};
    f.where = "";
    size_t pos = 0;
    for (;;) {
        if (pos >= len) {
            return false;
        }
        char type = (char)body[pos++];
        if (type == '\0') {
            *ret = f;
            return pos == len;
        }
        const char *text = (const char *)body + pos;
        const uint8_t *end = pos < len ? memchr(body + pos, 0, len - pos) : NULL;
        if (!end) {
            return false;
        }
        pos = (size_t)(end - body) + 1;
        switch (type) {
        case 'V': /* never translated; since 9.6 */
            f.severity = text;
            break;
        case 'C':
            f.sqlstate = text;
            break;
        case 'M':
            f.message = text;
            break;
        case 'D':
            f.detail = text;
            break;
        case 'H':
            f.hint = text;
            break;
        case 'W':
            f.where = text;
            break;
        default:
            break;
        }
    }
}

/* The first row whose prefix fits decides. */
static const struct {
    char prefix[6];
    int status;
    bool retryable;
    const char *code;
} classes[] = {
    {"08", RB_ENETWORK, true, "CONNECTION_LOST"},
    {"28", RB_EAUTH, false, "AUTHENTICATION_FAILED"},
    {"53300", RB_EDB, true, "TOO_MANY_CONNECTIONS"},
    {"53", RB_EDB, true, "SERVER_BUSY"},
    {"40", RB_EDB, true, "TRANSACTION_CONFLICT"},
    {"55P03", RB_EDB, true, "LOCK_TIMEOUT"},
    {"55006", RB_EDB, true, "OBJECT_IN_USE"},
    {"57014", RB_ETIMEOUT, false, "STATEMENT_TIMEOUT"},
    {"57P01", RB_ENETWORK, true, "SERVER_SHUTDOWN"},
    {"57P02", RB_ENETWORK, true, "SERVER_SHUTDOWN"},
    {"57P03", RB_EDB, true, "SERVER_NOT_READY"},
    {"57P05", RB_ENETWORK, true, "SESSION_TIMEOUT"},
    {"25P03", RB_ENETWORK, true, "SESSION_TIMEOUT"},
    {"25P04", RB_ENETWORK, true, "SESSION_TIMEOUT"},
    {"25006", RB_EPERM, false, "READ_ONLY"},
    {"42501", RB_EPERM, false, "PERMISSION_DENIED"},
    {"42", RB_ESCHEMA, false, "SCHEMA_MISMATCH"},
    {"3D", RB_ESCHEMA, false, "NO_SUCH_DATABASE"},
    {"3F", RB_ESCHEMA, false, "NO_SUCH_SCHEMA"},
    {"22", RB_EDATA, false, "DATA_REFUSED"},
    {"44", RB_EDATA, false, "CHECK_OPTION_VIOLATED"},
    {"54000", RB_EDATA, false, "ROW_TOO_LARGE"}, /* for a page, or for an index */
    {"P0001", RB_EDATA, false, "ROW_REFUSED"},   /* RAISE EXCEPTION, as a rule in a trigger */
    {"23", RB_EDATA, false, "CONSTRAINT_VIOLATED"},
    {"", RB_EDB, false, "SERVER_ERROR"},
};

static const char too_many[] = "TOO_MANY_CONNECTIONS";

/* PgBouncer's own limits come as a protocol violation. */
static bool is_pooler_full(const struct fields *f)
{
    static const char *const words[] = {"no more connections allowed", "max_client_conn",
                                        "too many connections", "query_wait_timeout"};
    bool is_full = false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        is_full = is_full || strstr(f->message, words[i]) != NULL;
    }
    return is_full && strncmp(f->sqlstate, "08", 2) == 0;
}

int rb_pgerror_decode(const uint8_t *body, size_t len, struct rb_error *err)
{
    struct fields f;
    if (!parse(body, len, &f) || strlen(f.sqlstate) != 5) {
        return rb_error_set(err, RB_EPROTOCOL, "PROTOCOL_VIOLATION",
                            "the server sent a malformed error message");
    }
    size_t i = 0;
    while (strncmp(f.sqlstate, classes[i].prefix, strlen(classes[i].prefix)) != 0) {
        i++;
    }
    rb_error_set(err, classes[i].status, classes[i].code, "%s",
                 *f.message ? f.message : "the server gave no message");
    if (!err) {
        return classes[i].status;
    }
    if (is_pooler_full(&f)) {
        memcpy(err->code, too_many, sizeof too_many);
        rb_error_set_hint(err, "the pooler has no session left: a run takes one more than "
                               "'parallelism' on each side (PgBouncer: default_pool_size, "
                               "max_client_conn)");
    }
    err->retryable = classes[i].retryable;
    err->safe_to_retry = classes[i].retryable;
    memcpy(err->sqlstate, f.sqlstate, 6);
    if (*f.detail && *f.where) {
        /* The context tells the row, and must not be lost behind a long detail. */
        rb_error_set_detail(err, "%.*s; %s", SHORT_DETAIL_MAX, f.detail, f.where);
    } else if (*f.detail || *f.where) {
        rb_error_set_detail(err, "%s", *f.detail ? f.detail : f.where);
    }
    if (*f.hint) {
        rb_error_set_hint(err, "%s", f.hint);
    }
    return classes[i].status;
}

void rb_pgerror_log_notice(const uint8_t *body, size_t len)
{
    struct fields f;
    if (!parse(body, len, &f)) {
        rb_log(RB_LOG_WARN, "the server sent a malformed notice");
        return;
    }
    enum rb_log_level level = RB_LOG_DEBUG;
    if (strcmp(f.severity, "WARNING") == 0) {
        level = RB_LOG_WARN;
    } else if (strcmp(f.severity, "NOTICE") == 0 || strcmp(f.severity, "INFO") == 0) {
        level = RB_LOG_INFO;
    }
    rb_log(level, "server: %s%s%s", f.message, *f.detail ? ": " : "", f.detail);
}
