#include <stdlib.h>
#include <string.h>

#include "rapidbyte/json.h"
#include "sdk/src/imports.h"

static void copy(char *out, size_t cap, struct rb_json_value value)
{
    const char *text = rb_json_text(value, "");
    size_t len = strlen(text);
    len = len < cap ? len : cap - 1;
    memcpy(out, text, len);
    out[len] = 0;
}

/* Codes that say more than their category. */
static int status_of(const struct rb_error *err)
{
    static const struct {
        const char *code;
        int status;
    } codes[] = {
        {RB_ABI_CODE_ABORTED, RB_EABORTED},
        {RB_ABI_CODE_CANCELLED, RB_ECANCELLED},
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (strcmp(codes[i].code, err->code) == 0) {
            return codes[i].status;
        }
    }
    return rb_error_status_of_category(err->category);
}

/* ConnectorError's members; all but the text have a first value that stands for "not said". */
static void read_error(struct rb_json_value json, struct rb_error *err)
{
    const char *category = rb_json_text(rb_json_get(json, "category"), "");
    const char *scope = rb_json_text(rb_json_get(json, "scope"), "");
    const char *backoff = rb_json_text(rb_json_get(json, "backoff_class"), "");
    const char *commit_state = rb_json_text(rb_json_get(json, "commit_state"), "");
    rb_error_clear(err);
    err->category = rb_error_category_parse(category, strlen(category));
    err->scope = rb_error_scope_parse(scope, strlen(scope));
    err->backoff = rb_error_backoff_parse(backoff, strlen(backoff));
    err->commit_state = rb_error_commit_state_parse(commit_state, strlen(commit_state));
    err->retryable = rb_json_truth(rb_json_get(json, "retryable"), false);
    err->safe_to_retry = rb_json_truth(rb_json_get(json, "safe_to_retry"), false);
    err->retry_after_ms = rb_json_int(rb_json_get(json, "retry_after_ms"), 0);
    copy(err->code, sizeof err->code, rb_json_get(json, "code"));
    copy(err->message, sizeof err->message, rb_json_get(json, "message"));
    copy(err->sqlstate, sizeof err->sqlstate, rb_json_at(json, "details", "sqlstate", NULL));
    copy(err->detail, sizeof err->detail, rb_json_at(json, "details", "detail", NULL));
    copy(err->hint, sizeof err->hint, rb_json_at(json, "details", "hint", NULL));
    err->status = status_of(err);
}

static int parse(const char *text, size_t len, struct rb_error *ret)
{
    struct rb_json_doc *doc;
    int status = rb_json_parse(text, len, &doc, NULL);
    if (status == RB_OK) {
        read_error(rb_json_root(doc), ret);
        rb_json_free(doc);
    }
    return status;
}

int rb_sdk_import_error(const char *import, struct rb_error *err)
{
    char first[4096];
    struct rb_error found = {.status = RB_EINTERNAL};
    int status = RB_EINTERNAL;
    int32_t n = rb_host_last_error(first, sizeof first);
    if (n > 0) {
        status = parse(first, (size_t)n, &found);
    } else if (n < -1 && n > -(int32_t)RB_ABI_JSON_MAX) {
        size_t cap = (size_t)-n;
        char *text = malloc(cap);
        n = text == NULL ? 0 : rb_host_last_error(text, (uint32_t)cap);
        status = n > 0 ? parse(text, (size_t)n, &found) : RB_EINTERNAL;
        free(text);
    }
    if (status < 0) {
        return rb_error_set(err, RB_EINTERNAL, "HOST_ERROR", "%s failed and did not say why",
                            import);
    }
    if (err != NULL) {
        *err = found;
    }
    return found.status;
}
