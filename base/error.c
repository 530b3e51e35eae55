#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int status;
} categories[] = {
    [RB_CATEGORY_INTERNAL] = {"internal", RB_EINTERNAL},
    [RB_CATEGORY_CONFIG] = {"config", RB_ECONFIG},
    [RB_CATEGORY_AUTH] = {"auth", RB_EAUTH},
    [RB_CATEGORY_PERMISSION] = {"permission", RB_EPERM},
    [RB_CATEGORY_RATE_LIMIT] = {"rate_limit", RB_ERATE},
    [RB_CATEGORY_TRANSIENT_NETWORK] = {"transient_network", RB_ENETWORK},
    [RB_CATEGORY_TRANSIENT_DB] = {"transient_db", RB_EDB},
    [RB_CATEGORY_DATA] = {"data", RB_EDATA},
    [RB_CATEGORY_SCHEMA] = {"schema", RB_ESCHEMA},
};

static const char *const scopes[] = {
    [RB_SCOPE_STREAM] = "stream",
    [RB_SCOPE_BATCH] = "batch",
    [RB_SCOPE_RECORD] = "record",
};

static const char *const backoffs[] = {
    [RB_BACKOFF_NORMAL] = "normal",
    [RB_BACKOFF_FAST] = "fast",
    [RB_BACKOFF_SLOW] = "slow",
};

static const char *const commit_states[] = {
    [RB_COMMIT_NONE] = NULL,
    [RB_COMMIT_BEFORE] = "before_commit",
    [RB_COMMIT_AFTER_UNKNOWN] = "after_commit_unknown",
    [RB_COMMIT_AFTER_CONFIRMED] = "after_commit_confirmed",
};

#define N_ITEMS(table) (sizeof(table) / sizeof((table)[0]))

/* vsnprintf into out[cap]; text that does not fit ends after a whole UTF-8 character. */
static void format_text(char *out, size_t cap, const char *fmt, va_list args) RB_PRINTF(3, 0);
static void format_text(char *out, size_t cap, const char *fmt, va_list args)
{
    int n = vsnprintf(out, cap, fmt, args);
    if (n < 0) {
        out[0] = 0;
        return;
    }
    if ((size_t)n < cap) {
        return;
    }
    size_t len = cap - 1;
    size_t start = len;
    while (start > 0 && len - start < 3 && ((unsigned char)out[start - 1] & 0xc0) == 0x80) {
        start--;
    }
    if (start == 0) {
        return;
    }
    unsigned char lead = (unsigned char)out[start - 1];
    size_t need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (need > len - start + 1) {
        out[start - 1] = 0;
    }
}

static void copy_text(char *out, size_t cap, const char *fmt, ...) RB_PRINTF(3, 4);
static void copy_text(char *out, size_t cap, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    format_text(out, cap, fmt, args);
    va_end(args);
}

static bool is_retryable(int status)
{
    return status == RB_ENETWORK || status == RB_EDB || status == RB_ERATE || status == RB_ETIMEOUT;
}

/* `message` does not lie in `err`. */
static void fill(struct rb_error *err, int status, const char *code, const char *message)
{
    rb_error_clear(err);
    err->status = status;
    err->category = rb_error_category_of_status(status);
    err->retryable = is_retryable(status);
    if (status == RB_ERATE) {
        err->backoff = RB_BACKOFF_SLOW;
    }
    copy_text(err->code, sizeof err->code, "%s", code);
    copy_text(err->message, sizeof err->message, "%s", message);
}

int rb_error_set(struct rb_error *err, int status, const char *code, const char *fmt, ...)
{
    if (err == NULL) {
        return status;
    }
    /* Formatted aside: an argument may be the text that `err` holds. */
    char message[RB_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    format_text(message, sizeof message, fmt, args);
    va_end(args);
    fill(err, status, code, message);
    return status;
}

int rb_error_set_errno(struct rb_error *err, int status, const char *code, int errno_value,
                       const char *fmt, ...)
{
    if (err == NULL) {
        return status;
    }
    char message[RB_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    format_text(message, sizeof message, fmt, args);
    va_end(args);
    fill(err, status, code, message);
    /* strerror_r has two signatures, and a guest's libc only one of them; strerror is thread-safe
     * for known numbers in glibc and musl. */
    const char *reason = strerror(errno_value);
    copy_text(err->message, sizeof err->message, "%s: %s", message, reason);
    return status;
}

void rb_error_prefix(struct rb_error *err, const char *fmt, ...)
{
    if (err == NULL) {
        return;
    }
    char context[RB_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    format_text(context, sizeof context, fmt, args);
    va_end(args);
    char message[RB_ERROR_MESSAGE_MAX];
    memcpy(message, err->message, sizeof message);
    copy_text(err->message, sizeof err->message, "%s: %s", context, message);
}

void rb_error_set_detail(struct rb_error *err, const char *fmt, ...)
{
    if (err == NULL) {
        return;
    }
    char text[RB_ERROR_DETAIL_MAX];
    va_list args;
    va_start(args, fmt);
    format_text(text, sizeof text, fmt, args);
    va_end(args);
    memcpy(err->detail, text, sizeof text);
}

void rb_error_set_hint(struct rb_error *err, const char *fmt, ...)
{
    if (err == NULL) {
        return;
    }
    char text[RB_ERROR_HINT_MAX];
    va_list args;
    va_start(args, fmt);
    format_text(text, sizeof text, fmt, args);
    va_end(args);
    memcpy(err->hint, text, sizeof text);
}

void rb_error_clear(struct rb_error *err)
{
    if (err != NULL) {
        memset(err, 0, sizeof *err);
    }
}

static bool same_text(const char *name, const char *text, size_t len)
{
    return name != NULL && strlen(name) == len && memcmp(name, text, len) == 0;
}

static size_t find_name(const char *const *names, size_t n, const char *text, size_t len)
{
    for (size_t i = 0; i < n; i++) {
        if (same_text(names[i], text, len)) {
            return i;
        }
    }
    return 0;
}

const char *rb_error_category_name(enum rb_category category)
{
    return (size_t)category < N_ITEMS(categories) ? categories[category].name : categories[0].name;
}

const char *rb_error_scope_name(enum rb_error_scope scope)
{
    return (size_t)scope < N_ITEMS(scopes) ? scopes[scope] : scopes[0];
}

const char *rb_error_backoff_name(enum rb_backoff backoff)
{
    return (size_t)backoff < N_ITEMS(backoffs) ? backoffs[backoff] : backoffs[0];
}

const char *rb_error_commit_state_name(enum rb_commit_state state)
{
    return (size_t)state < N_ITEMS(commit_states) ? commit_states[state] : NULL;
}

enum rb_category rb_error_category_parse(const char *text, size_t len)
{
    for (size_t i = 0; i < N_ITEMS(categories); i++) {
        if (same_text(categories[i].name, text, len)) {
            return (enum rb_category)i;
        }
    }
    return RB_CATEGORY_INTERNAL;
}

enum rb_error_scope rb_error_scope_parse(const char *text, size_t len)
{
    return (enum rb_error_scope)find_name(scopes, N_ITEMS(scopes), text, len);
}

enum rb_backoff rb_error_backoff_parse(const char *text, size_t len)
{
    return (enum rb_backoff)find_name(backoffs, N_ITEMS(backoffs), text, len);
}

enum rb_commit_state rb_error_commit_state_parse(const char *text, size_t len)
{
    return (enum rb_commit_state)find_name(commit_states, N_ITEMS(commit_states), text, len);
}

int rb_error_status_of_category(enum rb_category category)
{
    return (size_t)category < N_ITEMS(categories) ? categories[category].status : RB_EINTERNAL;
}

enum rb_category rb_error_category_of_status(int status)
{
    if (status == RB_ETIMEOUT) {
        return RB_CATEGORY_TRANSIENT_NETWORK;
    }
    for (size_t i = 0; i < N_ITEMS(categories); i++) {
        if (categories[i].status == status) {
            return (enum rb_category)i;
        }
    }
    return RB_CATEGORY_INTERNAL;
}
