/*
 * The limit of what can be moved: COPY data forwarded unread from one server to the other.
 *
 *     relay PORT USER SOURCE_DATABASE 'COPY … TO STDOUT …' DESTINATION_DATABASE 'COPY … FROM STDIN
 * …'
 *
 * No types, no state, no checks. The source sends a CopyData message a row; they are packed into
 * messages of 64 KiB. Both servers are at 127.0.0.1:PORT and trust USER. PostgreSQL documentation,
 * "Message Formats".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HEADER = 5, /* of a message: type and length */
    OUT_BYTES = 64 * 1024,
    IN_BYTES = 256 * 1024,
    MESSAGE_MAX = 64 * 1024 * 1024,
};

struct side {
    int fd;
    const char *name;
    uint8_t *in;
    size_t capacity, begin, end; /* what was received lies in in[begin, end) */
};

static void die(const struct side *side, const char *what)
{
    fprintf(stderr, "relay: %s: %s\n", side->name, what);
    exit(1);
}

static void send_all(const struct side *side, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(side->fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) {
            die(side, strerror(errno));
        }
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
}

static void put_u32(uint8_t *at, uint32_t value)
{
    value = htonl(value);
    memcpy(at, &value, sizeof value);
}

static void send_message(const struct side *side, char type, const void *payload, size_t len)
{
    uint8_t message[4096];
    if (len > sizeof message - HEADER) {
        die(side, "a statement that is too long");
    }
    message[0] = (uint8_t)type;
    put_u32(message + 1, (uint32_t)len + 4);
    memcpy(message + HEADER, payload, len);
    send_all(side, message, HEADER + len);
}

/* Receives until `need` bytes are there. */
static void fill(struct side *side, size_t need)
{
    if (side->end - side->begin >= need) {
        return;
    }
    memmove(side->in, side->in + side->begin, side->end - side->begin);
    side->end -= side->begin;
    side->begin = 0;
    if (need > side->capacity) {
        uint8_t *in = need <= MESSAGE_MAX ? realloc(side->in, need) : NULL;
        if (in == NULL) {
            die(side, "a message that is too large");
        }
        side->in = in;
        side->capacity = need;
    }
    while (side->end < need) {
        ssize_t n = recv(side->fd, side->in + side->end, side->capacity - side->end, 0);
        if (n == 0) {
            die(side, "the server closed the connection");
        }
        if (n < 0 && errno != EINTR) {
            die(side, strerror(errno));
        }
        side->end += n > 0 ? (size_t)n : 0;
    }
}

/* The next message: its type; the payload is borrowed until the next call. */
static char next_message(struct side *side, const uint8_t **ret, size_t *ret_len)
{
    fill(side, HEADER);
    uint32_t length = 0;
    memcpy(&length, side->in + side->begin + 1, sizeof length);
    length = ntohl(length);
    if (length < 4 || length > MESSAGE_MAX) {
        die(side, "a message of a wrong length");
    }
    fill(side, 1 + (size_t)length);
    char type = (char)side->in[side->begin];
    *ret = side->in + side->begin + HEADER;
    *ret_len = length - 4;
    side->begin += 1 + (size_t)length;
    if (type == 'E') {
        fprintf(stderr, "relay: %s: ", side->name);
        for (size_t i = 0; i + 1 < *ret_len; i++) {
            fputc((*ret)[i] >= 32 ? (*ret)[i] : ' ', stderr);
        }
        fputc('\n', stderr);
        exit(1);
    }
    return type;
}

static void await(struct side *side, char wanted)
{
    const uint8_t *data = NULL;
    size_t len = 0;
    while (next_message(side, &data, &len) != wanted) {
    }
}

static void open_side(struct side *side, const char *port, const char *user, const char *database)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    side->capacity = IN_BYTES;
    side->in = malloc(side->capacity);
    side->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (side->in == NULL || side->fd < 0 ||
        connect(side->fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(side->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
        die(side, strerror(errno));
    }
    uint8_t startup[512];
    int n = snprintf((char *)startup + 8, sizeof startup - 9, "user%c%s%cdatabase%c%s%c", 0, user,
                     0, 0, database, 0);
    if (n < 0 || (size_t)n >= sizeof startup - 9) {
        die(side, "names that are too long");
    }
    startup[8 + n] = 0;
    put_u32(startup, (uint32_t)n + 9);
    put_u32(startup + 4, 3 << 16);
    send_all(side, startup, (size_t)n + 9);
    await(side, 'Z');
}

static void begin_copy(struct side *side, const char *sql, char answer)
{
    send_message(side, 'Q', sql, strlen(sql) + 1);
    await(side, answer);
}

static void flush(const struct side *to, uint8_t *out, size_t len)
{
    out[0] = 'd';
    put_u32(out + 1, (uint32_t)len + 4);
    send_all(to, out, HEADER + len);
}

static void relay(struct side *from, const struct side *to)
{
    size_t used = 0, capacity = OUT_BYTES;
    uint8_t *out = malloc(HEADER + capacity);
    const uint8_t *data = NULL;
    size_t len = 0;
    for (char type = 0; out != NULL && type != 'C';) {
        type = next_message(from, &data, &len);
        if (type != 'd') {
            continue;
        }
        if (used > 0 && used + len > OUT_BYTES) {
            flush(to, out, used);
            used = 0;
        }
        if (len > capacity) {
            free(out);
            capacity = len;
            out = malloc(HEADER + capacity);
        }
        if (out != NULL) {
            memcpy(out + HEADER + used, data, len);
            used += len;
        }
    }
    if (out == NULL) {
        die(to, "no memory");
    }
    if (used > 0) {
        flush(to, out, used);
    }
    free(out);
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fprintf(stderr, "usage: relay PORT USER FROM_DATABASE COPY_OUT TO_DATABASE COPY_IN\n");
        return 2;
    }
    struct side from = {.name = "source"}, to = {.name = "destination"};
    open_side(&from, argv[1], argv[2], argv[3]);
    open_side(&to, argv[1], argv[2], argv[5]);
    begin_copy(&from, argv[4], 'H');
    begin_copy(&to, argv[6], 'G');
    relay(&from, &to);
    send_message(&to, 'c', "", 0);
    await(&to, 'C');
    await(&to, 'Z');
    send_message(&from, 'X', "", 0);
    send_message(&to, 'X', "", 0);
    close(from.fd);
    close(to.fd);
    free(from.in);
    free(to.in);
    return 0;
}
