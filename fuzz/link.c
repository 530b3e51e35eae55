/* What passes between supervisor and worker. Input: a byte that chooses, then a frame's bytes or a
 * message's JSON. */
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "fuzz/fuzz.h"
#include "host/link/link.h"
#include "host/link/spec.h"

enum { FRAMES_MAX = 32 * 1024 };

static void frames(const uint8_t *data, size_t size)
{
    int ends[2];
    struct rb_link link;
    struct rb_link_frame frame;
    if (size > FRAMES_MAX) {
        return; /* more would fill the socket */
    }
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    FUZZ_CHECK(write(ends[1], data, size) == (ssize_t)size);
    FUZZ_CHECK(close(ends[1]) == 0);
    FUZZ_CHECK(rb_link_init(&link, ends[0], NULL) == 0);
    size_t taken = 0;
    while (rb_link_recv(&link, 0, &frame, NULL) == 0) {
        FUZZ_CHECK(frame.json[frame.len] == 0);
        taken += frame.len;
    }
    FUZZ_CHECK(taken <= size);
    rb_link_release(&link);
}

static void spec(const char *json, size_t len)
{
    struct rb_worker_spec_owned first;
    struct rb_worker_spec_owned second;
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(RB_LINK_PAYLOAD_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf again = RB_BUF_INIT(RB_LINK_PAYLOAD_MAX);
    if (rb_worker_spec_decode(json, len, &first, NULL) != 0) {
        return;
    }
    FUZZ_CHECK(rb_worker_spec_encode(&first.spec, &text) == 0);
    FUZZ_CHECK(rb_worker_spec_decode(rb_buf_str(&text), text.len, &second, NULL) == 0);
    FUZZ_CHECK(rb_worker_spec_encode(&second.spec, &again) == 0);
    FUZZ_CHECK(text.len == again.len && memcmp(text.data, again.data, text.len) == 0);
    rb_worker_spec_release(&second);
    rb_worker_spec_release(&first);
}

static void unit_result(const char *json, size_t len)
{
    struct rb_unit_result first;
    struct rb_unit_result second;
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(RB_LINK_PAYLOAD_MAX);
    rb_unit_result_init(&first);
    rb_unit_result_init(&second);
    if (rb_unit_result_decode(json, len, &first, NULL) == 0) {
        FUZZ_CHECK(rb_unit_result_encode(&first, &text) == 0);
        FUZZ_CHECK(rb_unit_result_decode(rb_buf_str(&text), text.len, &second, NULL) == 0);
        FUZZ_CHECK(first.n_stages == second.n_stages && first.records == second.records);
    }
    rb_unit_result_release(&first);
    rb_unit_result_release(&second);
}

static void error(const char *json, size_t len)
{
    struct rb_error first;
    struct rb_error second;
    struct rb_json out;
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(RB_LINK_PAYLOAD_MAX);
    memset(&first, 0, sizeof first);
    memset(&second, 0, sizeof second);
    if (rb_link_error_decode(json, len, &first) != 0) {
        return;
    }
    rb_json_init(&out, &text);
    rb_link_error_encode(&out, &first);
    FUZZ_CHECK(rb_json_finish(&out) == 0);
    FUZZ_CHECK(rb_link_error_decode(rb_buf_str(&text), text.len, &second) == 0);
    FUZZ_CHECK(first.status == second.status && strcmp(first.message, second.message) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    char *rest = fuzz_copy(data + 1, size - 1);
    switch (data[0] % 4) {
    case 0:
        frames(data + 1, size - 1);
        break;
    case 1:
        spec(rest, size - 1);
        break;
    case 2:
        unit_result(rest, size - 1);
        break;
    default:
        error(rest, size - 1);
        break;
    }
    free(rest);
    return 0;
}
