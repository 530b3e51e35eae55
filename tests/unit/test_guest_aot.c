/* The AOT cache: what is made, what is believed, what is not. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/guest_host.h"

#define MODULE "build/test-connectors/abi_minimal.wasm"

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED /* has taken more addresses than any limit here leaves */
#endif
#endif

static char top[] = "/tmp/rb_guest_aot_XXXXXX";
static int n_dirs;

/* The result of `rb_guest_compile` in a process of its own, as the compiler is; -1000: it died. */
static int compile(const char *module, const char *dir)
{
    pid_t child = fork();
    if (child == 0) {
        struct rb_error err = {0};
        int status = rb_guest_runtime_load(true, NULL, &err);
        _exit(status != 0 ? 99 : 100 + rb_guest_compile(module, dir, &err));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) - 100 : -1000;
}

static void new_dir(char *out, size_t cap)
{
    snprintf(out, cap, "%s/a/%d", top, n_dirs++);
}

/* The one entry of a cache. */
static void entry_of(const char *dir, char *out, size_t cap)
{
    DIR *d = opendir(dir);
    assert_non_null(d);
    int n = 0;
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        if (e->d_name[0] != '.') {
            snprintf(out, cap, "%s/%s", dir, e->d_name);
            n++;
        }
    }
    closedir(d);
    assert_int_equal(n, 1);
}

enum { LOADED = 0, MISSING = 1, REFUSED = 2, OTHER = 3 };

/* What becomes of an instance, in a process of its own as well: one process has one libwasmedge,
 * with the compiler or without. */
static int try_instance(const char *dir)
{
    pid_t child = fork();
    if (child == 0) {
        struct guest_host host;
        struct rb_guest *guest = NULL;
        struct rb_error err = {0};
        guest_host_load();
        guest_host_init(&host, "abi_minimal", dir);
        int status = rb_guest_new(&host.options, &guest, &err);
        _exit(status == 0                            ? LOADED
              : strcmp(err.code, "AOT_MISSING") == 0 ? MISSING
              : status == RB_EPERM                   ? REFUSED
                                                     : OTHER);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : OTHER;
}

static void made_once_and_used(void **state)
{
    (void)state;
    char dir[256], entry[512];
    struct rb_error err;
    new_dir(dir, sizeof dir);
    assert_int_equal(rb_guest_is_compiled(MODULE, dir, &err), 0);
    assert_int_equal(try_instance(dir), MISSING);
    assert_int_equal(compile(MODULE, dir), 0);
    assert_int_equal(compile(MODULE, dir), 1);
    assert_int_equal(rb_guest_is_compiled(MODULE, dir, &err), 1);
    assert_int_equal(try_instance(dir), LOADED);
    struct stat st;
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    entry_of(dir, entry, sizeof entry);
    /* Another module has another entry. */
    assert_int_equal(rb_guest_is_compiled("build/test-connectors/puppet.wasm", dir, &err), 0);
}

/* Every part of an entry counts: a byte of it changed, it is neither believed nor loaded, and the
 * next compilation replaces it. */
static void a_changed_entry_is_never_loaded(void **state)
{
    (void)state;
    char dir[256], entry[512];
    struct rb_error err;
    new_dir(dir, sizeof dir);
    assert_int_equal(compile(MODULE, dir), 0);
    entry_of(dir, entry, sizeof entry);
    struct stat st;
    assert_int_equal(stat(entry, &st), 0);
    int fd = open(entry, O_RDWR);
    assert_true(fd >= 0);
    const off_t offsets[] = {0, 1000, st.st_size - 104, st.st_size - 60, st.st_size - 1};
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        uint8_t byte, other;
        assert_int_equal(pread(fd, &byte, 1, offsets[i]), 1);
        other = (uint8_t)(byte ^ 0x10);
        assert_int_equal(pwrite(fd, &other, 1, offsets[i]), 1);
        assert_int_equal(rb_guest_is_compiled(MODULE, dir, &err), 0);
        assert_int_equal(try_instance(dir), MISSING);
        assert_int_equal(pwrite(fd, &byte, 1, offsets[i]), 1);
        assert_int_equal(rb_guest_is_compiled(MODULE, dir, &err), 1);
    }
    assert_int_equal(ftruncate(fd, st.st_size / 2), 0);
    close(fd);
    assert_int_equal(try_instance(dir), MISSING);
    assert_int_equal(compile(MODULE, dir), 0);
    assert_int_equal(try_instance(dir), LOADED);
}

/* The entry of one module under the name of another's. */
static void a_renamed_entry_is_not_believed(void **state)
{
    (void)state;
    char dir[256], other_dir[256], entry[512], other[512];
    struct rb_error err;
    new_dir(dir, sizeof dir);
    new_dir(other_dir, sizeof other_dir);
    assert_int_equal(compile(MODULE, dir), 0);
    assert_int_equal(compile("build/test-connectors/puppet.wasm", other_dir), 0);
    entry_of(dir, entry, sizeof entry);
    entry_of(other_dir, other, sizeof other);
    assert_int_equal(rename(other, entry), 0);
    assert_int_equal(rb_guest_is_compiled(MODULE, dir, &err), 0);
    assert_int_equal(try_instance(dir), MISSING);
}

static void a_folder_open_to_others_is_refused(void **state)
{
    (void)state;
    char dir[256];
    struct rb_error err;
    new_dir(dir, sizeof dir);
    assert_int_equal(compile(MODULE, dir), 0);
    assert_int_equal(chmod(dir, 0777), 0);
    assert_int_equal(rb_guest_is_compiled(MODULE, dir, &err), RB_EPERM);
    assert_int_equal(try_instance(dir), REFUSED);
    assert_int_equal(compile(MODULE, dir), RB_EPERM);
    assert_int_equal(chmod(dir, 0700), 0);
    assert_int_equal(try_instance(dir), LOADED);
}

static void several_compilers_at_once(void **state)
{
    (void)state;
    char dir[256], entry[512];
    struct rb_error err;
    new_dir(dir, sizeof dir);
    pid_t children[4];
    for (size_t i = 0; i < 4; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            int status = rb_guest_runtime_load(true, NULL, &err);
            _exit(status != 0 || rb_guest_compile(MODULE, dir, &err) < 0);
        }
    }
    for (size_t i = 0; i < 4; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    entry_of(dir, entry, sizeof entry);
    assert_int_equal(try_instance(dir), LOADED);
}

static void what_is_not_wasm_is_not_compiled(void **state)
{
    (void)state;
    char dir[256], module[256];
    new_dir(dir, sizeof dir);
    snprintf(module, sizeof module, "%s/module.wasm", top);
    FILE *f = fopen(module, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite("\0asm\1\0\0\0\xff\xff\xff\xff", 1, 12, f), 12);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(compile(module, dir), RB_ECONNECTOR);
    assert_int_equal(compile("Makefile", dir), RB_ECONNECTOR);
    assert_int_equal(compile("/nowhere/x.wasm", dir), RB_ECONNECTOR);
    /* Nothing is left behind. */
    assert_int_equal(rmdir(dir), 0);
}

/* Endless recursion on the machine's own stack takes the process along, with the signal that the
 * supervisor records. */
static void deep_recursion_ends_the_process(void **state)
{
    (void)state;
    char dir[256];
    new_dir(dir, sizeof dir);
    assert_int_equal(compile("build/test-connectors/puppet.wasm", dir), 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct guest_host host;
        struct rb_guest *guest = NULL;
        struct rb_buf data = RB_BUF_INIT(1000);
        guest_host_load();
        guest_host_init(&host, "puppet", dir);
        if (rb_guest_new(&host.options, &guest, NULL) == 0) {
            rb_guest_call(guest, RB_GUEST_OPEN, "dive", 4, &data, NULL);
        }
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
}

/* With a limit of addresses that leaves too few, the reason is told before anything crashes. */
static void a_limit_of_addresses_is_told(void **state)
{
    (void)state;
#ifdef SANITIZED
    skip();
#endif
    char dir[256];
    new_dir(dir, sizeof dir);
    assert_int_equal(compile(MODULE, dir), 0);
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit limit = {(rlim_t)4 << 30, (rlim_t)4 << 30};
        struct guest_host host;
        struct rb_guest *guest = NULL;
        struct rb_error err = {0};
        guest_host_load();
        guest_host_init(&host, "abi_minimal", dir);
        if (setrlimit(RLIMIT_AS, &limit) != 0) {
            _exit(2);
        }
        int status = rb_guest_new(&host.options, &guest, &err);
        _exit(status == RB_ENOMEM && strcmp(err.code, "ADDRESS_SPACE") == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    if (!mkdtemp(top)) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_once_and_used),
        cmocka_unit_test(a_changed_entry_is_never_loaded),
        cmocka_unit_test(a_renamed_entry_is_not_believed),
        cmocka_unit_test(a_folder_open_to_others_is_refused),
        cmocka_unit_test(several_compilers_at_once),
        cmocka_unit_test(what_is_not_wasm_is_not_compiled),
        cmocka_unit_test(deep_recursion_ends_the_process),
        cmocka_unit_test(a_limit_of_addresses_is_told),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    guest_host_remove(top);
    return failed;
}
