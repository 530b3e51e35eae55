#include "host/engine/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "host/engine/session.h"

enum {
    WORKER_LINK_FD = 3,
    COMPILER_ERROR_MAX = 4096, /* bytes kept of what the compiler says */
    COMPILER_PATHS_MAX = 32,
    NUMBER_MAX = 24,
    COMPILER_SLACK_MS = 10000,
    KEPT_MAX = 2,          /* descriptors that a child keeps */
    ENVIRONMENT_MAX = 256, /* variables that a child gets */
};

/* What of the environment concerns the libraries of a child. The rest is the operator's: passwords
 * among it, which /proc would show of a process that runs foreign code. */
static bool is_passed_on(const char *entry)
{
    static const char *const prefixes[] = {
        "LD_",   "SSL_CERT_", "OPENSSL_", "RES_OPTIONS=", "LOCALDOMAIN=", "HOSTALIASES=", "TZ=",
        "LANG=", "LC_",       "PATH=",    "HOME=",        "TMPDIR=",      "GLIBC_TUN",    "MALLOC_",
        "ASAN_", "UBSAN_",    "LSAN_",    "GCOV_",        "RAPIDBYTE_"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        if (strncmp(entry, prefixes[i], strlen(prefixes[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* Before the fork: borrowed strings of this process's environment. */
static void filter_environment(char *ret_entries[ENVIRONMENT_MAX + 1])
{
    size_t n = 0;
    for (char **at = environ; *at != NULL && n < ENVIRONMENT_MAX; at++) {
        if (is_passed_on(*at)) {
            ret_entries[n++] = *at;
        }
    }
    ret_entries[n] = NULL;
}

/* Only async-signal-safe calls between fork and exec. */
static _Noreturn void exec_child(pid_t supervisor, const char *path, const char *const argv[],
                                 char *const env[], const int keep_fds[], int n_keep, int target_fd)
{
    /* What is sent to the whole group (Ctrl-C, timeout, a terminal that is closed) is the
     * supervisor's to act on; a child that died of it would look like one that crashed. */
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null_fd = open("/dev/null", O_RDWR);
    if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(null_fd, STDOUT_FILENO) < 0) {
        _exit(127);
    }
    /* dup2 to the same number would leave close-on-exec set, and to another's would close it. */
    int duplicates[KEPT_MAX];
    for (int i = 0; i < n_keep; i++) {
        duplicates[i] = fcntl(keep_fds[i], F_DUPFD, 100);
    }
    for (int i = 0; i < n_keep; i++) {
        if (duplicates[i] < 0 || dup2(duplicates[i], target_fd + i) < 0) {
            _exit(127);
        }
    }
    /* Whatever the caller has open (a pager's pipe, a lock) is none of the child's. */
    int first = target_fd + n_keep;
    syscall(SYS_close_range, (unsigned)(first > STDERR_FILENO ? first : STDERR_FILENO + 1), ~0U,
            0U);
    /* Without the supervisor nobody wants what it does; it may be gone already. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != supervisor) {
        _exit(127);
    }
    /* execve does not change what its prototype lets it (POSIX, exec, rationale). */
    union {
        const char *const *in;
        char *const *out;
    } args = {.in = argv};
    execve(path, args.out, env);
    _exit(127);
}

static int fork_worker(const char *self_path, int link_fd, int board_fd, pid_t *ret_pid,
                       struct rb_error *err)
{
    const char *argv[] = {"rapidbyte", "worker", "--link-fd", "3", "--board-fd", "4", NULL};
    char *env[ENVIRONMENT_MAX + 1];
    filter_environment(env);
    pid_t supervisor = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        const int kept[KEPT_MAX] = {link_fd, board_fd}; /* as 3 and 4 */
        exec_child(supervisor, self_path, argv, env, kept, KEPT_MAX, WORKER_LINK_FD);
    }
    if (pid < 0) {
        return rb_error_set_errno(err, RB_EIO, "WORKER_START", errno, "starting the worker");
    }
    RB_FAULT_PEER(pid);
    int status = RB_FAULT(WORKER_SPAWNED, err);
    if (status != 0) {
        int how;
        int64_t peak;
        rb_process_kill(pid, &how, &peak);
        return status;
    }
    *ret_pid = pid;
    return RB_OK;
}

int rb_process_start_worker(const char *self_path, pid_t *ret_pid, int *ret_fd,
                            struct rb_board **ret_board, struct rb_error *err)
{
    int fds[2];
    int board_fd = -1;
    struct rb_board *board = NULL;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
        return rb_error_set_errno(err, RB_EIO, "WORKER_START", errno, "making a socket pair");
    }
    int status = RB_FAULT(WORKER_SPAWN, err);
    status = status != 0 ? status : rb_board_new(&board, &board_fd, err);
    status = status != 0 ? status : fork_worker(self_path, fds[1], board_fd, ret_pid, err);
    if (board_fd >= 0) {
        close(board_fd);
    }
    close(fds[1]);
    if (status != 0) {
        close(fds[0]);
        rb_board_free(board);
        return status;
    }
    *ret_fd = fds[0];
    *ret_board = board;
    return RB_OK;
}

void rb_early_worker_start(struct rb_early_worker *ret, const char *self_path)
{
    pid_t pid = 0;
    *ret = (struct rb_early_worker){.fd = -1};
    if (rb_process_start_worker(self_path, &pid, &ret->fd, &ret->board, NULL) == 0) {
        ret->pid = pid;
    }
}

void rb_early_worker_release(struct rb_early_worker *worker)
{
    int status = 0;
    int64_t peak = 0;
    if (worker->fd >= 0) {
        close(worker->fd);
        worker->fd = -1;
        rb_board_free(worker->board);
        worker->board = NULL;
        rb_process_kill(worker->pid, &status, &peak);
    }
}

int rb_process_run_timeout(struct rb_error *err)
{
    rb_error_set(err, RB_ETIMEOUT, RB_RUN_TIMEOUT, "the run took longer than timeouts.run");
    if (err != NULL) {
        err->retryable = false;
    }
    return RB_ETIMEOUT;
}

/* Until the deadline, for poll: rounded up, so that it has passed then. */
static int left_ms(int64_t deadline_ms)
{
    int64_t left = deadline_ms - rb_clock_ms() + 1;
    return deadline_ms == 0 || left > INT_MAX ? -1 : (int)(left > 0 ? left : 0);
}

/* Reads to the end; keeps the first COMPILER_ERROR_MAX - 1 bytes. RB_ECANCELLED or RB_ETIMEOUT:
 * not to the end. */
static int read_all(int fd, const struct rb_compile_limits *limits, char *text,
                    struct rb_error *err)
{
    int status = 0;
    size_t len = 0;
    char chunk[512];
    struct pollfd waits[2] = {{.fd = fd, .events = POLLIN},
                              {.fd = limits->signal_fd, .events = POLLIN}};
    for (;;) {
        int left = left_ms(limits->deadline_ms);
        bool ticks = limits->observer != NULL && limits->observer->tick != NULL &&
                     (left < 0 || left > RB_SESSION_TICK_MS);
        int ready = poll(waits, 2, ticks ? RB_SESSION_TICK_MS : left);
        if (ready > 0 && waits[1].revents != 0) {
            status = rb_error_set(err, RB_ECANCELLED, "CANCELLED", "cancelled");
            break;
        }
        if (ready == 0 && ticks) {
            limits->observer->tick(limits->observer->user);
            continue;
        }
        if (ready == 0) {
            status = rb_process_run_timeout(err);
            break;
        }
        if (ready < 0) {
            continue;
        }
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            break;
        }
        size_t room = COMPILER_ERROR_MAX - 1 - len;
        size_t take = (size_t)n < room ? (size_t)n : room;
        memcpy(text + len, chunk, take);
        len += take;
    }
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' ')) {
        len--;
    }
    text[len] = 0;
    return status;
}

/* How the compiler failed, from what it wrote last: its own error and hint are shown as ours. */
static int fail_compiler(int wait_status, char *text, const struct rb_compile_limits *limits,
                         struct rb_error *err)
{
    static const char error[] = "error: ", later[] = "\nerror: ", hint[] = "\n  hint: ";
    char how[128];
    rb_process_describe(wait_status, how, sizeof how);
    char *said = strncmp(text, error, sizeof error - 1) == 0 ? text + sizeof error - 1 : NULL;
    /* Its libraries may have said something before. */
    char *at = said == NULL ? strstr(text, later) : NULL;
    said = at != NULL ? at + sizeof later - 1 : said;
    if (said == NULL) {
        (void)rb_error_set(err, RB_ECONNECTOR, "COMPILE_FAILED", "the compiler %s%s%s", how,
                           text[0] != 0 ? ": " : "", text);
        if (WIFSIGNALED(wait_status)) { /* one of its threads, which can't say it better */
            rb_error_set_hint(err,
                              "it had %llu MiB of memory (resources.compile_memory): raise that, "
                              "if you trust the module",
                              (unsigned long long)limits->memory_bytes >> 20);
        }
        return RB_ECONNECTOR;
    }
    char *advice = strstr(said, hint);
    if (advice != NULL) {
        *advice = 0;
        advice += sizeof hint - 1;
    }
    (void)rb_error_set(err, RB_ECONNECTOR, "COMPILE_FAILED", "it can't be compiled: %s", said);
    if (advice != NULL) {
        rb_error_set_hint(err, "%s", advice);
    }
    return RB_ECONNECTOR;
}

int rb_process_compile(const char *self_path, const char *aot_dir, bool no_os_sandbox,
                       const char *const *wasm_paths, size_t n_paths,
                       const struct rb_compile_limits *limits, struct rb_error *err)
{
    char memory[NUMBER_MAX], cpu[NUMBER_MAX];
    (void)snprintf(memory, sizeof memory, "%llu", (unsigned long long)limits->memory_bytes);
    (void)snprintf(cpu, sizeof cpu, "%lldms", (long long)limits->cpu_ms);
    const char *argv[COMPILER_PATHS_MAX + 11] = {"rapidbyte", "compile", "--aot-dir", aot_dir,
                                                 "--memory",  memory,    "--cpu",     cpu};
    size_t n = 8;
    if (n_paths > COMPILER_PATHS_MAX) {
        return rb_error_set(err, RB_ECONFIG, "TOO_MANY_CONNECTORS", "%zu connectors to compile",
                            n_paths);
    }
    if (no_os_sandbox) {
        argv[n++] = "--no-os-sandbox";
    }
    argv[n++] = "--";
    memcpy(&argv[n], wasm_paths, n_paths * sizeof *wasm_paths);
    char *env[ENVIRONMENT_MAX + 1];
    filter_environment(env);
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
        return rb_error_set_errno(err, RB_EIO, "COMPILER_START", errno, "making a pipe");
    }
    pid_t supervisor = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        exec_child(supervisor, self_path, argv, env, &pipe_fds[1], 1, STDERR_FILENO);
    }
    int fork_errno = errno;
    close(pipe_fds[1]);
    if (pid < 0) {
        close(pipe_fds[0]);
        return rb_error_set_errno(err, RB_EIO, "COMPILER_START", fork_errno,
                                  "starting the compiler");
    }
    RB_FAULT_MARK(COMPILER_SPAWNED);
    char text[COMPILER_ERROR_MAX];
    /* It waits for nobody, so what takes much longer than its CPU stands still. */
    int64_t longest_ms = 2 * limits->cpu_ms * (int64_t)n_paths + COMPILER_SLACK_MS;
    int64_t deadline_ms = rb_clock_ms() + longest_ms;
    struct rb_compile_limits until = *limits;
    bool is_own = until.deadline_ms == 0 || deadline_ms < until.deadline_ms;
    until.deadline_ms = is_own ? deadline_ms : until.deadline_ms;
    int stopped = read_all(pipe_fds[0], &until, text, err);
    close(pipe_fds[0]);
    if (stopped == RB_ETIMEOUT && is_own) {
        stopped =
            rb_error_set(err, RB_ECONNECTOR, "COMPILE_FAILED",
                         "the compiler took longer than %lld s", (long long)longest_ms / 1000);
    }
    int status = 0;
    int64_t peak;
    if (stopped != 0) {
        /* What it has written so far has no name in the cache yet. */
        rb_process_kill(pid, &status, &peak);
        return stopped;
    }
    (void)rb_process_wait(pid, -1, &status, &peak);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return RB_OK;
    }
    return fail_compiler(status, text, limits, err);
}

static int reap(pid_t pid, int options, int *ret_status, int64_t *ret_peak_bytes)
{
    struct rusage usage;
    pid_t got;
    do {
        got = wait4(pid, ret_status, options, &usage);
    } while (got < 0 && errno == EINTR);
    if (got == pid) {
        *ret_peak_bytes = (int64_t)usage.ru_maxrss * 1024;
        return 0;
    }
    if (got < 0) {
        *ret_status = 0;
        *ret_peak_bytes = 0;
        return 0;
    }
    return 1;
}

int rb_process_wait(pid_t pid, int64_t timeout_ms, int *ret_status, int64_t *ret_peak_bytes)
{
    if (timeout_ms < 0) {
        return reap(pid, 0, ret_status, ret_peak_bytes);
    }
    int64_t deadline = rb_clock_ms() + timeout_ms;
    int fd = (int)syscall(SYS_pidfd_open, pid, 0U);
    for (;;) {
        if (reap(pid, WNOHANG, ret_status, ret_peak_bytes) == 0) {
            break;
        }
        int64_t left = deadline - rb_clock_ms();
        if (left <= 0) {
            if (fd >= 0) {
                close(fd);
            }
            return 1;
        }
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        /* Without a pidfd (Linux < 5.3) look every 5 ms. */
        (void)poll(&wait, fd >= 0 ? 1 : 0, fd >= 0 ? (int)left : 5);
    }
    if (fd >= 0) {
        close(fd);
    }
    return 0;
}

void rb_process_kill(pid_t pid, int *ret_status, int64_t *ret_peak_bytes)
{
    (void)kill(pid, SIGKILL);
    (void)reap(pid, 0, ret_status, ret_peak_bytes);
}

void rb_process_describe(int wait_status, char *out, size_t cap)
{
    if (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGSYS) {
        snprintf(out, cap,
                 "made a system call that the sandbox forbids, and was ended by the "
                 "kernel (signal %d)",
                 SIGSYS);
    } else if (WIFSIGNALED(wait_status)) {
        const char *name = sigdescr_np(WTERMSIG(wait_status));
        snprintf(out, cap, "was killed by signal %d (%s)", WTERMSIG(wait_status),
                 name != NULL ? name : "unknown");
    } else {
        snprintf(out, cap, "exited with %d", WEXITSTATUS(wait_status));
    }
}
