/*
 * The guests' hot loops on fixed input: compiled natively to be counted and timed (hot.c), and for
 * wasm to be timed (hot_guest.c). What is counted or timed is in a function loop_<name>; all else
 * is preparation.
 */
#ifndef RB_BENCH_HOT_LOOPS_H
#define RB_BENCH_HOT_LOOPS_H

#include <nanoarrow/nanoarrow.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "arrow/ipc.h"
#include "base/buf.h"
#include "connectors/postgres/common/codec.h"

enum {
    RB_HOT_ROWS = 20000,
    RB_HOT_REPEATS = 10, /* of loops over one batch */
    RB_HOT_RECORD_MAX = 1024 * 1024,
};

struct rb_hot {
    const struct rb_hot_table *table;
    struct rb_columns columns;
    struct ArrowSchema schema;
    struct rb_buf copy;             /* the stream, with header and trailer */
    size_t rows[RB_HOT_ROWS + 1];   /* where each row begins in it, and the last one ends */
    struct rb_decoder *decoder;     /* has the batch */
    struct rb_buf messages;         /* the rows, each in its CopyData message */
    struct rb_decoder *pushed;      /* of loops that decode */
    const struct ArrowArray *batch; /* one full batch */
    struct rb_buf ipc;              /* the same */
    struct rb_ipc_encoder encoder;
    struct rb_ipc_decoder ipc_decoder;
    int64_t batch_rows;
};

/* Ends the program when something that can't fail did. */
static inline void rb_hot_demand(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "hot: %s\n", what);
        abort();
    }
}

struct rb_hot_loop {
    const char *name;                    /* NULL ends the list */
    int64_t (*run)(struct rb_hot *hot);  /* the rows that it went over */
    void (*prepare)(struct rb_hot *hot); /* NULL: nothing more than rb_hot_init */
};
extern const struct rb_hot_loop rb_hot_loops[];

/* False: there is no table of that name (narrow, typed, floats). */
bool rb_hot_init(struct rb_hot *hot, const char *table);
void rb_hot_release(struct rb_hot *hot);
int64_t loop_decode(struct rb_hot *f);
int64_t loop_push(struct rb_hot *f);
/* For loop_decode and loop_push: a decoder whose columns have grown. */
void rb_hot_prepare_decode(struct rb_hot *f);
int64_t loop_ipc_encode(struct rb_hot *f);
int64_t loop_ipc_decode(struct rb_hot *f);
/* Columns to COPY's bytes, in messages of 64 KiB. */
int64_t loop_encode(struct rb_hot *f);

#endif
