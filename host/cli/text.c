#include "host/cli/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/utf8.h"

const char *rb_text_count(int64_t n, char out[RB_TEXT_MAX])
{
    char digits[RB_TEXT_MAX];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)n);
    int at = 0;
    for (int i = 0; i < len && at < RB_TEXT_MAX - 2; i++) {
        if (i > 0 && digits[i - 1] != '-' && (len - i) % 3 == 0) {
            out[at++] = ',';
        }
        out[at++] = digits[i];
    }
    out[at] = 0;
    return out;
}

const char *rb_text_bytes(double bytes, char out[RB_TEXT_MAX])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    size_t unit = 0;
    while (bytes >= 1000.0 && unit < 4) {
        bytes /= 1000.0;
        unit++;
    }
    snprintf(out, RB_TEXT_MAX, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
    return out;
}

const char *rb_text_secs(double secs, char out[RB_TEXT_MAX])
{
    if (secs < 60.0) {
        snprintf(out, RB_TEXT_MAX, "%.2f s", secs);
        return out;
    }
    long long whole = (long long)secs;
    if (whole < 3600) {
        snprintf(out, RB_TEXT_MAX, "%lld:%02lld min", whole / 60, whole % 60);
    } else {
        snprintf(out, RB_TEXT_MAX, "%lld:%02lld:%02lld h", whole / 3600, whole / 60 % 60,
                 whole % 60);
    }
    return out;
}

const char *rb_text_time(int64_t unix_us, char out[RB_TEXT_MAX])
{
    time_t secs = (time_t)(unix_us / 1000000);
    struct tm tm;
    if (unix_us == 0 || gmtime_r(&secs, &tm) == NULL ||
        strftime(out, RB_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) {
        snprintf(out, RB_TEXT_MAX, "-");
    }
    return out;
}

const char *rb_text_now(char out[RB_TEXT_MAX])
{
    time_t now = time(NULL);
    struct tm tm;
    char zone[8];
    size_t n =
        localtime_r(&now, &tm) == NULL ? 0 : strftime(out, RB_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    /* +0100, and ISO 8601's extended form has a colon. */
    if (n == 0 || strftime(zone, sizeof zone, "%z", &tm) != 5) {
        return rb_text_time((int64_t)now * 1000000, out);
    }
    snprintf(out + n, RB_TEXT_MAX - n, "%.3s:%s", zone, zone + 3);
    return out;
}

const char *rb_text_whole_secs(double secs, char out[RB_TEXT_MAX])
{
    if (secs >= 60.0) {
        return rb_text_secs(secs, out);
    }
    snprintf(out, RB_TEXT_MAX, "%d s", (int)secs);
    return out;
}

size_t rb_text_width(const char *text)
{
    size_t width = 0;
    for (; *text != 0; text++) {
        width += ((unsigned char)*text & 0xc0U) != 0x80U ? 1 : 0;
    }
    return width;
}

/* Bytes of the character at `p`, and its number; 1 and U+FFFD where it is not UTF-8. */
static size_t decode(const unsigned char *p, size_t len, uint32_t *ret)
{
    static const uint32_t lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    size_t n = rb_utf8_length(p, len);
    *ret = n == 0 ? 0xfffd : p[0] & lead[n];
    for (size_t i = 1; i < n; i++) {
        *ret = *ret << 6 | (p[i] & 0x3fU);
    }
    return n == 0 ? 1 : n;
}

/* Line and paragraph separators, and what turns or marks the direction of text, so that a name is
 * read as another: Unicode's Bidi_Control, and the deprecated ones beside them. */
static bool is_unsafe(uint32_t code)
{
    return code < 0xa0 || code == 0x61c || code == 0x200e || code == 0x200f ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x206f);
}

/* Where the next character stands that may not reach a terminal, from `at` on; `len`: none does. */
static size_t find_unsafe(const char *text, size_t len, size_t at, uint32_t *ret_code,
                          size_t *ret_bytes)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t bytes = 1;
    for (; at < len; at += bytes) {
        uint32_t code = p[at];
        bytes = 1;
        if (code >= 0x20 && code < 0x7f) {
            continue;
        }
        bytes = decode(p + at, len - at, &code);
        if (is_unsafe(code) || (bytes == 1 && code == 0xfffd)) {
            *ret_code = code;
            *ret_bytes = bytes;
            return at;
        }
    }
    return len;
}

void rb_text_sanitize(char *text)
{
    size_t len = strlen(text), bytes = 0;
    uint32_t code = 0;
    for (size_t at = 0; (at = find_unsafe(text, len, at, &code, &bytes)) < len; at += bytes) {
        memset(text + at, '?', bytes);
    }
}

void rb_text_escape_json(const char *text, size_t len,
                         void (*put)(void *user, const char *text, size_t len), void *user)
{
    size_t from = 0, bytes = 0;
    uint32_t code = 0;
    while (from < len) {
        size_t at = find_unsafe(text, len, from, &code, &bytes);
        put(user, text + from, at - from);
        from = at + bytes;
        if (at == len) {
            return;
        }
        char escaped[12] = " ";
        if (code >= 0x20) {
            snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned)code);
        }
        put(user, escaped, strlen(escaped));
    }
}
