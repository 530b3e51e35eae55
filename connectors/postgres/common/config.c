/* What both connectors have in common in their configuration. */
#include <stdio.h>
#include <string.h>

#include "connectors/postgres/common/conn.h"

enum { RECORD_BYTES_DEFAULT = 16 * 1024 * 1024 };

static int text(struct rb_json_value config, const char *key, const char *otherwise,
                char out[RB_CONN_TEXT_MAX], struct rb_error *err)
{
    struct rb_json_value v = rb_json_get(config, key);
    if (!rb_json_is_absent(v) && !rb_json_is_string(v)) {
        return rb_error_set(err, RB_ECONFIG, "BAD_CONFIG", "'%s' must be text", key);
    }
    const char *found = rb_json_text(v, otherwise);
    if (!found || !*found) {
        return rb_error_set(err, RB_ECONFIG, "BAD_CONFIG", "'%s' is missing", key);
    }
    if (strlen(found) >= RB_CONN_TEXT_MAX) {
        return rb_error_set(err, RB_ECONFIG, "BAD_CONFIG", "'%s' is longer than %d bytes", key,
                            RB_CONN_TEXT_MAX - 1);
    }
    memcpy(out, found, strlen(found) + 1);
    return 0;
}

static int secret(struct rb_json_value config, uint32_t *ret, struct rb_error *err)
{
    struct rb_json_value v = rb_json_get(config, "password");
    if (rb_json_is_absent(v)) {
        *ret = 0;
        return 0;
    }
    int64_t id = rb_json_int(rb_json_get(v, "$secret"), 0);
    if (id <= 0 || id > UINT32_MAX) {
        return rb_error_set(err, RB_ECONFIG, "BAD_CONFIG",
                            "'password' must be the host's reference to a secret");
    }
    *ret = (uint32_t)id;
    return 0;
}

int rb_conn_config_read(const struct rb_open_context *context, struct rb_conn_config *ret,
                        struct rb_error *err)
{
    struct rb_conn_config c = {.max_record_bytes = RECORD_BYTES_DEFAULT};
    struct rb_json_value config = context->config;
    int r = text(config, "host", "localhost", c.host, err);
    r = r < 0 ? r : text(config, "user", NULL, c.user, err);
    r = r < 0 ? r : text(config, "database", c.user, c.database, err);
    r = r < 0 ? r : text(config, "schema", "public", c.schema, err);
    r = r < 0 ? r : secret(config, &c.secret_id, err);
    if (r < 0) {
        return r;
    }
    char name[RB_CONN_TEXT_MAX] = "rapidbyte";
    if (*context->pipeline) {
        snprintf(name, sizeof name, "rapidbyte %.53s", context->pipeline);
    }
    r = text(config, "application_name", name, c.application_name, err);
    int64_t port = rb_json_int(rb_json_get(config, "port"), 5432);
    if (r == 0 && (port < 1 || port > 65535)) {
        r = rb_error_set(err, RB_ECONFIG, "BAD_CONFIG", "'port' must be from 1 to 65535");
    }
    if (r < 0) {
        return r;
    }
    c.port = (int)port;
    const char *pooler = rb_json_text(rb_json_get(config, "pooler"), "none");
    c.pooling = strcmp(pooler, "session") == 0       ? RB_POOLING_SESSION
                : strcmp(pooler, "transaction") == 0 ? RB_POOLING_TRANSACTION
                                                     : RB_POOLING_UNKNOWN;
    c.connect_timeout_ms = context->connect_timeout_ms;
    c.statement_timeout_ms = context->statement_timeout_ms;
    c.lock_timeout_ms = context->lock_timeout_ms;
    *ret = c;
    return 0;
}
