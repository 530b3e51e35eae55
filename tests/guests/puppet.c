/*
 * A guest that does what it is told: each line of its input is a command, and the data it answers
 * with lists what the commands gave.
 *
 *   <import> n n …     calls an import; gives its result. "@n" is n bytes into the scratch area
 *   put @n text        copies the rest of the line
 *   u32 @n v           stores a little-endian number
 *   get @n len         gives memory as it is
 *   text @n len        gives memory as a JSON string
 *   error              rb_host_last_error's JSON, or null
 *   load @n            gives a little-endian u32
 *   grow n             memory.grow by n pages; gives the old size, or -1
 *   trap | spin | recurse (in memory) | dive (on the machine's stack)
 *   result text        answers with the rest of the line instead
 *   pack ptr len       answers with this i64 instead
 *   allocate n         rb_allocate gives n from now on
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define OURS(name) __attribute__((import_module("rapidbyte"), import_name(#name))) int32_t name
#define WASI(name)                                                                                 \
    __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name))) int32_t w_##name
#define EXPORT(name) __attribute__((export_name(#name))) extern

typedef int32_t i;
OURS(rb_host_log)(i, i, i);
OURS(rb_host_emit_batch)(i, i);
OURS(rb_host_next_batch)(i, i);
OURS(rb_host_last_error)(i, i);
OURS(rb_host_state_get)(i, i, i, i, i);
OURS(rb_host_state_put)(i, i, i, i, i);
OURS(rb_host_state_cas)(i, i, i, i, i, i, i);
OURS(rb_host_checkpoint)(i, i, i);
OURS(rb_host_metric)(i, i);
OURS(rb_host_stream_end)(i, i);
OURS(rb_host_net_tls_mode)(void);
OURS(rb_host_net_connect)(i, i, i, i);
OURS(rb_host_net_start_tls)(i);
OURS(rb_host_net_authenticate)(i, i, i, i, i);
OURS(rb_host_net_send)(i, i, i);
OURS(rb_host_net_recv)(i, i, i, i);
OURS(rb_host_net_cancel_packet)(i, i, i);
OURS(rb_host_net_close)(i);
WASI(args_sizes_get)(i, i);
WASI(environ_get)(i, i);
WASI(environ_sizes_get)(i, i);
WASI(clock_time_get)(i, int64_t, i);
WASI(clock_res_get)(i, i);
WASI(random_get)(i, i);
WASI(sched_yield)(void);
WASI(poll_oneoff)(i, i, i, i);
WASI(fd_write)(i, i, i, i);
WASI(fd_read)(i, i, i, i);
WASI(fd_seek)(i, int64_t, i, i);
WASI(fd_close)(i);
WASI(fd_fdstat_get)(i, i);
WASI(fd_prestat_get)(i, i);
WASI(fd_prestat_dir_name)(i, i, i);
WASI(fd_readdir)(i, i, i, int64_t, i);
WASI(path_open)(i, i, i, i, i, int64_t, int64_t, i, i);
WASI(path_filestat_get)(i, i, i, i, i);
WASI(path_create_directory)(i, i, i);
WASI(path_remove_directory)(i, i, i);
WASI(path_unlink_file)(i, i, i);
WASI(path_rename)(i, i, i, i, i, i);
#ifdef WITH_SOCKETS
WASI(sock_open)(i, i, i);
WASI(sock_connect)(i, i, i);
WASI(sock_send)(i, i, i, i, i);
WASI(sock_recv)(i, i, i, i, i, i);
WASI(sock_getaddrinfo)(i, i, i, i, i, i, i, i);
WASI(sock_getsockopt)(i, i, i, i, i);
WASI(sock_setsockopt)(i, i, i, i, i);
WASI(sock_shutdown)(i, i);
WASI(fd_fdstat_set_flags)(i, i);
#endif
__attribute__((import_module("wasi_snapshot_preview1"),
               import_name("proc_exit"))) void w_proc_exit(i);

static char scratch[65536];
static void *next_block; /* NULL: malloc's */
static char answer[16384];
static size_t answer_len;

static void say(const char *text, size_t len)
{
    if (answer_len + len < sizeof answer) {
        memcpy(answer + answer_len, text, len);
        answer_len += len;
    }
}

static void say_number(int64_t v)
{
    char text[24];
    size_t n = sizeof text;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        text[--n] = (char)('0' + u % 10);
    } while ((u /= 10) != 0);
    if (v < 0) {
        text[--n] = '-';
    }
    say(text + n, sizeof text - n);
}

static int64_t number(const char **at)
{
    while (**at == ' ') {
        (*at)++;
    }
    int64_t base = 0;
    if (**at == '@') {
        base = (int64_t)(uintptr_t)scratch;
        (*at)++;
    }
    char *end;
    int64_t v = strtoll(*at, &end, 10);
    *at = end;
    return base + v;
}

static int is(const char *line, const char *name)
{
    size_t n = strlen(name);
    return strncmp(line, name, n) == 0 && (line[n] == ' ' || line[n] == 0);
}

static volatile int depth_sink;
static int recurse(int depth)
{
    volatile char frame[256];
    frame[0] = (char)depth;
    if (depth_sink == 1) {
        return 0;
    }
    int below = recurse(depth + 1);
    return below + frame[0] + depth_sink;
}

__attribute__((noinline)) static int dive(int depth)
{
    if (depth_sink == 1) {
        return 0;
    }
    return dive(depth + 1) + depth_sink;
}

static int64_t call(const char *line, const int64_t *a)
{
#define A(n) ((i)a[n])
#define TRY(name, expression)                                                                      \
    if (is(line, name)) {                                                                          \
        return expression;                                                                         \
    }
    TRY("rb_host_log", rb_host_log(A(0), A(1), A(2)))
    TRY("rb_host_emit_batch", rb_host_emit_batch(A(0), A(1)))
    TRY("rb_host_next_batch", rb_host_next_batch(A(0), A(1)))
    TRY("rb_host_last_error", rb_host_last_error(A(0), A(1)))
    TRY("rb_host_state_get", rb_host_state_get(A(0), A(1), A(2), A(3), A(4)))
    TRY("rb_host_state_put", rb_host_state_put(A(0), A(1), A(2), A(3), A(4)))
    TRY("rb_host_state_cas", rb_host_state_cas(A(0), A(1), A(2), A(3), A(4), A(5), A(6)))
    TRY("rb_host_checkpoint", rb_host_checkpoint(A(0), A(1), A(2)))
    TRY("rb_host_metric", rb_host_metric(A(0), A(1)))
    TRY("rb_host_stream_end", rb_host_stream_end(A(0), A(1)))
    TRY("rb_host_net_tls_mode", rb_host_net_tls_mode())
    TRY("rb_host_net_connect", rb_host_net_connect(A(0), A(1), A(2), A(3)))
    TRY("rb_host_net_start_tls", rb_host_net_start_tls(A(0)))
    TRY("rb_host_net_authenticate", rb_host_net_authenticate(A(0), A(1), A(2), A(3), A(4)))
    TRY("rb_host_net_send", rb_host_net_send(A(0), A(1), A(2)))
    TRY("rb_host_net_recv", rb_host_net_recv(A(0), A(1), A(2), A(3)))
    TRY("rb_host_net_cancel_packet", rb_host_net_cancel_packet(A(0), A(1), A(2)))
    TRY("rb_host_net_close", rb_host_net_close(A(0)))
    TRY("args_sizes_get", w_args_sizes_get(A(0), A(1)))
    TRY("environ_get", w_environ_get(A(0), A(1)))
    TRY("environ_sizes_get", w_environ_sizes_get(A(0), A(1)))
    TRY("clock_time_get", w_clock_time_get(A(0), a[1], A(2)))
    TRY("clock_res_get", w_clock_res_get(A(0), A(1)))
    TRY("random_get", w_random_get(A(0), A(1)))
    TRY("sched_yield", w_sched_yield())
    TRY("poll_oneoff", w_poll_oneoff(A(0), A(1), A(2), A(3)))
    TRY("fd_write", w_fd_write(A(0), A(1), A(2), A(3)))
    TRY("fd_read", w_fd_read(A(0), A(1), A(2), A(3)))
    TRY("fd_seek", w_fd_seek(A(0), a[1], A(2), A(3)))
    TRY("fd_close", w_fd_close(A(0)))
    TRY("fd_fdstat_get", w_fd_fdstat_get(A(0), A(1)))
    TRY("fd_prestat_get", w_fd_prestat_get(A(0), A(1)))
    TRY("fd_prestat_dir_name", w_fd_prestat_dir_name(A(0), A(1), A(2)))
    TRY("fd_readdir", w_fd_readdir(A(0), A(1), A(2), a[3], A(4)))
    TRY("path_open", w_path_open(A(0), A(1), A(2), A(3), A(4), a[5], a[6], A(7), A(8)))
    TRY("path_filestat_get", w_path_filestat_get(A(0), A(1), A(2), A(3), A(4)))
    TRY("path_create_directory", w_path_create_directory(A(0), A(1), A(2)))
    TRY("path_remove_directory", w_path_remove_directory(A(0), A(1), A(2)))
    TRY("path_unlink_file", w_path_unlink_file(A(0), A(1), A(2)))
    TRY("path_rename", w_path_rename(A(0), A(1), A(2), A(3), A(4), A(5)))
#ifdef WITH_SOCKETS
    TRY("sock_open", w_sock_open(A(0), A(1), A(2)))
    TRY("sock_connect", w_sock_connect(A(0), A(1), A(2)))
    TRY("sock_send", w_sock_send(A(0), A(1), A(2), A(3), A(4)))
    TRY("sock_recv", w_sock_recv(A(0), A(1), A(2), A(3), A(4), A(5)))
    TRY("sock_getaddrinfo", w_sock_getaddrinfo(A(0), A(1), A(2), A(3), A(4), A(5), A(6), A(7)))
    TRY("sock_getsockopt", w_sock_getsockopt(A(0), A(1), A(2), A(3), A(4)))
    TRY("sock_setsockopt", w_sock_setsockopt(A(0), A(1), A(2), A(3), A(4)))
    TRY("sock_shutdown", w_sock_shutdown(A(0), A(1)))
    TRY("fd_fdstat_set_flags", w_fd_fdstat_set_flags(A(0), A(1)))
#endif
    if (is(line, "proc_exit")) {
        w_proc_exit(A(0));
    }
    if (is(line, "grow")) {
        return (int64_t)(int32_t)__builtin_wasm_memory_grow(0, (size_t)a[0]);
    }
    if (is(line, "recurse")) {
        return recurse(0);
    }
    if (is(line, "dive")) {
        return dive(0);
    }
    __builtin_trap(); /* "trap", and what nobody knows */
}

/* One command; what it gives is added to the answer. */
static void run(const char *line)
{
    const char *at = line;
    while (*at && *at != ' ') {
        at++;
    }
    if (is(line, "put")) {
        char *to = (char *)(uintptr_t)number(&at);
        memcpy(to, at + 1, strlen(at + 1));
        return;
    }
    if (is(line, "allocate")) {
        next_block = (void *)(uintptr_t)number(&at);
        return;
    }
    if (is(line, "u32")) {
        char *to = (char *)(uintptr_t)number(&at);
        uint32_t v = (uint32_t)number(&at);
        memcpy(to, &v, sizeof v);
        return;
    }
    if (is(line, "spin")) {
        for (;;) {
            depth_sink++;
        }
    }
    if (answer_len > 0) {
        say(",", 1);
    }
    if (is(line, "get") || is(line, "text")) {
        const char *quote = is(line, "text") ? "\"" : "";
        const char *from = (const char *)(uintptr_t)number(&at);
        say(quote, strlen(quote));
        say(from, (size_t)number(&at));
        say(quote, strlen(quote));
        return;
    }
    if (is(line, "error")) {
        char *to = scratch + sizeof scratch - 4096;
        int32_t n = rb_host_last_error((i)(uintptr_t)to, 4096);
        say(n > 0 ? to : "null", n > 0 ? (size_t)n : 4);
        return;
    }
    if (is(line, "load")) {
        uint32_t v;
        memcpy(&v, (const char *)(uintptr_t)number(&at), sizeof v);
        say_number(v);
        return;
    }
    int64_t a[9] = {0};
    for (int n = 0; *at && n < 9; n++) {
        a[n] = number(&at);
    }
    say_number(call(line, a));
}

static int64_t pack(int64_t ptr, int64_t len)
{
    return (int64_t)((uint64_t)ptr << 32 | (uint32_t)len);
}

static int64_t obey(const char *input, int32_t len)
{
    static char script[16384];
    static const char head[] = "{\"status\":\"ok\",\"data\":[";
    if ((size_t)len >= sizeof script) {
        __builtin_trap();
    }
    memcpy(script, input, (size_t)len);
    script[len] = 0;
    answer_len = 0;
    char *reply = malloc(sizeof head + sizeof answer + 2);
    if (!reply) {
        __builtin_trap();
    }
    char *next = script;
    answer_len = 0;
    while (next) {
        char *line = next;
        next = strchr(line, '\n');
        if (next) {
            *next++ = 0;
        }
        const char *rest = line + (is(line, "result") ? 7 : 5);
        if (is(line, "result")) {
            memcpy(reply, rest, strlen(rest));
            return pack((int64_t)(uintptr_t)reply, (int64_t)strlen(rest));
        }
        if (is(line, "pack")) {
            int64_t ptr = number(&rest);
            return pack(ptr, number(&rest));
        }
        if (*line) {
            run(line);
        }
    }
    size_t n = sizeof head - 1;
    memcpy(reply, head, n);
    memcpy(reply + n, answer, answer_len);
    n += answer_len;
    memcpy(reply + n, "]}", 2);
    return pack((int64_t)(uintptr_t)reply, (int64_t)n + 2);
}

EXPORT(rb_allocate) void *rb_allocate(int32_t size);
void *rb_allocate(int32_t size)
{
    return next_block ? next_block : malloc((size_t)size);
}

EXPORT(rb_deallocate) void rb_deallocate(void *ptr, int32_t capacity);
void rb_deallocate(void *ptr, int32_t capacity)
{
    (void)capacity;
    free(ptr);
}

EXPORT(rb_open) int64_t rb_open(const char *input, int32_t len);
int64_t rb_open(const char *input, int32_t len)
{
    return obey(input, len);
}

EXPORT(rb_run_read) int64_t rb_run_read(const char *input, int32_t len);
int64_t rb_run_read(const char *input, int32_t len)
{
    return obey(input, len);
}

EXPORT(rb_close) int32_t rb_close(void);
int32_t rb_close(void)
{
    return 0;
}
