/*
 * The operating system's sandbox around this process: what is left to native code that has broken
 * out of WebAssembly. no_new_privs, a list of system calls (seccomp), and where the kernel has it
 * the granted files, ports and nobody else's processes (Landlock). There is no way back out of it.
 *
 * What happens to a forbidden system call: those that only an attack makes (execve, ptrace, mount,
 * …) end the process with SIGSYS; the others fail as on a kernel or a machine without them.
 */
#ifndef RB_HOST_SANDBOX_SANDBOX_H
#define RB_HOST_SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { RB_SANDBOX_PATHS_MAX = 8192, RB_SANDBOX_PORTS_MAX = 4096, RB_SANDBOX_TEXT_MAX = 256 };

struct rb_sandbox_path {
    const char *path; /* a file, or a folder and all below it; passed over when it isn't there */
    bool writable;
};

struct rb_sandbox_rules {
    const struct rb_sandbox_path *paths;
    size_t n_paths;
    bool internet;     /* sockets of IPv4 and IPv6, TCP and UDP (name resolution) */
    bool unix_sockets; /* stream sockets of this machine */
    bool any_port;     /* otherwise TCP connects to `ports` alone */
    const uint16_t *ports;
    size_t n_ports;
    bool beneath; /* openat2 and reading folders, for granted folders */
};

/* What became of it. */
struct rb_sandbox_state {
    bool seccomp;
    int landlock_abi;                  /* 0: not in force */
    char missing[RB_SANDBOX_TEXT_MAX]; /* what this kernel can't, for people; "": nothing */
};

/* For good, for this thread and all threads that it starts, and with seccomp for those that run
 * already. What the kernel can't do is left out and said in *ret_state; RB_EINTERNAL when it can
 * and refuses, RB_ENOMEM. */
int rb_sandbox_enter(const struct rb_sandbox_rules *rules, struct rb_sandbox_state *ret_state,
                     struct rb_error *err);

/* For a process that has passwords in its memory: no core dump, not even where cores go to a pipe,
 * which no limit holds back; and neither a debugger nor /proc/<pid>/mem for others of the same
 * user. */
void rb_sandbox_keep_private(void);

/* What every process here reads: shared libraries, name resolution, certificates of the system.
 * Returns their number, at most `max`. */
size_t rb_sandbox_system_paths(struct rb_sandbox_path *ret_paths, size_t max);

#endif
