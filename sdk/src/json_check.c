#include "sdk/src/json_check.h"

#include <stdint.h>
#include <string.h>

struct scan {
    const char *at, *end;
    size_t depth;
    bool is_object[RB_SDK_JSON_DEPTH_MAX]; /* else an array */
};

static bool is_one_of(char c, const char *set)
{
    return c != 0 && strchr(set, c) != NULL;
}

static char peek(const struct scan *scan)
{
    return scan->at < scan->end ? *scan->at : 0;
}

static bool take(struct scan *scan, char c)
{
    if (peek(scan) != c || scan->at == scan->end) {
        return false;
    }
    scan->at++;
    return true;
}

static void skip_blanks(struct scan *scan)
{
    while (is_one_of(peek(scan), " \t\r\n")) {
        scan->at++;
    }
}

static size_t skip_digits(struct scan *scan, const char *digits)
{
    const char *start = scan->at;
    while (is_one_of(peek(scan), digits)) {
        scan->at++;
    }
    return (size_t)(scan->at - start);
}

static bool scan_escape(struct scan *scan)
{
    if (!take(scan, 'u')) {
        bool known = is_one_of(peek(scan), "\"\\/bfnrt");
        scan->at += known ? 1 : 0;
        return known;
    }
    for (int i = 0; i < 4; i++) {
        if (!is_one_of(peek(scan), "0123456789abcdefABCDEF")) {
            return false;
        }
        scan->at++;
    }
    return true;
}

static bool scan_string(struct scan *scan)
{
    if (!take(scan, '"')) {
        return false;
    }
    while (scan->at < scan->end && (uint8_t)*scan->at >= 0x20) {
        char c = *scan->at++;
        if (c == '"') {
            return true;
        }
        if (c == '\\' && !scan_escape(scan)) {
            return false;
        }
    }
    return false;
}

static bool scan_number(struct scan *scan)
{
    static const char digits[] = "0123456789";
    (void)take(scan, '-');
    if (!take(scan, '0') && skip_digits(scan, digits) == 0) {
        return false;
    }
    if (take(scan, '.') && skip_digits(scan, digits) == 0) {
        return false;
    }
    if (!is_one_of(peek(scan), "eE")) {
        return true;
    }
    scan->at++;
    if (is_one_of(peek(scan), "+-")) {
        scan->at++;
    }
    return skip_digits(scan, digits) > 0;
}

static bool scan_scalar(struct scan *scan)
{
    static const char *const words[] = {"true", "false", "null"};
    if (peek(scan) == '"') {
        return scan_string(scan);
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t len = strlen(words[i]);
        if ((size_t)(scan->end - scan->at) >= len && memcmp(scan->at, words[i], len) == 0) {
            scan->at += len;
            return true;
        }
    }
    return scan_number(scan);
}

/* An object's key, up to its value. */
static bool scan_key(struct scan *scan)
{
    skip_blanks(scan);
    if (!scan_string(scan)) {
        return false;
    }
    skip_blanks(scan);
    return take(scan, ':');
}

/* What follows a value: the ends of what it was in, and perhaps the way to the next value. */
static bool scan_ends(struct scan *scan)
{
    while (scan->depth > 0) {
        bool in_object = scan->is_object[scan->depth - 1];
        skip_blanks(scan);
        if (take(scan, ',')) {
            return !in_object || scan_key(scan);
        }
        if (!take(scan, in_object ? '}' : ']')) {
            return false;
        }
        scan->depth--;
    }
    return true;
}

/* A value's beginning, and what follows it where it is whole already. */
static bool scan_value(struct scan *scan)
{
    skip_blanks(scan);
    bool is_object = peek(scan) == '{';
    if (!is_object && peek(scan) != '[') {
        return scan->depth > 0 && scan_scalar(scan) && scan_ends(scan);
    }
    if (scan->depth == RB_SDK_JSON_DEPTH_MAX) {
        return false;
    }
    scan->at++;
    scan->is_object[scan->depth++] = is_object;
    skip_blanks(scan);
    if (peek(scan) == (is_object ? '}' : ']')) {
        return scan_ends(scan);
    }
    return !is_object || scan_key(scan);
}

bool rb_sdk_json_is_valid(const char *text, size_t len)
{
    struct scan scan = {.at = text, .end = text + len, .depth = 0};
    do {
        if (!scan_value(&scan)) {
            return false;
        }
    } while (scan.depth > 0);
    skip_blanks(&scan);
    return scan.at == scan.end;
}
