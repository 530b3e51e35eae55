/* Figures as people read them. All write into `out` and return it. */
#ifndef RB_HOST_CLI_TEXT_H
#define RB_HOST_CLI_TEXT_H

#include <stddef.h>
#include <stdint.h>

enum { RB_TEXT_MAX = 32 };

const char *rb_text_count(int64_t n, char out[RB_TEXT_MAX]); /* 1,234,567 */
const char *rb_text_bytes(double bytes,
                          char out[RB_TEXT_MAX]);             /* 12.3 MB; 1 MB = 1,000,000 bytes */
const char *rb_text_secs(double secs, char out[RB_TEXT_MAX]); /* 0.42 s, 2:03 min, 1:02:03 h */
/* 2026-01-31T23:59:59Z; "-" for 0. */
const char *rb_text_time(int64_t unix_us, char out[RB_TEXT_MAX]);
/* Now, as 2026-01-31T23:59:59+01:00 by the machine's time zone. */
const char *rb_text_now(char out[RB_TEXT_MAX]);
/* Without a fraction: 5 s, 2:03 min. */
const char *rb_text_whole_secs(double secs, char out[RB_TEXT_MAX]);
/* Columns that `text` takes on a terminal, as far as UTF-8's characters tell. */
size_t rb_text_width(const char *text);
/* Makes text from elsewhere harmless to a terminal, in place: control characters, line breaks, line
 * separators, marks of direction and what is not UTF-8 become '?', one for each byte. */
void rb_text_sanitize(char *text);
/* Gives a JSON document to `put` in pieces, with the same characters escaped (\u202e). Controls
 * below U+0020 stand between JSON's words alone (RFC 8259, section 7) and become spaces. */
void rb_text_escape_json(const char *text, size_t len,
                         void (*put)(void *user, const char *text, size_t len), void *user);

#endif
