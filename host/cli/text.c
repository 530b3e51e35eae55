#include "host/cli/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

enum { COLUMNS_DEFAULT = 80, COLUMNS_MIN = 20 };

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

size_t rb_text_columns(int fd)
{
    struct winsize size;
    const char *given = getenv("COLUMNS");
    long columns = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col
                   : given != NULL                                      ? strtol(given, NULL, 10)
                                                                        : 0;
    return columns <= 0 ? COLUMNS_DEFAULT : columns < COLUMNS_MIN ? COLUMNS_MIN : (size_t)columns;
}

size_t rb_text_width(const char *text)
{
    size_t width = 0;
    for (; *text != 0; text++) {
        width += ((unsigned char)*text & 0xc0U) != 0x80U ? 1 : 0;
    }
    return width;
}

void rb_text_sanitize(char *text)
{
    for (; *text != 0; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7f) {
            *text = '?';
        } else if (c == 0xc2 && ((unsigned char)text[1] & 0xe0U) == 0x80) {
            /* U+0080 to U+009F, among them CSI: an escape sequence in one character. */
            *text++ = '?';
            *text = '?';
        }
    }
}
