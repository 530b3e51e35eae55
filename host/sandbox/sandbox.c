#include "host/sandbox/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "host/sandbox/internal.h"

/* PR_GET_SECCOMP fails with EINVAL where the kernel was built without it. */
static bool has_seccomp(void)
{
    return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
}

static void say_missing(struct rb_sandbox_state *state, const char *what)
{
    size_t len = strlen(state->missing);
    snprintf(state->missing + len, sizeof state->missing - len, "%s%s", len > 0 ? "; " : "", what);
}

static void say_old_landlock(struct rb_sandbox_state *state)
{
    if (state->landlock_abi < 4) {
        say_missing(state, "ports are not limited (Linux 6.7)");
    }
    if (state->landlock_abi < 6) {
        say_missing(state, "signals are limited by seccomp alone (Linux 6.12)");
    }
}

int rb_sandbox_enter(const struct rb_sandbox_rules *rules, struct rb_sandbox_state *ret_state,
                     struct rb_error *err)
{
    struct rb_sandbox_state state = {.seccomp = has_seccomp()};
    /* Needed by both, and good by itself: no program gives rights that this process lacks. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return rb_error_set_errno(err, RB_EINTERNAL, "SANDBOX", errno, "sandbox: no_new_privs");
    }
    int status = rb_sandbox_landlock(rules, &state.landlock_abi, err);
    if (status < 0) {
        return status;
    }
    if (status > 0) {
        say_missing(&state, "files are not limited: this kernel has no Landlock, or it is off");
    } else {
        say_old_landlock(&state);
    }
    if (!state.seccomp) {
        say_missing(&state, "system calls are not limited: this kernel has no seccomp filters");
    } else if ((status = rb_sandbox_seccomp(rules, err)) != 0) {
        return status;
    }
    *ret_state = state;
    return 0;
}

size_t rb_sandbox_system_paths(struct rb_sandbox_path *ret_paths, size_t max)
{
    static const char *const paths[] = {
        /* shared libraries that are loaded on demand: name services, OpenSSL's providers */
        "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache",
        /* name resolution; resolv.conf is often a link into /run */
        "/etc/resolv.conf", "/run/systemd/resolve", "/run/NetworkManager", "/run/resolvconf",
        "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/services",
        /* whom TLS trusts, without /etc/ssl/private */
        "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/ssl/cert.pem", "/etc/pki/tls/certs",
        "/etc/pki/tls/openssl.cnf", "/etc/pki/ca-trust", "/etc/ca-certificates",
        "/usr/share/ca-certificates", "/usr/local/share/ca-certificates",
        "/etc/crypto-policies/back-ends",
        /* what kind of machine this is */
        "/etc/localtime", "/usr/share/zoneinfo", "/proc/cpuinfo", "/proc/meminfo",
        "/proc/self/maps", "/sys/devices/system/cpu", "/dev/urandom", "/dev/null"};
    static const char *const variables[] = {"SSL_CERT_FILE", "SSL_CERT_DIR", "OPENSSL_CONF",
                                            "OPENSSL_MODULES"};
    size_t n = 0;
    for (size_t i = 0; i < sizeof paths / sizeof *paths && n < max; i++) {
        ret_paths[n++] = (struct rb_sandbox_path){.path = paths[i]};
    }
    for (size_t i = 0; i < sizeof variables / sizeof *variables && n < max; i++) {
        const char *path = getenv(variables[i]);
        if (path != NULL && path[0] != 0) {
            ret_paths[n++] = (struct rb_sandbox_path){.path = path};
        }
    }
    return n;
}
