/* What a server says while it authenticates us. Input: a byte that chooses, then a SCRAM message,
 * an ErrorResponse's body, or the server's messages. */
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "fuzz/fuzz.h"
#include "host/crypto/scram.h"
#include "host/net/auth_postgres.h"
#include "host/net/postgres_error.h"
#include "host/net/wait.h"

enum { MESSAGES_MAX = 32 * 1024, SPLIT = '\n' };

/* Deriving the key takes a second for a million iterations: that is bounded, and not what is looked
 * for here. */
static int is_slow(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i + 6 < size; i++) {
        if (data[i] == 'i' && data[i + 1] == '=' && data[i + 6] >= '0' && data[i + 6] <= '9') {
            return 1;
        }
    }
    return 0;
}

/* Server-first and, after a new line, server-final. */
static void scram(const uint8_t *data, size_t size)
{
    static const struct rb_scram_options options = {
        .user = "", .password = "pencil", .nonce = "rOprNGfwEbeRWgbNEkqO"};
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(4 * RB_SCRAM_MESSAGE_MAX);
    struct rb_scram *state = NULL;
    const uint8_t *split = memchr(data, SPLIT, size);
    size_t first_len = split != NULL ? (size_t)(split - data) : size;
    char *first = fuzz_copy(data, first_len);
    FUZZ_CHECK(rb_scram_new(&options, &state, NULL) == 0);
    FUZZ_CHECK(rb_scram_first(state, &out, NULL) == 0);
    if (rb_scram_final(state, first, first_len, &out, NULL) == 0 && split != NULL) {
        char *final = fuzz_copy(split + 1, size - first_len - 1);
        (void)rb_scram_verify(state, final, size - first_len - 1, NULL);
        free(final);
    }
    rb_scram_free(state);
    free(first);
}

static void messages(const uint8_t *data, size_t size)
{
    int ends[2];
    if (size > MESSAGES_MAX) {
        return;
    }
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    FUZZ_CHECK(write(ends[1], data, size) == (ssize_t)size);
    FUZZ_CHECK(shutdown(ends[1], SHUT_WR) == 0);
    struct rb_socket socket = {.handle = 1, .fd = ends[0]};
    const struct rb_auth_postgres auth = {.socket = &socket,
                                          .cancel_fd = -1,
                                          .deadline = RB_WAIT_FOREVER,
                                          .user = "alice",
                                          .user_len = 5,
                                          .password = "the-secret"};
    struct rb_error err;
    rb_error_clear(&err);
    int status = rb_auth_postgres_run(&auth, &err);
    FUZZ_CHECK(status <= 0 && err.status == status);
    FUZZ_CHECK(strstr(err.message, "the-secret") == NULL ||
               memmem(data, size, "the-secret", 10) != NULL);
    rb_socket_close(&socket);
    FUZZ_CHECK(close(ends[1]) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rb_error err;
    if (size < 1 || is_slow(data, size)) {
        return 0;
    }
    uint8_t *rest = fuzz_copy(data + 1, size - 1);
    switch (data[0] % 3) {
    case 0:
        scram(rest, size - 1);
        break;
    case 1:
        rb_error_clear(&err);
        FUZZ_CHECK(rb_postgres_error(rest, size - 1, &err) < 0 && err.message[0] != 0);
        break;
    default:
        messages(rest, size - 1);
        break;
    }
    free(rest);
    return 0;
}
