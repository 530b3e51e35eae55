/* UTF-8 (Unicode, table 3-7). */
#ifndef RB_BASE_UTF8_H
#define RB_BASE_UTF8_H

#include <stddef.h>

/* Bytes of the well-formed character at `p`, of which `len` (at least 1) are there; 0: it is none.
 */
size_t rb_utf8_length(const unsigned char *p, size_t len);

#endif
