#include "host/worker/worker.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <yyjson.h>

#include "base/fault.h"
#include "host/guest/guest.h"
#include "host/sandbox/sandbox.h"
#include "host/worker/confine.h"
#include "host/worker/context.h"
#include "host/worker/control.h"
#include "host/worker/lane.h"
#include "host/worker/summary.h"

enum {
    WATCH_MS = 100, /* between two looks at the time that calls take */
    ARENAS_MAX = 2, /* glibc's default of 8 per core kept 287 MB of freed batches */
};

struct worker {
    struct rb_link link;
    struct rb_worker_spec_owned spec;
    struct rb_context context;
    struct rb_control *controls[RB_UNIT_STAGES_MAX]; /* one for each connector, when first used */
    struct rb_lane *lanes[RB_SPEC_LANES_MAX];        /* when first used */
    bool closing;
    size_t n_threads;    /* when closing: those that were asked to end */
    atomic_size_t ended; /* of them, those that have */
    int ended_fd;        /* eventfd: one more has */
};

static void free_doc(yyjson_doc **doc)
{
    yyjson_doc_free(*doc);
}

static int answer(struct worker *worker, enum rb_link_type type, uint64_t id,
                  const struct rb_error *failed)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(64 * 1024);
    if (failed == NULL) {
        return rb_link_send(&worker->link, type, id, "{}", 2, NULL);
    }
    rb_summary_write_error(&text, failed);
    return rb_link_send(&worker->link, type, id, rb_buf_str(&text), text.len, NULL);
}

/* Numbers stay text, so that a connector gets them as they were written. */
static yyjson_doc *parse(const struct rb_link_frame *frame)
{
    return yyjson_read(frame->json, frame->len, YYJSON_READ_NUMBER_AS_RAW);
}

/* < 0: missing, negative or out of range. */
static long index_of(yyjson_val *object, const char *key)
{
    const char *text = yyjson_get_raw(yyjson_obj_get(object, key));
    if (text == NULL) {
        return -1;
    }
    char *end = NULL;
    errno = 0;
    long n = strtol(text, &end, 10);
    return errno == 0 && *end == 0 && n >= 0 ? n : -1;
}

/* The connector that a CALL means: `index` counts transforms, the others are alone. -1: none. */
static int find_connector(const struct rb_worker_spec *spec, yyjson_val *message)
{
    yyjson_val *role = yyjson_obj_get(message, "role");
    long index = index_of(message, "index");
    for (size_t i = 0; i < spec->n_connectors; i++) {
        if (yyjson_equals_str(role, rb_role_name(spec->connectors[i].role)) && index-- == 0) {
            return (int)i;
        }
    }
    return -1;
}

static int need_lane(struct worker *worker, size_t i, struct rb_error *err)
{
    if (worker->lanes[i] != NULL) {
        return 0;
    }
    int r = rb_lane_new(&worker->context, &worker->lanes[i], err);
    if (r == 0 && atomic_load(&worker->context.cancelled)) {
        rb_lane_cancel(worker->lanes[i]);
    }
    return r;
}

static int need_control(struct worker *worker, size_t i, struct rb_error *err)
{
    const struct rb_worker_spec *spec = &worker->spec.spec;
    if (worker->controls[i] != NULL) {
        return 0;
    }
    bool of_lane = spec->one_source && spec->connectors[i].role == RB_ROLE_SOURCE;
    int r = of_lane ? need_lane(worker, 0, err) : 0;
    return r != 0 ? r
                  : rb_control_new(&worker->context, &spec->connectors[i],
                                   of_lane ? rb_lane_source(worker->lanes[0]) : NULL,
                                   &worker->controls[i], err);
}

static int start_call(struct worker *worker, const struct rb_link_frame *frame,
                      struct rb_error *err)
{
    RB_CLEANUP(free_doc) yyjson_doc *doc = parse(frame);
    yyjson_val *message = yyjson_doc_get_root(doc);
    int i = find_connector(&worker->spec.spec, message);
    if (i < 0) {
        return rb_error_set(err, RB_EPROTOCOL, "CALL", "a call of a connector that is not there");
    }
    int r = need_control(worker, (size_t)i, err);
    return r != 0 ? r : rb_control_start(worker->controls[i], frame->id, message, err);
}

static int start_unit(struct worker *worker, const struct rb_link_frame *frame,
                      struct rb_error *err)
{
    RB_CLEANUP(free_doc) yyjson_doc *doc = parse(frame);
    yyjson_val *message = yyjson_doc_get_root(doc);
    long i = index_of(message, "lane");
    if (i < 0 || i >= worker->spec.spec.lanes || frame->id == 0) {
        return rb_error_set(err, RB_EPROTOCOL, "UNIT", "a unit for a lane that is not there");
    }
    int r = need_lane(worker, (size_t)i, err);
    return r != 0 ? r : rb_lane_start(worker->lanes[i], frame->id, message, err);
}

static void cancel(struct worker *worker)
{
    const uint64_t one = 1;
    atomic_store(&worker->context.cancelled, true);
    /* Can't block: the counter is far from its end. */
    (void)!write(worker->context.cancel_fd, &one, sizeof one);
    rb_requests_cancel(&worker->context.requests);
    for (int i = 0; i < worker->spec.spec.lanes; i++) {
        if (worker->lanes[i] != NULL) {
            rb_lane_cancel(worker->lanes[i]);
        }
    }
}

static void count_ended(void *user)
{
    struct worker *worker = user;
    const uint64_t one = 1;
    atomic_fetch_add(&worker->ended, 1);
    (void)!write(worker->ended_fd, &one, sizeof one);
}

/* Asks every thread to end; the link is served until they have, for what rb_close may ask. */
static void begin_close(struct worker *worker)
{
    if (worker->closing) {
        return;
    }
    worker->closing = true;
    for (size_t i = 0; i < RB_UNIT_STAGES_MAX; i++) {
        if (worker->controls[i] != NULL &&
            rb_control_stop(worker->controls[i], count_ended, worker)) {
            worker->n_threads++;
        }
    }
    for (size_t i = 0; i < RB_SPEC_LANES_MAX; i++) {
        if (worker->lanes[i] != NULL) {
            worker->n_threads += rb_lane_count_stages(worker->lanes[i]);
            rb_lane_stop(worker->lanes[i], count_ended, worker);
        }
    }
}

static int on_frame(struct worker *worker, const struct rb_link_frame *frame)
{
    struct rb_error err;
    int r = RB_EPROTOCOL;
    rb_error_set(&err, r, "LINK_ORDER", "a message that is not expected now");
    switch ((unsigned)frame->type) {
    case RB_LINK_CALL:
    case RB_LINK_UNIT:
        if (!worker->closing) {
            r = frame->type == RB_LINK_CALL ? start_call(worker, frame, &err)
                                            : start_unit(worker, frame, &err);
        }
        return r == 0 ? 0 : answer(worker, RB_LINK_RESULT, frame->id, &err);
    case RB_LINK_CANCEL:
        cancel(worker);
        return 0;
    case RB_LINK_STATE_REPLY:
        rb_requests_reply(&worker->context.requests, frame->id, frame->json, frame->len);
        return 0;
    case RB_LINK_CLOSE:
        begin_close(worker);
        return 0;
    default:
        return r;
    }
}

static bool find_overrun(struct worker *worker, struct rb_instance_overrun *ret)
{
    for (size_t i = 0; i < RB_UNIT_STAGES_MAX; i++) {
        if (worker->controls[i] != NULL && rb_control_overrun(worker->controls[i], ret)) {
            return true;
        }
    }
    for (size_t i = 0; i < RB_SPEC_LANES_MAX; i++) {
        if (worker->lanes[i] != NULL && rb_lane_overrun(worker->lanes[i], ret)) {
            return true;
        }
    }
    return false;
}

/* Compiled code can't be interrupted: the process ends with it, and the supervisor starts another
 * for the streams that are left. */
static void watch_limits(struct worker *worker)
{
    struct rb_instance_overrun overrun;
    if (!find_overrun(worker, &overrun)) {
        return;
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(4096);
    struct rb_json json;
    rb_json_init(&json, &text);
    rb_json_begin_object(&json);
    rb_json_member_str(&json, "connector", overrun.connector);
    rb_json_member_str(&json, "export", overrun.export);
    rb_json_member_str(&json, "limit", overrun.limit);
    rb_json_member_u64(&json, "ms", overrun.limit_ms);
    rb_json_end_object(&json);
    if (rb_json_finish(&json) == 0) {
        (void)rb_link_send(&worker->link, RB_LINK_LIMIT, 0, rb_buf_str(&text), text.len, NULL);
    }
    _exit(RB_WORKER_EXIT_LIMIT);
}

static bool has_time_limits(const struct rb_worker_spec *spec)
{
    for (size_t i = 0; i < spec->n_connectors; i++) {
        if (spec->connectors[i].limits.call_ms != 0 || spec->connectors[i].limits.cpu_ms != 0) {
            return true;
        }
    }
    return false;
}

/* 0: go on. */
static int serve_once(struct worker *worker)
{
    int timeout_ms = has_time_limits(&worker->spec.spec) ? WATCH_MS : -1;
    struct pollfd fds[] = {{.fd = worker->link.fd, .events = POLLIN},
                           {.fd = worker->ended_fd, .events = POLLIN}};
    if (poll(fds, 2, timeout_ms) < 0) {
        return errno == EINTR ? 0 : RB_EIO;
    }
    if (timeout_ms >= 0) {
        watch_limits(worker);
    }
    if (fds[1].revents != 0) {
        uint64_t n;
        (void)!read(worker->ended_fd, &n, sizeof n);
    }
    if (fds[0].revents == 0) {
        return 0;
    }
    struct rb_link_frame frame;
    int r = rb_link_recv(&worker->link, -1, &frame, NULL);
    if (r == 2) {
        /* Nobody is left to tell anything to. The servers roll back what is open. */
        _exit(RB_WORKER_EXIT_ORPHANED);
    }
    return r != 0 ? r : on_frame(worker, &frame);
}

/* What the kernel keeps from this process, for the operator. */
static int answer_ready(struct worker *worker, const struct rb_sandbox_state *sandbox)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(4096);
    struct rb_json json;
    rb_json_init(&json, &text);
    rb_json_begin_object(&json);
    rb_json_key(&json, "sandbox");
    if (worker->spec.spec.no_os_sandbox) {
        rb_json_null(&json);
    } else {
        rb_json_begin_object(&json);
        rb_json_member_bool(&json, "seccomp", sandbox->seccomp);
        rb_json_member_i64(&json, "landlock", sandbox->landlock_abi);
        rb_json_member_str(&json, "missing", sandbox->missing);
        rb_json_end_object(&json);
    }
    rb_json_end_object(&json);
    int r = rb_json_finish(&json);
    return r != 0
               ? r
               : rb_link_send(&worker->link, RB_LINK_READY, 0, rb_buf_str(&text), text.len, NULL);
}

static int load_runtime(const struct rb_worker_spec *spec, struct rb_error *err)
{
    return spec->n_connectors == 0 ? 0 : rb_guest_runtime_load(false, spec->llvm_stub_path, err);
}

static int start(struct worker *worker, struct rb_sandbox_state *ret_sandbox, struct rb_error *err)
{
    struct rb_link_frame frame;
    int r = rb_link_recv(&worker->link, -1, &frame, err);
    if (r == 2) {
        _exit(RB_WORKER_EXIT_ORPHANED);
    }
    if (r == 0 && frame.type != RB_LINK_INIT) {
        r = rb_error_set(err, RB_EPROTOCOL, "LINK_ORDER", "the first message is not INIT");
    }
    if (r != 0) {
        return r;
    }
    r = rb_worker_spec_decode(frame.json, frame.len, &worker->spec, err);
    explicit_bzero(worker->link.in.data, worker->link.in.len); /* it held the secrets */
    if (r != 0) {
        return r;
    }
    worker->context.link = &worker->link;
    worker->context.spec = &worker->spec.spec;
    r = rb_budget_divide(&worker->spec.spec, &worker->context.budget, err);
    r = r != 0 ? r : load_runtime(&worker->spec.spec, err);
    /* From here on there is foreign code: what it needs is open, loaded or granted. */
    return r != 0 ? r : rb_worker_confine(&worker->spec.spec, ret_sandbox, err);
}

static void free_worker(struct worker *worker)
{
    for (size_t i = 0; i < RB_UNIT_STAGES_MAX; i++) {
        rb_control_free(worker->controls[i]);
    }
    for (size_t i = 0; i < RB_SPEC_LANES_MAX; i++) {
        rb_lane_free(worker->lanes[i]);
    }
    rb_requests_release(&worker->context.requests);
    rb_worker_spec_release(&worker->spec);
    rb_link_release(&worker->link);
    if (worker->context.cancel_fd >= 0) {
        close(worker->context.cancel_fd);
    }
    if (worker->ended_fd >= 0) {
        close(worker->ended_fd);
    }
    free(worker);
}

static int serve(struct worker *worker)
{
    struct rb_error err = {0};
    struct rb_sandbox_state sandbox = {.seccomp = false};
    int r = start(worker, &sandbox, &err);
    if ((r == 0 ? answer_ready(worker, &sandbox) : answer(worker, RB_LINK_READY, 0, &err)) != 0) {
        _exit(RB_WORKER_EXIT_ORPHANED);
    }
    r = r != 0 ? r : RB_FAULT(WORKER_STARTED, NULL);
    if (r != 0) {
        return RB_WORKER_EXIT_FAULT;
    }
    while (!worker->closing || atomic_load(&worker->ended) < worker->n_threads) {
        if (serve_once(worker) != 0) {
            /* Threads may wait for ever for what the link would bring. */
            _exit(RB_WORKER_EXIT_FAULT);
        }
    }
    return RB_WORKER_EXIT_CLOSED;
}

/* A guest can crash the process at will, and the core would hold the passwords that are kept from
 * it. */
static void take_over_process(void)
{
    rb_sandbox_keep_private();
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    /* A supervisor that was gone before this has closed its end of the link, which is as good. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    mallopt(M_ARENA_MAX, ARENAS_MAX);
}

void rb_worker_send_result(struct rb_link *link, uint64_t id, const struct rb_buf *text)
{
    if (rb_link_send(link, RB_LINK_RESULT, id, rb_buf_str(text), text->len, NULL) != 0) {
        /* The supervisor would wait for it as long as the worker lives. */
        _exit(RB_WORKER_EXIT_ORPHANED);
    }
}

int rb_worker_main(int link_fd, int board_fd, const char *llvm_stub_path, bool leaves)
{
    take_over_process();
    struct rb_board *board = rb_board_open(board_fd);
    /* While the supervisor still reads the document. If it fails, it fails again when it is asked
     * for. */
    (void)rb_guest_runtime_load(false, llvm_stub_path, NULL);
    struct worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL || rb_link_init(&worker->link, link_fd, NULL) != 0 ||
        rb_requests_init(&worker->context.requests, NULL) != 0) {
        free(worker);
        return RB_WORKER_EXIT_FAULT;
    }
    worker->context.board = board;
    worker->context.leaves = leaves;
    worker->context.cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    worker->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int code = RB_WORKER_EXIT_FAULT;
    if (worker->context.cancel_fd >= 0 && worker->ended_fd >= 0) {
        code = serve(worker);
    }
    if (leaves) {
        _exit(code);
    }
    free_worker(worker);
    return code;
}
