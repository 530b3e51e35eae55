/*
 * Landlock: files and folders by their place in the tree, ports of TCP, signals and abstract
 * sockets of other processes. The kernel says what it knows (the ABI's number); numbers and
 * structures are written down here, because installed headers are older than kernels.
 * Documentation/userspace-api/landlock.rst in Linux.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/sandbox/internal.h"

#define BIT(n) (UINT64_C(1) << (n))

enum { RULE_PATH_BENEATH = 1, RULE_NET_PORT = 2, CREATE_RULESET_VERSION = 1 };

enum { ABI_REFER = 2, ABI_TRUNCATE = 3, ABI_NET = 4, ABI_IOCTL = 5, ABI_SCOPE = 6 };

static const uint64_t fs_write_file = BIT(1);
static const uint64_t fs_read_file = BIT(2);
static const uint64_t fs_read_dir = BIT(3);
static const uint64_t fs_remove = BIT(4) | BIT(5);
static const uint64_t fs_make_dir_and_file = BIT(7) | BIT(8);
static const uint64_t fs_refer = BIT(13);
static const uint64_t fs_truncate = BIT(14);
static const uint64_t net_connect_tcp = BIT(1);
static const uint64_t net_all = BIT(0) | BIT(1);
static const uint64_t scope_all = BIT(0) | BIT(1); /* abstract sockets; signals */

struct ruleset_attr {
    uint64_t fs, net, scoped;
};

struct path_attr {
    uint64_t access;
    int32_t fd;
} __attribute__((packed));

struct port_attr {
    uint64_t access, port;
};

static void close_fd(const int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
}

/* All that the ABI knows is forbidden, unless a rule says otherwise. */
static uint64_t all_of_files(int abi)
{
    if (abi >= ABI_IOCTL) {
        return BIT(16) - 1;
    }
    return abi >= ABI_TRUNCATE ? BIT(15) - 1 : abi >= ABI_REFER ? BIT(14) - 1 : BIT(13) - 1;
}

static size_t attr_size(int abi)
{
    return abi >= ABI_SCOPE ? 24 : abi >= ABI_NET ? 16 : 8;
}

static int failed(const char *what, const char *path, struct rb_error *err)
{
    return rb_error_set_errno(err, RB_EINTERNAL, "SANDBOX", errno, "sandbox: %s%s%s", what,
                              path != NULL ? " " : "", path != NULL ? path : "");
}

static int add_path(int ruleset, int abi, const struct rb_sandbox_path *grant, struct rb_error *err)
{
    RB_CLEANUP(close_fd) int fd = open(grant->path, O_PATH | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        return 0; /* not there, or not for us: nothing that could be granted */
    }
    uint64_t access = fs_read_file;
    if (S_ISDIR(st.st_mode)) {
        access |= fs_read_dir;
        access |= grant->writable ? fs_remove | fs_make_dir_and_file | fs_refer : 0;
    }
    access |= grant->writable ? fs_write_file | fs_truncate : 0;
    struct path_attr attr = {.access = access & all_of_files(abi), .fd = fd};
    return syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &attr, 0) == 0
               ? 0
               : failed("granting", grant->path, err);
}

static int add_ports(int ruleset, const struct rb_sandbox_rules *rules, struct rb_error *err)
{
    for (size_t i = 0; i < rules->n_ports; i++) {
        struct port_attr attr = {.access = net_connect_tcp, .port = rules->ports[i]};
        if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &attr, 0) != 0) {
            return failed("granting a port", NULL, err);
        }
    }
    return 0;
}

int rb_sandbox_landlock(const struct rb_sandbox_rules *rules, int *ret_abi, struct rb_error *err)
{
    int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
    if (abi < 1) {
        return 1; /* ENOSYS: not built in; EOPNOTSUPP: not switched on */
    }
    struct ruleset_attr attr = {
        .fs = all_of_files(abi), .net = rules->any_port ? BIT(0) : net_all, .scoped = scope_all};
    RB_CLEANUP(close_fd)
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, attr_size(abi), 0);
    if (ruleset < 0) {
        return failed("making rules", NULL, err);
    }
    int status = 0;
    for (size_t i = 0; status == 0 && i < rules->n_paths; i++) {
        status = add_path(ruleset, abi, &rules->paths[i], err);
    }
    if (status == 0 && abi >= ABI_NET && !rules->any_port) {
        status = add_ports(ruleset, rules, err);
    }
    if (status == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
        status = failed("entering", NULL, err);
    }
    if (status == 0) {
        *ret_abi = abi;
    }
    return status;
}
