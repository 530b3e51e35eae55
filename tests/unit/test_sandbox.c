/*
 * What native code can still do inside the worker's sandbox: each attempt in a process of its own,
 * confined as a worker is that was granted one port, one module and one AOT cache.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/cli/compiler.h"
#include "host/sandbox/internal.h"
#include "host/worker/confine.h"

enum outcome { ALLOWED, REFUSED, KILLED };

struct place {
    char root[64];
    char module[96], cache[96], code[128], state[96], shared[96], shared_file[128];
    int port; /* granted; nobody listens there */
};

static struct place place;

struct grants {
    bool unix_sockets;
    int shared; /* a folder: 0 not at all, 1 to read, 2 to write */
    bool nothing;
    bool compiler; /* confined as that, not as a worker */
};

/* 0: it worked; an errno otherwise. */
typedef int (*attempt_fn)(void);

static int done(long result)
{
    return result < 0 ? errno : 0;
}

static int open_to(const char *path, int flags)
{
    return done(open(path, flags | O_CLOEXEC, 0600));
}

static int read_state(void)
{
    return open_to(place.state, O_RDONLY);
}
static int write_state(void)
{
    return open_to(place.state, O_WRONLY);
}
static int read_passwd(void)
{
    return open_to("/etc/passwd", O_RDONLY);
}
static int read_environ(void)
{
    return open_to("/proc/self/environ", O_RDONLY);
}
static int read_parent(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/environ", (int)getppid());
    return open_to(path, O_RDONLY);
}
static int list_root(void)
{
    return open_to("/", O_RDONLY | O_DIRECTORY);
}
static int read_module(void)
{
    return open_to(place.module, O_RDONLY);
}
static int read_code(void)
{
    return open_to(place.code, O_RDONLY);
}
static int write_code(void)
{
    return open_to(place.code, O_RDWR);
}
static int make_file(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/new", place.cache);
    return open_to(path, O_WRONLY | O_CREAT);
}
static int remove_code(void)
{
    return done(unlink(place.code));
}
static int read_resolver(void)
{
    return open_to("/etc/nsswitch.conf", O_RDONLY);
}
static int read_shared(void)
{
    return open_to(place.shared_file, O_RDONLY);
}
static int write_shared(void)
{
    return open_to(place.shared_file, O_WRONLY);
}
static int openat2_shared(void)
{
    uint64_t how[3] = {O_RDONLY | O_CLOEXEC, 0, 0};
    return done(syscall(SYS_openat2, AT_FDCWD, place.shared_file, how, sizeof how));
}
static int map_code(void)
{
    int fd = open(place.code, O_RDONLY | O_CLOEXEC);
    void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    return at == MAP_FAILED ? errno : 0;
}
static int map_new_code(void)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? errno : 0;
}
static int make_executable(void)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? 0 : done(mprotect(at, 4096, PROT_READ | PROT_EXEC));
}

static int run_program(void)
{
    char name[] = "true";
    char *const argv[] = {name, NULL};
    return done(execve("/bin/true", argv, NULL));
}
static int fork_off(void)
{
    return done(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}
static int spawn(void)
{
    char name[] = "true";
    char *const argv[] = {name, NULL};
    pid_t pid;
    return posix_spawn(&pid, "/bin/true", NULL, NULL, argv, NULL);
}
static void *idle(void *user)
{
    return user;
}
static int start_thread(void)
{
    pthread_t thread;
    int r = pthread_create(&thread, NULL, idle, NULL);
    return r != 0 ? r : pthread_join(thread, NULL);
}
static int new_namespace(void)
{
    return done(unshare(CLONE_NEWUSER));
}
static int signal_parent(void)
{
    return done(kill(getppid(), 0));
}
static int signal_self(void)
{
    return done(kill(getpid(), 0));
}
static int trace(void)
{
    return done(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}
static int read_memory(void)
{
    char byte;
    struct iovec to = {&byte, 1}, from = {&place, 1};
    return done(syscall(SYS_process_vm_readv, getppid(), &to, 1UL, &from, 1UL, 0UL));
}
static int ring(void)
{
    char params[120] = {0};
    return done(syscall(SYS_io_uring_setup, 1, params));
}
static int program_kernel(void)
{
    return done(syscall(SYS_bpf, 0, NULL, 0));
}
static int mount_over(void)
{
    return done(syscall(SYS_mount, "x", "/", "tmpfs", 0UL, NULL));
}
static int change_user(void)
{
    return done(syscall(SYS_setuid, 65534));
}
static int be_dumpable(void)
{
    return done(prctl(PR_SET_DUMPABLE, 1));
}
static int lift_limit(void)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    return done(setrlimit(RLIMIT_CORE, &limit));
}

static int socket_of(int family, int type)
{
    return done(socket(family, type | SOCK_CLOEXEC, 0));
}
static int tcp(void)
{
    return socket_of(AF_INET, SOCK_STREAM);
}
static int tcp6(void)
{
    return socket_of(AF_INET6, SOCK_STREAM);
}
static int raw(void)
{
    return socket_of(AF_INET, SOCK_RAW);
}
static int netlink(void)
{
    return socket_of(AF_NETLINK, SOCK_RAW);
}
static int packet(void)
{
    return socket_of(AF_PACKET, SOCK_RAW);
}
static int machine(void)
{
    return socket_of(AF_VSOCK, SOCK_STREAM);
}
static int local(void)
{
    return socket_of(AF_UNIX, SOCK_STREAM);
}
static int multipath(void)
{
    return done(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 262));
}
static int connect_to(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int e = done(connect(fd, (const struct sockaddr *)&to, sizeof to));
    return e == ECONNREFUSED ? 0 : e; /* it got there */
}
static int connect_granted(void)
{
    return connect_to(place.port);
}
static int connect_other(void)
{
    return connect_to(place.port == 1 ? 2 : 1);
}
static int serve(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return done(listen(fd, 1));
}
static int resolve(void)
{
    struct addrinfo *list = NULL;
    return getaddrinfo("localhost", NULL, NULL, &list) == 0 ? 0 : ENOENT;
}

static void confine_compiler(void)
{
    const char *const paths[] = {place.module};
    if (rb_cli_confine_compiler(place.cache, place.shared, paths, 1, NULL) != 0) {
        _exit(200);
    }
}

static void confine(const struct grants *grants, struct rb_sandbox_state *state)
{
    if (grants->compiler) {
        confine_compiler();
        return;
    }
    const struct rb_spec_allow allow[] = {{"127.0.0.1", place.port}, {"/run/none", 5432}};
    const struct rb_spec_preopen folder = {
        .guest_path = "/data", .host_path = place.shared, .writable = grants->shared == 2};
    const struct rb_connector_spec connector = {
        .id = "hostile",
        .wasm_path = place.module,
        .allow = allow,
        .n_allow = grants->nothing        ? 0
                   : grants->unix_sockets ? 2
                                          : 1,
        .preopens = &folder,
        .n_preopens = grants->shared > 0 ? 1 : 0,
    };
    const struct rb_worker_spec spec = {
        .connectors = &connector, .n_connectors = 1, .aot_dir = place.cache};
    if (rb_worker_confine(&spec, state, NULL) != 0) {
        _exit(200);
    }
}

/* The attempt's outcome, in a process of its own. */
static int outcome_of(attempt_fn attempt, const struct grants *grants)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct rb_sandbox_state state = {.seccomp = false};
        confine(grants, &state);
        _exit(attempt() == 0 ? ALLOWED : REFUSED);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGSYS);
        return KILLED;
    }
    return WEXITSTATUS(status);
}

struct attempt {
    const char *what;
    attempt_fn run;
    enum outcome expected;
    struct grants grants;
};

static void run_attempts(const struct attempt *attempts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int got = outcome_of(attempts[i].run, &attempts[i].grants);
        if (got != (int)attempts[i].expected) {
            fail_msg("%s: outcome %d, expected %d", attempts[i].what, got, attempts[i].expected);
        }
    }
}
#define RUN(attempts) run_attempts(attempts, sizeof(attempts) / sizeof *(attempts))

static void test_files(void **user)
{
    (void)user;
    const struct grants to_read = {.shared = 1}, to_write = {.shared = 2};
    const struct attempt attempts[] = {
        {"read the state", read_state, REFUSED, {0}},
        {"write the state", write_state, REFUSED, {0}},
        {"write the state, with a folder to write to", write_state, REFUSED, to_write},
        {"read /etc/passwd", read_passwd, REFUSED, {0}},
        {"read one's environment", read_environ, REFUSED, {0}},
        {"read the supervisor's environment", read_parent, REFUSED, {0}},
        {"list /", list_root, REFUSED, {0}},
        {"read the module", read_module, ALLOWED, {0}},
        {"read compiled code", read_code, ALLOWED, {0}},
        {"change compiled code", write_code, REFUSED, {0}},
        {"change compiled code, with a folder to write to", write_code, REFUSED, to_write},
        {"add compiled code", make_file, REFUSED, to_write},
        {"remove compiled code", remove_code, REFUSED, to_write},
        {"read the resolver's files", read_resolver, ALLOWED, {0}},
        {"read a folder that is not granted", read_shared, REFUSED, {0}},
        {"openat2 without a folder", openat2_shared, REFUSED, {0}},
        {"read a granted folder", read_shared, ALLOWED, to_read},
        {"openat2 in a granted folder", openat2_shared, ALLOWED, to_read},
        {"write to a folder granted to read", write_shared, REFUSED, to_read},
        {"write to a folder granted to write", write_shared, ALLOWED, to_write},
    };
    RUN(attempts);
}

static void test_code(void **user)
{
    (void)user;
    const struct attempt attempts[] = {
        {"map compiled code", map_code, ALLOWED, {0}},
        {"map new code", map_new_code, REFUSED, {0}},
        {"make data executable", make_executable, REFUSED, {0}},
    };
    RUN(attempts);
}

static void test_processes(void **user)
{
    (void)user;
    const struct attempt attempts[] = {
        {"execve", run_program, KILLED, {0}},
        {"fork", fork_off, KILLED, {0}},
        {"posix_spawn", spawn, KILLED, {0}},
        {"a thread", start_thread, ALLOWED, {0}},
        {"a namespace", new_namespace, KILLED, {0}},
        {"signal the supervisor", signal_parent, REFUSED, {0}},
        {"signal oneself", signal_self, ALLOWED, {0}},
        {"ptrace", trace, KILLED, {0}},
        {"read another's memory", read_memory, KILLED, {0}},
        {"io_uring", ring, KILLED, {0}},
        {"bpf", program_kernel, KILLED, {0}},
        {"mount", mount_over, KILLED, {0}},
        {"setuid", change_user, KILLED, {0}},
        {"become dumpable", be_dumpable, REFUSED, {0}},
        {"lift a limit", lift_limit, REFUSED, {0}},
    };
    RUN(attempts);
}

static void test_sockets(void **user)
{
    (void)user;
    const struct grants with_unix = {.unix_sockets = true}, nothing = {.nothing = true};
    const struct attempt attempts[] = {
        {"TCP", tcp, ALLOWED, {0}},
        {"TCP, IPv6", tcp6, ALLOWED, {0}},
        {"TCP without a host", tcp, REFUSED, nothing},
        {"raw", raw, REFUSED, {0}},
        {"netlink", netlink, REFUSED, {0}},
        {"packet", packet, REFUSED, {0}},
        {"vsock", machine, REFUSED, {0}},
        {"multipath TCP, which has no ports for the kernel", multipath, REFUSED, {0}},
        {"unix", local, REFUSED, {0}},
        {"unix, granted", local, ALLOWED, with_unix},
        {"listen", serve, REFUSED, {0}},
        {"resolve a name", resolve, ALLOWED, {0}},
        {"the granted port", connect_granted, ALLOWED, {0}},
    };
    RUN(attempts);
}

/* Its cache is its to write; of the network it has nothing. */
static void test_compiler(void **user)
{
    (void)user;
    const struct grants compiler = {.compiler = true};
    const struct attempt attempts[] = {
        {"read the module", read_module, ALLOWED, compiler},
        {"read a folder of modules", read_shared, ALLOWED, compiler},
        {"write to a folder of modules", write_shared, REFUSED, compiler},
        {"add compiled code", make_file, ALLOWED, compiler},
        {"read the state", read_state, REFUSED, compiler},
        {"write the state", write_state, REFUSED, compiler},
        {"read /etc/passwd", read_passwd, REFUSED, compiler},
        {"execve", run_program, KILLED, compiler},
        {"fork", fork_off, KILLED, compiler},
        {"map new code", map_new_code, REFUSED, compiler},
        {"TCP", tcp, REFUSED, compiler},
        {"TCP, IPv6", tcp6, REFUSED, compiler},
        {"unix", local, REFUSED, compiler},
        {"signal others", signal_parent, REFUSED, compiler},
    };
    RUN(attempts);
}

/* What an attempt gives where only one of the two guards is: 0, or an errno. */
static int behind(bool with_seccomp, attempt_fn attempt, int *ret_abi)
{
    int pipe_fds[2];
    int answer[2] = {-1, 0};
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        const struct rb_sandbox_rules rules = {.any_port = true};
        int abi = 0;
        bool ready = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
        int r = with_seccomp ? rb_sandbox_seccomp(&rules, NULL)
                             : rb_sandbox_landlock(&rules, &abi, NULL);
        answer[0] = ready && r >= 0 ? attempt() : -1;
        answer[1] = abi;
        _exit(write(pipe_fds[1], answer, sizeof answer) == sizeof answer ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(read(pipe_fds[0], answer, sizeof answer), sizeof answer);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    *ret_abi = answer[1];
    return answer[0];
}

static void test_signals_by_seccomp(void **user)
{
    (void)user;
    int abi = 0;
    assert_int_equal(behind(true, signal_parent, &abi), ENOSYS);
    assert_int_equal(behind(true, signal_self, &abi), 0);
}

/* Linux 6.12 and later. */
static void test_signals_by_landlock(void **user)
{
    (void)user;
    int abi = 0;
    int got = behind(false, signal_parent, &abi);
    if (abi < 6) {
        skip();
    }
    assert_int_equal(got, EPERM);
    assert_int_equal(behind(false, signal_self, &abi), 0);
}

/* Of a process that has passwords. */
static void test_memory_is_private(void **user)
{
    (void)user;
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit limit;
        bool was = prctl(PR_SET_DUMPABLE, 1) == 0 && prctl(PR_GET_DUMPABLE) == 1;
        rb_sandbox_keep_private();
        bool no_core =
            getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == 0 && limit.rlim_max == 0;
        _exit(!was ? 1 : !no_core ? 2 : prctl(PR_GET_DUMPABLE) != 0 ? 3 : 0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* Linux 6.7 and later. */
static void test_ports(void **user)
{
    (void)user;
    struct rb_sandbox_state *state =
        mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(state != MAP_FAILED);
    const struct grants grants = {0};
    pid_t pid = fork();
    if (pid == 0) {
        confine(&grants, state);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(state->seccomp);
    bool limits_ports = state->landlock_abi >= 4;
    munmap(state, sizeof *state);
    if (!limits_ports) {
        skip();
    }
    assert_int_equal(outcome_of(connect_other, &grants), REFUSED);
}

static void write_file(const char *path)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    char page[4096] = "secret";
    assert_int_equal(fwrite(page, sizeof page, 1, file), 1);
    assert_int_equal(fclose(file), 0);
}

/* A port of this machine that nobody listens on. */
static int free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    close(fd);
    return ntohs(at.sin_port);
}

static int set_up(void **user)
{
    (void)user;
    const char *tmp = getenv("TMPDIR");
    snprintf(place.root, sizeof place.root, "%.40s/sandbox.XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(place.root));
    snprintf(place.module, sizeof place.module, "%s/module.wasm", place.root);
    snprintf(place.cache, sizeof place.cache, "%s/cache", place.root);
    snprintf(place.code, sizeof place.code, "%s/code.so", place.cache);
    snprintf(place.state, sizeof place.state, "%s/state.db", place.root);
    snprintf(place.shared, sizeof place.shared, "%s/shared", place.root);
    snprintf(place.shared_file, sizeof place.shared_file, "%s/file", place.shared);
    assert_int_equal(mkdir(place.cache, 0700), 0);
    assert_int_equal(mkdir(place.shared, 0700), 0);
    write_file(place.module);
    write_file(place.code);
    write_file(place.state);
    write_file(place.shared_file);
    place.port = free_port();
    return 0;
}

static int tear_down(void **user)
{
    (void)user;
    char path[128];
    snprintf(path, sizeof path, "%s/new", place.cache);
    unlink(path);
    unlink(place.module);
    unlink(place.code);
    unlink(place.state);
    unlink(place.shared_file);
    rmdir(place.cache);
    rmdir(place.shared);
    return rmdir(place.root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_code),
        cmocka_unit_test(test_processes),
        cmocka_unit_test(test_sockets),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_compiler),
        cmocka_unit_test(test_signals_by_seccomp),
        cmocka_unit_test(test_signals_by_landlock),
        cmocka_unit_test(test_memory_is_private),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
