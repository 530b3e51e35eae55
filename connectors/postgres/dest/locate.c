#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/postgres/dest/load.h"

enum { KEY_TEXT_MAX = 256, VALUE_SHOWN_MAX = 64, UUID_BYTES = 16 };

/* Behind "COPY <table>, line ", or NULL. */
static const char *find_context(const struct rb_error *error, const char *table)
{
    char words[RB_ERROR_DETAIL_MAX];
    snprintf(words, sizeof words, "COPY %.*s, line ", RB_QUOTE_NAME_MAX, table);
    const char *at = NULL;
    /* The last one: what the row's values say comes before it. */
    for (const char *p = error->detail; (p = strstr(p, words)) != NULL; p++) {
        at = p + strlen(words);
    }
    return at;
}

int64_t rb_locate_line(const struct rb_error *error, const char *table)
{
    const char *at = find_context(error, table);
    long long line = at != NULL ? strtoll(at, NULL, 10) : 0;
    return line > 0 ? line : 0;
}

/* The column that COPY names, up to the context's end, or "". */
static void copy_column(const struct rb_error *error, const char *table,
                        char ret[RB_QUOTE_NAME_MAX + 1])
{
    static const char words[] = ", column ";
    const char *line = find_context(error, table);
    const char *at = line != NULL ? strstr(line, words) : NULL;
    ret[0] = '\0';
    if (at != NULL) {
        snprintf(ret, RB_QUOTE_NAME_MAX + 1, "%s", at + sizeof words - 1);
    }
}

/* The value of a key's column; false for types whose text is not at hand. */
static bool print_value(const struct ArrowArrayView *view, int64_t row, char *ret, size_t size)
{
    if (ArrowArrayViewIsNull(view, row)) {
        snprintf(ret, size, "NULL");
        return true;
    }
    switch ((int)view->storage_type) {
    case NANOARROW_TYPE_INT16:
    case NANOARROW_TYPE_INT32:
    case NANOARROW_TYPE_INT64:
    case NANOARROW_TYPE_UINT32:
        snprintf(ret, size, "%" PRId64, ArrowArrayViewGetIntUnsafe(view, row));
        return true;
    case NANOARROW_TYPE_STRING: {
        struct ArrowStringView text = ArrowArrayViewGetStringUnsafe(view, row);
        int len = text.size_bytes < VALUE_SHOWN_MAX ? (int)text.size_bytes : VALUE_SHOWN_MAX;
        snprintf(ret, size, "%.*s", len, text.data);
        return true;
    }
    case NANOARROW_TYPE_FIXED_SIZE_BINARY: {
        struct ArrowBufferView bytes = ArrowArrayViewGetBytesUnsafe(view, row);
        if (bytes.size_bytes != UUID_BYTES) {
            return false;
        }
        for (size_t i = 0, at = 0; i < UUID_BYTES && at + 4 < size; i++) {
            at += (size_t)snprintf(ret + at, size - at, "%s%02x",
                                   i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                                   bytes.data.as_uint8[i]);
        }
        return true;
    }
    default:
        return false;
    }
}

/* " (a = 1, b = x)", or "" when the key or a value of it is not at hand. */
static void print_key(const struct rb_load *load, const struct ArrowArrayView *view, int64_t row,
                      char ret[KEY_TEXT_MAX])
{
    size_t n = view != NULL ? rb_json_count(load->row_key) : 0;
    size_t at = 0;
    ret[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        const char *name = rb_json_text(rb_json_item(load->row_key, i), "");
        const struct rb_column *column = rb_columns_find(load->columns, name);
        char value[VALUE_SHOWN_MAX + 1];
        if (column == NULL ||
            !print_value(view->children[column - load->columns->items], row, value, sizeof value)) {
            ret[0] = '\0';
            return;
        }
        int wrote = snprintf(ret + at, KEY_TEXT_MAX - at, "%s%s = %s%s", i > 0 ? ", " : " (", name,
                             value, i + 1 == n ? ")" : "");
        at += (size_t)wrote;
        if (at >= KEY_TEXT_MAX) {
            ret[0] = '\0';
            return;
        }
    }
}

void rb_locate_prefix(struct rb_error *error, const char *table, int64_t position,
                      const struct rb_load *load, const struct ArrowArrayView *view, int64_t row)
{
    char key[KEY_TEXT_MAX];
    char column[RB_QUOTE_NAME_MAX + 1];
    if (position == 0 || error == NULL) {
        return;
    }
    print_key(load, view, row, key);
    copy_column(error, table, column);
    if (column[0] != '\0') {
        rb_error_prefix(error, "row %" PRId64 "%s, column \"%s\"", position, key, column);
    } else {
        rb_error_prefix(error, "row %" PRId64 "%s", position, key);
    }
}
