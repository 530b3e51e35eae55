/*
 * The hot loops of the data path on fixed input, natively, to have their instructions counted
 * (bench/check).
 *
 *     hot LOOP TABLE      LOOP: a name below without "loop_"; TABLE: narrow, typed or floats
 *
 * Prints the rows that the loop went over. What is to be counted is in a function loop_<name>; all
 * else is preparation.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/ipc.h"
#include "base/bytes.h"
#include "connectors/postgres/common/codec.h"
#include "connectors/postgres/common/copy.h"
#include "host/worker/channel.h"
#include "sdk/native/host_double.h"
#include "tests/support/pgscript.h"

#define LOOP __attribute__((noinline, noclone))
#if defined(__clang__)
#undef LOOP
#define LOOP __attribute__((noinline))
#endif

enum {
    ROWS = 20000,
    REPEATS = 10, /* of loops over one batch */
    BATCH_BYTES = 1024 * 1024,
    RECORD_MAX = 1024 * 1024,
    BUF_MAX = 64 * 1024 * 1024,
    COLUMNS_MAX = 12,
    PIECE = 8192, /* bytes of one receive: what a server sends at a time */
};

struct fixture_column {
    const char *name;
    uint32_t oid;
    size_t width; /* bytes; 0: text of `text_len` */
    size_t text_len;
    unsigned null_every; /* rows; 0: never NULL */
};

struct table {
    const char *name;
    struct fixture_column columns[COLUMNS_MAX];
};

static const struct table tables[] = {
    {"narrow",
     {{"id", 23, 4, 0, 0},
      {"event_type", 25, 0, 7, 0},
      {"user_id", 23, 4, 0, 0},
      {"amount", 23, 4, 0, 0},
      {"is_active", 16, 1, 0, 0},
      {"payload", 25, 0, 62, 0},
      {"created_at", 1114, 8, 0, 0}}},
    {"typed",
     {{"id", 20, 8, 0, 0},
      {"small", 23, 4, 0, 0},
      {"big", 20, 8, 0, 0},
      {"ratio", 701, 8, 0, 0},
      {"price", 1700, 0, 14, 0},
      {"title", 25, 0, 52, 0},
      {"code", 1043, 0, 10, 0},
      {"is_open", 16, 1, 0, 0},
      {"changed", 1184, 8, 0, 0},
      {"born", 1082, 4, 0, 0},
      {"ref", 2950, 16, 0, 0},
      {"note", 25, 0, 21, 10}}},
    {"floats",
     {{"id", 20, 8, 0, 0},
      {"a", 701, 8, 0, 0},
      {"b", 701, 8, 0, 0},
      {"c", 701, 8, 0, 0},
      {"d", 701, 8, 0, 0}}},
};

struct fixture {
    const struct table *table;
    struct rb_columns columns;
    struct ArrowSchema schema;
    struct rb_buf copy;    /* the stream, with header and trailer */
    size_t rows[ROWS + 1]; /* where each row begins in it, and the last one ends */
    struct rb_decoder *decoder;
    const struct ArrowArray *batch; /* one full batch */
    struct rb_buf ipc;              /* the same */
    struct rb_ipc_encoder encoder;
    struct rb_ipc_decoder ipc_decoder;
    int64_t batch_rows;
};

static void demand(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "hot: %s\n", what);
        exit(1);
    }
}

static void put_value(const struct fixture_column *column, unsigned row, struct rb_buf *out)
{
    uint8_t value[64];
    size_t len = column->width;
    memset(value, 0, sizeof value);
    if (column->null_every > 0 && row % column->null_every == 0) {
        demand(rb_buf_append_be32(out, UINT32_MAX) == 0, "no memory");
        return;
    }
    if (len == 0) {
        /* Texts of several lengths, all with one mean. */
        len = column->text_len - 2 + row % 5;
        memset(value, 'a' + (int)(row % 26), len);
    } else if (len == 1) {
        value[0] = (uint8_t)(row % 2);
    } else {
        rb_store_be32(value + len - 4, row * 7919U % 1000003U);
    }
    demand(rb_buf_append_be32(out, (uint32_t)len) == 0 && rb_buf_append(out, value, len) == 0,
           "no memory");
}

static void make_columns(struct fixture *f)
{
    struct rb_error err = {0};
    rb_columns_init(&f->columns);
    for (size_t i = 0; i < COLUMNS_MAX && f->table->columns[i].name != NULL; i++) {
        const struct fixture_column *from = &f->table->columns[i];
        char name[32], type[] = "pg_catalog.any";
        snprintf(name, sizeof name, "%s", from->name);
        struct rb_column column = {.name = name,
                                   .declared = type,
                                   .type_name = type,
                                   .oid = from->oid,
                                   .typmod = -1,
                                   .not_null = from->null_every == 0,
                                   .from_postgres = true};
        rb_column_set_type(&column, (struct rb_type_facts){.oid = from->oid}, true);
        demand(rb_columns_add(&f->columns, &column, &err) == 0, err.message);
    }
    demand(rb_columns_to_schema(&f->columns, NULL, &f->schema, &err) == 0, err.message);
}

static void make_copy(struct fixture *f)
{
    rb_buf_init(&f->copy, BUF_MAX);
    demand(rb_buf_append(&f->copy, rb_copy_binary_header, sizeof rb_copy_binary_header) == 0,
           "no memory");
    for (unsigned row = 0; row < ROWS; row++) {
        f->rows[row] = f->copy.len;
        demand(rb_buf_append_be16(&f->copy, (uint16_t)f->columns.n) == 0, "no memory");
        for (size_t i = 0; i < f->columns.n; i++) {
            put_value(&f->table->columns[i], row, &f->copy);
        }
    }
    f->rows[ROWS] = f->copy.len;
    demand(rb_codec_append_trailer(&f->copy) == 0, "no memory");
}

static struct rb_decoder *new_decoder(const struct fixture *f)
{
    const struct rb_decoder_options options = {
        .batch_bytes = BATCH_BYTES, .max_record_bytes = RECORD_MAX, .checksum = true};
    struct rb_decoder *decoder = NULL;
    demand(rb_decoder_new(&f->columns, &options, &decoder, NULL) == 0, "no decoder");
    return decoder;
}

/* One full batch, as Arrow and as IPC. */
static void make_batch(struct fixture *f)
{
    struct rb_error err = {0};
    size_t used = 0;
    f->decoder = new_decoder(f);
    demand(rb_decoder_push(f->decoder, f->copy.data, f->copy.len, &used, &err) >= 0, err.message);
    demand(rb_decoder_batch(f->decoder, &f->batch, &err) == 0, err.message);
    f->batch_rows = rb_decoder_batch_rows(f->decoder);
    rb_buf_init(&f->ipc, BUF_MAX);
    demand(rb_ipc_encoder_init(&f->encoder, &f->schema, &err) == 0, err.message);
    demand(rb_ipc_encode(&f->encoder, f->batch, &f->ipc, &err) == 0, err.message);
    rb_ipc_decoder_init(&f->ipc_decoder);
    demand(rb_ipc_decode(&f->ipc_decoder, f->ipc.data, f->ipc.len, &err) >= 0, err.message);
}

/* The stream from byte `from` up to the end of row `last`, a row a message, as the server sends
 * them; full batches are dropped. */
static void push_rows(struct fixture *f, size_t from, size_t last)
{
    struct rb_error err = {0};
    for (size_t row = 0; row < last; row++) {
        while (from < f->rows[row + 1]) {
            size_t used = 0;
            int r = rb_decoder_push(f->decoder, f->copy.data + from, f->rows[row + 1] - from, &used,
                                    &err);
            demand(r >= 0, err.message);
            if (r == RB_DECODER_FULL) {
                rb_decoder_clear(f->decoder);
            }
            from += used;
        }
    }
}

/* Its columns have grown before, so that the C library's realloc is not counted. */
static void prepare_decode(struct fixture *f)
{
    rb_decoder_free(f->decoder);
    f->decoder = new_decoder(f);
    push_rows(f, 0, ROWS);
}

/* COPY's bytes to columns. */
static LOOP int64_t loop_decode(struct fixture *f)
{
    int64_t before = rb_decoder_rows(f->decoder);
    push_rows(f, f->rows[0], ROWS);
    return rb_decoder_rows(f->decoder) - before;
}

static LOOP int64_t loop_ipc_encode(struct fixture *f)
{
    for (int i = 0; i < REPEATS; i++) {
        demand(rb_ipc_encode(&f->encoder, f->batch, &f->ipc, NULL) == 0, "rb_ipc_encode");
    }
    return REPEATS * f->batch_rows;
}

/* The host's check. */
static LOOP int64_t loop_ipc_check(struct fixture *f)
{
    int64_t rows = 0, sum = 0;
    for (int i = 0; i < REPEATS; i++) {
        demand(rb_ipc_check(f->ipc.data, f->ipc.len, &rows, NULL) == 0, "rb_ipc_check");
        sum += rows;
    }
    return sum;
}

/* Through the channel: into a frame, and out of it into the other guest. */
static LOOP int64_t loop_channel(struct fixture *f)
{
    struct rb_channel channel;
    uint8_t *out = malloc(f->ipc.len);
    demand(out != NULL && rb_channel_init(&channel, 16, BUF_MAX, NULL) == 0, "no channel");
    for (uint64_t i = 0; i < REPEATS; i++) {
        struct rb_frame *frame = rb_frame_new(RB_FRAME_DATA, f->ipc.data, f->ipc.len);
        demand(frame != NULL, "no frame");
        frame->unit = 1;
        frame->seq = i;
        demand(rb_channel_send(&channel, frame, NULL) == 0 &&
                   rb_channel_recv(&channel, 1, i, &frame, NULL) == 0,
               "the channel");
        memcpy(out, frame->bytes, frame->size);
        rb_channel_drop(&channel, frame);
    }
    rb_channel_release(&channel);
    free(out);
    return REPEATS * f->batch_rows;
}

static LOOP int64_t loop_ipc_decode(struct fixture *f)
{
    for (int i = 0; i < REPEATS; i++) {
        demand(rb_ipc_decode(&f->ipc_decoder, f->ipc.data, f->ipc.len, NULL) >= 0, "rb_ipc_decode");
    }
    return REPEATS * f->ipc_decoder.n_rows;
}

/* Columns to COPY's bytes, in messages of 64 KiB. */
static LOOP int64_t loop_encode(struct fixture *f)
{
    const struct rb_encoder_options options = {.max_record_bytes = RECORD_MAX, .checksum = true};
    struct rb_encoder *encoder = NULL;
    struct rb_error err = {0};
    struct rb_buf out = RB_BUF_INIT(BUF_MAX);
    demand(rb_encoder_new(&f->columns, &options, &encoder, &err) == 0, err.message);
    for (int i = 0; i < REPEATS; i++) {
        demand(rb_encoder_bind(encoder, f->ipc_decoder.view, &err) == 0, err.message);
        int r = 0;
        while (r == 0) {
            rb_buf_clear(&out);
            r = rb_encoder_rows(encoder, &out, RB_CONN_COPY_MESSAGE_BYTES, &err);
            demand(r >= 0, err.message);
        }
    }
    int64_t rows = rb_encoder_row_count(encoder);
    rb_encoder_free(encoder);
    rb_buf_release(&out);
    return rows;
}

static struct rb_double_peer peer;
static struct rb_conn *conn;

/* The answer to COPY, a message for each row. */
static void prepare_receive(struct fixture *f)
{
    static const struct rb_conn_config config = {.host = "db",
                                                 .port = 5432,
                                                 .user = "u",
                                                 .database = "d",
                                                 .application_name = "a",
                                                 .max_record_bytes = RECORD_MAX};
    struct rb_error err = {0};
    rb_double_peer_init(&peer);
    rb_double_set_net(&rb_double_peer_net, &peer);
    rb_double_set_tls_mode(RB_TLS_DISABLE);
    rb_pgscript_startup(&peer.says, "13.1");
    demand(rb_conn_open(&config, &conn, &err) == 0, err.message);
    rb_pgscript_copy(&peer.says, 'H', f->columns.n);
    for (size_t row = 0; row < ROWS; row++) {
        rb_pgscript_message(&peer.says, 'd', f->copy.data + f->rows[row],
                            f->rows[row + 1] - f->rows[row]);
    }
    rb_pgscript_message(&peer.says, 'c', "", 0);
    rb_pgscript_complete(&peer.says, "COPY 20000");
    rb_pgscript_ready(&peer.says, 'I');
    peer.piece = PIECE;
    demand(rb_copy_out_begin(conn, "COPY", &err) == 0, err.message);
}

/* Messages out of the bytes that were received. */
static LOOP int64_t loop_receive(struct fixture *f)
{
    struct rb_error err = {0};
    const uint8_t *data = NULL;
    size_t len = 0;
    int64_t rows = -1;
    int r = 0;
    (void)f;
    while (r == 0) {
        r = rb_copy_out_next(conn, &data, &len, &err);
        demand(r >= 0, err.message);
        rows++;
    }
    return rows;
}

static const struct loop {
    const char *name;
    int64_t (*run)(struct fixture *f);
    void (*prepare)(struct fixture *f);
} loops[] = {
    {"receive", loop_receive, prepare_receive},
    {"decode", loop_decode, prepare_decode},
    {"ipc_encode", loop_ipc_encode, NULL},
    {"ipc_check", loop_ipc_check, NULL},
    {"channel", loop_channel, NULL},
    {"ipc_decode", loop_ipc_decode, NULL},
    {"encode", loop_encode, NULL},
};

int main(int argc, char **argv)
{
    static struct fixture f;
    const struct loop *loop = NULL;
    for (size_t i = 0; argc == 3 && i < sizeof tables / sizeof *tables; i++) {
        f.table = strcmp(argv[2], tables[i].name) == 0 ? &tables[i] : f.table;
    }
    for (size_t i = 0; argc == 3 && i < sizeof loops / sizeof *loops; i++) {
        loop = strcmp(argv[1], loops[i].name) == 0 ? &loops[i] : loop;
    }
    if (f.table == NULL || loop == NULL) {
        fprintf(stderr, "usage: hot LOOP TABLE\n");
        return 2;
    }
    make_columns(&f);
    make_copy(&f);
    make_batch(&f);
    if (loop->prepare != NULL) {
        loop->prepare(&f);
    }
    printf("%lld\n", (long long)loop->run(&f));
    return 0;
}
