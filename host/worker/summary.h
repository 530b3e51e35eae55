/* What a connector says that it did, held against what passed through the host. */
#ifndef RB_HOST_WORKER_SUMMARY_H
#define RB_HOST_WORKER_SUMMARY_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "host/worker/stage.h"

struct rb_summary {
    bool needs_no_rows; /* a destination has the unit already and did not read to the end */
    char checksum[64];  /* a source's; "": none */
};

/* Of a run_* export that reported success with `data`. RB_ECONNECTOR (code CONTRACT) when the
 * counts differ from the rows that passed, or the end of the stream was not waited for; the error
 * of the batch when one could not be sent or received and the connector went on all the same. */
int rb_summary_check(const struct rb_stage *stage, const struct rb_buf *data,
                     struct rb_summary *ret, struct rb_error *err);

/* {"error":…} as the RESULT of what could not be done. */
void rb_summary_write_error(struct rb_buf *text, const struct rb_error *err);

#endif
