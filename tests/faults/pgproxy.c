/*
 * A proxy between the engine and one PostgreSQL server, which knows where messages begin.
 *
 *   pgproxy <port of the server> <kind> <direction> <type> <occurrence> <file>
 *
 * It prints the port that it listens on, and serves until it is killed. At the <occurrence>-th
 * message of <type> (a letter; "^" is the one without a type that begins a session) in <direction>
 * (in: to the server, out: from it), counted over all connections, it writes a line into <file> and
 * does
 *
 *   cut      closes the connection instead of passing the message on
 *   after    passes it on and closes the connection
 *   reset    as cut, and the engine gets a RST
 *   delay    passes it on after 300 ms
 *   trickle  passes it and all that follows on byte by byte
 *   list     (any message) a line "<direction> <type>" for each
 *
 * Neither TLS nor cancel packets (which it does pass on) are messages here.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"

enum { IN, OUT, CHUNK_BYTES = 64 * 1024, DELAY_MS = 300, CANCEL_REQUEST = 80877102 };

static const char *const directions[] = {"in", "out"};

struct job {
    uint16_t port;
    const char *kind;
    int direction;
    char type;
    unsigned occurrence;
    const char *file;
    atomic_uint *count; /* shared by all connections */
};

/* One direction of a connection. */
struct stream {
    int from, to, direction;
    bool begun; /* messages have a type now */
    uint8_t header[8];
    size_t header_len;
    size_t body; /* of the message at hand: bytes to come */
    bool cut_after, trickle;
};

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void note(const struct job *job, int direction, char type)
{
    char line[64];
    int n = snprintf(line, sizeof line, "%s %c\n", directions[direction], type);
    int fd = open(job->file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, line, (size_t)n) != n) {
        fail(job->file);
    }
    close(fd);
}

static _Noreturn void end(const struct stream *stream, bool reset)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (reset) {
        setsockopt(stream->direction == IN ? stream->from : stream->to, SOL_SOCKET, SO_LINGER, &now,
                   sizeof now);
    }
    _exit(0);
}

static void send_all(const struct stream *stream, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(stream->to, data, stream->trickle ? 1 : len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) {
            end(stream, false);
        }
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

/* A message begins. */
static void on_message(const struct job *job, struct stream *stream, char type)
{
    const struct timespec delay = {.tv_nsec = DELAY_MS * 1000000L};
    if (strcmp(job->kind, "list") == 0) {
        note(job, stream->direction, type);
        return;
    }
    if (stream->direction != job->direction || type != job->type ||
        atomic_fetch_add(job->count, 1) + 1 != job->occurrence) {
        return;
    }
    note(job, stream->direction, type);
    if (strcmp(job->kind, "cut") == 0 || strcmp(job->kind, "reset") == 0) {
        end(stream, job->kind[0] == 'r');
    }
    stream->cut_after = strcmp(job->kind, "after") == 0;
    stream->trickle = strcmp(job->kind, "trickle") == 0;
    if (strcmp(job->kind, "delay") == 0) {
        nanosleep(&delay, NULL);
    }
}

/* The header of the message at hand is whole. */
static void on_header(const struct job *job, struct stream *stream)
{
    bool typed = stream->begun;
    size_t len = rb_load_be32(stream->header + (typed ? 1 : 0));
    bool cancels = !typed && rb_load_be32(stream->header + 4) == CANCEL_REQUEST;
    stream->body = len + (typed ? 1 : 0) - stream->header_len;
    stream->begun = true;
    if (!cancels) {
        on_message(job, stream, typed ? (char)stream->header[0] : '^');
    }
    send_all(stream, stream->header, stream->header_len);
    stream->header_len = 0;
}

static void pass_on(const struct job *job, struct stream *stream, const uint8_t *data, size_t len)
{
    while (len > 0) {
        size_t used;
        if (stream->body > 0) {
            used = len < stream->body ? len : stream->body;
            send_all(stream, data, used);
            stream->body -= used;
        } else {
            /* A session's first message: length and code. */
            size_t whole = stream->begun ? 5 : 8;
            used = len < whole - stream->header_len ? len : whole - stream->header_len;
            memcpy(stream->header + stream->header_len, data, used);
            stream->header_len += used;
            if (stream->header_len == whole) {
                on_header(job, stream);
            }
        }
        data += used;
        len -= used;
        if (stream->body == 0 && stream->header_len == 0 && stream->cut_after) {
            end(stream, false);
        }
    }
}

static void serve(const struct job *job, int client)
{
    const int one = 1;
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons(job->port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server < 0 || connect(server, (const struct sockaddr *)&to, sizeof to) != 0) {
        _exit(0);
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct stream streams[] = {{.from = client, .to = server, .direction = IN},
                               {.from = server, .to = client, .direction = OUT, .begun = true}};
    struct pollfd waits[] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
    static uint8_t chunk[CHUNK_BYTES];
    for (;;) {
        if (poll(waits, 2, -1) < 0 && errno != EINTR) {
            _exit(0);
        }
        for (int i = 0; i < 2; i++) {
            if (waits[i].revents == 0) {
                continue;
            }
            ssize_t n = recv(streams[i].from, chunk, sizeof chunk, 0);
            if (n <= 0) {
                _exit(0);
            }
            pass_on(job, &streams[i], chunk, (size_t)n);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fprintf(stderr, "usage: pgproxy PORT KIND DIRECTION TYPE OCCURRENCE FILE\n");
        return 2;
    }
    const struct job job = {
        .port = (uint16_t)strtoul(argv[1], NULL, 10),
        .kind = argv[2],
        .direction = strcmp(argv[3], "in") == 0 ? IN : OUT,
        .type = argv[4][0],
        .occurrence = (unsigned)strtoul(argv[5], NULL, 10),
        .file = argv[6],
        .count = mmap(NULL, sizeof(atomic_uint), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                      -1, 0),
    };
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (job.count == MAP_FAILED || listener < 0 ||
        bind(listener, (struct sockaddr *)&at, len) != 0 || listen(listener, 64) != 0 ||
        getsockname(listener, (struct sockaddr *)&at, &len) != 0) {
        fail("pgproxy");
    }
    signal(SIGCHLD, SIG_IGN);
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client >= 0 && fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            close(listener);
            serve(&job, client);
        }
        if (client >= 0) {
            close(client);
        }
    }
}
