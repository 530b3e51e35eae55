#include "bench/hot_loops.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "connectors/postgres/common/copy.h"

enum {
    BATCH_BYTES = 1024 * 1024,
    RECEIVED = 64 * 1024, /* bytes that lie in the receive buffer at a time */
    BUF_MAX = 64 * 1024 * 1024,
    COLUMNS_MAX = 12,
};

struct fixture_column {
    const char *name;
    uint32_t oid;
    size_t width; /* bytes; 0: text of `text_len` */
    size_t text_len;
    unsigned null_every; /* rows; 0: never NULL */
};

struct rb_hot_table {
    const char *name;
    struct fixture_column columns[COLUMNS_MAX];
};

static const struct rb_hot_table tables[] = {
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

static void put_value(const struct fixture_column *column, unsigned row, struct rb_buf *out)
{
    uint8_t value[64];
    size_t len = column->width;
    memset(value, 0, sizeof value);
    if (column->null_every > 0 && row % column->null_every == 0) {
        rb_hot_demand(rb_buf_append_be32(out, UINT32_MAX) == 0, "no memory");
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
    rb_hot_demand(rb_buf_append_be32(out, (uint32_t)len) == 0 &&
                      rb_buf_append(out, value, len) == 0,
                  "no memory");
}

static void make_columns(struct rb_hot *f)
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
        rb_hot_demand(rb_columns_add(&f->columns, &column, &err) == 0, err.message);
    }
    rb_hot_demand(rb_columns_to_schema(&f->columns, NULL, &f->schema, &err) == 0, err.message);
}

static void make_copy(struct rb_hot *f)
{
    rb_buf_init(&f->copy, BUF_MAX);
    rb_hot_demand(rb_buf_append(&f->copy, rb_copy_binary_header, sizeof rb_copy_binary_header) == 0,
                  "no memory");
    for (unsigned row = 0; row < RB_HOT_ROWS; row++) {
        f->rows[row] = f->copy.len;
        rb_hot_demand(rb_buf_append_be16(&f->copy, (uint16_t)f->columns.n) == 0, "no memory");
        for (size_t i = 0; i < f->columns.n; i++) {
            put_value(&f->table->columns[i], row, &f->copy);
        }
    }
    f->rows[RB_HOT_ROWS] = f->copy.len;
    rb_hot_demand(rb_codec_append_trailer(&f->copy) == 0, "no memory");
}

static struct rb_decoder *new_decoder(const struct rb_hot *f)
{
    const struct rb_decoder_options options = {
        .batch_bytes = BATCH_BYTES, .max_record_bytes = RB_HOT_RECORD_MAX, .checksum = true};
    struct rb_decoder *decoder = NULL;
    rb_hot_demand(rb_decoder_new(&f->columns, &options, &decoder, NULL) == 0, "no decoder");
    return decoder;
}

/* One full batch, as Arrow and as IPC. */
static void make_batch(struct rb_hot *f)
{
    struct rb_error err = {0};
    size_t used = 0;
    f->decoder = new_decoder(f);
    rb_hot_demand(rb_decoder_push(f->decoder, f->copy.data, f->copy.len, &used, &err) >= 0,
                  err.message);
    rb_hot_demand(rb_decoder_batch(f->decoder, &f->batch, &err) == 0, err.message);
    f->batch_rows = rb_decoder_batch_rows(f->decoder);
    rb_buf_init(&f->ipc, BUF_MAX);
    rb_hot_demand(rb_ipc_encoder_init(&f->encoder, &f->schema, &err) == 0, err.message);
    rb_hot_demand(rb_ipc_encode(&f->encoder, f->batch, &f->ipc, &err) == 0, err.message);
    rb_ipc_decoder_init(&f->ipc_decoder);
    rb_hot_demand(rb_ipc_decode(&f->ipc_decoder, f->ipc.data, f->ipc.len, &err) >= 0, err.message);
}

/* The stream from byte `from` up to the end of row `last`, a row a message, as the server sends
 * them; full batches are dropped. */
static void push_rows(struct rb_hot *f, size_t from, size_t last)
{
    struct rb_error err = {0};
    for (size_t row = 0; row < last; row++) {
        while (from < f->rows[row + 1]) {
            size_t used = 0;
            int r = rb_decoder_push(f->pushed, f->copy.data + from, f->rows[row + 1] - from, &used,
                                    &err);
            rb_hot_demand(r >= 0, err.message);
            if (r == RB_DECODER_FULL) {
                rb_decoder_clear(f->pushed);
            }
            from += used;
        }
    }
}

/* Its columns have grown before, so that the C library's realloc is not counted. */
void rb_hot_prepare_decode(struct rb_hot *f)
{
    rb_decoder_free(f->pushed);
    rb_buf_release(&f->messages);
    f->pushed = new_decoder(f);
    push_rows(f, 0, RB_HOT_ROWS);
    rb_buf_init(&f->messages, BUF_MAX);
    for (size_t row = 0; row < RB_HOT_ROWS; row++) {
        size_t len = f->rows[row + 1] - f->rows[row];
        rb_hot_demand(rb_buf_append_byte(&f->messages, 'd') == 0 &&
                          rb_buf_append_be32(&f->messages, (uint32_t)len + 4) == 0 &&
                          rb_buf_append(&f->messages, f->copy.data + f->rows[row], len) == 0,
                      "no memory");
    }
}

/* COPY's bytes to columns, a row at a time: what the fast way leaves over. */
int64_t loop_push(struct rb_hot *f)
{
    int64_t before = rb_decoder_rows(f->pushed);
    push_rows(f, f->rows[0], RB_HOT_ROWS);
    return rb_decoder_rows(f->pushed) - before;
}

/* Messages as they lie in a receive buffer to columns. */
int64_t loop_decode(struct rb_hot *f)
{
    int64_t before = rb_decoder_rows(f->pushed);
    for (size_t at = 0; at < f->messages.len;) {
        size_t left = f->messages.len - at, used = 0;
        int r = rb_decoder_push_messages(f->pushed, f->messages.data + at,
                                         left < RECEIVED ? left : RECEIVED, &used, NULL);
        rb_hot_demand(r >= 0 && (used > 0 || r == RB_DECODER_FULL), "rb_decoder_push_messages");
        if (r == RB_DECODER_FULL) {
            rb_decoder_clear(f->pushed);
        }
        at += used;
    }
    return rb_decoder_rows(f->pushed) - before;
}

int64_t loop_ipc_encode(struct rb_hot *f)
{
    for (int i = 0; i < RB_HOT_REPEATS; i++) {
        rb_hot_demand(rb_ipc_encode(&f->encoder, f->batch, &f->ipc, NULL) == 0, "rb_ipc_encode");
    }
    return RB_HOT_REPEATS * f->batch_rows;
}

int64_t loop_ipc_decode(struct rb_hot *f)
{
    for (int i = 0; i < RB_HOT_REPEATS; i++) {
        rb_hot_demand(rb_ipc_decode(&f->ipc_decoder, f->ipc.data, f->ipc.len, NULL) >= 0,
                      "rb_ipc_decode");
    }
    return RB_HOT_REPEATS * f->ipc_decoder.n_rows;
}

/* Columns to COPY's bytes, in messages of 64 KiB. */
int64_t loop_encode(struct rb_hot *f)
{
    const struct rb_encoder_options options = {.max_record_bytes = RB_HOT_RECORD_MAX,
                                               .checksum = true};
    struct rb_encoder *encoder = NULL;
    struct rb_error err = {0};
    struct rb_buf out = RB_BUF_INIT(BUF_MAX);
    rb_hot_demand(rb_encoder_new(&f->columns, &options, &encoder, &err) == 0, err.message);
    for (int i = 0; i < RB_HOT_REPEATS; i++) {
        rb_hot_demand(rb_encoder_bind(encoder, f->ipc_decoder.view, &err) == 0, err.message);
        int r = 0;
        while (r == 0) {
            rb_buf_clear(&out);
            r = rb_encoder_rows(encoder, &out, RB_CONN_COPY_MESSAGE_BYTES, &err);
            rb_hot_demand(r >= 0, err.message);
        }
    }
    int64_t rows = rb_encoder_row_count(encoder);
    rb_encoder_free(encoder);
    rb_buf_release(&out);
    return rows;
}

bool rb_hot_init(struct rb_hot *hot, const char *table)
{
    memset(hot, 0, sizeof *hot);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (strcmp(table, tables[i].name) == 0) {
            hot->table = &tables[i];
            make_columns(hot);
            make_copy(hot);
            make_batch(hot);
            return true;
        }
    }
    return false;
}

void rb_hot_release(struct rb_hot *hot)
{
    rb_decoder_free(hot->decoder);
    rb_decoder_free(hot->pushed);
    rb_ipc_encoder_release(&hot->encoder);
    rb_ipc_decoder_release(&hot->ipc_decoder);
    rb_buf_release(&hot->copy);
    rb_buf_release(&hot->messages);
    rb_buf_release(&hot->ipc);
    ArrowSchemaRelease(&hot->schema);
    rb_columns_release(&hot->columns);
}

const struct rb_hot_loop rb_hot_loops[] = {
    {"decode", loop_decode, rb_hot_prepare_decode},
    {"push", loop_push, rb_hot_prepare_decode},
    {"ipc_encode", loop_ipc_encode, NULL},
    {"ipc_decode", loop_ipc_decode, NULL},
    {"encode", loop_encode, NULL},
    {NULL, NULL, NULL},
};
