/*
 * The hot loops of the data path, natively: to have their instructions counted (bench/check), or
 * timed beside the same in wasm (bench/native).
 *
 *     hot LOOP TABLE      prints the rows that the loop went over
 *     hot --time TABLE    prints for each of the guests' loops: name, table, nanoseconds a row
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/hot_loops.h"
#include "connectors/postgres/common/copy.h"
#include "host/worker/channel.h"
#include "sdk/native/host_double.h"
#include "tests/support/pgscript.h"

#define LOOP static __attribute__((noinline))

enum {
    BUF_MAX = 64 * 1024 * 1024,
    PIECE = 8192, /* bytes of one receive: what a server sends at a time */
    TIMES = 15,   /* of each loop; the fastest counts */
};

/* The host's check. */
LOOP int64_t loop_ipc_check(struct rb_hot *f)
{
    int64_t rows = 0, sum = 0;
    for (int i = 0; i < RB_HOT_REPEATS; i++) {
        rb_hot_demand(rb_ipc_check(f->ipc.data, f->ipc.len, &rows, NULL) == 0, "rb_ipc_check");
        sum += rows;
    }
    return sum;
}

/* Through the channel: into a frame, and out of it into the other guest. */
LOOP int64_t loop_channel(struct rb_hot *f)
{
    struct rb_channel channel;
    uint8_t *out = malloc(f->ipc.len);
    rb_hot_demand(out != NULL && rb_channel_init(&channel, 16, BUF_MAX, NULL) == 0, "no channel");
    for (uint64_t i = 0; i < RB_HOT_REPEATS; i++) {
        struct rb_frame *frame = rb_frame_new(RB_FRAME_DATA, f->ipc.data, f->ipc.len);
        rb_hot_demand(frame != NULL, "no frame");
        frame->unit = 1;
        frame->seq = i;
        rb_hot_demand(rb_channel_send(&channel, frame, NULL) == 0 &&
                          rb_channel_recv(&channel, 1, i, &frame, NULL) == 0,
                      "the channel");
        memcpy(out, frame->bytes, frame->size);
        rb_channel_drop(&channel, frame);
    }
    rb_channel_release(&channel);
    free(out);
    return RB_HOT_REPEATS * f->batch_rows;
}

static struct rb_double_peer peer;
static struct rb_conn *conn;

/* The answer to COPY, a message for each row. */
static void prepare_read(struct rb_hot *f)
{
    static const struct rb_conn_config config = {.host = "db",
                                                 .port = 5432,
                                                 .user = "u",
                                                 .database = "d",
                                                 .application_name = "a",
                                                 .max_record_bytes = RB_HOT_RECORD_MAX};
    struct rb_error err = {0};
    rb_hot_prepare_decode(f);
    rb_double_peer_init(&peer);
    rb_double_set_net(&rb_double_peer_net, &peer);
    rb_double_set_tls_mode(RB_TLS_DISABLE);
    rb_pgscript_startup(&peer.says, "13.1");
    rb_hot_demand(rb_conn_open(&config, &conn, &err) == 0, err.message);
    rb_pgscript_copy(&peer.says, 'H', f->columns.n);
    for (size_t row = 0; row < RB_HOT_ROWS; row++) {
        rb_pgscript_message(&peer.says, 'd', f->copy.data + f->rows[row],
                            f->rows[row + 1] - f->rows[row]);
    }
    rb_pgscript_message(&peer.says, 'c', "", 0);
    rb_pgscript_complete(&peer.says, "COPY 20000");
    rb_pgscript_ready(&peer.says, 'I');
    peer.piece = PIECE;
    rb_hot_demand(rb_copy_out_begin(conn, "COPY", &err) == 0, err.message);
}

/* As the source reads a table: what was received to columns, and the next message, which receives.
 */
LOOP int64_t loop_read(struct rb_hot *f)
{
    struct rb_error err = {0};
    int64_t before = rb_decoder_rows(f->pushed);
    int r = 0;
    while (r == 0) {
        const uint8_t *data = NULL;
        size_t used = 0, len = rb_copy_out_received(conn, &data);
        r = len > 0 ? rb_decoder_push_messages(f->pushed, data, len, &used, &err) : 0;
        rb_hot_demand(r >= 0, err.message);
        rb_copy_out_skip(conn, used);
        if (r == RB_DECODER_FULL) {
            rb_decoder_clear(f->pushed);
            r = 0;
            continue;
        }
        r = rb_copy_out_next(conn, &data, &len, &err);
        rb_hot_demand(r >= 0, err.message);
        while (r == 0 && len > 0) {
            rb_hot_demand(rb_decoder_push(f->pushed, data, len, &used, &err) >= 0, err.message);
            if (used < len) {
                rb_decoder_clear(f->pushed);
            }
            data += used;
            len -= used;
        }
    }
    return rb_decoder_rows(f->pushed) - before;
}

static const struct rb_hot_loop more_loops[] = {
    {"read", loop_read, prepare_read},
    {"ipc_check", loop_ipc_check, NULL},
    {"channel", loop_channel, NULL},
    {NULL, NULL, NULL},
};

static const struct rb_hot_loop *find(const struct rb_hot_loop *loops, const char *name)
{
    while (loops->name != NULL && strcmp(loops->name, name) != 0) {
        loops++;
    }
    return loops->name != NULL ? loops : NULL;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void time_all(struct rb_hot *f, const char *table)
{
    for (const struct rb_hot_loop *loop = rb_hot_loops; loop->name != NULL; loop++) {
        double best = 0;
        if (loop->prepare != NULL) {
            loop->prepare(f);
        }
        for (int i = 0; i < TIMES; i++) {
            double start = seconds();
            int64_t rows = loop->run(f);
            double row = (seconds() - start) / (double)rows;
            best = i == 0 || row < best ? row : best;
        }
        printf("%s %s %.3f\n", loop->name, table, best * 1e9);
    }
}

int main(int argc, char **argv)
{
    static struct rb_hot f;
    if (argc != 3 || !rb_hot_init(&f, argv[2])) {
        fprintf(stderr, "usage: hot LOOP|--time narrow|typed|floats\n");
        return 2;
    }
    if (strcmp(argv[1], "--time") == 0) {
        time_all(&f, argv[2]);
        return 0;
    }
    const struct rb_hot_loop *loop = find(rb_hot_loops, argv[1]);
    loop = loop != NULL ? loop : find(more_loops, argv[1]);
    if (loop == NULL) {
        fprintf(stderr, "hot: there is no loop %s\n", argv[1]);
        return 2;
    }
    if (loop->prepare != NULL) {
        loop->prepare(&f);
    }
    printf("%lld\n", (long long)loop->run(&f));
    return 0;
}
