#include "host/link/link.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fault.h"

enum {
    HEADER_BYTES = 16,
    KEPT_BYTES = 1024 * 1024, /* a buffer that is larger is given back after its message */
};

int rb_link_init(struct rb_link *link, int fd, struct rb_error *err)
{
    int r = pthread_mutex_init(&link->send_lock, NULL);
    if (r != 0) {
        return rb_error_set_errno(err, RB_EINTERNAL, "LINK", r, "link to the worker: mutex");
    }
    link->fd = fd;
    link->send_limit_ms = -1;
    link->send_wake_fd = -1;
    rb_buf_init(&link->in, HEADER_BYTES + (size_t)RB_LINK_PAYLOAD_MAX);
    link->in_whole = false;
    return 0;
}

void rb_link_release(struct rb_link *link)
{
    if (link->fd >= 0) {
        close(link->fd);
        link->fd = -1;
    }
    rb_buf_release(&link->in);
    pthread_mutex_destroy(&link->send_lock);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int wait_writable(const struct rb_link *link, int64_t deadline_ms, struct rb_error *err)
{
    for (;;) {
        int64_t left = deadline_ms < 0 ? 60000 : deadline_ms - now_ms();
        struct pollfd fds[] = {{.fd = link->fd, .events = POLLOUT},
                               {.fd = link->send_wake_fd, .events = POLLIN}};
        if (left <= 0) {
            return rb_error_set(err, RB_ETIMEOUT, "LINK_STUCK",
                                "link between supervisor and worker: the message is not taken");
        }
        int n = poll(fds, 2, left > 60000 ? 60000 : (int)left);
        if (n < 0 && errno != EINTR) {
            return rb_error_set_errno(err, RB_EIO, "LINK", errno,
                                      "link between supervisor and worker: poll");
        }
        if (n > 0 && fds[0].revents != 0) {
            return 0;
        }
        if (n > 0 && fds[1].revents != 0) {
            return rb_error_set(err, RB_ETIMEOUT, "LINK_STUCK",
                                "link between supervisor and worker: the message is given up");
        }
    }
}

/* All of both parts, however the socket takes them. */
static int send_parts(const struct rb_link *link, struct iovec iov[2], struct rb_error *err)
{
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = 2};
    int64_t deadline_ms = link->send_limit_ms < 0 ? -1 : now_ms() + link->send_limit_ms;
    while (message.msg_iovlen > 0) {
        ssize_t n = sendmsg(link->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            int r = wait_writable(link, deadline_ms, err);
            if (r != 0) {
                return r;
            }
            continue;
        }
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return rb_error_set_errno(err, RB_EIO, "LINK_CLOSED", errno,
                                      "link between supervisor and worker: send");
        }
        size_t left = (size_t)n;
        while (message.msg_iovlen > 0 && left >= message.msg_iov->iov_len) {
            left -= message.msg_iov->iov_len;
            message.msg_iov++;
            message.msg_iovlen--;
        }
        if (message.msg_iovlen > 0) {
            message.msg_iov->iov_base = (char *)message.msg_iov->iov_base + left;
            message.msg_iov->iov_len -= left;
        }
    }
    return 0;
}

#ifdef RB_FAULTS
/* Among the fault points of frames: the worker's follow the supervisor's. */
static int frame_index(enum rb_link_type type)
{
    return (int)type < RB_LINK_READY ? (int)type - RB_LINK_INIT
                                     : (int)type - RB_LINK_READY + RB_LINK_CLOSE;
}
#endif

int rb_link_send(struct rb_link *link, enum rb_link_type type, uint64_t id, const char *json,
                 size_t len, struct rb_error *err)
{
    if (len > RB_LINK_PAYLOAD_MAX) {
        return rb_error_set(err, RB_ENOMEM, "MESSAGE_TOO_LARGE",
                            "a message of %zu bytes between supervisor and worker is over the "
                            "limit of %d",
                            len, RB_LINK_PAYLOAD_MAX);
    }
    int r = RB_FAULT_AT(LINK_SEND_INIT, frame_index(type), err);
    if (r != 0) {
        return r;
    }
    uint8_t header[HEADER_BYTES] = {0};
    rb_store_le32(header, (uint32_t)len);
    header[4] = (uint8_t)type;
    rb_store_le64(header + 8, id);
    union {
        const char *in;
        void *out;
    } payload = {.in = json}; /* sendmsg does not write; its type can't say so */
    struct iovec iov[2] = {{.iov_base = header, .iov_len = sizeof header},
                           {.iov_base = payload.out, .iov_len = len}};

    pthread_mutex_lock(&link->send_lock);
    r = send_parts(link, iov, err);
    pthread_mutex_unlock(&link->send_lock);
    return r;
}

static bool is_known_type(unsigned type)
{
    return (type >= RB_LINK_INIT && type <= RB_LINK_CLOSE) ||
           (type >= RB_LINK_READY && type <= RB_LINK_LIMIT);
}

/* 0 and what is still missing of the frame, 0 when it is whole. */
static int missing_bytes(const struct rb_link *link, size_t *ret_missing, struct rb_error *err)
{
    const struct rb_buf *in = &link->in;
    if (in->len < HEADER_BYTES) {
        *ret_missing = HEADER_BYTES - in->len;
        return 0;
    }
    uint32_t len = rb_load_le32(in->data);
    unsigned type = in->data[4] | (unsigned)in->data[5] << 8;
    if (len > RB_LINK_PAYLOAD_MAX || !is_known_type(type) || in->data[6] != 0 || in->data[7] != 0) {
        return rb_error_set(err, RB_EPROTOCOL, "LINK_FRAME",
                            "link between supervisor and worker: malformed frame (type %u, %u "
                            "bytes)",
                            type, len);
    }
    *ret_missing = HEADER_BYTES + (size_t)len - in->len;
    return 0;
}

/* 0: readable; 1: the deadline passed. deadline_ms < 0: none. */
static int wait_readable(int fd, int64_t deadline_ms, struct rb_error *err)
{
    for (;;) {
        int timeout = -1;
        if (deadline_ms >= 0) {
            int64_t left = deadline_ms - now_ms();
            timeout = left <= 0 ? 0 : left > 60000 ? 60000 : (int)left;
        }
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int n = poll(&p, 1, timeout);
        if (n > 0) {
            return 0;
        }
        if (n < 0 && errno != EINTR) {
            return rb_error_set_errno(err, RB_EIO, "LINK", errno,
                                      "link between supervisor and worker: poll");
        }
        if (deadline_ms >= 0 && now_ms() >= deadline_ms) {
            return 1;
        }
    }
}

/* 0: some bytes came, or none yet; 2: closed. */
static int receive_some(struct rb_link *link, size_t want, struct rb_error *err)
{
    struct rb_buf *in = &link->in;
    if (rb_buf_reserve(in, want) != 0) {
        return rb_error_set(err, RB_ENOMEM, "OUT_OF_MEMORY",
                            "no memory for a message of %zu bytes between supervisor and worker",
                            in->len + want);
    }
    ssize_t n = recv(link->fd, in->data + in->len, want, MSG_DONTWAIT);
    if (n > 0) {
        in->len += (size_t)n;
        in->data[in->len] = 0;
        return 0;
    }
    if (n == 0 || errno == ECONNRESET) {
        return 2;
    }
    if (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK) {
        return 0;
    }
    return rb_error_set_errno(err, RB_EIO, "LINK", errno,
                              "link between supervisor and worker: receive");
}

int rb_link_recv(struct rb_link *link, int64_t timeout_ms, struct rb_link_frame *ret_frame,
                 struct rb_error *err)
{
    int64_t deadline_ms = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
    if (link->in_whole) {
        if (link->in.cap > KEPT_BYTES) {
            rb_buf_release(&link->in);
            rb_buf_init(&link->in, HEADER_BYTES + (size_t)RB_LINK_PAYLOAD_MAX);
        }
        rb_buf_clear(&link->in);
        link->in_whole = false;
    }
    for (;;) {
        size_t missing = 0;
        int r = missing_bytes(link, &missing, err);
        if (r != 0) {
            return r;
        }
        if (missing == 0) {
            break;
        }
        r = wait_readable(link->fd, deadline_ms, err);
        if (r == 0) {
            r = receive_some(link, missing, err);
        }
        if (r != 0) {
            return r;
        }
    }
    int r = RB_FAULT_AT(LINK_RECV_INIT, frame_index((enum rb_link_type)link->in.data[4]), err);
    if (r != 0) {
        return r;
    }
    link->in_whole = true;
    *ret_frame = (struct rb_link_frame){
        .type = (enum rb_link_type)link->in.data[4],
        .id = rb_load_le64(link->in.data + 8),
        .json = (const char *)link->in.data + HEADER_BYTES,
        .len = link->in.len - HEADER_BYTES,
    };
    return 0;
}
