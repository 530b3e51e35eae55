/*
 * The contract between host and guest, protocol v1 (docs/protocol.md). Seen by the SDK and by
 * host/guest alone.
 */
#ifndef RB_ABI_RAPIDBYTE_ABI_H
#define RB_ABI_RAPIDBYTE_ABI_H

#include <stdint.h>

#include "base/log.h"

#define RB_ABI_PROTOCOL_VERSION "1"
#define RB_ABI_MODULE "rapidbyte"
#define RB_ABI_MANIFEST_SECTION "rapidbyte.manifest"

enum rb_state_scope {
    RB_STATE_PIPELINE = 0,
    RB_STATE_STREAM = 1,
    RB_STATE_CONNECTOR = 2,
};

enum rb_checkpoint_kind {
    RB_CHECKPOINT_SOURCE = 0,
    RB_CHECKPOINT_DESTINATION = 1,
    RB_CHECKPOINT_TRANSFORM = 2,
};

enum rb_tls_mode {
    RB_TLS_DISABLE = 0,
    RB_TLS_ALLOW = 1,
    RB_TLS_PREFER = 2,
    RB_TLS_REQUIRE = 3,
    RB_TLS_VERIFY_CA = 4,
    RB_TLS_VERIFY_FULL = 5,
};

enum {
    RB_ABI_STATE_KEY_MAX = 1024,          /* bytes */
    RB_ABI_STATE_VALUE_MAX = 1024 * 1024, /* bytes */
    RB_ABI_LOG_MAX = 64 * 1024,           /* bytes of one log message; more is cut */
    RB_ABI_JSON_MAX = 16 * 1024 * 1024,   /* bytes of any JSON that crosses */
    RB_ABI_CANCEL_PACKET_MAX = 256,       /* bytes */
    RB_ABI_AUTH_POSTGRES = 1,             /* rb_host_net_authenticate's protocol: PostgreSQL 3.0 */
    RB_ABI_RECV_TIMEOUT = -2,             /* rb_host_net_recv: the deadline passed */
};

/* rb_host_last_error's codes after rb_host_next_batch returned -1. */
#define RB_ABI_CODE_ABORTED "ABORTED"
#define RB_ABI_CODE_CANCELLED "CANCELLED"

#endif
