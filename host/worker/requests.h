/* Round trips from a stage's thread to the supervisor: a request, and its STATE_REPLY, which the
 * thread that reads the link hands in. */
#ifndef RB_HOST_WORKER_REQUESTS_H
#define RB_HOST_WORKER_REQUESTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "host/link/link.h"

struct rb_request;

struct rb_requests {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    struct rb_request *waiting;
    uint64_t last_id;
    bool cancelled;
};

int rb_requests_init(struct rb_requests *requests, struct rb_error *err);
void rb_requests_release(struct rb_requests *requests);
/* Sends and waits. 0: the reply's JSON was appended to ret. RB_ECANCELLED, RB_ENOMEM, RB_EIO. */
int rb_requests_call(struct rb_requests *requests, struct rb_link *link, enum rb_link_type type,
                     const char *json, size_t len, struct rb_buf *ret, struct rb_error *err);
/* A reply that nobody waits for is dropped. */
void rb_requests_reply(struct rb_requests *requests, uint64_t id, const char *json, size_t len);
void rb_requests_cancel(struct rb_requests *requests);

#endif
