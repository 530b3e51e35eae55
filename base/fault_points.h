/*
 * The table of fault points: name, where it is, whether it can fail (false: what happens there has
 * no way to say that it failed). A point that no run of `make faults` reaches is an error.
 *
 * SUPERVISOR, WORKER, COMPILER: the process. LINK: either of the first two. SOURCE, DEST, GUEST:
 * a connector, in the worker; losing its connections means those of that side, of GUEST both.
 */
#ifndef RB_BASE_FAULT_POINTS_H
#define RB_BASE_FAULT_POINTS_H

/* clang-format off */
#define RB_FAULT_POINTS(X)                                                                         \
    X(STATE_OPEN, SUPERVISOR, true)            /* before the file is opened */                     \
    X(STATE_OPENED, SUPERVISOR, true)                                                              \
    X(STATE_BEGIN, SUPERVISOR, true)           /* a transaction of the state */                    \
    X(STATE_BEGUN, SUPERVISOR, false)                                                              \
    X(STATE_COMMIT, SUPERVISOR, true)                                                              \
    X(STATE_COMMITTED, SUPERVISOR, true)                                                           \
    X(LOCK_TAKEN, SUPERVISOR, true)                                                                \
    X(LOCK_RELEASE, SUPERVISOR, false)                                                             \
    X(LOCK_RELEASED, SUPERVISOR, false)                                                            \
    X(RUN_RECORDED, SUPERVISOR, true)          /* that it began */                                 \
    X(RUN_END, SUPERVISOR, false)              /* before its end is recorded */                    \
    X(RUN_END_RECORDED, SUPERVISOR, false)                                                         \
    X(WORKER_SPAWN, SUPERVISOR, true)                                                              \
    X(WORKER_SPAWNED, SUPERVISOR, true)                                                            \
    X(COMPILER_SPAWNED, SUPERVISOR, false)                                                         \
    X(BEGIN_CALL, SUPERVISOR, true)                                                                \
    X(BEGIN_ANSWERED, SUPERVISOR, true)                                                            \
    X(CURSOR_TAKEN, SUPERVISOR, true)          /* from the ledger into the state */                \
    X(PLAN_CALL, SUPERVISOR, true)                                                                 \
    X(PLAN_ANSWERED, SUPERVISOR, true)                                                             \
    X(UNIT_POST, SUPERVISOR, true)                                                                 \
    X(UNIT_POSTED, SUPERVISOR, false)                                                              \
    X(UNIT_RESULT, SUPERVISOR, false)                                                              \
    X(PUBLISH_CALL, SUPERVISOR, true)                                                              \
    X(PUBLISH_ANSWERED, SUPERVISOR, true)                                                          \
    X(STREAM_RECORD, SUPERVISOR, false)                                                            \
    X(STREAM_RECORDED, SUPERVISOR, false)                                                          \
    X(END_LOAD_CALL, SUPERVISOR, true)                                                             \
    X(END_LOAD_ANSWERED, SUPERVISOR, true)                                                         \
    X(SESSION_END, SUPERVISOR, false)                                                              \
    /* Frames of the link in the order of enum rb_link_type, sent and received. */                 \
    X(LINK_SEND_INIT, LINK, true)                                                                  \
    X(LINK_SEND_CALL, LINK, true)                                                                  \
    X(LINK_SEND_UNIT, LINK, true)                                                                  \
    X(LINK_SEND_CANCEL, LINK, true)                                                                \
    X(LINK_SEND_STATE_REPLY, UNUSED, true)     /* these connectors keep no state of their own */   \
    X(LINK_SEND_CLOSE, LINK, true)                                                                 \
    X(LINK_SEND_READY, LINK, true)                                                                 \
    X(LINK_SEND_RESULT, LINK, true)                                                                \
    X(LINK_SEND_LOG, LINK, true)                                                                   \
    X(LINK_SEND_PROGRESS, LINK, true)                                                              \
    X(LINK_SEND_CHECKPOINT, LINK, true)                                                            \
    X(LINK_SEND_METRIC, LINK, true)                                                                \
    X(LINK_SEND_STATE_GET, UNUSED, true)                                                           \
    X(LINK_SEND_STATE_PUT, UNUSED, true)                                                           \
    X(LINK_SEND_STATE_CAS, UNUSED, true)                                                           \
    X(LINK_SEND_CANCEL_PACKET, LINK, true)                                                         \
    X(LINK_SEND_LIMIT, UNUSED, true)             /* of a call that a guest does not end */       \
    X(LINK_RECV_INIT, LINK, true)                                                                  \
    X(LINK_RECV_CALL, LINK, true)                                                                  \
    X(LINK_RECV_UNIT, LINK, true)                                                                  \
    X(LINK_RECV_CANCEL, LINK, true)                                                                \
    X(LINK_RECV_STATE_REPLY, UNUSED, true)                                                         \
    X(LINK_RECV_CLOSE, LINK, true)                                                                 \
    X(LINK_RECV_READY, LINK, true)                                                                 \
    X(LINK_RECV_RESULT, LINK, true)                                                                \
    X(LINK_RECV_LOG, LINK, true)                                                                   \
    X(LINK_RECV_PROGRESS, LINK, true)                                                              \
    X(LINK_RECV_CHECKPOINT, LINK, true)                                                            \
    X(LINK_RECV_METRIC, LINK, true)                                                                \
    X(LINK_RECV_STATE_GET, UNUSED, true)                                                           \
    X(LINK_RECV_STATE_PUT, UNUSED, true)                                                           \
    X(LINK_RECV_STATE_CAS, UNUSED, true)                                                           \
    X(LINK_RECV_CANCEL_PACKET, LINK, true)                                                         \
    X(LINK_RECV_LIMIT, UNUSED, true)             /* of a call that a guest does not end */       \
    X(WORKER_STARTED, WORKER, true)                                                                \
    X(AOT_FOUND, WORKER, true)                                                                    \
    X(INSTANCE_OPEN, WORKER, true)                                                                 \
    X(INSTANCE_OPENED, WORKER, true)                                                               \
    X(INSTANCE_CLOSE, WORKER, true)                                                                \
    X(INSTANCE_CLOSED, WORKER, true)                                                               \
    X(LANE_START, WORKER, true)                                                                    \
    X(LANE_STARTED, WORKER, false)                                                                 \
    X(STAGE_ENDED, WORKER, true)                                                                   \
    /* Frames of a channel in the order of enum rb_frame_kind, sent, queued and received. */       \
    X(FRAME_SEND_DATA, WORKER, true)                                                               \
    X(FRAME_SEND_END, WORKER, true)                                                                \
    X(FRAME_SEND_ABORT, WORKER, false)                                                             \
    X(FRAME_QUEUED_DATA, WORKER, true)                                                             \
    X(FRAME_QUEUED_END, WORKER, true)                                                              \
    X(FRAME_QUEUED_ABORT, WORKER, false)                                                           \
    X(FRAME_RECV_DATA, WORKER, true)                                                               \
    X(FRAME_RECV_END, WORKER, true)                                                                \
    X(FRAME_RECV_ABORT, WORKER, true)                                                              \
    X(NET_CONNECT, WORKER, true)                                                                   \
    X(NET_CONNECTED, WORKER, true)                                                                 \
    X(NET_AUTHENTICATED, WORKER, true)                                                             \
    X(AOT_COMPILE, COMPILER, true)                                                                 \
    X(AOT_COMPILED, COMPILER, true)                                                                \
    X(AOT_SEALED, COMPILER, true)                                                                  \
    X(AOT_RENAMED, COMPILER, true)                                                                 \
    /* Every statement but COPY: its answer is lost where it was sent and has not been read. */    \
    X(STATEMENT, GUEST, true)                                                                      \
    X(STATEMENT_SENT, GUEST, false)                                                                \
    X(STATEMENT_ANSWERED, GUEST, true)                                                             \
    X(SOURCE_PLAN_CONNECTED, SOURCE, true)                                                         \
    X(SOURCE_PLAN_BEGUN, SOURCE, true)                                                             \
    X(SOURCE_SNAPSHOT_EXPORTED, SOURCE, true)                                                      \
    X(SOURCE_PLANNED, SOURCE, true)                                                                \
    X(SOURCE_CONNECTED, SOURCE, true)                                                              \
    X(SOURCE_SNAPSHOT_IMPORT, SOURCE, true)                                                        \
    X(SOURCE_SNAPSHOT_IMPORTED, SOURCE, true)                                                      \
    X(SOURCE_COPY, SOURCE, true)                                                                   \
    X(SOURCE_COPY_BEGUN, SOURCE, true)                                                             \
    X(SOURCE_COPY_DATA, SOURCE, true)          /* each message */                                  \
    X(SOURCE_EMIT, SOURCE, true)               /* each batch */                                    \
    X(SOURCE_EMITTED, SOURCE, true)                                                                \
    X(SOURCE_COPY_ENDED, SOURCE, true)         /* the last rows are still here */                  \
    X(SOURCE_LAST_EMITTED, SOURCE, true)                                                           \
    X(SOURCE_PART_ENDED, SOURCE, true)         /* what came so far may be committed */             \
    X(SOURCE_CHECKPOINTED, SOURCE, true)                                                           \
    X(DEST_BEGIN_CONNECTED, DEST, true)                                                            \
    X(DEST_LEDGER_CREATE, DEST, true)                                                              \
    X(DEST_LEDGER_CREATED, DEST, true)                                                             \
    X(DEST_PIPELINE_LOCKED, DEST, true)                                                            \
    X(DEST_LOAD_TAKEN, DEST, true)                                                                 \
    X(DEST_LEFTOVER_DROPPED, DEST, true)                                                           \
    X(DEST_BEGIN_COMMIT, DEST, true)                                                               \
    X(DEST_BEGIN_COMMITTED, DEST, true)                                                            \
    X(DEST_WRITE_CONNECTED, DEST, true)                                                            \
    X(DEST_SCHEMA_READ, DEST, true)            /* the first batch is here */                       \
    X(DEST_SCHEMA_CREATED, DEST, true)                                                             \
    X(DEST_SHARED_BEGUN, DEST, true)           /* staging that the stream's units share */         \
    X(DEST_SHARED_RECORDED, DEST, true)                                                            \
    X(DEST_SHARED_CREATED, DEST, true)                                                             \
    X(DEST_SHARED_COMMITTED, DEST, true)                                                           \
    X(DEST_TRANSACTION_BEGUN, DEST, true)                                                          \
    X(DEST_STAGING_CREATED, DEST, true)        /* for a swap in the same transaction */            \
    X(DEST_TRUNCATED, DEST, true)                                                                  \
    X(DEST_TABLE_CREATE, DEST, true)                                                               \
    X(DEST_TABLE_CREATED, DEST, true)                                                              \
    X(DEST_TEMPORARY_CREATED, DEST, true)                                                          \
    X(DEST_COPY_BEGUN, DEST, true)                                                                 \
    X(DEST_COPY_DATA, DEST, true)              /* each message of CopyData, before and after */    \
    X(DEST_COPY_DATA_SENT, DEST, true)                                                             \
    X(DEST_COPY_DONE, DEST, true)                                                                  \
    X(DEST_COPY_DONE_SENT, DEST, false)                                                            \
    X(DEST_COPY_ENDED, DEST, true)                                                                 \
    X(DEST_MOVED, DEST, true)                  /* from the temporary table into the target */      \
    X(DEST_VERIFIED, DEST, true)                                                                   \
    X(DEST_SWAP_LOCKED, DEST, true)                                                                \
    X(DEST_SWAP_RENAMED, DEST, true)           /* the old table is out of the way */               \
    X(DEST_SWAP_MOVED_IN, DEST, true)                                                              \
    X(DEST_SWAP_RESTORED, DEST, true)                                                              \
    X(DEST_SWAP_DROPPED, DEST, true)                                                               \
    X(DEST_SWAPPED, DEST, true)                                                                    \
    X(DEST_RECEIPT_WRITTEN, DEST, true)                                                            \
    X(DEST_COMMIT, DEST, true)                                                                     \
    X(DEST_COMMIT_SENT, DEST, false)           /* its answer has not been read */                  \
    X(DEST_COMMITTED, DEST, true)                                                                  \
    X(DEST_PART_COMMITTED, DEST, true)                                                             \
    X(DEST_COMMIT_LOST, DEST, false)           /* the ledger is going to be asked */               \
    X(DEST_PUBLISH_BEGUN, DEST, true)                                                              \
    X(DEST_PUBLISH_CHECKED, DEST, true)                                                            \
    X(DEST_PUBLISH_SWAPPED, DEST, true)                                                            \
    X(DEST_PUBLISHED, DEST, true)                                                                  \
    X(DEST_END_LOAD, DEST, true)                                                                   \
    X(DEST_END_LOAD_DONE, DEST, true)                                                              \
    X(DEST_CLOSE, DEST, false)
/* clang-format on */

#endif
