#include "connectors/postgres/common/result.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/* Where a value is. */
struct cell {
    uint32_t offset;
    int32_t len; /* -1: NULL */
};

void rb_query_result_init(struct rb_query_result *result)
{
    *result = (struct rb_query_result){.n_affected = -1};
    rb_buf_init(&result->values, RB_QUERY_RESULT_MAX);
    rb_buf_init(&result->cells, RB_QUERY_RESULT_MAX);
}

void rb_query_result_release(struct rb_query_result *result)
{
    rb_buf_release(&result->values);
    rb_buf_release(&result->cells);
    result->n_rows = result->n_columns = 0;
}

void rb_result_clear(struct rb_query_result *result)
{
    rb_buf_clear(&result->values);
    rb_buf_clear(&result->cells);
    result->n_rows = result->n_columns = 0;
    result->n_affected = -1;
    result->tag[0] = '\0';
}

static int malformed(struct rb_error *err)
{
    return rb_error_set(err, RB_EPROTOCOL, "PROTOCOL_VIOLATION",
                        "the server sent a malformed result");
}

int rb_result_describe(struct rb_query_result *result, const struct rb_wire_message *message,
                       struct rb_error *err)
{
    if (message->len < 2) {
        return malformed(err);
    }
    size_t n = rb_load_be16(message->body);
    if (n > RB_QUERY_COLUMNS_MAX || result->n_rows) {
        return malformed(err);
    }
    result->n_columns = n;
    return 0;
}

static int add_value(struct rb_query_result *result, const uint8_t *data, int32_t len)
{
    struct cell cell = {.offset = (uint32_t)result->values.len, .len = len};
    int r = rb_buf_append(&result->cells, &cell, sizeof cell);
    if (r == 0 && len >= 0) {
        r = rb_buf_append(&result->values, data, (size_t)len);
        r = r < 0 ? r : rb_buf_append_byte(&result->values, 0);
    }
    return r;
}

int rb_result_add_row(struct rb_query_result *result, const struct rb_wire_message *message,
                      struct rb_error *err)
{
    const uint8_t *p = message->body;
    size_t left = message->len;
    if (left < 2 || rb_load_be16(p) != result->n_columns) {
        return malformed(err);
    }
    if (result->n_rows >= RB_QUERY_ROWS_MAX) {
        return rb_error_set(err, RB_ENOMEM, "RESULT_TOO_LARGE",
                            "the server's answer has more than %d rows", RB_QUERY_ROWS_MAX);
    }
    p += 2;
    left -= 2;
    for (size_t i = 0; i < result->n_columns; i++) {
        if (left < 4) {
            return malformed(err);
        }
        int32_t len = (int32_t)rb_load_be32(p);
        p += 4;
        left -= 4;
        if (len < -1 || (len > 0 && (size_t)len > left)) {
            return malformed(err);
        }
        if (add_value(result, p, len) < 0) {
            return rb_error_set(err, RB_ENOMEM, "RESULT_TOO_LARGE",
                                "the server's answer is larger than %d bytes", RB_QUERY_RESULT_MAX);
        }
        if (len > 0) {
            p += len;
            left -= (size_t)len;
        }
    }
    if (left) {
        return malformed(err);
    }
    result->n_rows++;
    return 0;
}

void rb_result_finish(struct rb_query_result *result, const struct rb_wire_message *message)
{
    size_t n = strnlen((const char *)message->body, message->len);
    if (n >= sizeof result->tag) {
        n = sizeof result->tag - 1;
    }
    memcpy(result->tag, message->body, n);
    result->tag[n] = '\0';
    result->n_affected = rb_wire_tag_count(message);
}

int rb_query_result_copy(const struct rb_query_result *result, size_t row,
                         struct rb_query_result *ret, struct rb_error *err)
{
    if (row >= result->n_rows || (ret->n_rows > 0 && ret->n_columns != result->n_columns)) {
        return rb_error_set(err, RB_EINTERNAL, "BAD_RESULT", "there is no such row to copy");
    }
    ret->n_columns = result->n_columns;
    for (size_t i = 0; i < result->n_columns; i++) {
        size_t len = 0;
        const char *value = rb_query_value(result, row, i, &len);
        if (add_value(ret, (const uint8_t *)value, value != NULL ? (int32_t)len : -1) < 0) {
            return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a result");
        }
    }
    ret->n_rows++;
    return 0;
}

void rb_query_result_write(const struct rb_query_result *result, struct rb_json *json)
{
    rb_json_begin_array(json);
    for (size_t row = 0; row < result->n_rows; row++) {
        rb_json_begin_array(json);
        for (size_t i = 0; i < result->n_columns; i++) {
            rb_json_str(json, rb_query_text(result, row, i));
        }
        rb_json_end_array(json);
    }
    rb_json_end_array(json);
}

static int read_row(struct rb_json_value row, size_t n_columns, struct rb_query_result *ret)
{
    if (rb_json_count(row) != n_columns) {
        return RB_EDATA;
    }
    for (size_t i = 0; i < n_columns; i++) {
        struct rb_json_value value = rb_json_item(row, i);
        const char *text = rb_json_text(value, NULL);
        int r =
            text == NULL && !rb_json_is_absent(value)
                ? RB_EDATA
                : add_value(ret, (const uint8_t *)text, text != NULL ? (int32_t)strlen(text) : -1);
        if (r < 0) {
            return r;
        }
    }
    ret->n_rows++;
    return 0;
}

int rb_query_result_read(struct rb_json_value json, size_t n_columns, struct rb_query_result *ret,
                         struct rb_error *err)
{
    size_t n = rb_json_count(json);
    int r = rb_json_is_array(json) ? 0 : RB_EDATA;
    rb_result_clear(ret);
    ret->n_columns = n_columns;
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = read_row(rb_json_item(json, i), n_columns, ret);
    }
    return r == 0          ? 0
           : r == RB_EDATA ? rb_error_set(err, r, "BAD_RESULT", "this is not the result of a query")
                           : rb_error_set(err, r, "OUT_OF_MEMORY", "no memory for a result");
}

const char *rb_query_value(const struct rb_query_result *result, size_t row, size_t column,
                           size_t *ret_len)
{
    if (row >= result->n_rows || column >= result->n_columns) {
        return NULL;
    }
    struct cell cell;
    memcpy(&cell, result->cells.data + (row * result->n_columns + column) * sizeof cell,
           sizeof cell);
    if (cell.len < 0) {
        return NULL;
    }
    if (ret_len) {
        *ret_len = (size_t)cell.len;
    }
    return (const char *)result->values.data + cell.offset;
}

const char *rb_query_text(const struct rb_query_result *result, size_t row, size_t column)
{
    return rb_query_value(result, row, column, NULL);
}

int64_t rb_query_int(const struct rb_query_result *result, size_t row, size_t column,
                     int64_t otherwise)
{
    const char *text = rb_query_text(result, row, column);
    if (!text || !*text) {
        return otherwise;
    }
    char *end;
    long long v = strtoll(text, &end, 10);
    return *end ? otherwise : (int64_t)v;
}

bool rb_query_bool(const struct rb_query_result *result, size_t row, size_t column)
{
    const char *text = rb_query_text(result, row, column);
    return text && strcmp(text, "t") == 0;
}
