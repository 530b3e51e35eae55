#include "host/worker/instance.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/json.h"
#include "host/link/text.h"
#include "host/net/broker.h"
#include "host/worker/clock.h"

enum {
    STACK_BYTES = 8 * 1024 * 1024, /* where there is no limit */
    STACK_BYTES_MIN = 1024 * 1024, /* what imports need */
    GUARD_BYTES = 64 * 1024 * 1024,
};
static const uint64_t guest_largest_bytes = (uint64_t)4 << 30; /* WebAssembly's 32-bit memory */

struct rb_instance {
    struct rb_context *context;
    const struct rb_connector_spec *spec;
    uint64_t memory_max_bytes;
    const struct rb_guest_ops *ops;
    void *user;

    /* The guest's, in the shapes that its folders take. */
    struct rb_net_allow *allow;
    struct rb_guest_preopen *preopens;
    const char **env;
    struct rb_broker *broker;
    struct rb_guest *guest;
    struct rb_buf info;
    unsigned number; /* of this guest, in the keys of cancel packets */

    /* Of the call that runs, for who watches the limits. */
    atomic_llong call_start_ns; /* 0: none runs */
    atomic_llong call_cpu_ns;   /* the thread's, at its start */
    atomic_int call_export;

    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    void (*job)(void *user);
    void *job_user;
    bool stopping;
    void (*ended)(void *user);
    void *ended_user;
};

static void send_cancel_packet(void *user, int handle, const void *address, size_t address_len,
                               const void *packet, size_t len)
{
    struct rb_instance *instance = user;
    /* A cancelled run's packets are still wanted when the sockets have been closed. */
    if (len == 0 && atomic_load(&instance->context->cancelled)) {
        return;
    }
    char key[32];
    snprintf(key, sizeof key, "%u.%d", instance->number, handle);
    RB_CLEANUP(rb_buf_release) struct rb_buf text = RB_BUF_INIT(2048);
    RB_CLEANUP(rb_buf_release) struct rb_buf hex = RB_BUF_INIT(1024);
    struct rb_json json;
    rb_json_init(&json, &text);
    rb_json_begin_object(&json);
    rb_json_member_str(&json, "key", key);
    int r = rb_link_hex_encode(address, address_len, &hex);
    rb_json_member_str(&json, "address", rb_buf_str(&hex));
    rb_buf_clear(&hex);
    r = r != 0 ? r : rb_link_hex_encode(packet, len, &hex);
    rb_json_member_str(&json, "packet", rb_buf_str(&hex));
    rb_json_end_object(&json);
    if (r == 0 && rb_json_finish(&json) == 0) {
        /* A lost supervisor is found out by the thread that reads. */
        (void)rb_link_send(instance->context->link, RB_LINK_CANCEL_PACKET, 0, rb_buf_str(&text),
                           text.len, NULL);
    }
}

_Static_assert((int)RB_SPEC_SOCKETS_MAX == (int)RB_BROKER_SOCKETS_MAX, "one maximum, two layers");

static const struct rb_broker_ops broker_ops = {.cancel_packet = send_cancel_packet};

static void drop_guest(struct rb_instance *instance)
{
    rb_guest_free(instance->guest);
    instance->guest = NULL;
    rb_broker_free(instance->broker);
    instance->broker = NULL;
    rb_buf_clear(&instance->info);
}

static int make_broker(struct rb_instance *instance, struct rb_error *err)
{
    const struct rb_connector_spec *spec = instance->spec;
    const struct rb_worker_spec *run = instance->context->spec;
    const struct rb_net_grant grant = {
        .allow = instance->allow,
        .n_allow = spec->n_allow,
        .tls_mode = spec->tls_mode,
        .tls_forbidden = spec->tls_forbidden,
        .tls_root_cert = spec->tls_root_cert,
        .tls_cert = spec->tls_cert,
        .tls_key = spec->tls_key,
        .tls_crl = spec->tls_crl,
        .channel_binding = (enum rb_net_binding)spec->channel_binding,
        .secrets = spec->secrets,
        .n_secrets = spec->n_secrets,
        .max_sockets = (size_t)spec->limits.sockets,
        .connect_timeout_ms = run->connect_timeout_ms,
        .idle_timeout_ms = run->idle_timeout_ms,
    };
    instance->number = atomic_fetch_add(&instance->context->next_instance, 1);
    return rb_broker_new(&grant, instance->context->cancel_fd, &broker_ops, instance,
                         &instance->broker, err);
}

static int make_guest(struct rb_instance *instance, struct rb_error *err)
{
    const struct rb_connector_spec *spec = instance->spec;
    const struct rb_worker_spec *run = instance->context->spec;
    const struct rb_guest_options options = {
        .connector_id = spec->id,
        .wasm_path = spec->wasm_path,
        .wasm_sha256 = spec->wasm_sha256,
        .aot_dir = run->interpreter ? NULL : run->aot_dir,
        .interpreter = run->interpreter,
        .memory_max_bytes = instance->memory_max_bytes,
        .batch_max_bytes = run->max_batch_bytes,
        .cancel_fd = instance->context->cancel_fd,
        .wasi_sockets = spec->wasi_sockets,
        .env = instance->env,
        .preopens = instance->preopens,
        .n_preopens = spec->n_preopens,
        .broker = instance->broker,
        .ops = instance->ops,
        .user = instance->user,
        .running = instance->context->board == NULL
                       ? NULL
                       : &instance->context->board->running[spec - run->connectors],
    };
    return rb_guest_new(&options, &instance->guest, err);
}

/* For want of the guest's memory: the limit that bounds it, which is not always the same key. */
static void hint_memory(const struct rb_instance *instance, struct rb_error *err)
{
    if (err == NULL || strcmp(err->code, "OUT_OF_MEMORY") != 0) {
        return;
    }
    uint64_t mib = instance->memory_max_bytes >> 20;
    const char *id = instance->spec->id;
    if (instance->memory_max_bytes >= guest_largest_bytes) {
        rb_error_set_hint(err,
                          "connector '%s' has all that WebAssembly can give it, %llu MiB: "
                          "leave the largest column out (columns)",
                          id, (unsigned long long)mib);
    } else if (instance->memory_max_bytes == instance->spec->memory_max_bytes) {
        rb_error_set_hint(err, "its manifest gives connector '%s' %llu MiB (limits.max_memory)", id,
                          (unsigned long long)mib);
    } else {
        rb_error_set_hint(err,
                          "raise resources.max_memory, of which connector '%s' has %llu MiB "
                          "here, or load fewer streams at once (parallelism)",
                          id, (unsigned long long)mib);
    }
}

static int encode_open_context(const struct rb_instance *instance, struct rb_buf *ret)
{
    const struct rb_connector_spec *spec = instance->spec;
    const struct rb_worker_spec *run = instance->context->spec;
    struct rb_json json;
    rb_json_init(&json, ret);
    rb_json_begin_object(&json);
    rb_json_key(&json, "config");
    rb_json_begin_object(&json);
    rb_json_member_raw(&json, "json", spec->config_json, strlen(spec->config_json));
    rb_json_end_object(&json);
    rb_json_member_str(&json, "connector_id", spec->id);
    rb_json_member_str(&json, "connector_version", spec->version);
    rb_json_member_str(&json, "role", rb_role_name(spec->role));
    rb_json_member_str(&json, "pipeline", run->pipeline);
    rb_json_key(&json, "timeouts");
    rb_json_begin_object(&json);
    rb_json_member_i64(&json, "connect_ms", run->connect_timeout_ms);
    rb_json_member_i64(&json, "statement_ms", run->statement_timeout_ms);
    rb_json_member_i64(&json, "idle_ms", run->idle_timeout_ms);
    rb_json_member_i64(&json, "lock_ms", run->lock_timeout_ms);
    rb_json_end_object(&json);
    rb_json_end_object(&json);
    return rb_json_finish(&json);
}

/* The OpenContext, and the request's members beside its own. */
static int encode_with_context(const struct rb_instance *instance, const char *json, size_t len,
                               struct rb_buf *ret)
{
    int r = encode_open_context(instance, ret);
    if (r == 0 && len > strlen("{}") && json[0] == '{') {
        ret->data[ret->len - 1] = ',';
        r = rb_buf_append(ret, json + 1, len - 1);
    }
    return r;
}

static void begin_call(struct rb_instance *instance, enum rb_guest_export which)
{
    struct timespec cpu;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    atomic_store(&instance->call_export, (int)which);
    atomic_store(&instance->call_cpu_ns, (long long)cpu.tv_sec * 1000000000 + cpu.tv_nsec);
    atomic_store(&instance->call_start_ns, rb_clock_ns());
}

bool rb_instance_overrun(struct rb_instance *instance, struct rb_instance_overrun *ret)
{
    const struct rb_spec_limits *limits = &instance->spec->limits;
    long long start = atomic_load(&instance->call_start_ns);
    long long cpu_start = atomic_load(&instance->call_cpu_ns);
    if (start == 0) {
        return false;
    }
    *ret = (struct rb_instance_overrun){
        .connector = instance->spec->id,
        .export = rb_guest_export_name((enum rb_guest_export)atomic_load(&instance->call_export)),
        .limit = "max_call",
        .limit_ms = limits->call_ms};
    if (limits->call_ms != 0 && (uint64_t)(rb_clock_ns() - start) / 1000000 > limits->call_ms) {
        return true;
    }
    clockid_t clock;
    struct timespec cpu;
    if (limits->cpu_ms == 0 || pthread_getcpuclockid(instance->thread, &clock) != 0 ||
        clock_gettime(clock, &cpu) != 0) {
        return false;
    }
    ret->limit = "max_cpu";
    ret->limit_ms = limits->cpu_ms;
    long long used = (long long)cpu.tv_sec * 1000000000 + cpu.tv_nsec - cpu_start;
    /* A call that ended meanwhile had its own start. */
    return used / 1000000 > (long long)limits->cpu_ms &&
           atomic_load(&instance->call_start_ns) == start;
}

int rb_instance_open(struct rb_instance *instance, struct rb_instance_timings *ret_timings,
                     struct rb_error *err)
{
    if (instance->guest != NULL) {
        *ret_timings = (struct rb_instance_timings){0};
        return 0;
    }
    int64_t start = rb_clock_ns();
    RB_CLEANUP(rb_buf_release) struct rb_buf context = RB_BUF_INIT(RB_WORKER_JSON_MAX);
    int r = encode_open_context(instance, &context);
    if (r != 0) {
        return rb_error_set(err, r, "OPEN_CONTEXT", "the configuration is too large");
    }
    r = RB_FAULT(INSTANCE_OPEN, err);
    r = r != 0 ? r : make_broker(instance, err);
    begin_call(instance, RB_GUEST_OPEN); /* its start function, too */
    r = r != 0 ? r : make_guest(instance, err);
    r = r != 0 ? r
               : rb_guest_call(instance->guest, RB_GUEST_OPEN, rb_buf_str(&context), context.len,
                               &instance->info, err);
    atomic_store(&instance->call_start_ns, 0);
    r = r != 0 ? r : RB_FAULT(INSTANCE_OPENED, err);
    if (r != 0) {
        drop_guest(instance);
        return r;
    }
    const struct rb_guest_timings *timings = rb_guest_timings(instance->guest);
    *ret_timings = (struct rb_instance_timings){
        .open_secs = rb_clock_secs(rb_clock_ns() - start),
        .load_secs = rb_clock_secs(timings->load_ns),
        .instantiate_secs = rb_clock_secs(timings->instantiate_ns),
    };
    return 0;
}

const struct rb_buf *rb_instance_info(const struct rb_instance *instance)
{
    return &instance->info;
}

bool rb_instance_has(const struct rb_instance *instance, enum rb_guest_export which)
{
    return instance->guest != NULL && rb_guest_has(instance->guest, which);
}

bool rb_instance_is_aot(const struct rb_instance *instance)
{
    return instance->guest != NULL && rb_guest_timings(instance->guest)->aot;
}

uint64_t rb_instance_memory_bytes(const struct rb_instance *instance)
{
    return instance->guest == NULL ? 0 : rb_guest_memory_bytes(instance->guest);
}

int rb_instance_call(struct rb_instance *instance, enum rb_guest_export which, const char *json,
                     size_t len, struct rb_buf *ret_data, struct rb_error *err)
{
    if (!rb_instance_has(instance, which)) {
        return rb_error_set(err, RB_ECONNECTOR, "EXPORT_MISSING",
                            "connector '%s' does not export %s", instance->spec->id,
                            rb_guest_export_name(which));
    }
    RB_CLEANUP(rb_buf_release) struct rb_buf request = RB_BUF_INIT(RB_WORKER_JSON_MAX);
    if (which == RB_GUEST_VALIDATE || which == RB_GUEST_DISCOVER) {
        if (encode_with_context(instance, json, len, &request) != 0) {
            return rb_error_set(err, RB_ENOMEM, "OPEN_CONTEXT", "the configuration is too large");
        }
        json = rb_buf_str(&request);
        len = request.len;
    }
    begin_call(instance, which);
    int r = rb_guest_call(instance->guest, which, json, len, ret_data, err);
    atomic_store(&instance->call_start_ns, 0);
    if (r < 0) {
        hint_memory(instance, err);
    }
    if (r == RB_ECONNECTOR || r == RB_ECANCELLED) {
        drop_guest(instance);
    }
    return r;
}

static int close_guest(struct rb_instance *instance, struct rb_error *err)
{
    int r = 0;
    if (instance->guest != NULL && !atomic_load(&instance->context->cancelled)) {
        r = RB_FAULT(INSTANCE_CLOSE, err);
        begin_call(instance, RB_GUEST_EXPORT_COUNT);
        r = r != 0 ? r : rb_guest_close(instance->guest, err);
        atomic_store(&instance->call_start_ns, 0);
        r = r != 0 ? r : RB_FAULT(INSTANCE_CLOSED, err);
    }
    return r;
}

int rb_instance_close(struct rb_instance *instance, struct rb_error *err)
{
    int r = close_guest(instance, err);
    drop_guest(instance);
    return r;
}

static void *serve(void *arg)
{
    struct rb_instance *instance = arg;
    pthread_mutex_lock(&instance->lock);
    for (;;) {
        while (instance->job == NULL && !instance->stopping) {
            pthread_cond_wait(&instance->changed, &instance->lock);
        }
        void (*job)(void *) = instance->job;
        void *job_user = instance->job_user;
        if (job == NULL) {
            break;
        }
        instance->job = NULL;
        pthread_mutex_unlock(&instance->lock);
        job(job_user);
        pthread_mutex_lock(&instance->lock);
    }
    void (*ended)(void *) = instance->ended;
    void *ended_user = instance->ended_user;
    pthread_mutex_unlock(&instance->lock);
    (void)close_guest(instance, NULL);
    if (!instance->context->leaves) {
        drop_guest(instance);
    }
    if (ended != NULL) {
        ended(ended_user);
    }
    return NULL;
}

/* The grants in the shapes that broker and guest take. */
static int copy_grants(struct rb_instance *instance)
{
    const struct rb_connector_spec *spec = instance->spec;
    instance->allow = calloc(spec->n_allow + 1, sizeof *instance->allow);
    instance->preopens = calloc(spec->n_preopens + 1, sizeof *instance->preopens);
    instance->env = calloc(spec->n_env + 1, sizeof *instance->env);
    if (instance->allow == NULL || instance->preopens == NULL || instance->env == NULL) {
        return RB_ENOMEM;
    }
    for (size_t i = 0; i < spec->n_allow; i++) {
        instance->allow[i] =
            (struct rb_net_allow){.host = spec->allow[i].host, .port = spec->allow[i].port};
    }
    for (size_t i = 0; i < spec->n_preopens; i++) {
        instance->preopens[i] =
            (struct rb_guest_preopen){.guest_path = spec->preopens[i].guest_path,
                                      .host_path = spec->preopens[i].host_path,
                                      .writable = spec->preopens[i].writable};
    }
    for (size_t i = 0; i < spec->n_env; i++) {
        instance->env[i] = spec->env[i];
    }
    return 0;
}

/* With a stack of its limit's size, and under it room that nobody may touch: compiled code does not
 * look where its stack ends, and one function with a thousand values alive steps over a guard of
 * one page into another thread's stack. With 64 MiB it takes eight million, which no compiler comes
 * to an end with. It costs addresses, not memory. */
static int start_thread(struct rb_instance *instance)
{
    uint64_t stack = instance->spec->limits.stack_bytes;
    stack = stack == 0 ? STACK_BYTES : stack < STACK_BYTES_MIN ? STACK_BYTES_MIN : stack;
    pthread_attr_t attr;
    int e = pthread_attr_init(&attr);
    if (e != 0) {
        return e;
    }
    e = pthread_attr_setstacksize(&attr, (size_t)stack);
    e = e != 0 ? e : pthread_attr_setguardsize(&attr, GUARD_BYTES);
    e = e != 0 ? e : pthread_create(&instance->thread, &attr, serve, instance);
    pthread_attr_destroy(&attr);
    instance->has_thread = e == 0;
    return e;
}

int rb_instance_new(struct rb_context *context, const struct rb_connector_spec *spec,
                    uint64_t memory_max_bytes, const struct rb_guest_ops *ops, void *user,
                    struct rb_instance **ret_instance, struct rb_error *err)
{
    struct rb_instance *instance = calloc(1, sizeof *instance);
    if (instance == NULL) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY", "no memory for a connector instance");
    }
    instance->context = context;
    instance->spec = spec;
    instance->memory_max_bytes = memory_max_bytes;
    if (spec->memory_max_bytes > 0 && spec->memory_max_bytes < memory_max_bytes) {
        instance->memory_max_bytes = spec->memory_max_bytes;
    }
    instance->ops = ops;
    instance->user = user;
    rb_buf_init(&instance->info, RB_WORKER_JSON_MAX);
    pthread_mutex_init(&instance->lock, NULL); /* neither fails on Linux with default attributes */
    pthread_cond_init(&instance->changed, NULL);
    int r = copy_grants(instance);
    if (r != 0) {
        rb_error_set(err, r, "OUT_OF_MEMORY", "no memory for a connector instance");
    } else {
        int e = start_thread(instance);
        r = e == 0 ? 0
                   : rb_error_set_errno(err, RB_EINTERNAL, "THREAD", e,
                                        "starting a thread for connector '%s'", spec->id);
    }
    if (r != 0) {
        rb_instance_free(instance);
        return r;
    }
    *ret_instance = instance;
    return 0;
}

void rb_instance_stop(struct rb_instance *instance, void (*ended)(void *user), void *ended_user)
{
    pthread_mutex_lock(&instance->lock);
    instance->stopping = true;
    instance->ended = ended;
    instance->ended_user = ended_user;
    pthread_cond_signal(&instance->changed);
    pthread_mutex_unlock(&instance->lock);
}

void rb_instance_free(struct rb_instance *instance)
{
    if (instance == NULL) {
        return;
    }
    if (instance->has_thread) {
        pthread_join(instance->thread, NULL);
    }
    drop_guest(instance);
    rb_buf_release(&instance->info);
    pthread_cond_destroy(&instance->changed);
    pthread_mutex_destroy(&instance->lock);
    free(instance->allow);
    free(instance->preopens);
    free(instance->env);
    free(instance);
}

int rb_instance_submit(struct rb_instance *instance, void (*job)(void *user), void *job_user,
                       struct rb_error *err)
{
    pthread_mutex_lock(&instance->lock);
    bool busy = instance->job != NULL || instance->stopping;
    if (!busy) {
        instance->job = job;
        instance->job_user = job_user;
        pthread_cond_signal(&instance->changed);
    }
    pthread_mutex_unlock(&instance->lock);
    return busy ? rb_error_set(err, RB_EINTERNAL, "BUSY", "connector '%s' has a call to do already",
                               instance->spec->id)
                : 0;
}
