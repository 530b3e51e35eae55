#include "host/net/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "host/net/address.h"
#include "host/net/wait.h"

/* Shared by the one who asks and the thread; the last to let go frees it. */
struct lookup {
    atomic_int holders;
    int done_fd;
    char name[256];
    int result; /* getaddrinfo's */
    int errno_value;
    struct addrinfo *list;
};

static atomic_int n_threads;

static void let_go(struct lookup **held)
{
    struct lookup *lookup = *held;
    if (lookup == NULL || atomic_fetch_sub(&lookup->holders, 1) > 1) {
        return;
    }
    if (lookup->list != NULL) {
        freeaddrinfo(lookup->list);
    }
    if (lookup->done_fd >= 0) {
        close(lookup->done_fd);
    }
    free(lookup);
}

static void *look_up(void *user)
{
    struct lookup *lookup = user;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    lookup->result = getaddrinfo(lookup->name, NULL, &hints, &lookup->list);
    lookup->errno_value = errno;
    uint64_t one = 1;
    while (write(lookup->done_fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
    let_go(&lookup);
    atomic_fetch_sub(&n_threads, 1);
    return NULL;
}

/* Detached, and deaf to signals, which are for the process's own threads. 0 or an errno. */
static int start_thread(struct lookup *lookup)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    if (pthread_attr_init(&attr) != 0) {
        return ENOMEM;
    }
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    atomic_fetch_add(&lookup->holders, 1);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&thread, &attr, look_up, lookup);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (r != 0) {
        atomic_fetch_sub(&lookup->holders, 1);
    }
    return r;
}

static int start(const char *name, struct lookup **ret_lookup, struct rb_error *err)
{
    RB_CLEANUP(let_go) struct lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory to resolve %s", name);
    }
    atomic_init(&lookup->holders, 1);
    lookup->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (lookup->done_fd < 0) {
        return rb_error_set_errno(err, RB_EINTERNAL, "EVENTFD", errno, "resolving %s", name);
    }
    size_t len = strlen(name);
    if (len >= sizeof lookup->name) {
        return rb_error_set(err, RB_ECONFIG, "INVALID_HOST", "the host name is too long");
    }
    memcpy(lookup->name, name, len + 1);
    if (atomic_fetch_add(&n_threads, 1) >= RB_RESOLVE_THREADS_MAX) {
        atomic_fetch_sub(&n_threads, 1);
        return rb_error_set(err, RB_ENETWORK, "RESOLVER_BUSY",
                            "resolving %s: too many look-ups are still unanswered", name);
    }
    int r = start_thread(lookup);
    if (r != 0) {
        atomic_fetch_sub(&n_threads, 1);
        return rb_error_set_errno(err, RB_EINTERNAL, "THREAD", r, "resolving %s", name);
    }
    *ret_lookup = lookup;
    lookup = NULL;
    return 0;
}

static int not_resolved(const struct lookup *lookup, struct rb_error *err)
{
    int result = lookup->result;
    const char *why =
        result == EAI_SYSTEM ? strerrordesc_np(lookup->errno_value) : gai_strerror(result);
    rb_error_set(err, RB_ENETWORK, "NAME_NOT_RESOLVED", "resolving %s: %s", lookup->name, why);
    if (err != NULL && (result == EAI_NONAME || result == EAI_NODATA || result == EAI_FAIL)) {
        err->retryable = false;
    }
    rb_error_set_hint(err, "check the host's spelling and this machine's name resolution");
    return RB_ENETWORK;
}

int rb_resolve(const char *name, int port, int cancel_fd, int64_t deadline,
               struct rb_net_address ret[RB_RESOLVE_ADDRESSES_MAX], size_t *ret_count,
               struct rb_error *err)
{
    RB_CLEANUP(let_go) struct lookup *lookup = NULL;
    int r = start(name, &lookup, err);
    if (r < 0 || lookup == NULL) {
        return r;
    }
    r = rb_wait_fd(lookup->done_fd, POLLIN, cancel_fd, deadline, err);
    if (r < 0) {
        return r;
    }
    if (r > 0) {
        return rb_error_set(err, RB_ETIMEOUT, "RESOLVE_TIMEOUT",
                            "resolving %s: no answer in the time allowed", name);
    }
    if (lookup->result != 0) {
        return not_resolved(lookup, err);
    }
    size_t n = 0;
    for (const struct addrinfo *at = lookup->list; at != NULL; at = at->ai_next) {
        struct sockaddr_storage from = {0};
        if (n == RB_RESOLVE_ADDRESSES_MAX || at->ai_addrlen > sizeof from) {
            continue;
        }
        memcpy(&from, at->ai_addr, at->ai_addrlen);
        if (rb_address_of_sockaddr(&from, &ret[n])) {
            ret[n++].port = (uint16_t)port;
        }
    }
    *ret_count = n;
    return 0;
}
