#include "tests/support/guest_host.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SAID_MAX = 1 << 20, DATA_MAX = 1 << 20 };

#define STUB "build/lib/libLLVM-stub.so"

static int verdict(const struct guest_host *host, struct rb_error *err)
{
    if (host->fail_with < 0) {
        return rb_error_set(err, host->fail_with, "HOST", "the host says no");
    }
    return 0;
}

static void on_log(void *user, int level, const char *text, size_t len)
{
    struct guest_host *host = user;
    if (host->count_log_bytes) {
        rb_buf_printf(&host->said, "log(%zu)\n", len);
        return;
    }
    rb_buf_printf(&host->said, "log(%d,%.*s)\n", level, (int)len, text);
}

static int on_emit(void *user, const void *data, size_t len, struct rb_error *err)
{
    struct guest_host *host = user;
    rb_buf_printf(&host->said, "emit(%.*s)\n", (int)len, (const char *)data);
    return verdict(host, err);
}

static int on_peek(void *user, size_t *ret_len, struct rb_error *err)
{
    struct guest_host *host = user;
    if (host->fail_with < 0) {
        return verdict(host, err);
    }
    *ret_len = host->batch ? strlen(host->batch) : 0;
    return host->batch ? 0 : 1;
}

static int on_take(void *user, void *out, size_t len, struct rb_error *err)
{
    struct guest_host *host = user;
    (void)err;
    memcpy(out, host->batch, len);
    host->batch = NULL;
    return 0;
}

static int give_value(struct guest_host *host, struct rb_buf *ret, struct rb_error *err)
{
    if (host->fail_with < 0) {
        return verdict(host, err);
    }
    return host->value ? rb_buf_append_str(ret, host->value) : 1;
}

static int on_stream_end(void *user, struct rb_buf *ret, struct rb_error *err)
{
    return give_value(user, ret, err);
}

static int on_get(void *user, int scope, const char *key, size_t key_len, struct rb_buf *ret,
                  struct rb_error *err)
{
    struct guest_host *host = user;
    rb_buf_printf(&host->said, "get(%d,%.*s)\n", scope, (int)key_len, key);
    return give_value(host, ret, err);
}

static int on_put(void *user, int scope, const char *key, size_t key_len, const void *val,
                  size_t val_len, struct rb_error *err)
{
    struct guest_host *host = user;
    rb_buf_printf(&host->said, "put(%d,%.*s,%.*s)\n", scope, (int)key_len, key, (int)val_len,
                  (const char *)val);
    return verdict(host, err);
}

static int on_cas(void *user, int scope, const char *key, size_t key_len, const void *expected,
                  size_t expected_len, const void *val, size_t val_len, struct rb_error *err)
{
    struct guest_host *host = user;
    rb_buf_printf(&host->said, "cas(%d,%.*s,%.*s,%.*s)\n", scope, (int)key_len, key,
                  expected ? (int)expected_len : 6, expected ? (const char *)expected : "absent",
                  (int)val_len, (const char *)val);
    int status = verdict(host, err);
    return status < 0 ? status : host->cas_differs;
}

static int on_checkpoint(void *user, int kind, const char *json, size_t len, struct rb_error *err)
{
    struct guest_host *host = user;
    rb_buf_printf(&host->said, "checkpoint(%d,%.*s)\n", kind, (int)len, json);
    return verdict(host, err);
}

static int on_metric(void *user, const char *json, size_t len, struct rb_error *err)
{
    struct guest_host *host = user;
    rb_buf_printf(&host->said, "metric(%.*s)\n", (int)len, json);
    return verdict(host, err);
}

void guest_host_compile(const char *aot_dir, const char *const *modules, size_t n)
{
    pid_t child = fork();
    if (child == 0) {
        struct rb_error err = {0};
        int status = rb_guest_runtime_load(true, NULL, &err);
        for (size_t i = 0; status >= 0 && i < n; i++) {
            char path[256];
            snprintf(path, sizeof path, "build/test-connectors/%s.wasm", modules[i]);
            status = rb_guest_compile(path, aot_dir, &err);
        }
        if (status < 0) {
            fprintf(stderr, "# %s\n", err.message);
        }
        _exit(status < 0);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        fprintf(stderr, "# the test's modules can't be compiled\n");
        exit(1);
    }
}

void guest_host_load(void)
{
    struct rb_error err = {0};
    if (rb_guest_runtime_load(false, STUB, &err) != 0) {
        fprintf(stderr, "# %s\n", err.message);
        exit(1);
    }
}

void guest_host_init(struct guest_host *host, const char *name, const char *aot_dir)
{
    memset(host, 0, sizeof *host);
    host->said = RB_BUF_INIT(SAID_MAX);
    host->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_true(host->cancel_fd >= 0);
    assert_int_equal(rb_broker_new(&host->grant, host->cancel_fd, NULL, NULL, &host->broker, NULL),
                     0);
    host->ops = (struct rb_guest_ops){
        .log = on_log,
        .emit_batch = on_emit,
        .peek_batch = on_peek,
        .take_batch = on_take,
        .stream_end = on_stream_end,
        .state_get = on_get,
        .state_put = on_put,
        .state_cas = on_cas,
        .checkpoint = on_checkpoint,
        .metric = on_metric,
    };
    char *path = malloc(256);
    assert_non_null(path);
    snprintf(path, 256, "build/test-connectors/%s.wasm", name);
    host->options = (struct rb_guest_options){
        .connector_id = name,
        .wasm_path = path,
        .aot_dir = aot_dir,
        .interpreter = aot_dir == NULL,
        .memory_max_bytes = 16 << 20,
        .batch_max_bytes = 100,
        .cancel_fd = host->cancel_fd,
        .broker = host->broker,
        .ops = &host->ops,
        .user = host,
    };
}

void guest_host_release(struct guest_host *host)
{
    rb_broker_free(host->broker);
    close(host->cancel_fd);
    rb_buf_release(&host->said);
    char *path;
    memcpy(&path, &host->options.wasm_path, sizeof path);
    free(path);
}

struct rb_guest *guest_host_new(struct guest_host *host)
{
    struct rb_guest *guest = NULL;
    struct rb_error err = {0};
    if (rb_guest_new(&host->options, &guest, &err) != 0) {
        fail_msg("%s: %s", err.code, err.message);
    }
    return guest;
}

char *guest_host_run(struct rb_guest *guest, const char *script)
{
    struct rb_buf data = RB_BUF_INIT(DATA_MAX);
    struct rb_error err = {0};
    if (rb_guest_call(guest, RB_GUEST_OPEN, script, strlen(script), &data, &err) != 0) {
        fail_msg("%s: %s\n%s", err.code, err.message, script);
    }
    char *text = rb_buf_steal(&data);
    assert_non_null(text);
    return text;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    return remove(path);
}

void guest_host_remove(const char *folder)
{
    if (nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0) {
        fprintf(stderr, "# '%s' is left behind\n", folder);
    }
}
