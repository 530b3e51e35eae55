/*
 * Writing JSON (RFC 8259) into a buffer. Commas are placed by the writer; the first failure sticks
 * and is what rb_json_finish returns, so calls in between need not be checked. Reading is left to
 * libraries: yyjson in the host, jsmn in guests (sdk/rapidbyte/json.h).
 */
#ifndef RB_BASE_JSON_H
#define RB_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { RB_JSON_DEPTH_MAX = 32 };

struct rb_json {
    struct rb_buf *out; /* borrowed */
    int status;
    unsigned depth;
    bool has_item[RB_JSON_DEPTH_MAX];
    bool after_key;
};

void rb_json_init(struct rb_json *json, struct rb_buf *out);
/* 0, or the first failure: RB_ENOMEM, or RB_EINTERNAL for calls that do not nest. */
int rb_json_finish(struct rb_json *json);

void rb_json_begin_object(struct rb_json *json);
void rb_json_end_object(struct rb_json *json);
void rb_json_begin_array(struct rb_json *json);
void rb_json_end_array(struct rb_json *json);
void rb_json_key(struct rb_json *json, const char *key);
void rb_json_null(struct rb_json *json);
void rb_json_bool(struct rb_json *json, bool v);
void rb_json_i64(struct rb_json *json, int64_t v);
void rb_json_u64(struct rb_json *json, uint64_t v);
/* Shortest text that reads back the same; not-finite values become null, which JSON can't hold. */
void rb_json_double(struct rb_json *json, double v);
/* NULL writes null. Bytes that are not UTF-8 become U+FFFD. */
void rb_json_str(struct rb_json *json, const char *text);
void rb_json_strn(struct rb_json *json, const char *text, size_t len);
/* Text that is JSON already, taken as it is. Empty or NULL writes null. */
void rb_json_raw(struct rb_json *json, const char *text, size_t len);

/* key and value in one. */
void rb_json_member_str(struct rb_json *json, const char *key, const char *text);
void rb_json_member_i64(struct rb_json *json, const char *key, int64_t v);
void rb_json_member_u64(struct rb_json *json, const char *key, uint64_t v);
void rb_json_member_double(struct rb_json *json, const char *key, double v);
void rb_json_member_bool(struct rb_json *json, const char *key, bool v);
void rb_json_member_raw(struct rb_json *json, const char *key, const char *text, size_t len);

/* Writes `err` as a ConnectorError object. */
void rb_json_error(struct rb_json *json, const struct rb_error *err);

#endif
