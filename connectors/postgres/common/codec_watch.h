/* Where a stream in the order of one column may be cut. Only for codec_decode.c and its tests. */
#ifndef RB_CONNECTORS_POSTGRES_COMMON_CODEC_WATCH_H
#define RB_CONNECTORS_POSTGRES_COMMON_CODEC_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct rb_watch {
    bool on;
    size_t column;
    bool numeric;        /* its display scale is not part of the value: 1.0 ties with 1.00 */
    int64_t rows, bytes; /* of the stream, from which on it may be cut */
    bool has_value;
    struct rb_buf value; /* of the row before, as COPY has it; not NULL */
};

/* Whether the row that begins at `p` begins another value than the row before had, whose value
 * stays in `value`; else its own is noted. 0: the row belongs to the rows before, or has no value,
 * or is not all there, or is malformed, which is for the decoder to find; 1: it begins another;
 * RB_ENOMEM. */
int rb_watch_row(struct rb_watch *watch, const uint8_t *p, const uint8_t *end);

#endif
