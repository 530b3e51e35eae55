#include "tests/support/worker_rig.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <yyjson.h>

#include "base/json.h"
#include "host/link/text.h"
#include "host/worker/worker.h"

enum { WAIT_MS = 20000, TEXT_MAX = 1 << 24 };

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void die(const char *what)
{
    fprintf(stderr, "worker rig: %s\n", what);
    abort();
}

static const char *text_of(yyjson_val *object, const char *key)
{
    const char *text = yyjson_get_str(yyjson_obj_get(object, key));
    return text == NULL ? "" : text;
}

static void on_log(struct rb_rig *rig, yyjson_val *root)
{
    rb_buf_printf(&rig->logs, "%d %s %s\n", yyjson_get_int(yyjson_obj_get(root, "level")),
                  text_of(root, "connector"), text_of(root, "text"));
}

static bool is_equal(const struct rb_buf *a, const struct rb_buf *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static void answer_state(struct rb_rig *rig, const struct rb_link_frame *frame, yyjson_val *root)
{
    if (strcmp(text_of(root, "key"), "never answered") == 0) {
        rig->n_unanswered++;
        return;
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf value = RB_BUF_INIT(TEXT_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf expected = RB_BUF_INIT(TEXT_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf base64 = RB_BUF_INIT(TEXT_MAX);
    RB_CLEANUP(rb_buf_release) struct rb_buf out = RB_BUF_INIT(TEXT_MAX);
    rb_link_base64_decode(text_of(root, "value"), strlen(text_of(root, "value")), &value);
    rb_link_base64_decode(text_of(root, "expected"), strlen(text_of(root, "expected")), &expected);
    bool set = frame->type == RB_LINK_STATE_PUT;
    if (frame->type == RB_LINK_STATE_CAS) {
        bool if_absent = yyjson_is_null(yyjson_obj_get(root, "expected"));
        set = if_absent ? !rig->has_k : rig->has_k && is_equal(&rig->k, &expected);
    }
    if (strcmp(text_of(root, "key"), "new") == 0) {
        rb_buf_printf(&out, "{\"error\":{\"status\":%d,\"code\":\"STATE\",\"message\":\"no\"}}",
                      RB_ESTATE);
    } else if (frame->type == RB_LINK_STATE_GET) {
        rb_link_base64_encode(rig->k.data, rig->k.len, &base64);
        rb_buf_printf(&out, "{\"found\":%s,\"value\":\"%s\"}", rig->has_k ? "true" : "false",
                      rb_buf_str(&base64));
    } else {
        rb_buf_printf(&out, "{\"set\":%s}", set ? "true" : "false");
        if (set) {
            rb_buf_clear(&rig->k);
            rb_buf_append(&rig->k, value.data, value.len);
            rig->has_k = true;
        }
    }
    rb_link_send(&rig->link, RB_LINK_STATE_REPLY, frame->id, rb_buf_str(&out), out.len, NULL);
}

static void on_frame(struct rb_rig *rig, const struct rb_link_frame *frame)
{
    yyjson_doc *doc = yyjson_read(frame->json, frame->len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (root == NULL) {
        die("a message is not JSON");
    }
    switch ((unsigned)frame->type) {
    case RB_LINK_READY:
        rb_buf_append(&rig->ready, frame->json, frame->len);
        break;
    case RB_LINK_LOG:
        on_log(rig, root);
        break;
    case RB_LINK_PROGRESS:
        rig->n_progress++;
        rb_buf_clear(&rig->progress);
        rb_buf_append(&rig->progress, frame->json, frame->len);
        break;
    case RB_LINK_CHECKPOINT:
        rig->n_checkpoints++;
        rb_buf_append(&rig->checkpoints, frame->json, frame->len);
        rb_buf_append_str(&rig->checkpoints, "\n");
        break;
    case RB_LINK_METRIC:
        rig->n_metrics++;
        break;
    case RB_LINK_STATE_GET:
    case RB_LINK_STATE_PUT:
    case RB_LINK_STATE_CAS:
        answer_state(rig, frame, root);
        break;
    default:
        break;
    }
    yyjson_doc_free(doc);
}

/* Serves one message; false when there is none until the deadline, or the worker is gone. */
static bool serve(struct rb_rig *rig, int64_t deadline_ms, struct rb_link_frame *ret_frame)
{
    int64_t left = deadline_ms - now_ms();
    if (rb_link_recv(&rig->link, left < 0 ? 0 : left, ret_frame, NULL) != 0) {
        return false;
    }
    on_frame(rig, ret_frame);
    return true;
}

void rb_rig_start(struct rb_rig *rig, const struct rb_worker_spec *spec)
{
    int fds[2];
    *rig = (struct rb_rig){0};
    rb_buf_init(&rig->ready, TEXT_MAX);
    rb_buf_init(&rig->result, TEXT_MAX);
    rb_buf_init(&rig->logs, TEXT_MAX);
    rb_buf_init(&rig->checkpoints, TEXT_MAX);
    rb_buf_init(&rig->progress, TEXT_MAX);
    rb_buf_init(&rig->k, TEXT_MAX);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
        die("socketpair");
    }
    fflush(NULL);
    rig->pid = fork();
    if (rig->pid == 0) {
        close(fds[0]);
        exit(rb_worker_main(fds[1], -1, NULL, false));
    }
    close(fds[1]);
    if (rig->pid < 0 || rb_link_init(&rig->link, fds[0], NULL) != 0) {
        die("fork");
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(TEXT_MAX);
    /* This process is not the product's: it writes coverage, and looks for leaks at its end. */
    struct rb_worker_spec unconfined = *spec;
    unconfined.no_os_sandbox = true;
    if (rb_worker_spec_encode(&unconfined, &text) != 0) {
        die("spec");
    }
    rb_rig_send(rig, RB_LINK_INIT, rb_buf_str(&text), text.len);
    struct rb_link_frame frame;
    int64_t deadline = now_ms() + WAIT_MS;
    while (rig->ready.len == 0 && serve(rig, deadline, &frame)) {
    }
}

uint64_t rb_rig_send(struct rb_rig *rig, enum rb_link_type type, const char *json, size_t len)
{
    uint64_t id = ++rig->last_id;
    (void)rb_link_send(&rig->link, type, id, json, len, NULL);
    return id;
}

bool rb_rig_await(struct rb_rig *rig, uint64_t id)
{
    struct rb_link_frame frame;
    int64_t deadline = now_ms() + WAIT_MS;
    while (serve(rig, deadline, &frame)) {
        if (frame.type == RB_LINK_RESULT && frame.id == id) {
            rb_buf_clear(&rig->result);
            return rb_buf_append(&rig->result, frame.json, frame.len) == 0;
        }
    }
    return false;
}

bool rb_rig_await_count(struct rb_rig *rig, const int *counter, int n)
{
    struct rb_link_frame frame;
    int64_t deadline = now_ms() + WAIT_MS;
    while (*counter < n && serve(rig, deadline, &frame)) {
    }
    return *counter >= n;
}

int rb_rig_wait(struct rb_rig *rig, bool hang_up)
{
    struct rb_link_frame frame;
    int64_t deadline = now_ms() + WAIT_MS;
    if (hang_up) {
        close(rig->link.fd);
        rig->link.fd = -1;
    } else {
        while (serve(rig, deadline, &frame)) {
        }
    }
    int status = 0;
    while (waitpid(rig->pid, &status, WNOHANG) == 0) {
        if (now_ms() > deadline) {
            kill(rig->pid, SIGKILL);
            waitpid(rig->pid, &status, 0);
            return -1;
        }
        usleep(1000);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void rb_rig_release(struct rb_rig *rig)
{
    rb_link_release(&rig->link);
    rb_buf_release(&rig->ready);
    rb_buf_release(&rig->result);
    rb_buf_release(&rig->logs);
    rb_buf_release(&rig->checkpoints);
    rb_buf_release(&rig->progress);
    rb_buf_release(&rig->k);
}

int rb_rig_close(struct rb_rig *rig)
{
    rb_rig_send(rig, RB_LINK_CLOSE, "{}", 2);
    int code = rb_rig_wait(rig, false);
    rb_rig_release(rig);
    return code;
}
