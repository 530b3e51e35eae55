/*
 * Cancel packets: what a guest registered so that its server can be told to stop after the guest
 * itself can't speak any more.
 */
#ifndef RB_HOST_ENGINE_CANCEL_H
#define RB_HOST_ENGINE_CANCEL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "host/net/broker.h"

enum {
    RB_CANCEL_ENTRIES_MAX = 128,
    RB_CANCEL_KEY_MAX = 64,
    RB_CANCEL_PACKET_MAX = 256,
    RB_CANCEL_SEND_MS = 500, /* for all of them together */
};

struct rb_cancel_entry {
    char key[RB_CANCEL_KEY_MAX];
    struct sockaddr_storage address;
    socklen_t address_len;
    uint8_t packet[RB_CANCEL_PACKET_MAX];
    size_t packet_len;
};

struct rb_cancel_registry {
    const struct rb_net_allow *allow; /* borrowed: what any of the connectors was granted */
    size_t n_allow;
    struct rb_cancel_entry entries[RB_CANCEL_ENTRIES_MAX];
    size_t count;
};

/* Takes in a CANCEL_PACKET message (host/link/link.h); one that is malformed or over the maximum is
 * passed over. So is an address that no connector can have been let in to: the worker runs foreign
 * code, and the supervisor is not its way around the allow-list. */
void rb_cancel_note(struct rb_cancel_registry *registry, const char *json, size_t len);
/* Sends each packet over a connection of its own, side by side, and waits for the servers to hang
 * up (PostgreSQL does once the signal is sent), RB_CANCEL_SEND_MS at most. Empties the registry. */
void rb_cancel_send(struct rb_cancel_registry *registry);

#endif
