/* Whether a text is JSON at all (RFC 8259): jsmn takes much that is not. */
#ifndef RB_SDK_SRC_JSON_CHECK_H
#define RB_SDK_SRC_JSON_CHECK_H

#include <stdbool.h>
#include <stddef.h>

enum { RB_SDK_JSON_DEPTH_MAX = 512 };

/* One object or array of at most that depth, blanks around it. That strings are UTF-8 is not looked
 * at. */
bool rb_sdk_json_is_valid(const char *text, size_t len);

#endif
