#include "host/worker/channel.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "host/worker/clock.h"

struct rb_frame *rb_frame_new(enum rb_frame_kind kind, const void *data, size_t size)
{
    size_t bytes;
    if (__builtin_add_overflow(sizeof(struct rb_frame), size, &bytes)) {
        return NULL;
    }
    struct rb_frame *frame = malloc(bytes);
    if (frame == NULL) {
        return NULL;
    }
    *frame = (struct rb_frame){.kind = kind, .raw_size = size, .size = size};
    if (size > 0) {
        memcpy(frame->bytes, data, size);
    }
    return frame;
}

struct rb_frame *rb_frame_new_abort(void)
{
    const struct rb_error none = {0};
    return rb_frame_new(RB_FRAME_ABORT, &none, sizeof none);
}

void rb_frame_set_abort(struct rb_frame *frame, const struct rb_error *why)
{
    memcpy(frame->bytes, why, sizeof *why);
}

int rb_channel_init(struct rb_channel *channel, size_t max_batches, size_t max_bytes,
                    struct rb_error *err)
{
    *channel = (struct rb_channel){.max_batches = max_batches, .max_bytes = max_bytes};
    int r = pthread_mutex_init(&channel->lock, NULL);
    if (r == 0) {
        r = pthread_cond_init(&channel->room, NULL);
        if (r == 0) {
            r = pthread_cond_init(&channel->data, NULL);
            if (r == 0) {
                return 0;
            }
            pthread_cond_destroy(&channel->room);
        }
        pthread_mutex_destroy(&channel->lock);
    }
    return rb_error_set_errno(err, RB_EINTERNAL, "CHANNEL", r, "a channel between two stages");
}

static void free_queue(struct rb_channel *channel)
{
    for (struct rb_frame *frame = channel->head; frame != NULL;) {
        struct rb_frame *next = frame->next;
        free(frame);
        frame = next;
    }
    channel->head = NULL;
    channel->tail = NULL;
    channel->n_batches = 0;
    channel->n_bytes = 0;
}

void rb_channel_release(struct rb_channel *channel)
{
    free_queue(channel);
    pthread_cond_destroy(&channel->data);
    pthread_cond_destroy(&channel->room);
    pthread_mutex_destroy(&channel->lock);
}

void rb_channel_reset(struct rb_channel *channel)
{
    pthread_mutex_lock(&channel->lock);
    free_queue(channel);
    channel->closed = false;
    channel->send_wait_ns = 0;
    channel->recv_wait_ns = 0;
    pthread_mutex_unlock(&channel->lock);
}

static int set_cancelled(struct rb_error *err)
{
    return rb_error_set(err, RB_ECANCELLED, "CANCELLED", "the run was cancelled");
}

/* Takes up room in the channel. */
static bool is_counted(const struct rb_frame *frame)
{
    return frame->kind == RB_FRAME_DATA || frame->kind == RB_FRAME_PART;
}

static bool has_room(const struct rb_channel *channel, size_t size)
{
    if (channel->n_batches == 0) {
        return true;
    }
    return channel->n_batches < channel->max_batches && channel->n_bytes <= channel->max_bytes &&
           size <= channel->max_bytes - channel->n_bytes;
}

/* With the lock held: waits until `frame` may enter. */
static int wait_for_room(struct rb_channel *channel, const struct rb_frame *frame,
                         struct rb_error *err)
{
    int64_t since = 0;
    while (is_counted(frame) && !channel->cancelled && !channel->closed &&
           !has_room(channel, frame->size)) {
        since = since != 0 ? since : rb_clock_ns();
        pthread_cond_wait(&channel->room, &channel->lock);
    }
    if (since != 0) {
        channel->send_wait_ns += rb_clock_ns() - since;
    }
    /* A neighbour may have found out about a cancellation first. */
    if (channel->cancelled || (channel->closed && channel->closed_why.status == RB_ECANCELLED)) {
        return set_cancelled(err);
    }
    if (channel->closed) {
        return rb_error_set(err, RB_EABORTED, "RECEIVER_ENDED", "the next stage has ended: %s",
                            channel->closed_why.message);
    }
    return 0;
}

int rb_channel_send(struct rb_channel *channel, struct rb_frame *frame, struct rb_error *err)
{
    enum rb_frame_kind kind = frame->kind; /* it is another's once it is queued */
    int r = RB_FAULT_AT(FRAME_SEND_DATA, kind, err);
    pthread_mutex_lock(&channel->lock);
    r = r != 0 ? r : wait_for_room(channel, frame, err);
    if (r == 0) {
        if (is_counted(frame)) {
            channel->n_batches++;
            channel->n_bytes += frame->size;
        }
        frame->next = NULL;
        if (channel->tail == NULL) {
            channel->head = frame;
        } else {
            channel->tail->next = frame;
        }
        channel->tail = frame;
        pthread_cond_signal(&channel->data);
    }
    pthread_mutex_unlock(&channel->lock);
    if (r != 0) {
        free(frame);
        return r;
    }
    (void)kind; /* which only fault points ask for */
    return RB_FAULT_AT(FRAME_QUEUED_DATA, kind, err);
}

/* With the lock held: the first frame, or NULL when the run was cancelled. */
static struct rb_frame *wait_for_frame(struct rb_channel *channel)
{
    int64_t since = 0;
    while (channel->head == NULL && !channel->cancelled) {
        since = since != 0 ? since : rb_clock_ns();
        pthread_cond_wait(&channel->data, &channel->lock);
    }
    if (since != 0) {
        channel->recv_wait_ns += rb_clock_ns() - since;
    }
    if (channel->cancelled) {
        return NULL;
    }
    struct rb_frame *frame = channel->head;
    channel->head = frame->next;
    if (channel->head == NULL) {
        channel->tail = NULL;
    }
    frame->next = NULL;
    return frame;
}

static int check_frame(const struct rb_frame *frame, uint64_t unit, uint64_t seq,
                       struct rb_error *err)
{
    if (frame->unit != unit || (frame->kind != RB_FRAME_ABORT && frame->seq != seq)) {
        return rb_error_set(err, RB_EINTERNAL, "FRAME_ORDER",
                            "a batch is missing or foreign: expected number %llu of unit %llu, got "
                            "number %llu of unit %llu",
                            (unsigned long long)seq, (unsigned long long)unit,
                            (unsigned long long)frame->seq, (unsigned long long)frame->unit);
    }
    if (frame->kind == RB_FRAME_ABORT) {
        struct rb_error why;
        memcpy(&why, frame->bytes, sizeof why);
        if (why.status == RB_ECANCELLED) {
            return set_cancelled(err);
        }
        return rb_error_set(err, RB_EABORTED, "ABORTED", "the stage before failed: %s",
                            why.message);
    }
    return frame->kind == RB_FRAME_END ? 1 : frame->kind == RB_FRAME_PART ? 2 : 0;
}

int rb_channel_recv(struct rb_channel *channel, uint64_t unit, uint64_t seq,
                    struct rb_frame **ret_frame, struct rb_error *err)
{
    pthread_mutex_lock(&channel->lock);
    struct rb_frame *frame = wait_for_frame(channel);
    pthread_mutex_unlock(&channel->lock);
    if (frame == NULL) {
        return set_cancelled(err);
    }
    int r = check_frame(frame, unit, seq, err);
    int fault = RB_FAULT_AT(FRAME_RECV_DATA, frame->kind, err);
    r = fault < 0 ? fault : r;
    if (r < 0) {
        rb_channel_drop(channel, frame);
        return r;
    }
    *ret_frame = frame;
    return r;
}

void rb_channel_drop(struct rb_channel *channel, struct rb_frame *frame)
{
    if (frame == NULL) {
        return;
    }
    if (is_counted(frame)) {
        pthread_mutex_lock(&channel->lock);
        channel->n_batches--;
        channel->n_bytes -= frame->size;
        pthread_cond_signal(&channel->room);
        pthread_mutex_unlock(&channel->lock);
    }
    free(frame);
}

void rb_channel_close(struct rb_channel *channel, const struct rb_error *why)
{
    pthread_mutex_lock(&channel->lock);
    if (!channel->closed) {
        channel->closed = true;
        channel->closed_why = *why;
    }
    pthread_cond_signal(&channel->room);
    pthread_mutex_unlock(&channel->lock);
}

void rb_channel_cancel(struct rb_channel *channel)
{
    pthread_mutex_lock(&channel->lock);
    channel->cancelled = true;
    pthread_cond_broadcast(&channel->room);
    pthread_cond_broadcast(&channel->data);
    pthread_mutex_unlock(&channel->lock);
}
