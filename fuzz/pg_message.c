/* What a PostgreSQL server sends, from its first message on: startup, a query, COPY out, COPY in.
 *
 * Input: a byte for the size of the pieces it comes in, a byte that chooses what is asked, then the
 * server's bytes. */
#include "connectors/postgres/common/conn.h"
#include "connectors/postgres/common/copy.h"
#include "connectors/postgres/common/query.h"
#include "fuzz/fuzz.h"
#include "native/host_double.h"

static const struct rb_conn_config config = {
    .host = "db",
    .port = 5432,
    .user = "alice",
    .database = "shop",
    .application_name = "rapidbyte",
    .schema = "public",
    .max_record_bytes = 4096,
};

static void query(struct rb_conn *conn)
{
    struct rb_query_result result;
    rb_query_result_init(&result);
    struct rb_query_param params[1] = {rb_query_text_param("x")};
    if (rb_query_run(conn, "SELECT $1", params, 1, RB_QUERY_TEXT, &result, NULL) == 0) {
        for (size_t row = 0; row < result.n_rows; row++) {
            for (size_t column = 0; column < result.n_columns; column++) {
                size_t len = 0;
                const char *value = rb_query_value(&result, row, column, &len);
                FUZZ_CHECK(value == NULL || value[len] == 0);
                (void)rb_query_int(&result, row, column, 0);
            }
        }
    }
    rb_query_result_release(&result);
}

static void copy_out(struct rb_conn *conn)
{
    const uint8_t *data = NULL;
    size_t len = 0;
    if (rb_copy_out_begin(conn, "COPY t TO STDOUT", NULL) != 0) {
        return;
    }
    uint32_t sum = 0;
    while (rb_copy_out_next(conn, &data, &len, NULL) == 0) {
        for (size_t i = 0; i < len; i++) {
            sum += data[i];
        }
    }
    (void)sum;
}

static void copy_in(struct rb_conn *conn)
{
    int64_t rows = 0;
    if (rb_copy_in_begin(conn, "COPY t FROM STDIN", NULL) == 0 &&
        rb_buf_append_str(rb_copy_in_buf(conn), "1\n") == 0 && rb_copy_in_push(conn, NULL) == 0) {
        (void)rb_copy_in_end(conn, &rows, NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rb_double_peer peer;
    struct rb_conn *conn = NULL;
    if (size < 2) {
        return 0;
    }
    rb_double_reset();
    rb_double_peer_init(&peer);
    peer.piece = data[0];
    FUZZ_CHECK(rb_buf_append(&peer.says, data + 2, size - 2) == 0);
    rb_double_set_net(&rb_double_peer_net, &peer);
    rb_double_set_tls_mode((data[1] & 4) != 0 ? RB_TLS_PREFER : RB_TLS_DISABLE);
    if (rb_conn_open(&config, &conn, NULL) == 0) {
        void (*const asks[4])(struct rb_conn *) = {query, copy_out, copy_in, query};
        asks[data[1] & 3](conn);
        if (rb_conn_is_usable(conn)) {
            query(conn);
        }
        rb_conn_close(conn);
    }
    rb_double_peer_release(&peer);
    rb_double_reset();
    return 0;
}
