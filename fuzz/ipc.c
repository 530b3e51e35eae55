/* A batch as a guest emits it: the host's check, the decoder, and its encoder's way back. */
#include "arrow/ipc.h"
#include "base/buf.h"
#include "fuzz/fuzz.h"

enum { BYTES_MAX = 16 * 1024 * 1024 };

/* What the host lets through and the decoder reads is a batch that can be written again. */
static void write_again(struct rb_ipc_decoder *decoder)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(BYTES_MAX);
    struct rb_ipc_encoder encoder;
    struct rb_ipc_decoder second;
    if (rb_ipc_encoder_init(&encoder, &decoder->schema, NULL) != 0) {
        return;
    }
    if (rb_ipc_encode_view(&encoder, decoder->view, &out, NULL) == 0) {
        rb_ipc_decoder_init(&second);
        FUZZ_CHECK(rb_ipc_decode(&second, out.data, out.len, NULL) == 1);
        FUZZ_CHECK(second.n_rows == decoder->n_rows);
        rb_ipc_decoder_release(&second);
    }
    rb_ipc_encoder_release(&encoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rb_ipc_decoder decoder;
    int64_t n_rows = -1;
    uint8_t *copy = fuzz_copy(data, size);
    int checked = rb_ipc_check(copy, size, &n_rows, NULL);
    rb_ipc_decoder_init(&decoder);
    int decoded = rb_ipc_decode(&decoder, copy, size, NULL);
    if (decoded >= 0) {
        FUZZ_CHECK(checked == 0);
        FUZZ_CHECK(n_rows == decoder.n_rows);
        write_again(&decoder);
        FUZZ_CHECK(rb_ipc_decode(&decoder, copy, size, NULL) == 0);
    }
    rb_ipc_decoder_release(&decoder);
    free(copy);
    return 0;
}
