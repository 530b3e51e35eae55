/* An instance's life: what is refused, traps, results, cancellation, threads. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/guest_host.h"

static char aot_dir[] = "/tmp/rb_guest_instance_XXXXXX";

static void refuse(struct guest_host *host, const char *code, const char *words)
{
    struct rb_guest *guest = NULL;
    struct rb_error err = {0};
    int status = rb_guest_new(&host->options, &guest, &err);
    if (status != RB_ECONNECTOR || guest || strcmp(err.code, code) != 0 ||
        !strstr(err.message, words)) {
        fail_msg("%d %s: %s; expected %s: …%s…", status, err.code, err.message, code, words);
    }
}

static void refuse_module(const char *name, const char *dir, const char *code, const char *words)
{
    struct guest_host host;
    guest_host_init(&host, name, dir);
    refuse(&host, code, words);
    guest_host_release(&host);
}

static void modules_are_refused_by_name(void **state)
{
    refuse_module("abi_import_unknown", *state, "IMPORT_REFUSED",
                  "imports 'launch_rockets' from module 'env'");
    refuse_module("abi_import_signature", *state, "IMPORT_REFUSED",
                  "imports 'rb_host_metric' from module 'rapidbyte', with another signature");
    refuse_module("abi_no_open", *state, "EXPORT_MISSING", "does not export 'rb_open'");
    refuse_module("abi_open_signature", *state, "EXPORT_REFUSED", "exports 'rb_open'");
    refuse_module("puppet_sockets", *state, "IMPORT_REFUSED",
                  "from module 'wasi_snapshot_preview1', and WASI sockets are not granted");
    refuse_module("no_such_file", *state, "CONNECTOR_MISSING", "no_such_file.wasm");
}

static void sockets_are_there_when_granted(void **state)
{
    struct guest_host host;
    guest_host_init(&host, "puppet_sockets", *state);
    host.options.wasi_sockets = true;
    rb_guest_free(guest_host_new(&host));
    guest_host_release(&host);
}

static void other_files_are_refused(void **state)
{
    char path[] = "/tmp/rb_not_wasm_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "hello, world", 12), 12);
    struct guest_host host;
    guest_host_init(&host, "puppet", *state);
    const char *module = host.options.wasm_path;
    host.options.wasm_path = path;
    refuse(&host, "NOT_WASM", "is not a WebAssembly module");
    /* The header alone makes no module. */
    assert_int_equal(pwrite(fd, "\0asm\1\0\0\0\xff\xff\xff\xff", 12, 0), 12);
    refuse(&host, *state ? "AOT_MISSING" : "MODULE_REFUSED", "");
    close(fd);
    unlink(path);
    host.options.wasm_path = module;
    host.options.wasm_sha256 = "0000000000000000000000000000000000000000000000000000000000000000";
    /* Compiled code is found by its module's digest alone. */
    refuse(&host, *state ? "AOT_MISSING" : "CHECKSUM_MISMATCH", "puppet");
    host.options.wasm_sha256 = NULL;
    host.options.memory_max_bytes = 65536;
    refuse(&host, "MEMORY_TOO_LARGE", "bytes of memory");
    guest_host_release(&host);
}

static int call(struct rb_guest *guest, const char *script, struct rb_buf *data,
                struct rb_error *err)
{
    memset(err, 0, sizeof *err);
    return rb_guest_call(guest, RB_GUEST_OPEN, script, strlen(script), data, err);
}

static void results_are_decoded(void **state)
{
    struct guest_host host;
    struct rb_error err;
    struct rb_buf data = RB_BUF_INIT(1 << 20);
    guest_host_init(&host, "puppet", *state);
    struct rb_guest *guest = guest_host_new(&host);
    assert_int_equal(call(guest,
                          "result {\"new\":1,\"status\":\"ok\",\"data\":{\"a\": [1, \"\\u00e9\"]}}",
                          &data, &err),
                     0);
    assert_string_equal(rb_buf_str(&data), "{\"a\":[1,\"\xc3\xa9\"]}");
    rb_buf_clear(&data);
    assert_int_equal(
        call(guest,
             "result {\"status\":\"err\",\"error\":{\"category\":\"transient_db\",\"scope\":"
             "\"batch\",\"code\":\"DEADLOCK\",\"message\":\"it is stuck\",\"retryable\":true,"
             "\"retry_after_ms\":250,\"backoff_class\":\"slow\",\"safe_to_retry\":true,"
             "\"commit_state\":\"after_commit_unknown\",\"later\":[],\"details\":{\"sqlstate\":"
             "\"40P01\",\"detail\":\"d\",\"hint\":\"h\"}}}",
             &data, &err),
        RB_EDB);
    assert_int_equal(err.status, RB_EDB);
    assert_int_equal(err.category, RB_CATEGORY_TRANSIENT_DB);
    assert_int_equal(err.scope, RB_SCOPE_BATCH);
    assert_int_equal(err.backoff, RB_BACKOFF_SLOW);
    assert_int_equal(err.commit_state, RB_COMMIT_AFTER_UNKNOWN);
    assert_true(err.retryable && err.safe_to_retry);
    assert_int_equal(err.retry_after_ms, 250);
    assert_string_equal(err.code, "DEADLOCK");
    assert_string_equal(err.message, "it is stuck");
    assert_string_equal(err.sqlstate, "40P01");
    assert_string_equal(err.detail, "d");
    assert_string_equal(err.hint, "h");
    /* Little is needed, and what is not said is not retried. */
    assert_int_equal(call(guest,
                          "result {\"status\":\"err\",\"error\":{\"category\":\"transient_network\""
                          ",\"details\":null,\"retry_after_ms\":null,\"commit_state\":null}}",
                          &data, &err),
                     RB_ENETWORK);
    assert_false(err.retryable);
    assert_int_equal(err.commit_state, RB_COMMIT_NONE);
    assert_int_equal(data.len, 0);
    rb_buf_release(&data);
    rb_guest_free(guest);
    guest_host_release(&host);
}

static void broken_results_are_told(void **state)
{
    static const struct {
        const char *script;
        int status;
        const char *code;
    } cases[] = {
        {"result not json", RB_ECONNECTOR, "RESULT_MALFORMED"},
        {"result {\"status\":\"ok\"}", RB_ECONNECTOR, "RESULT_MALFORMED"},
        {"result {\"status\":\"maybe\",\"data\":1}", RB_ECONNECTOR, "RESULT_MALFORMED"},
        {"result {\"status\":\"err\"}", RB_ECONNECTOR, "RESULT_MALFORMED"},
        {"result [1]", RB_ECONNECTOR, "RESULT_MALFORMED"},
        {"pack 1024 0", RB_EPROTOCOL, "CONTRACT_BROKEN"},
        {"pack 0 0", RB_EPROTOCOL, "CONTRACT_BROKEN"},
        {"pack 4294967295 16", RB_EPROTOCOL, "CONTRACT_BROKEN"},
        {"pack 99999999 1", RB_EPROTOCOL, "CONTRACT_BROKEN"},
        {"pack 1024 16777217", RB_ECONNECTOR, "RESULT_TOO_LARGE"},
        {"pack 1024 4294967295", RB_ECONNECTOR, "RESULT_TOO_LARGE"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct guest_host host;
        struct rb_error err;
        struct rb_buf data = RB_BUF_INIT(1 << 20);
        guest_host_init(&host, "puppet", *state);
        struct rb_guest *guest = guest_host_new(&host);
        int status = call(guest, cases[i].script, &data, &err);
        if (status != cases[i].status || strcmp(err.code, cases[i].code) != 0) {
            fail_msg("%s: %d %s: %s", cases[i].script, status, err.code, err.message);
        }
        rb_buf_release(&data);
        rb_guest_free(guest);
        guest_host_release(&host);
    }
}

/* Where rb_allocate says that the input belongs: behind the end, over it, and at 4 GiB. */
static void a_block_outside_its_memory(void **state)
{
    static const char *const offsets[] = {"16777216", "4294967295", "4294967280", "2147483648"};
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        struct guest_host host;
        struct rb_error err;
        struct rb_buf data = RB_BUF_INIT(1 << 20);
        char script[64];
        guest_host_init(&host, "puppet", *state);
        struct rb_guest *guest = guest_host_new(&host);
        snprintf(script, sizeof script, "allocate %s", offsets[i]);
        assert_int_equal(call(guest, script, &data, &err), 0);
        assert_int_equal(call(guest, "load 0", &data, &err), RB_EPROTOCOL);
        assert_string_equal(err.code, "CONTRACT_BROKEN");
        rb_buf_release(&data);
        rb_guest_free(guest);
        guest_host_release(&host);
    }
}

static void traps_end_the_instance(void **state)
{
    static const struct {
        const char *script, *words;
    } cases[] = {
        {"trap", "trapped in rb_open: unreachable"},
        {"load 99999999", "trapped in rb_open: out of bounds memory access"},
        {"recurse", "trapped in rb_open: out of bounds memory access"},
        {"proc_exit 3", "called proc_exit(3)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct guest_host host;
        struct rb_error err;
        struct rb_buf data = RB_BUF_INIT(1 << 20);
        guest_host_init(&host, "puppet", *state);
        struct rb_guest *guest = guest_host_new(&host);
        assert_int_equal(call(guest, cases[i].script, &data, &err), RB_ECONNECTOR);
        assert_string_equal(err.code, "CONNECTOR_TRAPPED");
        assert_non_null(strstr(err.message, cases[i].words));
        /* Nothing of it is called any more. */
        assert_int_equal(call(guest, "result {}", &data, &err), RB_EINTERNAL);
        assert_int_equal(rb_guest_close(guest, &err), 0);
        rb_buf_release(&data);
        rb_guest_free(guest);
        guest_host_release(&host);
    }
}

static void the_least_that_is_needed(void **state)
{
    struct guest_host host;
    struct rb_error err;
    struct rb_buf data = RB_BUF_INIT(1 << 20);
    guest_host_init(&host, "abi_minimal", *state);
    struct rb_guest *guest = guest_host_new(&host);
    assert_true(rb_guest_has(guest, RB_GUEST_OPEN));
    assert_false(rb_guest_has(guest, RB_GUEST_PLAN));
    assert_int_equal(rb_guest_timings(guest)->aot, *state != NULL);
    assert_true(rb_guest_timings(guest)->load_ns > 0);
    assert_true(rb_guest_timings(guest)->instantiate_ns > 0);
    /* Its result is its input: one block, given back once. */
    assert_int_equal(call(guest, "{\"status\":\"ok\",\"data\":[]}", &data, &err), 0);
    assert_string_equal(rb_buf_str(&data), "[]");
    /* Now rb_allocate gives 0. */
    assert_int_equal(call(guest, "{}", &data, &err), RB_ENOMEM);
    assert_int_equal(rb_guest_call(guest, RB_GUEST_PLAN, "{}", 2, &data, &err), RB_ECONNECTOR);
    assert_string_equal(err.code, "EXPORT_MISSING");
    assert_int_equal(rb_guest_close(guest, &err), 0);
    assert_int_equal(rb_guest_close(guest, &err), 0);
    rb_buf_release(&data);
    rb_guest_free(guest);
    guest_host_release(&host);
}

/* A callback that reports the cancellation ends the guest there and then. */
static void a_cancelled_callback_ends_the_guest(void **state)
{
    struct guest_host host;
    struct rb_error err;
    struct rb_buf data = RB_BUF_INIT(1 << 20);
    guest_host_init(&host, "puppet", *state);
    struct rb_guest *guest = guest_host_new(&host);
    host.fail_with = RB_ECANCELLED;
    assert_int_equal(
        call(guest, "rb_host_next_batch @0 9\nput @0 not seen\nrb_host_log 2 @0 8", &data, &err),
        RB_ECANCELLED);
    assert_string_equal(rb_buf_str(&host.said), "");
    assert_int_equal(rb_guest_close(guest, &err), 0);
    rb_buf_release(&data);
    rb_guest_free(guest);
    guest_host_release(&host);
}

static void *cancel_soon(void *fd)
{
    const struct timespec t = {.tv_nsec = 100000000};
    nanosleep(&t, NULL);
    uint64_t one = 1;
    return write(*(int *)fd, &one, sizeof one) == sizeof one ? fd : NULL;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* poll_oneoff for ten seconds: u8 0 (a clock) at 8, u32 1 (monotonic) at 16, u64 time at 24. */
static void a_sleeping_guest_is_woken(void **state)
{
    struct guest_host host;
    struct rb_error err;
    struct rb_buf data = RB_BUF_INIT(1 << 20);
    pthread_t thread;
    void *sent = NULL;
    guest_host_init(&host, "puppet", *state);
    struct rb_guest *guest = guest_host_new(&host);
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &host.cancel_fd), 0);
    double start = seconds();
    assert_int_equal(call(guest,
                          "u32 @16 1\nu32 @24 1410065408\nu32 @28 2\npoll_oneoff @0 @100 1 @200",
                          &data, &err),
                     RB_ECANCELLED);
    assert_true(seconds() - start < 1.0);
    assert_string_equal(err.code, "CANCELLED");
    assert_int_equal(pthread_join(thread, &sent), 0);
    assert_non_null(sent);
    rb_buf_release(&data);
    rb_guest_free(guest);
    guest_host_release(&host);
}

static bool handles(int number)
{
    struct sigaction now;
    assert_int_equal(sigaction(number, NULL, &now), 0);
    return now.sa_handler != SIG_DFL;
}

/* No thread is in compiled code any more, and another may be about to enter it. */
static void faults_are_handled_between_calls(void **state)
{
    struct guest_host host;
    guest_host_init(&host, "puppet", *state);
    struct rb_guest *guest = guest_host_new(&host);
    free(guest_host_run(guest, "grow 0"));
    assert_true(handles(SIGSEGV) && handles(SIGBUS) && handles(SIGFPE));
    rb_guest_free(guest);
    guest_host_release(&host);
}

/* The host's own end the process, as if there were no guests. */
static void faults_of_the_host_are_fatal(void **state)
{
    struct guest_host host;
    guest_host_init(&host, "puppet", *state);
    struct rb_guest *guest = guest_host_new(&host);
    free(guest_host_run(guest, "grow 0"));
    pid_t pid = fork();
    if (pid == 0) {
        const struct rlimit no_core = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &no_core);
        alarm(20);
        void *nobodys = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        *(volatile char *)nobodys = 1;
        _exit(1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    rb_guest_free(guest);
    guest_host_release(&host);
}

struct lane {
    const char *dir;
    int failed;
};

/* cmocka's assertions are for one thread. */
static void *work(void *arg)
{
    struct lane *lane = arg;
    for (int round = 0; round < 20; round++) {
        struct guest_host host;
        struct rb_error err = {0};
        struct rb_guest *guest = NULL;
        struct rb_buf data = RB_BUF_INIT(1 << 20);
        guest_host_init(&host, "puppet", lane->dir);
        host.value = "seven77";
        static const char script[] = "grow 1\nrb_host_state_get 1 @0 0 @100 7\ntext @100 7";
        if (rb_guest_new(&host.options, &guest, &err) != 0 ||
            call(guest, script, &data, &err) != 0 || !strstr(rb_buf_str(&data), "7,\"seven77\"") ||
            call(guest, "load 99999999", &data, &err) != RB_ECONNECTOR) {
            fprintf(stderr, "# %s: %s\n", err.message, rb_buf_str(&data));
            lane->failed++;
        }
        rb_guest_free(guest);
        rb_buf_release(&data);
        guest_host_release(&host);
    }
    return NULL;
}

/* Each with its own instances of one cache entry, traps among them. */
static void threads_do_not_meet(void **state)
{
    pthread_t threads[4];
    struct lane lanes[4];
    for (size_t i = 0; i < 4; i++) {
        lanes[i] = (struct lane){.dir = *state};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &lanes[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(lanes[i].failed, 0);
    }
}

#define BOTH(test)                                                                                 \
    {#test " (compiled)", test, NULL, NULL, aot_dir},                                              \
    {                                                                                              \
        #test " (interpreted)", test, NULL, NULL, NULL                                             \
    }

int main(void)
{
    static const char *const modules[] = {"puppet",
                                          "puppet_sockets",
                                          "abi_import_unknown",
                                          "abi_no_open",
                                          "abi_open_signature",
                                          "abi_minimal",
                                          "abi_import_signature"};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    if (!mkdtemp(aot_dir)) {
        return 1;
    }
    guest_host_compile(aot_dir, modules, sizeof modules / sizeof modules[0]);
    guest_host_load();
    const struct CMUnitTest tests[] = {
        BOTH(modules_are_refused_by_name),
        BOTH(sockets_are_there_when_granted),
        BOTH(other_files_are_refused),
        BOTH(results_are_decoded),
        BOTH(broken_results_are_told),
        BOTH(a_block_outside_its_memory),
        BOTH(traps_end_the_instance),
        BOTH(the_least_that_is_needed),
        BOTH(a_cancelled_callback_ends_the_guest),
        BOTH(a_sleeping_guest_is_woken),
        {"faults_are_handled_between_calls (compiled)", faults_are_handled_between_calls, NULL,
         NULL, aot_dir},
        {"faults_of_the_host_are_fatal (compiled)", faults_of_the_host_are_fatal, NULL, NULL,
         aot_dir},
        BOTH(threads_do_not_meet),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    guest_host_remove(aot_dir);
    return failed;
}
