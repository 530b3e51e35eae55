/* Bytes as text in JSON: base64 (RFC 4648, section 4, padded) and lower-case hexadecimal. */
#ifndef RB_HOST_LINK_TEXT_H
#define RB_HOST_LINK_TEXT_H

#include <stddef.h>

#include "base/buf.h"

/* Appends. RB_ENOMEM. */
int rb_link_base64_encode(const void *data, size_t len, struct rb_buf *ret);
/* Appends. RB_EPROTOCOL for anything but whole, padded groups with zero spare bits; RB_ENOMEM. On
 * failure some bytes may have been added. */
int rb_link_base64_decode(const char *text, size_t len, struct rb_buf *ret);
/* Appends. RB_ENOMEM. */
int rb_link_hex_encode(const void *data, size_t len, struct rb_buf *ret);
/* Appends. RB_EPROTOCOL for anything but pairs of hexadecimal digits; RB_ENOMEM. */
int rb_link_hex_decode(const char *text, size_t len, struct rb_buf *ret);

#endif
