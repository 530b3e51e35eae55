#include "host/worker/requests.h"

struct rb_request {
    struct rb_request *next;
    uint64_t id;
    struct rb_buf *reply;
    bool done;
    int status;
};

int rb_requests_init(struct rb_requests *requests, struct rb_error *err)
{
    *requests = (struct rb_requests){0};
    int r = pthread_mutex_init(&requests->lock, NULL);
    if (r == 0) {
        r = pthread_cond_init(&requests->answered, NULL);
        if (r == 0) {
            return 0;
        }
        pthread_mutex_destroy(&requests->lock);
    }
    return rb_error_set_errno(err, RB_EINTERNAL, "REQUESTS", r, "requests to the supervisor");
}

void rb_requests_release(struct rb_requests *requests)
{
    pthread_cond_destroy(&requests->answered);
    pthread_mutex_destroy(&requests->lock);
}

static void unlink_request(struct rb_requests *requests, const struct rb_request *request)
{
    for (struct rb_request **at = &requests->waiting; *at != NULL; at = &(*at)->next) {
        if (*at == request) {
            *at = request->next;
            return;
        }
    }
}

int rb_requests_call(struct rb_requests *requests, struct rb_link *link, enum rb_link_type type,
                     const char *json, size_t len, struct rb_buf *ret, struct rb_error *err)
{
    struct rb_request request = {.reply = ret};
    pthread_mutex_lock(&requests->lock);
    request.id = ++requests->last_id;
    request.next = requests->waiting;
    requests->waiting = &request;
    pthread_mutex_unlock(&requests->lock);

    int r = rb_link_send(link, type, request.id, json, len, err);

    pthread_mutex_lock(&requests->lock);
    while (r == 0 && !request.done && !requests->cancelled) {
        pthread_cond_wait(&requests->answered, &requests->lock);
    }
    bool cancelled = requests->cancelled && !request.done;
    unlink_request(requests, &request);
    pthread_mutex_unlock(&requests->lock);
    if (r != 0) {
        return r;
    }
    if (cancelled) {
        return rb_error_set(err, RB_ECANCELLED, "CANCELLED", "the run was cancelled");
    }
    if (request.status != 0) {
        return rb_error_set(err, request.status, "OUT_OF_MEMORY",
                            "no memory for the supervisor's reply");
    }
    return 0;
}

void rb_requests_reply(struct rb_requests *requests, uint64_t id, const char *json, size_t len)
{
    pthread_mutex_lock(&requests->lock);
    for (struct rb_request *request = requests->waiting; request != NULL; request = request->next) {
        if (request->id == id && !request->done) {
            request->status = rb_buf_append(request->reply, json, len);
            request->done = true;
        }
    }
    pthread_cond_broadcast(&requests->answered);
    pthread_mutex_unlock(&requests->lock);
}

void rb_requests_cancel(struct rb_requests *requests)
{
    pthread_mutex_lock(&requests->lock);
    requests->cancelled = true;
    pthread_cond_broadcast(&requests->answered);
    pthread_mutex_unlock(&requests->lock);
}
