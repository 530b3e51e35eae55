/*
 * What the supervisor tells the worker at its start, and what the worker answers for a unit. The
 * structs' JSON is written and read here alone, so that neither side can disagree about it.
 */
#ifndef RB_HOST_LINK_SPEC_H
#define RB_HOST_LINK_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

enum { RB_UNIT_STAGES_MAX = 16 }; /* source, at most 14 transforms, destination */

enum rb_role { RB_ROLE_SOURCE, RB_ROLE_TRANSFORM, RB_ROLE_DESTINATION };

const char *rb_role_name(enum rb_role role); /* "source", "transform", "destination" */

enum rb_compression { RB_COMPRESSION_NONE, RB_COMPRESSION_LZ4, RB_COMPRESSION_ZSTD };

struct rb_spec_allow {
    const char *host;
    int port; /* 0: any */
};

struct rb_spec_preopen {
    const char *guest_path;
    const char *host_path;
    bool writable;
};

/* Of one connector; 0: none. */
struct rb_spec_limits {
    uint64_t sockets;      /* open at a time, of one instance */
    uint64_t log_lines;    /* messages of one call */
    uint64_t log_bytes;    /* of one call */
    uint64_t state_keys;   /* of the pipeline, when this connector adds one */
    uint64_t state_bytes;  /* keys and values, likewise */
    uint64_t metric_names; /* of one call */
    uint64_t stack_bytes;  /* of the machine, for one instance's code and the imports it is in */
    uint64_t call_ms;      /* wall time of one call of an export; of a unit's, all of it */
    uint64_t cpu_ms;       /* of one call */
};

/* One connector of the pipeline, as the operator granted it. */
struct rb_connector_spec {
    enum rb_role role;
    const char *id; /* "source-postgres" */
    const char *version;
    const char *wasm_path;
    const char *wasm_sha256; /* 64 hex digits; NULL: not known */
    const char *config_json; /* secrets replaced by {"$secret": id}, unless granted in plain text */
    const char *const *secrets; /* secrets[id - 1] */
    size_t n_secrets;
    const struct rb_spec_allow *allow;
    size_t n_allow;
    const char *tls_root_cert; /* NULL: the system's */
    const char *tls_cert;
    const char *tls_key;
    const char *tls_crl;    /* NULL: none */
    const char *const *env; /* "NAME=value" */
    size_t n_env;
    const struct rb_spec_preopen *preopens;
    size_t n_preopens;
    uint64_t memory_max_bytes; /* the manifest's limit; 0: none but the run's budget */
    struct rb_spec_limits limits;
    int tls_mode;        /* enum rb_tls_mode */
    int channel_binding; /* enum rb_net_binding */
    bool tls_forbidden;
    bool wasi_sockets;
};

struct rb_worker_spec {
    const char *pipeline;                       /* name */
    const struct rb_connector_spec *connectors; /* source, transforms in order, destination; check
                                                   and discover may give fewer */
    size_t n_connectors;
    int lanes;
    bool one_source; /* units read in the instance that calls were made to, so in the session that
                        planned; there is one lane then, and one stream */
    uint64_t max_memory_bytes; /* both guests and the channel */
    uint64_t max_batch_bytes;
    int max_inflight_batches;
    uint64_t max_inflight_bytes;
    enum rb_compression compression;
    const char *aot_dir;
    bool interpreter;
    bool no_os_sandbox;         /* the operator wants no sandbox of the operating system */
    const char *llvm_stub_path; /* NULL: none */
    int log_level;              /* enum rb_log_level: messages above it are dropped in the worker */
    int64_t connect_timeout_ms; /* 0: none; likewise below */
    int64_t statement_timeout_ms;
    int64_t idle_timeout_ms;
    int64_t lock_timeout_ms;
};

/* Bounds of what is decoded. */
enum {
    RB_SPEC_ITEMS_MAX = 4096, /* of each array but the connectors, which are RB_UNIT_STAGES_MAX */
    RB_SPEC_LANES_MAX = 256,
    RB_SPEC_SOCKETS_MAX = 16, /* that any connector may have open at a time */
};

/* RB_ENOMEM when `ret` may not hold it. It holds the secrets: is_secret is the caller's to set. */
int rb_worker_spec_encode(const struct rb_worker_spec *spec, struct rb_buf *ret);

/* A decoded spec and the memory of all it points to. */
struct rb_worker_spec_owned {
    struct rb_worker_spec spec;
    void *memory;
};

/* RB_EPROTOCOL for JSON that is not a spec; RB_ENOMEM. */
int rb_worker_spec_decode(const char *json, size_t len, struct rb_worker_spec_owned *ret,
                          struct rb_error *err);
void rb_worker_spec_release(struct rb_worker_spec_owned *spec);

/* What one stage of a unit came to. */
struct rb_stage_result {
    bool ok;
    struct rb_error error; /* unless ok */
    struct rb_buf data; /* ReadSummary, TransformSummary or WriteSummary JSON, when ok; empty when
                         * the stage was stopped because the unit was loaded already */
    double wait_secs;   /* source: for room in the channel; destination: for a batch */
    double run_secs;    /* in the export, waits included */
    double open_secs;   /* load, instantiate and rb_open, when this unit was the first */
    double load_secs;   /* of its module, for the first instance of those that share it */
    double instantiate_secs;
    uint64_t memory_bytes; /* the guest's linear memory at the end */
};

struct rb_unit_result {
    size_t n_stages;
    int first_failed; /* the stage whose failure came first, the cause of the others'; -1: all ok */
    struct rb_stage_result stages[RB_UNIT_STAGES_MAX];
    uint64_t batches;
    uint64_t bytes;                  /* Arrow IPC bytes that entered the first channel */
    uint64_t compressed_bytes;       /* the same after compression; equal without */
    uint64_t records;                /* rows in these batches */
    struct rb_buf source_checkpoint; /* the source's last Checkpoint JSON; empty: none */
};

void rb_unit_result_init(struct rb_unit_result *result);
void rb_unit_result_release(struct rb_unit_result *result);
int rb_unit_result_encode(const struct rb_unit_result *result, struct rb_buf *ret);
int rb_unit_result_decode(const char *json, size_t len, struct rb_unit_result *ret,
                          struct rb_error *err);

/* An error in a message of the link: ConnectorError and its `status`, so that it arrives as it was.
 */
void rb_link_error_encode(struct rb_json *json, const struct rb_error *err);
/* 0 and the error; the status is that of the category when the JSON has none. RB_EPROTOCOL when it
 * is not an object, RB_ENOMEM. Too long text is cut. */
int rb_link_error_decode(const char *json, size_t len, struct rb_error *ret);

#endif
