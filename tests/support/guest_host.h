/* What an instance needs around it in a test: a host that remembers, and a compiled module. */
#ifndef TESTS_SUPPORT_GUEST_HOST_H
#define TESTS_SUPPORT_GUEST_HOST_H

#include "base/buf.h"
#include "host/guest/guest.h"

struct guest_host {
    struct rb_guest_options options; /* of the instances made with guest_host_new */
    struct rb_guest_ops ops;
    struct rb_net_grant grant;
    struct rb_broker *broker;
    int cancel_fd;
    struct rb_buf said; /* what callbacks were given, "name(arguments)" each on a line */
    const char *batch;  /* peek_batch and take_batch give it once; NULL: end of stream */
    const char *value;  /* state_get and stream_end; NULL: not found, or not come */
    int fail_with;      /* < 0: what every callback returns, with code "HOST" */
    bool cas_differs;
    bool count_log_bytes; /* "log(n)" for a message of n bytes */
};

/* Compiles the modules into `aot_dir` in a process of its own, which loads the real LLVM; exits on
 * failure. */
void guest_host_compile(const char *aot_dir, const char *const *modules, size_t n);
/* Loads the runtime behind the stub, once. */
void guest_host_load(void);
/* A host for build/test-connectors/<name>.wasm; aot_dir NULL: the interpreter. */
void guest_host_init(struct guest_host *host, const char *name, const char *aot_dir);
void guest_host_release(struct guest_host *host);
/* Makes an instance; fails the test with the error's text when that fails. */
struct rb_guest *guest_host_new(struct guest_host *host);
/* rb_open with a script for tests/guests/puppet.c; its data, to be freed. Fails the test when the
 * call fails. */
char *guest_host_run(struct rb_guest *guest, const char *script);

/* Removes a folder with all that is in it. */
void guest_host_remove(const char *folder);

#endif
