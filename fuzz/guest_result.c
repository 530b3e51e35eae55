/* A ConnectorResult as a guest returns it. */
#include "base/buf.h"
#include "fuzz/fuzz.h"
#include "host/guest/internal.h"

enum { DATA_MAX = 16 * 1024 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf ret = RB_BUF_INIT(DATA_MAX);
    struct rb_error err;
    rb_error_clear(&err);
    char *json = fuzz_copy(data, size);
    int status = rb_guest_decode_result(json, size, "rb_open", &ret, &err);
    FUZZ_CHECK(status <= 0 && err.status == status);
    FUZZ_CHECK(status < 0 || ret.len > 0);
    FUZZ_CHECK(status == 0 || (ret.len == 0 && err.message[0] != 0 && err.code[0] != 0));
    free(json);
    return 0;
}
