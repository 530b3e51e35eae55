#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/postgres/dest/load.h"

enum { KEY_TEXT_MAX = 256, VALUE_SHOWN_MAX = 64, UUID_BYTES = 16 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The row's number in what follows the table's name: the first number that words come before. */
static const char *find_number(const char *text)
{
    bool words = false;
    for (const char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        if (words && is_digit(*p) && p[-1] == ' ') {
            return p;
        }
        words = words || c == ',' || c >= 0x80;
    }
    return NULL;
}

/* Where the number of COPY's row stands, or NULL. The server says it last, in the language of its
 * lc_messages, which only a superuser may set: "COPY t, line 7, column c", "COPY t, Zeile 7,
 * Spalte c", in Korean the table, words, "7", words, the column and a word. The names and the
 * number are what all have. */
static const char *find_context(const struct rb_error *error, const char *table)
{
    size_t len = strnlen(table, RB_QUOTE_NAME_MAX);
    const char *found = NULL;
    for (const char *p = error->detail; *p != '\0'; p++) {
        bool begins = p == error->detail || p[-1] == '\n' ||
                      (p - error->detail >= 2 && p[-1] == ' ' && p[-2] == ';');
        const char *name = begins && strncmp(p, "COPY ", 5) == 0 ? p + 5 : p;
        if (begins && strncmp(name, table, len) == 0) {
            const char *number = find_number(name + len);
            found = number != NULL ? number : found;
        }
    }
    return found;
}

int64_t rb_locate_line(const struct rb_error *error, const char *table)
{
    const char *at = find_context(error, table);
    long long line = at != NULL ? strtoll(at, NULL, 10) : 0;
    return line > 0 ? line : 0;
}

/* Whether the words after the row's number name the column: last, or between a comma and a word. */
static bool names_column(const char *words, const char *name)
{
    size_t n_words = strlen(words), len = strlen(name);
    if (len == 0) {
        return false;
    }
    if (n_words > len && words[n_words - len - 1] == ' ' &&
        strcmp(words + n_words - len, name) == 0) {
        return true;
    }
    for (const char *p = words; (p = strstr(p, name)) != NULL; p++) {
        if (p - words >= 2 && p[-1] == ' ' && p[-2] == ',' && p[len] == ' ') {
            return true;
        }
    }
    return false;
}

/* The column that COPY names, or NULL. */
static const char *find_column(const struct rb_error *error, const char *table,
                               const struct rb_columns *columns)
{
    const char *words = find_context(error, table);
    const char *found = NULL;
    for (size_t i = 0; words != NULL && i < columns->n; i++) {
        const char *name = columns->items[i].name;
        /* One may end as another does: "b" and "a b". */
        if (names_column(words, name) && (found == NULL || strlen(name) > strlen(found))) {
            found = name;
        }
    }
    return found;
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
    if (position == 0 || error == NULL) {
        return;
    }
    print_key(load, view, row, key);
    const char *column = find_column(error, table, load->columns);
    if (column != NULL) {
        rb_error_prefix(error, "row %" PRId64 "%s, column \"%s\"", position, key, column);
    } else {
        rb_error_prefix(error, "row %" PRId64 "%s", position, key);
    }
}
