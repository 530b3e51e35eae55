/*
 * The system calls that a worker or a compiler makes, as an allow-list. What is not listed does not
 * exist (ENOSYS), which is what a C library newer than this list expects of an older kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/sandbox/internal.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41 /* glibc names its heaps */
#endif

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Whatever their arguments: they act on this process and on what it has open already. */
static const int plain[] = {
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(pread64),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(pwrite64),
    SCMP_SYS(close),
    SCMP_SYS(lseek),
    SCMP_SYS(_llseek),
    SCMP_SYS(fstat),
    SCMP_SYS(fstat64),
    SCMP_SYS(newfstatat),
    SCMP_SYS(fstatat64),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(statx),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getcwd),
    SCMP_SYS(dup),
    SCMP_SYS(pipe2),
    SCMP_SYS(eventfd2),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(ppoll_time64),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(pselect6_time64),
    /* memory and threads */
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(futex_time64),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(set_tid_address),
    SCMP_SYS(rseq),
    SCMP_SYS(membarrier),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_getparam),
    SCMP_SYS(sched_getscheduler),
    SCMP_SYS(getcpu),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(arch_prctl),
    /* signals, to oneself */
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    /* time, randomness, who am I */
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_gettime64),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_getres_time64),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(clock_nanosleep_time64),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(getrandom),
    SCMP_SYS(getpid),
    SCMP_SYS(getppid),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(getrusage),
    SCMP_SYS(ugetrlimit),
    SCMP_SYS(getrlimit),
};

/* On sockets that are open: of the link, and those that socket() below lets be made. */
static const int network[] = {
    SCMP_SYS(connect),    SCMP_SYS(send),        SCMP_SYS(sendto),      SCMP_SYS(sendmsg),
    SCMP_SYS(sendmmsg),   SCMP_SYS(recv),        SCMP_SYS(recvfrom),    SCMP_SYS(recvmsg),
    SCMP_SYS(shutdown),   SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
};

/* Beneath folders that were granted. */
static const int folders[] = {
    SCMP_SYS(openat2),
    SCMP_SYS(getdents64),
};

/* In folders that may be written to. */
static const int changes[] = {
    SCMP_SYS(mkdir),     SCMP_SYS(mkdirat),     SCMP_SYS(unlink),    SCMP_SYS(unlinkat),
    SCMP_SYS(rmdir),     SCMP_SYS(rename),      SCMP_SYS(renameat),  SCMP_SYS(renameat2),
    SCMP_SYS(ftruncate), SCMP_SYS(ftruncate64), SCMP_SYS(fallocate), SCMP_SYS(fsync),
    SCMP_SYS(fdatasync), SCMP_SYS(fchmod),      SCMP_SYS(utimensat),
};

/* What nobody here asks for, and an intruder first: the end. */
static const int deadly[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(open_tree),
    SCMP_SYS(move_mount),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsmount),
    SCMP_SYS(mount_setattr),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(setuid),
    SCMP_SYS(setgid),
    SCMP_SYS(setreuid),
    SCMP_SYS(setregid),
    SCMP_SYS(setresuid),
    SCMP_SYS(setresgid),
    SCMP_SYS(setgroups),
    SCMP_SYS(capset),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(name_to_handle_at),
};

struct filter {
    scmp_filter_ctx context;
    int status; /* the first failure: negative errno */
};

static void add(struct filter *filter, uint32_t action, int call, unsigned n,
                const struct scmp_arg_cmp *conditions)
{
    if (filter->status == 0) {
        int r = seccomp_rule_add_array(filter->context, action, call, n, conditions);
        /* A call that this architecture does not have needs no rule. */
        filter->status = r == -EDOM ? 0 : r;
    }
}

static void add_all(struct filter *filter, uint32_t action, const int *calls, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        add(filter, action, calls[i], 0, NULL);
    }
}

/* `call` where the argument is one of the values. */
static void allow_values(struct filter *filter, int call, unsigned argument, const uint64_t *values,
                         size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct scmp_arg_cmp is = SCMP_CMP64(argument, SCMP_CMP_EQ, values[i], 0);
        add(filter, SCMP_ACT_ALLOW, call, 1, &is);
    }
}

/* Threads, not processes and not namespaces. clone3 passes its flags where no filter can read them:
 * without it the C library takes clone. */
static void add_threads(struct filter *filter)
{
    const uint64_t needed = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD;
    const uint64_t looked_at = needed | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                               CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
                               CLONE_PTRACE | CLONE_UNTRACED | CLONE_VFORK;
    const struct scmp_arg_cmp is_thread = SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, looked_at, needed);
    add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &is_thread);
    const struct scmp_arg_cmp is_process = SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0);
    add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 1, &is_process);
}

/* Code comes from files alone: nothing that was written becomes executable. */
static void add_memory(struct filter *filter)
{
    const struct scmp_arg_cmp not_code = SCMP_CMP64(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    const struct scmp_arg_cmp code_of_file[] = {
        SCMP_CMP64(2, SCMP_CMP_MASKED_EQ, PROT_EXEC | PROT_WRITE, PROT_EXEC),
        SCMP_CMP64(3, SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, 0)};
    const int maps[] = {SCMP_SYS(mmap), SCMP_SYS(mmap2)};
    for (size_t i = 0; i < COUNT(maps); i++) {
        add(filter, SCMP_ACT_ALLOW, maps[i], 1, &not_code);
        add(filter, SCMP_ACT_ALLOW, maps[i], COUNT(code_of_file), code_of_file);
    }
    add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, &not_code);
}

static void add_socket(struct filter *filter, uint64_t family, uint64_t type, uint64_t protocol)
{
    const uint64_t flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    const struct scmp_arg_cmp conditions[] = {SCMP_CMP64(0, SCMP_CMP_EQ, family, 0),
                                              SCMP_CMP64(1, SCMP_CMP_MASKED_EQ, ~flags, type),
                                              SCMP_CMP64(2, SCMP_CMP_EQ, protocol, 0)};
    add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), COUNT(conditions), conditions);
}

static void add_sockets(struct filter *filter, const struct rb_sandbox_rules *rules)
{
    enum { TCP = 6, UDP = 17 };
    const uint64_t families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; rules->internet && i < COUNT(families); i++) {
        add_socket(filter, families[i], SOCK_STREAM, 0);
        add_socket(filter, families[i], SOCK_STREAM, TCP);
        add_socket(filter, families[i], SOCK_DGRAM, 0);
        add_socket(filter, families[i], SOCK_DGRAM, UDP);
    }
    if (rules->unix_sockets) {
        add_socket(filter, AF_UNIX, SOCK_STREAM, 0);
    }
    add_all(filter, SCMP_ACT_ALLOW, network, COUNT(network));
}

static void add_files(struct filter *filter, const struct rb_sandbox_rules *rules)
{
    bool writes = false;
    for (size_t i = 0; i < rules->n_paths; i++) {
        writes = writes || rules->paths[i].writable;
    }
    const struct {
        int call;
        unsigned flags; /* the argument */
    } opens[] = {{SCMP_SYS(open), 1}, {SCMP_SYS(openat), 2}};
    for (size_t i = 0; i < COUNT(opens); i++) {
        const struct scmp_arg_cmp reads = SCMP_CMP64(opens[i].flags, SCMP_CMP_MASKED_EQ,
                                                     O_WRONLY | O_RDWR | O_CREAT | O_TRUNC, 0);
        add(filter, SCMP_ACT_ALLOW, opens[i].call, writes ? 0 : 1, &reads);
    }
    if (rules->beneath) {
        add_all(filter, SCMP_ACT_ALLOW, folders, COUNT(folders));
    }
    if (writes) {
        add_all(filter, SCMP_ACT_ALLOW, changes, COUNT(changes));
    }
}

static void add_rest(struct filter *filter)
{
    static const uint64_t fcntls[] = {F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD, F_DUPFD_CLOEXEC};
    static const uint64_t ioctls[] = {FIONBIO, FIONREAD};
    static const uint64_t prctls[] = {PR_SET_NAME, PR_GET_NAME, PR_SET_VMA};
    allow_values(filter, SCMP_SYS(fcntl), 1, fcntls, COUNT(fcntls));
    allow_values(filter, SCMP_SYS(fcntl64), 1, fcntls, COUNT(fcntls));
    allow_values(filter, SCMP_SYS(ioctl), 1, ioctls, COUNT(ioctls));
    allow_values(filter, SCMP_SYS(prctl), 0, prctls, COUNT(prctls));
    /* abort() and pthread_kill() */
    const uint64_t self = (uint64_t)getpid();
    allow_values(filter, SCMP_SYS(tgkill), 0, &self, 1);
    allow_values(filter, SCMP_SYS(kill), 0, &self, 1);
    /* A limit is asked for, not set. */
    const struct scmp_arg_cmp asks[] = {SCMP_CMP64(0, SCMP_CMP_EQ, 0, 0),
                                        SCMP_CMP64(2, SCMP_CMP_EQ, 0, 0)};
    add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), COUNT(asks), asks);
}

static void free_filter(struct filter *filter)
{
    if (filter->context != NULL) {
        seccomp_release(filter->context);
    }
}

int rb_sandbox_seccomp(const struct rb_sandbox_rules *rules, struct rb_error *err)
{
    RB_CLEANUP(free_filter)
    struct filter filter = {.context = seccomp_init(SCMP_ACT_ERRNO(ENOSYS))};
    if (filter.context == NULL) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for the sandbox");
    }
    /* A system call by another architecture's numbers would pass by these rules. */
    filter.status =
        seccomp_attr_set(filter.context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    filter.status = filter.status != 0 ? filter.status
                                       : seccomp_attr_set(filter.context, SCMP_FLTATR_CTL_TSYNC, 1);
    add_all(&filter, SCMP_ACT_KILL_PROCESS, deadly, COUNT(deadly));
    add_all(&filter, SCMP_ACT_ALLOW, plain, COUNT(plain));
    add_threads(&filter);
    add_memory(&filter);
    add_sockets(&filter, rules);
    add_files(&filter, rules);
    add_rest(&filter);
    filter.status = filter.status != 0 ? filter.status : seccomp_load(filter.context);
    if (filter.status == 0) {
        return 0;
    }
    return rb_error_set_errno(err, RB_EINTERNAL, "SANDBOX", -filter.status,
                              "sandbox: the system calls can't be limited");
}
