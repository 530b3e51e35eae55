/* A Checkpoint (docs/protocol.md) as people read it. */
#ifndef RB_HOST_CLI_CURSOR_H
#define RB_HOST_CLI_CURSOR_H

#include "base/buf.h"

/* Appends the cursor's value as text, as the source wrote it where it did; "-" when it has none.
 * RB_ENOMEM. */
int rb_cursor_text(const char *checkpoint_json, struct rb_buf *ret);
/* Appends the name of its type, nothing when the source did not tell. RB_ENOMEM. */
int rb_cursor_type(const char *checkpoint_json, struct rb_buf *ret);
/* Appends the Checkpoint that stands for "everything up to this value is loaded". */
int rb_cursor_make(const char *stream, const char *cursor_field, const char *value,
                   struct rb_buf *ret);

#endif
