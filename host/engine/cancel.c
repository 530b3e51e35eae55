#include "host/engine/cancel.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <yyjson.h>

#include "base/cleanup.h"
#include "host/engine/session.h"
#include "host/link/text.h"
#include "host/net/allow.h"

/* Bytes decoded; 0 when the text is not hex or too long. */
static size_t decode_hex(const char *text, void *out, size_t cap)
{
    RB_CLEANUP(rb_buf_release) struct rb_buf bytes = RB_BUF_INIT(cap);
    if (text == NULL || rb_link_hex_decode(text, strlen(text), &bytes) != 0 || bytes.len == 0) {
        return 0;
    }
    memcpy(out, bytes.data, bytes.len);
    return bytes.len;
}

static void forget(struct rb_cancel_registry *registry, const char *key)
{
    for (size_t i = 0; i < registry->count; i++) {
        if (strcmp(registry->entries[i].key, key) == 0) {
            registry->entries[i] = registry->entries[--registry->count];
            return;
        }
    }
}

static void doc_free(yyjson_doc **doc)
{
    yyjson_doc_free(*doc);
}

void rb_cancel_note(struct rb_cancel_registry *registry, const char *json, size_t len)
{
    RB_CLEANUP(doc_free) yyjson_doc *doc = yyjson_read(json, len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    const char *key = yyjson_get_str(yyjson_obj_get(root, "key"));
    if (key == NULL || strlen(key) >= RB_CANCEL_KEY_MAX) {
        return;
    }
    forget(registry, key);
    if (registry->count == RB_CANCEL_ENTRIES_MAX) {
        return;
    }
    struct rb_cancel_entry entry = {.packet_len = 0};
    snprintf(entry.key, sizeof entry.key, "%s", key);
    entry.packet_len = decode_hex(yyjson_get_str(yyjson_obj_get(root, "packet")), entry.packet,
                                  sizeof entry.packet);
    size_t address_len = decode_hex(yyjson_get_str(yyjson_obj_get(root, "address")), &entry.address,
                                    sizeof entry.address);
    if (entry.packet_len == 0 || address_len < sizeof(sa_family_t) ||
        !rb_allow_peer(registry->allow, registry->n_allow, &entry.address,
                       (socklen_t)address_len)) {
        return;
    }
    entry.address_len = (socklen_t)address_len;
    registry->entries[registry->count++] = entry;
}

static int start_send(const struct rb_cancel_entry *entry)
{
    int fd = socket(entry->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        /* In progress or failed: poll tells. */
        (void)connect(fd, (const struct sockaddr *)&entry->address, entry->address_len);
    }
    return fd;
}

/* One step of a connection that poll found ready. false: it is over. */
static bool step(const struct rb_cancel_entry *entry, struct pollfd *wait)
{
    if ((wait->revents & POLLOUT) != 0) {
        /* At most 256 bytes into an empty socket buffer: never partial. */
        ssize_t n = send(wait->fd, entry->packet, entry->packet_len, MSG_NOSIGNAL);
        wait->events = POLLIN;
        return n == (ssize_t)entry->packet_len;
    }
    return false;
}

void rb_cancel_send(struct rb_cancel_registry *registry)
{
    struct pollfd waits[RB_CANCEL_ENTRIES_MAX];
    size_t open_count = 0;
    for (size_t i = 0; i < registry->count; i++) {
        waits[i] = (struct pollfd){.fd = start_send(&registry->entries[i]), .events = POLLOUT};
        open_count += waits[i].fd >= 0 ? 1 : 0;
    }
    int64_t deadline = rb_clock_ms() + RB_CANCEL_SEND_MS;
    while (open_count > 0) {
        int64_t left = deadline - rb_clock_ms();
        if (left <= 0 || poll(waits, registry->count, (int)left) < 0) {
            break;
        }
        for (size_t i = 0; i < registry->count; i++) {
            if (waits[i].fd >= 0 && waits[i].revents != 0 &&
                !step(&registry->entries[i], &waits[i])) {
                close(waits[i].fd);
                waits[i].fd = -1;
                open_count--;
            }
        }
    }
    for (size_t i = 0; i < registry->count; i++) {
        if (waits[i].fd >= 0) {
            close(waits[i].fd);
        }
    }
    registry->count = 0;
}
